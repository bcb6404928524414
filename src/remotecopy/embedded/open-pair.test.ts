/** What is refused as a pair, and what is not. Nothing that is refused is changed. */
import { readFileSync, symlinkSync } from "node:fs";
import path from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type BlockIo, openBlockIo } from "../../device/block.ts";
import { needProgram, needRoot, testWhere } from "../../testing/where.ts";
import { openPair } from "./open-pair.ts";
import { block, Folder } from "./testing/bench.ts";

const blocks = 16;
const volume = Buffer.concat([Buffer.from("MBVOLUME"), Buffer.alloc(4088, 1)]);

function newIo(): BlockIo {
  const opened = openBlockIo();
  if (!opened.ok) throw new Error(opened.message);
  return opened.io;
}

/** The exit code of the refusal, or 0. */
async function codeOf(pvol: string, svol: string, force = false): Promise<number> {
  const io = newIo();
  const opened = await openPair(io, { pvol, svol }, { limitMs: 5000, force, lock: true });
  io.close();
  if (!opened.ok) assert.match(opened.refusal.message, /^\S+: ./);
  return opened.ok ? 0 : opened.refusal.code;
}

async function withFolder(body: (folder: Folder) => Promise<void>): Promise<void> {
  const folder = new Folder();
  try {
    await body(folder);
  } finally {
    folder.remove();
  }
}

test("missing volumes, folders, and an SVOL that is too small", () =>
  withFolder(async (folder) => {
    const [good, none] = [folder.file(blocks), path.join(folder.path, "none")];
    assert.is(await codeOf(none, good), 66);
    assert.is(await codeOf(good, none), 66);
    assert.is(await codeOf(good, folder.path), 66);
    assert.is(await codeOf(folder.file(blocks), folder.file(blocks - 1)), 65);
    assert.is(await codeOf(folder.file(blocks), folder.file(blocks + 1)), 0);
  }));

test("the same file, by its own or another name", () =>
  withFolder(async (folder) => {
    const file = folder.file(blocks);
    const link = path.join(folder.path, "link");
    symlinkSync(file, link);
    assert.is(await codeOf(file, file), 64);
    assert.is(await codeOf(file, link), 64);
    assert.is(await codeOf(link, file, true), 64);
  }));

testWhere(
  test,
  [needRoot, needProgram("losetup", "mount")],
  "a device and the file behind it",
  () =>
    withFolder(async (folder) => {
      const device = folder.loop(512, blocks);
      const file = path.join(folder.path, "volume1");
      assert.is(await codeOf(device, file), 64);
      assert.is(await codeOf(file, device), 64);
      assert.is(await codeOf(device, device), 64);
      assert.is(await codeOf(device, folder.loop(4096, blocks)), 0);
    }),
);

test("an SVOL that holds something else is refused unless forced, and left as it is", () =>
  withFolder(async (folder) => {
    const pvol = folder.file(blocks, volume);
    const foreign = Buffer.concat([Buffer.alloc(5 * 4096), block(9)]);
    const svol = folder.file(blocks, foreign);
    assert.is(await codeOf(pvol, svol), 77);
    assert.ok(readFileSync(svol).subarray(0, foreign.length).equals(foreign));
    assert.is(await codeOf(pvol, folder.file(blocks, foreign), true), 0);
  }));

test("zeroes, a heartbeat volume and an earlier copy may be overwritten", () =>
  withFolder(async (folder) => {
    const old = Buffer.concat([volume, block(3), block(4)]);
    const pvol = () => folder.file(blocks, Buffer.concat([volume, block(5)]));
    assert.is(await codeOf(pvol(), folder.file(blocks)), 0);
    assert.is(await codeOf(pvol(), folder.file(blocks, old)), 0);
    const raw = Buffer.concat([block(1), block(2)]);
    assert.is(await codeOf(folder.file(blocks, raw), folder.file(blocks, raw)), 0);
    const half = Buffer.concat([block(1), Buffer.alloc(4096)]);
    assert.is(await codeOf(folder.file(blocks, raw), folder.file(blocks, half)), 0);
  }));

test("a heartbeat volume over which zeroes would be copied: the wrong way round", () =>
  withFolder(async (folder) => {
    assert.is(await codeOf(folder.file(blocks), folder.file(blocks, volume)), 77);
  }));

test("an SVOL that another copy writes", () =>
  withFolder(async (folder) => {
    const [svol, io] = [folder.file(blocks), newIo()];
    const paths = { pvol: folder.file(blocks), svol };
    const first = await openPair(io, paths, { limitMs: 5000, force: false, lock: true });
    assert.ok(first.ok);
    assert.is(await codeOf(folder.file(blocks), svol, true), 75);
    io.close();
  }));

test.run();
