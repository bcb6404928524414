/**
 * Every deadline of the product and what must hold between them: those of a heartbeat here, the
 * bound of detection in detection-timing.ts, the lease of an automatic takeover in lease-timing.ts.
 * None is derived elsewhere.
 */
import type { Timing } from "./config.ts";
import { detectionBoundMs, healthMax, silenceWaitMs } from "./detection-timing.ts";
import { withLeaseTiming, type TimingFault } from "./lease-timing.ts";

export {
  detectionBoundMs,
  healthMax,
  marginMs,
  mirrorDetectionBoundMs,
  networkDetectionBoundMs,
  unchangedReadsMin,
} from "./detection-timing.ts";
export type { TimingFault } from "./lease-timing.ts";

/** An observer whose ill health is above this cannot tell: row 5. */
export const healthFitMax = 3;
/** Clean polls that take one step of ill health back. */
export const cleanPollsToHeal = 4;
/** A distance between two polls above this many poll intervals is a gap of our own. */
export const gapPolls = 2;
/** Advances of a beacon after the silence began that prove the link. */
export const beaconAdvancesMin = 2;
/** Arrivals from which the adaptive detector learns the expected one. */
export const arrivalsLearntFrom = 16;

/** An array is not asked for a pair state oftener than this. */
export const pairPollMinMs = 20;

const plainDefaults: Timing = {
  intervalMs: 1000,
  pollMs: 500,
  marginMs: 2000,
  latencyMs: 500,
  readLimitMs: 500,
  writeLimitMs: 3000,
  schedulingMs: 100,
  detector: "adaptive",
  pairPollMs: 5000,
  pairAgeLimitMs: 15000,
  leaseMs: 0,
  watchdogMs: 0,
  stopMs: 0,
  lateWriteMs: 2000,
  hangMs: 13_200,
  lostRounds: 2,
  driftPpm: 1000,
  takeoverWaitMs: 0,
  lockMs: 0,
};

export const timingDefaults: Timing = withLeaseTiming(plainDefaults, {}, false);

/** The same where nothing else is said: an array's command line takes a second to answer. */
const pairPollDefaultMinMs = 1000;

/**
 * Completes timings of which some are given. The rule, once: a time that is not given keeps the
 * proportion to the interval that it has in the defaults (poll 1/2, margin 2, latency 1/2, read
 * limit 1/2, write limit 3, pair poll 5 but at least 1 s, pair age limit 3 pair polls), and then
 * gives way where a given one leaves it less room, so that each inequality of `timingFaults`
 * holds if the given times allow it. What belongs to the machine or the array (scheduling,
 * watchdog, link time-out, late writes, drift) does not scale. `leased`: the policy has a lease;
 * then its times are derived too (`withLeaseTiming`).
 */
export function completeTiming(given: Partial<Timing>, leased = (given.leaseMs ?? 0) > 0): Timing {
  const intervalMs = given.intervalMs ?? plainDefaults.intervalMs;
  const scaled = (ms: number) => Math.round((ms * intervalMs) / plainDefaults.intervalMs);
  const pollRoomMs = Math.max(
    10,
    Math.min(intervalMs, Math.floor((given.marginMs ?? Number.POSITIVE_INFINITY) / 2)),
  );
  const pollMs =
    given.pollMs ??
    Math.min(pollRoomMs, Math.max(scaled(plainDefaults.pollMs), given.readLimitMs ?? 0));
  const pairPollRoomMs = Math.max(
    pairPollMinMs,
    Math.floor((given.pairAgeLimitMs ?? Number.POSITIVE_INFINITY) / 2),
  );
  const pairPollMs =
    given.pairPollMs ??
    Math.min(pairPollRoomMs, Math.max(pairPollDefaultMinMs, scaled(plainDefaults.pairPollMs)));
  const completed: Timing = {
    ...plainDefaults,
    intervalMs,
    pollMs,
    marginMs: Math.max(scaled(plainDefaults.marginMs), 2 * pollMs, (given.latencyMs ?? 0) + pollMs),
    latencyMs: Math.min(
      scaled(plainDefaults.latencyMs),
      Math.max(0, (given.marginMs ?? Number.POSITIVE_INFINITY) - pollMs),
    ),
    readLimitMs: Math.min(scaled(plainDefaults.readLimitMs), pollMs),
    writeLimitMs: scaled(plainDefaults.writeLimitMs),
    pairPollMs,
    pairAgeLimitMs: 3 * pairPollMs,
    ...given,
  };
  return withLeaseTiming(completed, given, leased);
}

/** Poll distance above which the observer, not the peer, was absent. */
export function gapLimitMs(timing: Timing): number {
  return gapPolls * timing.pollMs + timing.schedulingMs;
}

/** Time after the start (or a gap) before this observer may state any silence, healthy. */
export function settlingMs(timing: Timing): number {
  return silenceWaitMs(timing, 0) + timing.pollMs;
}

/** Longest that a host is left unjudged because a path to it was not watched long enough. */
export function unjudgedLimitMs(timing: Timing): number {
  return silenceWaitMs(timing, healthMax) + gapLimitMs(timing);
}

/** Longest from a beat being due to its being seen by the other site, on any path. */
function beatWayMs({ intervalMs, latencyMs, pollMs, readLimitMs }: Timing): number {
  return intervalMs + latencyMs + pollMs + readLimitMs;
}

/**
 * How long one direction of a path must look lost, or well again, before that is stated
 * (src/core/step/one-way.ts): our beat arrives there, that side finds out, its echo comes back.
 * Longer than anything that passes by itself: a start, a restart, a read that came late.
 */
export function oneWayHoldMs(timing: Timing): number {
  return beatWayMs(timing) + detectionBoundMs(timing, 0) + beatWayMs(timing);
}

/** Longest from the loss of one direction to its being stated at both ends, observers healthy. */
export function oneWayBoundMs(timing: Timing): number {
  const seenMs = detectionBoundMs(timing, 0) + beatWayMs(timing);
  return seenMs + oneWayHoldMs(timing) + timing.intervalMs + timing.schedulingMs;
}

/** A path that an echo says to be at most this many beats behind is heard there. */
export function echoHeardBeats(timing: Timing): number {
  return Math.ceil(beatWayMs(timing) / timing.intervalMs);
}

/** More beats behind than this, and what is seen there comes too late to count as heard. */
export function echoLostBeats(timing: Timing): number {
  return Math.ceil(detectionBoundMs(timing, healthMax) / timing.intervalMs) + 1;
}

/** How old the last arrival on a path may be for its sender to count as heard now. */
export function heardNowMs(timing: Timing): number {
  return beatWayMs(timing) + timing.marginMs;
}

/** Longest an operator's takeover waits for its record to be durable on a volume of its own. */
export function takeoverPublishLimitMs(timing: Timing): number {
  return Math.max(10_000, 4 * timing.writeLimitMs);
}

/** So long a pair is split at the most to wait for the answer. */
export const signalWaitMaxMs = 600_000;

/** A mirror's pair is split for a signal that was asked for at most once in this time. */
export const signalEveryMs = 60_000;

/**
 * How long a pair that is split for a signal stays so, that every host which asks its array looks
 * at it meanwhile: two pair polls, and the time that an array's answer takes by default.
 */
export function signalHoldMs(timing: Timing): number {
  return 2 * timing.pairPollMs + 2000;
}

/** How long an answer is waited for: each site sees it with a poll, and each array takes its time. */
export function signalWaitMs(timing: Timing): number {
  return 3 * timing.pairPollMs + 15_000;
}

/**
 * How long a pair must have been whole before it is split for an answer. An answer that is taken
 * for a signal would come back sooner: after two polls, and one change within its deadline.
 */
export function signalRestMs(timing: Timing, changeLimitMs: number): number {
  return signalEveryMs + 4 * timing.pairPollMs + changeLimitMs;
}

/** Every timing that stands in a volume's superblock. */
export const volumeTimings = [
  "intervalMs",
  "pollMs",
  "marginMs",
  "latencyMs",
  "readLimitMs",
  "leaseMs",
  "watchdogMs",
] as const satisfies readonly (keyof Timing)[];

/** Every timing that all hosts must have alike, in a fixed order: what the records' digest is of. */
export const sharedTimings = [
  ...volumeTimings,
  "stopMs",
  "lateWriteMs",
  "hangMs",
  "driftPpm",
  "takeoverWaitMs",
  "lockMs",
] as const satisfies readonly (keyof Timing)[];

/** What must hold between the timings; each message names the inequality it states. */
export function timingFaults(timing: Timing): readonly TimingFault[] {
  const t = timing;
  const rules: readonly (readonly [keyof Timing, boolean, string])[] = [
    ["intervalMs", t.intervalMs >= 20, `interval >= 20 ms; it is ${t.intervalMs} ms`],
    ["intervalMs", t.intervalMs <= 60_000, `interval <= 60000 ms; it is ${t.intervalMs} ms`],
    ["pollMs", t.pollMs >= 10, `poll >= 10 ms; it is ${t.pollMs} ms`],
    ["pollMs", t.pollMs <= t.intervalMs, `poll <= interval; ${t.pollMs} ms > ${t.intervalMs} ms`],
    [
      "marginMs",
      t.marginMs >= 2 * t.pollMs,
      `margin >= 2 x poll; ${t.marginMs} ms < 2 x ${t.pollMs} ms`,
    ],
    [
      // Else a living host whose writes come late, within the budget, would be called silent.
      "marginMs",
      t.marginMs >= t.latencyMs + t.pollMs,
      `margin >= latency + poll; ${t.marginMs} ms < ${t.latencyMs} ms + ${t.pollMs} ms`,
    ],
    [
      "readLimitMs",
      t.readLimitMs <= t.pollMs,
      `read_limit <= poll; ${t.readLimitMs} ms > ${t.pollMs} ms`,
    ],
    ["readLimitMs", t.readLimitMs > 0, `read_limit > 0; it is ${t.readLimitMs} ms`],
    [
      "writeLimitMs",
      t.writeLimitMs >= t.intervalMs,
      `write_limit >= interval; ${t.writeLimitMs} ms < ${t.intervalMs} ms`,
    ],
    ["latencyMs", t.latencyMs >= 0, `latency >= 0; it is ${t.latencyMs} ms`],
    ["schedulingMs", t.schedulingMs >= 0, `scheduling >= 0; it is ${t.schedulingMs} ms`],
    [
      "pairPollMs",
      t.pairPollMs >= pairPollMinMs,
      `pair_poll >= ${pairPollMinMs} ms; it is ${t.pairPollMs} ms`,
    ],
    [
      "pairAgeLimitMs",
      t.pairAgeLimitMs >= 2 * t.pairPollMs,
      `pair_age_limit >= 2 x pair_poll; ${t.pairAgeLimitMs} ms < 2 x ${t.pairPollMs} ms`,
    ],
  ];
  return rules.filter(([, holds]) => !holds).map(([field, , message]) => ({ field, message }));
}
