/** What real daemons said of each state, as it is and damaged in 40,000 ways. */
import { readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { parseLine } from "../../host/json-lines.ts";
import type { PairView } from "../provider.ts";
import { factsOf, questions } from "./facts.ts";
import { nameFault, namesOf } from "./names.ts";
import type { QmpReply } from "./qmp.ts";
import { refuted, viewOf } from "./view.ts";

type Sample = readonly [unknown, unknown, unknown, unknown];
type Entry = Readonly<Record<string, unknown>>;

const names = namesOf({ job: "pair" });
const samples = JSON.parse(
  readFileSync("fixtures/remotecopy/qemu72/states.json", "utf8"),
) as Readonly<Record<string, Sample>>;
function sampleOf(name: string): Sample {
  const sample = samples[name];
  if (!sample) throw new Error(`no sample ${name}`);
  return sample;
}

const ok = (value: unknown): QmpReply => ({ ok: true, value });
function parsed(sample: readonly unknown[]): PairView {
  const read = factsOf("here", sample.map(ok), names);
  if (!read.ok) throw new Error(read.message);
  return viewOf(read.facts, names);
}

const states: Readonly<Record<string, string>> = {
  "simplex, writer": "simplex none",
  "simplex, reader": "simplex none",
  "paired, writer": "paired primary",
  "paired, reader": "paired secondary",
  "split, writer": "suspended-by-operator primary",
  "split, reader": "suspended-by-operator secondary",
  "link cut, writer": "suspended-by-error primary",
  "link cut, reader": "suspended-by-error secondary",
  "takeover, writer": "suspended-by-error primary",
  "takeover, reader": "takeover secondary",
};

test("each state as real daemons show it", () => {
  for (const [name, wanted] of Object.entries(states)) {
    const { state, role, writable } = parsed(sampleOf(name));
    assert.is(`${state} ${role}`, wanted, name);
    const isClosed = role === "secondary" && state !== "takeover";
    assert.is(writable, !isClosed, `${name}: writable`);
  }
});

/** The same with one entry of one reply changed. */
function changed(name: string, question: number, key: string, id: string, more: Entry): Sample {
  const sample = sampleOf(name).map((reply, index) =>
    index !== question
      ? reply
      : (reply as Entry[]).map((entry) => (entry[key] === id ? { ...entry, ...more } : entry)),
  );
  return sample as unknown as Sample;
}
const writerJob = (more: Entry): Sample => changed("paired, writer", 3, "device", "pair", more);
const linkJob = (more: Entry): Sample => changed("paired, reader", 3, "device", "pair-link", more);

function without(name: string, question: number, key: string, id: string): Sample {
  const sample = sampleOf(name).map((reply, index) =>
    index === question ? (reply as Entry[]).filter((entry) => entry[key] !== id) : reply,
  );
  return sample as unknown as Sample;
}

test("a job in another state is not paired", () => {
  const running = { status: "running", ready: false, len: 200, offset: 50 };
  const copying = parsed(writerJob(running));
  assert.is(copying.state, "copying");
  assert.is(copying.percent, 25);
  assert.is(parsed(writerJob({ "io-status": "failed" })).state, "suspended-by-error");
  assert.is(parsed(writerJob({ paused: true })).state, "unknown");
  assert.is(parsed(writerJob({ type: "commit" })).state, "unknown");
  assert.is(parsed(writerJob({ status: "pending", ready: false })).state, "unknown");
  assert.is(parsed(writerJob({ status: "standby" })).state, "paired");
  assert.is(parsed(without("paired, writer", 2, "node-name", "pair-target")).state, "unknown");
  assert.is(parsed(linkJob({ "io-status": "failed" })).state, "suspended-by-error");
  assert.is(parsed(linkJob({ type: "stream" })).state, "unknown");
  assert.is(parsed(linkJob({ paused: true })).state, "unknown");
});

test("a secondary without one of its parts is not paired", () => {
  const state = (question: number, key: string, id: string): string =>
    parsed(without("paired, reader", question, key, id)).state;
  assert.is(state(0, "name", "pair.equal"), "copying");
  assert.is(state(1, "id", "replica"), "suspended-by-error");
  assert.is(state(2, "node-name", "pair-guard"), "unknown");
  assert.is(state(3, "device", "pair-link"), "unknown");
  assert.is(state(0, "name", "pair.secondary"), "simplex");
});

test("contradictions and unknown words are not understood", () => {
  for (const more of [
    { status: "ready", ready: false },
    { status: "running" },
    { status: "splendid" },
    { "io-status": "well" },
    { paused: "no" },
    { offset: -1 },
    { offset: 4194305 },
    { error: "Input/output error" },
    { error: 5 },
    { device: undefined },
  ]) {
    const read = factsOf("here", writerJob(more).map(ok), names);
    assert.ok(!read.ok && read.class === "unparseable", JSON.stringify(more));
  }
  const twice = sampleOf("paired, writer").map((reply, index) =>
    index === 3 ? [...(reply as Entry[]), ...(reply as Entry[])] : reply,
  );
  const read = factsOf("here", twice.map(ok), names);
  assert.ok(!read.ok && read.class === "unparseable", "two jobs of one name");
});

test("a refusal, a missing answer, a node that is not there", () => {
  const replies = sampleOf("paired, writer").map(ok);
  const refused = factsOf("here", [{ ok: false, message: "no" }], names);
  assert.ok(!refused.ok && refused.class === "array-rejected");
  const short = factsOf("here", replies.slice(0, 3), names);
  assert.ok(!short.ok && short.class === "unparseable");
  const other = factsOf("here", replies, namesOf({ node: "other" }));
  assert.ok(!other.ok && other.class === "config");
});

test("the other end's word refutes a pair that is none", () => {
  const primary = parsed(sampleOf("paired, writer"));
  const secondary = parsed(sampleOf("paired, reader"));
  assert.is(refuted(primary, secondary).state, "paired");
  for (const name of ["takeover, reader", "split, reader", "link cut, reader", "simplex, reader"]) {
    assert.is(refuted(primary, parsed(sampleOf(name))).state, "suspended-by-error", name);
  }
  assert.is(refuted(secondary, parsed(sampleOf("link cut, writer"))).state, "suspended-by-error");
  assert.is(refuted(primary, primary).state, "unknown");
});

test("names that the daemon would refuse", () => {
  assert.is(nameFault(names), null);
  assert.ok(nameFault(namesOf({ job: "a".repeat(26) })), "too long with what is put behind it");
  assert.ok(nameFault(namesOf({ job: 'x" ' })));
});

/** Repeatable noise. */
function noise(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const scalar = /(?<=[:,[{])("[^"\\]*"|-?\d+|true|false)(?=[,}\]])/g;
const cell = /"[^"\\]*":("[^"\\]*"|-?\d+|true|false),?/g;
const junk = ["\0", "}", '"', "null", ',"ready":true', ',{"device":"pair"}', "\n", "é", "[]"];

function damage(text: string, below: (n: number) => number): string {
  const at = below(text.length);
  const to = at + 1 + below(60);
  const spots = (pattern: RegExp): RegExpExecArray[] => [...text.matchAll(pattern)];
  switch (below(7)) {
    case 0:
      return text.slice(0, at);
    case 1:
      return text.slice(0, at) + String.fromCharCode(32 + below(95)) + text.slice(at + 1);
    case 2:
      return text.slice(0, at) + text.slice(to);
    case 3:
      return text.slice(0, to) + text.slice(at);
    case 4: {
      const found = spots(cell);
      const one = found[below(found.length)];
      return one ? text.slice(0, one.index) + text.slice(one.index + one[0].length) : text;
    }
    case 5: {
      const found = spots(scalar);
      const pair = [found[below(found.length)], found[below(found.length)]];
      const [a, b] = pair.sort((x, y) => (x?.index ?? 0) - (y?.index ?? 0));
      if (!a || !b || a.index === b.index) return text;
      const middle = text.slice(a.index + a[0].length, b.index);
      return text.slice(0, a.index) + b[0] + middle + a[0] + text.slice(b.index + b[0].length);
    }
    default:
      return text.slice(0, at) + (junk[below(junk.length)] ?? "") + text.slice(at);
  }
}

const replyText = (value: unknown): string => JSON.stringify({ return: value, id: 1 });

/** As the client takes it: whole JSON objects with an answer, or nothing. */
function taken(text: string): unknown {
  const line = parseLine(Buffer.from(text));
  return line.ok ? line.value["return"] : undefined;
}

/** Told by other means than the parser's: whether what makes it paired still stands there. */
function stillPaired(sample: readonly unknown[], end: string): boolean {
  const has = (question: number, key: string, id: string, more: Entry = {}): boolean =>
    (sample[question] as Entry[]).some((entry) => {
      return (
        entry[key] === id && Object.entries(more).every(([name, value]) => entry[name] === value)
      );
    });
  const well = { "io-status": "ok", paused: false };
  if (end === "writer") {
    return (
      has(3, "device", "pair", { ...well, type: "mirror", status: "ready", ready: true }) &&
      has(2, "node-name", "pair-target") &&
      has(2, "node-name", "pair-filter")
    );
  }
  return (
    has(3, "device", "pair-link", { ...well, type: "backup", status: "running", ready: false }) &&
    has(0, "name", "pair.secondary") &&
    has(0, "name", "pair.equal") &&
    has(1, "id", "replica", { "shutting-down": false }) &&
    has(2, "node-name", "pair-guard")
  );
}

for (const [question, { execute }] of questions.entries()) {
  test(`10,000 damaged answers to ${execute}: never paired that is not`, () => {
    const below = noise(7 + question);
    const all = Object.entries(samples).map(([name, sample]) => {
      return { name, sample, whole: replyText(sample[question]) };
    });
    let understood = 0;
    for (let round = 0; round < 10_000; round++) {
      const { name, sample, whole } = all[round % all.length] as (typeof all)[number];
      let text = whole;
      for (let times = 1 + below(2); times > 0; times--) text = damage(text, below);
      const given = sample.map((value, index) => (index === question ? taken(text) : value));
      const read = factsOf("here", given.map(ok), names);
      if (!read.ok) {
        assert.ok(["unparseable", "config"].includes(read.class), read.message);
        continue;
      }
      understood++;
      if (viewOf(read.facts, names).state !== "paired") continue;
      const end = name.split(", ")[1] ?? "";
      assert.ok(name.startsWith("paired") && stillPaired(given, end), `${name}: ${text}`);
    }
    assert.ok(understood > 100, `only ${understood} of them were still readable`);
  });
}

test.run();
