/**
 * The detector: from reads to the state of one path to one host.
 *
 * Intuition. A record is state, not a message: what counts is that the newest (incarnation,
 * serial) rises between two of our own good reads. Silence is never "now minus last seen": it is
 * what a good read, begun after the deadline, did *not* show. However late our own thread runs,
 * such a read proves that the next record was invisible until it began. And before it blames the
 * peer the detector blames itself: every fault of our own polling widens the margin (Lifeguard),
 * and a gap in it starts the silence anew.
 *
 * The expected arrival is learnt from the last arrivals (NFD-E of Chen, Toueg and Aguilera) with
 * a constant margin; "fixed" takes the last arrival plus one interval. The learnt one is kept
 * between that and the latency budget above it, so that both obey the bound of core/base/timing.
 *
 * A network path is watched alike: a "read" is the moment at which the socket was drained.
 * All times are milliseconds of the reader's own monotonic clock; no sender's clock is used.
 */
import {
  arrivalsLearntFrom,
  cleanPollsToHeal,
  gapLimitMs,
  healthFitMax,
  healthMax,
  marginMs,
  unchangedReadsMin,
} from "./base/timing.ts";
import type { Timing } from "./base/config.ts";
import { comparePositions, type Position, type Rejection } from "./record.ts";

/** Our own observing on one path: shared by all hosts seen there. */
export type Watch = {
  readonly goodReads: number;
  readonly failedReadsInRow: number;
  readonly failure: string | null;
  readonly lastGoodBeganMs: number | null;
  readonly lastGoodEndedMs: number | null;
  /** Silence is counted from here at the earliest: our start, or the end of our last gap. */
  readonly windowMs: number;
  readonly goodReadsAtWindow: number;
  /** Ill health of this observer, 0 to 7. */
  readonly health: number;
  readonly cleanPollsInRow: number;
};

export type PathStatus =
  /** Not watched long enough to say anything. */
  | "starting"
  /** Watched long enough, and no record was ever here. */
  | "unseen"
  | "ok"
  | "stale"
  | "corrupt"
  | "io-error";

type Arrival = { readonly atMs: number; readonly serial: bigint };

/** What was seen of one host on one path. */
export type Sighting = {
  readonly status: PathStatus;
  /** Since when it has, or last had, the status `starting`: no silence is counted from before. */
  readonly startingMs: number;
  readonly position: Position | null;
  /** Interval promised by the newest record. */
  readonly intervalMs: number;
  /** Last arrivals of this incarnation, oldest first; at most `arrivalsLearntFrom`. */
  readonly arrivals: readonly Arrival[];
  readonly goodReadsAtArrival: number;
  /** Records that rose above the first one seen. */
  readonly advances: number;
  /** Why nothing believable was there at the last read; null where there was. */
  readonly invalid: Rejection | null;
};

export type Read =
  | { readonly kind: "good"; readonly beganMs: number; readonly endedMs: number }
  | { readonly kind: "failed"; readonly endedMs: number; readonly failure: string };

export function beginWatch(nowMs: number): Watch {
  return {
    goodReads: 0,
    failedReadsInRow: 0,
    failure: null,
    lastGoodBeganMs: null,
    lastGoodEndedMs: null,
    windowMs: nowMs,
    goodReadsAtWindow: 0,
    health: 0,
    cleanPollsInRow: 0,
  };
}

/**
 * A host that is watched from now on. `last` is what was seen of it there before, if anything: a
 * record that still stands and never changes again is a silent host's, not one never seen.
 */
export function beginSighting(
  intervalMs: number,
  nowMs: number,
  watch: Watch,
  last: Position | null,
): Sighting {
  return {
    status: "starting",
    startingMs: nowMs,
    position: last,
    intervalMs,
    arrivals: [],
    goodReadsAtArrival: watch.goodReads,
    advances: 0,
    invalid: null,
  };
}

/** All parts are named here and below: a spread in what every read does costs V8 dearly. */
function withHealth(watch: Watch, health: number, cleanPollsInRow: number): Watch {
  return {
    goodReads: watch.goodReads,
    failedReadsInRow: watch.failedReadsInRow,
    failure: watch.failure,
    lastGoodBeganMs: watch.lastGoodBeganMs,
    lastGoodEndedMs: watch.lastGoodEndedMs,
    windowMs: watch.windowMs,
    goodReadsAtWindow: watch.goodReadsAtWindow,
    health,
    cleanPollsInRow,
  };
}

function sickened(watch: Watch): Watch {
  return withHealth(watch, Math.min(healthMax, watch.health + 1), 0);
}

function healed(watch: Watch): Watch {
  const clean = watch.cleanPollsInRow + 1;
  if (watch.health === 0 || clean < cleanPollsToHeal) return withHealth(watch, watch.health, clean);
  return withHealth(watch, watch.health - 1, 0);
}

/** Takes one read into the account of our own observing. */
export function watchRead(watch: Watch, read: Read, timing: Timing): Watch {
  if (read.kind === "failed") {
    return {
      ...sickened(watch),
      failedReadsInRow: watch.failedReadsInRow + 1,
      failure: read.failure,
    };
  }
  // A slow read shows what it shows, but proves no silence.
  if (read.endedMs - read.beganMs > timing.readLimitMs) {
    return { ...sickened(watch), failedReadsInRow: watch.failedReadsInRow + 1, failure: "slow" };
  }
  const sinceMs = read.beganMs - (watch.lastGoodEndedMs ?? watch.windowMs);
  const gap = sinceMs > gapLimitMs(timing);
  const { health, cleanPollsInRow } = gap ? sickened(watch) : healed(watch);
  const goodReads = watch.goodReads + 1;
  return {
    goodReads,
    failedReadsInRow: 0,
    failure: null,
    lastGoodBeganMs: read.beganMs,
    lastGoodEndedMs: read.endedMs,
    windowMs: gap ? read.beganMs : watch.windowMs,
    goodReadsAtWindow: gap ? goodReads : watch.goodReadsAtWindow,
    health,
    cleanPollsInRow,
  };
}

/** The newest believable record of a host was read; `seenMs` is when the read ended. */
export function seeRecord(
  sighting: Sighting,
  watch: Watch,
  record: Position & { readonly intervalMs: number },
  seenMs: number,
): Sighting {
  const position = { incarnation: record.incarnation, serial: record.serial };
  const order = sighting.position ? comparePositions(position, sighting.position) : 1;
  if (order <= 0) return sighting.invalid === null ? sighting : { ...sighting, invalid: null };
  const continued = sighting.position?.incarnation === position.incarnation;
  const arrivals = continued ? sighting.arrivals.slice(1 - arrivalsLearntFrom) : [];
  arrivals.push({ atMs: seenMs, serial: position.serial });
  const advances = sighting.position ? sighting.advances + 1 : 0;
  return {
    status: advances > 0 ? "ok" : sighting.status,
    startingMs: sighting.startingMs,
    position,
    intervalMs: record.intervalMs,
    arrivals,
    goodReadsAtArrival: watch.goodReads,
    advances,
    invalid: null,
  };
}

/** The slot held nothing believable. */
export function seeInvalid(sighting: Sighting, reason: Rejection): Sighting {
  return sighting.invalid === reason ? sighting : { ...sighting, invalid: reason };
}

/** When the record after the newest one should be visible; null where none was seen. */
export function expectedArrivalMs(sighting: Sighting, timing: Timing): number | null {
  const last = sighting.arrivals.at(-1);
  if (!last) return null;
  const earliestMs = last.atMs + sighting.intervalMs;
  if (timing.detector === "fixed") return earliestMs;
  let sumMs = 0;
  for (const { atMs, serial } of sighting.arrivals) {
    sumMs += atMs + Number(last.serial - serial) * sighting.intervalMs;
  }
  const meanMs = sumMs / sighting.arrivals.length + sighting.intervalMs;
  return Math.min(Math.max(meanMs, earliestMs), earliestMs + timing.latencyMs);
}

/** The moment from which a good read that still shows nothing new means silence. */
export function deadlineMs(sighting: Sighting, watch: Watch, timing: Timing): number {
  const expectedMs = expectedArrivalMs(sighting, timing) ?? Number.NEGATIVE_INFINITY;
  const beganMs = Math.max(watch.windowMs, sighting.startingMs);
  const fromMs = Math.max(expectedMs, beganMs + sighting.intervalMs);
  return fromMs + marginMs(timing, watch.health);
}

function isSilent(sighting: Sighting, watch: Watch, timing: Timing): boolean {
  if (watch.failedReadsInRow > 0 || watch.lastGoodBeganMs === null) return false;
  const unchanged =
    watch.goodReads - Math.max(sighting.goodReadsAtArrival, watch.goodReadsAtWindow);
  return (
    unchanged >= unchangedReadsMin && watch.lastGoodBeganMs >= deadlineMs(sighting, watch, timing)
  );
}

function isUnreadable(sighting: Sighting, watch: Watch, timing: Timing, nowMs: number): boolean {
  if (watch.failedReadsInRow < unchangedReadsMin) return false;
  // Slow reads prove no silence, but what they show is there.
  const lastShownMs = sighting.arrivals.at(-1)?.atMs ?? watch.windowMs;
  const sinceMs = nowMs - Math.max(lastShownMs, watch.lastGoodEndedMs ?? watch.windowMs);
  return sinceMs >= timing.intervalMs + timing.marginMs;
}

/**
 * The state of the path after the read that ended at `nowMs`. A state once declared stands until
 * new evidence: an advance (seeRecord), silence, or reads that fail.
 */
export function judge(sighting: Sighting, watch: Watch, timing: Timing, nowMs: number): PathStatus {
  if (isUnreadable(sighting, watch, timing, nowMs)) return "io-error";
  if (isSilent(sighting, watch, timing)) {
    if (sighting.invalid !== null) return "corrupt";
    return sighting.position === null ? "unseen" : "stale";
  }
  // Readable again after errors, and not yet watched long enough to say more.
  if (sighting.status === "io-error" && watch.failedReadsInRow === 0) return "starting";
  return sighting.status;
}

/** Whether this observer's word on a silence may be taken. */
export function isFit(watch: Watch): boolean {
  return watch.health <= healthFitMax;
}
