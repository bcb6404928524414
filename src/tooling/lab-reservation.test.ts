// test-limit-seconds: 560
/** The whole laboratory, where a virtual machine can be had. */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { needProgram, needRoot, testWhere } from "../testing/where.ts";

const dist = path.resolve(process.env["MIRRORBEAT_DIST"] ?? "dist");
const kept = path.resolve(".build/lab-reservation");
const needs = [
  needRoot,
  needProgram("qemu-system-x86_64", "qemu-system-x86"),
  needProgram("busybox", "busybox-static"),
  needProgram("cpio", "cpio"),
  existsSync(path.join(kept, "kernel"))
    ? null
    : "needs a kernel (./build.sh lab reservation, once)",
  existsSync(path.join(dist, "libmirrorbeat.so")) ? null : "needs the program (./build.sh)",
];
const limitMs = 500_000;

function runLab(): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ["src/tooling/lab-reservation.mjs", "all"], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, MIRRORBEAT_DIST: dist },
    });
    let output = "";
    for (const pipe of [child.stdout, child.stderr])
      pipe.on("data", (data: Buffer) => {
        output += data.toString();
      });
    const limit = setTimeout(() => child.kill("SIGTERM"), limitMs); // it ends its guest then
    child.on("close", (code) => {
      clearTimeout(limit);
      resolve({ code, output });
    });
  });
}

testWhere(test, needs, "a real target refuses the writes of the site that lost", async () => {
  const { code, output } = await runLab();
  assert.is(code, 0, output);
  assert.match(output, "42 of 42 as they must be");
  assert.not.match(output, "FAIL");
});

test.run();
