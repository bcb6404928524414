/**
 * A digest of the timings that both sites must share; records carry it, so that a peer with
 * other timings is noticed at its first record. CRC32C over each of `sharedTimings` in that order,
 * as 32-bit little-endian milliseconds.
 */
import type { Timing } from "../base/config.ts";
import { sharedTimings } from "../base/timing.ts";
import type { Crc32c } from "./codec.ts";

export function timingDigestOf(timing: Timing, crc32c: Crc32c): number {
  const bytes = new Uint8Array(4 * sharedTimings.length);
  const view = new DataView(bytes.buffer);
  sharedTimings.forEach((name, index) => view.setUint32(4 * index, timing[name], true));
  return crc32c(bytes);
}
