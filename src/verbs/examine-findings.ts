/**
 * What deviates on a volume, each in one line, and whether it makes the volume bad. A damaged
 * copy counts if it stands at the last read; one that was torn only while it was being written is
 * told and forgiven.
 */
import type { Config, MirrorConfig } from "../core/base/config.ts";
import { volumeTimings } from "../core/base/timing.ts";
import type { Opened, Rejection } from "../core/record.ts";
import type { SectorKind, Superblock } from "../core/sector/layout.ts";
import type { Check } from "../volume/sector-checks.ts";
import { faultText } from "../volume/superblock-faults.ts";
import type { SlotSurvey, SuperblockSurvey, VolumeSurvey } from "../volume/survey.ts";
import { echoesBeside, newestOf } from "../volume/survey-echoes.ts";
import type { Movement } from "../volume/survey-watch.ts";

export type Finding = {
  readonly text: string;
  /** I/O errors and damage are; what only deserves a look is not. */
  readonly is: "io-error" | "bad" | "note";
  readonly slot: number | null;
};

const rejectionTexts: Readonly<Record<Rejection, string>> = {
  short: "too short",
  long: "too long",
  "not-a-record": "overwritten by something else",
  checksum: "checksum wrong (torn or damaged)",
  "version-newer": "of a newer version",
  "version-older": "of an older version",
  "foreign-cluster": "of another cluster",
  "foreign-volume": "of another volume",
  misplaced: "written for another place",
  "wrong-site": "of another site",
  "unknown-key": "signed with a key that is not held",
  forged: "signature wrong (changed after signing, or forged)",
  "reserved-not-zero": "reserved bytes not zero",
  "wrong-host": "of another host",
  regression: "older than what was here before",
  replayed: "replayed",
};

export function rejectionText(reason: Rejection): string {
  return rejectionTexts[reason];
}

const failedChecks = (checks: readonly Check[]) =>
  checks.filter(({ ok }) => ok === false).map(({ name, found }) => `${name} ${found}`);

function superblockFinding(which: string, survey: SuperblockSurvey): Finding[] {
  const { look, block, checks, failure } = survey;
  if (failure !== null) return [{ text: failure, is: "io-error", slot: null }];
  if (look === null || look.kind === "good") return [];
  const details = failedChecks(checks).join("; ");
  const text = `${which} superblock (block ${block}): ${faultText(look)}`;
  const full = details === "" ? text : `${text}: ${details}`;
  return [{ text: full, is: "bad", slot: null }];
}

export function superblockFindings({ primary, backup }: VolumeSurvey): readonly Finding[] {
  return [...superblockFinding("primary", primary), ...superblockFinding("backup", backup)];
}

const letters = ["A", "B"] as const;

function rejectionOf<K extends SectorKind>(opened: Opened<K>): Rejection | null {
  return opened.kind === "rejected" ? opened.reason : null;
}

function copyFindings(before: SlotSurvey, after: SlotSurvey): Finding[] {
  const { slot } = after;
  return after.copies.flatMap((copy, at): Finding[] => {
    const where = `slot ${slot} copy ${letters[at] ?? "?"} (block ${copy.block})`;
    if (copy.read.kind === "failed") {
      return [{ text: `${where}: ${copy.read.message}`, is: "io-error", slot }];
    }
    const now = rejectionOf(copy.opened);
    if (now) return [{ text: `${where}: ${rejectionText(now)}`, is: "bad", slot }];
    const earlier = before.copies[at];
    const was = earlier ? rejectionOf(earlier.opened) : null;
    if (!was) return [];
    const text = `${where}: ${rejectionText(was)} at the first read, good at the second`;
    return [{ text, is: "note", slot }];
  });
}

function echoFindings(superblock: Superblock, survey: SlotSurvey, volume: VolumeSurvey): Finding[] {
  const { slot, copies, reading } = survey;
  const newest = newestOf(copies, reading.kind === "record" ? reading.record : null);
  if (!newest) return [];
  return echoesBeside(superblock, slot, newest, volume.keys).flatMap(({ index, opened }) => {
    const reason = rejectionOf(opened);
    const what = reason ? rejectionText(reason) : opened.kind === "empty" ? "never written" : null;
    if (what === null) return [];
    const where = `slot ${slot} copy ${letters[newest.copy]} echo sector ${index}`;
    return [{ text: `${where}: ${what}`, is: "bad", slot }];
  });
}

function movementFindings({ slot, reading }: SlotSurvey, movement: Movement, afterMs: number) {
  if (reading.kind !== "record") return [];
  const { hostName, intervalMs } = reading.record;
  const who = `slot ${slot} ${hostName}`;
  const seconds = (afterMs / 1000).toFixed(1);
  const note = (text: string): Finding[] => [{ text, is: "note", slot }];
  if (movement.kind === "backward") {
    return note(`${who}: an older record at the second read: a restored or replayed copy?`);
  }
  if (movement.kind !== "still") return [];
  const promised = intervalMs > afterMs ? `; it promised one each ${intervalMs} ms` : "";
  return note(`${who}: silent: no new record in ${seconds} s${promised}`);
}

export type SlotEvidence = {
  readonly before: SlotSurvey;
  readonly after: SlotSurvey;
  readonly movement: Movement;
  readonly afterMs: number;
};

export function slotFindings(
  volume: VolumeSurvey,
  superblock: Superblock,
  { before, after, movement, afterMs }: SlotEvidence,
): readonly Finding[] {
  return [
    ...copyFindings(before, after),
    ...echoFindings(superblock, after, volume),
    ...movementFindings(after, movement, afterMs),
  ];
}

const clockLimitMs = 5000;

/** The writer's wall clock; it decides nothing, but a wrong one misleads whoever reads journals. */
export function clockFindings(survey: SlotSurvey, nowMs: number): readonly Finding[] {
  if (survey.reading.kind !== "record") return [];
  const { wallClockNs, hostName } = survey.reading.record;
  const aheadMs = Number(wallClockNs / 1_000_000n) - nowMs;
  if (aheadMs <= clockLimitMs) return [];
  const ahead = `writer's wall clock ${(aheadMs / 1000).toFixed(1)} s ahead of ours`;
  const { slot } = survey;
  return [{ text: `slot ${slot} ${hostName}: ${ahead}; display only`, is: "note", slot }];
}

/** Against the configuration: is this the volume that it means, with these timings? */
export function configFindings(
  superblock: Superblock,
  wwid: string | null,
  config: Config,
  mirror: MirrorConfig | null,
  isPvol: boolean,
): readonly Finding[] {
  const found: Finding[] = [];
  const tell = (is: Finding["is"], text: string) => found.push({ text, is, slot: null });
  if (superblock.clusterName !== config.cluster) {
    tell("bad", `of cluster ${superblock.clusterName}; the configuration says ${config.cluster}`);
  }
  if (!mirror) {
    tell("note", "no mirror of the configuration names this device");
    return found;
  }
  const { writerSite: writer, readerSite: reader } = superblock;
  if (writer !== mirror.writer || reader !== mirror.reader) {
    const says = `mirror ${mirror.name} says ${mirror.writer} to ${mirror.reader}`;
    tell("bad", `written by ${writer} for ${reader}; ${says}: are pvol and svol swapped?`);
  }
  const pinned = isPvol ? mirror.pvolWwid : mirror.svolWwid;
  if (pinned !== null && pinned !== wwid) {
    tell("bad", `its identity is ${wwid ?? "not known"}; the configuration pins ${pinned}`);
  }
  const differing = volumeTimings.filter(
    (name) => superblock.intervalMs !== 0 && superblock[name] !== config.timing[name],
  );
  for (const name of differing) {
    tell("note", `${name}: ${superblock[name]} when formatted, ${config.timing[name]} configured`);
  }
  return found;
}
