/**
 * Checksum and seal of a simulated world. The checksum is the real one, CRC32C. The seal is a keyed
 * mixing of all bytes that costs a tenth of the real one: no attacker computes here, so all that is
 * asked of it is that other bytes, or another key, give another seal.
 */
import type { Crc32c, Mac } from "../core/sector/codec.ts";

const polynomial = 0x82f63b78;
const table = Int32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ polynomial : value >>> 1;
  return value;
});

export const crc32c: Crc32c = (bytes) => {
  let crc = -1;
  const { length } = bytes;
  for (let at = 0; at < length; at++) {
    crc = (crc >>> 8) ^ (table[(crc ^ (bytes[at] as number)) & 0xff] as number);
  }
  return (crc ^ -1) >>> 0;
};

const macBytes = 16;

/** Whole words where the bytes lie so, else a copy that does. */
function wordsOf(bytes: Uint8Array): Int32Array {
  const isAligned = bytes.byteOffset % 4 === 0 && bytes.length % 4 === 0;
  const { buffer, byteOffset, length } = isAligned ? bytes : padded(bytes);
  return new Int32Array(buffer, byteOffset, length / 4);
}

function padded(bytes: Uint8Array): Uint8Array {
  const copy = new Uint8Array(4 * Math.ceil(bytes.length / 4));
  copy.set(bytes);
  return copy;
}

/** Knows the keys of these ids; of another one the answer is null, as with a real set of keys. */
export function macOf(keyIds: readonly number[]): Mac {
  return (keyId, bytes) => {
    if (!keyIds.includes(keyId)) return null;
    const words = wordsOf(bytes);
    let a = keyId | 0;
    let b = Math.imul(keyId, 0x9e3779b1) | 0;
    for (let at = 0; at < words.length; at++) {
      a = Math.imul(a ^ (words[at] as number), 0x85ebca6b);
      a ^= a >>> 13;
      b = (Math.imul(b, 0xc2b2ae35) + a) | 0;
    }
    const mac = new Uint8Array(macBytes);
    const view = new DataView(mac.buffer);
    view.setInt32(0, a);
    view.setInt32(4, b);
    view.setInt32(8, Math.imul(a ^ b, 0x27d4eb2f));
    view.setInt32(12, bytes.length);
    return mac;
  };
}
