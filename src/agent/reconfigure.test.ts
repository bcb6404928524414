// test-limit-seconds: 200
/** Timings and members changed while everything beats: staged, switched, and nobody alarmed. */
import { chmodSync, copyFileSync, readFileSync } from "node:fs";
import path from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { withWorld, type World } from "../testing/agent-world.ts";

/** A busy machine's own stalls are no silence here. */
const calm = { marginMs: 1600 };

const raised = (text: string): string => `generation = 2\n${text}`;
const slower = (text: string): string =>
  text
    .replace("interval_ms = 200", "interval_ms = 600")
    .replace("margin_ms = 1600", "margin_ms = 3000");

async function expectVerb(
  world: World,
  host: string,
  ...words: readonly string[]
): Promise<string> {
  const [verb = "", ...args] = words;
  const { code, err, out } = await world.verb(host, verb, ...args);
  assert.is(code, 0, err);
  return out;
}

test("slower timings on a live pair: staged at both, switched by one command, no alarm", () =>
  withWorld({ timing: calm }, async (world) => {
    await world.beating();
    const sinceMs = performance.now();
    for (const name of world.hosts) world.writeConfig(name, (text) => slower(raised(text)));
    const early = await world.verb("a1", "config", "switch");
    assert.is(early.code, 75);
    assert.match(early.err, "mirrorbeat config stage");
    assert.match(await expectVerb(world, "a1", "config", "stage"), "generation 2 is staged");
    const alone = await world.verb("a1", "config", "switch");
    assert.match(alone.err, "b1 has not staged the same");
    await expectVerb(world, "b1", "config", "stage");
    await world.untilStatus(
      "a1",
      "b1 has it",
      (s) => s.installation.staged?.waitingFor.length === 0,
    );
    assert.match(await expectVerb(world, "a1", "config", "switch"), "generation 2 is in use");
    for (const [observer, site] of [
      ["a1", "b"],
      ["b1", "a"],
    ] as const) {
      await world.untilStatus(observer, "both go by generation 2", (status) => {
        const host = status.sites.find((each) => each.site === site)?.hosts[0];
        return status.installation.generation === 2 && host?.timingsDiffer === false;
      });
    }
    // Beats are as slow as was said, and judged by that.
    const serial = async () => Number((await world.status("a1")).serial);
    const before = await serial();
    const beganMs = performance.now();
    await world.until("five more beats", async () => (await serial()) >= before + 5);
    assert.ok(performance.now() - beganMs > 4 * 500, "the new interval is kept");
    for (const name of world.hosts) assert.equal(world.alarms(name, sinceMs), []);
    await world.killHost("a1");
    await world.untilRow("b1", "a", "9");
  }));

test("a host joins while all beat, and one that was there before sees it on every path", () =>
  withWorld({ timing: calm, hosts: ["a1", "a2", "b1"] }, async (world) => {
    // At first only a1 and b1 are configured: a2 is taken out of their files.
    const full = new Map<string, string>();
    for (const name of world.hosts) {
      world.writeConfig(name, (text) => {
        full.set(name, text);
        return text.replace(/\[\[sites\.hosts\]\]\nname = "a2"\n(?:\w+ = .*\n)+/, "");
      });
    }
    await world.start("a1", "b1");
    await world.untilRow("b1", "a", "1");
    const sinceMs = performance.now();
    for (const name of ["a1", "b1"]) {
      world.writeConfig(name, () => raised(full.get(name) ?? ""));
      await expectVerb(world, name, "config", "stage");
    }
    await world.untilStatus(
      "b1",
      "only a2 is missing",
      (s) => (s.installation.staged?.waitingFor ?? ["?"]).length === 0,
    );
    world.writeConfig("a2", () => raised(full.get("a2") ?? ""));
    await expectVerb(world, "b1", "config", "switch", "--wait", "10");
    await world.start("a2");
    await world.untilVerdict("b1", "a2", "1");
    await world.until("a1 lives on for b1", async () => {
      const status = await world.status("b1");
      return status.sites[0]?.hosts.every(({ row }) => row === "1") === true;
    });
    const alarms = world.alarms("b1", sinceMs).filter((line) => line.includes('"a1"'));
    assert.equal(alarms, []);
  }));

test("what needs a restart is refused by name; a faulty file changes nothing", () =>
  withWorld({ timing: calm }, async (world) => {
    await world.beating();
    world.writeConfig("a1", (text) => raised(text).replace(/hooks\]/, "hooks]"));
    world.writeConfig("a1", (text) =>
      raised(text).replace('provider = "embedded"', 'provider = "embeded"'),
    );
    const faulty = await world.verb("a1", "config", "stage");
    assert.is(faulty.code, 78);
    world.writeConfig("a1");
    const same = await world.verb("a1", "config", "stage");
    assert.is(same.code, 78);
    assert.match(same.err, "raise it above");
    world.writeConfig("a1", (text) => `data_devices = ["/dev/zz"]\n${raised(text)}`);
    const restart = await world.verb("a1", "config", "stage");
    assert.match(restart.err, "data_devices has changed, which needs a restart");
  }));

test("a key is promoted only once every host holds it, retired once nobody signs with it", () =>
  withWorld({ timing: calm }, async (world) => {
    // A key file of its own for each host, as on real ones.
    for (const name of world.hosts) {
      const file = path.join(world.host(name).folder, "authkey");
      copyFileSync(world.keyFile, file);
      chmodSync(file, 0o600);
      world.writeConfig(name, (text) => text.replace(world.keyFile, file));
    }
    await world.beating();
    const sinceMs = performance.now();
    const idOf = (file: string): string =>
      /^\w+ ([0-9a-f]{8})/m.exec(readFileSync(file, "utf8"))?.[1] ?? "";
    const fresh = path.join(world.folder, "new.key");
    await world.verb("a1", "key", "generate", "--out", fresh);
    const listed = await world.verb("a1", "key", "list", "--json");
    const { keys } = JSON.parse(listed.out) as { keys: readonly { id: string }[] };
    const oldId = keys[0]?.id ?? idOf(world.keyFile);
    const made = await world.verb("a1", "key", "list", "--file", fresh, "--json");
    const newId = (JSON.parse(made.out) as { keys: readonly { id: string }[] }).keys[0]?.id ?? "";
    await expectVerb(world, "a1", "key", "add", "--from", fresh, "--host", "a1");
    await world.untilStatus("a1", "it holds another ring than b1", ({ keys: known }) =>
      known.others.some(({ ring }) => ring !== known.ring),
    );
    const early = await world.verb("a1", "key", "promote", newId, "--host", "a1");
    assert.is(early.code, 75);
    assert.match(early.err, "not the same keys at: b1");
    await expectVerb(world, "b1", "key", "add", "--from", fresh, "--host", "b1");
    await world.untilStatus("a1", "both hold it", ({ keys: known }) =>
      known.others.every(({ ring }) => ring === known.ring),
    );
    await expectVerb(world, "a1", "key", "promote", newId, "--host", "a1");
    const soon = await world.verb("a1", "key", "retire", oldId, "--host", "a1");
    assert.is(soon.code, 75);
    assert.match(soon.err, `still signing with ${oldId}: b1`);
    await expectVerb(world, "b1", "key", "promote", newId, "--host", "b1");
    await world.untilStatus("a1", "b1 signs with it", ({ keys: known }) =>
      known.others.every(({ signs }) => signs === newId),
    );
    await expectVerb(world, "a1", "key", "retire", oldId, "--host", "a1");
    await world.untilRow("b1", "a", "1");
    for (const name of world.hosts) assert.equal(world.alarms(name, sinceMs), []);
  }));

test.run();
