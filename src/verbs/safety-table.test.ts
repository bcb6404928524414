// The table of docs/safety.md is what people decide by: every one of the 900 combinations of
// evidence must get from the program what the page says.
import { readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { everyEvidence, judgeEvidence, type NamedEvidence } from "../core/verdict.ts";

type PageRow = Readonly<Record<string, string>>;

function pageRows(): readonly PageRow[] {
  const page = readFileSync("docs/safety.md", "utf8");
  const table = /<!-- table:[^\n]*-->\n([\s\S]*?)<!-- end of table -->/.exec(page)?.[1] ?? "";
  const lines = table
    .trim()
    .split("\n")
    .map((line) =>
      line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
  const [names = [], , ...rows] = lines;
  return rows.map((cells) => Object.fromEntries(names.map((name, i) => [name, cells[i] ?? ""])));
}

const holds = (cell: string | undefined, value: string): boolean =>
  cell === "any" || (cell ?? "").split(", ").includes(value);

function actionOf(words: string, evidence: NamedEvidence): string {
  if (words === "eligible unless denied") return evidence.arbiter === "deny" ? "hold" : "eligible";
  if (words === "eligible if granted") return evidence.arbiter === "grant" ? "eligible" : "hold";
  return words;
}

test("docs/safety.md says what the program says, 900 times", () => {
  const rows = pageRows();
  assert.is(rows.length, 14);
  const all = everyEvidence();
  assert.is(all.length, 900);
  for (const evidence of all) {
    const link = evidence.linkProven ? "proven" : "unproven";
    const row = rows.find(
      (candidate) =>
        holds(candidate["network"], evidence.network) &&
        holds(candidate["mirror"], evidence.mirror) &&
        holds(candidate["pair"], evidence.pair) &&
        holds(candidate["observer"], evidence.observer) &&
        holds(candidate["link"], link),
    );
    const verdict = judgeEvidence({ ...evidence, lastWord: "running" });
    const what = JSON.stringify(evidence);
    assert.is(verdict.row, row?.["row"], what);
    assert.is(verdict.action, actionOf(row?.["action"] ?? "", evidence), what);
    const granted = verdict.row === "9" && verdict.action === "eligible";
    if (!granted) assert.is(verdict.verdict, row?.["verdict"], what);
  }
});

test.run();
