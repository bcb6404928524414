// run-tests.mjs NATIVE [FILTER...]: every src/**/*.test.ts, bundled, each in a process of its own.
//
// A test run can lie in many ways; each has its answer here:
//   a hung test           -> the file's own time limit, then SIGKILL to its whole process group
//   test.run() forgotten  -> a file with no result fails
//   a crash half-way      -> a non-zero exit with no failed test counts as a failure
//   no file at all        -> a failure
// A file may ask for more time by a line `// test-limit-seconds: N`, and for the machine to
// itself by a line `// test-alone`. Tests that cannot run here print `skipped: NAME: REASON`.
import { spawn } from "node:child_process";
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { build } from "esbuild";
import { commonOptions } from "./esbuild-options.mjs";

const [native, ...filters] = process.argv.slice(2);
const out = path.resolve(process.env.TEST_OUT ?? ".build/test");
const showsAll = process.env.TEST_SHOW === "1"; // not only the output of what fails
const defaultLimitSeconds = 60;
// Most files wait for agents and engines most of the time: one more than there are processors.
const jobs = Number(process.env.TEST_JOBS ?? os.availableParallelism() + 1);
const { version } = JSON.parse(readFileSync("package.json", "utf8"));

const sources = readdirSync("src", { recursive: true })
  .map(String)
  .filter((file) => file.endsWith(".test.ts"))
  .filter((file) => filters.length === 0 || filters.some((filter) => file.includes(filter)))
  .sort();
const bundleName = (file) => `${file.replaceAll(path.sep, "-").slice(0, -".ts".length)}`;

rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
await build({
  ...commonOptions,
  entryPoints: sources.map((file) => ({ in: path.join("src", file), out: bundleName(file) })),
  outdir: out,
  outExtension: { ".js": ".cjs" },
  external: ["uvu", "uvu/*", "fast-check", "esbuild"],
  define: { MIRRORBEAT_VERSION: JSON.stringify(version) },
});
copyFileSync(path.join(native, "libmirrorbeat.so"), path.join(out, "libmirrorbeat.so"));

const totals = { passed: 0, failed: 0, skipped: [] };

function summary(output) {
  const plain = output.replaceAll(/\u001b\[[0-9;]*m/g, "");
  const last = (key) =>
    Number([...plain.matchAll(new RegExp(`^ {2}${key}:\\s+(\\d+)`, "gm"))].at(-1)?.[1] ?? 0);
  return {
    total: last("Total"),
    passed: last("Passed"),
    skippedLines: [...plain.matchAll(/^skipped: (.*)$/gm)].map((m) => m[1]),
  };
}

function judge({ total, passed, skippedLines }, code, cause) {
  // A file all of whose tests need what is not here has said so.
  if (total === 0 && skippedLines.length > 0 && !code && !cause) return { failed: 0, why: "" };
  if (cause) return { failed: total - passed + 1, why: cause };
  if (total === 0)
    return {
      failed: 1,
      why: code ? `exit ${code} before any result` : "no test ran (test.run() forgotten?)",
    };
  if (total > passed) return { failed: total - passed, why: "" };
  return code ? { failed: 1, why: `exit ${code} though no test failed` } : { failed: 0, why: "" };
}

function runFile(file) {
  const text = readFileSync(path.join("src", file), "utf8");
  const limitSeconds = Number(
    /^\/\/ test-limit-seconds: (\d+)/m.exec(text)?.[1] ?? defaultLimitSeconds,
  );
  const started = performance.now();
  return new Promise((resolve) => {
    const child = spawn(
      process.execPath,
      ["--enable-source-maps", path.join(out, `${bundleName(file)}.cjs`)],
      {
        stdio: ["ignore", "pipe", "pipe"],
        env: { ...process.env, NO_COLOR: "1", FORCE_COLOR: "0" },
        detached: true,
      },
    );
    let output = "";
    let cause = "";
    const killGroup = () => {
      try {
        process.kill(-child.pid, "SIGKILL");
      } catch {
        // the group is gone already
      }
    };
    child.stdout.on("data", (data) => {
      output += data;
    });
    child.stderr.on("data", (data) => {
      output += data;
    });
    const timer = setTimeout(() => {
      cause = `no end within ${limitSeconds} s`;
      killGroup();
    }, limitSeconds * 1000);
    child.on("close", (code) => {
      clearTimeout(timer);
      killGroup();
      const counts = summary(output);
      const { failed, why } = judge(counts, code, cause);
      totals.passed += counts.passed;
      totals.failed += failed;
      totals.skipped.push(...counts.skippedLines.map((line) => `${file}: ${line}`));
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      console.log(
        `${failed ? "FAIL" : "ok  "} ${file}  ${counts.passed}/${counts.total}  ${seconds} s${why ? `  ${why}` : ""}`,
      );
      if (failed || showsAll) console.log(output.replaceAll(/^/gm, "    | "));
      resolve();
    });
  });
}

const isAlone = (file) => /^\/\/ test-alone/m.test(readFileSync(path.join("src", file), "utf8"));
const queue = sources.filter((file) => !isAlone(file));
await Promise.all(
  Array.from({ length: Math.max(1, jobs) }, async () => {
    for (let file = queue.shift(); file; file = queue.shift()) await runFile(file);
  }),
);
for (const file of sources.filter(isAlone)) await runFile(file);
if (sources.length === 0) {
  totals.failed += 1;
  console.log("FAIL no test file matches");
}
for (const line of totals.skipped) console.log(`skipped ${line}`);
if (process.env.TEST_TOTALS) {
  const { appendFileSync } = await import("node:fs");
  appendFileSync(process.env.TEST_TOTALS, `${totals.passed} ${totals.failed}\n`);
}
console.log(`${totals.passed} passed, ${totals.failed} failed`);
process.exitCode = totals.failed ? 1 : 0;
