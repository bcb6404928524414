import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Timing } from "./config.ts";
import {
  feedPeriodMs,
  leaseFaults,
  leaseLivenessMs,
  leaseMaxMs,
  localTakeoverWaitMs,
  lockFaults,
  lockLivenessMs,
  lockWaitMs,
  takeoverBoundMs,
  takeoverWaitMinMs,
} from "./lease-timing.ts";
import { completeTiming, detectionBoundMs, timingDefaults, timingFaults } from "./timing.ts";

const example = { leaseMs: 20_000, watchdogMs: 10_000, lateWriteMs: 2000, driftPpm: 1000 };
const faultsOf = (given: Partial<Timing>) =>
  leaseFaults(completeTiming(given, true)).map(({ field, message }) => `${field}: ${message}`);

test("a lease of 20 s, a watchdog of 10 s and late writes of 2 s need a wait of 42.1 s", () => {
  const timing = completeTiming({ ...example, hangMs: 3000 });
  assert.is(takeoverWaitMinMs(timing), 42_083);
  assert.is(timing.takeoverWaitMs, 42_083, "what is left out is the shortest");
  assert.equal(faultsOf({ ...example, hangMs: 3000, takeoverWaitMs: 43_000 }), []);
  assert.equal(faultsOf({ ...example, hangMs: 3000, takeoverWaitMs: 42_000 }), [
    "takeoverWaitMs: takeover_wait >= (1+rho) ((lease + 2 watchdog)/(1-rho) + late_write), else two sites may be active; 42000 ms < 42083 ms = 1.001 x ((20000 + 2 x 10000)/0.999 + 2000)",
  ]);
});

test("a lease of 20 s is refused where a write may hang for 13.2 s: it needs about 35", () => {
  assert.equal(faultsOf({ ...example, stopMs: 4000 }), [
    "leaseMs: lease - stop > (1+rho) ((lost_rounds+2) interval + 2 (hang + latency + poll + read_limit) + feed + scheduling), else a write that hangs stops the service for nothing; 20000 - 4000 = 16000 ms <= 34535 ms = 1.001 x (4 x 1000 + 2 x (13200 + 500 + 500 + 500) + 1000 + 100)",
  ]);
  assert.is(leaseLivenessMs(completeTiming(example)), 34_535);
  assert.equal(faultsOf({ ...example, leaseMs: 35_000, stopMs: 400 }), []);
});

test("without a lease its times are 0, and nothing is derived from them", () => {
  const { leaseMs, watchdogMs, stopMs, takeoverWaitMs, lockMs } = timingDefaults;
  assert.equal([leaseMs, watchdogMs, stopMs, takeoverWaitMs], [0, 0, 0, 0]);
  assert.is(lockMs, lockLivenessMs(timingDefaults) + 1);
});

test("a lease that is left out is the shortest of whole seconds", () => {
  const timing = completeTiming({}, true);
  assert.equal([timing.leaseMs, timing.stopMs, timing.watchdogMs], [44_000, 8800, 10_000]);
  const shorter = { ...timing, leaseMs: 43_000, stopMs: 8600 };
  assert.is(leaseFaults(shorter).length, 1);
  assert.is(completeTiming({ stopMs: 1000 }, true).leaseMs, 36_000);
});

const anyGiven = fc.record(
  {
    intervalMs: fc.integer({ min: 20, max: 60_000 }),
    hangMs: fc.integer({ min: 0, max: 60_000 }),
    lateWriteMs: fc.integer({ min: 0, max: 60_000 }),
    watchdogMs: fc.integer({ min: 100, max: 60_000 }),
    stopMs: fc.integer({ min: 1, max: 60_000 }),
    lostRounds: fc.integer({ min: 0, max: 10 }),
    driftPpm: fc.integer({ min: 0, max: 100_000 }),
  },
  { requiredKeys: [], noNullPrototype: true },
);

test("whatever else is given, what is derived holds", () => {
  fc.assert(
    fc.property(anyGiven, (given) => {
      const timing = completeTiming(given, true);
      fc.pre(timing.leaseMs <= leaseMaxMs);
      for (const [key, value] of Object.entries(given)) {
        assert.is(timing[key as keyof Timing], value);
      }
      assert.equal([...timingFaults(timing), ...leaseFaults(timing), ...lockFaults(timing)], []);
      assert.is(timing.leaseMs % 1000, 0);
      assert.ok(Number.isInteger(timing.takeoverWaitMs) && Number.isInteger(timing.lockMs));
      assert.ok(feedPeriodMs(timing) * 4 <= timing.watchdogMs);
      assert.ok(lockWaitMs(timing) >= timing.lockMs);
      const withLock = { ...timing, leaseMs: timing.lockMs };
      assert.is(localTakeoverWaitMs(timing), takeoverWaitMinMs(withLock));
    }),
    { numRuns: 300 },
  );
});

/** Whole arithmetic of clocks: at a rate of (1e6 +- drift) own units a million true ones. */
test("no owner writes when the shortest wait is over, and one millisecond less is too short", () => {
  fc.assert(
    fc.property(anyGiven, (given) => {
      const timing = completeTiming({ ...given, leaseMs: 30_000 });
      const { leaseMs, watchdogMs, lateWriteMs, driftPpm } = timing;
      const million = 1_000_000n;
      const [fast, slow] = [million + BigInt(driftPpm), million - BigInt(driftPpm)];
      // True time times slow x million: the owner's clock slow, the standby's fast.
      const goneScaled =
        BigInt(leaseMs + 2 * watchdogMs) * million * fast + BigInt(lateWriteMs) * slow * fast;
      const overScaled = (waitMs: number) => BigInt(waitMs) * million * slow;
      assert.ok(overScaled(takeoverWaitMinMs(timing)) >= goneScaled);
      assert.ok(overScaled(takeoverWaitMinMs(timing) - 2) < goneScaled);
    }),
    { numRuns: 300 },
  );
});

/**
 * A standby that polls, with a slow clock, late timers and reads as long as they may be. The owner
 * writes last at 0. Returns when it decides, in true milliseconds.
 */
function decidedMs(timing: Timing, phase: number, latencyMs: number, readMs: number): number {
  const { pollMs, schedulingMs, takeoverWaitMs, driftPpm } = timing;
  let endedMs: number | null = null;
  for (let beginMs = phase; ; beginMs += pollMs) {
    const overMs = beginMs + schedulingMs + readMs;
    const waitedMs = endedMs === null ? 0 : (overMs - endedMs) * (1 - driftPpm / 1_000_000);
    if (waitedMs >= takeoverWaitMs) return overMs;
    if (endedMs === null && beginMs + schedulingMs >= latencyMs) endedMs = overMs;
  }
}

test("a polling standby decides within the bound, wherever its polls lie", () => {
  const part = fc.double({ min: 0, max: 1, noNaN: true });
  fc.assert(
    fc.property(anyGiven, part, part, part, (given, phase, late, slow) => {
      const timing = completeTiming({ ...given, leaseMs: 30_000 });
      const { pollMs, latencyMs, readLimitMs } = timing;
      const bound = takeoverBoundMs(timing);
      const atMs = decidedMs(timing, phase * pollMs, late * latencyMs, slow * readLimitMs);
      assert.ok(atMs <= bound, `${atMs} > ${bound}`);
      assert.ok(bound >= detectionBoundMs(timing, 0));
      assert.ok(takeoverBoundMs(timing, true) > bound);
      assert.ok(takeoverBoundMs(timing, false, 7) >= detectionBoundMs(timing, 7));
    }),
    { numRuns: 300 },
  );
});

test.run();
