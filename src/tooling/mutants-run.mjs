// Builds a mutant, searches for a violation of it in a process of its own, and tells what was found.
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { bundled } from "./mutants-build.mjs";

export const keptFolder = "fixtures/simulation/mutants";
const caughtFile = path.join(keptFolder, "caught.json");

/** By which history each mutant was caught the last time, by name. */
export function caughtBefore() {
  return existsSync(caughtFile) ? JSON.parse(readFileSync(caughtFile, "utf8")) : {};
}
export const caughtPath = caughtFile;

/** A history that is kept for a mutant: where random ones are too rare. */
function kept(name) {
  const file = path.join(keptFolder, `${name}.json`);
  return { name, scenario: JSON.parse(readFileSync(file, "utf8")) };
}

/** `first`: a seed that is tried before the others. */
export function taskOf({ setups, faults, runMs, seeds, scenarios }, first = null) {
  return { scenarios: scenarios.map(kept), seeds, setups, faults, runMs, first };
}

/** The histories that caught them, alone. */
export function taskFor({ setups, faults, runMs }, by) {
  const isKept = by.scenario !== undefined;
  const scenarios = isKept ? [kept(by.scenario)] : [];
  return { scenarios, seeds: 0, setups, faults, runMs, first: isKept ? null : by.seed };
}

function answerOf(bundle, tasks, limitMs) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [bundle], { stdio: ["pipe", "pipe", "pipe"] });
    let out = "";
    let errors = "";
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      child.kill("SIGKILL");
    }, limitMs);
    child.stdout.on("data", (data) => {
      out += data;
    });
    child.stderr.on("data", (data) => {
      errors += data;
    });
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      if (isLate) return resolve({ fault: `no end within ${limitMs / 1000} s` });
      if (code !== 0) {
        const said = errors.trim().split("\n")[0];
        return resolve({ fault: said || `ended by ${signal ?? `exit ${code}`}` });
      }
      resolve({ found: JSON.parse(out) });
    });
    child.stdin.end(JSON.stringify(tasks));
  });
}

/** What these searches find in the program with these edits; `fault`: they could not be done. */
export async function searched(edits, tasks, { scratch, name, limitMs }) {
  // A folder of its own: what is bundled beside it is in use while another one is built.
  const bundle = path.join(scratch, name, "bundle.cjs");
  try {
    await bundled(edits, bundle);
  } catch (error) {
    return { fault: String(error.message ?? error) };
  }
  return answerOf(bundle, tasks, limitMs);
}
