/** Sample sectors for the core's tests, and the golden vectors of fixtures/format. */
import type { Place } from "../core/record.ts";
import { clusterIdOf } from "../core/sector/cluster-id.ts";
import { encodeSector, type Sealing, type Unsealed } from "../core/sector/codec.ts";
import {
  blockBytes,
  type Echo,
  type EchoSector,
  echoesPerSector,
  formatVersion,
  type HeartbeatRecord,
  lagNever,
  media,
  nilUuid,
  pairCodes,
  recordFlags,
  roles,
  sectorBytes,
  type SectorKind,
  states,
} from "../core/sector/layout.ts";
import { firstPeerOf, planVolume, recordBlockOf, type VolumePlan } from "../core/sector/volume.ts";
import { timingDigestOf } from "../core/sector/timing-digest.ts";
import { timingDefaults } from "../core/base/timing.ts";
import { crc32c, sealing, sha256 } from "./core-seal.ts";

export const clusterName = "alpha";
export const clusterId = clusterIdOf(clusterName, sha256);
export const volumeId = "6f0d3c5a-9b1e-4c47-8a52-1f2e3d4c5b6a";
export const otherId = "11111111-2222-4333-8444-555555555555";
export const bootId = "c0ffee00-1234-4567-89ab-0123456789ab";

/** 4 slots, 100 peers: echo blocks are needed; 16 mailbox blocks a slot. */
export const sampleWish = { slots: 4, echoPeers: 100, mailboxBlocksPerSlot: 16 };
const planned = planVolume(1024 * 1024, sampleWish);
if (!planned.ok) throw new Error("the sample plan fits");
export const samplePlan: VolumePlan = planned.plan;

export function place(changes: Partial<Place> = {}): Place {
  const block = changes.block ?? 8;
  const usual = { medium: "volume", clusterId, volumeId, block, copy: 0, slot: 0, siteId: 1 };
  return { ...usual, ...changes } as Place;
}

export function recordValues(changes: Partial<HeartbeatRecord> = {}): Unsealed<"record"> {
  return {
    version: formatVersion,
    medium: media.volume,
    copy: 0,
    features: 0,
    clusterId,
    volumeId,
    block: 8,
    slot: 0,
    site: 1,
    state: states.running,
    role: roles.active,
    failureClass: 0,
    flags: 0,
    intervalMs: 1000,
    incarnation: 7n,
    bootId,
    serial: 1000n,
    bootClockNs: 123_456_789_012_345n,
    wallClockNs: 1_795_332_664_120_000_000n,
    term: 257n,
    leaseMs: 0,
    watchdogMs: 0,
    generation: 3n,
    nonce: 0x0123_4567_89ab_cdefn,
    renouncedTerm: 0n,
    renouncedNonce: 0n,
    handoverTerm: 0n,
    handoverSite: 0,
    echoSectors: 1,
    echoPeers: 2,
    lockEpoch: 7,
    timingDigest: timingDigestOf({ timing: timingDefaults, policy: "operator" }, crc32c),
    commandSeen: 0n,
    commandDone: 0n,
    hostName: "tokyo-1",
    groups: [],
    noticeId: 0,
    noticeCode: 0,
    noticeSeverity: 0,
    noticeSerial: 0n,
    noticeText: "",
    command: 0n,
    commandMirror: "",
    commandKind: 0,
    commandFault: 0,
    pathsOff: 0,
    stagedDigest: 0,
    keyRing: 0,
    commandDoneBefore: 0n,
    ...changes,
  };
}

export function echoEntry(changes: Partial<Echo> = {}): Echo {
  return {
    incarnation: 4n,
    serial: 998n,
    nonce: 0xfedc_ba98_7654_3210n,
    lag0: 0,
    lag1: 1,
    lag2: lagNever,
    lag3: lagNever,
    lag4: lagNever,
    lag5: lagNever,
    lag6: lagNever,
    lag7: lagNever,
    receipt: 0,
    ...changes,
  };
}

export function echoValues(changes: Partial<EchoSector> = {}): Unsealed<"echo"> {
  return {
    version: formatVersion,
    medium: media.volume,
    copy: 0,
    features: 0,
    clusterId,
    volumeId,
    block: 8,
    slot: 0,
    site: 1,
    index: 1,
    incarnation: 7n,
    serial: 1000n,
    term: 257n,
    firstPeer: 0,
    count: 2,
    peerSite: 2,
    echoes: [echoEntry(), echoEntry({ serial: 997n, lag0: 254, lag1: 253, receipt: 12 })],
    ...changes,
  };
}

export function superblockValues(copy: 0 | 1): Unsealed<"superblock"> {
  const { intervalMs, pollMs, marginMs, latencyMs, readLimitMs, leaseMs, watchdogMs } =
    timingDefaults;
  return {
    version: formatVersion,
    medium: media.volume,
    copy,
    features: 0,
    clusterId,
    volumeId,
    block: copy === 0 ? 0 : samplePlan.backupBlock,
    slot: 0,
    site: 0,
    generation: 1n,
    clusterName,
    writerSite: "tokyo",
    readerSite: "osaka",
    blockBytes,
    sectorBytes,
    ...{ ...samplePlan, blocks: BigInt(samplePlan.blocks) },
    ...{ intervalMs, pollMs, marginMs, latencyMs, readLimitMs, leaseMs, watchdogMs },
    formattedNs: 1_795_330_000_000_000_000n,
  };
}

export function sectorOf<K extends SectorKind>(
  kind: K,
  values: Unsealed<K>,
  how: Sealing = sealing,
): Uint8Array {
  const sector = new Uint8Array(sectorBytes);
  encodeSector(kind, values, how, sector);
  return sector;
}

export type Golden = {
  readonly name: string;
  readonly kind: SectorKind;
  readonly place: Place;
  readonly values: Unsealed<SectorKind>;
};

const golden = <K extends SectorKind>(
  name: string,
  kind: K,
  values: Unsealed<K>,
  where: Partial<Place> = {},
): Golden => {
  const { copy, block, slot, site } = values;
  const found = place({ copy, block, slot, siteId: site, volumeId: values.volumeId, ...where });
  return { name, kind, place: found, values };
};

const inSlot2 = (copy: 0 | 1) => ({
  slot: 2,
  copy,
  block: recordBlockOf(samplePlan, 2, copy),
  hostName: "tokyo-3",
});
const toOsaka3 = { medium: media.datagram, volumeId: nilUuid, block: 2 * 65536 + 3 };
const farPeer = { echoBlock: 0, index: 3 };

/** One sector each; a fixture of 512 bytes. */
export const goldens: readonly Golden[] = [
  golden("superblock", "superblock", superblockValues(0)),
  golden("superblock-backup", "superblock", superblockValues(1)),
  golden("record-copy-a", "record", recordValues({ ...inSlot2(0), serial: 1001n })),
  golden("record-copy-b", "record", recordValues({ ...inSlot2(1), serial: 1002n, nonce: 2n })),
  golden(
    "record-leaving",
    "record",
    recordValues({ state: states.leaving, role: roles.standby, serial: 1003n, term: 514n }),
  ),
  golden(
    "record-groups-notice",
    "record",
    recordValues({
      state: states.failed,
      failureClass: 3,
      flags: recordFlags.guard | recordFlags.quiesced | recordFlags.beacon | recordFlags.pathOff,
      leaseMs: 43_000,
      watchdogMs: 10_000,
      renouncedTerm: 513n,
      renouncedNonce: 0xffff_ffff_ffff_ffffn,
      handoverTerm: 770n,
      handoverSite: 2,
      commandSeen: 9n,
      commandDone: 8n,
      groups: [
        { id: 1, pair: pairCodes.paired, inSyncNs: 123_456_789_000_000n },
        { id: 0xffff_ffff, pair: pairCodes.split, inSyncNs: 0xffff_ffff_ffff_fffen },
      ],
      noticeId: 77,
      noticeCode: 512,
      noticeSeverity: 3,
      noticeSerial: 5n,
      noticeText: "oracle-db: listener does not answer",
    }),
  ),
  golden(
    "datagram-record",
    "record",
    recordValues({ ...toOsaka3, echoPeers: 4, hostName: "tokyo-1" }),
    { medium: "datagram" },
  ),
  golden("datagram-echo", "echo", echoValues({ ...toOsaka3, count: 4 }), { medium: "datagram" }),
  golden("echo-beside-record", "echo", echoValues({ index: 1 })),
  golden(
    "echo-in-echo-block",
    "echo",
    echoValues({
      copy: 1,
      slot: 2,
      block: samplePlan.echoBlock + 5 * samplePlan.echoBlocksPerCopy,
      index: farPeer.index,
      firstPeer: firstPeerOf(farPeer),
      count: echoesPerSector,
      echoes: Array.from({ length: echoesPerSector }, (_, i) => echoEntry({ serial: BigInt(i) })),
    }),
  ),
];

/** A datagram: record and echo sector together. */
export function goldenDatagram(): Uint8Array {
  const parts = goldens.filter(({ name }) => name.startsWith("datagram-"));
  const bytes = new Uint8Array(2 * sectorBytes);
  parts.forEach((part, index) => bytes.set(sectorOf(part.kind, part.values), index * sectorBytes));
  return bytes;
}
