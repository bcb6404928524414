/** Hooks as real programs: ends, limits, output, children that outlive them. */
import { execFileSync } from "node:child_process";
import {
  closeSync,
  constants,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import os from "node:os";
import path from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { runHook } from "./hook.ts";

const sh = (script: string, limitMs = 10_000, env: Record<string, string> = {}) =>
  runHook(["/bin/sh", "-c", script], env, limitMs);

test("ends are told in words", async () => {
  assert.equal(await sh("exit 0"), { ok: true, detail: "exit 0" });
  assert.equal(await sh("echo one; echo two"), { ok: true, detail: "exit 0: two" });
  assert.equal(await sh("echo bad >&2; exit 7"), { ok: false, detail: "exit 7: bad" });
  assert.equal(await sh("kill -TERM $$"), { ok: false, detail: "killed by SIGTERM" });
  assert.equal(await runHook([], {}, 100), { ok: false, detail: "no command" });
  const missing = await runHook(["/no/such/program"], {}, 1000);
  assert.equal(missing, { ok: false, detail: "cannot run /no/such/program: ENOENT" });
  const folder = await runHook(["/tmp"], {}, 1000);
  assert.equal(folder, { ok: false, detail: "cannot run /tmp: EACCES" });
});

test("arguments are passed as they are, without a shell; the environment is given, not inherited", async () => {
  process.env["TEST_SECRET"] = "secret";
  const result = await runHook(["/bin/echo", "$HOME", "a b", ";", "*"], {}, 5000);
  assert.is(result.detail, "exit 0: $HOME a b ; *");
  const seen = await sh('echo "$MIRRORBEAT_TERM $TEST_SECRET ${PATH:+path}"', 5000, {
    MIRRORBEAT_TERM: "514",
  });
  assert.is(seen.detail, "exit 0: 514  path");
});

test("at the limit the whole process group is killed", async () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), "mirrorbeat-hook-"));
  const pidFile = path.join(folder, "pid");
  const began = performance.now();
  const result = await sh(`trap '' TERM; sleep 300 & echo $! >${pidFile}; wait`, 300);
  assert.equal(result, { ok: false, detail: "no end within 300 ms, killed" });
  assert.ok(performance.now() - began < 5000);
  const pid = readFileSync(pidFile, "ascii").trim();
  for (const end = performance.now() + 5000; existsSync(`/proc/${pid}`); ) {
    if (readFileSync(`/proc/${pid}/stat`, "ascii").includes(") Z ")) break;
    assert.ok(performance.now() < end, "its child lives on");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  rmSync(folder, { recursive: true });
});

test("a daemon that it leaves behind, holding its output, is not waited for", async () => {
  const began = performance.now();
  const result = await sh("sleep 3 & echo started");
  assert.is(result.ok, true);
  assert.match(result.detail, "exit 0");
  assert.ok(performance.now() - began < 2500);
});

test("output without end or newline is bounded, and shown in ASCII", async () => {
  const result = await sh("head -c 20000000 /dev/zero | tr '\\0' x; exit 3");
  assert.is(result.ok, false);
  assert.ok(result.detail.length < 200);
  const binary = await sh("printf '\\033[31mred\\377\\n'; exit 1");
  assert.is(binary.detail, "exit 1: ?[31mred?");
});

test("a program whose file does not answer is not started, and holds up no other", async () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), "mirrorbeat-hook-"));
  const stuck = path.join(folder, "stuck");
  execFileSync("mkfifo", ["-m", "755", stuck]); // to open it takes as long as nobody writes
  const began = performance.now();
  const both = [runHook([stuck], {}, 300), runHook([stuck], {}, 300)];
  assert.is((await sh("echo fine")).detail, "exit 0: fine");
  for (const result of await Promise.all(both)) {
    assert.equal(result, { ok: false, detail: `cannot run ${stuck}: its file does not answer` });
  }
  assert.ok(performance.now() - began < 2000);
  closeSync(openSync(stuck, constants.O_WRONLY | constants.O_NONBLOCK));
  rmSync(folder, { recursive: true });
});

test("a program is looked for where PATH says", async () => {
  assert.equal(await runHook(["true"], {}, 5000), { ok: true, detail: "exit 0" });
  const missing = await runHook(["no-such-program"], {}, 1000);
  assert.equal(missing, { ok: false, detail: "cannot run no-such-program: ENOENT" });
});

test("many at once", async () => {
  const results = await Promise.all(Array.from({ length: 20 }, (_, n) => sh(`exit ${n % 3}`)));
  results.forEach((result, n) => assert.is(result.ok, n % 3 === 0));
  const folder = mkdtempSync(path.join(os.tmpdir(), "mirrorbeat-hook-"));
  writeFileSync(path.join(folder, "plain"), "not executable");
  const plain = await runHook([path.join(folder, "plain")], {}, 1000);
  assert.is(plain.ok, false);
  rmSync(folder, { recursive: true });
});

test.run();
