/**
 * One writer and one observer of it, in virtual time: the writer beats on schedule until it dies,
 * the observer polls through step() and nextDeadlineMs as an agent does. For the detector's tests.
 */
import type { Timing } from "../core/base/config.ts";
import { timingFaults } from "../core/base/timing.ts";
import type { PathStatus, Read } from "../core/observation.ts";
import type { HeartbeatRecord } from "../core/sector/layout.ts";
import { step } from "../core/step.ts";
import { allOn, begin } from "../core/step/begin.ts";
import { nextDeadlineMs } from "../core/step/judge.ts";
import type { State } from "../core/step/state.ts";
import { configFor } from "./core-config.ts";
import { recordValues } from "./core-samples.ts";

export type PathKind = "mirror" | "network";

export function observer(timing: Timing, kind: PathKind = "mirror", nowMs = 0): State {
  const way = kind === "mirror" ? { east: "tokyo>osaka" as const } : {};
  const wish = {
    tokyo: ["tokyo-1"],
    osaka: ["osaka-1"],
    network: kind === "network",
    mirrors: way,
  };
  return begin({
    config: configFor("osaka-1", { ...wish, timing }),
    timingDigest: 0,
    incarnation: 1n,
    bootId: "b0070000-0000-4000-8000-000000000001",
    term: null,
    halfDone: false,
    nowMs,
    marks: {},
    switches: allOn,
  });
}

export const pathOf = (kind: PathKind): string => (kind === "mirror" ? "east" : "network");

export function recordOf(serial: bigint, changes: Partial<HeartbeatRecord> = {}): HeartbeatRecord {
  const values = recordValues({ incarnation: 1n, serial, hostName: "tokyo-1", timingDigest: 0 });
  const seal = { magic: "MBRECORD", keyId: 0, mac: new Uint8Array(16), crc: 0 };
  return { ...values, ...seal, ...changes };
}

/** One read of the path that showed this record, if any. */
export function readStep(
  state: State,
  kind: PathKind,
  read: Read,
  record: HeartbeatRecord | null,
): State {
  const nowMs = read.endedMs;
  if (kind === "network") {
    const records = record ? [{ record, echoes: [] }] : [];
    return step(state, { kind: "network-read", nowMs, read, records }).state;
  }
  const reading = record
    ? [{ slot: 0, reading: { kind: "record", record, damaged: null } as const, echoes: [] }]
    : [];
  return step(state, { kind: "mirror-read", mirror: "east", nowMs, read, seen: reading }).state;
}

export function statusOf(state: State, kind: PathKind = "mirror"): PathStatus {
  return state.peers[0]?.sightings[pathOf(kind)]?.status ?? "starting";
}

function withHealth(state: State, path: string, health: number): State {
  const known = state.paths[path];
  if (!known) throw new Error(`no path ${path}`);
  const watch = { ...known.watch, health, cleanPollsInRow: 0 };
  return { ...state, paths: { ...state.paths, [path]: { ...known, watch } } };
}

export type Life = {
  readonly timing: Timing;
  readonly kind?: PathKind;
  /** Forced ill health; null lets the observer judge itself. */
  readonly health?: number | null;
  readonly startMs?: number;
  /** First write, and first poll, after the start. All times are whole milliseconds. */
  readonly writeMs: number;
  readonly pollMs: number;
  /** When the writer dies; it writes at that very moment if a beat is due. */
  readonly deathMs: number;
  readonly untilMs: number;
  /** Each of these gives a number from 0 to 1 for the n-th beat, poll or read. */
  readonly latency: (n: number) => number;
  readonly readTime: (n: number) => number;
  readonly lateness?: (n: number) => number;
  readonly atDeadlines?: boolean;
  /** The observer is stopped from the first moment to the second. */
  readonly stopped?: readonly (readonly [number, number])[];
  readonly wallSkewNs?: bigint;
};

export type Lived = {
  /** Every status from its first moment, with the read that brought it. */
  readonly statuses: readonly {
    readonly status: PathStatus;
    readonly beganMs: number;
    readonly endedMs: number;
  }[];
  readonly lastArrivalMs: number;
  readonly state: State;
};

export function live(life: Life): Lived {
  const { timing, kind = "mirror", health = null, startMs = 0 } = life;
  const path = pathOf(kind);
  const visibleAt = (n: number) =>
    startMs + life.writeMs + n * timing.intervalMs + Math.floor(life.latency(n) * timing.latencyMs);
  const dead = (n: number) => life.writeMs + n * timing.intervalMs > life.deathMs;
  let written = 0;
  const newestAt = (ms: number): number => {
    while (!dead(written + 1) && visibleAt(written + 1) <= ms) written += 1;
    return visibleAt(written) <= ms && !dead(written) ? written : written - 1;
  };
  const awake = (ms: number): number =>
    (life.stopped ?? []).reduce(
      (at, [from, to]) => (at >= startMs + from && at < startMs + to ? startMs + to : at),
      ms,
    );

  let state = observer(timing, kind, startMs);
  const statuses: { status: PathStatus; beganMs: number; endedMs: number }[] = [];
  let shown = -1;
  let lastArrivalMs = Number.NEGATIVE_INFINITY;
  let tickMs = startMs + life.pollMs;
  let freeMs = startMs;
  let extraMs: number | null = null;
  for (let n = 0; ; n++) {
    // A late timer delays the read at the deadline; regular polls come on time beside it.
    const lateMs = Math.floor((life.lateness?.(n) ?? 0) * timing.schedulingMs);
    const extra = extraMs !== null && extraMs + lateMs < tickMs;
    const plannedMs: number = extra
      ? (extraMs ?? 0) + lateMs
      : tickMs + (life.atDeadlines ? 0 : lateMs);
    const beganMs = awake(Math.max(plannedMs, freeMs));
    if (beganMs > startMs + life.untilMs) break;
    if (!extra) while (tickMs <= beganMs) tickMs += timing.pollMs;
    const newest = newestAt(beganMs);
    const tookMs = kind === "network" ? 0 : Math.floor(life.readTime(n) * timing.readLimitMs);
    const endedMs = awake(beganMs + tookMs);
    freeMs = endedMs;
    if (newest > shown) lastArrivalMs = endedMs;
    const record =
      newest > shown
        ? recordOf(BigInt(newest + 1), {
            intervalMs: timing.intervalMs,
            wallClockNs: life.wallSkewNs ?? 0n,
          })
        : null;
    shown = newest;
    if (health !== null) state = withHealth(state, path, health);
    state = readStep(state, kind, { kind: "good", beganMs, endedMs }, record);
    const status = statusOf(state, kind);
    if (statuses.at(-1)?.status !== status) statuses.push({ status, beganMs, endedMs });
    const view = health === null ? state : withHealth(state, path, health);
    const dueMs = life.atDeadlines ? nextDeadlineMs(view, path) : null;
    extraMs = dueMs === null ? null : Math.max(dueMs, endedMs);
  }
  return { statuses, lastArrivalMs, state };
}

export function soundTiming(timing: Timing): boolean {
  return timingFaults(timing).length === 0;
}
