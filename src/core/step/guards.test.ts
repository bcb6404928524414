/**
 * Guards that each close one way to two active sites, or to two serving hosts of one site. Each
 * test is a story that led there before its guard was made. Virtual time, the real codec.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { configFor, type SitesWish } from "../../testing/core-config.ts";
import { recordOf } from "../../testing/core-watch.ts";
import { World } from "../../testing/core-world.ts";
import { detectionBoundMs, timingDefaults } from "../base/timing.ts";
import { step } from "../step.ts";
import { allOn, begin } from "./begin.ts";
import { durableOf } from "./term.ts";
import type { State } from "./state.ts";

const boundMs = detectionBoundMs(timingDefaults, 0);
const one: SitesWish = { tokyo: ["tokyo-1"], osaka: ["osaka-1"], takeoverHook: true };
const two: SitesWish = { takeoverHook: true };

function well(wish: SitesWish): World {
  const world = new World(wish);
  world.run(8000);
  for (const agent of world.agents.values()) agent.forget();
  return world;
}

function tokyoDead(wish: SitesWish): World {
  const world = well(wish);
  world.kill(...world.site("tokyo").map(({ name }) => name));
  world.run(boundMs);
  return world;
}

const said = (world: World, host: string) => world.agent(host).answers.at(-1)?.message ?? "";
const hooks = (world: World, host: string, hook: string) =>
  world.agent(host).hooks.filter((name) => name === hook).length;

test("one peer that has not heard is not enough to make production active again", () => {
  const world = well({ ...two, tokyo: ["tokyo-1"] });
  world.kill("tokyo-1", "osaka-1");
  world.run(boundMs);
  world.start("tokyo-1");
  world.run(10_000);
  // osaka-2 beats and knows no higher term; what osaka-1 did meanwhile it may not know.
  assert.is(world.agent("tokyo-1").row("osaka-2"), "1");
  assert.is(world.agent("tokyo-1").state.role, "starting");
});

test("a host that is switched off here still stands in the way of a takeover", () => {
  const world = well(one);
  world.switch("osaka-1", { kind: "host", name: "tokyo-1" }, false);
  world.run(boundMs);
  assert.is(world.takeover("osaka-1"), 107);
  assert.match(said(world, "osaka-1"), "switched off here");
  assert.equal(world.activeSites(), ["tokyo"]);
});

test("with no mirror of ours the siblings would not learn the term: refused", () => {
  const world = tokyoDead(two);
  for (const name of ["osaka-1", "osaka-2"])
    world.switch(name, { kind: "mirror", name: "west" }, false);
  assert.is(world.takeover("osaka-1"), 107);
  assert.match(said(world, "osaka-1"), "would not learn");
  assert.is(world.takeover("osaka-1", { force: true }), 0);
});

test("a second takeover at the same site, while the first runs or serves, is refused: 75", () => {
  const world = tokyoDead(two);
  world.agent("osaka-1").hookMs = 20_000;
  world.input("osaka-1", { kind: "takeover", id: 7001, force: false } as never);
  world.run(5000);
  assert.is(world.agent("osaka-1").state.takeover?.phase, "hook");
  assert.is(world.takeover("osaka-2"), 75);
  assert.match(said(world, "osaka-2"), "osaka-1 of this site");
  world.run(30_000);
  assert.is(world.takeover("osaka-2"), 75);
  assert.is(hooks(world, "osaka-2", "takeover"), 0, "the service runs on one host");
});

test("when the host that serves falls silent its site is not called active, and may take over again", () => {
  const world = tokyoDead(two);
  assert.is(world.takeover("osaka-1"), 0);
  world.run(4000);
  assert.is(world.agent("osaka-2").state.role, "active");
  world.kill("osaka-1");
  world.run(10_000);
  assert.is(world.agent("osaka-2").state.role, "standby");
  assert.is(hooks(world, "osaka-2", "superseded"), 0, "nothing served here");
  assert.is(world.takeover("osaka-2"), 0);
  assert.is(hooks(world, "osaka-2", "takeover"), 1);
});

test("production that restarted in isolation, its service still running, is told that it is superseded", () => {
  const world = well(one);
  world.kill("tokyo-1");
  world.run(boundMs);
  assert.is(world.takeover("osaka-1"), 0);
  world.run(2000);
  // It comes back and finds the other's term only by a later record, not at its start.
  world.start("tokyo-1");
  world.run(6000);
  assert.is(world.agent("tokyo-1").state.role, "standby");
  assert.is(hooks(world, "tokyo-1", "superseded"), 1);
});

test("a site that finds at its start that its own term was taken runs its superseded hook", () => {
  const config = configFor("tokyo-1", one);
  const state = begin({
    config,
    timingDigest: 0,
    incarnation: 2n,
    bootId: "b0070000-0000-4000-8000-000000000001",
    term: 514n,
    halfDone: false,
    wasOwner: true,
    nowMs: 0,
    marks: {},
    switches: allOn,
  });
  const read = { kind: "good", beganMs: 10, endedMs: 10 } as const;
  const result = step(state, { kind: "network-read", nowMs: 10, read, records: [] });
  assert.is(result.state.role, "fenced", "until its service is known to be stopped");
  assert.equal(
    result.actions.map((action) => (action.kind === "run-hook" ? action.hook : action.kind)),
    ["superseded"],
  );
});

test("a takeover that stopped half-way may be run again while the other site stands by in our term", () => {
  const world = tokyoDead(one);
  world.agent("osaka-1").hookOk = false;
  assert.is(world.takeover("osaka-1"), 112);
  world.start("tokyo-1");
  world.run(10_000);
  assert.is(world.agent("tokyo-1").state.role, "standby");
  world.agent("osaka-1").hookOk = true;
  assert.is(world.takeover("osaka-1"), 0);
  assert.equal(world.activeSites(), ["osaka"]);
});

function fresh(host: string, term: bigint): State {
  return begin({
    config: configFor(host, two),
    timingDigest: 0,
    incarnation: 1n,
    bootId: "b0070000-0000-4000-8000-000000000001",
    term,
    halfDone: false,
    nowMs: 0,
    marks: {},
    switches: allOn,
  });
}

test("a term learnt while another is being stored is not lowered by it", () => {
  let state = fresh("osaka-2", 257n);
  state = step(state, { kind: "takeover", nowMs: 1, id: 1, force: true }).state;
  assert.is(state.term, 257n, "not raised before it is stored");
  const record = recordOf(5n, { site: 2, slot: 0, hostName: "osaka-1", term: 770n, role: 2 });
  state = step(state, { kind: "sibling", nowMs: 2, record }).state;
  assert.is(state.term, 770n);
  assert.is(state.takeover, null, "overtaken by its own site");
  const durable = { ...durableOf(state), term: 514n };
  state = step(state, { kind: "term-stored", nowMs: 3, durable, ok: true }).state;
  assert.is(state.term, 770n);
});

test("our own slot's old record teaches its term, and is nobody's beat", () => {
  const record = recordOf(9n, { site: 2, slot: 1, hostName: "osaka-2", term: 514n, role: 1 });
  const { state } = step(fresh("osaka-2", 257n), { kind: "sibling", nowMs: 1, record });
  assert.is(state.term, 514n);
  assert.equal(state.siblings, {});
  assert.is.not(state.role, "active");
});

test("a dead host is still called silent after its path was switched off and on", () => {
  const world = tokyoDead(one);
  for (const on of [false, true]) world.switch("osaka-1", { kind: "mirror", name: "east" }, on);
  world.run(30_000);
  assert.is(world.agent("osaka-1").peer("tokyo-1").sightings["east"]?.status, "stale");
  assert.is(world.agent("osaka-1").row("tokyo-1"), "9");
});

test("a host whose memory was lost goes on above what its peers remember of it", () => {
  const world = well(one);
  world.kill("osaka-1");
  world.run(2000);
  world.start("osaka-1", { blank: true });
  world.run(20_000);
  assert.is(world.agent("tokyo-1").row("osaka-1"), "1");
});

test.run();
