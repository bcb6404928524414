// test-limit-seconds: 180
/** simulate: what it prints, what it refuses, and that processes come to the same as one. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { isConsoleText, runVerb } from "../testing/verb-run.ts";
import { simulatePartVerb } from "./simulate-part.ts";
import { clockText, progressLine, progressOn } from "./simulate-progress.ts";
import { simulateVerb } from "./simulate.ts";

const folder = mkdtempSync(path.join(os.tmpdir(), "mirrorbeat-simulate-"));
test.after(() => rmSync(folder, { recursive: true, force: true }));
const inFolder = (name: string): string => path.join(folder, name);
const program = path.resolve(process.env["MIRRORBEAT_DIST"] ?? "dist", "mirrorbeat");

const simulate = (...args: readonly string[]) => runVerb(simulateVerb, args);
const quick = ["--setup", "slow", "--fault", "way-cut"] as const;
const config = "fixtures/config/good-lease.toml";

async function refused(code: number, words: RegExp, ...args: readonly string[]): Promise<void> {
  const ran = await simulate(...args);
  assert.is(ran.code, code, ran.err);
  assert.match(ran.err, words);
  assert.is(ran.out, "");
}

const lastLine = (text: string): string => text.trimEnd().split("\n").at(-1) ?? "";

test("a few seeds: what was exercised, how fast, the trace; the last line is JSON", async () => {
  const ran = await simulate(...quick, "--seeds", "2", "--jobs", "1");
  assert.is(ran.code, 0, ran.out);
  assert.ok(isConsoleText(ran.out), ran.out);
  assert.match(ran.out, /^faults\n {2}way-cut +\d+\n/);
  assert.match(ran.out, /\nverdict rows\n/);
  assert.match(ran.out, /\n2 seeds, 0\.\d virtual hours in [\d.]+ s, \d+ times real time\n/);
  const json = JSON.parse(
    lastLine((await simulate(...quick, "--seeds", "2", "--json", "--jobs", "1")).out),
  );
  const names = [
    "schema",
    "seeds",
    "violations",
    "coverage",
    "virtualHours",
    "seconds",
    "traceHash",
  ];
  assert.equal(Object.keys(json), names);
  assert.equal([json.seeds, json.violations], [2, []]);
  assert.ok(ran.out.includes(json.traceHash), "the same seeds, the same trace");
});

test("hours: as many seeds as make so many", async () => {
  const ran = await simulate(...quick, "--hours", "0.3", "--json", "--jobs", "1");
  const { seeds, virtualHours } = JSON.parse(lastLine(ran.out));
  assert.ok(
    virtualHours >= 0.3 && virtualHours * (1 - 1 / seeds) < 0.3,
    `${seeds} ${virtualHours}`,
  );
});

test("a configuration of one's own: what to expect of it", async () => {
  const latencies = ["--latency-trace", "fixtures/simulation/latency.txt"];
  const ran = await simulate("--config", config, ...latencies, "--seeds", "1..1");
  assert.is(ran.code, 0, ran.err + ran.out);
  assert.ok(isConsoleText(ran.out), ran.out);
  assert.match(ran.out, /a host's death is found +\d\.\d\d s +\d\.\d\d s +\d\.\d\d s +5\.60 s/);
  assert.match(ran.out, /the takeover is decided +4\d\.\d\d s/);
  assert.match(ran.out, /the link: 600 latencies given, up to 2105 ms; 6 above latency_ms \(500\)/);
  assert.match(ran.out, /FALSE ALARMS, IN 0\.\d QUIET HOURS +SEEN +A YEAR\n/);
});

test("one history: every line with its time, and a page", async () => {
  const html = inFolder("run.html");
  const ran = await simulate(...quick, "--seeds", "3..3", "--trace", "--html", html);
  assert.is(ran.code, 0, ran.err + ran.out);
  assert.match(ran.out, /^ +\d+\.\d{3} \S+ machine boots\n/);
  assert.match(ran.out, /\d fault way-cut tokyo>osaka begins\n/);
  assert.not.match(ran.out, / writes east /);
  const page = readFileSync(html, "utf8");
  assert.match(page, /^<!DOCTYPE html>[\s\S]*simulated, set-up slow, seed 3/);
  assert.match(page, /way-cut/);
});

const scenario = {
  setup: "pair",
  seed: 1,
  steps: [{ atMs: 5000, forMs: 8000, fault: "link-cut", target: "east" }],
  runMs: 15_000,
};

test("a history of a file, as data and as a transcript", async () => {
  const file = inFolder("cut.json");
  writeFileSync(file, JSON.stringify(scenario));
  const ran = await simulate("--scenario", file);
  assert.is(ran.code, 0, ran.err + ran.out);
  assert.match(ran.out, /\npair: \d+ s, \d+ times real time, trace [\da-f]{16}\n$/);
  const traced = await simulate("--scenario", file, "--trace");
  assert.match(traced.out, /fault link-cut east begins\n/);
  const transcripts = "fixtures/simulation/scenarios";
  const [first = ""] = readdirSync(transcripts).filter((name) => name.startsWith("row-01-"));
  const played = await simulate("--scenario", path.join(transcripts, first));
  assert.is(played.code, 0, played.err);
  assert.is(played.out, readFileSync(path.join(transcripts, first), "utf8"));
});

test("--keep writes a history that can be run again", async () => {
  const file = inFolder("bad.json");
  writeFileSync(
    file,
    JSON.stringify({ ...scenario, steps: [{ ...scenario.steps[0], fault: "x" }] }),
  );
  await refused(65, /bad\.json: steps\[0\]\.fault: "x": no such fault/, "--scenario", file);
});

test("a command line that is wrong is told in one line", async () => {
  await refused(64, /--seeds 9\.\.3: from 0 to/, "--seeds", "9..3");
  await refused(64, /--seeds many: give a number, or FROM\.\.TO/, "--seeds", "many");
  await refused(64, /--hours 0: a number above 0/, "--hours", "0");
  await refused(64, /--jobs 0: a whole number/, "--jobs", "0");
  await refused(64, /--fault rain: no such fault; --list names them/, "--fault", "rain");
  await refused(64, /--fault way-cut=0: a weight above 0/, "--fault", "way-cut=0");
  const noData = ["--fault", "data-link-cut", "--setup", "pair"];
  await refused(64, /--fault data-link-cut: no set-up chosen has a target/, ...noData);
  await refused(64, /--setup x: no such set-up/, "--setup", "x");
  await refused(64, /--trace is of one history/, "--trace");
  await refused(64, /--html is of one history/, "--html", "x");
  await refused(64, /--keep is of one history/, "--keep", "x");
  await refused(64, /--writes needs --trace/, "--writes");
  await refused(64, /--host needs --config/, "--host", "a");
  await refused(64, /leave --seeds out/, "--scenario", "x", "--seeds", "1");
  await refused(64, /give one of them/, "--config", config, "--setup", "pair");
  await refused(64, /unexpected 'seeds'/, "seeds");
});

test("a file that is not as it should be", async () => {
  await refused(66, /none\.toml: no such file/, "--config", inFolder("none.toml"));
  await refused(
    66,
    /none\.txt: cannot be read \(ENOENT\)/,
    "--latency-trace",
    inFolder("none.txt"),
  );
  await refused(66, /none\.json: cannot be read/, "--scenario", inFolder("none.json"));
  writeFileSync(inFolder("link.txt"), "12\nslow\n");
  await refused(
    65,
    /link\.txt:2: "slow" is no latency; give/,
    "--latency-trace",
    inFolder("link.txt"),
  );
  await refused(65, /link\.txt:1: command: "12"/, "--scenario", inFolder("link.txt"));
  await refused(78, /:/, "--config", "fixtures/simulation/latency.txt");
  await refused(78, /--host: no host is named/, "--config", config, "--host", "nobody");
});

test("help and list, each line of a console", async () => {
  for (const option of ["--help", "--list"]) {
    const { code, out } = await simulate(option);
    assert.is(code, 0);
    assert.ok(isConsoleText(out), out);
  }
  const { out } = await simulate("--list");
  for (const word of ["slow", "way-cut", "two-active"]) assert.ok(out.includes(word), word);
  assert.is((await runVerb(simulatePartVerb, ["x"])).code, 64);
});

test("progress: a line that is rewritten on a terminal, now and then a line elsewhere", () => {
  assert.equal(
    [clockText(59_400), clockText(61_000), clockText(3_661_000)],
    ["0:59", "1:01", "1:01:01"],
  );
  assert.is(
    progressLine(120, 72_000_000, 0.25, 30_000),
    "simulate: 120 seeds, 25 %, 20.0 h, 2400 times real time, 1:30 left",
  );
  assert.ok(progressLine(50_000, 3.6e10, 1, 1).length <= 80);
  for (const isTerminal of [true, false]) {
    let nowMs = 0;
    let written = "";
    const write = (text: string) => {
      written += text;
    };
    const progress = progressOn(write, isTerminal, () => nowMs);
    for (let seed = 1; seed <= 40; seed++) {
      nowMs += 500;
      progress.told(seed, seed * 600_000, seed / 40);
    }
    progress.end();
    assert.is(written.split("\n").length - 1, isTerminal ? 0 : 1);
    assert.is(written.split("\r").length > 30, isTerminal);
  }
});

type Ran = { readonly code: number | null; readonly out: string; readonly err: string };

/** What a test leaves behind when it fails must not keep this process. */
const children: ChildProcess[] = [];
test.after(() => {
  for (const child of children) child.kill("SIGKILL");
});

function started(...args: readonly string[]) {
  const child = spawn(program, ["simulate", ...args], { stdio: ["ignore", "pipe", "pipe"] });
  children.push(child);
  let out = "";
  let err = "";
  child.stdout.on("data", (data) => {
    out += data;
  });
  child.stderr.on("data", (data) => {
    err += data;
  });
  const ended = new Promise<Ran>((resolve) =>
    child.on("close", (code) => resolve({ code, out, err })),
  );
  return { child, ended };
}

/** Whether that process runs histories; the launcher has short-lived ones of its own. */
function runsHistories(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("simulate-part");
  } catch {
    return false;
  }
}

/** Pids of the processes that run its histories. */
function workersOf(pid: number): readonly number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
  return text.split(" ").filter(Boolean).map(Number).filter(runsHistories);
}

async function until<T>(look: () => T | null | undefined): Promise<T> {
  for (let tries = 0; tries < 600; tries++) {
    const found = look();
    if (found !== null && found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("nothing within 30 s");
}

test("several processes come to the same as one", async () => {
  const one = await started(...quick, "--seeds", "6", "--jobs", "1", "--json").ended;
  const three = await started(...quick, "--seeds", "6", "--jobs", "3", "--json").ended;
  assert.equal([one.code, three.code], [0, 0], one.err + three.err);
  const [a, b] = [one, three].map(({ out }) => ({ ...JSON.parse(lastLine(out)), seconds: 0 }));
  assert.equal(a, b);
});

test("interrupted: what was reached so far", async () => {
  const { child, ended } = started(...quick, "--seeds", "100000", "--jobs", "2", "--json");
  await until(() => workersOf(child.pid ?? 0)[1]);
  await new Promise((resolve) => setTimeout(resolve, 2000));
  child.kill("SIGINT");
  const { code, out } = await ended;
  assert.is(code, 75, out);
  assert.equal(JSON.parse(lastLine(out)).violations, []);
});

test("a process that dies is told with its seed, and nothing hangs", async () => {
  const { child, ended } = started(...quick, "--seeds", "100000", "--jobs", "2");
  const victim = await until(() => workersOf(child.pid ?? 0)[0]);
  await new Promise((resolve) => setTimeout(resolve, 500));
  process.kill(victim, "SIGKILL");
  const { code, err } = await ended;
  assert.is(code, 70);
  assert.match(err, /^mirrorbeat simulate: seed \d+: its process ended: SIGKILL$/m);
  assert.match(err, /^try it alone: mirrorbeat simulate --seeds (\d+)\.\.\1 --setup slow/m);
});

test.run();
