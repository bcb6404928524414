/** The screen of `examine`: at most 80 columns, what matters first. */
import { type Column, columns, tableLines, wrapText } from "../console/examine-lines.ts";
import { plainText, sizeText } from "../console/examine-sizes.ts";
import { lagFar, lagNever, lagOff } from "../core/sector/layout.ts";
import type { Finding } from "./examine-findings.ts";
import type { EchoView, SlotView, deviceView, superblocksView } from "./examine-view.ts";

export function ageText(ms: number): string {
  const seconds = ms / 1000;
  if (Math.abs(seconds) < 1000) return `${seconds.toFixed(1)}s`;
  const minutes = seconds / 60;
  if (Math.abs(minutes) < 600) return `${minutes.toFixed(0)}min`;
  const hours = minutes / 60;
  return Math.abs(hours) < 100 ? `${hours.toFixed(0)}h` : `${(hours / 24).toFixed(0)}d`;
}

export function deviceLines(device: ReturnType<typeof deviceView>): readonly string[] {
  const { kind, sizeBytes, logicalBytes, physicalBytes, direct, readOnly, wwid } = device;
  const sectors = kind === "block" ? `, sectors ${logicalBytes}/${physicalBytes}` : ", plain file";
  const access = `O_DIRECT ${direct ? "yes" : "no"}${readOnly ? ", read-only" : ""}`;
  return [
    `device  ${plainText(device.path)}`,
    `        ${sizeText(sizeBytes)}${sectors}, ${access}, ${device.engine}`,
    ...(wwid === null ? [] : [`        ${plainText(wwid)}`]),
  ];
}

const stateWord = (state: string) => (state === "good" ? "good" : state.toUpperCase());

export function superblockLines(view: ReturnType<typeof superblocksView>): readonly string[] {
  const { primary, backup, fields } = view;
  const line =
    `super   primary ${stateWord(primary.state)} (block ${primary.block}), ` +
    `backup ${stateWord(backup.state)} (block ${backup.block})`;
  if (!fields) return [line];
  const times = fields.intervalMs
    ? `interval ${fields.intervalMs} ms, poll ${fields.pollMs} ms, margin ${fields.marginMs} ms`
    : "no timings stated";
  const formatted = new Date(Number(fields.formattedNs / 1_000_000n));
  const date = Number.isNaN(formatted.getTime()) ? "?" : formatted.toISOString().slice(0, 19);
  return [
    line,
    `        volume ${fields.volumeId}, key ${fields.keyId}`,
    `        formatted ${date}Z, ${fields.slots} slots, ${fields.echoPeers} echo peers`,
    `        ${times}`,
  ];
}

const copyWords: Readonly<Record<string, string>> = {
  empty: "-",
  checksum: "CRC",
  forged: "MAC",
  "unknown-key": "KEY",
  unreadable: "I/O",
};
const copyWord = (state: string) => (state === "ok" ? "ok" : (copyWords[state] ?? "BAD"));

function movementWord({ second }: SlotView): string {
  switch (second.state) {
    case "advanced":
      return "serials" in second ? `+${second.serials}` : "+";
    case "still":
      return "SILENT";
    case "left":
      return "left";
    case "backward":
      return "BACK";
    case "unknown":
      return "?";
  }
}

const left = (title: string): Column => ({ title, align: "left" });
const right = (title: string): Column => ({ title, align: "right" });

function cellsOf(view: SlotView, isWide: boolean): readonly string[] {
  const { record, slot, copies } = view;
  const tail = [copyWord(copies.a), copyWord(copies.b), movementWord(view)];
  if (!record) return [`${slot}`, "?", "?", "?", ...(isWide ? ["?", "?"] : []), "?", "?", ...tail];
  const { host, state, role, incarnation, serial, term, ageMs } = record;
  const wide = isWide ? [`${incarnation}`, `${term}`] : [];
  return [`${slot}`, plainText(host), state, role, ...wide, `${serial}`, ageText(ageMs), ...tail];
}

/** One line a slot; where incarnation and term make it too wide they stand in a second one. */
export function slotLines(views: readonly SlotView[]): readonly string[] {
  const titles = (isWide: boolean) => [
    right("SLOT"), left("HOST"), left("STATE"), left("ROLE"),
    ...(isWide ? [right("INCARNATION"), right("TERM")] : []),
    right("SERIAL"), right("AGE"), left("A"), left("B"), left("2ND"),
  ]; // biome-ignore format: one table
  const wide = tableLines(
    titles(true),
    views.map((view) => cellsOf(view, true)),
  );
  if (wide.every((line) => line.length <= columns)) return wide;
  const [title = "", ...rows] = tableLines(
    titles(false),
    views.map((view) => cellsOf(view, false)),
  );
  const more = views.map(({ record }) =>
    record ? [`     incarnation ${record.incarnation}, term ${record.term}`] : [],
  );
  return [title, ...rows.flatMap((row, at) => [row, ...(more[at] ?? [])])];
}

function lagText(lag: number): string {
  if (lag === lagNever) return "-";
  if (lag === lagOff) return "off";
  return lag === lagFar ? ">252" : String(lag);
}

/** What the writer saw of its peers: lags in beats, by path. */
export function echoLines(views: readonly EchoView[]): readonly string[] {
  if (views.length === 0) return ["echoes  none: its writer has seen no peer"];
  const used = views.reduce(
    (most, { lags }) => Math.max(most, lags.findLastIndex((lag) => lag !== lagNever) + 1),
    1,
  );
  const lagColumns = Array.from({ length: used }, (_, path) =>
    right(path === 0 ? "NET" : `MIR${path}`),
  );
  const lines = tableLines(
    [
      right("PEER"),
      right("SITE"),
      right("SLOT"),
      right("INCARNATION"),
      right("SERIAL"),
      ...lagColumns,
    ],
    views.map(({ site, slot, incarnation, serial, lags }) => [
      "saw", `${site}`, `${slot}`, `${incarnation}`, `${serial}`,
      ...lags.slice(0, used).map(lagText),
    ]), // biome-ignore format: one row
  );
  return ["echoes  what its writer saw of its peers; lags in beats, - never seen", ...lines];
}

const findingsShownMax = 12;

/** What is damaged stands before what only deserves a look. */
export function findingLines(findings: readonly Finding[]): readonly string[] {
  const order = ["io-error", "bad", "note"] as const;
  const sorted = order.flatMap((kind) => findings.filter((finding) => finding.is === kind));
  const shown = sorted.slice(0, findingsShownMax);
  const more = sorted.length - shown.length;
  return [
    ...shown.flatMap(({ text }) => wrapText(`!! ${plainText(text)}`, 3)),
    ...(more > 0 ? [`!! and ${more} more, all in --json`] : []),
  ];
}
