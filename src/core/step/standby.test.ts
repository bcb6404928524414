/**
 * The standby's side of the lease: when it takes over by itself, when it must not, when it
 * renounces; and the steps of a takeover that is cut short anywhere. Virtual time.
 */
// test-limit-seconds: 120
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  begun,
  command,
  cutAll,
  leased,
  mistake,
  noBreach,
  oradata,
  pair,
  rolesOf,
  type Scene,
  servedAt,
  stepsOf,
  timingOf,
  toldAt,
} from "../../testing/lease-world.ts";
import { exitCodes } from "../base/exit-codes.ts";
import { takeoverBoundMs } from "../base/lease-timing.ts";

const one = 97;
const data = { ...pair, dataGroups: [oradata] };
const roleOf = ({ world }: Scene, host: string) => world.agent(host).state.role;

test("E1: when production's site dies, the standby serves within the bound, at any moment", () => {
  for (let phase = 0; phase < 1000; phase += one) {
    const scene = leased(data);
    const { world } = scene;
    world.run(phase);
    const timing = timingOf(world);
    const diedMs = world.nowMs;
    for (const name of world.volumes.keys()) world.link(name, false);
    world.reset("tokyo-1");
    world.run(60_000);
    const decidedMs = toldAt(world.agent("osaka-1"), "takeover", "step", "begin");
    assert.ok(decidedMs !== null, "it takes over by itself");
    assert.ok((decidedMs ?? 0) - diedMs <= takeoverBoundMs(timing), `phase ${phase}`);
    assert.ok((decidedMs ?? 0) - diedMs >= timing.takeoverWaitMs - timing.intervalMs);
    assert.equal(scene.judge.hosts(), ["osaka-1"]);
    noBreach(scene);
  }
});

test("E1: a host that only hangs, with a beacon that proves the link, is taken over from too", () => {
  const scene = leased({ ...pair, tokyo: ["tokyo-1", "tokyo-b"], beacons: ["tokyo-b"] });
  scene.world.kill("tokyo-1");
  scene.world.run(60_000);
  assert.equal(scene.judge.hosts(), ["osaka-1"]);
  assert.ok(scene.world.agent("osaka-1").rows("tokyo-1").includes("8"));
  noBreach(scene);
});

test("the one that was taken over from comes back as the standby, and the guard goes on again", () => {
  const scene = leased();
  const { world } = scene;
  world.reset("tokyo-1");
  world.run(60_000);
  assert.ok(world.agent("osaka-1").state.lease.solo, "nobody grants: it runs alone");
  world.start("tokyo-1");
  world.run(10_000);
  assert.equal(
    [roleOf(scene, "tokyo-1"), world.agent("osaka-1").state.lease.solo],
    ["standby", false],
  );
  world.reset("osaka-1");
  world.run(60_000);
  assert.equal(scene.judge.hosts(), ["tokyo-1"], "and takes over from there in its turn");
  noBreach(scene);
});

// ---- The guard

function backAndCut(phase: number, wrong: boolean): Scene {
  const scene = leased();
  const { world } = scene;
  cutAll(world, true);
  world.run(60_000);
  if (wrong) {
    mistake(world, "tokyo-1", (state) => ({
      ...state,
      waiting: { ...state.waiting, guards: { "osaka-1": 1n } },
    }));
  }
  cutAll(world, false);
  world.run(phase);
  cutAll(world, true);
  world.run(90_000);
  return scene;
}

test("The guard: who runs alone is not taken over from, whenever the sites part again", () => {
  let tookOver = 0;
  for (let phase = one; phase < 3500; phase += 3 * one) {
    const scene = backAndCut(phase, false);
    noBreach(scene, `parted after ${phase} ms`);
    if (scene.judge.sites()[0] === "tokyo") tookOver += 1;
  }
  assert.ok(tookOver > 0 && tookOver < 12, `${tookOver}: both happen`);
});

test("The guard: a mistake is seen: a standby that believes in it unseen makes two", () => {
  const breaches = [500, 1000, 1500].map((phase) => backAndCut(phase, true).judge.breaches.length);
  assert.ok(breaches.some((count) => count > 0));
});

test("Terms: a takeover that was overtaken ends, and stops what it had begun", () => {
  for (const phase of [0, 3, 10, 500, 1100]) {
    const scene = leased();
    const { world } = scene;
    cutAll(world, true);
    world.run(15_000);
    // The operator at tokyo has made sure that osaka is off, as he believes.
    const beginsMs = 4000;
    world.run(beginsMs - 1000);
    world.run(phase);
    world.reset("tokyo-1");
    world.start("tokyo-1");
    command(world, "tokyo-1", { kind: "takeover", peerIsOff: "osaka" }, 0);
    cutAll(world, false);
    world.run(60_000);
    assert.is(scene.judge.sites().length, 1, `phase ${phase}`);
    const owner = scene.judge.sites()[0] === "tokyo" ? "tokyo-1" : "osaka-1";
    assert.is(roleOf(scene, owner), "active");
    assert.is(roleOf(scene, owner === "tokyo-1" ? "osaka-1" : "tokyo-1"), "standby");
  }
});

// ---- Renouncing

test("a standby that is stopped in order renounces: production goes on without it", () => {
  for (let phase = 0; phase < 1000; phase += 3 * one) {
    const scene = leased();
    const { world } = scene;
    world.run(phase);
    world.leave("osaka-1");
    world.run(60_000);
    const { state } = world.agent("tokyo-1");
    assert.ok(state.lease.solo, "its guard is off");
    assert.equal(rolesOf(world.agent("tokyo-1")), [], `phase ${phase}`);
    world.start("osaka-1");
    world.run(5000);
    assert.not(world.agent("tokyo-1").state.lease.solo, "and on again when it is back");
    world.reset("tokyo-1");
    world.run(60_000);
    assert.equal(scene.judge.sites(), ["osaka"]);
    noBreach(scene);
  }
});

test("A fresh heartbeat says nothing about data: while it is copied, takeover is renounced", () => {
  const scene = leased(data);
  const { world } = scene;
  const osaka = world.agent("osaka-1");
  osaka.data = { state: "copying", role: "secondary", lastCopyAgoMs: 0 };
  world.run(10_000);
  assert.ok(world.agent("tokyo-1").state.lease.solo);
  cutAll(world, true);
  world.run(60_000);
  assert.equal(rolesOf(world.agent("tokyo-1")), [], "it is not stopped for nothing");
  assert.equal(rolesOf(osaka), [], "and the standby holds");
  cutAll(world, false);
  osaka.data = { state: "paired", role: "secondary", lastCopyAgoMs: 0 };
  world.run(15_000);
  assert.not(world.agent("tokyo-1").state.lease.solo, "whole again: the guard is on again");
  cutAll(world, true);
  world.run(60_000);
  assert.equal(scene.judge.sites(), ["osaka"]);
  noBreach(scene);
});

test("A fresh heartbeat says nothing about data: more lost than rpo_max, and it holds", () => {
  for (const [lastCopyAgoMs, sites] of [
    [30_000, ["osaka"]],
    [61_000, []],
  ] as const) {
    const scene = leased(data);
    const { world } = scene;
    world.agent("tokyo-1").data = { state: "paired", role: "primary", lastCopyAgoMs };
    world.run(10_000);
    world.reset("tokyo-1");
    world.run(60_000);
    assert.equal(scene.judge.sites(), [...sites], `${lastCopyAgoMs} ms`);
  }
});

test("A fresh heartbeat says nothing about data: renouncing that comes late frees nobody", () => {
  // The renouncing record hangs on the mirror while later ones come by the network.
  for (let phase = 0; phase < 3000; phase += 3 * one) {
    const scene = leased(data);
    const { world } = scene;
    const osaka = world.agent("osaka-1");
    world.link("west", false);
    osaka.data = { state: "copying", role: "secondary", lastCopyAgoMs: 0 };
    world.run(5500);
    osaka.data = { state: "paired", role: "secondary", lastCopyAgoMs: 0 };
    world.run(5000 + phase);
    cutAll(world, true);
    world.link("west", true);
    world.run(90_000);
    noBreach(scene, `phase ${phase}`);
  }
});

// ---- What it must not do

test("A restarted standby starts its wait anew, and must see the guard anew", () => {
  const scene = leased();
  const { world } = scene;
  const { takeoverWaitMs } = timingOf(world);
  world.run(10_000);
  cutAll(world, true);
  world.run(takeoverWaitMs - 3000);
  world.kill("osaka-1");
  world.start("osaka-1");
  world.run(120_000);
  assert.equal(scene.judge.hosts(), [], "it has not seen the guard: nobody serves");
  const said = command(world, "osaka-1", { kind: "takeover" }, 1000);
  assert.is(said?.code, exitCodes.noArbiter);
  assert.match(said?.message ?? "", /--peer-is-off tokyo --yes/);
  noBreach(scene);
});

test("production that left in order is not taken over from by itself; an operator may", () => {
  const scene = leased();
  const { world } = scene;
  world.leave("tokyo-1");
  world.run(120_000);
  assert.equal(scene.judge.hosts(), []);
  assert.equal(stepsOf(world.agent("osaka-1")), []);
  assert.is(command(world, "osaka-1", { kind: "takeover" }, 5000)?.code, 0);
  assert.equal(scene.judge.hosts(), ["osaka-1"]);
  noBreach(scene);
});

test("a host of the standby without a watchdog that can be fed does not take over by itself", () => {
  const scene = leased();
  const { world } = scene;
  world.input("osaka-1", { kind: "watchdog", fault: "/dev/watchdog0: cannot be opened" } as never);
  world.reset("tokyo-1");
  world.run(60_000);
  assert.equal(scene.judge.hosts(), []);
  world.input("osaka-1", { kind: "watchdog", fault: "" } as never);
  world.run(10_000);
  assert.equal(scene.judge.hosts(), ["osaka-1"]);
});

// ---- Forced

test("Forced takeover: of a guarded side it waits out the lease first, and stops all echoes at once", () => {
  for (let phase = 0; phase < 1000; phase += 3 * one) {
    const scene = leased();
    const { world } = scene;
    world.run(phase);
    const { leaseMs, takeoverWaitMs } = timingOf(world);
    const givenMs = world.nowMs;
    cutAll(world, true);
    // Silence is not stated yet: whoever forces it answers for that, and still the lease runs out.
    const said = command(world, "osaka-1", { kind: "takeover", force: true }, 60_000);
    assert.is(said?.code, 0, said?.message);
    noBreach(scene);
    assert.ok(servedAt(scene, "tokyo-1", "serves no more") <= givenMs + leaseMs);
    assert.ok(servedAt(scene, "osaka-1", "serves") >= givenMs + takeoverWaitMs - 2000);
  }
});

test("Forced takeover: an owner that hears of the higher term stops before the wait is over", () => {
  const scene = leased();
  const { world } = scene;
  const said = command(world, "osaka-1", { kind: "takeover", force: true }, 60_000);
  assert.is(said?.code, 0, said?.message);
  assert.equal(rolesOf(world.agent("tokyo-1")), ["fenced", "standby"]);
  assert.equal(scene.judge.hosts(), ["osaka-1"]);
  noBreach(scene);
});

test("Forced takeover: of a side that runs alone waiting proves nothing: refused but by attestation", () => {
  const scene = leased();
  const { world } = scene;
  world.leave("osaka-1");
  world.run(5000);
  cutAll(world, true);
  world.start("osaka-1");
  world.run(120_000);
  for (const force of [false, true]) {
    const said = command(world, "osaka-1", { kind: "takeover", force }, 1000);
    assert.is(said?.code, exitCodes.noArbiter, said?.message);
  }
  assert.equal(scene.judge.hosts(), ["tokyo-1"]);
  world.reset("tokyo-1");
  assert.is(
    command(world, "osaka-1", { kind: "takeover", peerIsOff: "mars" }, 1000)?.code,
    exitCodes.usage,
  );
  assert.is(command(world, "osaka-1", { kind: "takeover", peerIsOff: "tokyo" }, 5000)?.code, 0);
  assert.is(world.agent("osaka-1").state.attested, "tokyo");
  assert.equal(scene.judge.hosts(), ["osaka-1"]);
});

// ---- The array, and steps that end half-way

test("The array as fence: the service starts only after the data was taken, or it stops there", () => {
  const scene = leased(data);
  const { world } = scene;
  const osaka = world.agent("osaka-1");
  osaka.dataFault = "the SVOL is not detached";
  world.reset("tokyo-1");
  world.run(60_000);
  assert.equal(scene.judge.hosts(), []);
  assert.is(roleOf(scene, "osaka-1"), "transitioning");
  assert.equal(stepsOf(osaka).slice(-2), ["data pairs", "data pairs failed"]);
  world.run(60_000);
  assert.is(osaka.dataAsked.length, 1, "it is not tried again by itself");
  osaka.dataFault = "";
  assert.is(command(world, "osaka-1", { kind: "takeover" }, 10_000)?.code, 0);
  assert.equal(scene.judge.hosts(), ["osaka-1"]);
  assert.is(world.agent("osaka-1").state.term, 514n, "in the term that it had taken");
});

test("a service hook that fails stops there; the command may be given again", () => {
  const scene = leased(data);
  const { world } = scene;
  world.agent("osaka-1").hookOk = false;
  world.reset("tokyo-1");
  world.run(60_000);
  assert.is(roleOf(scene, "osaka-1"), "transitioning");
  world.agent("osaka-1").hookOk = true;
  assert.is(command(world, "osaka-1", { kind: "takeover" }, 10_000)?.code, 0);
  assert.is(roleOf(scene, "osaka-1"), "active");
});

test("a disk that does not store the term: nothing is taken, and the standby goes on as such", () => {
  const scene = begun();
  const { world } = scene;
  world.run(10_000);
  world.agent("osaka-1").storeOk = false;
  cutAll(world, true);
  world.run(30_000);
  assert.is(world.agent("osaka-1").state.term, 257n);
  assert.equal(scene.judge.hosts(), []);
  world.agent("osaka-1").storeOk = true;
  world.run(30_000);
  assert.equal(scene.judge.hosts(), ["osaka-1"], "and takes over when the disk is well again");
  noBreach(scene);
});

test.run();
