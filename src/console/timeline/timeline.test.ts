/** The timeline's lanes, from the events that hosts tell: every kind of lane, and what is not sure. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { eventKinds } from "../../core/base/event.ts";
import { changesOf, shownLanes } from "./changes.ts";
import { markLetters } from "./looks.ts";
import type { Lane, LaneKind, Timeline, Told } from "./model.ts";
import { summaryOf } from "./summary.ts";
import { timelineOf } from "./timeline.ts";

const told = (atMs: number, fields: Record<string, string>, host = "o1", site = "osaka"): Told => ({
  host,
  site,
  atMs,
  fields: { level: "notice", ...fields },
});
const start = (atMs: number, role = "standby", host = "o1", site = "osaka"): Told =>
  told(atMs, { ev: "start", host, site, role, term: "257" }, host, site);
const path = (atMs: number, state: string, name = "t-o"): Told =>
  told(atMs, { ev: "path", host: "t1", path: name, state, was: "x" });
const group = (atMs: number, row: string, action: string): Told =>
  told(atMs, { ev: "group", site: "tokyo", row, action, verdict: "words", was: "1" });
const role = (atMs: number, now: string, term = "257", host = "o1", site = "osaka"): Told =>
  told(atMs, { ev: "role", role: now, was: "x", term, reason: "why" }, host, site);
const step = (atMs: number, name: string, level = "warning"): Told =>
  told(atMs, { ev: "takeover", step: name, term: "514", level });

const stop = (atMs: number): Told => told(atMs, { ev: "stop", host: "o1" });

function lane(timeline: Timeline, kind: LaneKind, host = "o1"): Lane {
  const found = timeline.lanes.find((each) => each.kind === kind && each.host === host);
  assert.ok(found, `no lane ${kind} of ${host}`);
  return found as Lane;
}
const states = ({ spans }: Lane) =>
  spans.map(({ state, fromMs, toMs, sure }) => `${state} ${fromMs}-${toMs}${sure ? "" : "?"}`);

test("a state lasts until the next one; the same one told again changes nothing", () => {
  const timeline = timelineOf({
    told: [
      start(0),
      path(10, "ok"),
      path(20, "stale"),
      path(25, "stale"),
      path(40, "ok"),
      path(50, "ok"),
    ],
  });
  assert.equal(states(lane(timeline, "path")), ["ok 10-20", "stale 20-40", "ok 40-50"]);
  assert.is(lane(timeline, "path").label, "t-o from t1");
});

test("every kind of lane", () => {
  const { lanes } = timelineOf({
    told: [
      start(0),
      path(1, "io-error"),
      told(2, { ev: "one-way", host: "t1", path: "network", direction: "to", state: "lost" }),
      told(3, { ev: "health", path: "t-o", fit: "false", illness: "5" }),
      told(4, { ev: "pair", mirror: "t-o", state: "suspended", was: "paired", cause: "link down" }),
      told(5, {
        ev: "verdict",
        host: "t1",
        site: "tokyo",
        row: "3b",
        action: "notify",
        verdict: "v",
      }),
      told(5, { ev: "verdict", host: "t2", site: "tokyo", row: "1", action: "none", verdict: "v" }),
      group(6, "9", "hold"),
      told(7, { ev: "rejected", path: "network", reason: "bad MAC", count: "3" }),
    ],
    faults: [{ fromMs: 1, toMs: null, text: "cut", target: "link" }],
    services: [{ host: "o1", fromMs: 2, toMs: null }],
    beats: [{ path: "o-t", from: "o1", to: "t1", atMs: [3, 1, 2] }],
  });
  assert.equal(
    lanes.map(({ group: under, kind, label }) => `${under} ${kind}: ${label}`),
    [
      "faults fault: link",
      // No line told the site of t1.
      "t1 path: o-t from o1",
      "o1 path: t-o from t1",
      "o1 one-way: one-way network to t1",
      "o1 health: own polling t-o",
      "o1 pair: pair t-o",
      "o1 verdict: verdict t1",
      "o1 verdict: verdict t2",
      "o1 group: verdict site tokyo",
      "o1 role: role",
      "o1 service: service",
      "o1 events: events",
    ],
  );
  assert.equal(lanes[1]?.beatsMs, [1, 2, 3]);
});

test("a verdict shows its row and what is done about it", () => {
  const timeline = timelineOf({
    told: [start(0), group(5, "3c", "notify"), group(9, "9", "eligible")],
  });
  const looks = lane(timeline, "group").spans.map(({ letter, fill, tone }) => [letter, fill, tone]);
  assert.equal(looks, [
    ["3c", "~", "notice"],
    ["9", "#", "change"],
  ]);
});

test("a site of one host has one lane of verdicts; a verdict of its own keeps two", () => {
  const one = told(5, { ev: "verdict", host: "t1", site: "tokyo", row: "9", action: "hold" });
  const same = timelineOf({ told: [start(0), one, group(5, "9", "hold")] });
  assert.equal(
    same.lanes
      .filter(({ kind }) => kind === "verdict" || kind === "group")
      .map((each) => each.label),
    ["verdict t1, site tokyo"],
  );
  const other = timelineOf({ told: [start(0), one, group(5, "10", "hold")] });
  assert.is(other.lanes.filter(({ kind }) => kind === "verdict").length, 1);
});

test("a host that dies tells no end: from its last line to its next start nothing is sure", () => {
  const timeline = timelineOf({
    told: [start(0), path(10, "ok"), role(20, "active"), start(90), path(95, "ok")],
  });
  assert.equal(states(lane(timeline, "path")), ["ok 10-20", "ok 20-90?", "ok 95-95"]);
  assert.equal(states(lane(timeline, "role")), [
    "standby 0-20",
    "active 20-20",
    "active 20-90?",
    "standby 90-95",
  ]);
  assert.match(lane(timeline, "role").marks.at(-1)?.words ?? "", /told no stop/);
});

test("an orderly stop ends every state, and nothing is unsure then", () => {
  const timeline = timelineOf({
    told: [start(0), path(10, "ok"), stop(30), start(60), role(70, "active")],
  });
  assert.equal(states(lane(timeline, "path")), ["ok 10-30"]);
  assert.equal(states(lane(timeline, "role")), [
    "standby 0-30",
    "no agent 30-60",
    "standby 60-70",
    "active 70-70",
  ]);
});

test("after a journal's last line only another sign of life makes a state sure", () => {
  const events = [
    start(0),
    path(10, "ok"),
    start(0, "active", "t1", "tokyo"),
    role(100, "active", "9", "t1", "tokyo"),
  ];
  const journals = timelineOf({ told: events });
  assert.equal(states(lane(journals, "path")), ["ok 10-10", "ok 10-100?"]);
  const beats = [{ path: "t-o", from: "t1", to: "o1", atMs: [20, 60, 40] }];
  assert.equal(states(lane(timelineOf({ told: events, beats }), "path")), [
    "ok 10-60",
    "ok 60-100?",
  ]);
  const agents = [{ host: "o1", fromMs: 0, toMs: 80 }];
  assert.equal(states(lane(timelineOf({ told: events, agents }), "path")), [
    "ok 10-80",
    "ok 80-100?",
  ]);
  const all = [{ host: "o1", fromMs: 0, toMs: null }];
  assert.equal(states(lane(timelineOf({ told: events, agents: all }), "path")), ["ok 10-100"]);
});

test("a part of it shows what began before, but does not call that a change", () => {
  const events = [start(0), path(10, "ok"), path(50, "stale"), path(90, "ok"), role(99, "active")];
  const timeline = timelineOf({ told: events, fromMs: 60, toMs: 95 });
  assert.equal(states(lane(timeline, "path")), ["stale 60-90", "ok 90-95"]);
  assert.equal(
    changesOf(timeline, 99).changes.map(({ atMs }) => atMs),
    [90],
  );
  assert.equal(lane(timeline, "role").marks, []);
});

test("what is switched off is off, and begins anew when it is switched on", () => {
  const timeline = timelineOf({
    told: [
      start(0), path(10, "ok"), path(10, "ok", "network"),
      told(20, { ev: "switch", kind: "network", name: "network", on: "false" }),
      told(30, { ev: "switch", kind: "network", name: "network", on: "true" }),
      path(40, "ok", "network"),
      told(50, { ev: "switch", kind: "host", name: "t1", on: "false" }),
    ], // biome-ignore format: one event a line
  });
  const [network, mirror] = timeline.lanes.filter(({ kind }) => kind === "path");
  assert.equal(states(network as Lane), [
    "ok 10-20",
    "off 20-30",
    "starting 30-40",
    "ok 40-50",
    "off 50-50",
  ]);
  assert.equal(states(mirror as Lane), ["ok 10-50", "off 50-50"]);
});

test("every kind of event is a state or a mark, and no two marks share a letter", () => {
  for (const ev of Object.keys(eventKinds)) {
    const { lanes } = timelineOf({
      told: [told(5, { ev, state: "ok", role: "active", row: "1" })],
    });
    assert.is(lanes.length > 0, true, ev);
  }
  const letters = Object.values(markLetters);
  assert.is(new Set(letters).size, letters.length);
});

test("faults of one target that overlap stand below one another, and are bounded", () => {
  const faults = [0, 1, 2, 3, 4, 5].map((n) => ({
    fromMs: n,
    toMs: 100 + n,
    text: `f${n}`,
    target: "lan",
  }));
  const { lanes } = timelineOf({ told: [start(0)], faults, toMs: 200 });
  const rows = lanes.filter(({ kind }) => kind === "fault");
  assert.is(rows.length, 4);
  for (const { spans } of rows) {
    spans.forEach((span, at) => assert.ok((spans[at - 1]?.toMs ?? 0) <= span.fromMs));
  }
});

test("no events at all", () => {
  const timeline = timelineOf({ told: [] });
  assert.equal([timeline.fromMs, timeline.toMs, timeline.lanes], [0, 0, []]);
  assert.is(summaryOf(timeline).lines[0], "ACTIVE  no host, as far as told");
});

test("the summary: who is active, how long a takeover took, and since when the verdict stood", () => {
  const timeline = timelineOf({
    told: [
      start(0, "active", "t1", "tokyo"), start(0), group(1000, "9", "hold"), group(1500, "9", "eligible"),
      step(3000, "begin"), step(3100, "done"), role(3100, "active", "514"),
    ], // biome-ignore format: the verdict on a line
  });
  const { lines, moments } = summaryOf(timeline);
  assert.equal(lines.slice(0, 4), [
    "ACTIVE  at the end: o1 of site osaka in term 514",
    "TAKEOVER  at o1: begun at +3.000, 2.000 s after the verdict, done at +3.100 in 100 ms",
    "TWO ACTIVE  never, by the hosts' own word",
    "GRAVE  site tokyo: row 9, hold: words (was row 1); first told by o1 at +1.000",
  ]);
  assert.equal(
    moments.map(({ atMs }) => atMs),
    [1000, 3000, 3100],
  );
});

test("the summary: a takeover that failed, one without an end, and none", () => {
  const linesOf = (...more: readonly Told[]): string =>
    summaryOf(timelineOf({ told: [start(0), ...more] })).lines.join("\n");
  assert.match(linesOf(), /^TAKEOVER {2}none$/m);
  assert.match(linesOf(step(5, "begin"), step(9, "hook failed")), /not done, at \+0\.009/);
  assert.match(linesOf(step(5, "no right", "notice")), /^TAKEOVER {2}none$/m);
  assert.match(linesOf(step(5, "begin")), /begun at \+0\.005, and no end told/);
});

test("the summary: a switch-over, at the end that gives and at the one that receives", () => {
  const given = (atMs: number, name: string): Told =>
    told(atMs, { ev: "switchover", step: name, to: "osaka" }, "t1", "tokyo");
  const both = [
    start(0),
    given(1000, "begin"),
    step(2000, "term received"),
    step(2500, "done"),
    given(2600, "done"),
  ];
  const { lines, moments } = summaryOf(timelineOf({ told: both }));
  assert.equal(lines.slice(1, 3), [
    "TAKEOVER  at o1: begun at +2.000, done at +2.500 in 500 ms",
    "SWITCH-OVER  at t1: begun at +1.000, done at +2.600 in 1.600 s",
  ]);
  assert.is(moments.length, 4);
  const aborted = summaryOf(timelineOf({ told: [start(0), given(1, "begin"), given(9, "ended")] }));
  assert.match(aborted.lines.join("\n"), /SWITCH-OVER {2}at t1: not done, at \+0\.009/);
});

test("the summary: two sites that call themselves active at one time", () => {
  const two = timelineOf({
    told: [
      start(0, "active", "t1", "tokyo"), start(0), role(2000, "active", "514"),
      role(5000, "fenced", "257", "t1", "tokyo"), role(9000, "standby"),
    ], // biome-ignore format: one moment a line
  });
  const text = summaryOf(two).lines.join("\n");
  assert.match(text, /TWO ACTIVE {2}t1 and o1 for 3\.000 s from \+2\.000/);
  const same = [
    start(0, "active", "t1", "tokyo"),
    start(0, "active", "t2", "tokyo"),
    role(9, "standby", "1", "t1", "tokyo"),
  ];
  assert.match(summaryOf(timelineOf({ told: same })).lines.join("\n"), /TWO ACTIVE {2}never/);
});

test("the summary: a silent host that may have been active beside another is named", () => {
  const t1 = [start(0, "active", "t1", "tokyo"), role(500, "active", "257", "t1", "tokyo")];
  const takeover = [start(0), role(3000, "active", "514")];
  const back = start(9000, "standby", "t1", "tokyo");
  const text = summaryOf(timelineOf({ told: [...t1, ...takeover, back] })).lines.join("\n");
  assert.match(
    text,
    /not told; but t1 was active and told nothing from \+0\.500 to \+9\.000, and o1 was active from \+3\.000/,
  );
  const services = [
    { host: "t1", fromMs: 0, toMs: 2000 },
    { host: "o1", fromMs: 1000, toMs: null },
  ];
  const told = summaryOf(timelineOf({ told: [...t1, ...takeover], services })).lines.join("\n");
  assert.match(told, /TWO ACTIVE {2}the service ran at t1 and o1 for 1\.000 s from \+1\.000/);
  const known = [
    { host: "t1", fromMs: 0, toMs: 900 },
    services[1] ?? { host: "", fromMs: 0, toMs: 0 },
  ];
  const one = summaryOf(timelineOf({ told: [...t1, ...takeover], services: known })).lines.join(
    "\n",
  );
  assert.match(one, /TWO ACTIVE {2}never: at no time/);
});

test("the summary: the last active is the one of the highest term, not a silent one before it", () => {
  const events = [
    start(0, "active", "t1", "tokyo"), start(0), role(3000, "active", "514"),
    stop(4000), start(9000, "standby", "t1", "tokyo"),
  ]; // biome-ignore format: one moment a line
  const [line] = summaryOf(timelineOf({ told: events })).lines;
  assert.is(line, "ACTIVE  last o1 of site osaka in term 514, until +4.000");
});

test("a list that is too long keeps what tells most, and says how much it left out", () => {
  const paths = Array.from({ length: 500 }, (_, n) => path(n, n % 2 ? "ok" : "stale"));
  const timeline = timelineOf({
    told: [start(0), ...paths, step(600, "begin"), role(601, "active")],
  });
  const { changes, leftOut } = changesOf(timeline, 10);
  assert.is(changes.length, 10);
  assert.is(leftOut, 503 - 10);
  assert.ok(changes.some(({ words }) => words.startsWith("takeover begin")));
  assert.ok(changes.some(({ words }) => words.startsWith("role active")));
  assert.equal(
    changes,
    [...changes].sort((a, b) => a.atMs - b.atMs),
  );
});

test("of thousands of lanes those stay on which most happened", () => {
  const calm = Array.from({ length: 900 }, (_, n) =>
    told(n, { ev: "path", host: `t${n}`, path: "lan", state: "ok" }),
  );
  const timeline = timelineOf({ told: [start(0), ...calm, path(950, "stale", "far")] });
  const { lanes, leftOut } = shownLanes(timeline);
  assert.is(lanes.length + leftOut, timeline.lanes.length);
  assert.ok(leftOut > 700);
  assert.ok(lanes.some(({ about }) => about === "far from t1"));
  assert.ok(lanes.some(({ kind }) => kind === "role"));
});

test.run();
