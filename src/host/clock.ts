/**
 * The real clocks and the real randomness: the only file of the agent that reads them.
 * Everything else takes times and nonces as arguments.
 */
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";

export type Clock = {
  /** CLOCK_MONOTONIC in milliseconds, with fractions. */
  nowMs(): number;
  /** Unix time in nanoseconds; for display only. */
  wallNs(): bigint;
};

export const realClock: Clock = {
  nowMs: () => Number(process.hrtime.bigint()) / 1e6,
  wallNs: () => BigInt(Date.now()) * 1_000_000n,
};

export function wallText(wallNs: bigint): string {
  return new Date(Number(wallNs / 1_000_000n)).toISOString();
}

/** Eight random bytes, drawn in batches: one call to the kernel serves many beats. */
export function nonceSource(): () => bigint {
  const batch = 64;
  let pool = Buffer.alloc(0);
  return () => {
    if (pool.length < 8) pool = randomBytes(8 * batch);
    const nonce = pool.readBigUInt64LE(0);
    pool = pool.subarray(8);
    return nonce;
  };
}

/** The kernel's id of this boot, in uuid text. */
export function bootId(): string {
  return readFileSync("/proc/sys/kernel/random/boot_id", "ascii").trim();
}
