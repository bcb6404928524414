/**
 * docs/simulation.md: its tables of set-ups, faults and checkers are those of the program.
 * UPDATE_FIXTURES=1 renders the document anew.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { checkers } from "./checkers/all.ts";
import { faults } from "./faults/all.ts";
import { setups } from "./setups.ts";

const document = "docs/simulation.md";
const code = (text: string): string => `\`${text}\``;

function table(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(titles), `|${"---|".repeat(titles.length)}`, ...rows.map(line)].join("\n");
}

const tables: Readonly<Record<string, string>> = {
  checkers: table(
    ["checker", "what is never to be seen"],
    checkers.map(({ name, words }) => [code(name), words]),
  ),
  "set-ups": table(
    ["set-up", "what it is"],
    setups.map(({ name, words }) => [code(name), words]),
  ),
  faults: table(
    ["fault", "of", "weight", "what happens"],
    faults.map(({ name, target, weight, words }) => [code(name), target, String(weight), words]),
  ),
};

const closing = "<!-- end -->";

/** The document with every table between its markers rendered anew. */
function rendered(text: string): string {
  let result = text;
  for (const [name, rows] of Object.entries(tables)) {
    const opening = `<!-- ${name}: generated -->`;
    const start = result.indexOf(opening);
    const end = result.indexOf(closing, start);
    assert.ok(start >= 0 && end > start, `${document} has no markers for the ${name}`);
    result = `${result.slice(0, start + opening.length)}\n${rows}\n${result.slice(end)}`;
  }
  return result;
}

test("docs/simulation.md has every set-up, fault and checker, as the program knows it", () => {
  const text = readFileSync(document, "utf8");
  const wanted = rendered(text);
  if (process.env["UPDATE_FIXTURES"] === "1") writeFileSync(document, wanted);
  else assert.is(text, wanted, "UPDATE_FIXTURES=1 renders it anew");
});

test("names are words with hyphens, and each is there once", () => {
  for (const list of [setups, faults, checkers]) {
    const names = list.map(({ name }) => name);
    assert.is(new Set(names).size, names.length);
    for (const name of names) assert.match(name, /^[a-z0-9]+(-[a-z0-9]+)*$/);
    for (const { words } of list)
      assert.match(words, /^[\x20-\x7b\x7d\x7e]{10,}$/, "no table's bar");
  }
});

test("the document is ASCII, and its prose 80 columns wide", () => {
  let isFenced = false;
  for (const line of readFileSync(document, "utf8").split("\n")) {
    assert.match(line, /^[\x20-\x7e]*$/, line);
    if (line.trim().startsWith("```")) isFenced = !isFenced;
    const isProse = !isFenced && !line.startsWith("|") && !line.includes("](");
    if (isProse) assert.ok(line.length <= 80, `${line.length}: ${line}`);
  }
});

test.run();
