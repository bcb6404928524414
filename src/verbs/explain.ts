/**
 * `explain`: what the agent would make of a piece of evidence, by the agent's own table. For the
 * person who wants to know why it holds, and what would change that.
 */
import { wrapText } from "../console/examine-lines.ts";
import { type ExitCode, exitCodes } from "../core/base/exit-codes.ts";
import {
  arbiterValues,
  type Evidence,
  everyEvidence,
  judgeEvidence,
  mirrorValues,
  networkValues,
  observerValues,
  pairValues,
} from "../core/verdict.ts";
import { actionWords, words } from "./explain-why.ts";
import { tableText } from "./explain-table.ts";
import { parseVerbArgs, usageError } from "./verb-args.ts";
import type { VerbIo } from "./verb-io.ts";

const help = `mirrorbeat explain --network V --mirror V --pair V [...] [--json]
mirrorbeat explain --all [--json]

  Says what the agent makes of such evidence, why, and what would change it.
  Works anywhere: no agent, no configuration, no device.

  --network ok|lost|disabled
  --mirror ok|stale|corrupt|io-error|disabled      the copy that this site reads
  --pair paired|copying|suspended|split|unknown    as the array states it
  --observer fit|unfit         this host's own polling; default fit
  --link-proven                a beacon advanced after the silence began
  --arbiter none|grant|deny    default none
  --last-word running|failed|leaving|given-away
                               the peer's own last statement; default running
  --all                        the whole table
  --json                       one object a line

examples
  mirrorbeat explain --network lost --mirror stale --pair paired
  mirrorbeat explain --all --json | grep '"action":"eligible"'
exit codes
  0 explained   64 wrong command line
`;

const lastWordValues = ["running", "failed", "leaving", "given-away"] as const;

const options = {
  network: { type: "string" },
  mirror: { type: "string" },
  pair: { type: "string" },
  observer: { type: "string", default: "fit" },
  "link-proven": { type: "boolean", default: false },
  arbiter: { type: "string", default: "none" },
  "last-word": { type: "string", default: "running" },
  all: { type: "boolean" },
  json: { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const;

function oneOf<V extends string>(values: readonly V[], text: string | undefined): V | null {
  return values.find((value) => value === text) ?? null;
}

type Given = Readonly<Record<string, string | boolean | undefined>>;

const choices = {
  network: networkValues,
  mirror: mirrorValues,
  pair: pairValues,
  observer: observerValues,
  arbiter: arbiterValues,
  "last-word": lastWordValues,
} as const;

function badChoice(given: Given): string | null {
  for (const [name, values] of Object.entries(choices)) {
    const text = given[name];
    if (text === undefined) return `--${name} is missing: one of ${values.join(", ")}`;
    if (!values.some((value) => value === text)) {
      return `--${name} ${String(text)}: must be one of ${values.join(", ")}`;
    }
  }
  return null;
}

function evidenceOf(given: Given): Evidence | null {
  const text = (name: string) => String(given[name]);
  const network = oneOf(networkValues, text("network"));
  const mirror = oneOf(mirrorValues, text("mirror"));
  const pair = oneOf(pairValues, text("pair"));
  const observer = oneOf(observerValues, text("observer"));
  const arbiter = oneOf(arbiterValues, text("arbiter"));
  const lastWord = oneOf(lastWordValues, text("last-word"));
  if (!network || !mirror || !pair || !observer || !arbiter || !lastWord) return null;
  const linkProven = given["link-proven"] === true;
  return { network, mirror, pair, observer, linkProven, arbiter, lastWord };
}

/** Every change of one input that leads to another row or action. */
export function changesOf(evidence: Evidence): readonly string[] {
  const now = judgeEvidence(evidence);
  const told: string[] = [];
  const tell = (option: string, other: Evidence) => {
    const { row, action } = judgeEvidence(other);
    if (row !== now.row || action !== now.action) told.push(`${option}: row ${row}, ${action}`);
  };
  for (const network of networkValues) tell(`--network ${network}`, { ...evidence, network });
  for (const mirror of mirrorValues) tell(`--mirror ${mirror}`, { ...evidence, mirror });
  for (const pair of pairValues) tell(`--pair ${pair}`, { ...evidence, pair });
  for (const observer of observerValues) tell(`--observer ${observer}`, { ...evidence, observer });
  const linkProven = !evidence.linkProven;
  tell(linkProven ? "--link-proven" : "without --link-proven", { ...evidence, linkProven });
  for (const arbiter of arbiterValues) tell(`--arbiter ${arbiter}`, { ...evidence, arbiter });
  for (const lastWord of lastWordValues) tell(`--last-word ${lastWord}`, { ...evidence, lastWord });
  return told;
}

function explained(evidence: Evidence): string {
  const { row, verdict, action } = judgeEvidence(evidence);
  const { why, next } = words[row];
  const denied = evidence.arbiter === "deny" && action === "hold" && (row === "8" || row === "0");
  const granted = row === "9" && action === "eligible";
  const fenced = granted ? " The arbiter's grant settles it: the other site is fenced." : "";
  const changes = changesOf(evidence);
  const lines = [
    ...wrapText(`ROW ${row}  ${verdict}`),
    ...wrapText(`action   ${actionWords[action]}${denied ? " (an arbiter denies it)" : ""}`, 9),
    ...wrapText(`why      ${why}${fenced}`, 9),
    changes.length > 0
      ? "changes  any one of these alone would change it:"
      : "changes  nothing would",
    ...changes.map((change) => `         ${change}`),
    ...wrapText(`next     ${granted ? "mirrorbeat takeover" : next}`, 9),
  ];
  return `${lines.join("\n")}\n`;
}

function everything(json: boolean): string {
  if (!json) return tableText();
  return everyEvidence()
    .map((named) => {
      const { network, mirror, pair, observer, linkProven, arbiter } = named;
      const { row, verdict, action } = judgeEvidence({ ...named, lastWord: "running" });
      const inputs = { network, mirror, pair, observer, linkProven, arbiter };
      return `${JSON.stringify({ ...inputs, row, verdict, action })}\n`;
    })
    .join("");
}

export async function explainVerb(args: readonly string[], io: VerbIo): Promise<ExitCode> {
  const parsed = parseVerbArgs(args, options);
  if (!parsed.ok) return usageError(io, "explain", parsed.message);
  const { values, positionals } = parsed;
  if (values.help) {
    io.out(help);
    return exitCodes.ok;
  }
  if (positionals.length > 0) {
    return usageError(io, "explain", `what is ${positionals.join(" ")}? Only options are taken`);
  }
  const json = values.json ?? false;
  if (values.all) {
    if (values.network ?? values.mirror ?? values.pair) {
      return usageError(io, "explain", "--all takes no evidence");
    }
    io.out(everything(json));
    return exitCodes.ok;
  }
  const bad = badChoice(values);
  const evidence = evidenceOf(values);
  if (bad !== null || evidence === null)
    return usageError(io, "explain", bad ?? "evidence missing");
  const { row, verdict, action } = judgeEvidence(evidence);
  io.out(json ? `${JSON.stringify({ row, verdict, action })}\n` : explained(evidence));
  return exitCodes.ok;
}
