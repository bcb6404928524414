/**
 * Superblocks: judging one, where its backup stands, and making the pair of them.
 *
 * A superblock is judged by what it says itself: its cluster id must be the one of its cluster
 * name, its block the one it stands in, its numbers such as make a volume. Whether it is the
 * volume that somebody wants is another question (open.ts).
 */
import {
  type Crc32c,
  decodeSector,
  encodeSector,
  type Mac,
  uuidText,
} from "../core/sector/codec.ts";
import { clusterIdOf } from "../core/sector/cluster-id.ts";
import {
  blockBytes,
  formatVersion,
  magics,
  media,
  sectorBytes,
  type Superblock,
} from "../core/sector/layout.ts";
import { planHolds, type VolumePlan } from "../core/sector/volume.ts";
import { openSector, type Rejection } from "../core/record.ts";
import { sha256 } from "../host/digest.ts";

export type Authenticity = {
  readonly mac: Mac;
  readonly crc32c: Crc32c;
};

export type SuperblockLook =
  | { readonly kind: "good"; readonly superblock: Superblock }
  | { readonly kind: "empty" }
  /** `superblock` is what can be decoded of it, believed or not; null where nothing can. */
  | {
      readonly kind: "bad";
      readonly reason: Rejection | "plan";
      readonly superblock: Superblock | null;
    };

export function planOf(superblock: Superblock): VolumePlan {
  const { slots, echoPeers, recordBlock, echoBlock, echoBlocksPerCopy } = superblock;
  const { mailboxBlock, mailboxBlocksPerSlot, backupBlock } = superblock;
  return {
    blocks: Number(superblock.blocks),
    slots,
    echoPeers,
    recordBlock,
    echoBlock,
    echoBlocksPerCopy,
    mailboxBlock,
    mailboxBlocksPerSlot,
    backupBlock,
  };
}

/** The last block of a device: where a backup stands that fits it. */
export function lastBlockOf(sizeBytes: number): number {
  return Math.floor(sizeBytes / blockBytes) - 1;
}

const clusterIdAt = 0x10;

/** Judges the first sector of `block` as the primary (block 0) or the backup of a superblock. */
export function judgeSuperblock(
  bytes: Uint8Array,
  block: number,
  sizeBytes: number,
  { mac, crc32c }: Authenticity,
): SuperblockLook {
  const sector = bytes.subarray(0, sectorBytes);
  const seen = decodeSector("superblock", sector);
  const isOurs = seen.magic === magics.superblock;
  const printable = /^[\x20-\x7e]+$/.test(seen.clusterName);
  const opened = openSector(
    "superblock",
    sector,
    {
      medium: "volume",
      // With no name there is no id to compare; the checksum has failed by then.
      clusterId: printable ? clusterIdOf(seen.clusterName, sha256) : uuidText(sector, clusterIdAt),
      volumeId: seen.volumeId,
      block,
      copy: block === 0 ? 0 : 1,
      slot: 0,
      siteId: 0,
    },
    { mac, crc32c },
  );
  switch (opened.kind) {
    case "empty":
      return { kind: "empty" };
    case "rejected":
      return { kind: "bad", reason: opened.reason, superblock: isOurs ? seen : null };
    case "valid": {
      const fits = planHolds(planOf(opened.record), sizeBytes);
      if (fits && opened.record.blockBytes === blockBytes) {
        return { kind: "good", superblock: opened.record };
      }
      return { kind: "bad", reason: "plan", superblock: opened.record };
    }
  }
}

/** Both blocks of a superblock, from one: what differs is where they stand. */
export function superblockBytes(
  superblock: Omit<Superblock, "magic" | "keyId" | "mac" | "crc" | "copy" | "block">,
  which: "primary" | "backup",
  keyId: number,
  { mac, crc32c }: Authenticity,
): Buffer {
  const bytes = Buffer.alloc(blockBytes);
  const copy = which === "primary" ? 0 : 1;
  const block = which === "primary" ? 0 : superblock.backupBlock;
  encodeSector("superblock", { ...superblock, copy, block }, { mac, crc32c, keyId }, bytes);
  return bytes;
}

/** Whether two superblocks say the same of the volume; their places and seals differ anyway. */
export function sameVolume(one: Superblock, other: Superblock): boolean {
  const plain = (superblock: Superblock) =>
    JSON.stringify(
      { ...superblock, block: 0, copy: 0, keyId: 0, mac: 0, crc: 0 },
      (_key, value: unknown) => (typeof value === "bigint" ? value.toString() : value),
    );
  return plain(one) === plain(other);
}

/** The head that every superblock has, besides its copy and block. */
export const superblockHead = {
  version: formatVersion,
  medium: media.volume,
  features: 0,
  slot: 0,
  site: 0,
} as const;
