/**
 * Randomness from one seed. Each part of a simulated world draws from a stream of its own, named
 * after it, so that what one part draws never moves what another one gets. Only additions,
 * multiplications and shifts: the same numbers on every engine.
 */

export type Random = {
  /** From 0 up to, and without, 1. */
  next(): number;
  /** From `from` up to, and without, `to`. */
  between(from: number, to: number): number;
  /** A whole number from 0 up to, and without, `below`. */
  below(below: number): number;
  chance(probability: number): boolean;
  pick<T>(from: readonly T[]): T;
  /** Mostly small, at times large: an exponential of that mean, cut at twelve times it. */
  around(mean: number): number;
  bits64(): bigint;
  /** The stream of that name; the same for the same name, however much was drawn here. */
  fork(name: string): Random;
};

function hashOf(text: string, seed: number): number {
  let hash = (seed ^ 0x811c9dc5) >>> 0;
  for (let at = 0; at < text.length; at++) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193) >>> 0;
  }
  return Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d) >>> 0;
}

/** Minus the logarithm of each sixteenth of 1, in hundredths: the quantiles of an exponential. */
const quantiles = [277, 208, 167, 139, 116, 98, 83, 69, 58, 47, 37, 29, 21, 13, 6] as const;

export function randomOf(seed: number): Random {
  let at = seed >>> 0;
  // mulberry32
  const next = (): number => {
    at = (at + 0x6d2b79f5) >>> 0;
    let bits = Math.imul(at ^ (at >>> 15), at | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return ((bits ^ (bits >>> 14)) >>> 0) / 4_294_967_296;
  };
  const below = (limit: number): number => Math.floor(next() * limit);
  const exponential = (): number => {
    // Each time the topmost sixteenth is drawn, the rest is drawn anew beyond it.
    for (let beyond = 0; beyond < 1200; beyond += 277) {
      const sixteenth = below(16);
      const quantile = quantiles[sixteenth - 1];
      if (quantile !== undefined) return (beyond + quantile * (0.8 + 0.4 * next())) / 100;
    }
    return 12;
  };
  return {
    next,
    between: (from, to) => from + (to - from) * next(),
    below,
    chance: (probability) => next() < probability,
    pick: <T>(from: readonly T[]): T => from[below(from.length)] as T,
    around: (mean) => mean * exponential(),
    bits64: () =>
      (BigInt(Math.floor(next() * 4_294_967_296)) << 32n) | BigInt(below(4_294_967_296)),
    fork: (name) => randomOf(hashOf(name, seed)),
  };
}
