// test-limit-seconds: 200
/** Timings and members changed while everything beats: staged, switched, and nobody alarmed. */
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

test.run();
