/** The passive witness: safety.md, "The witness", as two volumes at a third site. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { World } from "../../testing/core-world.ts";
import type { SitesWish } from "../../testing/core-config.ts";
import { takeoverWaitMinMs } from "../base/lease-timing.ts";
import { recordFlags } from "../sector/layout.ts";
import { leaseLeftMs } from "./lease.ts";
import { volumeGranter } from "./witness-volume.ts";

const wish: SitesWish = {
  tokyo: ["tokyo-1"],
  osaka: ["osaka-1"],
  policy: "witness",
  takeoverHook: true,
  mirrors: {
    east: "tokyo>osaka",
    west: "osaka>tokyo",
    "third-a": "tokyo>osaka",
    "third-b": "osaka>tokyo",
  },
  witnessVolumes: ["third-a", "third-b"],
};

/** Both sites up, production active by its gate. */
function running(): World {
  const world = new World(wish);
  for (const agent of world.agents.values()) {
    agent.onService = () => undefined;
  }
  world.run(10_000);
  assert.is(world.agent("tokyo-1").state.role, "active");
  world.agent("tokyo-1").serves(true);
  return world;
}

function cutAllLinks(world: World, reaches: readonly string[]): void {
  world.cut(true);
  world.link("east", false);
  world.link("west", false);
  for (const volume of ["third-a", "third-b"]) {
    for (const { name } of world.agents.values()) {
      if (reaches.includes(name)) continue;
      world.agent(name).failingReads.add(volume);
    }
  }
}

test("The witness: production outlives the standby's site on the volume alone", () => {
  const world = running();
  world.kill("osaka-1");
  cutAllLinks(world, ["tokyo-1"]);
  world.run(120_000);
  const { state } = world.agent("tokyo-1");
  assert.is(state.role, "active");
  assert.ok(world.agent("tokyo-1").serviceRuns);
  assert.ok(leaseLeftMs(state) > 0);
  assert.ok(state.lease.anchors[volumeGranter] !== undefined);
  assert.not.ok(state.lease.solo);
});

test("The witness: a dead production is taken over, a whole wait after the claim", () => {
  const world = running();
  const killedMs = world.nowMs;
  world.kill("tokyo-1");
  world.run(4 * takeoverWaitMinMs(world.agent("osaka-1").state.config.timing));
  const standby = world.agent("osaka-1");
  assert.is(standby.state.role, "active");
  const at = (step: string): number =>
    standby.told.find(({ event }) => event.ev === "takeover" && event.fields["step"] === step)
      ?.atMs ?? Number.NaN;
  const { takeoverWaitMs } = standby.state.config.timing;
  assert.ok(at("begin") - killedMs >= takeoverWaitMs);
});

test("The witness: without a volume that both reach nothing is taken over", () => {
  const world = running();
  cutAllLinks(world, []);
  world.agent("osaka-1").writesHang = true;
  world.kill("tokyo-1");
  world.run(300_000);
  assert.is(world.agent("osaka-1").state.role, "standby");
});

test("The witness: a claim that stands keeps production from renewing", () => {
  const world = running();
  const tokyo = world.agent("tokyo-1");
  cutAllLinks(world, ["tokyo-1", "osaka-1"]);
  // It hears nothing, so it grants nothing; but production can read what it writes.
  const ungranted = ~recordFlags.grants;
  world.agent("osaka-1").change = (body) => ({
    ...body,
    flags: (body.flags & ungranted) | recordFlags.claims,
  });
  world.run(2 * tokyo.state.config.timing.leaseMs);
  assert.is.not(tokyo.state.role, "active");
  assert.not.ok(tokyo.serviceRuns);
});

test.run();
