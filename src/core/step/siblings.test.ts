/** Several hosts of one site without leases: a switch-over moves them all, a takeover stops none. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { World } from "../../testing/core-world.ts";
import { cutAll } from "../../testing/lease-world.ts";
import { recordFlags, states } from "../sector/layout.ts";
import type { Action } from "./state.ts";

function well(): World {
  const world = new World({ takeoverHook: true });
  world.run(8000);
  assert.equal(world.activeSites(), ["tokyo"]);
  return world;
}

const count = (world: World, name: string, hook: string): number =>
  world.agent(name).hooks.filter((each) => each === hook).length;

const bodies = (world: World, name: string) =>
  world
    .agent(name)
    .outputs.flatMap(({ actions }) => actions)
    .filter((action: Action) => action.kind === "publish")
    .map(({ body }) => body);

test("a switch-over stops every host of the giver, and one host of the receiver starts", () => {
  const world = well();
  const ask = { kind: "switchover", id: 9001, to: "osaka", repair: false };
  world.input("tokyo-1", ask as never);
  world.run(30_000);
  const [answer] = world.agent("tokyo-1").answers;
  assert.is(answer?.code, 0, answer?.message);
  assert.equal(world.activeSites(), ["osaka"]);
  for (const name of ["tokyo-1", "tokyo-2"]) {
    assert.is(count(world, name, "superseded"), 1, name);
    assert.is(world.agent(name).state.role, "standby", name);
  }
  assert.is(count(world, "osaka-1", "takeover") + count(world, "osaka-2", "takeover"), 1);
});

test("a giver tells the site from the beginning, and the term only once it is given", () => {
  const world = well();
  const ask = { kind: "switchover", id: 9001, to: "osaka", repair: false };
  world.input("tokyo-1", ask as never);
  world.run(30_000);
  const told = bodies(world, "tokyo-1").filter(({ handoverSite }) => handoverSite !== 0);
  const early = told.filter(({ handoverTerm }) => handoverTerm === 0n);
  const given = told.filter(({ handoverTerm }) => handoverTerm !== 0n);
  assert.ok(early.length > 0 && given.length > 0, `${early.length} and ${given.length} records`);
  for (const body of early) {
    assert.is(body.handoverSite, 2);
    assert.is(body.state, states.running, "nothing is given yet");
    assert.ok(body.flags & recordFlags.closing);
  }
  for (const body of given) assert.equal([body.state, body.handoverTerm], [states.handover, 514n]);
});

test("a sibling that takes over is not taken for one that hands over: who serves goes on", () => {
  const world = well();
  world.kill("tokyo-1", "tokyo-2");
  world.run(8000);
  assert.is(world.takeover("osaka-2"), 0);
  world.run(3000);
  assert.is(world.takeover("osaka-1", { force: true, waitMs: 10_000 }), 75);
  const { state } = world.agent("osaka-2");
  assert.equal([state.role, state.servesHere], ["active", true]);
  assert.is(count(world, "osaka-2", "superseded"), 0, "its service was never stopped");
  assert.is(count(world, "osaka-1", "takeover"), 0);
});

test("hosts that are active only after another one are nobody's example: two do not follow each other", () => {
  for (const beacons of [["osaka-2"], []]) {
    const world = new World({ takeoverHook: true, beacons });
    world.run(8000);
    world.kill("tokyo-1", "tokyo-2");
    world.run(20_000);
    assert.is(world.takeover("osaka-1"), 0);
    world.run(10_000);
    // Its own site's other host is all that it hears of at first.
    cutAll(world, true);
    world.kill("osaka-1");
    world.run(1000);
    world.start("osaka-1");
    world.start("tokyo-1");
    world.start("tokyo-2");
    world.run(4000);
    cutAll(world, false);
    world.run(20_000);
    for (const agent of world.agents.values()) agent.forget();
    world.run(60_000);
    const { role, servesHere } = world.agent("osaka-1").state;
    assert.equal([role, servesHere], ["active", true], `beacons ${beacons}`);
    for (const name of ["osaka-1", "osaka-2"]) {
      assert.equal(world.agent(name).texts("role"), [], `${name} keeps its role`);
    }
  }
});

test.run();
