// test-limit-seconds: 90
// The runner must not be fooled: each way in which a test run can look better than it is, tried.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";

const root = process.cwd();
const header = 'import { test } from "uvu";\n';

/** Runs the runner over a tree of test files of its own; answers its exit code and output. */
function runOver(files: Readonly<Record<string, string>>): {
  code: number | null;
  out: string;
  last: string;
} {
  const folder = mkdtempSync(path.join(os.tmpdir(), "mirrorbeat-runner-"));
  const bundles = path.join(root, ".build", `runner-${path.basename(folder)}`);
  try {
    mkdirSync(path.join(folder, "src"));
    writeFileSync(path.join(folder, "package.json"), '{"version":"0.0.0"}');
    writeFileSync(path.join(folder, "libmirrorbeat.so"), "");
    for (const [name, text] of Object.entries(files))
      writeFileSync(path.join(folder, "src", name), text);
    const runner = path.join(root, "src", "tooling", "run-tests.mjs");
    const ended = spawnSync(process.execPath, [runner, folder], {
      cwd: folder,
      encoding: "utf8",
      env: { ...process.env, TEST_OUT: bundles, TEST_TOTALS: "" },
    });
    return {
      code: ended.status,
      out: ended.stdout,
      last: ended.stdout.trim().split("\n").at(-1) ?? "",
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
    rmSync(bundles, { recursive: true, force: true });
  }
}

const good = `${header}test("one", () => {}); test("two", () => {}); test.run();\n`;

test("what passes is counted, and the count is the last line", () => {
  const { code, last } = runOver({ "a.test.ts": good, "b.test.ts": good });
  assert.is(code, 0);
  assert.is(last, "4 passed, 0 failed");
});

test("a failed test, and a test that throws at once", () => {
  const { code, last } = runOver({
    "a.test.ts": good,
    "b.test.ts": `${header}test("no", () => { throw new Error("no"); }); test.run();\n`,
    "c.test.ts": 'throw new Error("at once");\n',
  });
  assert.is(code, 1);
  assert.is(last, "2 passed, 2 failed");
});

test("test.run() forgotten: nothing ran, and that is a failure", () => {
  const { code, out, last } = runOver({ "a.test.ts": `${header}test("never", () => {});\n` });
  assert.is(code, 1);
  assert.match(out, "no test ran");
  assert.is(last, "0 passed, 1 failed");
});

test("a hung test, and one that leaves a child behind", () => {
  const hung =
    "// test-limit-seconds: 2\n" +
    `${header}test("hung", () => new Promise(() => setInterval(() => {}, 1000))); test.run();\n`;
  const { code, out, last } = runOver({ "a.test.ts": hung });
  assert.is(code, 1);
  assert.match(out, "no end within 2 s");
  assert.match(last, /^0 passed, [12] failed$/);
});

test("an exit code that is not zero though every test passed", () => {
  const { code, last } = runOver({
    "a.test.ts": `${good}process.on("exit", () => { process.exitCode = 3; });\n`,
  });
  assert.is(code, 1);
  assert.is(last, "2 passed, 1 failed");
});

test("no test file at all", () => {
  const { code, last } = runOver({ "a.ts": "export {};\n" });
  assert.is(code, 1);
  assert.is(last, "0 passed, 1 failed");
});

test("what is skipped is told with its reason", () => {
  const skipping = `${header}console.log("skipped: big: needs root"); test("small", () => {}); test.run();\n`;
  const { code, out } = runOver({ "a.test.ts": skipping });
  assert.is(code, 0);
  assert.match(out, "skipped a.test.ts: big: needs root");
});

test("conformance of what is no remote copy: one line, 64", () => {
  for (const words of [[], ["no-such-array"], ["embedded", "more"], ["*"]]) {
    const { status, stderr } = spawnSync("sh", ["build.sh", "conformance", ...words], {
      cwd: root,
      encoding: "utf8",
    });
    assert.is(status, 64, words.join(" "));
    assert.is(stderr.trim().split("\n").length, 1, stderr);
  }
});

test.run();
