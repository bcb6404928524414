/**
 * Formatting a device as a heartbeat volume.
 *
 * The order of the writes makes every crash harmless: the old superblock goes first, then its
 * backup; all areas are zeroed; the new backup is written, and the new primary last. Until the
 * first write the old volume stands untouched; until the last one the device has no valid primary,
 * so it does not open. At no moment does a superblock stand over areas that are not its own.
 * Each write is read back before the next.
 */
import type { Timing } from "../core/base/config.ts";
import { exitCodes } from "../core/base/exit-codes.ts";
import type { volumeTimings } from "../core/base/timing.ts";
import { clusterIdOf } from "../core/sector/cluster-id.ts";
import { blockBytes, type Superblock } from "../core/sector/layout.ts";
import {
  blocksNeeded,
  echoPeersMax,
  planVolume,
  slotsMax,
  type VolumePlan,
  type VolumeWish,
} from "../core/sector/volume.ts";
import type { Geometry } from "../device/block.ts";
import { sha256 } from "../host/digest.ts";
import { type Refused, refuse, type Transfers } from "./device-io.ts";
import { headBytes, tailBytes } from "./labels.ts";
import {
  type Authenticity,
  judgeSuperblock,
  lastBlockOf,
  superblockBytes,
  superblockHead,
} from "./superblock.ts";

/** For devices without a sector size of their own: a plain file. */
const fileSectorBytes = 512;

export type SharedTimings = Pick<Timing, (typeof volumeTimings)[number]>;

export type FormatWish = VolumeWish & {
  readonly cluster: string;
  readonly writerSite: string;
  readonly readerSite: string;
  /** null where none were stated: zeroes are written. */
  readonly timings: SharedTimings | null;
};

export type FormatSeal = Authenticity & {
  readonly keyId: number;
  readonly volumeId: string;
  readonly wallNs: bigint;
};

export type FormatPlanned = { readonly ok: true; readonly plan: VolumePlan } | Refused;

/** The most slots that a device of that size has room for; 0 where not even one fits. */
export function slotsThatFit(
  sizeBytes: number,
  mailboxBlocksPerSlot: number,
  echoPeers: number | null,
): number {
  const blocks = Math.floor(sizeBytes / blockBytes);
  const fits = (slots: number) => {
    const wish = { slots, echoPeers: echoPeers ?? slots, mailboxBlocksPerSlot };
    return blocksNeeded(wish) <= blocks;
  };
  let low = 0;
  let high = slotsMax;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (fits(middle)) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** `echoPeersGiven`: null where they follow the slots. */
export function planFormat(
  path: string,
  geometry: Geometry,
  wish: VolumeWish,
  echoPeersGiven: number | null,
): FormatPlanned {
  const { sizeBytes } = geometry;
  const planned = planVolume(sizeBytes, wish);
  if (planned.ok) return planned;
  const fit = slotsThatFit(sizeBytes, wish.mailboxBlocksPerSlot, echoPeersGiven);
  const needed = `${wish.slots} slots need ${planned.bytesNeeded} bytes`;
  const room = fit > 0 ? `${fit} slots would fit (--slots ${fit})` : "not even one slot fits";
  return refuse(exitCodes.dataError, `${path}: too small: ${sizeBytes} bytes; ${needed}; ${room}`);
}

export const limits = { slots: slotsMax, echoPeers: echoPeersMax, mailboxBlocks: 1024 } as const;

type Extent = { readonly first: number; readonly count: number };

/**
 * What is zeroed, in order: the primary, the block of the backup, then everything that the volume
 * will use. Where something else was on the device, also both ends, where its marks stand: else
 * another program could still take the device for its own.
 */
export function extentsToZero(plan: VolumePlan, sizeBytes: number, wipesEnds: boolean): Extent[] {
  const last = lastBlockOf(sizeBytes);
  const used = plan.mailboxBlock + plan.slots * plan.mailboxBlocksPerSlot;
  const head = wipesEnds ? Math.max(used, headBytes / blockBytes) : used;
  const tail = wipesEnds ? tailBytes / blockBytes : 1;
  const headEnd = Math.min(head, last + 1);
  const tailBegin = Math.max(headEnd, last + 1 - tail);
  return [
    { first: 0, count: 1 },
    { first: last, count: 1 },
    { first: 1, count: headEnd - 1 },
    { first: tailBegin, count: last + 1 - tailBegin },
  ].filter(({ count }) => count > 0);
}

const zeroBlocks = 256;

async function zero(transfers: Transfers, { first, count }: Extent): Promise<Refused | null> {
  const zeros = Buffer.alloc(zeroBlocks * blockBytes);
  for (let done = 0; done < count; done += zeroBlocks) {
    const part = zeros.subarray(0, Math.min(zeroBlocks, count - done) * blockBytes);
    const refused = await transfers.writeAndVerify(first + done, part);
    if (refused) return refused;
  }
  return null;
}

/** The superblock that formatting writes. */
export function newSuperblock(
  geometry: Pick<Geometry, "kind" | "logicalBytes">,
  wish: FormatWish,
  plan: VolumePlan,
  seal: FormatSeal,
): Omit<Superblock, "magic" | "keyId" | "mac" | "crc" | "copy" | "block"> {
  const { slots, echoPeers, recordBlock, echoBlock, echoBlocksPerCopy } = plan;
  const { mailboxBlock, mailboxBlocksPerSlot, backupBlock } = plan;
  const noTimings: SharedTimings = {
    intervalMs: 0,
    pollMs: 0,
    marginMs: 0,
    latencyMs: 0,
    readLimitMs: 0,
    leaseMs: 0,
    watchdogMs: 0,
  };
  return {
    ...superblockHead,
    clusterId: clusterIdOf(wish.cluster, sha256),
    volumeId: seal.volumeId,
    generation: 1n,
    clusterName: wish.cluster,
    writerSite: wish.writerSite,
    readerSite: wish.readerSite,
    blocks: BigInt(plan.blocks),
    blockBytes,
    sectorBytes: geometry.kind === "block" ? geometry.logicalBytes : fileSectorBytes,
    slots,
    echoPeers,
    recordBlock,
    echoBlock,
    echoBlocksPerCopy,
    mailboxBlock,
    mailboxBlocksPerSlot,
    backupBlock,
    ...(wish.timings ?? noTimings),
    formattedNs: seal.wallNs,
  };
}

export type Formatted = { readonly ok: true; readonly superblock: Superblock } | Refused;

/** Formats; what stands on the device is lost. `wipesEnds` where something stood there. */
export async function formatVolume(
  transfers: Transfers,
  wish: FormatWish,
  plan: VolumePlan,
  seal: FormatSeal,
  wipesEnds: boolean,
): Promise<Formatted> {
  const { geometry } = transfers.device;
  for (const extent of extentsToZero(plan, geometry.sizeBytes, wipesEnds)) {
    const refused = await zero(transfers, extent);
    if (refused) return refused;
  }
  const superblock = newSuperblock(geometry, wish, plan, seal);
  for (const which of ["backup", "primary"] as const) {
    const block = which === "primary" ? 0 : plan.backupBlock;
    const bytes = superblockBytes(superblock, which, seal.keyId, seal);
    const refused = await transfers.writeAndVerify(block, bytes);
    if (refused) return refused;
  }
  const read = await transfers.read(0, 1);
  if (!read.ok) return read;
  const look = judgeSuperblock(read.bytes, 0, geometry.sizeBytes, seal);
  if (look.kind === "good") return { ok: true, superblock: look.superblock };
  throw new Error("assertion failed: a superblock that was verified is good");
}
