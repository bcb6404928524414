/** Paths and hosts switched off and on while the agents run: no alarm either way. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { pathInUse } from "./judge.ts";
import type { SitesWish } from "../../testing/core-config.ts";
import { type Agent, World } from "../../testing/core-world.ts";
import { detectionBoundMs, timingDefaults } from "../base/timing.ts";
import { switchFault } from "./switch.ts";

const boundMs = detectionBoundMs(timingDefaults, 0);
const longMs = 60_000;
const one: SitesWish = { tokyo: ["tokyo-1"], osaka: ["osaka-1"] };

function well(wish: SitesWish = {}): World {
  const world = new World(wish);
  world.run(8000);
  for (const agent of world.agents.values()) agent.forget();
  return world;
}

const alarms = (agent: Agent) =>
  agent
    .events("verdict", "group")
    .filter(({ level }) => level !== "notice")
    .map(({ fields }) => fields);

for (const target of [{ kind: "network" }, { kind: "mirror", name: "east" }] as const) {
  test(`${target.kind} switched off at the writer and on again: its readers are told, no alarm`, () => {
    const world = well(one);
    const osaka = world.agent("osaka-1");
    world.switch("tokyo-1", target, false);
    world.run(longMs);
    assert.equal(alarms(osaka), []);
    assert.is(osaka.peer("tokyo-1").verdict?.action, "none");
    const path = target.kind === "network" ? "network" : "east";
    assert.is(pathInUse(osaka.state, osaka.peer("tokyo-1"), path), false);
    const before = osaka.peer("tokyo-1").sightings[path]?.position?.serial;
    world.run(5000);
    assert.is(osaka.peer("tokyo-1").sightings[path]?.position?.serial, before, "nothing is sent");
    world.switch("tokyo-1", target, true);
    world.run(10_000);
    assert.equal(alarms(osaka), []);
    assert.is(pathInUse(osaka.state, osaka.peer("tokyo-1"), path), true);
    assert.is(osaka.peer("tokyo-1").sightings[path]?.status, "ok");
    assert.is(osaka.row("tokyo-1"), "1");
  });

  test(`${target.kind} switched off at the reader and on again: no alarm, and watched afresh`, () => {
    const world = well(one);
    const osaka = world.agent("osaka-1");
    const path = target.kind === "network" ? "network" : "east";
    world.switch("osaka-1", target, false);
    world.run(longMs);
    assert.equal(alarms(osaka), []);
    world.switch("osaka-1", target, true);
    assert.is(osaka.peer("tokyo-1").sightings[path]?.status, "starting");
    world.run(10_000);
    assert.equal(alarms(osaka), []);
    assert.is(osaka.row("tokyo-1"), "1");
  });
}

test("a path that comes back dead is found out, within the bound of a start", () => {
  const world = well(one);
  const osaka = world.agent("osaka-1");
  world.switch("osaka-1", { kind: "network" }, false);
  world.run(5000);
  world.cut(true);
  world.switch("osaka-1", { kind: "network" }, true);
  world.run(boundMs);
  assert.is(osaka.row("tokyo-1"), "2");
});

test("a host switched off by itself says so: it left, no alarm, nothing more is sent", () => {
  const world = well();
  const osaka = world.agent("osaka-1");
  world.switch("tokyo-1", { kind: "host", name: "tokyo-1" }, false);
  world.run(longMs);
  assert.equal(osaka.rows("tokyo-1"), ["0c"]);
  assert.equal(osaka.texts("left"), [
    'level=notice ev=left host=tokyo-1 site=tokyo how="switched off"',
  ]);
  assert.equal(alarms(osaka), []);
  const sent = world.publishes("tokyo-1");
  world.run(10_000);
  assert.is(world.publishes("tokyo-1"), sent);
  world.switch("tokyo-1", { kind: "host", name: "tokyo-1" }, true);
  world.run(8000);
  assert.equal(osaka.rows("tokyo-1"), ["0c", "1"]);
  assert.equal(alarms(osaka), []);
});

test("a host switched off at its observer is not judged, and dies unnoticed", () => {
  const world = well();
  const osaka = world.agent("osaka-1");
  world.switch("osaka-1", { kind: "host", name: "tokyo-2" }, false);
  world.kill("tokyo-2");
  world.run(longMs);
  assert.equal(osaka.rows("tokyo-2"), []);
  assert.equal(alarms(osaka), []);
  assert.equal(osaka.texts("path"), []);
  assert.is(osaka.row("tokyo-1"), "1");
});

test("a host switched on again is watched anew: no alarm while it lives", () => {
  const world = well();
  const osaka = world.agent("osaka-1");
  world.switch("osaka-1", { kind: "host", name: "tokyo-2" }, false);
  world.run(longMs);
  osaka.forget();
  world.switch("osaka-1", { kind: "host", name: "tokyo-2" }, true);
  world.run(10_000);
  assert.equal(alarms(osaka), []);
  assert.equal(osaka.rows("tokyo-2"), ["1"]);
  assert.not(osaka.texts("path").some((text) => /state=(unseen|stale)/.test(text)));
});

test("a host that died while it was switched off is found out after it is switched on", () => {
  const world = well();
  const osaka = world.agent("osaka-1");
  world.switch("osaka-1", { kind: "host", name: "tokyo-2" }, false);
  world.kill("tokyo-2");
  world.run(longMs);
  world.switch("osaka-1", { kind: "host", name: "tokyo-2" }, true);
  world.run(1000);
  assert.equal(osaka.rows("tokyo-2"), [], "not yet");
  world.run(2 * boundMs);
  assert.not(
    ["1", "2", "2b", "3c"].includes(osaka.row("tokyo-2") ?? "1"),
    `row ${osaka.row("tokyo-2")}`,
  );
});

test("what is switched twice, or is not there, changes nothing and says nothing", () => {
  const world = well(one);
  const osaka = world.agent("osaka-1");
  const before = osaka.state;
  world.switch("osaka-1", { kind: "network" }, true);
  world.switch("osaka-1", { kind: "mirror", name: "south" }, true);
  world.switch("osaka-1", { kind: "host", name: "kyoto-1" }, true);
  assert.equal(osaka.events("switch"), []);
  const { nowMs, clocks } = before;
  assert.equal({ ...osaka.state, nowMs, clocks }, before);
});

test("a target that is not there is named, with those that are", () => {
  const { state } = well(one).agent("osaka-1");
  assert.is(switchFault(state, { kind: "network" }), null);
  assert.is(switchFault(state, { kind: "mirror", name: "east" }), null);
  assert.is(switchFault(state, { kind: "host", name: "osaka-1" }), null);
  assert.is(switchFault(state, { kind: "host", name: "tokyo-1" }), null);
  assert.match(
    switchFault(state, { kind: "mirror", name: "south" }) ?? "",
    /no mirror 'south'.*east, west/,
  );
  assert.match(
    switchFault(state, { kind: "host", name: "east" }) ?? "",
    /no host 'east'.*osaka-1, tokyo-1/,
  );
});

test("a disabled host's higher term is learnt all the same, by either path", () => {
  for (const kind of ["network", "mirror"] as const) {
    const world = well({
      ...one,
      network: kind === "network",
      ...(kind === "network" ? { mirrors: {} } : {}),
    });
    world.switch("tokyo-1", { kind: "host", name: "osaka-1" }, false);
    assert.is(world.agent("tokyo-1").state.role, "active");
    // tokyo-1 judges nobody any more; osaka takes over by force.
    assert.is(world.takeover("osaka-1", { force: true }), 0);
    world.run(5000);
    assert.is(world.agent("tokyo-1").state.role, "standby", kind);
    assert.equal(world.activeSites(), ["osaka"]);
  }
});

test.run();
