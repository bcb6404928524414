// test-limit-seconds: 150
/** What stands on an SVOL and must not be believed: each fault with its own reason. */
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { blockBytes, sectorBytes } from "../core/sector/layout.ts";
import { readBlocks, resealed, sealingOf, slotOf, writeBlocks } from "../testing/agent-sectors.ts";
import { otherKey, sealingWith } from "../testing/core-seal.ts";
import { runProgram } from "../testing/agent-process.ts";
import { pause, withWorld, World } from "../testing/agent-world.ts";

async function pathOf(world: World, host = "a1") {
  const status = await world.status("b1");
  const found = status.sites[0]?.hosts.find((each) => each.host === host);
  return found?.paths.find((each) => each.path === "a-b");
}

/** A fault put on the SVOL while the pair is split, until it is named; then the pair is whole. */
async function named(
  world: World,
  reason: string | null,
  status: string,
  put: (svol: string) => void,
): Promise<void> {
  await world.copier("a-b", "split");
  put(world.volume("a-b", "svol"));
  const fromMs = performance.now();
  await world.until(`${status} for ${reason}`, async () => {
    const found = await pathOf(world);
    return found?.status === status && found.reason === reason;
  });
  if (reason) {
    const told = () =>
      world.events("b1", "path", fromMs - 2000).some((e) => e.fields["reason"] === reason);
    await world.until(`the journal says ${reason}`, told);
  }
  await world.untilVerdict("b1", "a1", status === "stale" ? "3b" : "4");
  await world.copier("a-b", "resync");
  await world.untilVerdict("b1", "a1", "1");
}

const inBoth = (svol: string, change: (block: Buffer) => void): void =>
  slotOf(svol, 0).edit(change);

test("frozen, replayed, flipped, swapped, foreign, wrong key: six reasons and more", () =>
  withWorld({ hosts: ["a1", "a2", "b1"] }, async (world) => {
    await world.beating();
    const svol = world.volume("a-b", "svol");
    const old = slotOf(svol, 0).read();
    const elsewhere = await World.open({ cluster: "elsewhere" });
    const foreign = slotOf(elsewhere.volume("a-b", "pvol"), 0);
    const sealing = sealingOf(elsewhere.keyFile);
    let foreignBlocks: Buffer;
    try {
      await elsewhere.start("a1");
      await elsewhere.until("it beats", () => foreign.newest().serial > 2n);
      foreignBlocks = foreign.read();
    } finally {
      await elsewhere.close();
    }

    await named(world, null, "stale", () => undefined);
    await named(world, "regression", "corrupt", () => slotOf(svol, 0).write(old));
    await named(world, "regression", "corrupt", () =>
      slotOf(svol, 0).write(Buffer.alloc(2 * blockBytes)),
    );
    await named(world, "checksum", "corrupt", () =>
      inBoth(svol, (block) => void block.writeUInt8(block.readUInt8(0x58) ^ 1, 0x58)),
    );
    await named(world, "misplaced", "corrupt", () => slotOf(svol, 0).write(slotOf(svol, 1).read()));
    await named(world, "foreign-cluster", "corrupt", () => slotOf(svol, 0).write(foreignBlocks));
    const own = (changes: Parameters<typeof resealed>[1], with_ = sealingOf(world.keyFile)) =>
      inBoth(svol, (block) => {
        resealed(block.subarray(0, sectorBytes), { serial: 99_999n, ...changes }, with_).copy(
          block,
        );
      });
    await named(world, "unknown-key", "corrupt", () => own({}, sealingWith(otherKey)));
    const { keyId } = sealingOf(world.keyFile);
    const pretended = sealingWith(otherKey);
    await named(world, "forged", "corrupt", () =>
      own({}, { ...pretended, keyId, mac: (_, bytes) => pretended.mac(pretended.keyId, bytes) }),
    );
    await named(world, "foreign-volume", "corrupt", () =>
      slotOf(svol, 0).write(slotOf(world.volume("b-a", "pvol"), 0).read()),
    );
    await named(world, "wrong-site", "corrupt", () => own({ site: 2 }));
    await named(world, "wrong-host", "corrupt", () => own({ hostName: "other" }));
    await named(world, "version-newer", "corrupt", () => own({ version: 7 }));
    await named(world, "not-a-record", "corrupt", () => inBoth(svol, (block) => block.fill(0x5a)));
    assert.ok(sealing.keyId !== keyId);
    const { rejected } = await world.status("b1");
    for (const reason of ["checksum", "misplaced", "foreign-cluster", "unknown-key", "forged"])
      assert.ok((rejected[`a-b ${reason}`] ?? 0) > 0, JSON.stringify(rejected));
  }));

test("the sectors of an old run, brought back while the host is dead, are a regression", () =>
  withWorld({}, async (world) => {
    await world.beating();
    const svol = world.volume("a-b", "svol");
    const old = slotOf(svol, 0).read();
    await world.killHost("a1");
    await world.start("a1");
    await world.untilRow("b1", "a", "1");
    await world.until("it is seen anew", async () => (await pathOf(world))?.status === "ok");
    await world.killHost("a1");
    await world.untilRow("b1", "a", "9");
    await world.copier("a-b", "split");
    const fromMs = performance.now();
    slotOf(svol, 0).write(old);
    await world.untilRow("b1", "a", "6");
    assert.equal(world.events("b1", "restart", fromMs), []);
    // The observer's own restart forgets nothing: the high-water mark is durable.
    assert.is(await world.stop("b1"), 0);
    await world.start("b1");
    await world.untilRow("b1", "a", "6");
    assert.is((await pathOf(world))?.reason, "regression");
  }));

test("another cluster's whole volume under the same name, and the right one again", () =>
  withWorld({}, async (world) => {
    await world.beating();
    const svol = world.volume("a-b", "svol");
    const elsewhere = await World.open({ cluster: "elsewhere" });
    await world.copier("a-b", "split");
    const right = readFileSync(svol);
    try {
      await elsewhere.start("a1");
      const pvol = elsewhere.volume("a-b", "pvol");
      await elsewhere.until("it beats", () => slotOf(pvol, 0).newest().serial > 2n);
      writeBlocks(svol, 0, readFileSync(pvol));
    } finally {
      await elsewhere.close();
    }
    await world.untilRow("b1", "a", "4");
    writeBlocks(svol, 0, right);
    await world.copier("a-b", "resync");
    await world.untilRow("b1", "a", "1");
  }));

test("torn replication, a piece of 512 bytes at a time, never shows a false record", () =>
  withWorld({ timing: { marginMs: 1600 } }, async (world) => {
    await world.beating();
    const fromMs = performance.now();
    await world.copier("a-b", "tear", 4);
    const before = slotOf(world.volume("a-b", "svol"), 0).newest().serial;
    await world.until(
      "torn beats",
      () => slotOf(world.volume("a-b", "svol"), 0).newest().serial > before + 20n,
    );
    assert.equal(world.alarms("b1", fromMs), []);
    assert.equal(world.events("b1", "rejected", fromMs), []);
  }));

test("keys are changed under load: no beat is lost, nothing is rejected, restarts still work", () =>
  withWorld({ timing: { marginMs: 1600 } }, async (world) => {
    const keyOf = (host: string): string => path.join(world.host(host).folder, "authkey");
    for (const host of world.hosts) {
      copyFileSync(world.keyFile, keyOf(host));
      world.writeConfig(host, (text) => text.replace(`"${world.keyFile}"`, `"${keyOf(host)}"`));
    }
    await world.beating();
    const fromMs = performance.now();
    const fresh = path.join(world.folder, "new.key");
    assert.is((await runProgram(["key", "generate", "--out", fresh])).code, 0);
    const idIn = (file: string): string =>
      /^active\s+([0-9a-f]{8})/m.exec(readFileSync(file, "utf8"))?.[1] ?? "";
    const [oldId, newId] = [idIn(world.keyFile), idIn(fresh)];
    const round = async (...args: readonly string[]): Promise<void> => {
      for (const host of world.hosts) {
        const sinceMs = performance.now();
        const { code, err } = await world.verb(host, "key", ...args);
        assert.is(code, 0, err);
        const told = (): boolean =>
          world.events(host, "keys", sinceMs).some((event) => event.fields["signing"]);
        await world.until(`${host} reads its keys`, told);
      }
    };
    await round("add", "--from", fresh);
    for (const host of world.hosts) {
      await world.untilStatus(host, "all hold the same keys", ({ keys }) =>
        keys.others.every(({ ring }) => ring === keys.ring),
      );
    }
    await round("promote", newId);
    await world.until("the new key signs", () => {
      const { keyId } = slotOf(world.volume("a-b", "svol"), 0).newest();
      return keyId === Number.parseInt(newId, 16);
    });
    for (const host of world.hosts) {
      await world.untilStatus(host, "all sign with the new one", ({ keys }) =>
        keys.others.every(({ signs }) => signs === newId),
      );
    }
    await round("retire", oldId);
    await pause(world.timing.marginMs);
    for (const host of world.hosts) {
      assert.equal(world.alarms(host, fromMs), [], host);
      assert.equal(world.events(host, "rejected", fromMs), [], host);
      assert.equal((await world.status(host)).rejected, {}, host);
      const signing = world.events(host, "keys").flatMap((e) => e.fields["signing"] ?? []);
      assert.equal(signing, [oldId, newId, newId]);
    }
    // Both sites begin again with the new key alone, on volumes that were formatted with the old.
    for (const host of world.hosts) {
      assert.is(await world.stop(host), 0);
      await world.start(host);
    }
    await world.untilRow("b1", "a", "1");
    await world.untilRow("a1", "b", "1");
  }));

test("an unusable key file is told once, and the keys in use go on", () =>
  withWorld({ timing: { marginMs: 1600 } }, async (world) => {
    await world.beating();
    const fromMs = performance.now();
    const text = readFileSync(world.keyFile, "utf8");
    writeFileSync(world.keyFile, "no key\n");
    await world.until("told", () => world.events("b1", "keys", fromMs).length > 0);
    assert.is(world.events("b1", "keys", fromMs).at(-1)?.fields["ok"], "false");
    await pause(2 * world.timing.marginMs);
    assert.is(world.events("b1", "keys", fromMs).length, 1);
    assert.equal(world.alarms("b1", fromMs), []);
    writeFileSync(world.keyFile, text);
    await world.until("told again", () => world.events("b1", "keys", fromMs).length > 1);
    assert.is(world.events("b1", "keys", fromMs).at(-1)?.fields["ok"], "true");
    assert.ok(readBlocks(world.volume("a-b", "pvol"), 8).length > 0);
  }));

test.run();
