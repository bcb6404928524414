/**
 * The witness at a third site: production lives by its grant or by the standby's; the standby takes
 * over by both its own wait and the witness's word; and what a witness that forgets does. Virtual
 * time.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { World } from "../../testing/core-world.ts";
import {
  command,
  cutAll,
  leased,
  mistake,
  noBreach,
  rolesOf,
  type Scene,
  stepsOf,
  timingOf,
  toldAt,
  witnessed,
} from "../../testing/lease-world.ts";
import { exitCodes } from "../base/exit-codes.ts";
import { takeoverBoundMs } from "../base/lease-timing.ts";

const every = 97;

/** The third site's lines to that one. */
function cutWitness(world: World, site: string, cut: boolean): void {
  for (const way of [`nagoya>${site}`, `${site}>nagoya`]) {
    if (cut) world.cutNetwork.add(way);
    else world.cutNetwork.delete(way);
  }
}

const witness = ({ world }: Scene) => world.agent("nagoya-1");

test("Witness: the links between the sites are lost: production goes on, the standby is denied", () => {
  const scene = leased(witnessed);
  const { world, judge } = scene;
  cutAll(world, true);
  world.run(120_000);
  assert.equal(rolesOf(world.agent("tokyo-1")), []);
  assert.equal(judge.hosts(), ["tokyo-1"]);
  assert.equal(stepsOf(witness(scene), "witness"), []);
  cutAll(world, false);
  world.run(10_000);
  assert.equal(judge.hosts(), ["tokyo-1"]);
});

test("Witness: it is lost: production goes on by the standby's echo, and nothing is taken over", () => {
  const scene = leased(witnessed);
  const { world, judge } = scene;
  world.kill("nagoya-1");
  world.run(60_000);
  assert.equal(judge.hosts(), ["tokyo-1"]);
  world.reset("tokyo-1");
  world.run(90_000);
  assert.equal(judge.hosts(), [], "without its word the standby does not act");
  world.start("nagoya-1");
  world.run(60_000);
  assert.equal(judge.hosts(), [], "and one that was started anew has seen no guard");
  assert.is(command(world, "osaka-1", { kind: "takeover" }, 5000)?.code, exitCodes.noArbiter);
  assert.is(command(world, "osaka-1", { kind: "takeover", peerIsOff: "tokyo" }, 9000)?.code, 0);
});

test("Witness: both are lost: production stops", () => {
  for (let phase = 0; phase < 1000; phase += 3 * every) {
    const scene = leased(witnessed);
    const { world, judge } = scene;
    world.run(phase);
    cutAll(world, true);
    cutWitness(world, "tokyo", true);
    world.run(90_000);
    noBreach(scene);
    assert.equal(judge.hosts(), ["osaka-1"], "the side that the witness hears goes on");
  }
});

test("Witness: E1 within the bound, at any moment", () => {
  for (let phase = 0; phase < 1000; phase += every) {
    const scene = leased(witnessed);
    const { world, judge } = scene;
    world.run(phase);
    world.reset("tokyo-1");
    const diedMs = world.nowMs;
    world.run(60_000);
    assert.equal(judge.hosts(), ["osaka-1"]);
    const decidedMs = toldAt(world.agent("osaka-1"), "takeover", "step", "begin") ?? 0;
    assert.ok(
      decidedMs - diedMs <= takeoverBoundMs(timingOf(world), true),
      `${decidedMs - diedMs}`,
    );
    noBreach(scene);
  }
});

test("Witness: after it granted it never lets production go on in that term", () => {
  const scene = leased(witnessed);
  const { world, judge } = scene;
  cutAll(world, true);
  cutWitness(world, "tokyo", true);
  for (let looks = 0; looks < 400 && witness(scene).state.granted.term === 0n; looks++)
    world.run(100);
  assert.is(witness(scene).state.granted.term, 257n);
  cutWitness(world, "osaka", true);
  cutWitness(world, "tokyo", false);
  world.run(60_000);
  noBreach(scene);
  assert.equal(judge.hosts().includes("tokyo-1"), false, "though it hears production again");
});

test("Witness: a mistake is seen: a standby that acts without its word makes two", () => {
  const scene = leased(witnessed);
  const { world } = scene;
  mistake(world, "osaka-1", (state) => ({
    ...state,
    waiting: { ...state.waiting, witnessed: true },
  }));
  cutAll(world, true);
  world.run(60_000);
  assert.is.not(scene.judge.breaches.length, 0);
});

test("Witness: restarted it waits anew; without its memory it does nothing before it saw both", () => {
  for (const blank of [false, true]) {
    for (const dies of [1000, 15_000, 22_000]) {
      const scene = leased(witnessed);
      const { world } = scene;
      cutAll(world, true);
      cutWitness(world, "tokyo", true);
      world.run(dies);
      world.kill("nagoya-1");
      world.run(500);
      world.start("nagoya-1", { blank });
      cutWitness(world, "tokyo", false);
      world.run(60_000);
      noBreach(scene, `${blank ? "blank" : "restarted"} after ${dies} ms`);
      cutAll(world, false);
      world.run(40_000);
      noBreach(scene);
      assert.is(scene.judge.sites().length, 1);
      assert.not(witness(scene).state.isBlank, "it has seen both sites");
    }
  }
});

test("Witness: a grant that its disk refuses is told to nobody, and comes when the disk is well", () => {
  const scene = leased(witnessed);
  const { world, judge } = scene;
  witness(scene).storeOk = false;
  world.reset("tokyo-1");
  world.run(60_000);
  assert.equal(judge.hosts(), []);
  witness(scene).storeOk = true;
  world.run(30_000);
  assert.equal(judge.hosts(), ["osaka-1"]);
});

test("Witness: an operator's word does not pass it by: production may live by its grants", () => {
  const scene = leased(witnessed);
  const { world, judge } = scene;
  cutAll(world, true);
  cutWitness(world, "osaka", true);
  world.run(30_000);
  for (const force of [false, true]) {
    const said = command(world, "osaka-1", { kind: "takeover", force }, 60_000);
    assert.is(said?.code, exitCodes.noArbiter, said?.message);
    assert.match(said?.message ?? "", /the witness has not granted it/);
  }
  assert.equal(judge.hosts(), ["tokyo-1"]);
  noBreach(scene);
});

test("Witness: it is no holder: it never serves, takes over, or is handed the service", () => {
  const scene = leased(witnessed);
  const { world } = scene;
  assert.is.not(command(world, "nagoya-1", { kind: "takeover", force: true }, 3000)?.code, 0);
  assert.is(
    command(world, "tokyo-1", { kind: "switchover", to: "nagoya" }, 3000)?.code,
    exitCodes.usage,
  );
  assert.is(command(world, "tokyo-1", { kind: "switchover", to: "osaka" }, 30_000)?.code, 0);
  assert.equal(scene.judge.hosts(), ["osaka-1"]);
  world.reset("osaka-1");
  world.run(60_000);
  assert.equal(scene.judge.hosts(), ["tokyo-1"], "and it grants in the new term as in the old");
  noBreach(scene);
});

test("Witness: production that starts anew may begin by its grant alone", () => {
  const scene = leased(witnessed);
  const { world, judge } = scene;
  world.leave("osaka-1");
  world.reset("tokyo-1");
  world.run(3000);
  world.start("tokyo-1");
  world.run(20_000);
  assert.equal(judge.hosts(), ["tokyo-1"]);
  noBreach(scene);
});

test("a witness that lost its memory in its first run is not taken for a replay of itself", () => {
  const { world } = leased(witnessed);
  world.run(30_000);
  world.kill("nagoya-1");
  world.run(20_000);
  world.start("nagoya-1", { blank: true, bootId: "b0070000-0000-4000-8000-000000000002" });
  world.run(20_000);
  for (const host of ["tokyo-1", "osaka-1"]) {
    assert.is(world.agent(host).row("nagoya-1"), "1", host);
  }
  assert.is(world.agent("nagoya-1").state.incarnation, 2n);
});

test.run();
