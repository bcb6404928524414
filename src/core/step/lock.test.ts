/**
 * A site of several hosts: one decides, by the lock; another takes the lock over when it dies; and
 * with local takeover the service follows the lock. Virtual time.
 */
// test-limit-seconds: 120
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Agent, World } from "../../testing/core-world.ts";
import type { SitesWish } from "../../testing/core-config.ts";
import {
  begun,
  command,
  cutAll,
  four,
  leased,
  mistake,
  noBreach,
  rolesOf,
  type Scene,
  timingOf,
  toldAt,
} from "../../testing/lease-world.ts";
import { exitCodes } from "../base/exit-codes.ts";
import { localTakeoverWaitMs, lockWaitMs } from "../base/lease-timing.ts";
import { recordFlags } from "../sector/layout.ts";
import { lockHeld } from "./lock.ts";

const every = 97;
const local: SitesWish = { ...four, takeover: { local: true } };

/** One that stands still looks at its clock before it acts again. */
const holders = (world: World, site: string): string[] =>
  world
    .site(site)
    .filter(({ state, pausedSince }) => pausedSince === null && lockHeld(state))
    .map(({ name }) => name);
const other = (name: string): string =>
  name.replace(/[12]$/, (digit) => (digit === "1" ? "2" : "1"));

/** Two hosts of one site that hold its lock at one moment. */
function watchLocks(world: World): string[] {
  const twice: string[] = [];
  const watched = world.onStep;
  world.onStep = (agent, before, input) => {
    watched(agent, before, input);
    for (const site of ["tokyo", "osaka"]) {
      const now = holders(world, site);
      if (now.length > 1) twice.push(`${world.nowMs} ${now.join(" ")}`);
    }
  };
  return twice;
}

test("Several hosts: one of each site holds its lock, and it alone grants", () => {
  const { world } = leased(four);
  const granting = new Set<string>();
  world.onAction = ({ name }, action) => {
    if (action.kind === "publish" && (action.body.flags & recordFlags.grants) !== 0)
      granting.add(name);
  };
  world.run(10_000);
  assert.equal([holders(world, "tokyo").length, holders(world, "osaka").length], [1, 1]);
  assert.equal([...granting], holders(world, "osaka"));
});

test("Several hosts: the decider dies: the other takes the lock, and production keeps its lease", () => {
  for (const how of ["kill", "reset", "pause"] as const) {
    for (let phase = 0; phase < 1000; phase += 3 * every) {
      // Room for the time in which the lock is nobody's.
      const scene = leased({ ...four, timing: { leaseMs: 30_000 } });
      const { world } = scene;
      const twice = watchLocks(world);
      world.run(phase);
      const [first = ""] = holders(world, "osaka");
      world[how](first);
      const diedMs = world.nowMs;
      world.run(30_000);
      const timing = timingOf(world);
      assert.equal(
        holders(world, "osaka").filter((name) => name !== first),
        [other(first)],
      );
      const heldMs = toldAt(world.agent(other(first)), "lock", "phase", "held") ?? 0;
      assert.ok(
        heldMs - diedMs <= lockWaitMs(timing) + 4 * timing.intervalMs,
        `${heldMs - diedMs}`,
      );
      assert.equal(rolesOf(world.agent("tokyo-1")), [], "production is not stopped for it");
      assert.equal(twice, []);
      noBreach(scene);
      if (how === "pause") {
        world.resume(first);
        world.run(20_000);
        assert.equal(
          holders(world, "osaka"),
          [other(first)],
          "who comes late does not take it back",
        );
        assert.equal(twice, []);
      }
    }
  }
});

test("Several hosts: a new decider inherits no silence and no guard", () => {
  for (const dies of [2000, 10_000, 18_000]) {
    const scene = leased(four);
    const { world } = scene;
    const { takeoverWaitMs } = timingOf(world);
    cutAll(world, true);
    world.run(dies);
    const [first = ""] = holders(world, "osaka");
    world.kill(first);
    world.run(120_000);
    noBreach(scene, `the decider dies after ${dies} ms`);
    const lockedMs = toldAt(world.agent(other(first)), "lock", "phase", "held");
    const beganMs = toldAt(world.agent(other(first)), "takeover", "step", "begin");
    assert.ok(lockedMs !== null);
    if (beganMs !== null) assert.ok(beganMs - (lockedMs ?? 0) >= takeoverWaitMs);
  }
});

test("Several hosts: a mistake is seen: a decider that counts silence of before the lock was its own", () => {
  const breaches = [0, 1000, 2000, 3000, 4000].flatMap((phase) => {
    const scene = leased(four);
    const { world } = scene;
    const [first = ""] = holders(world, "osaka");
    const second = other(first);
    mistake(world, second, (state) => ({
      ...state,
      waiting: { ...state.waiting, sinceMs: 0, guards: { "tokyo-1": 1n, "tokyo-2": 1n } },
    }));
    world.run(phase);
    for (const name of ["tokyo-1", "tokyo-2"]) world.agent(name).stopOk = false;
    world.kill(first);
    cutAll(world, true);
    world.run(60_000);
    return scene.judge.breaches;
  });
  assert.is.not(breaches.length, 0);
});

test("Several hosts: both claim at one moment, with writes that come late: never two holders", () => {
  for (let phase = 0; phase < 2000; phase += every) {
    const { world } = begun(four);
    const twice = watchLocks(world);
    const [a, b] = ["osaka-1", "osaka-2"].map((name) => world.agent(name)) as [Agent, Agent];
    a.writeMs = 4 + (phase % 1300);
    b.writeMs = 4 + ((7 * phase) % 1700);
    world.run(60_000);
    assert.equal(twice, [], `phase ${phase}`);
    a.writeMs = 4;
    b.writeMs = 4;
    world.run(40_000);
    assert.is(holders(world, "osaka").length, 1);
  }
});

test("Several hosts: epochs rise over the restart of all, so an older decider is told from a later one", () => {
  const { world } = leased(four);
  let last = 0;
  for (let round = 0; round < 4; round++) {
    const [first = ""] = holders(world, "osaka");
    const { epoch } = world.agent(first).state.lock;
    assert.ok(epoch > last, `${epoch} after ${last}`);
    last = epoch;
    world.kill("osaka-1", "osaka-2");
    world.run(500);
    world.start("osaka-1");
    world.start("osaka-2");
    world.run(30_000);
    assert.is(world.agent("tokyo-1").state.role, "active", "and production heeds the later one");
  }
});

test("Several hosts: an older decider's word is void from the first record of a later one", () => {
  const { world } = leased(four);
  const [first = ""] = holders(world, "osaka");
  mistake(world, other(first), (state) => ({
    ...state,
    lock: { ...state.lock, phase: "held", epoch: 9, anchorMs: state.clocks.longMs },
  }));
  world.run(3000);
  assert.is(world.agent("tokyo-1").state.lease.epochs["osaka"], 9);
  world.kill(other(first));
  world.run(timingOf(world).leaseMs - 4000);
  assert.is.not(world.agent("tokyo-1").state.role, "active");
});

test("Several hosts: it waits from the last beat of any armed host of production", () => {
  const scene = leased(four);
  const { world } = scene;
  world.reset("tokyo-1");
  world.run(60_000);
  assert.equal(scene.judge.hosts(), ["tokyo-2"], "one that goes on keeps its site's right");
  world.reset("tokyo-2");
  const diedMs = world.nowMs;
  world.run(60_000);
  assert.equal(scene.judge.sites(), ["osaka"]);
  const [first = ""] = holders(world, "osaka");
  const beganMs = toldAt(world.agent(first), "takeover", "step", "begin") ?? 0;
  assert.ok(beganMs - diedMs >= timingOf(world).takeoverWaitMs - 1000);
  noBreach(scene);
});

test("Several hosts: the takeover stands beside the claims on the own volume, or it does not go on", () => {
  const twin = leased(four);
  const [first = ""] = holders(twin.world, "osaka");
  cutAll(twin.world, true);
  twin.world.run(60_000);
  const beganMs = toldAt(twin.world.agent(first), "takeover", "step", "begin") ?? 0;
  for (const how of ["hangs", "is off"] as const) {
    for (const beforeMs of [100, 1000, 2000]) {
      const scene = leased(four);
      const { world } = scene;
      cutAll(world, true);
      world.run(beganMs - beforeMs - world.nowMs);
      if (how === "hangs") world.agent(first).writesHang = true;
      else world.switch(first, { kind: "mirror", name: "west" }, false);
      world.run(2 * beforeMs);
      // The mirrors come back, the network does not: only its sibling is heard at the other site.
      for (const name of world.volumes.keys()) world.link(name, true);
      world.run(60_000);
      noBreach(scene, `${how}, ${beforeMs} ms before`);
    }
  }
});

test("Several hosts: an operator's takeover is the decider's", () => {
  const { world } = leased(four);
  const [first = ""] = holders(world, "osaka");
  cutAll(world, true);
  world.run(10_000);
  const said = command(world, other(first), { kind: "takeover" }, 1000);
  assert.is(said?.code, exitCodes.tryLater, said?.message);
  assert.is(command(world, first, { kind: "takeover" }, 30_000)?.code, 0);
});

// ---- Local takeover

const servingHost = (scene: Scene): string => scene.judge.hosts()[0] ?? "";

test("Several hosts: local: the service follows the lock within the site, never on two hosts", () => {
  for (const how of ["kill", "reset", "pause"] as const) {
    for (let phase = 0; phase < 1000; phase += 3 * every) {
      const scene = leased(local, { local: true });
      const { world } = scene;
      world.run(phase);
      const first = servingHost(scene);
      assert.equal(scene.judge.hosts().length, 1);
      world[how](first);
      world.run(localTakeoverWaitMs(timingOf(world)) + 15_000);
      assert.equal(scene.judge.hosts(), [other(first)], `${how} at phase ${phase}`);
      assert.equal(scene.judge.sites(), ["tokyo"], "and the other site need not take over");
      noBreach(scene);
    }
  }
});

test("Several hosts: local: who cannot write its claim any more stops, or its machine does", () => {
  for (const stopOk of [true, false]) {
    const scene = leased(local, { local: true });
    const { world } = scene;
    const first = servingHost(scene);
    world.agent(first).stopOk = stopOk;
    world.agent(first).writesHang = true;
    world.run(60_000);
    noBreach(scene);
    assert.equal(scene.judge.hosts(), [other(first)]);
  }
});

test("Several hosts: local: a mistake is seen: a host that waits for the lock's own time only", () => {
  const breaches = [0, 300, 600].flatMap((phase) => {
    const scene = leased({ ...local, timing: { watchdogMs: 6000 } }, { local: true });
    const { world } = scene;
    world.run(phase);
    const first = servingHost(scene);
    mistake(world, other(first), (state) => ({
      ...state,
      lock: {
        ...state.lock,
        siblings: Object.fromEntries(
          Object.entries(state.lock.siblings).map(([name, claim]) => [
            name,
            { ...claim, claims: state.clocks.shortMs - claim.seenMs < 2000 },
          ]),
        ),
      },
    }));
    world.agent(first).stopOk = false;
    world.agent(first).writesHang = true;
    world.run(60_000);
    return scene.judge.breaches;
  });
  assert.is.not(breaches.length, 0);
});

test("Several hosts: local: after a takeover of the site the same holds at the other one", () => {
  const scene = leased(local, { local: true });
  const { world } = scene;
  world.reset("tokyo-1");
  world.reset("tokyo-2");
  world.run(60_000);
  const first = servingHost(scene);
  assert.match(first, /^osaka/);
  world.start("tokyo-1");
  world.start("tokyo-2");
  world.run(20_000);
  world.reset(first);
  world.run(40_000);
  assert.equal(scene.judge.hosts(), [other(first)]);
  noBreach(scene);
});

test.run();
