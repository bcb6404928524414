// test-limit-seconds: 400
/** Mirrors installed and removed by the shipped program: order, no network, crashes, a full disk. */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { deviceFileName, parseDeviceFile } from "../host/device-file.ts";
import { withWorld, type World } from "../testing/agent-world.ts";
import { needRoot, testWhere } from "../testing/where.ts";

/** A busy machine's own stalls are no silence here. */
const calm = { marginMs: 1600 };
const three = { mirrors: ["a-b", "b-a", "a-b2"], timing: calm };

const steps = (world: World, name: string): readonly string[] =>
  world.events(name, "mirror").map(({ fields }) => fields["step"] ?? "");

function registered(world: World, name: string): Readonly<Record<string, string>> {
  const text = readFileSync(path.join(world.host(name).stateFolder, deviceFileName), "utf8");
  const { registrations = {} } = parseDeviceFile(text) ?? {};
  return Object.fromEntries(
    Object.entries(registrations).map(([name, { state }]) => [name, state]),
  );
}

const untilOk = (world: World, observer: string, mirror: string) =>
  world.untilStatus(observer, `${mirror} is ok`, ({ sites }) =>
    sites.some(({ hosts }) =>
      hosts.some(({ paths }) => paths.some((p) => p.path === mirror && p.status === "ok")),
    ),
  );

function isCalm(world: World, sinceMs: number): void {
  for (const name of world.hosts) assert.equal(world.alarms(name, sinceMs), []);
}

test("one command at production; both journals show the order; removed again without an alarm", () =>
  withWorld({ ...three, uninstalled: ["a-b2"] }, async (world) => {
    await world.beating();
    const sinceMs = performance.now();
    assert.equal(registered(world, "a1"), { "a-b": "enabled", "b-a": "enabled" });
    const installed = await world.verb("a1", "install", "a-b2");
    assert.is(installed.code, 0, installed.err);
    assert.match(installed.out, "a-b2 is installed");
    assert.equal(steps(world, "a1"), [
      "pvol-registered",
      "enabled",
      "activation-sent",
      "acknowledged",
      "installed",
    ]);
    assert.equal(steps(world, "b1"), [
      "activation-received",
      "svol-registered",
      "enabled",
      "receipt-sent",
    ]);
    assert.equal(registered(world, "b1")["a-b2"], "enabled");
    await untilOk(world, "b1", "a-b2");

    const again = await world.verb("a1", "install", "a-b2");
    assert.is(again.code, 0, again.err);
    const status = await world.verb("b1", "status");
    assert.match(status.out, /a-b2 +in +ok/);
    // Installed it stays, over a restart of both.
    await world.stop("a1");
    await world.stop("b1");
    await world.start("a1", "b1");
    await untilOk(world, "b1", "a-b2");

    const removed = await world.verb("a1", "deinstall", "a-b2");
    assert.is(removed.code, 0, removed.err);
    assert.is(registered(world, "a1")["a-b2"], undefined);
    assert.is(registered(world, "b1")["a-b2"], undefined);
    const off = await world.verb("b1", "enable", "mirror", "a-b2");
    assert.is(off.code, 64);
    assert.match(off.err, "mirrorbeat install a-b2");
    assert.match((await world.verb("b1", "status")).out, "not installed");
    isCalm(world, sinceMs);
  }));

test("with the network disabled, the mirror itself carries the activation", () =>
  withWorld(
    { timing: calm, uninstalled: ["a-b", "b-a"], top: () => "network = false\n" },
    async (world) => {
      await world.start("a1", "b1");
      const first = await world.verb("a1", "install", "a-b", "--wait", "2");
      assert.is(first.code, 75, first.err);
      assert.match(first.err, "b1: silent");
      await world.until("b1 has enabled it", () => steps(world, "b1").includes("receipt-sent"));
      const second = await world.verb("b1", "install", "b-a");
      assert.is(second.code, 0, second.err);
      await world.until("a1 saw the receipt", () => steps(world, "a1").includes("installed"));
      await world.untilRow("b1", "a", "2b");
      await world.untilRow("a1", "b", "2b");
    },
  ));

test("killed in the middle at either site: it goes on, or is run again, to the same end", () =>
  withWorld({ ...three, uninstalled: ["a-b2"] }, async (world) => {
    await world.beating();
    const at = (name: string, step: string) =>
      world.until(`${name}: ${step}`, () => steps(world, name).includes(step));
    for (const [victim, step] of [
      ["a1", "pvol-registered"],
      ["a1", "activation-sent"],
      ["b1", "activation-received"],
      ["b1", "svol-registered"],
      ["a1", "draining"],
      ["b1", "deactivation-received"],
      ["b1", "draining"],
    ] as const) {
      const verb = /drain|deactiv/.test(step) ? "deinstall" : "install";
      // Begin where the other verb ends.
      const before = await world.verb("a1", verb === "install" ? "deinstall" : "install", "a-b2");
      assert.is(before.code, 0, before.err);
      for (const name of world.hosts) (world.host(name).told as unknown[]).length = 0;
      const running = world.verb("a1", verb, "a-b2", "--wait", "20");
      await at(victim, step);
      await world.killHost(victim);
      await world.start(victim);
      await running;
      const last = await world.verb("a1", verb, "a-b2");
      assert.is(last.code, 0, `${victim} killed at ${step}: ${last.err}`);
      const wanted = verb === "install" ? "enabled" : undefined;
      for (const name of world.hosts)
        assert.is(registered(world, name)["a-b2"], wanted, `${name} at ${step}`);
    }
  }));

test("a device that is not there is named, and nothing is registered", () =>
  withWorld({ ...three, uninstalled: ["a-b2"] }, async (world) => {
    const missing = path.join(world.folder, "missing");
    for (const name of world.hosts) {
      world.writeConfig(name, (text) => text.replace(world.volume("a-b2", "pvol"), missing));
    }
    await world.beating();
    const refused = await world.verb("a1", "install", "a-b2");
    assert.is(refused.code, 75);
    assert.match(refused.err, `${missing}: does not exist`);
    assert.is(registered(world, "a1")["a-b2"], undefined);
    const wrong = await world.verb("b1", "install", "a-b2");
    assert.is(wrong.code, 64);
    assert.match(wrong.err, "written by a: run it at a host there");
    const none = await world.verb("a1", "install", "a-b3");
    assert.match(none.err, "there are: a-b, b-a, a-b2");
  }));

test("removed locally while the other site is dead, and made anew when it is back", () =>
  withWorld(three, async (world) => {
    await world.beating();
    await world.killHost("a1");
    const elsewhere = await world.verb("b1", "deinstall", "a-b2");
    assert.is(elsewhere.code, 64);
    const local = await world.verb("b1", "deinstall", "a-b2", "--local");
    assert.is(local.code, 0, local.err);
    assert.is(registered(world, "b1")["a-b2"], undefined);
    await world.start("a1");
    await world.untilRow("b1", "a", "1");
    const made = await world.verb("a1", "install", "a-b2");
    assert.is(made.code, 0, made.err);
    await untilOk(world, "b1", "a-b2");
  }));

testWhere(test, [needRoot], "a full disk: it stops, says so, and the file is whole", () =>
  withWorld({ ...three, uninstalled: ["a-b2"] }, async (world) => {
    const { stateFolder } = world.host("a1");
    mkdirSync(stateFolder, { recursive: true, mode: 0o700 });
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=512k", "tmpfs", stateFolder]);
    try {
      await world.beating();
      const filler = path.join(stateFolder, "filler");
      try {
        writeFileSync(filler, Buffer.alloc(1 << 20));
      } catch {
        // it is full now
      }
      const stopped = await world.verb("a1", "install", "a-b2");
      assert.is(stopped.code, 73, stopped.err);
      assert.match(stopped.err, "the disk is full");
      assert.equal(registered(world, "a1"), { "a-b": "enabled", "b-a": "enabled" });
      execFileSync("rm", [filler]);
      const done = await world.verb("a1", "install", "a-b2");
      assert.is(done.code, 0, done.err);
    } finally {
      await world.killHost("a1");
      execFileSync("umount", ["-l", stateFolder]);
    }
  }),
);

test.run();
