/**
 * A digest of what both sites must have alike to rely on one another's times; records carry it, so
 * that a peer with other ones is noticed at its first record. CRC32C over each of `sharedTimings`
 * in that order and the number of the policy, as 32-bit little-endian; times in milliseconds.
 */
import { type Config, policies } from "../base/config.ts";
import { sharedTimings } from "../base/timing.ts";
import type { Crc32c } from "./codec.ts";

export function timingDigestOf(
  { timing, policy }: Pick<Config, "timing" | "policy">,
  crc32c: Crc32c,
): number {
  const values = [...sharedTimings.map((name) => timing[name]), policies.indexOf(policy)];
  const bytes = new Uint8Array(4 * values.length);
  const view = new DataView(bytes.buffer);
  for (const [index, value] of values.entries()) view.setUint32(4 * index, value, true);
  return crc32c(bytes);
}
