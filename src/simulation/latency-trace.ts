/**
 * Replication latencies that somebody measured: a text file with one in milliseconds a line. A
 * simulated pair takes them one after the other, a write each, and begins anew at the end; where it
 * begins the seed says.
 */
import type { Random } from "./random.ts";
import type { SimulatedWorld } from "./world.ts";

export type LatencyTrace = readonly number[];

export type ParsedTrace =
  | { readonly ok: true; readonly latenciesMs: LatencyTrace }
  /** One line each: file, line, value, remedy. */
  | { readonly ok: false; readonly faults: readonly string[] };

/** Longer than an hour is a wrong unit. */
const latencyMaxMs = 3_600_000;
const faultsToldMax = 10;
const valueShownMax = 30;

const shown = (text: string): string =>
  JSON.stringify(text.slice(0, valueShownMax)).replaceAll(/[^\x20-\x7e]/g, "?");

function faultOf(text: string): string | null {
  const give = "give milliseconds, such as 12.5; a comment begins with #";
  if (!/^\d+(\.\d+)?$/.test(text)) return `${shown(text)} is no latency; ${give}`;
  if (Number(text) <= latencyMaxMs) return null;
  return `${shown(text)} is longer than an hour; ${give}`;
}

export function parseLatencyTrace(text: string, file: string): ParsedTrace {
  const latenciesMs: number[] = [];
  const faults: string[] = [];
  text.split("\n").forEach((line, index) => {
    const value = line.replace(/#.*/s, "").trim();
    if (value === "") return;
    const fault = faultOf(value);
    if (fault !== null) faults.push(`${file}:${index + 1}: ${fault}`);
    else latenciesMs.push(Number(value));
  });
  if (faults.length > faultsToldMax) {
    const more = faults.length - faultsToldMax;
    faults.splice(faultsToldMax, more, `${file}: and ${more} lines more`);
  }
  if (faults.length === 0 && latenciesMs.length === 0) {
    faults.push(`${file}:1: no latency in it; give one in milliseconds a line`);
  }
  return faults.length > 0 ? { ok: false, faults } : { ok: true, latenciesMs };
}

/** One latency after the other, from an offset that is drawn. */
export function lagSourceOf(latenciesMs: LatencyTrace, random: Random): () => number {
  let at = random.below(latenciesMs.length);
  return () => {
    const lagMs = latenciesMs[at] ?? 0;
    at = (at + 1) % latenciesMs.length;
    return lagMs;
  };
}

/** Every pair of that world lags as the trace says; each has a place of its own in it. */
export function giveLatencies(world: SimulatedWorld, latenciesMs: LatencyTrace): void {
  for (const [name, pair] of world.pairs) {
    pair.times = { ...pair.times, lagMs: 0 };
    pair.lagSource = lagSourceOf(latenciesMs, world.random.fork(`latencies of ${name}`));
  }
}
