/** Commands to what is no SCSI disk: each ends at once, in a word. */
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { needRoot, testWhere } from "../testing/where.ts";
import { blockDeviceNumber, sendScsi } from "./scsi-command.ts";

const testUnitReady = Buffer.alloc(6);
const limitMs = 5000;
const send = (file: string) => sendScsi({ path: file, command: testUnitReady }, limitMs);

test("no device, no block device, a path that is too long", async () => {
  assert.equal(await send("/nowhere/disk"), { kind: "failed", code: "ENOENT" });
  assert.equal(await send("/dev/null"), { kind: "failed", code: "ENOTBLK" });
  assert.equal(await send(`/${"x/".repeat(3000)}`), { kind: "failed", code: "ENAMETOOLONG" });
  const folder = mkdtempSync(path.join(os.tmpdir(), "mirrorbeat-scsi-"));
  try {
    writeFileSync(path.join(folder, "file"), "");
    assert.equal(await send(path.join(folder, "file")), { kind: "failed", code: "ENOTBLK" });
    symlinkSync("loop", path.join(folder, "loop"));
    assert.equal(await send(path.join(folder, "loop")), { kind: "failed", code: "ELOOP" });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

testWhere(test, [needRoot], "a block device that takes no SCSI commands says so", async () => {
  const number = await blockDeviceNumber("/dev/loop0");
  if (typeof number === "string") return;
  assert.is(number.major, 7);
  for (const _ of [1, 2]) {
    const answer = await send("/dev/loop0");
    const code = answer.kind === "failed" ? answer.code : answer.kind;
    assert.ok(["ENOTTY", "EINVAL", "ENXIO"].includes(code), code);
  }
});

test.run();
