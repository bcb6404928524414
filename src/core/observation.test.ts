/**
 * The detector: tables of single reads, then its two promises as properties -- a host that beats
 * within its budget is never suspected, and a death is stated within the printed bound.
 */
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  live,
  observer,
  type PathKind,
  readStep,
  recordOf,
  soundTiming,
  statusOf,
} from "../testing/core-watch.ts";
import type { Timing } from "./base/config.ts";
import {
  healthMax,
  marginMs,
  mirrorDetectionBoundMs,
  networkDetectionBoundMs,
  timingDefaults,
} from "./base/timing.ts";
import {
  beginWatch,
  expectedArrivalMs,
  isFit,
  type Read,
  type Watch,
  watchRead,
} from "./observation.ts";
import type { HeartbeatRecord } from "./sector/layout.ts";
import { step } from "./step.ts";
import type { Seen, State } from "./step/state.ts";

const t = timingDefaults;
const good = (beganMs: number, tookMs = 5): Read => ({
  kind: "good",
  beganMs,
  endedMs: beganMs + tookMs,
});
const failed = (endedMs: number): Read => ({ kind: "failed", endedMs, failure: "EIO" });

// ---- Own health

function watched(reads: readonly Read[], from: Watch = beginWatch(0)): Watch {
  return reads.reduce((watch, read) => watchRead(watch, read, t), from);
}
const regular = (count: number, firstMs = 500): Read[] =>
  Array.from({ length: count }, (_, i) => good(firstMs + 500 * i));

test("failed reads, slow reads and gaps make ill; four clean polls take one step back", () => {
  assert.is(watched(regular(3)).health, 0);
  assert.is(watched([failed(500), failed(1000)]).health, 2);
  assert.is(watched([good(500, 501)]).health, 1, "slower than the limit");
  assert.is(watched([good(500, 500)]).health, 0, "just within it");
  assert.is(watched([good(500), good(505 + 1100)]).health, 0, "just no gap");
  assert.is(watched([good(500), good(505 + 1101)]).health, 1, "a gap");
  const ill = watched([good(500), failed(900), failed(950)]);
  assert.is(watched(regular(3, 1400), ill).health, 2);
  assert.is(watched(regular(4, 1400), ill).health, 1);
  assert.is(watched(regular(7, 1400), ill).health, 1);
  assert.is(watched(regular(8, 1400), ill).health, 0);
  assert.is(watched(regular(20, 1400), ill).health, 0);
  assert.is(watched(Array.from({ length: 20 }, (_, i) => failed(500 * i))).health, healthMax);
});

test("a clean run is interrupted by every fault", () => {
  const ill = watched([failed(0), failed(10)]);
  const broken = watched([...regular(3, 500), failed(1700), ...regular(3, 2000)], ill);
  assert.is(broken.health, 3);
});

test("fit up to 3, not from 4 on", () => {
  const at = (health: number) => isFit({ ...beginWatch(0), health });
  assert.equal([0, 3, 4, 7].map(at), [true, true, false, false]);
});

test("a gap moves the window: no silence is counted from before it", () => {
  const watch = watched([good(500), good(1000), good(9000)]);
  assert.is(watch.windowMs, 9000);
  assert.is(watch.goodReadsAtWindow, 3);
});

// ---- Expected arrivals, by hand

const seen = (atMs: readonly number[], serials: readonly number[]) => ({
  status: "ok" as const,
  startingMs: 0,
  position: { incarnation: 1n, serial: BigInt(serials.at(-1) ?? 0) },
  intervalMs: 1000,
  arrivals: atMs.map((ms, i) => ({ atMs: ms, serial: BigInt(serials[i] ?? 0) })),
  goodReadsAtArrival: 0,
  advances: 1,
  invalid: null,
});

test("fixed: one interval after the last arrival", () => {
  const fixed: Timing = { ...t, detector: "fixed" };
  assert.is(expectedArrivalMs(seen([], []), fixed), null);
  assert.is(expectedArrivalMs(seen([100, 1300, 2100], [1, 2, 3]), fixed), 3100);
});

test("adaptive: the mean of the last arrivals carried forward, between fixed and the budget", () => {
  // Carried to serial 3: 2100, 2300, 2100; their mean 2166.67, and one interval.
  assert.is(Math.round(expectedArrivalMs(seen([100, 1300, 2100], [1, 2, 3]), t) ?? 0), 3167);
  // A late last one is not made earlier than it was: 3500, not the mean of 3500, 2000, 2000.
  assert.is(expectedArrivalMs(seen([0, 1000, 3500], [1, 2, 3]), t), 4500);
  // An early last one: at most the latency budget of 500 above fixed.
  assert.is(expectedArrivalMs(seen([9000, 10_000, 10_001], [1, 2, 3]), t), 11_501);
  // A skipped serial is no loss: serial 5 comes two intervals after serial 3.
  assert.is(expectedArrivalMs(seen([0, 2000], [3, 5]), t), 3000);
});

// ---- Single observers, read by read

type Shown = HeartbeatRecord | null;
function reads(state: State, ...some: readonly (readonly [Read, Shown])[]): State {
  return some.reduce((now, [read, record]) => readStep(now, "mirror", read, record), state);
}
/** Beats 1 to n, seen once a second by polls every half second; ends at n seconds. */
function beating(n: number, timing: Timing = t): State {
  let state = observer(timing);
  for (let i = 1; i <= n; i++) {
    state = reads(state, [good(1000 * i - 500), null], [good(1000 * i), recordOf(BigInt(i))]);
  }
  return state;
}
const quiet = (state: State, fromMs: number, untilMs: number): State => {
  let now = state;
  for (let ms = fromMs; ms <= untilMs; ms += 500) now = reads(now, [good(ms), null]);
  return now;
};

test("one record is not yet a sign of life; the next one is", () => {
  let state = reads(observer(t), [good(500), recordOf(1n)]);
  assert.is(statusOf(state), "starting");
  state = reads(state, [good(1500), recordOf(2n)]);
  assert.is(statusOf(state), "ok");
});

test("silence is stated by the first good read begun at the deadline, not before", () => {
  const fixed: Timing = { ...t, detector: "fixed" };
  const state = quiet(beating(5, fixed), 5500, 7500);
  // Arrival 5005, expected 6005, margin 2000.
  assert.is(statusOf(reads(state, [good(8004), null])), "ok");
  assert.is(statusOf(reads(state, [good(8005), null])), "stale");
});

test("three good unchanged reads must lie in the silence", () => {
  const timing: Timing = { ...t, detector: "fixed", pollMs: 3000, marginMs: 100, intervalMs: 3000 };
  let state = observer(timing);
  for (let i = 1; i <= 3; i++)
    state = reads(state, [good(3000 * i), recordOf(BigInt(i), { intervalMs: 100 })]);
  state = reads(state, [good(12_000), null], [good(15_000), null]);
  assert.is(statusOf(state), "ok", "two unchanged reads, long after the deadline");
  assert.is(statusOf(reads(state, [good(18_000), null])), "stale");
});

test("nothing was ever there: unseen, not stale, and only after a whole silence from the start", () => {
  assert.is(statusOf(quiet(observer(t), 500, 2500)), "starting");
  assert.is(statusOf(quiet(observer(t), 500, 3000)), "unseen");
});

test("an old record that never advances is stale after a silence from the start", () => {
  const state = reads(observer(t), [good(500), recordOf(77n)]);
  assert.is(statusOf(quiet(state, 1000, 3000)), "starting");
  assert.is(statusOf(quiet(state, 1000, 4000)), "stale");
});

test("failed reads earn no silence, however many; they are errors of the path", () => {
  let state = quiet(beating(5), 5500, 6500);
  for (let ms = 7000; ms < 60_000; ms += 500) {
    state = reads(state, [failed(ms), null]);
    assert.ok(["ok", "io-error"].includes(statusOf(state)), `${ms} ${statusOf(state)}`);
  }
  assert.is(statusOf(state), "io-error");
});

test("an error is not stated at the first failures, nor before interval and margin have passed", () => {
  let state = beating(5);
  for (const ms of [5500, 6000, 6500, 7000, 7500]) state = reads(state, [failed(ms), null]);
  assert.is(statusOf(state), "ok");
  assert.is(statusOf(reads(state, [failed(8100), null])), "io-error");
});

test("after errors a good read is not silence: the path is watched anew", () => {
  let state = beating(5);
  for (let ms = 5500; ms < 30_000; ms += 500) state = reads(state, [failed(ms), null]);
  state = reads(state, [good(30_000), null]);
  assert.is(statusOf(state), "starting");
  assert.is(statusOf(reads(state, [good(30_500), recordOf(40n)])), "ok");
  const after = quiet(state, 30_500, 32_500);
  assert.is(statusOf(after), "starting", "a whole silence is counted from here");
  assert.is(statusOf(quiet(after, 33_000, 60_000)), "stale");
});

test("slow reads earn no silence, but what they show counts", () => {
  let state = beating(5);
  for (let i = 0; i < 40; i++)
    state = reads(state, [good(5500 + 700 * i, 600), i % 2 ? recordOf(BigInt(6 + i)) : null]);
  assert.is(statusOf(state), "ok", "slow, and advancing");
  let silent = beating(5);
  for (let i = 0; i < 40; i++) {
    silent = reads(silent, [good(5500 + 700 * i, 600), null]);
    assert.is.not(statusOf(silent), "stale");
  }
  assert.is(statusOf(silent), "io-error");
  assert.is(silent.paths["east"]?.watch.failure, "slow");
});

test("one slow read at the deadline postpones the verdict to the next good one", () => {
  const state = quiet(beating(5), 5500, 7500);
  assert.is(statusOf(reads(state, [good(8050), null])), "stale", "a good one would state it");
  const slow = reads(state, [good(8050, 501), null]);
  assert.is(statusOf(slow), "ok");
  // No gap to the last good read, but an ill observer waits for a wider margin, or heals first.
  assert.is(statusOf(quiet(slow, 8600, 9500)), "ok");
  assert.is(statusOf(quiet(slow, 8600, 11_000)), "stale");
});

const invalid = (state: State, ms: number, reason: "checksum" | "forged") =>
  stepSeen(state, ms, { kind: "rejected", reason });
const empty = (state: State, ms: number) => stepSeen(state, ms, { kind: "empty" });

function stepSeen(state: State, ms: number, reading: Seen["reading"]): State {
  const seen = [{ slot: 0, reading, echoes: [] }];
  return step(state, { kind: "mirror-read", mirror: "east", nowMs: ms + 5, read: good(ms), seen })
    .state;
}
const reasonOf = (state: State) => state.peers[0]?.sightings["east"]?.invalid ?? null;

test("what cannot be believed is corrupt after a silence, with its reason; not before", () => {
  let state = invalid(beating(5), 5500, "forged");
  assert.is(statusOf(state), "ok");
  state = quiet(state, 6000, 9000);
  assert.is(statusOf(state), "corrupt");
  assert.is(reasonOf(state), "forged");
  assert.is(statusOf(reads(state, [good(9500), recordOf(6n)])), "ok");
  const again = reads(state, [good(9500), recordOf(5n)]);
  assert.is(
    statusOf(quiet(again, 10_000, 10_000)),
    "stale",
    "the good old record is back, and silent",
  );
});

test("one step back is tolerated, two are a regression, and so is a slot that is empty again", () => {
  const one = reads(beating(5), [good(5500), recordOf(4n)]);
  assert.is(reasonOf(one), null);
  assert.is(one.peers[0]?.sightings["east"]?.position?.serial, 5n);
  assert.is(statusOf(reads(one, [good(6000), recordOf(6n)])), "ok");
  const two = reads(beating(5), [good(5500), recordOf(3n)]);
  assert.is(reasonOf(two), "regression");
  assert.is(statusOf(quiet(two, 6000, 9000)), "corrupt");
  assert.is(reasonOf(empty(beating(5), 5500)), "regression");
  assert.is(reasonOf(empty(observer(t), 500)), null);
});

test("one step back earns no life: a host that only goes back and forth is silent", () => {
  let state = beating(5);
  for (let i = 0; i < 12; i++)
    state = reads(state, [good(5500 + 500 * i), recordOf(i % 2 ? 5n : 4n)]);
  assert.is(statusOf(state), "stale");
});

test("a higher incarnation with a lower serial is life; an older incarnation is none", () => {
  const restarted = reads(
    beating(5),
    [good(5500), recordOf(1n, { incarnation: 2n })],
    [good(6500), recordOf(2n, { incarnation: 2n })],
  );
  assert.is(statusOf(restarted), "ok");
  assert.is(restarted.peers[0]?.sightings["east"]?.arrivals.length, 2, "arrivals are learnt anew");
  let replayed = restarted;
  for (let i = 0; i < 10; i++)
    replayed = reads(replayed, [good(7000 + 500 * i), recordOf(BigInt(900 + i))]);
  assert.is(statusOf(replayed), "corrupt");
  assert.is(reasonOf(replayed), "regression");
  assert.is(replayed.peers[0]?.word?.incarnation, 2n);
});

test("a record in another host's name is not believed", () => {
  const state = reads(beating(5), [good(5500), recordOf(6n, { hostName: "tokyo-9" })]);
  assert.is(reasonOf(state), "wrong-host");
  assert.is(statusOf(quiet(state, 6000, 9000)), "corrupt");
});

test("skipped serials are no losses: a host that beats seldom but on time is alive", () => {
  let state = observer(t);
  for (let i = 1; i < 40; i++)
    state = reads(state, [good(500 * i), i % 2 ? null : recordOf(BigInt(7 * i))]);
  assert.is(statusOf(state), "ok");
});

// ---- The two promises

const fraction = fc.double({ min: 0, max: 1, noNaN: true });
const fractions = fc.array(fc.oneof(fraction, fc.constantFrom(0, 1)), {
  minLength: 1,
  maxLength: 24,
});
const drawn = (some: readonly number[]) => (n: number) => some[n % some.length] ?? 0;

const timings: fc.Arbitrary<Timing> = fc
  .record({
    intervalMs: fc.integer({ min: 20, max: 3000 }),
    poll: fc.double({ min: 0.15, max: 1, noNaN: true }),
    margin: fc.double({ min: 2, max: 8, noNaN: true }),
    read: fc.double({ min: 0.01, max: 1, noNaN: true }),
    latencyMs: fc.integer({ min: 0, max: 3000 }),
    schedulingMs: fc.integer({ min: 0, max: 100 }),
    detector: fc.constantFrom("fixed" as const, "adaptive" as const),
  })
  .map(({ poll, margin, read, ...rest }) => {
    const pollMs = Math.max(10, Math.round(rest.intervalMs * poll));
    const readLimitMs = Math.max(1, Math.floor(pollMs * read));
    return {
      ...t,
      ...rest,
      pollMs,
      readLimitMs,
      marginMs: Math.ceil(pollMs * margin),
      writeLimitMs: 60_000,
    };
  })
  .filter(soundTiming);
const kinds = fc.constantFrom<PathKind>("mirror", "network");

const life = fc.record({
  timing: timings,
  writePhase: fraction,
  pollPhase: fraction,
  latencies: fractions,
  readTimes: fractions,
  lateness: fractions,
  beats: fc.integer({ min: 3, max: 20 }),
});

test("a host that beats on schedule, within its latency, is never suspected", () => {
  fc.assert(
    fc.property(life, kinds, fc.boolean(), (given, kind, atDeadlines) => {
      // The margin must cover the latency's own variation: from nothing to the whole budget.
      const timing = {
        ...given.timing,
        latencyMs: Math.min(given.timing.latencyMs, given.timing.marginMs),
      };
      const { statuses } = live({
        timing,
        kind,
        writeMs: Math.floor(given.writePhase * timing.intervalMs),
        pollMs: Math.floor(given.pollPhase * timing.pollMs),
        deathMs: Number.POSITIVE_INFINITY,
        untilMs: 60 * timing.intervalMs,
        latency: drawn(given.latencies),
        readTime: drawn(given.readTimes),
        lateness: drawn(given.lateness),
        atDeadlines,
      });
      const names = statuses.map(({ status }) => status);
      assert.equal(names, names.includes("starting") ? ["starting", "ok"] : ["ok"]);
    }),
    { numRuns: 400 },
  );
});

test("own stalls never make a verdict on a host that beats", () => {
  const stop = fc.tuple(fraction, fc.double({ min: 0, max: 30, noNaN: true }));
  fc.assert(
    fc.property(
      life,
      kinds,
      fc.array(stop, { minLength: 1, maxLength: 4 }),
      (given, kind, stops) => {
        const timing = {
          ...given.timing,
          latencyMs: Math.min(given.timing.latencyMs, given.timing.marginMs),
        };
        const span = 60 * timing.intervalMs;
        const { statuses } = live({
          timing,
          kind,
          writeMs: Math.floor(given.writePhase * timing.intervalMs),
          pollMs: Math.floor(given.pollPhase * timing.pollMs),
          deathMs: Number.POSITIVE_INFINITY,
          untilMs: span,
          latency: drawn(given.latencies),
          readTime: drawn(given.readTimes),
          atDeadlines: true,
          stopped: stops.map(
            ([at, intervals]) => [at * span, at * span + intervals * timing.intervalMs] as const,
          ),
        });
        const bad = statuses.filter(({ status }) => status !== "starting" && status !== "ok");
        assert.equal(bad, []);
      },
    ),
    { numRuns: 300 },
  );
});

test("a death is stated within the bound of the observer's health, and never before its deadline", () => {
  const health = fc.oneof(
    { arbitrary: fc.constant(0), weight: 2 },
    { arbitrary: fc.integer({ min: 1, max: 7 }), weight: 1 },
  );
  let worst = 0;
  fc.assert(
    fc.property(life, kinds, health, fraction, (given, kind, h, moment) => {
      const { timing, beats } = given;
      const writeMs = Math.floor(given.writePhase * timing.intervalMs);
      // Within the interval after a beat; 0 is the worst: just after the write.
      const since = moment < 0.5 ? 0 : Math.floor(moment * timing.intervalMs);
      const deathMs = writeMs + beats * timing.intervalMs + since;
      const bound = kind === "mirror" ? mirrorDetectionBoundMs : networkDetectionBoundMs;
      const boundMs = bound(timing, h);
      const { statuses, lastArrivalMs } = live({
        timing,
        kind,
        health: h,
        writeMs,
        pollMs: Math.floor(given.pollPhase * timing.pollMs),
        deathMs,
        untilMs: deathMs + boundMs + 2 * timing.intervalMs,
        latency: drawn(given.latencies),
        readTime: drawn(given.readTimes),
        lateness: drawn(given.lateness),
        atDeadlines: true,
      });
      const stated = statuses.find(({ status }) => status === "stale");
      assert.ok(stated, "stated at all");
      if (!stated) return;
      const late = stated.endedMs - deathMs - boundMs;
      assert.ok(late <= 1e-6, `${late} ms after the bound of ${boundMs} ms`);
      const earliestMs = lastArrivalMs + timing.intervalMs + marginMs(timing, h);
      if (stated.endedMs > lastArrivalMs)
        assert.ok(stated.beganMs >= earliestMs - 1e-6, "never before the deadline");
      worst = Math.max(worst, (stated.endedMs - deathMs) / boundMs);
    }),
    { numRuns: 600 },
  );
  assert.ok(worst > 0.9, `the bound is not idle: ${worst.toFixed(2)} of it was used`);
});

test("only durations count: the same life at another time of the reader's clock, and with other clocks of the sender", () => {
  fc.assert(
    fc.property(life, fc.integer({ min: -3600, max: 3600 }), (given, seconds) => {
      const { beats } = given;
      // Learnt deadlines are fractions, which another start of the clock rounds differently.
      const timing: Timing = { ...given.timing, detector: "fixed" };
      const base = {
        timing,
        writeMs: 7,
        pollMs: 3,
        deathMs: beats * timing.intervalMs,
        untilMs: (beats + 40) * timing.intervalMs,
        latency: drawn(given.latencies.map(Math.round)),
        readTime: drawn(given.readTimes.map(Math.round)),
        atDeadlines: true,
      };
      const lived = (startMs: number, wallSkewNs: bigint) =>
        live({ ...base, startMs, wallSkewNs }).statuses.map(({ status, beganMs }) => ({
          status,
          atMs: beganMs - startMs,
        }));
      const straight = lived(0, 0n);
      const isSame = (other: typeof straight): boolean =>
        other.length === straight.length &&
        other.every(({ status, atMs }, index) => {
          const wanted = straight[index];
          return status === wanted?.status && Math.abs(atMs - wanted.atMs) < 0.001;
        });
      assert.ok(isSame(lived(0, BigInt(seconds) * 1_000_000_000n + 3_600_000_000_000n)));
      assert.ok(isSame(lived(1_048_576, 0n)));
    }),
    { numRuns: 100 },
  );
});

test.run();
