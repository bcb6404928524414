// One search by Spin: a model with its flags is generated, compiled and searched in a folder of
// its own, with a limit of memory, depth and time; and what the search says is told apart:
// a truncated search is neither "holds" nor "violated".
import { spawn } from "node:child_process";
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";

export const modelFolder = path.resolve("src/model");
export const needed = { spin: "spin", gcc: "gcc" };

/** Runs a program in `folder`; its output, and whether it ended in time. */
function run(folder, program, words, limitSeconds) {
  return new Promise((resolve) => {
    const child = spawn(program, words, { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    let timedOut = false;
    let running = true;
    const timer = setTimeout(() => {
      timedOut = true;
      child.kill("SIGKILL");
    }, limitSeconds * 1000);
    const collect = (data) => {
      if (output.length < 4_000_000) output += data;
    };
    child.stdout.on("data", collect);
    child.stderr.on("data", collect);
    const end = (code) => {
      if (!running) return;
      running = false;
      clearTimeout(timer);
      resolve({ output, code, timedOut });
    };
    child.on("error", () => end(127));
    child.on("close", end);
  });
}

/** The first of the programs needed that is missing, as { program, package }; null if none. */
export async function missingProgram() {
  for (const [program, name] of Object.entries(needed)) {
    const words = program === "spin" ? ["-V"] : ["--version"];
    const { code } = await run(".", program, words, 10);
    if (code !== 0) return { program, package: name };
  }
  return null;
}

const flagWords = (flags) =>
  Object.entries(flags).map(([name, value]) =>
    value === true ? `-D${name}` : `-D${name}=${value}`,
  );

/** What the verifier's output says: { found, why?, states, depth, steps }. */
export function judge({ output, code, timedOut }) {
  const number = (pattern) => Number(pattern.exec(output)?.[1] ?? 0);
  const figures = {
    states: number(/^\s*(\d+) states, stored/m),
    depth: number(/depth reached (\d+)/),
    steps: number(/\(at depth (\d+)\)/),
  };
  const broken = (why) => ({ found: "no answer", why, ...figures, steps: 0 });
  if (/assertion violated/.test(output)) return { found: "violated", ...figures };
  if (timedOut) return broken("not done in time");
  if (/max search depth too small/.test(output)) return broken("search depth too small");
  if (/out of memory|MEMLIM/i.test(output)) return broken("out of memory");
  if (/aborting|error: /i.test(output)) return broken("the verifier gave up");
  if (/errors: [1-9]/.test(output)) return broken("an error that is no violated assertion");
  if (code !== 0 || !/errors: 0/.test(output)) return broken(`the verifier ended with ${code}`);
  if (/Search not completed/.test(output)) return broken("search not completed");
  return { found: "holds", ...figures };
}

/**
 * Searches one case { name, file, flags, search } in a new folder under `scratch`.
 * `search`: "breadth" finds the shortest counterexample; "depth" needs less memory.
 */
export async function searchCase(one, { scratch, memoryMib, limitSeconds }) {
  const folder = path.join(scratch, one.name.replaceAll(/[^a-z0-9]+/gi, "-"));
  mkdirSync(folder, { recursive: true });
  cpSync(modelFolder, folder, { recursive: true });
  for (const [file, text] of Object.entries(one.files ?? {})) {
    writeFileSync(path.join(folder, file), text);
  }
  const started = performance.now();
  const done = (result) => ({ ...result, folder, seconds: (performance.now() - started) / 1000 });
  const broken = (why) => done({ found: "no answer", why, states: 0, depth: 0, steps: 0 });
  const words = flagWords(one.flags);
  const made = await run(folder, "spin", [...words, "-a", one.file], 30);
  if (made.code !== 0 || /Error:/.test(made.output)) {
    return broken(`spin: ${made.output.trim().split("\n")[0]}`);
  }
  const mode = one.search === "depth" ? ["-DCOLLAPSE"] : ["-DBFS"];
  const options = [
    "-w",
    one.full ? "-O2" : "-Og",
    "-DSAFETY",
    "-DNOREDUCE",
    `-DMEMLIM=${memoryMib}`,
    ...mode,
  ];
  const compiled = await run(folder, "gcc", [...options, "-o", "pan", "pan.c"], 120);
  if (compiled.code !== 0) return broken(`gcc: ${compiled.output.trim().split("\n")[0]}`);
  const depth = one.search === "depth" ? [`-m${one.depth ?? 1_000_000}`] : [];
  return done(judge(await run(folder, "./pan", [...depth, "-w22"], limitSeconds)));
}

/** The steps of the counterexample that a search left in its folder, as lines. */
export async function counterexample(one, folder) {
  const words = [...flagWords(one.flags), "-t", "-T", one.file];
  const { output } = await run(folder, "spin", words, 60);
  return [...output.matchAll(/^@ (.*)$/gm)].map((match) => match[1].replace(/^(\d) /, "[$1] "));
}
