// smoke.mjs [MAJOR...]: the built bundle, copied elsewhere, on other versions of Node (22 and 24).
// The npm package `node` brings them; addons and library are the ones built on this version.
import { execFile } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const majors = process.argv.length > 2 ? process.argv.slice(2) : ["20", "22", "24"];
const folder = mkdtempSync(path.join(os.tmpdir(), "mirrorbeat-smoke-"));
const program = path.join(folder, "anywhere", "mirrorbeat");
cpSync("dist", path.dirname(program), { recursive: true });
let passed = 0;
let failed = 0;
/** Of the same simulated histories, on every version. */
let traceHash = null;

async function nodeOf(major) {
  if (process.versions.node.startsWith(`${major}.`)) return process.execPath;
  const prefix = path.resolve(".build", `node-${major}`);
  const binary = path.join(prefix, "node_modules", "node", "bin", "node");
  if (!existsSync(binary)) {
    await run(
      "npm",
      ["install", "--no-save", "--no-audit", "--no-fund", "--prefix", prefix, `node@${major}`],
      { cwd: os.tmpdir() },
    );
  }
  return binary;
}

async function check(name, work) {
  try {
    await work();
    passed += 1;
    console.log(`ok   ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL ${name}: ${error.stderr || error.stdout || error.message}`);
  }
}

for (const major of majors) {
  const node = await nodeOf(major);
  const env = { ...process.env, MIRRORBEAT_NODE: node };
  const call = (...args) => run(program, args, { env, cwd: "/", timeout: 120_000 });
  const { stdout: version } = await run(node, ["-v"]);
  const on = `Node ${version.trim()}`;
  await check(`${on}: --version`, () => call("--version"));
  await check(`${on}: 900 verdicts`, async () => {
    const { stdout } = await call("explain", "--all", "--json");
    if (stdout.trim().split("\n").length !== 900) throw new Error("not 900 lines");
  });
  await check(`${on}: simulated histories, to the same trace`, async () => {
    const { stdout } = await call("simulate", "--seeds", "6", "--json");
    const last = JSON.parse(stdout.trim().split("\n").at(-1));
    if (last.violations.length > 0) throw new Error(JSON.stringify(last.violations));
    traceHash ??= last.traceHash;
    if (last.traceHash !== traceHash) throw new Error(`${last.traceHash}, not ${traceHash}`);
  });
  await check(`${on}: demo`, async () => {
    const { stdout } = await call("demo", "--json", "--interval", "200");
    const last = JSON.parse(stdout.trim().split("\n").at(-1));
    if (!last.ok) throw new Error(JSON.stringify(last));
  });
}
rmSync(folder, { recursive: true, force: true });
console.log(`smoke: ${passed} passed, ${failed} failed`);
process.exitCode = failed ? 1 : 0;
