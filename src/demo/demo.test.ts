// test-limit-seconds: 150
// The first minute, as a newcomer and as a bystander see it: the built program, its own processes.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";

const program = path.join(process.cwd(), "dist", "mirrorbeat");

type Result = {
  readonly ok: boolean;
  readonly steps: readonly { name: string; ok: boolean; why?: string }[];
  readonly detectionMs: number;
  readonly boundMs: number;
  readonly twoActive: number;
};

/** Runs the demo; `onLine` may act on what it prints. */
function demo(
  args: readonly string[],
  onLine: (line: string) => void,
): Promise<{ code: number | null; lines: string[] }> {
  return new Promise((resolve) => {
    const child = spawn(program, ["demo", ...args], { stdio: ["ignore", "pipe", "inherit"] });
    const lines: string[] = [];
    let rest = "";
    child.stdout.on("data", (data) => {
      const parts = (rest + data).split("\n");
      rest = parts.pop() ?? "";
      for (const line of parts) {
        lines.push(line);
        onLine(line);
      }
    });
    child.on("close", (code) => resolve({ code, lines }));
  });
}

test("each step as promised, and a bystander's kill is found within the bound", async () => {
  assert.ok(existsSync(program), "dist/mirrorbeat: run ./build.sh first");
  let pid = 0;
  const { code, lines } = await demo(["--json", "--interval", "300", "--seed", "11"], (line) => {
    const started = /host a2 of site a: pid (\d+)/.exec(line);
    if (started && pid === 0) pid = Number(started[1]);
    if (line.includes("BEATING")) process.kill(pid, "SIGKILL");
  });
  const told = lines.join("\n");
  const result = JSON.parse(lines.at(-1) ?? "{}") as Result;
  assert.is(code, 0, told);
  assert.equal(
    result.steps.map((step) => step.name),
    ["beating", "lan-cut", "mirror-cut", "production-killed", "production-back"],
  );
  assert.ok(result.ok && result.steps.every((step) => step.ok), told);
  assert.is(result.twoActive, 0);
  assert.ok(result.detectionMs > 0);
  const found = /a2 +found in ([\d.]+) s \(bound ([\d.]+) s\)/.exec(told);
  assert.ok(found, told);
  assert.ok(Number(found[1]) <= Number(found[2]), told);
  for (const line of lines.slice(0, -1))
    assert.ok(line.length <= 80 && /^[\x20-\x7e]*$/.test(line), line);
});

test("wrong options are one line and exit 64", async () => {
  const { code } = await demo(["--interval", "7"], () => undefined);
  assert.is(code, 64);
});

test.run();
