/**
 * What the core is given from outside, in a plain form for its tests: CRC32C by a table,
 * HMAC-SHA256 cut to 16 bytes, SHA-256, and one fixed key.
 */
import { createHash, createHmac } from "node:crypto";
import type { Mac, Sealing } from "../core/sector/codec.ts";

const crcTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1;
  return value >>> 0;
});

export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ (crcTable[(crc ^ byte) & 0xff] ?? 0);
  return (crc ^ 0xffffffff) >>> 0;
}

export function sha256(bytes: Uint8Array): Uint8Array {
  return createHash("sha256").update(bytes).digest();
}

/** The key of every test and of the golden vectors: the bytes 0 to 31. */
export const testKey = Uint8Array.from({ length: 32 }, (_, index) => index);
export const otherKey = Uint8Array.from({ length: 32 }, (_, index) => 255 - index);

export function keyIdOf(secret: Uint8Array): number {
  const digest = createHash("sha256").update("mirrorbeat key id\0").update(secret).digest();
  return digest.readUInt32BE(0);
}
export const testKeyId = keyIdOf(testKey);

export function macWith(...secrets: readonly Uint8Array[]): Mac {
  const keys = new Map(secrets.map((secret) => [keyIdOf(secret), secret]));
  return (keyId, bytes) => {
    const secret = keys.get(keyId);
    return secret ? createHmac("sha256", secret).update(bytes).digest().subarray(0, 16) : null;
  };
}

export function sealingWith(secret: Uint8Array): Sealing {
  return { mac: macWith(secret), crc32c, keyId: keyIdOf(secret) };
}
export const sealing = sealingWith(testKey);
export const checks = { mac: sealing.mac, crc32c };
