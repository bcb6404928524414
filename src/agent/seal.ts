/**
 * Records to bytes and back for this agent: the core's codec with the real keys, checksum and
 * identity. Keys may be replaced while it runs; whoever seals or checks asks here each time.
 */
import type { BlockIo } from "../device/block.ts";
import {
  beginSector,
  type Crc32c,
  encodeSector,
  type Mac,
  type Sealing,
  sealSector,
  writeFields,
} from "../core/sector/codec.ts";
import {
  blockBytes,
  type Echo,
  echoesPerSector,
  formatVersion,
  media,
  nilUuid,
  sectorBytes,
} from "../core/sector/layout.ts";
import { addressee } from "../core/record.ts";
import { echoSectorsBesideRecord, firstPeerOf } from "../core/sector/volume.ts";
import type { RecordBody } from "../core/step/state.ts";
import { type KeySet, macWith } from "../host/key-file.ts";

export type Keyring = {
  readonly mac: Mac;
  readonly crc32c: Crc32c;
  sealing(): Sealing;
  /** Ids of the keys held now. */
  ids(): readonly number[];
  /** Whether that key signed before the one that signs now, and is to go. */
  isRetiring(keyId: number): boolean;
  /** Rises with each change of keys: what was not believed before may be now. */
  readonly generation: number;
  replace(keys: KeySet): void;
};

export function keyring(keys: KeySet, io: Pick<BlockIo, "crc32c">): Keyring {
  let current = keys;
  let mac = macWith(keys);
  let generation = 0;
  const crc32c: Crc32c = (bytes) => io.crc32c(bytes);
  return {
    // Looked up at each call, for keys change while the agent runs.
    mac: (keyId, bytes) => mac(keyId, bytes),
    crc32c,
    sealing: () => ({ mac, crc32c, keyId: current.signing.id }),
    ids: () => [current.signing, ...current.accepted].map(({ id }) => id),
    isRetiring: (keyId) => current.retiring.includes(keyId),
    get generation() {
      return generation;
    },
    replace(next) {
      current = next;
      generation += 1;
      mac = macWith(next);
    },
  };
}

/** Who writes, in the words of the records. */
export type Writer = { readonly clusterId: string; readonly siteId: number; readonly slot: number };

export type EchoSet = { readonly peerSiteId: number; readonly echoes: readonly Echo[] };

type Head = {
  readonly medium: number;
  readonly copy: number;
  readonly volumeId: string;
  readonly block: number;
};

/** A record before it is placed and sealed: one beat goes to many, and only its place differs. */
type Image = { readonly writer: Writer; readonly bytes: Uint8Array };
const images = new WeakMap<RecordBody, Image>();

function writeRecord(
  target: Uint8Array,
  head: Head,
  writer: Writer,
  body: RecordBody,
  sealing: Sealing,
  counts: { readonly echoSectors: number; readonly echoPeers: number },
): void {
  const sector = target.subarray(0, sectorBytes);
  const known = images.get(body);
  if (known?.writer === writer) sector.set(known.bytes);
  else {
    beginSector("record", sector);
    const { clusterId, slot, siteId } = writer;
    writeFields("record", sector, { version: formatVersion, clusterId, slot, site: siteId });
    writeFields("record", sector, body);
    images.set(body, { writer, bytes: Uint8Array.from(sector) });
  }
  writeFields("record", sector, head);
  writeFields("record", sector, counts);
  sealSector(sector, sealing);
}

function writeEcho(
  target: Uint8Array,
  at: number,
  head: Head,
  writer: Writer,
  body: RecordBody,
  set: EchoSet,
  place: { readonly index: number; readonly firstPeer: number },
  sealing: Sealing,
): void {
  const echoes = set.echoes.slice(place.firstPeer, place.firstPeer + echoesPerSector);
  const values = {
    version: formatVersion,
    features: 0,
    clusterId: writer.clusterId,
    ...head,
    slot: writer.slot,
    site: writer.siteId,
    index: place.index,
    incarnation: body.incarnation,
    serial: body.serial,
    term: body.term,
    firstPeer: place.firstPeer,
    count: echoes.length,
    peerSite: set.peerSiteId,
    echoes,
  };
  encodeSector("echo", values, sealing, target, at);
}

/** One record block of 4096 bytes: the record, then as many echo sectors as are needed. */
export function encodeRecordBlock(
  target: Uint8Array,
  place: { readonly volumeId: string; readonly block: number; readonly copy: number },
  writer: Writer,
  body: RecordBody,
  set: EchoSet,
  sealing: Sealing,
): void {
  const head: Head = { medium: media.volume, ...place };
  const echoSectors = echoSectorsBesideRecord(set.echoes.length);
  target.fill(0, sectorBytes, blockBytes);
  writeRecord(target, head, writer, body, sealing, { echoSectors, echoPeers: set.echoes.length });
  for (let index = 1; index <= echoSectors; index++) {
    const firstPeer = firstPeerOf({ echoBlock: null, index });
    writeEcho(target, index * sectorBytes, head, writer, body, set, { index, firstPeer }, sealing);
  }
}

/** The echo blocks of one copy: what found no room beside the record. */
export function encodeEchoBlocks(
  target: Uint8Array,
  place: { readonly volumeId: string; readonly block: number; readonly copy: number },
  blocks: number,
  writer: Writer,
  body: RecordBody,
  set: EchoSet,
  sealing: Sealing,
): void {
  target.fill(0, 0, blocks * blockBytes);
  for (let echoBlock = 0; echoBlock < blocks; echoBlock++) {
    const head: Head = { medium: media.volume, ...place, block: place.block + echoBlock };
    for (let index = 0; index < blockBytes / sectorBytes; index++) {
      const firstPeer = firstPeerOf({ echoBlock, index });
      if (firstPeer >= set.echoes.length) return;
      const at = echoBlock * blockBytes + index * sectorBytes;
      writeEcho(target, at, head, writer, body, set, { index, firstPeer }, sealing);
    }
  }
}

export const datagramBytes = 2 * sectorBytes;

/** One datagram of 1024 bytes: the record, and the echo sector that speaks of the addressee. */
export function encodeDatagram(
  to: { readonly siteId: number; readonly slot: number },
  writer: Writer,
  body: RecordBody,
  set: EchoSet,
  sealing: Sealing,
): Buffer {
  const bytes = Buffer.alloc(datagramBytes);
  const block = addressee(to.siteId, to.slot);
  const head: Head = { medium: media.datagram, copy: 0, volumeId: nilUuid, block };
  writeRecord(bytes, head, writer, body, sealing, { echoSectors: 1, echoPeers: set.echoes.length });
  const firstPeer = to.slot - (to.slot % echoesPerSector);
  writeEcho(bytes, sectorBytes, head, writer, body, set, { index: 1, firstPeer }, sealing);
  return bytes;
}
