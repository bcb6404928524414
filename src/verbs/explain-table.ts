/**
 * The verdict table for people: all 900 combinations on one screen or two. Inputs are split one
 * after another, and values that lead to the same are told together; so each line is a true
 * statement about every combination that it stands for, and each combination is on one line.
 */
import { tableLines } from "../console/examine-lines.ts";
import {
  arbiterValues,
  judgeEvidence,
  mirrorValues,
  networkValues,
  observerValues,
  pairValues,
  type Verdict,
} from "../core/verdict.ts";

export const inputs = {
  network: networkValues,
  mirror: mirrorValues,
  pair: pairValues,
  observer: observerValues,
  linkProven: ["no", "yes"],
  arbiter: arbiterValues,
} as const;
type InputName = keyof typeof inputs;
const names = Object.keys(inputs) as InputName[];

export type Choice = { readonly [N in InputName]: (typeof inputs)[N][number] };

export function judgeChoice(choice: Choice): Verdict {
  const linkProven = choice.linkProven === "yes";
  return judgeEvidence({ ...choice, linkProven, lastWord: "running" });
}

/** A line of the table: for each input the values it stands for; and the verdict on all of them. */
export type TableRow = { readonly values: readonly string[]; readonly verdict: Verdict };

function rowsFrom(chosen: Readonly<Record<string, string>>, depth: number): TableRow[] {
  const name = names[depth];
  if (name === undefined) return [{ values: [], verdict: judgeChoice(chosen as Choice) }];
  // Values whose sub-tables are the same are told together.
  const groups: { values: string[]; text: string; rows: TableRow[] }[] = [];
  for (const value of inputs[name]) {
    const rows = rowsFrom({ ...chosen, [name]: value }, depth + 1);
    const text = JSON.stringify(rows);
    const group = groups.find((candidate) => candidate.text === text);
    if (group) group.values.push(value);
    else groups.push({ values: [value], text, rows });
  }
  return groups.flatMap(({ values, rows }) => {
    const shown = values.length === inputs[name].length ? "-" : values.join(" ");
    return rows.map((row) => ({ values: [shown, ...row.values], verdict: row.verdict }));
  });
}

export function tableRows(): readonly TableRow[] {
  return rowsFrom({}, 0);
}

const shortWords: Readonly<Record<string, string>> = {
  disabled: "off",
  "io-error": "io",
  corrupt: "bad",
  copying: "copy",
  suspended: "susp",
  unknown: "unkn",
};

export function tableText(): string {
  const rows = tableRows().map(({ values, verdict }) => [
    verdict.row,
    verdict.action,
    ...values.map((value) =>
      value
        .split(" ")
        .map((word) => shortWords[word] ?? word)
        .join(","),
    ),
  ]);
  const titles = ["ROW", "ACTION", "NETWORK", "MIRROR", "PAIR", "OBSERVER", "LINK", "ARBITER"];
  const lines = tableLines(
    titles.map((title) => ({ title, align: "left" })),
    rows,
  );
  return (
    `${lines.join("\n")}\n` +
    "- any; off disabled; bad corrupt; io I/O error; susp suspended; unkn unknown\n" +
    "why a row: mirrorbeat explain --network ... --mirror ... --pair ...\n"
  );
}
