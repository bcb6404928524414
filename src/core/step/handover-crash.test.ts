/**
 * A switch-over that is cut short at any moment: the service is at one site then, or at none with
 * the command named that brings it back; and never without its data. Virtual time.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { SitesWish } from "../../testing/core-config.ts";
import type { World } from "../../testing/core-world.ts";
import {
  command,
  cutAll,
  four,
  leased,
  noBreach,
  oradata,
  pair,
  type Scene,
} from "../../testing/lease-world.ts";
import { gateView } from "./gate.ts";

// test-limit-seconds: 120
const every = 97;
const data: SitesWish = { ...pair, dataGroups: [oradata] };

const toOsaka = (world: World, waitMs: number) =>
  command(world, "tokyo-1", { kind: "switchover", to: "osaka" }, waitMs);

/** Whoever asks for the operator's command gets it; then all must be well. */
function brought(scene: Scene, why: string): void {
  const { world, judge } = scene;
  // What ran before may have to stop first.
  world.run(8000);
  for (let looks = 0; looks < 8 && judge.hosts().length === 0; looks++) world.run(4000);
  noBreach(scene, why);
  for (const agent of world.agents.values()) {
    if (judge.hosts().length > 0) break;
    const { opens } = gateView(agent.state, "");
    if (!opens.includes("takeover --yes")) continue;
    const said = command(world, agent.name, { kind: "takeover" }, 30_000);
    assert.is(said?.code, 0, `${why}: ${said?.message}`);
  }
  world.run(5000);
  assert.is(judge.sites().length, 1, why);
  noBreach(scene, why);
  const [host] = judge.hosts();
  assert.is(world.agent(host ?? "").state.role, "active", why);
  // Only the steps of a takeover make the other site's data ours.
  if (host?.startsWith("osaka")) {
    assert.ok(took(scene), `${why}: the data was taken over before the service ran`);
  }
}

const took = ({ world }: Scene): boolean =>
  world.allAsked.some(({ action }) => action.kind === "take-data");

const lastsMs = 3200;

for (const host of ["tokyo-1", "osaka-1"] as const) {
  test(`the agent of ${host} is killed at every moment of a switch-over`, () => {
    for (let at = 0; at < lastsMs; at += every) {
      const scene = leased(data);
      const { world } = scene;
      toOsaka(world, at);
      world.kill(host);
      world.run(500);
      world.start(host);
      brought(scene, `${host} killed after ${at} ms`);
    }
  });

  test(`the machine of ${host} resets at every moment of a switch-over`, () => {
    for (let at = 0; at < lastsMs; at += 3 * every) {
      const scene = leased(data);
      const { world } = scene;
      toOsaka(world, at);
      world.reset(host);
      world.run(10_000);
      world.start(host);
      brought(scene, `${host} reset after ${at} ms`);
    }
  });
}

test("the agent that received is killed at every moment of a fail-back", () => {
  for (let at = 0; at < lastsMs; at += 3 * every) {
    const scene = leased(data);
    const { world } = scene;
    assert.is(toOsaka(world, 20_000)?.code, 0);
    command(world, "osaka-1", { kind: "switchover", to: "tokyo" }, at);
    world.kill("tokyo-1");
    world.run(500);
    world.start("tokyo-1");
    brought(scene, `killed after ${at} ms`);
  }
});

test("Handing over: both ends fail at once, at every moment", () => {
  for (let at = 0; at < lastsMs; at += 2 * every) {
    const scene = leased(data);
    const { world } = scene;
    toOsaka(world, at);
    world.reset("tokyo-1");
    world.kill("osaka-1");
    world.run(1000);
    world.start("osaka-1");
    world.start("tokyo-1");
    brought(scene, `after ${at} ms`);
  }
});

const fourData: SitesWish = { ...four, dataGroups: [oradata] };

test("Several hosts: one that starts while its sibling takes the data over does not serve before", () => {
  for (const giverToo of [false, true]) {
    const scene = leased(fourData);
    const { world } = scene;
    for (const name of ["osaka-1", "osaka-2"]) world.agent(name).dataTakesMs = 20_000;
    toOsaka(world, 4000);
    const taker = world.site("osaka").find(({ state }) => state.takeover !== null)?.name ?? "";
    const other = taker === "osaka-1" ? "osaka-2" : "osaka-1";
    world.reset(other);
    if (giverToo) world.kill("tokyo-1", "tokyo-2");
    world.run(1000);
    world.start(other);
    if (giverToo) for (const name of ["tokyo-1", "tokyo-2"]) world.start(name);
    world.run(10_000);
    assert.equal(scene.judge.hosts(), [], "the data is not taken yet");
    world.run(40_000);
    assert.ok(scene.judge.hosts().includes(taker));
    noBreach(scene);
  }
});

test("a term that is learnt and not received when the agent ends: it is received after the start", () => {
  const scene = leased(data);
  const { world } = scene;
  const watched = world.onStep;
  world.onStep = (agent, before, input) => {
    watched(agent, before, input);
    const learnt = input.kind === "term-stored" && input.durable.term === 514n;
    if (agent.name === "osaka-1" && learnt && !input.durable.halfDone) world.kill("osaka-1");
  };
  toOsaka(world, 3000);
  world.onStep = watched;
  assert.not(world.agent("osaka-1").alive);
  assert.is(world.agent("osaka-1").memory.term, 514n);
  world.start("osaka-1");
  brought(scene, "learnt, and not received");
  assert.equal(scene.judge.hosts(), ["osaka-1"]);
});

test("Handing over: parted at every moment, what was given is not taken back by the giver alone", () => {
  for (let at = 0; at < lastsMs; at += 2 * every) {
    const scene = leased(data);
    const { world } = scene;
    toOsaka(world, at);
    cutAll(world, true);
    world.run(50_000);
    noBreach(scene, `parted after ${at} ms`);
    cutAll(world, false);
    brought(scene, `parted after ${at} ms, and together again`);
  }
});

test.run();
