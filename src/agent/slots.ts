/**
 * The record area of one volume, read into slots: which of them changed, and what stands there
 * now. Only blocks whose bytes changed are opened; the rest is remembered. Works alike on the
 * SVOL of a peer site and on our own PVOL (for the records of sibling hosts).
 */
import {
  newestCopy,
  type Opened,
  openSector,
  type Rejection,
  type SlotReading,
} from "../core/record.ts";
import {
  blockBytes,
  crcOffset,
  echoesPerSector,
  type EchoSector,
  type HeartbeatRecord,
  sectorBytes,
  sectorsPerBlock,
} from "../core/sector/layout.ts";
import type { Seen } from "../core/step/state.ts";
import { type Copy, recordBlockOf } from "../core/sector/volume.ts";
import { type AreaReading, type AreaPoller, createAreaPoller } from "../device/poller.ts";
import type { BlockIo } from "../device/block.ts";
import type { Volume } from "../volume/open.ts";
import { judgeSuperblock, sameVolume } from "../volume/superblock.ts";
import type { Keyring } from "./seal.ts";

export type SlotsReading = {
  /** Whether the superblock is the one that was opened; null where its block did not change. */
  readonly superblock: "same" | "another" | "damaged" | null;
  readonly seen: readonly Seen[];
  readonly rejected: readonly Rejection[];
};

/**
 * Reads from block 0 to the last slot's record: a superblock that changes underneath is found by
 * the same read. null where the device has no memory left for another reader.
 */
export function recordAreaPoller(io: BlockIo, volume: Volume, slots: number): AreaPoller | null {
  return createAreaPoller(io, volume.device, 0, {
    blockCount: volume.plan.recordBlock + 2 * slots,
    strideBytes: blockBytes,
    liveBytes: sectorBytes,
    checksumOffset: crcOffset,
  });
}

/** Opens what changed in each reading of one volume; keeps what did not. */
export function slotOpener(
  volume: Volume,
  siteId: number,
  keys: Keyring,
  /** Slot of the reading host at its own site: whose echo is looked for; null for none. */
  echoSlot: number | null,
  /** Whether a record is newer than what is known of its host: of others no echo is opened. */
  isNews: (record: HeartbeatRecord) => boolean = () => true,
) {
  const opened: Opened<"record">[] = [];
  const firstRecord = volume.plan.recordBlock;
  let generation = keys.generation;

  const judged = (block: Buffer): "same" | "another" | "damaged" => {
    const look = judgeSuperblock(block, 0, volume.device.geometry.sizeBytes, keys);
    if (look.kind !== "good") return "damaged";
    return sameVolume(look.superblock, volume.superblock) ? "same" : "another";
  };

  const placeOf = (slot: number, copy: Copy) => ({
    medium: "volume" as const,
    clusterId: volume.clusterId,
    volumeId: volume.volumeId,
    block: recordBlockOf(volume.plan, slot, copy),
    copy,
    slot,
    siteId,
  });

  const echoesIn = (
    block: Buffer,
    slot: number,
    copy: Copy,
    of: Opened<"record">,
  ): EchoSector[] => {
    if (echoSlot === null || of.kind !== "valid" || !isNews(of.record)) return [];
    const index = 1 + Math.floor(echoSlot / echoesPerSector);
    if (index >= sectorsPerBlock || index > of.record.echoSectors) return [];
    const sector = block.subarray(index * sectorBytes, (index + 1) * sectorBytes);
    const echo = openSector("echo", sector, placeOf(slot, copy), keys);
    const whole = echo.kind === "valid" && echo.record.serial === of.record.serial;
    return whole && echo.record.incarnation === of.record.incarnation ? [echo.record] : [];
  };

  return (reading: Extract<AreaReading, { kind: "read" }>): SlotsReading => {
    const rejected: Rejection[] = [];
    const changed = new Map<number, Buffer>();
    let superblock: SlotsReading["superblock"] = null;
    const toOpen = new Set(reading.changed.map(({ index }) => index));
    // Under other keys what was not believed is opened again, changed or not.
    if (generation !== keys.generation) addRejected(toOpen, opened, firstRecord);
    generation = keys.generation;
    for (const number of toOpen) {
      const block = reading.bytes.subarray(number * blockBytes, (number + 1) * blockBytes);
      if (number === 0) superblock = judged(block);
      if (number < firstRecord) continue;
      const index = number - firstRecord;
      const slot = index >> 1;
      const copy = (index & 1) as Copy;
      const now = openSector("record", block.subarray(0, sectorBytes), placeOf(slot, copy), keys);
      if (now.kind === "rejected") rejected.push(now.reason);
      opened[index] = now;
      changed.set(slot, reading.bytes);
    }
    const seen = [...changed.keys()].map((slot) => {
      const a = opened[2 * slot] ?? { kind: "empty" };
      const b = opened[2 * slot + 1] ?? { kind: "empty" };
      const newest: SlotReading = newestCopy(a, b);
      const copy: Copy = newest.kind === "record" && newest.record === recordIn(b) ? 1 : 0;
      const at = recordBlockOf(volume.plan, slot, copy) * blockBytes;
      const block = reading.bytes.subarray(at, at + blockBytes);
      return { slot, reading: newest, echoes: echoesIn(block, slot, copy, copy ? b : a) };
    });
    return { superblock, seen, rejected };
  };
}

function addRejected(blocks: Set<number>, opened: readonly Opened<"record">[], first: number) {
  for (const [index, { kind }] of opened.entries()) {
    if (kind === "rejected") blocks.add(first + index);
  }
}

function recordIn(opened: Opened<"record">) {
  return opened.kind === "valid" ? opened.record : null;
}
