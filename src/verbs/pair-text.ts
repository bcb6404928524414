/** What `mirrorbeat pair` shows: the verdict first, ASCII, 80 columns, the next command last. */
import { wrapText } from "../console/examine-lines.ts";
import { directedEvidence } from "../remotecopy/evidence.ts";
import type { Outcome } from "../remotecopy/change.ts";
import type { IdentityAnswer, PairAnswer, PairView } from "../remotecopy/provider.ts";
import type { Mirror } from "./pair-open.ts";

/** Texts of arrays and programs may hold anything. */
const plain = (text: string): string => text.replaceAll(/[^\x20-\x7e]/g, "?");

export const lines = (text: string, indent = 0): string =>
  `${wrapText(plain(text), indent).join("\n")}\n`;

const columns = 80;
const margin = "  ";

/** Indented under a head, its value in a column of its own. */
const row = (name: string, value: string): string => {
  const indent = 10;
  const text = `${name.padEnd(indent)}${plain(value)}`;
  const wrapped = wrapText(text, indent, columns - margin.length);
  return wrapped.map((line) => `${margin}${line}\n`).join("");
};

const agoText = (ms: number | null): string => {
  if (ms === null) return "not known";
  return ms < 10_000 ? `${Math.round(ms)} ms ago` : `${Math.round(ms / 1000)} s ago`;
};

/** Whether the heartbeats of this mirror flow, as far as its state tells. */
export function headOf(view: PairView, mirror: Mirror): string {
  const isTurned = view.state === "paired" && directedEvidence(view, mirror.end) !== "paired";
  return isTurned ? "PAIRED THE OTHER WAY ROUND" : view.state.toUpperCase();
}

export const placeOf = ({ config, end }: Mirror): string =>
  `${config.name} (${config.writer} -> ${config.reader}), here its ${end}`;

function viewText(view: PairView): string {
  const { state, role, inSync, percent, readable, writable } = view;
  const tell = (value: boolean | null, yes: string, not: string): readonly string[] =>
    value === null ? [] : [value ? yes : not];
  const words = [
    state,
    role === "none" ? "no role" : role,
    ...(percent === null ? [] : [`${percent} %`]),
    ...tell(inSync, "in sync", "not in sync"),
    ...tell(readable, "readable", "not readable"),
    ...tell(writable, "writable", "not writable"),
  ];
  return words.join(", ");
}

function identityText({ pair: { expected }, end }: Mirror, identity: IdentityAnswer | null) {
  if (!identity) return expected === null ? "no identity configured" : `${expected} configured`;
  if (!identity.ok) return `cannot be told: ${identity.message}`;
  const { own } = identity.identity;
  if (expected === null) {
    return `${own}; not configured: add identity = "${own}" to [mirrors.pair.${end}]`;
  }
  return own === expected ? `${own}, as configured` : `${own}, BUT ${expected} is configured`;
}

export function queryText(
  mirror: Mirror,
  answer: PairAnswer,
  identity: IdentityAnswer,
  wantsRemote: boolean,
): string {
  const { name } = mirror.config;
  const volume = identityText(mirror, identity);
  if (!answer.ok) {
    return [
      lines(`NOT KNOWN: ${placeOf(mirror)}`),
      row("cause", `${answer.class}: ${answer.message}`),
      row("device", mirror.device),
      row("volume", volume),
      lines("next: mend that; nothing is concluded from it meanwhile"),
    ].join("");
  }
  const { local, remote, remoteFault } = answer;
  const far = remoteFault ? `${remoteFault.class}: ${remoteFault.message}` : "not told";
  return [
    lines(`${headOf(local, mirror)}: ${placeOf(mirror)}`),
    row("here", viewText(local)),
    ...(wantsRemote ? [row("other end", remote ? viewText(remote) : far)] : []),
    row("native", local.native || "-"),
    ...(local.cause ? [row("cause", local.cause)] : []),
    row("last copy", agoText(local.lastCopyAgoMs)),
    row("device", mirror.device),
    row("volume", volume),
    lines(nextText(local, name, wantsRemote)),
  ].join("");
}

function nextText({ state }: PairView, name: string, wantsRemote: boolean): string {
  switch (state) {
    case "simplex":
      return `next: mirrorbeat pair create ${name}`;
    case "suspended-by-operator":
    case "suspended-by-error":
      return `next: mirrorbeat pair resync ${name}`;
    case "takeover":
      return `next: mirrorbeat pair swap ${name} --force, or remove; both ends' owners must agree`;
    case "paired":
    case "copying":
    case "unknown":
      return wantsRemote
        ? "next: mirrorbeat status"
        : `next: mirrorbeat pair query ${name} --remote`;
  }
}

export type Listed =
  | { readonly mirror: Mirror; readonly answer: PairAnswer }
  | { readonly name: string; readonly direction: string; readonly reason: string };

export function listText(listed: readonly Listed[]): string {
  const known = listed.flatMap((one) => ("mirror" in one ? [one] : []));
  const paired = known.filter(
    ({ mirror, answer }) => answer.ok && directedEvidence(answer.local, mirror.end) === "paired",
  ).length;
  const head = `${paired} of ${listed.length} mirrors paired in their own direction`;
  const body = listed.map((one) => {
    if (!("mirror" in one)) {
      return `${lines(`${one.name} (${one.direction})`)}${row("state", one.reason)}`;
    }
    const { mirror, answer } = one;
    const { config, device } = mirror;
    const state = answer.ok
      ? `${headOf(answer.local, mirror)}, ${viewText(answer.local)}`
      : `NOT KNOWN: ${answer.class}: ${answer.message}`;
    return [
      lines(`${placeOf(mirror)}, ${config.pair.provider}`),
      row("state", state),
      ...(answer.ok ? [row("last copy", agoText(answer.local.lastCopyAgoMs))] : []),
      row("device", device),
      row("volume", identityText(mirror, null)),
    ].join("");
  });
  const first = known[0]?.mirror.config.name ?? "NAME";
  return [lines(head), ...body, lines(`next: mirrorbeat pair query ${first}`)].join("");
}

const heads: Readonly<Record<Outcome["kind"], string>> = {
  done: "DONE",
  noop: "NOTHING TO DO",
  "in-progress": "IN PROGRESS",
  refused: "REFUSED",
  indeterminate: "NOT KNOWN",
};

/** How a change ended. */
export function outcomeText(verb: string, name: string, outcome: Outcome): string {
  const head = `${heads[outcome.kind]}: ${verb} of ${name}: ${outcome.message}`;
  const query = `next: mirrorbeat pair query ${name}`;
  const next = outcome.kind === "in-progress" ? `${query}, until it is paired` : query;
  return `${lines(head, 2)}${lines(next)}`;
}

export type Plan = {
  readonly verb: string;
  readonly name: string;
  readonly outcome: Outcome;
  /** What it does to heartbeats and data, in words. */
  readonly notes: readonly string[];
  readonly isForceMissing: boolean;
  readonly force: boolean;
};

/** What would be sent; nothing was. */
export function planText({ verb, name, outcome, notes, isForceMissing, force }: Plan): string {
  const flags = isForceMissing || force ? "--yes --force" : "--yes";
  const isInUse = verb === "remove" && isForceMissing;
  const next = isInUse ? `deinstall ${name}` : `pair ${verb} ${name} ${flags}`;
  return [
    lines(`NOTHING WAS CHANGED: ${flags} does it`),
    lines(`${verb} of ${name}: ${outcome.message}:`),
    ...outcome.commands.map((command) => `  ${plain(command)}\n`),
    ...notes.map((note) => lines(note, 2)),
    lines(`next: mirrorbeat ${next}`),
  ].join("");
}
