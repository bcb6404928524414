/** The planned switch-over and the way back: how they go, and how they are refused. Virtual time. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { SitesWish } from "../../testing/core-config.ts";
import type { World } from "../../testing/core-world.ts";
import {
  command,
  four,
  leased,
  noBreach,
  oradata,
  pair,
  rolesOf,
  servedAt,
} from "../../testing/lease-world.ts";
import { exitCodes } from "../base/exit-codes.ts";

const data: SitesWish = { ...pair, dataGroups: [oradata] };

const toOsaka = (world: World, waitMs = 30_000) =>
  command(world, "tokyo-1", { kind: "switchover", to: "osaka" }, waitMs);

test("Handing over: the service is stopped, the data found whole and swapped, then it runs there", () => {
  for (const wish of [data, { ...four, dataGroups: [oradata] }]) {
    const scene = leased(wish);
    const { world, judge } = scene;
    const said = toOsaka(world);
    assert.is(said?.code, 0, said?.message);
    assert.equal(judge.sites(), ["osaka"]);
    noBreach(scene);
    assert.equal(
      world.agent("tokyo-1").dataAsked.map(({ kind }) => kind),
      ["check-data", "check-data"],
    );
    const osaka = [world.agent("osaka-1"), ...(wish === data ? [] : [world.agent("osaka-2")])];
    const taken = osaka.flatMap(({ dataAsked }) => dataAsked);
    assert.equal(
      taken.map((each) => [each.kind, "verb" in each ? each.verb : ""]),
      [["take-data", "swap"]],
    );
    assert.not(osaka[0]?.state.lease.solo, "it goes by a lease from the first moment");
  }
});

test("Handing over: and back again, over and over", () => {
  const scene = leased(data);
  const { world, judge } = scene;
  for (let round = 0; round < 3; round++) {
    assert.is(toOsaka(world)?.code, 0);
    assert.equal(judge.hosts(), ["osaka-1"]);
    const back = command(world, "osaka-1", { kind: "switchover", to: "tokyo" }, 30_000);
    assert.is(back?.code, 0, back?.message);
    assert.equal(judge.hosts(), ["tokyo-1"]);
  }
  noBreach(scene);
  assert.is(toOsaka(world)?.code, 0);
  assert.match(toOsaka(world)?.message ?? "", /active in term \d+ already; nothing to do/);
});

test("after a takeover the same command fails back", () => {
  const scene = leased(data);
  const { world, judge } = scene;
  world.reset("tokyo-1");
  world.run(60_000);
  world.start("tokyo-1");
  world.run(20_000);
  const back = command(world, "osaka-1", { kind: "switchover", to: "tokyo" }, 30_000);
  assert.is(back?.code, 0, back?.message);
  assert.equal(judge.hosts(), ["tokyo-1"]);
  noBreach(scene);
});

test("before the term is given every fault ends with the service where it was", () => {
  const faults: readonly (readonly [string, (world: World) => void, (world: World) => void])[] = [
    [
      "data",
      (w) => (w.agent("tokyo-1").dataFault = "copying"),
      (w) => (w.agent("tokyo-1").dataFault = ""),
    ],
    [
      "stop hook",
      (w) => (w.agent("tokyo-1").stopOk = false),
      (w) => (w.agent("tokyo-1").stopOk = true),
    ],
    [
      "disk",
      (w) => (w.agent("tokyo-1").storeOk = false),
      (w) => (w.agent("tokyo-1").storeOk = true),
    ],
  ];
  for (const [name, begin, end] of faults) {
    const scene = leased(data);
    const { world, judge } = scene;
    begin(world);
    const said = toOsaka(world);
    assert.is.not(said?.code, 0, name);
    assert.match(said?.message ?? "", /not switched over: .*; this site keeps the term 257/);
    const giver = world.agent("tokyo-1");
    assert.is(rolesOf(giver).at(-1), giver.state.role, `${name}: its role is told`);
    end(world);
    world.run(20_000);
    assert.equal(judge.hosts(), ["tokyo-1"], name);
    noBreach(scene);
  }
});

test("it is refused where the other site could not go on", () => {
  const scene = leased(data);
  const { world } = scene;
  world.kill("osaka-1");
  world.run(5000);
  assert.is(toOsaka(world, 1000)?.code, exitCodes.unsafe);
  const wrong = command(world, "tokyo-1", { kind: "switchover", to: "mars" }, 1000);
  assert.is(wrong?.code, exitCodes.usage);
});

test("Handing over: where the receiver's data cannot be taken it says so, and the way back is open", () => {
  const scene = leased(data);
  const { world, judge } = scene;
  world.agent("osaka-1").dataFault = "the pair does not swap";
  toOsaka(world, 60_000);
  assert.equal(judge.hosts(), []);
  assert.match(world.agent("osaka-1").state.roleReason, /the pair does not swap.*takeover --yes/);
  world.agent("osaka-1").dataFault = "";
  assert.is(command(world, "osaka-1", { kind: "takeover" }, 20_000)?.code, 0);
  assert.equal(judge.hosts(), ["osaka-1"]);
  noBreach(scene);
});

test("Several hosts: every host of the giver stops before the term is given", () => {
  const scene = leased(four);
  const { world, judge } = scene;
  assert.equal(judge.hosts(), ["tokyo-1", "tokyo-2"]);
  world.agent("tokyo-2").stopOk = false;
  toOsaka(world, 20_000);
  assert.is(world.agent("osaka-1").state.term, 257n, "it is not given while one may serve");
  world.agent("tokyo-2").stopOk = true;
  world.run(60_000);
  assert.equal(judge.sites(), ["osaka"]);
  const stopped = Math.max(
    ...["tokyo-1", "tokyo-2"].map((name) => servedAt(scene, name, "serves no more")),
  );
  assert.ok(stopped < servedAt(scene, "osaka-1", "serves"));
  noBreach(scene);
});

test("under an operator's word it goes the same way, without leases", () => {
  const scene = leased({ ...data, policy: "operator" });
  const { world, judge } = scene;
  const said = toOsaka(world);
  assert.is(said?.code, 0, said?.message);
  assert.equal(judge.hosts(), ["osaka-1"]);
  noBreach(scene);
  assert.equal(rolesOf(world.agent("tokyo-1")).at(-1), "standby");
});

test.run();
