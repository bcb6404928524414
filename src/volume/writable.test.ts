/** Whether a data device can be written, without a byte of it being touched. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type BlockIo, openBlockIo } from "../device/block.ts";
import { openLoops, type Loops } from "../testing/agent-loops.ts";
import { needProgram, needRoot, testWhere } from "../testing/where.ts";
import { writableNow, type WritableIo } from "./writable.ts";

const limitMs = 2000;
const sizeBytes = 4 << 20;

async function withIo(body: (io: BlockIo, folder: string, loops: Loops) => Promise<void>) {
  const folder = mkdtempSync(path.join(os.tmpdir(), "mirrorbeat-writable-"));
  const loops = openLoops(folder);
  const opened = openBlockIo({ engine: "aio" });
  if (!opened.ok) throw new Error(opened.message);
  try {
    await body(opened.io, folder, loops);
  } finally {
    opened.io.close();
    await loops.detach();
    rmSync(folder, { recursive: true, force: true });
  }
}

const line = async (io: WritableIo, file: string): Promise<string> => {
  const found = await writableNow(io, file, limitMs);
  return found.ok ? `writable${found.inUse ? ", in use" : ""}` : found.refusal.message;
};

test("a plain file: writable, and untouched; a missing one and a folder are refused", () =>
  withIo(async (io, folder) => {
    const file = path.join(folder, "disk");
    const bytes = Buffer.alloc(sizeBytes, "data");
    writeFileSync(file, bytes);
    assert.is(await line(io, file), "writable");
    assert.ok(readFileSync(file).equals(bytes));
    assert.match(await line(io, path.join(folder, "none")), /is not there: .* map it, rescan/);
    assert.match(await line(io, folder), /is a folder/);
    writeFileSync(file, "");
    assert.match(await line(io, file), /too small/);
  }));

test("an open that hangs is given up at the limit", () =>
  withIo(async (io, folder) => {
    const fifo = path.join(folder, "fifo");
    execFileSync("mkfifo", [fifo]);
    const beganMs = performance.now();
    const found = await writableNow(
      {
        // What a dead path does, told by the layer below: it did not open in time.
        open: (file, _access, deadlineMs) =>
          new Promise((resolve) =>
            setTimeout(
              () => resolve({ ok: false, code: "TIMEDOUT", message: `${file}: hangs` }),
              deadlineMs,
            ),
          ),
      },
      fifo,
      200,
    );
    assert.is(found.ok, false);
    assert.ok(performance.now() - beganMs < 2000);
    assert.match(await line(io, fifo), /fifo: /);
  }));

testWhere(
  test,
  [needRoot, needProgram("losetup", "mount"), needProgram("mke2fs", "e2fsprogs")],
  "loop devices: writable, read-only, mounted",
  () =>
    withIo(async (io, folder, loops) => {
      const file = path.join(folder, "disk");
      writeFileSync(file, Buffer.alloc(sizeBytes));
      const device = await loops.attach(file, 512);
      assert.is(await line(io, device), "writable");
      const readOnly = await loops.attach(file, 512, true);
      assert.match(await line(io, readOnly), /is read-only on this host .* rescan the disk/);
      execFileSync("blockdev", ["--setro", device]);
      assert.match(await line(io, device), /is read-only on this host/);
      execFileSync("blockdev", ["--setrw", device]);
      execFileSync("mke2fs", ["-q", device]);
      const point = path.join(folder, "point");
      mkdirSync(point);
      execFileSync("mount", [device, point]);
      try {
        assert.is(await line(io, device), "writable, in use");
      } finally {
        execFileSync("umount", [point]);
      }
      const again = await loops.attach(file, 512);
      assert.is(await line(io, again), "writable", "and it was let go");
    }),
);

test.run();
