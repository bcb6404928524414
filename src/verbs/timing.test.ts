import { readFileSync } from "node:fs";
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { isConsoleText, runVerb } from "../testing/verb-run.ts";
import { exitCodes } from "../core/base/exit-codes.ts";
import { takeoverBoundMs } from "../core/base/lease-timing.ts";
import { completeTiming, healthMax, mirrorDetectionBoundMs } from "../core/base/timing.ts";
import { timingVerb } from "./timing.ts";
import { mirrorPhases, timeline } from "./timing-report.ts";
import { type Stretch, takeoverLines } from "./timing-takeover.ts";

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

const goodLease = "fixtures/config/good-lease.toml";

test("without a lease, one line says what the right rests on", async () => {
  for (const policy of ["notify", "operator", "reservation", "booth", "command"]) {
    const { code, out } = await run(["--config", good, "--policy", policy]);
    assert.is(code, exitCodes.ok);
    assert.ok(isConsoleText(out), out);
    assert.match(out.split("\n")[1] ?? "", new RegExp(`^policy ${policy}: `));
    assert.not.match(out, /TAKEOVER/);
    const { takeover } = JSON.parse(
      (await run(["--config", good, "--policy", policy, "--json"])).out,
    );
    assert.equal([takeover.policy, takeover.leased], [policy, false]);
    assert.ok(out.includes(takeover.rests));
  }
});

test("a lease shows who may do what when, and the inequality with its numbers", async () => {
  const { code, out } = await run(["--config", goodLease]);
  assert.is(code, exitCodes.ok);
  assert.ok(isConsoleText(out), out);
  const lines = out.split("\n");
  assert.is(lines[1], "taken over within 45.7 s of a death; policy lease, takeover wait 43.0 s");
  const numbersOf = (name: string) => {
    const line = lines.find((each) => each.slice(8, 30).trim() === name && each.includes("|"));
    return line?.split("|").map((part) => part.trim().split(" ").at(-1)) ?? [];
  };
  assert.is(numbersOf("lease runs")[0], "16000", "by its own clock");
  assert.is(numbersOf("lease runs")[2], "16017", "by a true one, at the latest");
  assert.is(numbersOf("stop hook, lease ends")[2], "20021");
  assert.is(numbersOf("watchdog, once")[2], "30031");
  assert.is(numbersOf("watchdog, twice")[2], "40041");
  assert.is(numbersOf("late write lands")[2], "42041");
  assert.is(numbersOf("wait, at the earliest")[2], "42957");
  assert.is(numbersOf("silent, h=0")[2], "5600");
  assert.is(numbersOf("silent, h=7")[2], "19600");
  assert.match(
    out,
    /43000 >= 42083 = 1\.001 x \(\(20000 \+ 2 x 10000\)\/0\.999 \+ 2000\); slack 917 ms/,
  );
  assert.match(out, /16000 > 14115 = /);
  assert.match(out, /^lock wait +8127 /m, "osaka has two hosts");
});

test("the JSON has the timeline and the inequalities", async () => {
  const { takeover, timing } = JSON.parse((await run(["--config", goodLease, "--json"])).out);
  assert.is(takeover.takeoverBoundMs.healthy, takeoverBoundMs(timing));
  const { wait, liveness, lock } = takeover.inequalities;
  assert.equal([wait.haveMs, wait.needMs, wait.slackMs], [43_000, 42_083, 917]);
  assert.equal([liveness.haveMs, liveness.needMs], [16_000, 14_115]);
  assert.is(lock.haveMs, timing.lockMs);
  assert.is(takeover.timeline.length, 10);
  const [late] = takeover.timeline.filter((each: Stretch) => each.name === "late write lands");
  const [first] = takeover.timeline.filter((each: Stretch) => each.at === "earliest");
  assert.ok(late.untilMs <= first.untilMs, "nobody acts while the owner may still write");
});

test("a witness has its own wait, and asking it takes time", async () => {
  const file = "fixtures/config/good-witness.toml";
  const { out } = await run(["--config", file]);
  assert.ok(isConsoleText(out), out);
  assert.match(out, /^witness wait, at the earliest +43000 /m);
  assert.match(out, /^witness, restarted +43000 /m);
  const { takeover, timing } = JSON.parse((await run(["--config", file, "--json"])).out);
  assert.is(takeover.takeoverBoundMs.healthy, takeoverBoundMs(timing, true));
});

test("a lease is tried at a desk, and refused with its numbers", async () => {
  const { out } = await run(["--config", good, "--policy", "lease", "--json"]);
  const { timing, origins } = JSON.parse(out);
  assert.equal(
    [timing.leaseMs, timing.watchdogMs, timing.takeoverWaitMs],
    [44_000, 10_000, 66_131],
  );
  assert.is(origins.leaseMs, "default");
  const short = await run(["--config", good, "--policy", "lease", "--lease", "20000"]);
  assert.is(short.code, exitCodes.config);
  assert.match(short.err, /20000 - 4000 = 16000 ms <= 34535 ms/);
  const fine = await run([
    "--config",
    good,
    "--policy",
    "lease",
    "--lease",
    "20000",
    "--hang",
    "3000",
  ]);
  assert.is(fine.code, exitCodes.ok);
  // The file's own lease does not stand in the way of a policy without one.
  assert.is((await run(["--config", goodLease, "--policy", "operator"])).code, exitCodes.ok);
  for (const args of [
    ["--lease", "20000"],
    ["--policy", "leese"],
  ]) {
    const { code, err } = await run(["--config", good, ...args]);
    assert.is(code, exitCodes.usage);
    assert.match(err, /^mirrorbeat timing: --(lease needs --policy lease|policy takes notify, )/);
  }
});

test("the example of docs/tuning.md is the configuration that the tests read", () => {
  const document = readFileSync("docs/tuning.md", "utf8");
  const blocks = [...document.matchAll(/^```toml\n([\s\S]*?)^```$/gm)].map(
    (found) => found[1] ?? "",
  );
  const fixture = readFileSync(goodLease, "utf8");
  assert.is(blocks.length, 1);
  for (const part of (blocks[0] ?? "").trim().split("\n\n"))
    assert.ok(fixture.includes(part), part);
  for (const number of ["42,083", "34,535", "44,000", "66,131", "45.7"]) {
    assert.ok(document.includes(number), number);
  }
});

test("every line of any lease fits", () => {
  const given = fc.record({
    intervalMs: fc.integer({ min: 20, max: 60_000 }),
    hangMs: fc.integer({ min: 0, max: 600_000 }),
    watchdogMs: fc.integer({ min: 100, max: 3_600_000 }),
    lateWriteMs: fc.integer({ min: 0, max: 3_600_000 }),
    driftPpm: fc.integer({ min: 0, max: 100_000 }),
  });
  fc.assert(
    fc.property(given, fc.boolean(), (some, withWitness) => {
      const timing = completeTiming(some, true);
      const policy = withWitness ? "witness" : "lease";
      const use = { origins: new Map(), from: "x", severalHosts: true, local: true } as const;
      for (const line of takeoverLines({ timing, policy, ...use })) {
        assert.ok(isConsoleText(line), line);
      }
    }),
  );
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
