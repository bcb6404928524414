/** `examine --slot N`: one slot to the last byte. */
import { wrapText } from "../console/examine-lines.ts";
import { differingRows, fieldRows, hexLines } from "../console/hexdump.ts";
import { decodeSector } from "../core/sector/codec.ts";
import { blockBytes, layouts, sectorBytes, type Superblock } from "../core/sector/layout.ts";
import { type Check, checkSector } from "../volume/sector-checks.ts";
import type { CopySurvey, VolumeSurvey } from "../volume/survey.ts";
import { isInUse, recordPlace } from "../volume/survey.ts";
import { type EchoOfPeer, newestOf } from "../volume/survey-echoes.ts";
import type { SlotEvidence } from "./examine-findings.ts";
import { echoLines } from "./examine-text.ts";
import { copyState, echoView, slotView } from "./examine-view.ts";

const letters = ["A", "B"] as const;

/** Whatever follows the sectors in use must be zero. */
function tailCheck(bytes: Buffer, sectorsInUse: number): Check {
  const tail = bytes.subarray(sectorsInUse * sectorBytes);
  const at = tail.findIndex((byte) => byte !== 0);
  const found = at < 0 ? "zero" : `not zero at byte ${sectorsInUse * sectorBytes + at}`;
  return { name: "tail", ok: at < 0, found };
}

function checksOf(volume: VolumeSurvey, superblock: Superblock, slot: number, survey: CopySurvey) {
  const { copy, read, opened } = survey;
  if (read.kind !== "read" || opened.kind === "empty") return [];
  const sector = read.bytes.subarray(0, sectorBytes);
  const place = recordPlace(superblock, slot, copy, null);
  const echoSectors = opened.kind === "valid" ? opened.record.echoSectors : 0;
  const tail = opened.kind === "valid" ? [tailCheck(read.bytes, 1 + echoSectors)] : [];
  return [...checkSector("record", sector, place, volume.keys), ...tail];
}

function sectorOf({ read, opened }: CopySurvey): Buffer | null {
  if (read.kind !== "read" || opened.kind === "empty") return null;
  return read.bytes.subarray(0, sectorBytes);
}

function checkLines(checks: readonly Check[]): readonly string[] {
  const words = checks.map(({ name, ok, found }) => {
    if (ok === false) return `${name} WRONG (${found})`;
    if (name === "MAC") return ok === null ? "MAC not checked" : `MAC ok (${found})`;
    return ok === null ? `${name} ${found}` : `${name} ok`;
  });
  return words.length === 0 ? [] : wrapText(`checks  ${words.join(", ")}`, 8);
}

export type SlotDetail = {
  readonly volume: VolumeSurvey;
  readonly superblock: Superblock;
  readonly evidence: SlotEvidence;
  readonly echoes: readonly EchoOfPeer[];
};

function checksFor({ volume, superblock, evidence }: SlotDetail, survey: CopySurvey) {
  return checksOf(volume, superblock, evidence.after.slot, survey);
}

function copyTitle(survey: CopySurvey, words: string): string {
  const offset = (survey.block * blockBytes).toString(16);
  return `copy ${letters[survey.copy]}  block ${survey.block}, offset 0x${offset}: ${words}`;
}

/** The newest copy in full; of the other one only what differs. */
function copyLines(detail: SlotDetail): readonly string[] {
  const { copies, reading } = detail.evidence.after;
  const newest = newestOf(copies, reading.kind === "record" ? reading.record : null);
  const shown = newest ?? copies.find((copy) => sectorOf(copy) !== null) ?? copies[0];
  const other = shown === copies[0] ? copies[1] : copies[0];
  const shownSector = sectorOf(shown);
  const otherSector = sectorOf(other);
  const shownRows = shownSector ? fieldRows(layouts.record, shownSector) : [];
  const lines = [
    copyTitle(shown, newest ? "the newest record" : copyState(shown)),
    ...checkLines(checksFor(detail, shown)),
    ...(shownSector ? hexLines(shownRows) : []),
    copyTitle(other, otherSector ? `${copyState(other)}; what differs:` : copyState(other)),
    ...checkLines(checksFor(detail, other)),
  ];
  if (!otherSector) return lines;
  const differing = differingRows(shownRows, fieldRows(layouts.record, otherSector));
  return [...lines, ...(differing.length > 0 ? hexLines(differing) : ["  nothing"])];
}

function secondReadLine({ movement, afterMs }: SlotEvidence, intervalMs: number): string {
  const after = `second read +${Math.round(afterMs)} ms`;
  switch (movement.kind) {
    case "advanced": {
      const { serials, bootClockMs } = movement;
      const mono = bootClockMs === null ? "" : `, mono +${Math.round(bootClockMs)} ms`;
      const pace = `advancing; it promises one each ${intervalMs} ms`;
      return `${after}: serial +${serials}${mono} => LIVE, ${pace}`;
    }
    case "still":
      return `${after}: the same record => SILENT; it promises one each ${intervalMs} ms`;
    case "left":
      return `${after}: the same record => it left in order or is switched off`;
    case "backward":
      return `${after}: an older record => restored or replayed`;
    case "unknown":
      return `${after}: no believable record`;
  }
}

export function slotDetailLines(detail: SlotDetail): readonly string[] {
  const { superblock, evidence, echoes } = detail;
  const { after } = evidence;
  const title = `slot    ${after.slot} of ${superblock.slots}`;
  if (!isInUse(after)) return [`${title}: never written`];
  const { reading } = after;
  const intervalMs = reading.kind === "record" ? reading.record.intervalMs : 0;
  return [
    title,
    ...copyLines(detail),
    ...echoLines(echoes.map(echoView)),
    ...wrapText(secondReadLine(evidence, intervalMs), 2),
  ];
}

/** The same for --json; bytes as hex. */
export function slotDetailView(detail: SlotDetail, nowMs: number) {
  const { evidence, echoes } = detail;
  const copies = evidence.after.copies.map((survey) => {
    const sector = sectorOf(survey);
    const record = sector ? decodeSector("record", sector) : null;
    return {
      copy: letters[survey.copy],
      block: survey.block,
      state: copyState(survey),
      checks: checksFor(detail, survey),
      fields: record && { ...record, mac: Buffer.from(record.mac).toString("hex") },
      hex: sector?.toString("hex") ?? null,
    };
  });
  return { ...slotView(evidence, nowMs), copies, echoes: echoes.map(echoView) };
}
