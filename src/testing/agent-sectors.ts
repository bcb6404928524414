/**
 * Records of a running world, read and forged: sectors of its volumes and datagrams of its LAN,
 * changed and sealed with its own key or another.
 */
import { closeSync, fdatasyncSync, openSync, readSync, writeSync } from "node:fs";
import { addressee } from "../core/record.ts";
import { decodeSector, encodeSector, type Sealing, type Unsealed } from "../core/sector/codec.ts";
import { clusterIdOf } from "../core/sector/cluster-id.ts";
import {
  blockBytes,
  type EchoSector,
  type HeartbeatRecord,
  media,
  nilUuid,
  sectorBytes,
  type Superblock,
} from "../core/sector/layout.ts";
import { type Copy, recordBlockOf, type VolumePlan } from "../core/sector/volume.ts";
import { loadKeys, macWith } from "../host/key-file.ts";
import { planOf } from "../volume/superblock.ts";
import { crc32c, sha256 } from "./core-seal.ts";

export function sealingOf(keyFile: string): Sealing {
  const loaded = loadKeys(keyFile);
  if (!loaded.ok) throw new Error(loaded.refusal.message);
  return { mac: macWith(loaded.keys), crc32c, keyId: loaded.keys.signing.id };
}

/** Buffered reads of a plain file or device; short ones are a fault of the test. */
export function readBlocks(file: string, block: number, count = 1): Buffer {
  const bytes = Buffer.alloc(count * blockBytes);
  const descriptor = openSync(file, "r");
  try {
    const got = readSync(descriptor, bytes, 0, bytes.length, block * blockBytes);
    if (got !== bytes.length) throw new Error(`${file}: short read`);
    return bytes;
  } finally {
    closeSync(descriptor);
  }
}

export function writeBlocks(file: string, block: number, bytes: Uint8Array): void {
  const descriptor = openSync(file, "r+");
  try {
    writeSync(descriptor, bytes, 0, bytes.length, block * blockBytes);
    fdatasyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

export function superblockOf(file: string): Superblock {
  return decodeSector("superblock", readBlocks(file, 0).subarray(0, sectorBytes));
}

/** One slot's two record blocks. */
export type Slot = {
  readonly plan: VolumePlan;
  readonly firstBlock: number;
  read(): Buffer;
  record(copy: Copy): HeartbeatRecord;
  newest(): HeartbeatRecord;
  write(bytes: Uint8Array): void;
  /** Changes both copies in place. */
  edit(change: (block: Buffer, copy: Copy) => void): void;
};

export function slotOf(file: string, slot: number): Slot {
  const plan = planOf(superblockOf(file));
  const firstBlock = recordBlockOf(plan, slot, 0);
  const read = (): Buffer => readBlocks(file, firstBlock, 2);
  const record = (copy: Copy): HeartbeatRecord =>
    decodeSector("record", read().subarray(copy * blockBytes, copy * blockBytes + sectorBytes));
  return {
    plan,
    firstBlock,
    read,
    record,
    newest() {
      const [a, b] = [record(0), record(1)];
      return a.incarnation > b.incarnation ||
        (a.incarnation === b.incarnation && a.serial > b.serial)
        ? a
        : b;
    },
    write: (bytes) => writeBlocks(file, firstBlock, bytes),
    edit(change) {
      const bytes = read();
      change(bytes.subarray(0, blockBytes), 0);
      change(bytes.subarray(blockBytes), 1);
      writeBlocks(file, firstBlock, bytes);
    },
  };
}

/** The record of a sector, changed and sealed anew. */
export function resealed(
  sector: Uint8Array,
  changes: Partial<HeartbeatRecord>,
  sealing: Sealing,
): Buffer {
  const bytes = Buffer.alloc(sectorBytes);
  const values = { ...decodeSector("record", sector), ...changes } as Unsealed<"record">;
  encodeSector("record", values, sealing, bytes);
  return bytes;
}

/** A datagram as some host sent it, changed in record and echo and sealed anew. */
export function redatagram(
  datagram: Uint8Array,
  changes: Partial<HeartbeatRecord>,
  sealing: Sealing,
  echoChanges: Partial<EchoSector> = {},
): Buffer {
  const record = resealed(datagram.subarray(0, sectorBytes), changes, sealing);
  const told = decodeSector("record", record);
  const echo = Buffer.alloc(sectorBytes);
  const { incarnation, serial, slot, site, block, clusterId, version, features } = told;
  const same = { incarnation, serial, slot, site, block, clusterId, version, features };
  const values = { ...decodeSector("echo", datagram.subarray(sectorBytes)), ...same };
  encodeSector("echo", { ...values, ...echoChanges } as Unsealed<"echo">, sealing, echo);
  return Buffer.concat([record, echo]);
}

export function datagramHead(cluster: string, toSite: number, toSlot: number) {
  return {
    medium: media.datagram,
    clusterId: clusterIdOf(cluster, sha256),
    volumeId: nilUuid,
    block: addressee(toSite, toSlot),
  };
}
