// test-limit-seconds: 150
/** Beginning with less than everything: what stops a start, and what is told and mended instead. */
import {
  copyFileSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { sectorBytes } from "../core/sector/layout.ts";
import { resealed, sealingOf, slotOf, writeBlocks } from "../testing/agent-sectors.ts";
import { type Ended, runProgram } from "../testing/agent-process.ts";
import { withWorld, type World } from "../testing/agent-world.ts";
import { crc32c } from "../testing/core-seal.ts";
import { needProgram, needRoot, testWhere } from "../testing/where.ts";
import { emptyMemory, memoryFile, memoryText } from "./memory.ts";

async function ranBefore(world: World, name: string): Promise<void> {
  await world.start(name);
  await world.until("a few beats", async () =>
    (await world.status(name)).paths.every(({ writesDone }) => !writesDone || writesDone > 2),
  );
  assert.is(await world.stop(name), 0);
}

function refusedWith(ended: Ended, code: number, says: RegExp): void {
  assert.is(ended.code, code, ended.err);
  assert.match(ended.err, says);
  assert.is(ended.err.trimEnd().split("\n").length, 1, ended.err);
}

const needs = [needRoot, needProgram("losetup", "mount")];
const unknownTerm = /the term is not known: wait until this volume can be read or.*format it/;

testWhere(test, needs, "no term falls: without a memory no volume may be left unread", () =>
  withWorld({ device: 512, copied: [] }, async (world) => {
    const { stateFolder } = world.host("a1");
    copyFileSync(path.join(world.folder, "b-a.pvol"), path.join(world.folder, "b-a.svol"));
    await ranBefore(world, "a1");
    slotOf(world.volume("a-b", "pvol"), 0).edit((block) =>
      resealed(block.subarray(0, sectorBytes), { term: 514n }, sealingOf(world.keyFile)).copy(
        block,
      ),
    );
    rmSync(path.join(stateFolder, memoryFile));
    for (const name of ["a-b.pvol", "b-a.svol"]) {
      const file = path.join(world.folder, name);
      const whole = readFileSync(file);
      // Nothing of it, or its records alone, cannot be read.
      for (const bytes of [0, 8192]) {
        truncateSync(file, bytes);
        const ended = await world.verb("a1", "run");
        refusedWith(ended, 75, unknownTerm);
        const device =
          name === "a-b.pvol" ? world.volume("a-b", "pvol") : world.volume("b-a", "svol");
        assert.ok(ended.err.includes(device), ended.err);
        writeFileSync(file, whole);
      }
    }
    await world.start("a1");
    assert.is(String((await world.status("a1")).term), "514");
  }),
);

test("a first start by the network alone", () =>
  withWorld({ mirrors: [] }, async (world) => {
    await world.beating();
  }));

test("one that ran before begins without a volume that may come back", () =>
  withWorld({}, async (world) => {
    await ranBefore(world, "a1");
    const pvol = world.volume("a-b", "pvol");
    const device = (ok: string) =>
      world.events("a1", "device").filter((event) => event.fields["ok"] === ok);
    const hurts = [
      { says: /does not exist/, hurt: () => renameSync(pvol, `${pvol}.away`) },
      {
        says: /its backup is good/,
        hurt: () => {
          copyFileSync(pvol, `${pvol}.away`);
          writeBlocks(pvol, 0, Buffer.alloc(256, "x"));
        },
      },
    ];
    for (const { says, hurt } of hurts) {
      hurt();
      const before = device("true").length;
      await world.start("a1");
      assert.match(device("false").at(-1)?.fields["reason"] ?? "", says);
      renameSync(`${pvol}.away`, pvol);
      await world.until("it is opened again", () => device("true").length > before);
      const { serial } = slotOf(pvol, 0).newest();
      await world.until("it is written again", () => slotOf(pvol, 0).newest().serial > serial);
      assert.is(await world.stop("a1"), 0);
    }
    writeFileSync(pvol, Buffer.alloc(1 << 20));
    refusedWith(await world.verb("a1", "run"), 65, /not formatted/);
  }));

test("the only path that is missing stops it", () =>
  withWorld({ mirrors: ["a-b"] }, async (world) => {
    await ranBefore(world, "a1");
    world.writeConfig("a1", (text) => text.replaceAll(/^address = .*\n/gm, ""));
    rmSync(world.volume("a-b", "pvol"));
    refusedWith(await world.verb("a1", "run"), 66, /does not exist/);
  }));

test("a high incarnation is no right to a slot in live use; the last run's own is taken at once", () =>
  withWorld({ timing: { intervalMs: 1000 } }, async (world) => {
    await world.beating();
    const { configFile, folder } = world.host("a1");
    for (const [name, incarnation] of [
      ["a1", 1000n],
      ["a9", 1n],
      ["a9", 1000n],
    ] as const) {
      const twin = path.join(folder, "twin.toml");
      const text = readFileSync(configFile, "utf8")
        .replace(/run_folder = ".*"/, `run_folder = "${folder}/run2"`)
        .replace(/state_folder = ".*"/, `state_folder = "${folder}"`)
        .replaceAll(/(host|name) = "a1"/g, `$1 = "${name}"`);
      writeFileSync(twin, text);
      const memory = { ...emptyMemory, incarnation, term: 257n };
      writeFileSync(path.join(folder, memoryFile), memoryText(memory, crc32c));
      refusedWith(await runProgram(["run", "--config", twin]), 77, /slot 0 is in live use by host/);
      assert.ok(world.host("a1").process?.alive, "the rightful one beats on");
    }
    const diedMs = await world.killHost("a1");
    await world.start("a1");
    const began = world.events("a1", "start", diedMs).at(-1);
    assert.ok(began && began.atMs - diedMs < 2000, `began after ${(began?.atMs ?? 0) - diedMs} ms`);
  }));

test.run();
