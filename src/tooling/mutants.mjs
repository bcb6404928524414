/**
 * `./build.sh mutants`: proof that the simulator's checkers bite. Each mutant is the product with
 * one mistake; histories are simulated until a checker finds it. The history that does must find
 * nothing in the program as it is shipped. Exit 0: every one is caught; 1: not. See docs/mutants.md.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { docText } from "./mutants-doc.mjs";
import { mutants } from "./mutants-list.mjs";
import { caughtBefore, caughtPath, searched, taskFor, taskOf } from "./mutants-run.mjs";

const usage = `usage: build.sh mutants [OPTIONS]
  --only TEXT  mutants whose name contains TEXT
  --search     from the first seed on, not from the one that caught it the last time
  --seconds N  at most so long for each (default 120)
  --json       for machines
UPDATE_FIXTURES=1: remembers what caught each, and rewrites docs/mutants.md
`;
const jobs = 2;

function options() {
  try {
    return parseArgs({
      options: {
        only: { type: "string" },
        search: { type: "boolean", default: false },
        seconds: { type: "string", default: "120" },
        json: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    }).values;
  } catch (error) {
    console.error(`build.sh mutants: ${error.message}\n${usage}`);
    process.exit(64);
  }
}
const values = options();
if (values.help) {
  process.stdout.write(usage);
  process.exit(0);
}

const wanted = mutants.filter(({ name }) => !values.only || name.includes(values.only));
if (wanted.length === 0) {
  console.error(`build.sh mutants: no mutant has '${values.only}' in its name`);
  process.exit(64);
}

const scratch = mkdtempSync(path.join(os.tmpdir(), "mirrorbeat-mutants-"));
process.on("exit", () => rmSync(scratch, { recursive: true, force: true }));
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(130));

const limitMs = 1000 * Number(values.seconds);
const before = caughtBefore();

async function judge(mutant, index) {
  const known = values.search ? null : (before[mutant.name] ?? null);
  const began = performance.now();
  const task = taskOf(mutant, known?.seed ?? null);
  const told = await searched(mutant.edits, [task], { scratch, name: `mutant-${index}`, limitMs });
  const seconds = (performance.now() - began) / 1000;
  const [found] = told.found ?? [];
  const by = found?.by ?? null;
  return {
    mutant,
    seconds,
    fault: told.fault ?? "",
    ran: found?.ran ?? 0,
    by,
    violation: found?.violation ?? null,
  };
}

const row = ([name, checker, after, seconds]) =>
  `${name.padEnd(46)} ${checker.padEnd(20)} ${after.padEnd(28)} ${seconds.padStart(6)}`;
const afterText = ({ by, ran }) =>
  by === null
    ? `survived ${ran}`
    : by.seed === undefined
      ? `kept: ${by.scenario}`
      : `seed ${by.seed}`;

function tell(one) {
  const { mutant, violation, fault, seconds } = one;
  console.log(row([mutant.name, violation?.checker ?? "-", afterText(one), seconds.toFixed(1)]));
  if (fault) console.log(`  ^ ${fault}`);
}

const results = [];
if (!values.json) console.log(row(["mutant", "caught by", "after", "s"]));
const queue = [...wanted.entries()];
async function work() {
  for (let next = queue.shift(); next; next = queue.shift()) {
    const [index, mutant] = next;
    const one = await judge(mutant, index);
    results[index] = one;
    if (!values.json) tell(one);
  }
}
await Promise.all(Array.from({ length: jobs }, work));

/** A history that finds something in the shipped program too proves nothing. */
async function unproven() {
  const caught = results.filter(({ by }) => by !== null);
  const tasks = caught.map(({ mutant, by }) => taskFor(mutant, by));
  const told = await searched([], tasks, { scratch, name: "shipped", limitMs: limitMs + 120_000 });
  if (told.fault) return [{ name: "(shipped)", text: told.fault }];
  return told.found.flatMap(({ violation }, index) =>
    violation === null
      ? []
      : [{ name: caught[index].mutant.name, text: `${violation.checker}: ${violation.text}` }],
  );
}
const doubtful = await unproven();

const survivors = results.filter(({ by }) => by === null);
if (values.json) {
  const shown = results.map(({ mutant, by, violation, seconds, ran, fault }) => {
    const { name, part, breaks } = mutant;
    return {
      name,
      part,
      breaks,
      by,
      checker: violation?.checker ?? null,
      text: violation?.text ?? null,
      ran,
      seconds,
      fault,
    };
  });
  const ok = survivors.length === 0 && doubtful.length === 0;
  console.log(JSON.stringify({ ok, mutants: shown, doubtful }));
} else {
  for (const { name, text } of doubtful)
    console.log(`caught without the mistake too: ${name}: ${text}`);
  const names = survivors.map(({ mutant }) => mutant.name);
  console.log(
    survivors.length === 0
      ? `mutants: all ${results.length} caught`
      : `mutants: ${survivors.length} of ${results.length} survived: ${names.join("; ")}`,
  );
}

if (process.env.UPDATE_FIXTURES === "1") {
  const doubted = new Set(doubtful.map(({ name }) => name));
  const now = { ...before };
  for (const { mutant, by, violation } of results) {
    if (by === null || doubted.has(mutant.name)) delete now[mutant.name];
    else now[mutant.name] = { checker: violation.checker, ...by };
  }
  const ordered = Object.fromEntries(
    mutants.flatMap(({ name }) => (now[name] ? [[name, now[name]]] : [])),
  );
  mkdirSync(path.dirname(caughtPath), { recursive: true });
  writeFileSync(caughtPath, `${JSON.stringify(ordered, null, 2)}\n`);
  writeFileSync("docs/mutants.md", docText(mutants, ordered));
}
process.exitCode = survivors.length === 0 && doubtful.length === 0 ? 0 : 1;
