/** Installing and removing mirrors in the virtual world: order, crashes, silence, no network. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { bothWays } from "../../testing/core-config.ts";
import { type Agent, World } from "../../testing/core-world.ts";

const three = { ...bothWays, spare: "tokyo>osaka" } as const;
const one = { tokyo: ["t1"], osaka: ["o1"] };

const steps = (agent: Agent): string[] =>
  agent.events("mirror").map(({ fields }) => String(fields["step"]));
const state = (agent: Agent, mirror: string): string =>
  agent.state.devices.registrations[mirror]?.state ?? "-";
const calm = (world: World): void => {
  for (const agent of world.agents.values()) {
    const alarms = agent
      .events("verdict", "group")
      .filter(({ fields }) => fields["action"] !== "none")
      .map(({ fields }) => `${agent.name}: row ${String(fields["row"])}`);
    assert.equal(alarms, []);
    assert.equal(
      agent.events("path").filter(({ level }) => level === "warning"),
      [],
    );
  }
};

test("install in the order of the claim, at both sites, with a receipt", () => {
  const world = new World({ ...one, mirrors: three, uninstalled: ["spare"] });
  world.run(10_000);
  assert.is(world.agent("t1").state.paths["spare"]?.enabled, false);
  const end = world.install("t1", "install", "spare");
  assert.equal([end?.code, end?.message], [0, "spare is installed"]);
  assert.equal(steps(world.agent("t1")), [
    "pvol-registered",
    "enabled",
    "activation-sent",
    "acknowledged",
    "installed",
  ]);
  assert.equal(steps(world.agent("o1")), [
    "activation-received",
    "svol-registered",
    "enabled",
    "receipt-sent",
  ]);
  world.run(10_000);
  assert.is(world.agent("o1").state.peers[0]?.sightings["spare"]?.status, "ok");
  calm(world);
  // All have done it: the command is given no longer, and the file says so.
  assert.is(world.agent("t1").memory.devices?.command, null);
  assert.is(state(world.agent("o1"), "spare"), "enabled");
});

test("deinstall: drained first, gone at both sites, no alarm", () => {
  const world = new World({ ...one, mirrors: three });
  world.run(10_000);
  const end = world.install("t1", "deinstall", "spare");
  assert.equal([end?.code, end?.message], [0, "spare is removed"]);
  assert.equal(steps(world.agent("t1")), [
    "draining",
    "deactivation-sent",
    "acknowledged",
    "deregistered",
  ]);
  assert.equal(steps(world.agent("o1")), [
    "deactivation-received",
    "draining",
    "deregistered",
    "receipt-sent",
  ]);
  world.run(60_000);
  for (const agent of world.agents.values()) assert.is(state(agent, "spare"), "-");
  calm(world);
});

test("with no network the mirror itself carries the activation, the reverse one the receipt", () => {
  const world = new World({ ...one, network: false, uninstalled: ["east"] });
  world.run(10_000);
  assert.is(world.install("t1", "install", "east")?.code, 0);
  world.run(10_000);
  assert.is(world.agent("o1").state.peers[0]?.sightings["east"]?.status, "ok");
  assert.is(world.agent("o1").rows("tokyo").at(-1), "2b");
  assert.is(world.install("t1", "deinstall", "east", { force: true })?.code, 0);
});

test("with neither network nor mirror, both are installed by what they carry themselves", () => {
  const world = new World({ ...one, network: false, uninstalled: ["east", "west"] });
  world.run(5000);
  assert.is(world.install("t1", "install", "east"), null);
  assert.is(state(world.agent("o1"), "east"), "enabled");
  assert.is(world.install("o1", "install", "west")?.code, 0);
  world.run(10_000);
  assert.is(world.agent("t1").state.lastInstallation?.message, "east is installed");
  assert.is(world.agent("o1").rows("tokyo").at(-1), "2b");
  assert.is(world.agent("t1").rows("osaka").at(-1), "2b");
});

test("a crash after any step, at either site, and the same end when it runs again", () => {
  for (const what of ["install", "deinstall"] as const) {
    for (const victim of ["t1", "o1"]) {
      for (let afterMs = 1; afterMs < 3000; afterMs += 97) {
        const uninstalled = what === "install" ? ["spare"] : [];
        const world = new World({ ...one, mirrors: three, uninstalled });
        world.run(10_000);
        const done = world.install("t1", what, "spare", { waitMs: afterMs });
        world.kill(victim);
        world.run(500);
        world.start(victim);
        world.run(15_000);
        if (victim === "t1" && done?.code !== 0) world.install("t1", what, "spare");
        world.run(15_000);
        const wanted = what === "install" ? "enabled" : "-";
        const found = ["t1", "o1"].map((name) => state(world.agent(name), "spare"));
        assert.equal(found, [wanted, wanted], `${what}, ${victim} killed after ${afterMs} ms`);
        for (const agent of world.agents.values()) {
          assert.is(agent.state.installation, null);
          assert.is(agent.memory.devices?.command, null);
        }
      }
    }
  }
});

test("a silent host is named, not waited for, and follows when it is back", () => {
  const world = new World({
    tokyo: ["t1", "t2"],
    osaka: ["o1", "o2"],
    mirrors: three,
    uninstalled: ["spare"],
  });
  world.run(10_000);
  world.kill("o2");
  world.run(60_000);
  const end = world.install("t1", "install", "spare");
  assert.equal(
    [end?.code, end?.message],
    [0, "spare is installed; silent, and told when they come back: o2"],
  );
  assert.is(state(world.agent("t2"), "spare"), "enabled");
  world.start("o2");
  world.run(20_000);
  assert.is(state(world.agent("o2"), "spare"), "enabled");
  assert.is(world.agent("t1").memory.devices?.command, null);
});

test("a volume that cannot be opened: nothing is changed here; there, it is waited for and named", () => {
  const world = new World({ ...one, mirrors: three, uninstalled: ["spare"] });
  world.run(10_000);
  world.agent("t1").missingVolumes.add("spare");
  const refused = world.install("t1", "install", "spare");
  assert.is(refused?.code, 75);
  assert.match(refused?.message ?? "", "no such device");
  assert.is(state(world.agent("t1"), "spare"), "-");
  world.agent("t1").missingVolumes.clear();
  world.agent("o1").missingVolumes.add("spare");
  assert.is(world.install("t1", "install", "spare"), null);
  assert.is(world.agent("t1").state.peers[0]?.word?.commandFault, 2);
  world.agent("o1").missingVolumes.clear();
  world.run(10_000);
  assert.is(world.agent("t1").state.lastInstallation?.code, 0);
});

test("a full disk stops it there, says so, and loses nothing", () => {
  const world = new World({ ...one, mirrors: three, uninstalled: ["spare"] });
  world.run(10_000);
  world.agent("t1").filesFault = "the disk is full";
  const stopped = world.install("t1", "install", "spare");
  assert.is(stopped?.code, 73);
  assert.equal(world.agent("t1").memory.devices, world.agent("t1").state.devices);
  assert.is(world.agent("t1").state.paths["spare"]?.enabled, false);
  world.agent("t1").filesFault = "";
  world.agent("o1").filesFault = "the disk is full";
  assert.is(world.install("t1", "install", "spare"), null);
  world.agent("o1").filesFault = "";
  world.run(10_000);
  assert.is(world.agent("t1").state.lastInstallation?.code, 0);
});

test("a failed mirror is removed locally while the other site is dead, and made anew later", () => {
  const world = new World({ ...one, mirrors: three });
  world.run(10_000);
  world.kill("t1");
  world.run(60_000);
  assert.match(world.install("o1", "deinstall", "spare")?.message ?? "", "written by tokyo");
  const end = world.install("o1", "deinstall-local", "spare");
  assert.is(end?.code, 0);
  assert.is(state(world.agent("o1"), "spare"), "-");
  world.start("t1");
  world.run(60_000);
  // It still writes there; nobody listens, and nobody is alarmed.
  assert.is(world.agent("o1").rows("tokyo").at(-1), "1");
  assert.is(world.install("t1", "deinstall", "spare")?.code, 0);
  assert.is(world.install("t1", "install", "spare")?.code, 0);
  world.run(10_000);
  assert.is(world.agent("o1").state.peers[0]?.sightings["spare"]?.status, "ok");
});

test("asked for while the file is being written for something else: it begins after that", () => {
  const world = new World({ ...one, mirrors: three, uninstalled: ["spare"] });
  world.run(10_000);
  const agent = world.agent("t1");
  agent.state = { ...agent.state, storing: agent.state.devices };
  world.input("t1", {
    kind: "install", wallNs: 0n, id: 1, what: "install", mirror: "spare", force: false,
  } as never); // biome-ignore format: one input
  assert.is(agent.state.installation?.waiting, null);
  world.input("t1", { kind: "devices-stored", nowMs: 0, wallNs: 0n, fault: "" } as never);
  world.run(10_000);
  assert.is(agent.state.lastInstallation?.code, 0);
  assert.is(state(agent, "spare"), "enabled");
});

test("a removal that waits goes on after another was removed at this host alone", () => {
  const mirrors = { ...three, other: "tokyo>osaka" } as const;
  const world = new World({ ...one, mirrors });
  world.run(30_000);
  world.kill("o1");
  world.run(60_000);
  assert.is(world.install("t1", "deinstall", "spare"), null);
  assert.is(world.install("t1", "deinstall-local", "other")?.code, 0);
  world.start("o1");
  world.run(30_000);
  assert.equal(
    ["t1", "o1"].map((name) => state(world.agent(name), "spare")),
    ["-", "-"],
  );
  assert.is(state(world.agent("t1"), "other"), "-");
  assert.is(world.agent("t1").memory.devices?.command, null);
});

test("the volume that a site's hosts need for their lock is removed by force alone, and then at once", () => {
  const world = new World({ policy: "lease", takeoverHook: true });
  world.run(30_000);
  const refused = world.install("osaka-1", "deinstall", "west");
  assert.is(refused?.code, 107);
  assert.match(refused?.message ?? "", "know of one another");
  world.run(30_000);
  assert.is(world.agent("tokyo-1").state.role, "active");
  const forced = world.install("osaka-1", "deinstall", "west", { force: true, waitMs: 60_000 });
  assert.is(forced?.code, 0, "no receipt is awaited that cannot come");
});

test("the last path is not removed by mistake", () => {
  const world = new World({ ...one, network: false });
  world.run(10_000);
  const refused = world.install("t1", "deinstall", "east");
  assert.is(refused?.code, 107);
  assert.match(refused?.message ?? "", "last path");
});

test("what nobody configured is refused in one line", () => {
  const world = new World({ ...one });
  world.run(1000);
  assert.match(world.install("t1", "install", "wset")?.message ?? "", "there are: east, west");
  assert.match(world.install("t1", "install", "west")?.message ?? "", "written by osaka");
});

test("the last words of a dead host on an old volume command nothing", () => {
  const world = new World({ ...one, mirrors: three });
  world.run(10_000);
  // It has sent the removal, and dies; its record stays on every volume.
  world.input("t1", {
    kind: "install", wallNs: 0n, id: 1, what: "deinstall", mirror: "spare", force: false,
  } as never); // biome-ignore format: one input
  world.cutNetwork.add("tokyo>osaka");
  world.kill("o1");
  world.run(3000);
  world.kill("t1");
  world.run(1000);
  world.start("o1", { blank: true });
  world.run(30_000);
  assert.is(state(world.agent("o1"), "spare"), "enabled");
});

test("two commands at once: the one with the higher number is carried out by all", () => {
  const mirrors = { ...three, other: "osaka>tokyo" } as const;
  const world = new World({ ...one, mirrors, uninstalled: ["spare", "other"] });
  world.run(10_000);
  const wish = { kind: "install", wallNs: 0n, what: "install", force: false } as const;
  world.input("t1", { ...wish, id: 1, mirror: "spare" } as never);
  world.input("o1", { ...wish, id: 2, mirror: "other" } as never);
  world.run(30_000);
  // Who gave the other one may have left: its journal tells that it does not go on.
  assert.is(steps(world.agent("t1")).filter((step) => step === "superseded").length, 1);
  world.install("t1", "install", "spare");
  for (const name of ["t1", "o1"]) {
    assert.equal(
      [state(world.agent(name), "spare"), state(world.agent(name), "other")],
      ["enabled", "enabled"],
    );
  }
});

test("a path that a peer has off is still off after the reader's restart", () => {
  const world = new World({ ...one });
  world.run(10_000);
  world.switch("t1", { kind: "network" }, false);
  world.run(5000);
  world.kill("o1");
  world.run(1000);
  world.start("o1");
  world.run(60_000);
  assert.is(world.agent("o1").rows("tokyo").at(-1), "2b");
  world.switch("t1", { kind: "network" }, true);
  world.run(20_000);
  assert.is(world.agent("o1").rows("tokyo").at(-1), "1");
  calm(world);
});

test.run();
