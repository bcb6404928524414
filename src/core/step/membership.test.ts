/** Members, mirrors and commands that change while all beat: ways in which that once went wrong. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { bothWays, type SitesWish } from "../../testing/core-config.ts";
import { type Agent, World } from "../../testing/core-world.ts";
import { gateView } from "./gate.ts";

const three = { ...bothWays, spare: "tokyo>osaka" } as const;
const one = { tokyo: ["t1"], osaka: ["o1"] };
const reg = (agent: Agent, mirror: string): string =>
  agent.state.devices.registrations[mirror]?.state ?? "-";

test("a host that is active and beats may not be configured away: takeover would be accepted", () => {
  const world = new World({ tokyo: ["t1"], osaka: ["o2", "o1"] });
  world.run(10_000);
  assert.is(world.takeover("o1", { force: true }), 0);
  world.run(10_000);
  assert.is(world.agent("o1").state.role, "active");
  assert.is(world.agent("t1").state.role, "standby");
  assert.is.not(world.takeover("t1"), 0, "refused while o1 beats");
  const next: SitesWish = { tokyo: ["t1"], osaka: ["o2"], generation: 2 };
  const staged = ["t1", "o2"].map((name) => world.stage(name, next).code);
  world.run(5000);
  const end = world.install("t1", "reconfigure", "");
  world.run(5000);
  world.kill("o2");
  world.run(60_000);
  // o1 serves, has heard nothing of the takeover; its way in is cut.
  world.cutNetwork.add("tokyo>osaka");
  world.link("east", false);
  world.run(60_000);
  const code = world.takeover("t1");
  const active = ["t1", "o1"].filter((name) => world.agent(name).state.role === "active");
  assert.is.not(
    active.length,
    2,
    `two active; staged ${staged}, switch ${JSON.stringify(end?.message)}, takeover without force ${code}, group ${world.agent("t1").rows("osaka").slice(-2)}`,
  );
});

test("a host that beats is not configured away, be it by force", () => {
  const world = new World({ tokyo: ["t1"], osaka: ["o2", "o1"] });
  world.run(30_000);
  const next: SitesWish = { tokyo: ["t1"], osaka: ["o2"], generation: 2 };
  for (const name of ["t1", "o2"]) world.stage(name, next);
  world.run(5000);
  for (const force of [false, true]) {
    const refused = world.install("t1", "reconfigure", "", { force });
    assert.is(refused?.code, 75);
    assert.match(refused?.message ?? "", "o1");
  }
  // Silent, it may serve all the same: only by force. Left in order, it is free to go.
  world.kill("o1");
  world.run(90_000);
  assert.is(world.install("t1", "reconfigure", "")?.code, 107);
  world.start("o1");
  world.run(20_000);
  world.input("o1", { kind: "stop" } as never);
  world.run(3000);
  world.kill("o1");
  world.run(90_000);
  assert.is(world.install("t1", "reconfigure", "")?.code, 0);
});

test("a host does not become a beacon while it runs: nobody would count it any more", () => {
  const world = new World({ tokyo: ["t1"], osaka: ["o1", "o2"] });
  world.run(10_000);
  const next: SitesWish = { ...world.wish, beacons: ["o2"], generation: 2 };
  for (const name of ["t1", "o1", "o2"]) assert.is(world.stage(name, next).code, 78);
});

test("a second command waits until all have done the first, or drops it by force", () => {
  const mirrors = { ...three, west2: "osaka>tokyo", spare2: "tokyo>osaka" } as const;
  const uninstalled = ["spare", "spare2", "west2"];
  const world = new World({ tokyo: ["t1"], osaka: ["o1", "o2"], mirrors, uninstalled });
  world.run(30_000);
  world.kill("o2");
  world.run(60_000);
  const first = world.install("t1", "install", "spare");
  assert.match(first?.message ?? "", "told when they come back: o2");
  assert.match(world.install("t1", "install", "spare2")?.message ?? "", "activate of spare");
  assert.match(world.install("o1", "install", "west2")?.message ?? "", "t1's activate of spare");
  world.start("o2");
  world.run(60_000);
  assert.is(world.install("t1", "install", "spare2")?.code, 0);
  assert.is(world.install("o1", "install", "west2")?.code, 0);
  for (const mirror of ["spare", "spare2", "west2"])
    assert.is(reg(world.agent("o2"), mirror), "enabled");
  assert.is(world.agent("t1").memory.devices?.command, null);
});

test("a command given before the others' numbers were heard is called done by all, and nobody did it", () => {
  const world = new World({ ...one, mirrors: three });
  world.run(10_000);
  for (let i = 0; i < 2; i++) {
    assert.is(world.install("t1", "deinstall", "spare")?.code, 0);
    assert.is(world.install("t1", "install", "spare")?.code, 0);
  }
  world.kill("t1");
  world.run(1000);
  // The device address file was moved away, as its "damaged" message says.
  world.agent("t1").memory.devices = null;
  world.start("t1");
  const end = world.install("t1", "deinstall", "spare", { force: true });
  world.run(20_000);
  assert.is.not(
    `${end?.code} ${end?.message}; at o1: ${reg(world.agent("o1"), "spare")}`,
    "0 spare is removed; at o1: enabled",
  );
});

test("a higher term on a mirror that is read though it is not installed", () => {
  const world = new World({ ...one, mirrors: bothWays });
  world.run(10_000);
  assert.is(world.takeover("o1", { force: true }), 0);
  world.run(10_000);
  assert.is(world.agent("o1").state.role, "active");
  world.cut(true);
  world.link("west", false);
  world.run(1000);
  assert.is(world.install("o1", "deinstall-local", "east")?.code, 0);
  world.run(60_000);
  assert.is(world.takeover("t1", { force: true }), 0);
  world.run(30_000);
  assert.is(
    world.agent("o1").state.role,
    "standby",
    `t1 ${world.agent("t1").state.role}, o1 probes: ${JSON.stringify(Object.keys(world.agent("o1").state.probes))}`,
  );
});

test("a path switched off and on again, which is broken: row 3c, not row 1", () => {
  const world = new World({ ...one });
  world.run(10_000);
  world.switch("t1", { kind: "mirror", name: "east" }, false);
  world.run(5000);
  world.link("east", false);
  world.run(1000);
  world.switch("t1", { kind: "mirror", name: "east" }, true);
  world.run(120_000);
  assert.is.not(world.agent("o1").row("t1"), "1");
});

test("a path that beats is never hidden: mirrors in another order at the other site", () => {
  const mirrors = { a: "tokyo>osaka", b: "tokyo>osaka", west: "osaka>tokyo" } as const;
  const swapped = { b: "tokyo>osaka", a: "tokyo>osaka", west: "osaka>tokyo" } as const;
  const world = new World({
    tokyo: ["t1", "tb"],
    osaka: ["o1"],
    beacons: ["tb"],
    network: false,
    mirrors,
  });
  world.run(10_000);
  world.kill("o1");
  world.run(1000);
  world.wish = { ...world.wish, mirrors: swapped };
  world.start("o1");
  world.run(60_000);
  const o1 = world.agent("o1");
  assert.is(o1.row("t1"), "2b");
  assert.is(world.install("t1", "deinstall-local", "a")?.code, 0);
  world.run(90_000);
  const seen = `t1 is ${world.agent("t1").state.role}, b: ${o1.peer("t1").sightings["b"]?.status}, group ${JSON.stringify(o1.state.groups["tokyo"])}`;
  const row = o1.row("t1");
  const code = world.takeover("o1");
  assert.equal([row, code], ["2b", 107], seen);
});

test("what was installed after the staging is not configured away by the switch", () => {
  const world = new World({ ...one, mirrors: three, uninstalled: ["spare"] });
  world.run(10_000);
  const next: SitesWish = { ...one, mirrors: bothWays, generation: 2 };
  for (const name of ["t1", "o1"]) assert.is(world.stage(name, next).code, 0);
  world.run(4000);
  assert.is(world.install("t1", "install", "spare")?.code, 0);
  world.run(4000);
  const end = world.install("t1", "reconfigure", "");
  world.run(4000);
  const { state } = world.agent("t1");
  assert.ok(
    reg(world.agent("t1"), "spare") === "-" || state.paths["spare"] !== undefined,
    `switch: ${end?.code} ${end?.message}; registered ${reg(world.agent("t1"), "spare")}, path ${state.paths["spare"]?.enabled}`,
  );
});

test("a removal that a full disk stopped leaves the mirror judged, as its registration says", () => {
  const world = new World({ ...one, mirrors: three });
  world.run(10_000);
  const o1 = world.agent("o1");
  o1.filesFault = "the disk is full";
  assert.is(world.install("o1", "deinstall-local", "spare")?.code, 73);
  world.run(10_000);
  assert.equal([reg(o1, "spare"), o1.state.paths["spare"]?.enabled], ["enabled", true]);
});

test("a dead host is silent, though a path that is off last saw it well", () => {
  const mirrors = { ...three, west2: "osaka>tokyo" } as const;
  const world = new World({ tokyo: ["t1", "t2"], osaka: ["o1"], mirrors, uninstalled: ["west2"] });
  world.run(30_000);
  world.switch("o1", { kind: "mirror", name: "spare" }, false);
  world.run(10_000);
  world.kill("t2");
  world.run(120_000);
  const o1 = world.agent("o1");
  const seen = JSON.stringify(
    Object.entries(o1.peer("t2").sightings).map(([n, { status }]) => [n, status]),
  );
  const end = world.install("o1", "install", "west2", { waitMs: 120_000 });
  assert.is(end?.code, 0, `t2 at o1: ${seen}`);
});

test("a removal that waits for the dead is not forgotten for another command", () => {
  const world = new World({ ...one, mirrors: three });
  world.run(30_000);
  world.kill("o1");
  world.run(90_000);
  assert.is(world.install("t1", "deinstall", "spare"), null);
  assert.is(reg(world.agent("t1"), "spare"), "draining");
  assert.match(world.install("t1", "deinstall", "east")?.message ?? "", "deactivate of spare");
  world.start("o1");
  world.run(60_000);
  assert.equal(
    ["t1", "o1"].map((name) => reg(world.agent(name), "spare")),
    ["-", "-"],
  );
});

test("a mirror that the reader's configuration has off is not switched on by a command", () => {
  const world = new World({ ...one, mirrors: three, uninstalled: ["spare"] });
  const config = world.agent("o1").state.config;
  const off = {
    ...config,
    mirrors: config.mirrors.map((m) => (m.name === "spare" ? { ...m, enabled: false } : m)),
  };
  world.agent("o1").state = { ...world.agent("o1").state, config: off };
  world.run(10_000);
  world.install("t1", "install", "spare");
  assert.is(world.agent("o1").state.paths["spare"]?.enabled, false);
});

test("living hosts are waited for, though a volume that is not installed is looked at meanwhile", () => {
  const mirrors = { ...three, west2: "osaka>tokyo" } as const;
  const world = new World({ tokyo: ["t1", "t2"], osaka: ["o1"], mirrors, uninstalled: ["west2"] });
  world.run(30_000);
  assert.is(world.install("t1", "deinstall", "spare")?.message, "spare is removed");
});

test("a follower whose volume is missing can still be commanded locally", () => {
  const world = new World({ ...one, mirrors: three, uninstalled: ["spare"] });
  world.run(10_000);
  world.agent("o1").missingVolumes.add("spare");
  assert.is(world.install("t1", "install", "spare"), null);
  world.kill("t1");
  world.run(120_000);
  const end = world.install("o1", "deinstall-local", "east", { force: true });
  assert.is(end?.code, 0, end?.message);
});

test("the same with no mistake in any file: a mirror is taken out, and one host is left behind", () => {
  const mirrors = {
    x: "tokyo>osaka",
    a: "tokyo>osaka",
    b: "tokyo>osaka",
    west: "osaka>tokyo",
  } as const;
  const less = { a: "tokyo>osaka", b: "tokyo>osaka", west: "osaka>tokyo" } as const;
  const wish: SitesWish = {
    tokyo: ["t1", "tb"],
    osaka: ["o1"],
    beacons: ["tb"],
    network: false,
    mirrors,
    uninstalled: ["x"],
  };
  const world = new World(wish);
  world.run(30_000);
  const next: SitesWish = { ...wish, mirrors: less, generation: 2 };
  for (const name of ["tb", "o1"]) assert.is(world.stage(name, next).code, 0);
  world.run(4000);
  world.install("o1", "reconfigure", "", { force: true });
  world.run(10_000);
  assert.is(world.install("t1", "deinstall-local", "b")?.code, 0);
  world.run(90_000);
  const o1 = world.agent("o1");
  const seen = `t1 is ${world.agent("t1").state.role}, a: ${o1.peer("t1").sightings["a"]?.status}, group ${JSON.stringify(o1.state.groups["tokyo"])}`;
  const row = o1.row("t1");
  assert.equal([row, world.takeover("o1")], ["2b", 107], seen);
});

test("mirrors that stay keep their order, though another is taken out", () => {
  const mirrors = {
    x: "tokyo>osaka",
    a: "tokyo>osaka",
    b: "tokyo>osaka",
    west: "osaka>tokyo",
  } as const;
  const world = new World({ ...one, mirrors, uninstalled: ["x"] });
  world.run(5000);
  const next: SitesWish = {
    ...one,
    mirrors: { b: "tokyo>osaka", a: "tokyo>osaka", west: "osaka>tokyo" },
    generation: 2,
  };
  assert.is(world.stage("t1", next).code, 78);
});

test("an active sibling may not be configured away", () => {
  const world = new World({ tokyo: ["t1"], osaka: ["o1", "o2"] });
  world.run(10_000);
  assert.is(world.takeover("o2", { force: true }), 0);
  world.run(10_000);
  assert.is.not(world.takeover("o1"), 0, "o2 is active: busy");
  const next: SitesWish = { tokyo: ["t1"], osaka: ["o1"], generation: 2 };
  for (const name of ["t1", "o1"]) world.stage(name, next);
  world.run(3000);
  const end = world.install("o1", "reconfigure", "");
  world.run(5000);
  const code = world.takeover("o1");
  const active = ["o1", "o2"].map(
    (n) => `${n} ${world.agent(n).state.role} ${world.agent(n).state.servesHere}`,
  );
  assert.is.not(code, 0, `${end?.message}; ${active}`);
});

test("a host left behind by a switch does not take over: it does not know all that may serve", () => {
  const world = new World({ tokyo: ["t1"], osaka: ["o1"] });
  world.run(30_000);
  const next: SitesWish = { tokyo: ["t1", "t2"], osaka: ["o1"], generation: 2 };
  world.pause("o1");
  world.run(60_000);
  assert.is(world.stage("t1", next).code, 0);
  world.run(3000);
  world.install("t1", "reconfigure", "", { force: true });
  world.wish = next;
  world.start("t2");
  world.resume("o1");
  world.run(20_000);
  world.kill("t1");
  world.run(60_000);
  assert.is(world.takeover("o1"), 107);
  const [answer] = world.agent("o1").answers.slice(-1);
  assert.match(answer?.message ?? "", "t1 went by a newer configuration");
  assert.ok(
    world
      .agent("o1")
      .texts("config")
      .some((text) => text.includes("step=differs")),
  );
});

test("the gate is never open on a beacon, whoever of its site serves", () => {
  const world = new World({ beacons: ["tokyo-2"] });
  world.run(20_000);
  const view = (name: string) => gateView(world.agent(name).state, "");
  assert.is(view("tokyo-1").open, true);
  assert.equal([view("tokyo-2").open, view("tokyo-2").opens], [false, "nothing"]);
});

test.run();
