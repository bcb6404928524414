// test-limit-seconds: 300
// Proof that the simulator's checkers bite: each mistake in the product is caught by the history
// that caught it before, or by another one of so many. All of it, at leisure: `build.sh mutants`.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";

const folder = mkdtempSync(path.join(os.tmpdir(), "mirrorbeat-mutants-test-"));
test.after(() => rmSync(folder, { recursive: true, force: true }));

const mutantsMin = 30;

/** Runs lines of a module that has the tooling's exports at hand; what it prints, as JSON. */
function evaluate(lines: string): unknown {
  const file = path.join(folder, "probe.mjs");
  const at = (name: string) => JSON.stringify(path.resolve("src/tooling", name));
  const imports =
    `import { bundled, edited } from ${at("mutants-build.mjs")};\n` +
    `import { mutants } from ${at("mutants-list.mjs")};\n` +
    `const out = ${JSON.stringify(path.join(folder, "mutant.cjs"))};\n`;
  writeFileSync(file, `${imports}console.log(JSON.stringify(await (async () => {${lines}})()));`);
  const ended = spawnSync(process.execPath, [file], { encoding: "utf8", timeout: 60_000 });
  assert.is(ended.status, 0, ended.stderr);
  return JSON.parse(ended.stdout);
}

test("a text that is not there exactly once is no mutant", () => {
  const faults = evaluate(`
    const fault = (source, find, put) => {
      try { edited(source, { file: "a.ts", find, put }); return ""; } catch (error) { return error.message; }
    };
    return [fault("one two", "one", "1"), fault("one one", "one", "1"), fault("two", "one", "1"), fault("one", "one", "one")];
  `) as string[];
  assert.is(faults[0], "");
  assert.match(faults[1] ?? "", /there 2 times/);
  assert.match(faults[2] ?? "", /there 0 times/);
  assert.match(faults[3] ?? "", /replaced by itself/);
});

test("a file that is not simulated is no place for a mutant", () => {
  const fault = evaluate(`
    try {
      await bundled([{ file: "agent/no-such-file.ts", find: "a", put: "b" }], out);
      return "";
    } catch (error) { return error.message; }
  `) as string;
  assert.match(fault, /not a part of what is simulated/);
});

test("names are told apart, and there are enough", () => {
  const names = evaluate("return mutants.map(({ name }) => name);") as string[];
  assert.is(new Set(names).size, names.length);
  assert.ok(names.length >= mutantsMin, `${names.length} mutants`);
});

test("every mutant is caught, and its history finds nothing in the shipped program", () => {
  const tool = path.resolve("src/tooling/mutants.mjs");
  const ended = spawnSync(process.execPath, [tool, "--json"], {
    encoding: "utf8",
    timeout: 280_000,
    maxBuffer: 1 << 26,
  });
  assert.is(ended.signal, null, "it did not end in time");
  const { ok, mutants, doubtful } = JSON.parse(ended.stdout) as {
    ok: boolean;
    mutants: { name: string; checker: string | null; ran: number; fault: string }[];
    doubtful: { name: string; text: string }[];
  };
  const survivors = mutants.filter(({ checker }) => checker === null);
  assert.equal(survivors, []);
  assert.equal(doubtful, []);
  assert.ok(ok);
});

test.run();
