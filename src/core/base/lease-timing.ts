/**
 * The lease of automatic takeover in time (docs/safety.md, "The lease"). rho is the bound of a
 * clock's rate error.
 *
 *   owner     b_n: write begins           b_n + lease - stop: the service is stopped
 *             |-------------------------------|------| b_n + lease: nothing is fed any more
 *                                                    |--watchdog--|--watchdog--| reset at the latest
 *   standby      e: read that shows it ends
 *                |---------------------------- takeover wait ----------------------| may act
 *
 *   takeover wait >= (1+rho) ((lease + 2 watchdog)/(1-rho) + late write)
 *
 * The watchdog counts twice: the owner may stall between its check of the lease and the feeding.
 * An owner is never stopped for nothing while at most `lostRounds` rounds are lost and no write
 * hangs for longer than `hang`:
 *
 *   lease - stop > (1+rho) ((lostRounds+1) interval + interval
 *                           + 2 (hang + latency + poll + read limit) + check)
 */
import type { Timing } from "./config.ts";
import { detectionBoundMs } from "./detection-timing.ts";

export const rho = ({ driftPpm }: Timing): number => driftPpm / 1_000_000;

/** Shortest wait after which no owner whose lease ran out can still be active. */
export function takeoverWaitMinMs(timing: Timing): number {
  const { leaseMs, watchdogMs, lateWriteMs } = timing;
  const r = rho(timing);
  return Math.ceil((1 + r) * ((leaseMs + 2 * watchdogMs) / (1 - r) + lateWriteMs));
}

/** From the end of a watchdog's patience to a machine that writes nothing any more. */
const resetAllowanceMs = 1000;

/**
 * The shortest `watchdog_ms` under which twice that time covers the worst case of a device with
 * this time-out: a stall between the check and the feeding, one time-out more for that feeding, and
 * one more for a death just before its end, for the kernel feeds a device once as its descriptor is
 * closed. Three time-outs, each with a reset.
 */
export function watchdogTimeMinMs(limitMs: number): number {
  return Math.ceil((3 * (limitMs + resetAllowanceMs)) / 2);
}

/** The longest time-out of a device that fits a watchdog's whole time; it counts whole seconds. */
export function watchdogLimitMaxMs(watchdogMs: number): number {
  const mostMs = Math.floor((2 * watchdogMs) / 3) - resetAllowanceMs;
  return Math.max(0, Math.floor(mostMs / 1000) * 1000);
}

/** How often the lease is checked and the watchdog fed. */
export function feedPeriodMs({ intervalMs, watchdogMs }: Timing): number {
  return watchdogMs === 0 ? intervalMs : Math.min(intervalMs, Math.floor(watchdogMs / 4));
}

/** A lease less its stop must be longer than this, else an owner is stopped for nothing. */
export function leaseLivenessMs(timing: Timing): number {
  const { intervalMs, latencyMs, pollMs, readLimitMs, hangMs, lostRounds, schedulingMs } = timing;
  const wayMs = hangMs + latencyMs + pollMs + readLimitMs;
  const roundsMs = (lostRounds + 2) * intervalMs;
  return Math.ceil(
    (1 + rho(timing)) * (roundsMs + 2 * wayMs + feedPeriodMs(timing) + schedulingMs),
  );
}

/** The same for the lock of a site: its holder writes and then reads its own PVOL. */
export function lockLivenessMs(timing: Timing): number {
  const { intervalMs, writeLimitMs, hangMs, schedulingMs } = timing;
  return Math.ceil((1 + rho(timing)) * (2 * intervalMs + hangMs + writeLimitMs + schedulingMs));
}

/** How long a sibling's claim must have stood still before this host claims the site's lock. */
export function lockWaitMs(timing: Timing): number {
  const r = rho(timing);
  return Math.ceil(((1 + r) * timing.lockMs) / (1 - r));
}

/** The same before a service is started beside a host that held the lock: it may have to reset. */
export function localTakeoverWaitMs(timing: Timing): number {
  const { lockMs, watchdogMs, lateWriteMs } = timing;
  const r = rho(timing);
  return Math.ceil((1 + r) * ((lockMs + 2 * watchdogMs) / (1 - r) + lateWriteMs));
}

/** Longest from a write's begin to its being seen by the other site, where no limit is broken. */
export function seenWithinMs({ latencyMs, pollMs, readLimitMs, schedulingMs }: Timing): number {
  return latencyMs + pollMs + readLimitMs + schedulingMs;
}

/**
 * From the owner's death to the standby's decision, at the latest.
 *
 * The owner's last write begins before it dies, at 0. It is visible after `latency`; a poll, late
 * by `scheduling`, shows it, and the wait begins when that read is over: S = latency + poll + read
 * limit + scheduling. It lasts takeoverWait by a clock that may be slow: takeoverWait / (1-rho).
 * Silence is stated meanwhile, or later where the margin is long: B(h), the detection bound. What
 * is decided is decided at the next look, again a poll, a read and a late timer away:
 *
 *   bound = max(S + takeoverWait / (1-rho), B(h)) + poll + read limit + scheduling
 *
 * With a witness the same wait runs there. Its grant is asked for with the next beat and comes with
 * the one after, each an interval, a latency, a poll and a late timer away. All this holds where
 * detection's bound holds, while the guard was seen before, this site's decider lives, the data
 * groups are in order and the witness answers.
 */
export function takeoverBoundMs(timing: Timing, withWitness = false, health = 0): number {
  const { intervalMs, latencyMs, pollMs, readLimitMs, schedulingMs, takeoverWaitMs } = timing;
  const waitedMs = seenWithinMs(timing) + Math.ceil(takeoverWaitMs / (1 - rho(timing)));
  const lookMs = pollMs + readLimitMs + schedulingMs;
  const askedMs = withWitness ? 2 * (intervalMs + latencyMs + pollMs + schedulingMs) : 0;
  return Math.max(waitedMs, detectionBoundMs(timing, health)) + lookMs + askedMs;
}

/** The watchdog belongs to the machine: it does not scale with the interval. */
export const watchdogDefaultMs = 10_000;
/** A watchdog device counts whole seconds, so a whole lease is given in them too. */
const leaseStepMs = 1000;
export const leaseMaxMs = 3_600_000;

/** The part of a lease that is kept for the stop, where `stop_ms` is not given. */
const stopShare = 5;

/** The shortest lease of whole seconds under which no owner is stopped for nothing. */
function shortestLeaseMs(timing: Timing, stopMs: number | undefined): number {
  const liveMs = leaseLivenessMs(timing) + 1;
  const leaseMs = stopMs === undefined ? (liveMs * stopShare) / (stopShare - 1) : liveMs + stopMs;
  return Math.ceil(leaseMs / leaseStepMs) * leaseStepMs;
}

/**
 * Fills in what follows from the lease; a time that was given stands as it is. Without a lease all
 * of its times are 0, but not the site's lock, which each automatic policy needs.
 */
export function withLeaseTiming(timing: Timing, given: Partial<Timing>, leased: boolean): Timing {
  const locked = { ...timing, lockMs: given.lockMs ?? lockLivenessMs(timing) + 1 };
  if (!leased) {
    const none = { leaseMs: 0, watchdogMs: 0, stopMs: 0, takeoverWaitMs: 0 };
    return { ...locked, ...none, ...given, lockMs: locked.lockMs };
  }
  const armed = { ...locked, watchdogMs: given.watchdogMs ?? watchdogDefaultMs };
  const leaseMs = given.leaseMs ?? shortestLeaseMs(armed, given.stopMs);
  const next = { ...armed, leaseMs, stopMs: given.stopMs ?? Math.floor(leaseMs / stopShare) };
  return { ...next, takeoverWaitMs: given.takeoverWaitMs ?? takeoverWaitMinMs(next) };
}

/** A broken inequality: the field to change, in words that show the numbers. */
export type TimingFault = { readonly field: keyof Timing; readonly message: string };

/** The factor of clock drift in a message: 1.001. */
export const factorText = (factor: number): string => String(Number(factor.toFixed(6)));

/** The three inequalities of the lease, each with its letters and its numbers. */
export function leaseInequalities(timing: Timing) {
  const t = timing;
  const [more, less] = [factorText(1 + rho(t)), factorText(1 - rho(t))];
  return {
    wait: {
      letters: "takeover_wait >= (1+rho) ((lease + 2 watchdog)/(1-rho) + late_write)",
      numbers: `${more} x ((${t.leaseMs} + 2 x ${t.watchdogMs})/${less} + ${t.lateWriteMs})`,
      haveMs: t.takeoverWaitMs,
      needMs: takeoverWaitMinMs(t),
    },
    liveness: {
      letters:
        "lease - stop > (1+rho) ((lost_rounds+2) interval + 2 (hang + latency + poll + read_limit) + feed + scheduling)",
      numbers:
        `${more} x (${t.lostRounds + 2} x ${t.intervalMs} + 2 x (${t.hangMs} + ${t.latencyMs} + ` +
        `${t.pollMs} + ${t.readLimitMs}) + ${feedPeriodMs(t)} + ${t.schedulingMs})`,
      haveMs: t.leaseMs - t.stopMs,
      needMs: leaseLivenessMs(t),
    },
    lock: {
      letters: "lock > (1+rho) (2 interval + hang + write_limit + scheduling)",
      numbers: `${more} x (2 x ${t.intervalMs} + ${t.hangMs} + ${t.writeLimitMs} + ${t.schedulingMs})`,
      haveMs: t.lockMs,
      needMs: lockLivenessMs(t),
    },
  };
}

/** What must hold under a leased policy. */
export function leaseFaults(timing: Timing): readonly TimingFault[] {
  const t = timing;
  const { wait, liveness } = leaseInequalities(t);
  const rules: readonly (readonly [keyof Timing, boolean, string])[] = [
    ["leaseMs", t.leaseMs > 0, `lease > 0; it is ${t.leaseMs} ms`],
    ["leaseMs", t.leaseMs <= leaseMaxMs, `lease <= ${leaseMaxMs} ms; it is ${t.leaseMs} ms`],
    ["watchdogMs", t.watchdogMs > 0, `watchdog > 0; it is ${t.watchdogMs} ms`],
    ["stopMs", t.stopMs > 0, `stop > 0; it is ${t.stopMs} ms`],
    [
      "stopMs",
      t.stopMs < t.leaseMs || t.leaseMs <= 0,
      `stop < lease; ${t.stopMs} ms >= ${t.leaseMs} ms`,
    ],
    [
      "leaseMs",
      // Told once: a lease of 0, or a stop that is as long, breaks this one as well.
      liveness.haveMs > liveness.needMs || t.leaseMs <= 0 || t.stopMs >= t.leaseMs,
      `${liveness.letters}, else a write that hangs stops the service for nothing; ` +
        `${t.leaseMs} - ${t.stopMs} = ${liveness.haveMs} ms <= ${liveness.needMs} ms = ${liveness.numbers}`,
    ],
    [
      "takeoverWaitMs",
      wait.haveMs >= wait.needMs,
      `${wait.letters}, else two sites may be active; ${wait.haveMs} ms < ${wait.needMs} ms = ${wait.numbers}`,
    ],
  ];
  return rules.filter(([, holds]) => !holds).map(([field, , message]) => ({ field, message }));
}

/** What must hold under an automatic policy where a site has several hosts that may serve. */
export function lockFaults(timing: Timing): readonly TimingFault[] {
  const { letters, numbers, haveMs, needMs } = leaseInequalities(timing).lock;
  if (haveMs > needMs) return [];
  const why = "as a site has several hosts";
  return [
    { field: "lockMs", message: `${letters}, ${why}; ${haveMs} ms <= ${needMs} ms = ${numbers}` },
  ];
}
