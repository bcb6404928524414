// test-limit-seconds: 150
/** The agent on real loop devices of both sector sizes: beats, deaths, stalls, reboots, clocks. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { shimFor } from "../testing/agent-shim.ts";
import { slotOf } from "../testing/agent-sectors.ts";
import { pause, withWorld, type World } from "../testing/agent-world.ts";
import { needProgram, needRoot, testWhere } from "../testing/where.ts";

/** So that a busy machine's own stalls are no silence. */
const calm = { marginMs: 1600 };
const needs = [needRoot, needProgram("losetup", "mount")];

async function serialAt(world: World, host: string, of: string, path: string): Promise<bigint> {
  const status = await world.status(host);
  const found = status.sites.flatMap((s) => s.hosts).find((h) => h.host === of);
  return BigInt(found?.paths.find((p) => p.path === path)?.serial ?? 0);
}

async function beats(world: World): Promise<void> {
  const before = await serialAt(world, "b1", "a1", "a-b");
  const back = await serialAt(world, "a1", "b1", "b-a");
  await world.until(
    "both SVOLs advance",
    async () =>
      (await serialAt(world, "b1", "a1", "a-b")) > before + 3n &&
      (await serialAt(world, "a1", "b1", "b-a")) > back + 3n,
  );
  const status = await world.status("a1");
  const out = status.paths.find((path) => path.path === "a-b");
  assert.ok((out?.writesDone ?? 0) > 3, "writes are counted");
  assert.is(out?.writesFailed, 0);
}

for (const device of [512, 4096] as const) {
  testWhere(test, needs, `sectors of ${device} bytes: beat, kill -9, back again`, () =>
    withWorld({ device }, async (world) => {
      await world.beating();
      await beats(world);
      const died = await world.killHost("a1");
      await world.untilRow("b1", "a", "9");
      await world.start("a1");
      await world.untilRow("b1", "a", "1");
      const restart = world.events("b1", "restart", died).at(-1);
      assert.is(restart?.fields["rebooted"], "false");
      const { incarnation } = slotOf(world.volume("a-b", "pvol"), 0).newest();
      assert.is(incarnation, 2n);
      assert.equal(
        world.events("b1", "rejected", died).map((event) => event.fields["reason"]),
        [],
        "a new incarnation is no regression",
      );
    }),
  );
}

testWhere(test, needs, "a peer that is stopped and continued: silent, then back, no restart", () =>
  withWorld({ device: 512 }, async (world) => {
    await world.beating();
    const fromMs = performance.now();
    world.host("a1").kill("SIGSTOP");
    await world.untilRow("b1", "a", "9");
    world.host("a1").kill("SIGCONT");
    await world.untilRow("b1", "a", "1");
    await world.untilRow("a1", "b", "1");
    assert.equal(world.events("b1", "restart", fromMs), []);
    assert.equal(world.events("a1", "restart", fromMs), []);
    assert.equal(world.alarms("a1", fromMs), [], "the stopped host blames nobody");
  }),
);

testWhere(test, needs, "an observer that is stopped for seconds judges nothing by that gap", () =>
  withWorld({ device: 512, timing: calm }, async (world) => {
    await world.beating();
    for (let round = 0; round < 3; round++) {
      const fromMs = performance.now();
      world.host("b1").kill("SIGSTOP");
      await pause(3000);
      world.host("b1").kill("SIGCONT");
      const before = await serialAt(world, "b1", "a1", "a-b");
      await world.until(
        "the observer reads on",
        async () => (await serialAt(world, "b1", "a1", "a-b")) > before + 5n,
      );
      assert.equal(world.alarms("b1", fromMs), [], `round ${round}`);
      // The others saw a silence, and it was one.
      await world.untilRow("a1", "b", "1");
    }
  }),
);

test("a reboot is told from a restart, and its serials begin anew", () =>
  withWorld({}, async (world) => {
    const shim = shimFor(world, "a1");
    await world.startWith("a1", shim.options("11111111-2222-4333-8444-555555555555"));
    await world.start("b1");
    await world.untilRow("b1", "a", "1");
    await world.until("some beats", async () => (await serialAt(world, "b1", "a1", "a-b")) > 10n);
    await world.killHost("a1");
    await world.untilRow("b1", "a", "9");
    const bootMs = performance.now();
    await world.startWith("a1", shim.options("22222222-2222-4333-8444-555555555555"));
    await world.untilRow("b1", "a", "1");
    const restart = world.events("b1", "restart", bootMs).at(-1);
    assert.is(restart?.fields["rebooted"], "true");
    assert.is(restart?.fields["incarnation"], "2");
    assert.ok((await serialAt(world, "b1", "a1", "a-b")) < 200n);
  }));

test("wall clocks an hour off, stepped ahead and back: no verdict changes", () =>
  withWorld({ timing: calm }, async (world) => {
    const [a1, b1] = [shimFor(world, "a1"), shimFor(world, "b1")];
    a1.setClock(3_600_000);
    await world.startWith("a1", a1.options());
    await world.startWith("b1", b1.options());
    await world.untilRow("b1", "a", "1");
    await world.untilRow("a1", "b", "1");
    const ahead = async () => (await world.status("b1")).sites[0]?.hosts[0]?.clockAheadMs ?? 0;
    await world.until("the skew is shown", async () => Math.abs((await ahead()) - 3.6e6) < 60_000);
    const fromMs = performance.now();
    for (const [shim, offset] of [
      [a1, -3_600_000],
      [b1, 3_600_000],
      [b1, -3_600_000],
      [a1, 0],
      [a1, 86_400_000],
    ] as const) {
      // biome-ignore format: one list
      shim.setClock(offset);
      const before = await serialAt(world, "b1", "a1", "a-b");
      const back = await serialAt(world, "a1", "b1", "b-a");
      await world.until(
        "beats go on",
        async () =>
          (await serialAt(world, "b1", "a1", "a-b")) > before + 6n &&
          (await serialAt(world, "a1", "b1", "b-a")) > back + 6n,
      );
    }
    assert.equal(world.alarms("a1", fromMs), []);
    assert.equal(world.alarms("b1", fromMs), []);
    assert.equal(world.events("b1", "rejected", fromMs), []);
    const times = world.journal("b1").length;
    assert.ok(times > 3, "the journal is readable whatever its times say");
  }));

test.run();
