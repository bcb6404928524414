/**
 * The owner's side of the lease: when it may serve, when it stops, and that the standby always acts
 * later. The names of the tests are those of the argument (docs/safety.md). Virtual time.
 */
// test-limit-seconds: 120
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { SitesWish } from "../../testing/core-config.ts";
import {
  begun,
  cutAll,
  four,
  leased,
  mistake,
  noBreach,
  oradata,
  pair,
  rolesOf,
  type Scene,
  servedAt,
  timingOf,
  toldAt,
} from "../../testing/lease-world.ts";
import { takeoverWaitMinMs } from "../base/lease-timing.ts";
import { leaseLeftMs } from "./lease.ts";
import { inTerm } from "./term.ts";

const one = 97;

test("Lease with echo: a total cut stops production before the standby acts", () => {
  for (let phase = 0; phase < 1000; phase += one) {
    const scene = leased();
    const { world } = scene;
    const { leaseMs, stopMs } = timingOf(world);
    world.run(phase);
    const cutMs = world.nowMs;
    cutAll(world, true);
    world.run(60_000);
    noBreach(scene, `cut at phase ${phase}`);
    const fencedMs = toldAt(world.agent("tokyo-1"), "role", "role", "fenced");
    assert.ok(fencedMs !== null && fencedMs <= cutMs + leaseMs - stopMs + 1000, `${fencedMs}`);
    assert.ok(servedAt(scene, "tokyo-1", "serves no more") < servedAt(scene, "osaka-1", "serves"));
    assert.equal(scene.judge.sites(), ["osaka"], "the standby has taken over");
  }
});

test("Lease with echo: it counts from the start of the granted write, not from its echo", () => {
  const { world } = leased({ ...pair, network: false });
  world.latencyMs = 900;
  world.run(20_000);
  const { leaseMs } = timingOf(world);
  for (let look = 0; look < 20; look++) {
    world.run(one);
    const leftMs = leaseLeftMs(world.agent("tokyo-1").state);
    assert.ok(leftMs > 0 && leftMs <= leaseMs - 2 * 900, `${leftMs} ms with 0.9 s each way`);
  }
});

test("No false self-fence: lost rounds and hanging writes within the promise stop nothing", () => {
  const fitting = { ...pair, timing: { lostRounds: 2, leaseMs: 14_000 } };
  for (let phase = 0; phase < 1000; phase += 3 * one) {
    const { world, judge } = leased(fitting);
    const { hangMs, intervalMs, lostRounds } = timingOf(world);
    world.run(phase);
    cutAll(world, true);
    world.run(lostRounds * intervalMs);
    cutAll(world, false);
    world.cut(true);
    for (const name of ["tokyo-1", "osaka-1"]) world.agent(name).writesHang = true;
    world.run(hangMs);
    for (const name of ["tokyo-1", "osaka-1"]) world.agent(name).writesHang = false;
    world.cut(false);
    world.run(20_000);
    assert.equal(rolesOf(world.agent("tokyo-1")), [], `phase ${phase}`);
    assert.equal(judge.hosts(), ["tokyo-1"]);
  }
});

test("No false self-fence: either path renews the lease on its own, each way by itself too", () => {
  const { world, judge } = leased();
  world.cut(true);
  world.run(40_000);
  world.cut(false);
  for (const name of world.volumes.keys()) world.link(name, false);
  world.run(40_000);
  for (const name of world.volumes.keys()) world.link(name, true);
  world.cutNetwork.add("osaka>tokyo");
  world.link("east", false);
  world.run(40_000);
  assert.equal(rolesOf(world.agent("tokyo-1")), [], "never fenced");
  assert.equal(rolesOf(world.agent("osaka-1")), [], "nor taken over");
  assert.equal(judge.hosts(), ["tokyo-1"]);
});

// ---- The bound, and mistakes that break it

/** As late as production can be: it cannot stop, stalls before it feeds, and its clock is slow. */
const tight = (changes: object = {}): SitesWish => {
  const timing = {
    intervalMs: 200, pollMs: 100, readLimitMs: 100, latencyMs: 100, marginMs: 400,
    leaseMs: 20_000, stopMs: 2000, watchdogMs: 4000, lateWriteMs: 0, driftPpm: 40_000,
  }; // biome-ignore format: one list
  return { ...pair, timing: { ...timing, ...changes } };
};

function lateProduction(changes: object, phase: number): Scene {
  const scene = begun(tight(changes));
  const { world } = scene;
  const tokyo = world.agent("tokyo-1");
  tokyo.rate = 1 - 0.04;
  world.agent("osaka-1").rate = 1 + 0.04;
  world.run(15_000 + phase);
  assert.equal(scene.judge.sites(), ["tokyo"]);
  tokyo.stopOk = false;
  tokyo.feedStallMs = timingOf(world).watchdogMs - 250;
  cutAll(world, true);
  world.run(90_000);
  return scene;
}

const phases = [0, 97, 194, 291, 388, 485];

test("Lease with echo, Clocks: at the worst of both clocks, stalls and stops the wait suffices", () => {
  for (const phase of phases) {
    const scene = lateProduction({}, phase);
    noBreach(scene, `phase ${phase}`);
    assert.equal(scene.judge.sites(), ["osaka"]);
  }
});

const { leaseMs: tightLeaseMs, watchdogMs: tightDogMs } = tight().timing as {
  leaseMs: number;
  watchdogMs: number;
};
const mistakes: readonly (readonly [string, number])[] = [
  ["the watchdog counted once", tightLeaseMs + tightDogMs],
  ["the drift of the clocks forgotten", tightLeaseMs + 2 * tightDogMs],
  ["the lease alone", tightLeaseMs],
];
for (const [name, takeoverWaitMs] of mistakes) {
  test(`Lease with echo, Clocks: a mistake is seen: ${name}`, () => {
    const two = phases.some(
      (phase) => lateProduction({ takeoverWaitMs }, phase).judge.breaches.length > 0,
    );
    assert.ok(two, "two sites serve with this wait");
  });
}

test("Clocks: the wait that is asked for is the formula's", () => {
  const { world } = begun(tight());
  const timing = timingOf(world);
  assert.is(timing.takeoverWaitMs, takeoverWaitMinMs(timing));
  assert.ok(timing.takeoverWaitMs > tightLeaseMs + 2 * tightDogMs);
});

test("Clocks: sites with other timings arm nothing: no grant, no guard, no takeover", () => {
  const { world, judge } = begun();
  mistake(world, "osaka-1", (state) => ({ ...state, timingDigest: 12_345 }));
  world.run(30_000);
  assert.equal(judge.hosts(), [], "a grant by other timings is none");
  cutAll(world, true);
  world.run(60_000);
  assert.equal(judge.hosts(), [], "and none who goes by other timings is taken over from");
});

test("Clocks: a mistake is seen: the owner's lease is longer than the standby knows", () => {
  const scene = leased();
  const { world } = scene;
  const { leaseMs } = timingOf(world);
  mistake(world, "tokyo-1", (state) => ({
    ...state,
    lease: { ...state.lease, limitMs: 3 * leaseMs },
  }));
  cutAll(world, true);
  world.run(60_000);
  assert.is.not(scene.judge.breaches.length, 0);
});

// ---- The watchdog

test("an agent that is killed: its machine resets within the watchdog's time", () => {
  for (let phase = 0; phase < 1000; phase += 3 * one) {
    const scene = leased();
    const { world } = scene;
    world.run(phase);
    world.kill("tokyo-1");
    const killedMs = world.nowMs;
    world.run(60_000);
    noBreach(scene);
    assert.ok(
      servedAt(scene, "tokyo-1", "serves no more") <= killedMs + timingOf(world).watchdogMs,
    );
    assert.equal(scene.judge.sites(), ["osaka"]);
  }
});

test("an agent that stands still: its machine resets; one that goes on in time does not", () => {
  const { world, judge } = leased();
  const { watchdogMs } = timingOf(world);
  world.pause("tokyo-1");
  world.run(watchdogMs - 1000);
  world.resume("tokyo-1");
  world.run(10_000);
  assert.equal(judge.hosts(), ["tokyo-1"]);
  world.pause("tokyo-1");
  world.run(watchdogMs);
  assert.equal(judge.hosts(), []);
});

test("an agent that is started again stops what runs before it may serve anew", () => {
  for (let phase = 0; phase < 1000; phase += 3 * one) {
    const scene = leased();
    const { world } = scene;
    world.run(phase);
    world.kill("tokyo-1");
    world.run(500);
    world.start("tokyo-1");
    assert.is(world.agent("tokyo-1").state.role, "fenced");
    world.run(10_000);
    assert.equal(rolesOf(world.agent("tokyo-1")), ["stopped", "active"], `phase ${phase}`);
    assert.equal(world.agent("tokyo-1").hooks.slice(-2), ["superseded", "takeover"]);
    assert.equal(scene.judge.hosts(), ["tokyo-1"]);
    noBreach(scene);
  }
});

test("a service that cannot be stopped ends with its machine, when the lease is over", () => {
  const scene = leased();
  const { world } = scene;
  const { leaseMs, watchdogMs } = timingOf(world);
  world.agent("tokyo-1").stopOk = false;
  const cutMs = world.nowMs;
  cutAll(world, true);
  world.run(60_000);
  const endMs = servedAt(scene, "tokyo-1", "serves no more");
  assert.ok(endMs <= cutMs + leaseMs + watchdogMs, `${endMs - cutMs} ms`);
  assert.ok(endMs > cutMs + leaseMs - 2000, "but not before: the lease holds until then");
  noBreach(scene);
});

test("an agent that is being stopped leaves no service behind, on either host", () => {
  for (const wish of [pair, four]) {
    const scene = leased(wish);
    const { world } = scene;
    world.input("tokyo-1", { kind: "stop" });
    world.run(3000);
    const { serviceMayRun, role } = world.agent("tokyo-1").state;
    assert.equal([serviceMayRun, role], [false, "stopped"]);
    assert.not(scene.judge.hosts().includes("tokyo-1"));
    world.kill("tokyo-1");
    world.run(2000);
    world.start("tokyo-1");
    world.run(10_000);
    assert.ok(scene.judge.hosts().includes("tokyo-1"), "what was stopped is started again");
  }
});

test("a lease that was lost and comes back: the service is stopped, verified, started", () => {
  const { world, judge } = leased(four);
  const { leaseMs } = timingOf(world);
  cutAll(world, true);
  world.run(leaseMs);
  assert.equal(judge.hosts(), []);
  cutAll(world, false);
  world.run(10_000);
  for (const name of ["tokyo-1", "tokyo-2"]) {
    assert.equal(rolesOf(world.agent(name)), ["fenced", "stopped", "active"]);
    assert.ok(world.agent(name).state.serviceMayRun, "and each is fenced again");
  }
  assert.equal(judge.hosts(), ["tokyo-1", "tokyo-2"]);
});

test("a lease that runs out in the midst of a switch-over stops the service in time", () => {
  const scene = leased({ ...pair, dataGroups: [oradata] });
  const { world } = scene;
  const tokyo = world.agent("tokyo-1");
  tokyo.dataTakesMs = 120_000;
  world.input("tokyo-1", { kind: "switchover", id: 1, to: "osaka", repair: true } as never);
  world.run(1000);
  cutAll(world, true);
  world.run(60_000);
  noBreach(scene);
  assert.ok(tokyo.alive, "by its hook, not by its watchdog");
  assert.match(tokyo.answers.at(-1)?.message ?? "", /lease/);
  assert.equal(scene.judge.sites(), ["osaka"]);
});

// ---- Terms, restored copies, the gate

test("Terms: a grant holds in its own term only", () => {
  const { world, judge } = leased();
  assert.ok(leaseLeftMs(world.agent("tokyo-1").state) > 0);
  world.agent("osaka-1").change = (body) => ({ ...body, term: 257n });
  mistake(world, "tokyo-1", (state) => (state.term === 257n ? inTerm(state, 513n) : state));
  world.run(1000);
  assert.is(leaseLeftMs(world.agent("tokyo-1").state), Number.NEGATIVE_INFINITY);
  world.run(1000);
  assert.equal(judge.hosts(), [], "what was granted in 257 is worth nothing in 513");
});

test("Restored copies and keys: an echo of an earlier run with the same numbers grants nothing", () => {
  const { world, judge } = leased();
  world.kill("osaka-1");
  world.reset("tokyo-1");
  // It has lost its memory: incarnation 1 again, and the same serials; the volume has the old echoes.
  world.start("tokyo-1", { blank: true, bootId: "b0070000-0000-4000-8000-000000000002" });
  world.run(120_000);
  assert.is(world.agent("tokyo-1").state.lease.anchors["osaka"], undefined);
  assert.equal(judge.hosts(), []);
});

test("Boot gate: a cold start of both sites opens at the owner, in whatever order they come", () => {
  for (const [first, second] of [
    ["tokyo-1", "osaka-1"],
    ["osaka-1", "tokyo-1"],
  ] as const) {
    const { world, judge } = leased();
    world.reset("tokyo-1");
    world.reset("osaka-1");
    world.run(5000);
    world.start(first);
    world.run(60_000);
    assert.equal(judge.hosts(), [], `${first} alone opens nothing`);
    world.start(second);
    world.run(15_000);
    assert.equal(judge.hosts(), ["tokyo-1"]);
  }
});

test("Boot gate: production that restarts waits for a fresh grant; a restart of the standby stops nothing", () => {
  const scene = leased();
  const { world, judge } = scene;
  for (let phase = 0; phase < 1000; phase += 3 * one) {
    world.run(10_000 + phase);
    world.kill("osaka-1");
    world.run(1000);
    world.start("osaka-1");
  }
  world.run(5000);
  assert.equal(rolesOf(world.agent("tokyo-1")), []);
  world.reset("tokyo-1");
  world.run(1000);
  world.start("tokyo-1");
  assert.equal(judge.hosts(), []);
  world.run(5000);
  assert.equal(judge.hosts(), ["tokyo-1"]);
  noBreach(scene);
});

test("Boot gate: what stands on a volume opens nothing, but the word that the other site is off does", () => {
  const scene = leased();
  const { world, judge } = scene;
  world.reset("osaka-1");
  world.reset("tokyo-1");
  world.start("tokyo-1");
  world.run(120_000);
  assert.equal(judge.hosts(), []);
  world.input("tokyo-1", { kind: "takeover", id: 3, force: false, peerIsOff: "osaka" } as never);
  world.run(10_000);
  assert.equal(judge.hosts(), ["tokyo-1"]);
  const { term, attested } = world.agent("tokyo-1").state;
  assert.equal([term, attested], [513n, "osaka"]);
  world.start("osaka-1");
  world.run(60_000);
  assert.equal(judge.hosts(), ["tokyo-1"], "who comes back stands by");
  noBreach(scene);
});

test("a local disk that refuses is not asked at once again, and nothing serves meanwhile", () => {
  const { world, judge } = begun();
  world.agent("tokyo-1").storeOk = false;
  let stores = 0;
  world.onAction = (agent, { kind }) => {
    if (agent.name === "tokyo-1" && kind === "store-term") stores += 1;
  };
  world.run(60_000);
  assert.equal(judge.hosts(), []);
  assert.ok(stores > 5 && stores < 20, `${stores} in a minute`);
  world.agent("tokyo-1").storeOk = true;
  world.run(10_000);
  assert.equal(judge.hosts(), ["tokyo-1"]);
});

test.run();
