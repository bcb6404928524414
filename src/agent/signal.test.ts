// test-limit-seconds: 180
/** Signals by pair states between real agents: no network, one mirror each way, real copiers. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { deviceFileName, parseDeviceFile } from "../host/device-file.ts";
import { longMs, withWorld, type World } from "../testing/agent-world.ts";

/** A busy machine's own stalls are no silence here. */
const options = { timing: { marginMs: 1200 }, top: () => "network = false\n" } as const;

/** Mirrors that answer signals, at every host. */
function answering(world: World, ...mirrors: readonly string[]): void {
  for (const host of world.hosts) {
    world.writeConfig(host, (text) =>
      text.replaceAll(/\[\[mirrors\]\]\nname = "([\w-]+)"\n/g, (head, name) =>
        mirrors.includes(name) ? `${head}answer_signals = true\n` : head,
      ),
    );
  }
}

const steps = (world: World, name: string): readonly string[] =>
  world.events(name, "signal").map(({ fields: f }) => `${f["mirror"]} ${f["step"]}`);

const noted = (world: World, name: string): readonly string[] => {
  const file = path.join(world.host(name).stateFolder, deviceFileName);
  return parseDeviceFile(readFileSync(file, "utf8"))?.splitForSignal ?? ["no file"];
};

const untilWhole = (world: World, ...names: readonly string[]): Promise<void> =>
  world.until("both pairs are paired, and nothing is noted", async () => {
    for (const name of names) {
      if (noted(world, name).length > 0) return false;
      const { paths } = await world.status(name);
      if (paths.some(({ pair }) => pair && pair.state !== "paired")) return false;
    }
    return true;
  });

async function beating(world: World): Promise<void> {
  await world.start("a1", "b1");
  await world.untilRow("a1", "b", "2b");
  await world.untilRow("b1", "a", "2b");
  // A signal is heard on a pair that was found whole while the mirror beat: so once more.
  const sinceMs = performance.now();
  for (const name of world.hosts) {
    await world.untilStatus(name, "its pairs were asked since it beats", ({ paths }) =>
      paths.every(({ pair }) => !pair || (pair.ageMs ?? longMs) < performance.now() - sinceMs),
    );
  }
}

test("no network, the peer lives: answered, and both pairs are whole again", () =>
  withWorld(options, async (world) => {
    answering(world, "a-b", "b-a");
    await beating(world);
    const blind = await world.verb("a1", "pair", "signal", "a-b", "--yes");
    assert.is(blind.code, 107, blind.out + blind.err);
    const shown = await world.verb("a1", "pair", "signal", "a-b", "--force");
    assert.is(shown.code, 64);
    assert.equal(steps(world, "a1"), []);
    const wish = ["signal", "a-b", "--yes", "--force", "--json", "--wait", "20"];
    const { code, out, err } = await world.verb("a1", "pair", ...wish);
    assert.is(code, 0, out + err);
    const told = JSON.parse(out);
    assert.equal([told.answered, told.answeredBy, told.ok], [true, "b-a", true]);
    assert.ok(told.afterMs < 20_000);
    await untilWhole(world, "a1", "b1");
    assert.equal(steps(world, "a1"), [
      "a-b asked",
      "a-b split",
      "a-b answered",
      "a-b resynchronised",
    ]);
    const there = ["a-b heard", "a-b answering", "b-a split", "b-a resynchronised"];
    assert.equal(steps(world, "b1"), there);
    await world.untilRow("a1", "b", "2b");
    await world.untilRow("b1", "a", "2b");
    const soon = await world.verb("a1", "pair", "signal", "a-b", "--yes", "--force");
    assert.is(soon.code, 75, soon.out);
    assert.match(soon.err, "again in");
  }));

test("the peer is killed: not answered, no verdict follows; killed itself, it makes the pair whole", () =>
  withWorld(options, async (world) => {
    answering(world, "a-b", "b-a");
    await beating(world);
    await world.killHost("b1");
    await world.untilRow("a1", "b", "9");
    const fromMs = performance.now();
    const wish = ["signal", "a-b", "--yes", "--force", "--wait", "3"];
    const { code, out } = await world.verb("a1", "pair", ...wish);
    assert.is(code, 124, out);
    assert.match(out.replaceAll(/\s+/g, " "), "which proves nothing");
    assert.equal([world.row("a1", "b"), world.events("a1", "group", fromMs)], ["9", []]);
    await untilWhole(world, "a1");
    // Another one, and the asker dies while the pair is split.
    await world.killHost("a1");
    await world.start("a1", "b1");
    await world.untilRow("a1", "b", "2b");
    const running = world.verb("a1", "pair", ...wish, "--wait", "60");
    await world.until(
      "a-b is split",
      () => steps(world, "a1").filter((s) => s === "a-b split").length === 2,
    );
    await world.killHost("a1");
    assert.equal(noted(world, "a1"), ["a-b"]);
    await world.start("a1");
    await untilWhole(world, "a1", "b1");
    await world.untilRow("a1", "b", "2b");
    await world.untilRow("b1", "a", "2b");
    assert.is((await running).code, 112);
  }));

test("answering is off: not answered, and nothing of the peer's is split", () =>
  withWorld(options, async (world) => {
    await beating(world);
    const wish = ["signal", "a-b", "--yes", "--force", "--wait", "3"];
    const { code } = await world.verb("a1", "pair", ...wish);
    assert.is(code, 124);
    await untilWhole(world, "a1", "b1");
    await world.until("b1 says so", () => steps(world, "b1").includes("a-b left"), longMs);
    assert.not.ok(steps(world, "b1").some((step) => step.startsWith("b-a")));
  }));

test.run();
