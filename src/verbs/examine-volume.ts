/** The work of `examine` on an open device: survey, second read, findings, verdict. */
import type { Config, MirrorConfig } from "../core/base/config.ts";
import { type ExitCode, exitCodes } from "../core/base/exit-codes.ts";
import type { Superblock } from "../core/sector/layout.ts";
import { realClock } from "../host/clock.ts";
import { sameDevice } from "../volume/device-names.ts";
import { type Refused, refuse, type Transfers } from "../volume/device-io.ts";
import { labelsOn, labelsText } from "../volume/label-scan.ts";
import type { CheckKeys } from "../volume/sector-checks.ts";
import { isInUse, surveySlots, surveyVolume, type VolumeSurvey } from "../volume/survey.ts";
import { type EchoOfPeer, echoesOf, newestOf, surveyEchoes } from "../volume/survey-echoes.ts";
import { watchMsFor, watchSlots } from "../volume/survey-watch.ts";
import {
  clockFindings,
  configFindings,
  type Finding,
  type SlotEvidence,
  slotFindings,
  superblockFindings,
} from "./examine-findings.ts";

export type ExamineRequest = {
  readonly keys: CheckKeys;
  /** null: all slots. */
  readonly slot: number | null;
  readonly watchMs: number | null;
  readonly config: Config | null;
};

export type Examined = {
  readonly ok: true;
  readonly volume: VolumeSurvey;
  readonly superblock: Superblock | null;
  /** Those in use; with --slot that one, in use or not. */
  readonly slots: readonly SlotEvidence[];
  readonly echoes: readonly EchoOfPeer[];
  readonly findings: readonly Finding[];
  readonly afterMs: number | null;
  readonly code: ExitCode;
};

const sleepMs = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

type SlotsExamined =
  | {
      readonly ok: true;
      readonly slots: readonly SlotEvidence[];
      readonly afterMs: number | null;
    }
  | Refused;

async function examineSlots(
  transfers: Transfers,
  superblock: Superblock,
  request: ExamineRequest,
): Promise<SlotsExamined> {
  const { keys, slot, watchMs } = request;
  const first = slot ?? 0;
  const count = slot === null ? superblock.slots : 1;
  const read = (from: number, length: number) =>
    surveySlots(transfers, superblock, keys, from, length);
  const before = await read(first, count);
  if (!before.ok) return before;
  const used = before.slots.filter(isInUse);
  const [lowest] = used;
  const highest = used.at(-1);
  if (!lowest || !highest) {
    const evidence = (survey: (typeof before.slots)[number]): SlotEvidence => ({
      before: survey,
      after: survey,
      movement: { kind: "unknown" },
      afterMs: 0,
    });
    return { ok: true, slots: slot === null ? [] : before.slots.map(evidence), afterMs: null };
  }
  const watched = await watchSlots({
    first: used,
    limitMs: watchMs ?? watchMsFor(used),
    nowMs: realClock.nowMs,
    sleepMs,
    read: () => read(lowest.slot, highest.slot - lowest.slot + 1),
  });
  if (!watched.ok) return watched;
  const { slots, movements, afterMs } = watched.watched;
  const bySlot = new Map(slots.map((survey) => [survey.slot, survey]));
  const evidence = used.map((survey): SlotEvidence => {
    const movement = movements.get(survey.slot) ?? { kind: "unknown" };
    return { before: survey, after: bySlot.get(survey.slot) ?? survey, movement, afterMs };
  });
  return { ok: true, slots: evidence, afterMs };
}

function mirrorOf(config: Config, volume: VolumeSurvey) {
  const { path, geometry } = volume.device;
  const leadsHere = (name: string) => sameDevice(name, path, geometry);
  const found = (mirror: MirrorConfig | undefined, isPvol: boolean) => ({
    mirror: mirror ?? null,
    isPvol,
  });
  const pvol = config.mirrors.find((mirror) => leadsHere(mirror.pvol));
  return pvol
    ? found(pvol, true)
    : found(
        config.mirrors.find((m) => leadsHere(m.svol)),
        false,
      );
}

function exitCodeOf(
  findings: readonly Finding[],
  asked: SlotEvidence | null,
  hasPlan: boolean,
): ExitCode {
  if (findings.some((finding) => finding.is === "io-error")) return exitCodes.ioError;
  if (!hasPlan || findings.some((finding) => finding.is === "bad")) return exitCodes.dataError;
  if (asked && isInUse(asked.after) && asked.movement.kind !== "advanced")
    return exitCodes.tryLater;
  return exitCodes.ok;
}

/** Neither superblock gives a plan: what else is on the device? */
async function withoutPlan(
  transfers: Transfers,
  volume: VolumeSurvey,
  deadlineMs: number,
): Promise<Examined | Refused> {
  const findings = [...superblockFindings(volume)];
  const labels = await labelsOn(transfers.device, deadlineMs);
  if (labels.ok && labels.labels.length > 0) {
    findings.push({ text: `it holds ${labelsText(labels.labels)}`, is: "note", slot: null });
  }
  const code = exitCodeOf(findings, null, false);
  const nothing = { slots: [], echoes: [], afterMs: null };
  return { ok: true, volume, superblock: null, ...nothing, findings, code };
}

async function echoesOfSlot(
  transfers: Transfers,
  superblock: Superblock,
  asked: SlotEvidence | null,
  keys: CheckKeys,
): Promise<{ readonly ok: true; readonly echoes: readonly EchoOfPeer[] } | Refused> {
  const reading = asked?.after.reading;
  if (!asked || reading?.kind !== "record") return { ok: true, echoes: [] };
  const newest = newestOf(asked.after.copies, reading.record);
  if (!newest) return { ok: true, echoes: [] };
  const read = await surveyEchoes(transfers, superblock, asked.after.slot, newest, keys);
  return read.ok ? { ok: true, echoes: echoesOf(read.sectors) } : read;
}

export async function examineVolume(
  transfers: Transfers,
  request: ExamineRequest,
): Promise<Examined | Refused> {
  const { keys, slot, config } = request;
  const surveyed = await surveyVolume(transfers, keys);
  if (!surveyed.ok) return surveyed;
  const volume = surveyed.survey;
  if (!volume.used) return withoutPlan(transfers, volume, transfers.deadlineMs);
  const { superblock } = volume.used;
  if (slot !== null && slot >= superblock.slots) {
    const range = `slots are 0 to ${superblock.slots - 1}`;
    return refuse(exitCodes.usage, `--slot ${slot}: this volume's ${range}`);
  }
  const examined = await examineSlots(transfers, superblock, request);
  if (!examined.ok) return examined;
  const { slots, afterMs } = examined;
  const asked = slot === null ? null : (slots[0] ?? null);
  const echoes = await echoesOfSlot(transfers, superblock, asked, keys);
  if (!echoes.ok) return echoes;
  const nowMs = Number(realClock.wallNs() / 1_000_000n);
  const { mirror, isPvol } = config ? mirrorOf(config, volume) : { mirror: null, isPvol: false };
  const { wwid } = volume.device.geometry;
  const findings = [
    ...superblockFindings(volume),
    ...(config ? configFindings(superblock, wwid, config, mirror, isPvol) : []),
    ...slots.flatMap((evidence) => slotFindings(volume, superblock, evidence)),
    ...slots.flatMap(({ after }) => clockFindings(after, nowMs)),
  ];
  const code = exitCodeOf(findings, asked, true);
  return { ok: true, volume, superblock, slots, echoes: echoes.echoes, findings, afterMs, code };
}
