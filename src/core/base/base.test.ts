/** Small units: event lines, exit codes, timings, names in the configuration. */
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  type CoreEvent,
  eventKinds,
  eventLine,
  eventText,
  levels,
  parseEventLine,
} from "./event.ts";
import { exitCodes } from "./exit-codes.ts";
import {
  completeTiming,
  detectionBoundMs,
  gapLimitMs,
  marginMs,
  mirrorDetectionBoundMs,
  networkDetectionBoundMs,
  settlingMs,
  sharedTimings,
  takeoverPublishLimitMs,
  timingDefaults,
  timingFaults,
  volumeTimings,
} from "./timing.ts";
import type { Timing } from "./config.ts";
import { assert as coreAssert, unreachable } from "./assert.ts";

// ---- Events

const kinds = Object.keys(eventKinds) as CoreEvent["ev"][];
const levelNames = Object.keys(levels) as CoreEvent["level"][];
const fieldName = fc
  .stringMatching(/^[a-z][a-zA-Z]{0,9}$/)
  .filter((name) => !["level", "ev"].includes(name));
const value = fc.oneof(
  fc.stringMatching(/^[ -~]{0,30}$/),
  fc.constantFrom("", " ", '"', "\\", "a=b", 'say "no" \\ "yes"', "x\\", "ev=stop level=error"),
  fc.integer(),
  fc.boolean(),
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
);
const anyEvent = fc.record({
  level: fc.constantFrom(...levelNames),
  ev: fc.constantFrom(...kinds),
  fields: fc.dictionary(fieldName, value, { maxKeys: 5, noNullPrototype: true }),
});

test("an event line says back every field, whatever stands in it", () => {
  fc.assert(
    fc.property(anyEvent, (event) => {
      const line = eventLine("2026-11-22T07:31:04.120Z", event);
      const parsed = parseEventLine(line);
      assert.is(parsed?.time, "2026-11-22T07:31:04.120Z");
      const texts = Object.entries(event.fields).map(([key, v]) => [key, String(v)]);
      assert.equal(parsed?.fields, {
        level: event.level,
        ev: event.ev,
        ...Object.fromEntries(texts),
      });
    }),
    { numRuns: 1000 },
  );
});

test("a line is one line of printable ASCII, whatever a device or a hook told", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 40 }), (text) => {
      const line = eventText({ level: "info", ev: "hook", fields: { detail: text } });
      assert.match(line, /^[\x20-\x7e]*$/);
      assert.is(parseEventLine(`2026-11-22T07:31:04Z ${line}`)?.fields["ev"], "hook");
    }),
    { numRuns: 500 },
  );
});

test("the example of the format reads as it stands", () => {
  const line =
    "2026-11-22T07:31:04.120Z level=warning ev=verdict site=tokyo row=9 action=hold was=1";
  assert.equal(parseEventLine(line), {
    time: "2026-11-22T07:31:04.120Z",
    fields: { level: "warning", ev: "verdict", site: "tokyo", row: "9", action: "hold", was: "1" },
  });
});

test("what is no event line is told apart", () => {
  for (const line of [
    "",
    "level=info ev=stop",
    "Nov 22 07:31:04 host app: x=1",
    "yesterday ev=stop",
  ]) {
    assert.is(parseEventLine(line), null, line);
  }
});

// ---- Exit codes

test("every exit code has one name, and none is out of a shell's range", () => {
  const codes = Object.values(exitCodes);
  assert.is(new Set(codes).size, codes.length);
  assert.ok(codes.every((code) => Number.isInteger(code) && code >= 0 && code < 126));
});

test("codes that scripts depend on do not move", () => {
  const {
    ok,
    usage,
    unavailable,
    tryLater,
    noPermission,
    noArbiter,
    unsafe,
    indeterminate,
    timeout,
  } = exitCodes;
  assert.equal(
    [ok, usage, unavailable, tryLater, noPermission, noArbiter, unsafe, indeterminate, timeout],
    [0, 64, 69, 75, 77, 106, 107, 112, 124],
  );
});

// ---- Timings, against numbers computed by hand from the formulas in words

test("the defaults: every derived time", () => {
  const t = timingDefaults;
  // latency 500 + poll 500 + read 500 + (1000 + 2000) + 2 x 500 + scheduling 100
  assert.is(mirrorDetectionBoundMs(t, 0), 5600);
  // with h = 7 the margin is 8 x 2000
  assert.is(mirrorDetectionBoundMs(t, 7), 500 + 500 + 500 + 17_000 + 1000 + 100);
  assert.is(networkDetectionBoundMs(t, 0), 500 + 500 + 3000 + 100);
  assert.is(detectionBoundMs(t, 0), 5600);
  assert.is(gapLimitMs(t), 1100);
  assert.equal(
    [0, 3, 7].map((h) => marginMs(t, h)),
    [2000, 8000, 16_000],
  );
  assert.is(settlingMs(t), 3500);
  assert.is(takeoverPublishLimitMs(t), 12_000);
  assert.is(takeoverPublishLimitMs({ ...t, writeLimitMs: 1000 }), 10_000);
});

test("a long poll decides in place of interval and margin: three unchanged reads", () => {
  const t: Timing = {
    ...timingDefaults,
    intervalMs: 1000,
    pollMs: 1000,
    marginMs: 0,
    readLimitMs: 500,
  };
  assert.is(mirrorDetectionBoundMs(t, 0), 500 + 1000 + 500 + 3000 + 1000 + 100);
});

test("the defaults break no rule, and each rule is broken by its own timing alone", () => {
  assert.equal(timingFaults(timingDefaults), []);
  const broken: readonly (readonly [keyof Timing, Partial<Timing>])[] = [
    ["intervalMs", { intervalMs: 19, pollMs: 19, readLimitMs: 19 }],
    ["intervalMs", { intervalMs: 60_001, writeLimitMs: 60_001 }],
    ["pollMs", { pollMs: 9, readLimitMs: 9 }],
    ["pollMs", { pollMs: 1001, marginMs: 2002 }],
    ["marginMs", { marginMs: 999, latencyMs: 0 }],
    ["marginMs", { latencyMs: 1501 }],
    ["readLimitMs", { readLimitMs: 501 }],
    ["readLimitMs", { readLimitMs: 0 }],
    ["writeLimitMs", { writeLimitMs: 999 }],
    ["latencyMs", { latencyMs: -1 }],
    ["schedulingMs", { schedulingMs: -1 }],
    ["pairPollMs", { pairPollMs: 19 }],
    ["pairAgeLimitMs", { pairAgeLimitMs: 9999 }],
  ];
  for (const [field, changes] of broken) {
    const faults = timingFaults({ ...timingDefaults, ...changes });
    assert.equal(
      faults.map((fault) => fault.field),
      [field],
      JSON.stringify(changes),
    );
    assert.match(faults[0]?.message ?? "", /\d/);
  }
});

test("an interval alone completes to timings that hold", () => {
  fc.assert(
    fc.property(fc.integer({ min: 20, max: 60_000 }), (intervalMs) => {
      const timing = completeTiming({ intervalMs });
      assert.is(timing.intervalMs, intervalMs);
      assert.equal(timingFaults(timing), [], JSON.stringify(timing));
    }),
    { numRuns: 300 },
  );
  assert.equal(completeTiming({}), timingDefaults);
});

test("completing keeps what was given, and holds wherever the given times allow it", () => {
  const given = fc.record(
    {
      intervalMs: fc.integer({ min: 20, max: 60_000 }),
      pollMs: fc.integer({ min: 10, max: 20 }),
      marginMs: fc.integer({ min: 40, max: 5000 }),
      pairPollMs: fc.integer({ min: 20, max: 9000 }),
    },
    { requiredKeys: [], noNullPrototype: true },
  );
  fc.assert(
    fc.property(given, (some) => {
      const timing = completeTiming(some);
      for (const [key, ms] of Object.entries(some)) assert.is(timing[key as keyof Timing], ms);
      assert.equal(timingFaults(timing), [], JSON.stringify(timing));
    }),
    { numRuns: 300 },
  );
});

test("a superblock has room for the first of the shared timings, in the same order", () => {
  assert.equal([...volumeTimings], [
    "intervalMs", "pollMs", "marginMs", "latencyMs", "readLimitMs", "leaseMs", "watchdogMs",
  ]); // biome-ignore format: one list
  assert.equal(sharedTimings.slice(0, volumeTimings.length), [...volumeTimings]);
  assert.equal(sharedTimings.slice(volumeTimings.length), [
    "stopMs", "lateWriteMs", "hangMs", "driftPpm", "takeoverWaitMs", "lockMs",
  ]); // biome-ignore format: one list
});

test("assertions stop the program", () => {
  assert.throws(() => coreAssert(false, "the sky is up"), /assertion failed: the sky is up/);
  assert.throws(() => unreachable("x" as never), /unreachable value "x"/);
  assert.not.throws(() => coreAssert(true, "fine"));
});

test.run();
