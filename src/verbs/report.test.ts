/** report: journals in, a picture out; what it refuses, and in which words. */
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { isConsoleText, runVerb } from "../testing/verb-run.ts";
import { reportVerb } from "./report.ts";
import { edgeOf, windowOf } from "./report-window.ts";

const folder = mkdtempSync(path.join(os.tmpdir(), "mirrorbeat-report-"));
test.after(() => rmSync(folder, { recursive: true, force: true }));

const a1 = "fixtures/report/a1.log";
const b1 = "fixtures/report/b1.log";
const lines = readFileSync(b1, "utf8");
const report = (...args: readonly string[]) => runVerb(reportVerb, args);
let count = 0;

function file(text: string, name = `journal-${++count}.log`): string {
  const full = path.join(folder, name);
  mkdirSync(path.dirname(full), { recursive: true });
  writeFileSync(full, text);
  return full;
}

async function refused(code: number, words: RegExp, ...args: readonly string[]): Promise<void> {
  const ran = await report(...args);
  assert.is(ran.code, code, ran.err);
  assert.match(ran.err, words);
  assert.match(ran.err, /^mirrorbeat report: [^\n]*\n$/, "one line");
  assert.is(ran.out, "");
}

test("two hosts' journals: text, as it is recorded, and the word on clocks", async () => {
  const ran = await report("--journal", a1, "--journal", b1);
  assert.is(ran.code, 0);
  assert.is(ran.err, "");
  assert.ok(isConsoleText(ran.out), ran.out);
  assert.match(ran.out, /^REPORT {2}a1 of site a; b1 of site b: 2026-/);
  assert.match(ran.out, /TAKEOVER {2}at b1: begun at/);
  assert.match(ran.out, /own clock; between hosts these may differ/);
});

test("one host's journal says nothing of other clocks", async () => {
  const ran = await report("--journal", b1);
  assert.not.match(ran.out, /own clock; between/);
});

test("svg, html and json; the ending of --output chooses", async () => {
  assert.match((await report("--journal", b1, "--format", "svg")).out, /^<svg /);
  assert.match((await report("--journal", b1, "--format", "html")).out, /^<!DOCTYPE html>/);
  const output = path.join(folder, "review.HTML");
  const ran = await report("--journal", b1, "--output", output);
  assert.equal([ran.code, ran.out], [0, ""]);
  assert.match(ran.err, /review\.HTML: 68 events, \d+ bytes\n$/);
  assert.match(readFileSync(output, "utf8"), /^<!DOCTYPE html>/);
  const data = JSON.parse((await report("--journal", b1, "--json")).out);
  assert.equal(Object.keys(data), [
    "schema",
    "title",
    "fromMs",
    "toMs",
    "origin",
    "lanes",
    "notes",
  ]);
  assert.equal([data.schema, data.origin, data.lanes.length], [1, "wall", 10]);
});

test("a state folder: the older file first, and the host of both", async () => {
  const half = lines.split("\n").length / 2;
  const state = path.join(folder, "state");
  file(`${lines.split("\n").slice(0, half).join("\n")}\n`, "state/journal.log.1");
  file(lines.split("\n").slice(half).join("\n"), "state/journal.log");
  const ran = await report("--journal", state, "--json");
  assert.equal(JSON.parse(ran.out), JSON.parse((await report("--journal", b1, "--json")).out));
  await refused(
    65,
    /journal\.log: no start line tells the host; say whose it is: --journal HOST=FILE/,
    "--journal",
    path.join(state, "journal.log"),
  );
  const named = await report(
    "--journal",
    `b1=${path.join(state, "journal.log")}`,
    "--journal",
    `b1=${path.join(state, "journal.log.1")}`,
  );
  assert.is(named.code, 0);
  assert.match(named.out, /^REPORT {2}b1 of site b: 2026-/);
});

test("the configured host's own journal, with the agent dead", async () => {
  const own = path.join(folder, "own");
  mkdirSync(path.join(own, "run"), { recursive: true });
  const config = readFileSync("fixtures/config/good.toml", "utf8")
    .replace(/^state_folder.*$/m, "")
    .replace(/^/, `state_folder = "${own}/state"\n`);
  const toml = file(config, "own/mirrorbeat.toml");
  const host = /^name = "([^"]+)"\s*\nslot/m.exec(config)?.[1] ?? "";
  await refused(
    66,
    /own\/state: no journal; has an agent run here\? else name one by --journal FILE/,
    "--config",
    toml,
    "--host",
    host,
  );
  // Rotated away: the start line is gone, the configuration knows the host.
  file(lines.split("\n").slice(20).join("\n"), "own/state/journal.log");
  const ran = await report("--config", toml, "--host", host);
  assert.is(ran.code, 0, ran.err);
  assert.match(ran.out, new RegExp(`^REPORT {2}${host} of site `));
});

test("torn, foreign and unknown lines are passed over, and counted", async () => {
  const text = `${lines}<4>level=warning ev=path\n2026-11-22T20:26:49.000Z level=notice ev=novelty x=1\n2026-11-22T20:26:49.100Z level=notice ev=role role=act`;
  const ran = await report("--journal", file(text));
  assert.is(ran.code, 0);
  assert.match(ran.out, /NOTE {2}3 lines passed over/);
  assert.not.match(ran.out, /role act\b/);
});

test("a journal that was collected twice counts once", async () => {
  const copy = path.join(folder, "copy.log");
  copyFileSync(b1, copy);
  const ran = await report("--journal", `b1=${b1}`, "--journal", `b1=${copy}`);
  assert.match(ran.out, /68 lines stood in two files and count once/);
});

test("a clock that went back is told of", async () => {
  const start =
    "2026-11-22T10:00:00.000Z level=notice ev=start host=o1 site=osaka role=standby term=1\n";
  const back =
    "2026-11-22T09:00:00.000Z level=notice ev=role role=active was=standby term=1 reason=x\n";
  const ran = await report("--journal", file(start + back));
  assert.match(
    ran.out.replaceAll(/\s+/g, " "),
    /the clock of o1 went back by 1:00:00 to 2026-11-22T09:00/,
  );
});

test("a part of it", async () => {
  const since = await report("--journal", b1, "--since", "2s", "--json");
  const { fromMs, toMs } = JSON.parse(since.out);
  assert.is(toMs - fromMs, 2000);
  const until = await report("--journal", b1, "--until", "1s", "--json");
  const part = JSON.parse(until.out);
  assert.is(part.toMs - part.fromMs, 1000);
});

test("edges: moments in UTC, durations, and nothing else", () => {
  const at = (text: string) => {
    const edge = edgeOf(text);
    return edge?.kind === "at" ? new Date(edge.atMs).toISOString() : edge;
  };
  assert.is(at("2026-11-22"), "2026-11-22T00:00:00.000Z");
  assert.is(at("2026-11-22T07:31"), "2026-11-22T07:31:00.000Z");
  assert.is(at("2026-11-22 07:31:04.5Z"), "2026-11-22T07:31:04.500Z");
  assert.equal(edgeOf("15m"), { kind: "for", ms: 900_000 });
  assert.equal(edgeOf("250ms"), { kind: "for", ms: 250 });
  for (const bad of ["", "yesterday", "07:31", "2026-13-45", "15", "m", "-5m", "2026-11-22T7"])
    assert.is(edgeOf(bad), null, bad);
});

test("windows: both kinds together", () => {
  const day = Date.parse("2026-11-22T00:00Z");
  const last = day + 10_000;
  assert.equal(windowOf(undefined, undefined, day, last), { ok: true, fromMs: day, toMs: last });
  assert.equal(windowOf("4s", "2s", day, last), { ok: true, fromMs: day + 6000, toMs: day + 8000 });
  assert.equal(windowOf("2s", "2026-11-22T00:00:05", day, last), {
    ok: true,
    fromMs: day + 3000,
    toMs: day + 5000,
  });
  assert.equal(windowOf("2h", undefined, day, last), { ok: true, fromMs: day, toMs: last });
});

test("bad input: the thing, what is wrong, and what to do", async () => {
  await refused(
    64,
    /--format pdf: must be one of text, svg, html/,
    "--journal",
    b1,
    "--format",
    "pdf",
  );
  await refused(64, /--json is a format of its own/, "--journal", b1, "--json", "--format", "svg");
  await refused(
    64,
    /--since yesterday: must be a time in UTC/,
    "--journal",
    b1,
    "--since",
    "yesterday",
  );
  await refused(64, /--until 12: must be/, "--journal", b1, "--until", "12");
  await refused(
    64,
    /--since 2031-01-01: nothing is left to show; the journals tell of 2026/,
    "--journal",
    b1,
    "--since",
    "2031-01-01",
  );
  await refused(64, /unexpected 'x\.log'; a journal is given as --journal FILE/, "x.log");
  await refused(64, /--journal needs no --config/, "--journal", b1, "--host", "b1");
  await refused(64, /--output is empty/, "--journal", b1, "--output", "");
  await refused(
    66,
    /--journal nowhere\.log: not found \(ENOENT\); name a journal/,
    "--journal",
    "nowhere.log",
  );
  await refused(66, /not a plain file/, "--journal", "/dev/null");
  await refused(66, /no journal\.log in this folder/, "--journal", "fixtures/report");
  await refused(65, /no event line in it; is it a journal/, "--journal", file(""));
  await refused(65, /no event line in it/, "--journal", file("hello\nworld\n"));
  await refused(65, /field host of its start is 'b1', not 'a1'/, "--journal", `a1=${b1}`);
  await refused(66, /mirrorbeat\.toml/, "--config", "/nowhere/mirrorbeat.toml");
});

test("it writes over no journal and no device, and says why it cannot write", async () => {
  const own = file(lines);
  await refused(
    73,
    /that is one of the journals; name another file/,
    "--journal",
    own,
    "--output",
    path.join(folder, ".", path.basename(own)),
  );
  assert.is(readFileSync(own, "utf8"), lines);
  await refused(73, /not a plain file/, "--journal", own, "--output", folder);
  await refused(
    73,
    /no folder .*; create it/,
    "--journal",
    own,
    "--output",
    path.join(folder, "none", "x.svg"),
  );
});

test("help", async () => {
  const ran = await report("--help");
  assert.is(ran.code, 0);
  assert.ok(isConsoleText(ran.out));
});

test.run();
