/**
 * A digest of the keys that a host accepts; records carry it, so that a key is promoted only once
 * every host holds it. CRC32C over the ids in rising order, as 32-bit little-endian numbers.
 */
import type { Crc32c } from "./codec.ts";

export function keyRingOf(ids: readonly number[], crc32c: Crc32c): number {
  const bytes = new Uint8Array(4 * ids.length);
  const view = new DataView(bytes.buffer);
  const rising = [...ids].sort((a, b) => a - b);
  rising.forEach((id, index) => view.setUint32(4 * index, id, true));
  return crc32c(bytes);
}
