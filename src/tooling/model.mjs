/**
 * `./build.sh model`: searches every state of the models in src/model, and the mistakes that the
 * search must find. Exit 0: all as expected; 1: not; 69: a program is missing. See docs/model.md.
 */
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { cases } from "./model-cases.mjs";
import { counterexample, missingProgram, searchCase } from "./model-run.mjs";

const usage = `usage: build.sh model [OPTIONS]
  --quick      without the largest sizes: what CI runs
  --only TEXT  cases whose name contains TEXT
  --show NAME  the counterexample of one case, step by step
  --json       for machines
`;
const jobs = 2;
const memoryMib = { quick: 700, full: 1400 };
const limitSeconds = { quick: 120, full: 600 };

function options() {
  try {
    return parseArgs({
      options: {
        quick: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
        only: { type: "string" },
        show: { type: "string" },
      },
    }).values;
  } catch (error) {
    console.error(`build.sh model: ${error.message}\n${usage}`);
    process.exit(64);
  }
}
const values = options();
if (values.help) {
  process.stdout.write(usage);
  process.exit(0);
}

const missing = await missingProgram();
if (missing) {
  console.log(
    `skipped: ${missing.program} is missing; install it: apt-get install -y ${missing.package}`,
  );
  process.exit(69);
}

const scratch = mkdtempSync(path.join(os.tmpdir(), "mirrorbeat-model-"));
const cleanUp = () => rmSync(scratch, { recursive: true, force: true });
process.on("exit", cleanUp);
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(130));

const search = (one) =>
  searchCase(one, {
    scratch,
    memoryMib: one.full ? memoryMib.full : memoryMib.quick,
    limitSeconds: one.full ? limitSeconds.full : limitSeconds.quick,
  });

if (values.show !== undefined) {
  const one = cases.find(({ name }) => name === values.show);
  if (!one) {
    console.error(`build.sh model: no case is named '${values.show}'; names: build.sh model`);
    process.exit(64);
  }
  const result = await search(one);
  console.log(`${one.name}: ${result.found}${result.why ? ` (${result.why})` : ""}`);
  if (result.found === "violated") {
    const steps = await counterexample(one, result.folder);
    for (const [index, step] of steps.entries()) {
      console.log(`${String(index + 1).padStart(3)} ${step}`);
    }
  }
  process.exit(result.found === one.expect ? 0 : 1);
}

const row = (cells) =>
  [
    cells[0].padEnd(31),
    cells[1].padEnd(9),
    cells[2].padEnd(10),
    cells[3].padStart(9),
    cells[4].padStart(8),
    cells[5].padStart(6),
  ].join(" ");

const wanted = cases
  .filter((one) => !(values.quick && one.full))
  .filter((one) => !values.only || one.name.includes(values.only));
if (wanted.length === 0) {
  console.error(`build.sh model: no case has '${values.only}' in its name`);
  process.exit(64);
}

function tell(one) {
  const depth = String(one.found === "violated" ? one.steps : one.depth);
  const seconds = one.seconds.toFixed(1);
  console.log(row([one.name, one.expect, one.found, String(one.states), depth, seconds]));
  if (!one.ok && one.why) console.log(`  ^ ${one.why}`);
}

const results = new Map();
if (!values.json) console.log(row(["name", "expected", "found", "states", "depth", "s"]));
async function work(queue) {
  for (let one = queue.shift(); one; one = queue.shift()) {
    const result = await search(one);
    rmSync(result.folder, { recursive: true, force: true });
    results.set(one.name, { ...result, ok: result.found === one.expect });
    if (!values.json) tell({ ...one, ...results.get(one.name) });
  }
}
const queue = wanted.filter((one) => !one.full);
await Promise.all(Array.from({ length: jobs }, () => work(queue)));
await work(wanted.filter((one) => one.full)); // one at a time: each may take all of the memory

const lines = wanted.map((one) => ({ ...one, ...results.get(one.name) }));
const bad = lines.filter(({ ok }) => !ok);
if (values.json) {
  const shown = lines.map(({ name, expect, found, why, ok, states, depth, steps, seconds }) => {
    return { name, expected: expect, found, why, ok, states, depth, steps, seconds };
  });
  console.log(JSON.stringify({ ok: bad.length === 0, cases: shown }, null, 2));
} else {
  console.log("depth of a mistake: the length of its counterexample (--show NAME)");
  console.log(
    bad.length === 0
      ? `model: all ${lines.length} cases as expected`
      : `model: ${bad.length} of ${lines.length} not as expected: ${bad.map(({ name }) => name).join("; ")}`,
  );
}
process.exitCode = bad.length === 0 ? 0 : 1;
