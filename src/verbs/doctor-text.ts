/** The findings of `doctor` for people and for machines. */
import { wrapText } from "../console/examine-lines.ts";
import type { Finding, Level } from "./doctor-checks.ts";
import { worstOf } from "./doctor-checks.ts";

const tags: Readonly<Record<Level, string>> = {
  ok: "[ok]",
  unknown: "[ ? ]",
  warning: "[WARN]",
  fail: "[FAIL]",
};
const verdicts: Readonly<Record<Level, string>> = {
  ok: "OK",
  unknown: "UNKNOWN",
  warning: "WARNING",
  fail: "CRITICAL",
};
const tagColumns = 7;
const idColumns = 11;

const plain = (text: string): string => text.replaceAll(/[^\x20-\x7e]/g, "?");

/** `MIRRORBEAT CRITICAL - ...`: the first line is all that some monitoring systems show. */
function verdictLine(findings: readonly Finding[]): string {
  const worst = worstOf(findings);
  const ids = findings.filter(({ level }) => level === worst).map(({ id }) => id);
  const told = worst === "ok" ? `${findings.length} checks` : [...new Set(ids)].join(", ");
  return `MIRRORBEAT ${verdicts[worst]} - ${told}`;
}

function findingLines({ id, level, finding, next }: Finding): readonly string[] {
  const head = `${tags[level].padEnd(tagColumns)}${id.padEnd(idColumns)}`;
  const arrow = next === null ? "" : `  -> ${next}`;
  return wrapText(`${head}${plain(finding + arrow)}`, tagColumns + idColumns);
}

export function doctorText(findings: readonly Finding[]): string {
  const bad = [...findings].filter(({ level }) => level !== "ok");
  const next = bad.find(({ level, next }) => level === worstOf(findings) && next !== null)?.next;
  const lines = [
    ...wrapText(verdictLine(findings), 2),
    ...findings.flatMap(findingLines),
    ...wrapText(`next: ${plain(next ?? "mirrorbeat status")}`, 6),
  ];
  return `${lines.join("\n")}\n`;
}

export function doctorJson(findings: readonly Finding[]): string {
  return `${JSON.stringify({ schema: 1, level: worstOf(findings), findings })}\n`;
}
