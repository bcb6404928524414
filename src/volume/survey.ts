/**
 * Looking at a volume without believing it: both superblocks, then the plan as far as anything
 * gives one, then every slot's record blocks. What cannot be read is noted and passed over, except
 * for a device that does not answer: that ends the survey.
 */
import { exitCodes } from "../core/base/exit-codes.ts";
import {
  newestCopy,
  type Opened,
  openSector,
  type Place,
  type SlotReading,
} from "../core/record.ts";
import type { Mac } from "../core/sector/codec.ts";
import { blockBytes, sectorBytes, type Superblock } from "../core/sector/layout.ts";
import { type Copy, planHolds, recordBlockOf, type VolumePlan } from "../core/sector/volume.ts";
import type { BlockDevice } from "../device/block.ts";
import type { Refused, Transfers } from "./device-io.ts";
import { acceptAnyMac, type Check, type CheckKeys, checkSector } from "./sector-checks.ts";
import { judgeSuperblock, lastBlockOf, planOf, type SuperblockLook } from "./superblock.ts";

export type SuperblockSurvey = {
  readonly block: number;
  /** null where the block could not be read. */
  readonly look: SuperblockLook | null;
  readonly sector: Buffer | null;
  /** Empty where there is nothing to check. */
  readonly checks: readonly Check[];
  /** Why it could not be read. */
  readonly failure: string | null;
};

export type VolumeSurvey = {
  readonly device: BlockDevice;
  readonly keys: CheckKeys;
  readonly primary: SuperblockSurvey;
  readonly backup: SuperblockSurvey;
  /** What the slots are read by: the best superblock there is; null where none gives a plan. */
  readonly used: { readonly from: "primary" | "backup"; readonly superblock: Superblock } | null;
};

export type BlockRead =
  | { readonly kind: "read"; readonly bytes: Buffer }
  | { readonly kind: "failed"; readonly message: string };

/** A block that fails is a finding; a device that does not answer in time is the end. */
export async function readBlocks(
  transfers: Transfers,
  first: number,
  count: number,
): Promise<{ readonly ok: true; readonly blocks: readonly BlockRead[] } | Refused> {
  const all = await transfers.read(first, count);
  if (all.ok) {
    const blocks = Array.from({ length: count }, (_, index): BlockRead => {
      const at = index * blockBytes;
      return { kind: "read", bytes: all.bytes.subarray(at, at + blockBytes) };
    });
    return { ok: true, blocks };
  }
  if (all.refusal.code === exitCodes.timeout) return all;
  if (count === 1) return { ok: true, blocks: [{ kind: "failed", message: all.refusal.message }] };
  const blocks: BlockRead[] = [];
  for (let index = 0; index < count; index++) {
    const one = await readBlocks(transfers, first + index, 1);
    if (!one.ok) return one;
    blocks.push(...one.blocks);
  }
  return { ok: true, blocks };
}

async function surveySuperblock(
  transfers: Transfers,
  block: number,
  keys: CheckKeys,
): Promise<{ readonly ok: true; readonly survey: SuperblockSurvey } | Refused> {
  const read = await readBlocks(transfers, block, 1);
  if (!read.ok) return read;
  const [only] = read.blocks;
  if (only?.kind !== "read") {
    const survey = { block, look: null, sector: null, checks: [], failure: only?.message ?? "" };
    return { ok: true, survey };
  }
  const sector = only.bytes.subarray(0, sectorBytes);
  const { sizeBytes } = transfers.device.geometry;
  const mac: Mac = keys.mac ?? acceptAnyMac;
  const look = judgeSuperblock(sector, block, sizeBytes, { mac, crc32c: keys.crc32c });
  const seen = look.kind === "empty" ? null : look.superblock;
  const place: Place | null = seen && {
    medium: "volume",
    clusterId: seen.clusterId,
    volumeId: seen.volumeId,
    block,
    copy: block === 0 ? 0 : 1,
    slot: 0,
    siteId: 0,
  };
  const checks = place ? checkSector("superblock", sector, place, keys) : [];
  return { ok: true, survey: { block, look, sector, checks, failure: null } };
}

const isGood = ({ look }: SuperblockSurvey) => look?.kind === "good";

/** The best that there is: a good one before a damaged one, the primary before the backup. */
function chooseUsed(
  primary: SuperblockSurvey,
  backup: SuperblockSurvey,
  sizeBytes: number,
): VolumeSurvey["used"] {
  const candidates = [
    { from: "primary" as const, survey: primary },
    { from: "backup" as const, survey: backup },
  ];
  const ordered = [
    ...candidates.filter(({ survey }) => isGood(survey)),
    ...candidates.filter(({ survey }) => !isGood(survey)),
  ];
  for (const { from, survey } of ordered) {
    const superblock = survey.look && survey.look.kind !== "empty" ? survey.look.superblock : null;
    if (superblock && planHolds(planOf(superblock), sizeBytes)) return { from, superblock };
  }
  return null;
}

export async function surveyVolume(
  transfers: Transfers,
  keys: CheckKeys,
): Promise<{ readonly ok: true; readonly survey: VolumeSurvey } | Refused> {
  const { device } = transfers;
  const { sizeBytes } = device.geometry;
  const primary = await surveySuperblock(transfers, 0, keys);
  if (!primary.ok) return primary;
  const { look } = primary.survey;
  const backupBlock = look?.kind === "good" ? look.superblock.backupBlock : lastBlockOf(sizeBytes);
  const backup = await surveySuperblock(transfers, backupBlock, keys);
  if (!backup.ok) return backup;
  const used = chooseUsed(primary.survey, backup.survey, sizeBytes);
  return {
    ok: true,
    survey: { device, keys, primary: primary.survey, backup: backup.survey, used },
  };
}

export type CopySurvey = {
  readonly copy: Copy;
  readonly block: number;
  readonly read: BlockRead;
  readonly opened: Opened<"record">;
};

export type SlotSurvey = {
  readonly slot: number;
  readonly copies: readonly [CopySurvey, CopySurvey];
  readonly reading: SlotReading;
};

export function recordPlace(
  superblock: Superblock,
  slot: number,
  copy: Copy,
  siteId: number | null,
): Place {
  const { clusterId, volumeId } = superblock;
  const block = recordBlockOf(planOf(superblock), slot, copy);
  return { medium: "volume", clusterId, volumeId, block, copy, slot, siteId };
}

function surveyCopy(
  superblock: Superblock,
  slot: number,
  copy: Copy,
  read: BlockRead,
  keys: CheckKeys,
): CopySurvey {
  const place = recordPlace(superblock, slot, copy, null);
  const { block } = place;
  if (read.kind === "failed") return { copy, block, read, opened: { kind: "empty" } };
  const mac = keys.mac ?? acceptAnyMac;
  const sector = read.bytes.subarray(0, sectorBytes);
  const { crc32c } = keys;
  return { copy, block, read, opened: openSector("record", sector, place, { mac, crc32c }) };
}

export type SlotsSurveyed = { readonly ok: true; readonly slots: readonly SlotSurvey[] } | Refused;

/** Reads the record blocks of slots `first` to `first + count - 1`. */
export async function surveySlots(
  transfers: Transfers,
  superblock: Superblock,
  keys: CheckKeys,
  first: number,
  count: number,
): Promise<SlotsSurveyed> {
  const plan: VolumePlan = planOf(superblock);
  const read = await readBlocks(transfers, recordBlockOf(plan, first, 0), 2 * count);
  if (!read.ok) return read;
  const slots = Array.from({ length: count }, (_, index): SlotSurvey => {
    const slot = first + index;
    const look = (copy: Copy) => {
      const block: BlockRead = read.blocks[2 * index + copy] ?? { kind: "failed", message: "" };
      return surveyCopy(superblock, slot, copy, block, keys);
    };
    const copies = [look(0), look(1)] as const;
    return { slot, copies, reading: newestCopy(copies[0].opened, copies[1].opened) };
  });
  return { ok: true, slots };
}

/** Whether anything was ever written there, or cannot be read. */
export function isInUse({ copies }: SlotSurvey): boolean {
  return copies.some(({ opened, read }) => opened.kind !== "empty" || read.kind === "failed");
}
