// test-limit-seconds: 150
/** Each row of the verdict table that the world can be driven into, found in the journal. */
import { truncateSync } from "node:fs";
import path from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { states } from "../core/sector/layout.ts";
import { redatagram, sealingOf, slotOf } from "../testing/agent-sectors.ts";
import { needProgram, needRoot, testWhere } from "../testing/where.ts";
import { withWorld, type World } from "../testing/agent-world.ts";

/** What a reader of the journal sees: the last verdict on the group, and its action. */
function lastGroup(world: World, host: string): Readonly<Record<string, string>> {
  return world.journal(host).findLast((event) => event["ev"] === "group") ?? {};
}

async function expectRow(world: World, row: string, action: string): Promise<void> {
  await world.untilRow("b1", "a", row);
  await world.until(`row ${row} stands in the journal`, () => {
    const group = lastGroup(world, "b1");
    return group["row"] === row && group["site"] === "a";
  });
  assert.is(lastGroup(world, "b1")["action"], action, `action of row ${row}`);
}

async function switched(world: World, on: boolean, ...target: readonly string[]): Promise<void> {
  const { code, err } = await world.verb("b1", on ? "enable" : "disable", ...target);
  assert.is(code, 0, err);
}

const flip = (world: World): void =>
  slotOf(world.volume("a-b", "svol"), 0).edit((block) => {
    block[0x60] = (block[0x60] ?? 0) ^ 0xff;
  });

test("network, mirror and pair apart: rows 1, 2, 2b, 3, 3b, 3c, 4, 6, 10 and 11", () =>
  withWorld({ linkTimeoutMs: 300 }, async (world) => {
    await world.beating();
    await expectRow(world, "1", "none");

    world.lan.cut("a1", "b1");
    await expectRow(world, "2", "notify");
    world.lan.heal();
    await expectRow(world, "1", "none");

    await switched(world, false, "network");
    await expectRow(world, "2b", "none");
    await switched(world, true, "network");
    await expectRow(world, "1", "none");

    await world.copier("a-b", "cut");
    await expectRow(world, "3", "notify");
    await world.copier("a-b", "heal");
    await world.copier("a-b", "resync");
    await expectRow(world, "1", "none");

    await world.copier("a-b", "split");
    await expectRow(world, "3b", "notify");

    flip(world);
    await expectRow(world, "4", "notify");
    world.lan.cut("a1", "b1");
    await expectRow(world, "6", "hold");
    world.lan.heal();
    await expectRow(world, "4", "notify");
    await world.copier("a-b", "resync");
    await expectRow(world, "1", "none");

    await switched(world, false, "mirror", "a-b");
    world.lan.cut("a1", "b1");
    await expectRow(world, "10", "hold");
    await switched(world, false, "network");
    await expectRow(world, "11", "refuse");
    world.lan.heal();
    await switched(world, true, "network");
    await expectRow(world, "1", "none");
    await switched(world, true, "mirror", "a-b");
    await world.untilStatus("b1", "the mirror again", (status) =>
      (status.sites[0]?.hosts[0]?.paths ?? []).every((path) => path.status === "ok"),
    );

    await world.killCopier("a-b");
    await expectRow(world, "3c", "notify");
  }));

test("silence of the whole site: rows 7, 9, 0c, and 0, 0b by the peer's own word", () =>
  withWorld({}, async (world) => {
    await world.beating();
    await world.copier("a-b", "split");
    await expectRow(world, "3b", "notify");
    await world.killHost("a1");
    await expectRow(world, "7", "hold");

    await world.copier("a-b", "resync");
    await world.start("a1");
    await expectRow(world, "1", "none");
    await world.killHost("a1");
    await expectRow(world, "9", "hold");
    assert.is(lastGroup(world, "b1")["verdict"], "cannot tell link from site");

    await world.start("a1");
    await expectRow(world, "1", "none");
    assert.is(await world.stop("a1"), 0);
    await expectRow(world, "0c", "none");
    assert.is(world.journal("b1").findLast((e) => e["ev"] === "left")?.["how"], "planned stop");

    // No host says these yet: forged with the right key, as a later version will.
    await world.start("a1");
    await expectRow(world, "1", "none");
    const sealing = sealingOf(world.keyFile);
    const speak = async (state: number): Promise<void> => {
      const last = world.lan.recent("a1", "b1").at(-1);
      if (!last) throw new Error("a1 sent nothing");
      const { incarnation } = slotOf(world.volume("a-b", "pvol"), 0).newest();
      const forged = redatagram(last, { incarnation, serial: 1_000_000n, state }, sealing);
      await world.lan.inject("b1", forged);
    };
    world.lan.cut("a1", "b1");
    await world.killHost("a1");
    await world.untilRow("b1", "a", "9");
    await speak(states.failed);
    await expectRow(world, "0b", "notify");
  }));

test("a handover by the peer's word: row 0", () =>
  withWorld({}, async (world) => {
    await world.beating();
    const last = world.lan.recent("a1", "b1").at(-1);
    if (!last) throw new Error("a1 sent nothing");
    await world.killHost("a1");
    const sealing = sealingOf(world.keyFile);
    const state = states.handover;
    await world.lan.inject("b1", redatagram(last, { serial: 1_000_000n, state }, sealing));
    await expectRow(world, "0", "eligible");
  }));

test("a beacon that goes on proves the link: row 8; without it row 9", () =>
  withWorld({ hosts: ["a1", "ax", "b1"] }, async (world) => {
    await world.beating();
    await world.killHost("a1");
    await expectRow(world, "8", "eligible");
    assert.ok(
      world.journal("b1").some((e) => e["ev"] === "link" && e["host"] === "a1"),
      "how the link was proved is told",
    );
    await world.killHost("ax");
    await world.untilVerdict("b1", "ax", "9");
    await world.start("a1", "ax");
    await expectRow(world, "1", "none");
    await Promise.all([world.killHost("ax"), world.killHost("a1")]);
    await expectRow(world, "9", "hold");
  }));

test("the neighbour that may hold the service proves no link; one member lost is a notice", () =>
  withWorld({ hosts: ["a1", "a2", "b1"] }, async (world) => {
    await world.beating();
    const sinceMs = performance.now();
    await world.killHost("a1");
    await world.untilVerdict("b1", "a1", "9");
    assert.is(world.row("b1", "a"), "1", "the group lives");
    assert.equal(world.events("b1", "group", sinceMs), []);
    await world.killHost("a2");
    await expectRow(world, "9", "hold");
  }));

testWhere(
  test,
  [needRoot, needProgram("losetup", "mount")],
  "an observer that is not fit does not judge: row 5",
  () =>
    withWorld({ device: 512 }, async (world) => {
      await world.beating();
      // The volume under the reader's feet shrinks: every read fails, and the reader is not fit.
      await world.copier("a-b", "split");
      await expectRow(world, "3b", "notify");
      truncateSync(path.join(world.folder, "a-b.svol"), 8192);
      await expectRow(world, "4", "notify");
      const paths = world.journal("b1").filter((event) => event["ev"] === "path");
      assert.equal([paths.at(-1)?.["state"], paths.at(-1)?.["reason"]], ["io-error", "EIO"]);
      world.lan.cut("a1", "b1");
      await expectRow(world, "5", "hold");
    }),
);

test.run();
