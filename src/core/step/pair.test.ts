/** Pair states as evidence: how old they may be, which answer counts, and what is told of them. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { World } from "../../testing/core-world.ts";
import { timingDefaults } from "../base/timing.ts";
import type { PairEvidence } from "../verdict.ts";
import { pairEvidence } from "./judge.ts";
import { seePair } from "./pair.ts";
import type { PairFacts, State } from "./state.ts";
import { statusObject } from "./status.ts";

const facts = (change: Partial<PairFacts> = {}): PairFacts => ({
  role: "secondary",
  native: "SVOL_PAIR",
  percent: 100,
  cause: "",
  ...change,
});

/** An answer to a question of then; and what is told of it. */
function answer(state: State, nowMs: number, is: PairEvidence, about: PairFacts | null = facts()) {
  const now = { ...state, nowMs: Math.max(state.nowMs, nowMs) };
  return seePair(now, { kind: "pair", nowMs, mirror: "east", state: is, facts: about });
}

function fresh(): State {
  const { state } = new World({}, true).agent("osaka-1");
  return { ...state, nowMs: 1000 };
}

test("an event tells the state, and the array's words for it", () => {
  const [event] = answer(fresh(), 1000, "paired").events;
  assert.equal(event, {
    level: "notice",
    ev: "pair",
    fields: {
      mirror: "east", state: "paired", was: "unknown",
      role: "secondary", native: "SVOL_PAIR", percent: 100, cause: "",
    },
  }); // biome-ignore format: one event
  const broken = facts({ native: "PSUE", percent: null, cause: "the link is down" });
  const next = answer(answer(fresh(), 1000, "paired").state, 2000, "suspended", broken).events[0];
  assert.equal(
    [next?.level, next?.fields["was"], next?.fields["native"], next?.fields["cause"]],
    ["warning", "paired", "PSUE", "the link is down"],
  );
  assert.not.ok("percent" in (next?.fields ?? {}));
});

test("the same answer again says nothing; another cause once, and a flapping one once a minute", () => {
  const because = (cause: string) => facts({ native: "PSUE", cause });
  let { state, events } = answer(fresh(), 1000, "suspended", because("a"));
  assert.is(events.length, 1);
  const told: number[] = [];
  for (let atMs = 2000; atMs <= 601_000; atMs += 1000) {
    const cause = (atMs / 1000) % 2 === 0 ? "a" : "b";
    ({ state, events } = answer(state, atMs, "suspended", because(cause)));
    if (events.length > 0) told.push(atMs);
  }
  assert.ok(told.length >= 5 && told.length <= 10, `${told.length} in ten minutes`);
  for (const [index, atMs] of told.entries())
    assert.ok(atMs - (told[index - 1] ?? 1000) >= 60_000, `at ${atMs}`);
  // A cause that stays is told in the end, though it began within the minute.
  ({ state, events } = answer(state, 602_000, "copying", because("a")));
  assert.is(events.length, 1, "another state is always told");
  ({ state, events } = answer(state, 603_000, "copying", because("c")));
  assert.is(events.length, 0);
  ({ state, events } = answer(state, 662_000, "copying", because("c")));
  assert.equal(events[0]?.fields["cause"], "c");
  assert.equal(state.pairs["east"]?.facts?.cause, "c");
});

test("an older answer never replaces a younger one, unless that one knew nothing", () => {
  const { state } = answer(fresh(), 5000, "suspended");
  const late = answer(state, 4000, "paired");
  assert.equal([late.events, late.state.pairs], [[], state.pairs]);
  assert.is(answer(state, 4000, "unknown").state.pairs["east"]?.state, "suspended");
  assert.is(answer(state, 5000, "paired").state.pairs["east"]?.state, "paired", "just as young");
  const unknown = answer(fresh(), 5000, "unknown", null).state;
  const after = answer(unknown, 4000, "paired").state.pairs["east"];
  assert.equal([after?.state, after?.observedMs], ["paired", 4000]);
});

test("knowledge that is too old is none, to the millisecond, and the status says so", () => {
  const { pairAgeLimitMs } = timingDefaults;
  const { state } = answer(fresh(), 5000, "paired");
  const at = (nowMs: number) => ({ ...state, nowMs });
  assert.is(pairEvidence(at(5000 + pairAgeLimitMs), "east"), "paired");
  assert.is(pairEvidence(at(5001 + pairAgeLimitMs), "east"), "unknown");
  assert.is(pairEvidence(at(9000), "west"), "unknown", "never asked");
  const extras = {
    version: "0", pid: 1, engine: "test", wallNs: 0n, journalFault: null, devices: {}, droppedDatagrams: 0,
  }; // biome-ignore format: one list
  const pairAt = (nowMs: number) =>
    statusObject(at(nowMs), extras).paths.find(({ path }) => path === "east")?.pair;
  assert.equal(pairAt(9000), {
    state: "paired", ageMs: 4000, provider: "none", answer: "paired", old: false,
    role: "secondary", percent: 100, native: "SVOL_PAIR", cause: "",
  }); // biome-ignore format: one list
  const old = pairAt(30_000);
  assert.equal([old?.state, old?.answer, old?.old], ["unknown", "paired", true]);
});

test("a verdict that rests on the pair counts an old answer as unknown", () => {
  const world = new World({ tokyo: ["tokyo-1"], osaka: ["osaka-1"] });
  const osaka = world.agent("osaka-1");
  world.run(10_000);
  world.volume("east").pair = "suspended";
  world.link("east", false);
  world.run(10_000);
  assert.is(osaka.row("tokyo-1"), "3");
  world.volume("east").pairAnswers = false;
  world.run(timingDefaults.pairAgeLimitMs + 2000);
  assert.is(osaka.row("tokyo-1"), "3c", "the pair's state is not known any more");
  world.volume("east").pairAnswers = true;
  world.run(10_000);
  assert.is(osaka.row("tokyo-1"), "3");
});

test.run();
