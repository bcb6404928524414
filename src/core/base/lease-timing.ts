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

export const rho = ({ driftPpm }: Timing): number => driftPpm / 1_000_000;

/** Shortest wait after which no owner whose lease ran out can still be active. */
export function takeoverWaitMinMs(timing: Timing): number {
  const { leaseMs, watchdogMs, lateWriteMs } = timing;
  const r = rho(timing);
  return Math.ceil((1 + r) * ((leaseMs + 2 * watchdogMs) / (1 - r) + lateWriteMs));
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

/** Fills in what follows from the lease; a time that was given stands as it is. */
export function withLeaseTiming(timing: Timing, given: Partial<Timing>): Timing {
  const stopMs = given.stopMs ?? Math.round(timing.leaseMs / 5);
  const lockMs = given.lockMs ?? (timing.lockMs > 0 ? timing.lockMs : lockLivenessMs(timing) + 1);
  const next = { ...timing, stopMs, lockMs };
  return { ...next, takeoverWaitMs: given.takeoverWaitMs ?? takeoverWaitMinMs(next) };
}
