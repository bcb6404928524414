/**
 * The plan of a volume: where each slot's blocks stand, from the numbers in its superblock.
 *
 *   block 0               superblock
 *   blocks 1 to 7         reserved, zero
 *   recordBlock           2 record blocks a slot: copy A, copy B
 *   echoBlock             2 x echoBlocksPerCopy a slot: what does not fit into the record blocks
 *   mailboxBlock          mailboxBlocksPerSlot a slot
 *   last block            backup of the superblock
 *
 * A poll reads the record area in one read; it is all that judging needs.
 */
import { assert } from "../base/assert.ts";
import { blockBytes, echoesPerSector, sectorsPerBlock } from "./layout.ts";

export type VolumePlan = {
  readonly blocks: number;
  readonly slots: number;
  readonly echoPeers: number;
  readonly recordBlock: number;
  readonly echoBlock: number;
  readonly echoBlocksPerCopy: number;
  readonly mailboxBlock: number;
  readonly mailboxBlocksPerSlot: number;
  readonly backupBlock: number;
};

export type VolumeWish = {
  readonly slots: number;
  readonly echoPeers: number;
  readonly mailboxBlocksPerSlot: number;
};

export const firstRecordBlock = 8;
export const slotsMax = 4096;
export const echoPeersMax = 4096;
export const mailboxBlocksDefault = 16;

const echoesBesideRecord = (sectorsPerBlock - 1) * echoesPerSector;
const echoesPerEchoBlock = sectorsPerBlock * echoesPerSector;

/** Echo sectors that ride in the record block itself, for that many peers. */
export function echoSectorsBesideRecord(peers: number): number {
  return Math.min(sectorsPerBlock - 1, Math.ceil(peers / echoesPerSector));
}

export function echoBlocksPerCopy(peers: number): number {
  return Math.max(0, Math.ceil((peers - echoesBesideRecord) / echoesPerEchoBlock));
}

/** First peer of an echo sector: `index` 1 to 7 beside the record, 0 to 7 in echo block `block`. */
export function firstPeerOf(place: {
  readonly echoBlock: number | null;
  readonly index: number;
}): number {
  if (place.echoBlock === null) return (place.index - 1) * echoesPerSector;
  return echoesBesideRecord + place.echoBlock * echoesPerEchoBlock + place.index * echoesPerSector;
}

/** Blocks that such a volume needs, the backup included. */
export function blocksNeeded(wish: VolumeWish): number {
  const perSlot = 2 + 2 * echoBlocksPerCopy(wish.echoPeers) + wish.mailboxBlocksPerSlot;
  return firstRecordBlock + wish.slots * perSlot + 1;
}

export type PlanResult =
  | { readonly ok: true; readonly plan: VolumePlan }
  | { readonly ok: false; readonly bytesNeeded: number };

/** Lays a volume out on a device of that size; tells the size needed where it does not fit. */
export function planVolume(sizeBytes: number, wish: VolumeWish): PlanResult {
  const blocks = Math.floor(sizeBytes / blockBytes);
  const needed = blocksNeeded(wish);
  if (blocks < needed) return { ok: false, bytesNeeded: needed * blockBytes };
  const perCopy = echoBlocksPerCopy(wish.echoPeers);
  const echoBlock = firstRecordBlock + 2 * wish.slots;
  return {
    ok: true,
    plan: {
      ...wish,
      blocks,
      recordBlock: firstRecordBlock,
      echoBlock,
      echoBlocksPerCopy: perCopy,
      mailboxBlock: echoBlock + 2 * perCopy * wish.slots,
      backupBlock: blocks - 1,
    },
  };
}

/** Whether the numbers of a superblock agree with each other and with the device's size. */
export function planHolds(plan: VolumePlan, sizeBytes: number): boolean {
  if (plan.slots < 1 || plan.slots > slotsMax || plan.echoPeers > echoPeersMax) return false;
  const again = planVolume(plan.blocks * blockBytes, plan);
  if (!again.ok || plan.blocks * blockBytes > sizeBytes) return false;
  return (Object.keys(again.plan) as (keyof VolumePlan)[]).every(
    (key) => again.plan[key] === plan[key],
  );
}

export type Copy = 0 | 1;

export function recordBlockOf(plan: VolumePlan, slot: number, copy: Copy): number {
  assert(slot >= 0 && slot < plan.slots, "a slot of this volume");
  return plan.recordBlock + 2 * slot + copy;
}

export function echoBlockOf(plan: VolumePlan, slot: number, copy: Copy): number {
  assert(slot >= 0 && slot < plan.slots, "a slot of this volume");
  return plan.echoBlock + (2 * slot + copy) * plan.echoBlocksPerCopy;
}

export function mailboxBlockOf(plan: VolumePlan, slot: number): number {
  return plan.mailboxBlock + slot * plan.mailboxBlocksPerSlot;
}
