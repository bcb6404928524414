/**
 * docs/arbiters.md: its table is rendered from what the program knows of each arbiter.
 * UPDATE_FIXTURES=1 renders it anew.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { arbiterNames, tradeoffLines, tradeoffs } from "../core/base/arbiters.ts";

const document = "docs/arbiters.md";
const opening = "<!-- tradeoffs: generated -->";
const closing = "<!-- end -->";

function table(): string {
  const rows = arbiterNames.map((name) => {
    const { needs, survives, givesUp } = tradeoffs[name];
    return `| [\`${name}\`](#${name}) | ${needs} | ${survives} | ${givesUp} |`;
  });
  return ["| arbiter | needs | survives | gives up |", "|---|---|---|---|", ...rows].join("\n");
}

test("the table is the one that the program prints", () => {
  const text = readFileSync(document, "utf8");
  const start = text.indexOf(opening);
  const end = text.indexOf(closing, start);
  assert.ok(start >= 0 && end > start, "the markers stand there");
  const wanted = `${text.slice(0, start + opening.length)}\n${table()}\n${text.slice(end)}`;
  if (process.env["UPDATE_FIXTURES"] === "1") writeFileSync(document, wanted);
  else assert.is(text, wanted, "UPDATE_FIXTURES=1 renders it anew");
});

test("each arbiter has a section", () => {
  const text = readFileSync(document, "utf8");
  for (const name of arbiterNames) assert.match(text, new RegExp(`^## ${name}$`, "m"));
});

test("what is printed for people is ASCII and 80 columns wide", () => {
  for (const name of arbiterNames)
    for (const line of tradeoffLines(name)) {
      assert.match(line, /^[\x20-\x7e]+$/);
      assert.ok(line.length <= 80, `${line.length}: ${line}`);
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
