import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { isConsoleText, runVerb } from "../testing/verb-run.ts";
import { exitCodes } from "../core/base/exit-codes.ts";
import { completeTiming, healthMax, mirrorDetectionBoundMs } from "../core/base/timing.ts";
import { timingVerb } from "./timing.ts";
import { mirrorPhases, timeline } from "./timing-report.ts";

const run = (args: readonly string[], env: NodeJS.ProcessEnv = {}) =>
  runVerb(timingVerb, args, env);

const good = "fixtures/config/good.toml";

test("tells both bounds first, within 80 columns", async () => {
  const { code, out } = await run(["--config", good]);
  assert.is(code, exitCodes.ok);
  assert.ok(isConsoleText(out), out);
  const first = out.split("\n")[0];
  assert.is(first, "detected within 5.60 s by a healthy observer, 19.6 s by the least healthy");
  assert.match(out, /^interval_ms +1000 {2}good\.toml:6$/m);
  assert.match(out, /^next: [^\n]+\n$/m);
});

test("the longest times fit a console as well", async () => {
  const { code, out } = await run(["--config", good, "--interval", "60000", "--margin", "3600000"]);
  assert.is(code, exitCodes.ok);
  assert.ok(isConsoleText(out), out);
});

test("the JSON has every number that the agent works by", async () => {
  const { out } = await run(["--config", good, "--json"]);
  const object = JSON.parse(out);
  assert.is(object.schema, 1);
  assert.equal(object.timing, completeTiming({}));
  assert.equal(object.detectionBoundMs, { healthy: 5600, leastHealthy: 19600 });
  assert.equal(object.mirror.detectionBoundMs, { healthy: 5600, leastHealthy: 19600 });
  assert.equal(object.network.detectionBoundMs, { healthy: 4100, leastHealthy: 18100 });
  assert.equal(object.derived, {
    gapLimitMs: 1100,
    marginLeastHealthyMs: 16000,
    settlingMs: 3500,
    takeoverPublishLimitMs: 12000,
  });
});

test("values tried on the command line scale what the file leaves open", async () => {
  const { out } = await run([
    "--config",
    "fixtures/config/merge/mirrorbeat.toml",
    "--interval",
    "200",
    "--json",
  ]);
  const { timing, origins } = JSON.parse(out);
  assert.is(timing.intervalMs, 200);
  assert.is(timing.marginMs, 3000, "set by the file");
  assert.is(timing.pollMs, 100, "derived");
  assert.is(origins.intervalMs, "command line");
  assert.is(origins.marginMs, "20-site.toml:4");
});

test("values that contradict each other are refused with the inequality", async () => {
  const { code, out, err } = await run(["--config", good, "--poll", "1500", "--margin", "2000"]);
  assert.is(code, exitCodes.config);
  assert.is(out, "");
  assert.equal(err.trimEnd().split("\n"), [
    "timing: must be poll <= interval; 1500 ms > 1000 ms; try other values",
    "timing: must be margin >= 2 x poll; 2000 ms < 2 x 1500 ms; try other values",
  ]);
});

test("a faulty configuration is told line by line", async () => {
  const { code, err } = await run([], { MIRRORBEAT_CONFIG: "fixtures/config/bad/id-zero.toml" });
  assert.is(code, exitCodes.config);
  assert.match(err, /^fixtures\/config\/bad\/id-zero\.toml:30: sites\.osaka\.id: /);
  assert.is((await run(["--config", "/nowhere.toml"])).code, exitCodes.noInput);
});

test("a wrong command line is one line and 64; help is on stdout", async () => {
  for (const args of [
    ["--interval", "1s"],
    ["--detector", "phi"],
    ["now"],
    ["--speed"],
    ["--poll"],
  ]) {
    const { code, err } = await run(["--config", good, ...args]);
    assert.is(code, exitCodes.usage, args.join(" "));
    assert.match(err, /^mirrorbeat timing: [^\n]+; see: mirrorbeat timing --help\n$/);
  }
  assert.ok(isConsoleText((await run(["-h"])).out));
});

const anyTiming = fc
  .record({
    intervalMs: fc.integer({ min: 20, max: 60_000 }),
    readLimitMs: fc.integer({ min: 1, max: 60_000 }),
    marginMs: fc.integer({ min: 20, max: 3_600_000 }),
    latencyMs: fc.integer({ min: 0, max: 3_600_000 }),
  })
  .map(completeTiming);

test("the phases drawn add up to the bound, and each line fits", () => {
  fc.assert(
    fc.property(anyTiming, fc.integer({ min: 0, max: healthMax }), (timing, health) => {
      const phases = mirrorPhases(timing, health);
      const sum = phases.reduce((total, phase) => total + phase.ms, 0);
      assert.is(sum, mirrorDetectionBoundMs(timing, health));
      for (const line of timeline(phases)) assert.ok(isConsoleText(line), line);
    }),
  );
});

test.run();
