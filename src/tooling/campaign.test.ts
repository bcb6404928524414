// test-limit-seconds: 240
// test-alone
// A small campaign, and the proof that its judge would have seen what it looks for.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { dist } from "../testing/agent-process.ts";
import { needProgram, needRoot, testWhere } from "../testing/where.ts";

const needs = [needRoot, needProgram("cc", "gcc libc6-dev"), needProgram("losetup", "mount")];

type Told = Readonly<Record<"faults" | "takeovers" | "twoActive" | "stuck", number>> & {
  readonly wrong: readonly string[];
  readonly unprovoked: readonly string[];
  readonly kept: readonly string[];
  readonly rounds: number;
};

function campaign(...options: readonly string[]): { code: number | null; told: Told; err: string } {
  const args = ["src/tooling/campaign.mjs", "--json", "--dist", dist, ...options];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    encoding: "utf8",
    timeout: 110_000,
    maxBuffer: 1 << 24,
  });
  const last = stdout.trim().split("\n").at(-1) ?? "";
  assert.ok(last.startsWith("{"), `${stdout}\n${stderr}`);
  return { code: status, told: JSON.parse(last) as Told, err: stderr };
}

testWhere(test, needs, "thirty faults on two clusters: never two active, nothing stuck", () => {
  const { code, told, err } = campaign("--faults", "30", "--jobs", "2", "--seed", "7");
  console.log(`campaign: ${JSON.stringify(told)}`);
  assert.is(code, 0, err);
  assert.is(told.twoActive, 0);
  assert.equal(told.wrong, []);
  assert.ok(told.faults >= 30, "as many faults struck as were asked for");
});

testWhere(test, needs, "with a wait that is too short the judge finds two active sites", () => {
  const keep = mkdtempSync(path.join(os.tmpdir(), "mirrorbeat-kept-"));
  try {
    const { code, told, err } = campaign(
      ...["--break-wait", "300", "--only", "partition", "--faults", "12", "--jobs", "1"],
      ...["--seed", "1", "--keep", keep],
    );
    assert.is(code, 1, err);
    assert.ok(told.twoActive >= 1, JSON.stringify(told));
    assert.equal(told.wrong, ["two active"]);
    const [folder = ""] = told.kept;
    assert.ok(existsSync(path.join(folder, "service.log")));
    const journals = readFileSync(path.join(folder, "journals.txt"), "latin1");
    assert.match(journals, /ev=takeover step=begin/);
    assert.match(err, /^2\S+ [ew]1 .*ev=\w+/m, "the last lines are shown");
  } finally {
    rmSync(keep, { recursive: true, force: true });
  }
});

test.run();
