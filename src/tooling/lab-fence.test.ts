// test-limit-seconds: 600
// test-alone
// Real watchdogs, in virtual machines alone: the lab is run as a person runs it.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { dist } from "../testing/agent-process.ts";
import { type Need, needProgram, needRoot, testWhere } from "../testing/where.ts";

const folder = process.env["LAB_FOLDER"] ?? ".build/lab-fence";
/** The lab would fetch its kernel by apt; a test fetches nothing. */
const needKernel: Need = existsSync(`${folder}/kernel/order`)
  ? null
  : "needs the lab's kernel (./build.sh lab fence, once)";
const needs = [
  needRoot,
  needProgram("qemu-system-x86_64", "qemu-system-x86"),
  needProgram("busybox", "busybox-static"),
  needProgram("cpio", "cpio"),
  needProgram("dmsetup", "dmsetup"),
  needKernel,
];

testWhere(
  test,
  needs,
  "dead, stopped, hung: both watchdogs reset in time, and not while fed",
  () => {
    const lab = spawnSync(process.execPath, ["src/tooling/lab-fence.mjs", "all"], {
      encoding: "utf8",
      env: { ...process.env, MIRRORBEAT_DIST: dist },
      timeout: 580_000,
      maxBuffer: 1 << 20,
    });
    console.log(lab.stdout);
    assert.is(lab.status, 0, lab.stderr);
    const rows = lab.stdout
      .split("\n")
      .filter((line) => /^(softdog|i6300esb) .* (ok|FAIL)$/.test(line));
    assert.is(rows.length, 14, "seven trials of each");
    assert.ok(rows.every((line) => line.endsWith(" ok")));
  },
);

test.run();
