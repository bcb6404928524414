// test-limit-seconds: 180
/**
 * Every scenario file of fixtures/simulation/scenarios comes out as it is written there, and each
 * row of the verdict table is told in one. UPDATE_FIXTURES=1 writes the outputs anew.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { rowsByDoubt } from "../../core/verdict.ts";
import { commandNames } from "./grammar.ts";
import { runScript, scriptFaultText } from "./run-script.ts";

const folder = "fixtures/simulation/scenarios";
const files = readdirSync(folder)
  .filter((name) => name.endsWith(".txt"))
  .sort();
const isUpdating = process.env["UPDATE_FIXTURES"] === "1";
const textOf = (name: string): string => readFileSync(path.join(folder, name), "utf8");

for (const name of files) {
  test(name, async () => {
    const file = path.join(folder, name);
    const text = textOf(name);
    const told: string[] = [];
    const outcome = await runScript(text, file, {});
    for (const { checker, text: words } of outcome.violations) told.push(`${checker}: ${words}`);
    for (const fault of outcome.faults) told.push(scriptFaultText(fault));
    if (isUpdating) writeFileSync(file, outcome.text);
    assert.equal(told, []);
    if (!isUpdating) assert.is(outcome.text, text, "where the change is meant: UPDATE_FIXTURES=1");
  });
}

test("each row of the verdict table is told in a scenario of its own name", () => {
  for (const row of rowsByDoubt) {
    const [, number = "", letter = ""] = /^(\d+)(\w?)$/.exec(row) ?? [];
    const prefix = `row-${number.padStart(2, "0")}${letter}-`;
    const tells = new RegExp(`^\\+\\S+ +\\S+ verdict \\S+ row ${row},`, "m");
    const own = files.filter((name) => name.startsWith(prefix) && tells.test(textOf(name)));
    assert.ok(own.length > 0, `no ${prefix}*.txt tells row ${row}`);
  }
});

test("the description of the format names each command", () => {
  const readme = textOf("README.md");
  for (const name of commandNames) assert.match(readme, new RegExp(`^\\| \`${name} `, "m"), name);
});

test("each file begins with its story, in 80 columns of ASCII", () => {
  for (const name of files) {
    const lines = textOf(name).split("\n");
    assert.match(lines[0] ?? "", /^# \S/, name);
    for (const line of lines) assert.match(line, /^[\x20-\x7e]{0,80}$/, `${name}: ${line}`);
  }
});

test.run();
