/**
 * The sectors of a heartbeat volume: the only place where offsets exist.
 *
 * A volume is a row of 4096-byte blocks, each written whole. A block is eight sectors of 512
 * bytes, and every sector that is in use proves itself: magic, identity, key id, MAC and checksum
 * stand in the sector. So a write that is torn at any multiple of 512 bytes, by the host, the
 * array or the link, leaves sectors that are each old or new and never a mixture.
 *
 * Three kinds of sector share one head (0x000-0x037) and one tail (0x1DC-0x1FF):
 *   superblock  what the volume is; first block, and a backup in the last
 *   record      one heartbeat of one host: sector 0 of a record block, and of each datagram
 *   echo        what the sender last saw of nine peer hosts each: sectors 1 to 7 of a record
 *               block, all sectors of an echo block, and the second half of each datagram
 */
import {
  commandFaults,
  commandKinds,
  media,
  namesOf,
  pairCodes,
  recordFlags,
  roles,
  states,
} from "./codes.ts";
import { checkLayout, type RecordOf, type ScalarField } from "./field.ts";

export { commandFaults, commandKinds, media, pairCodes, recordFlags, roles, states };

export const sectorBytes = 512;
export const blockBytes = 4096;
export const sectorsPerBlock = blockBytes / sectorBytes;
/** Version 0 until the first release: layouts may still change, and others are refused. */
export const formatVersion = 0;

export const magics = {
  superblock: "MBVOLUME",
  record: "MBRECORD",
  echo: "MBECHOES",
} as const;

const head = [
  { name: "magic", at: 0x000, kind: "text", length: 8, note: "kind of sector" },
  { name: "version", at: 0x008, kind: "u16", note: "format version; any other is refused" },
  {
    name: "medium",
    at: 0x00a,
    kind: "u8",
    names: namesOf(media),
    note: "what carries it; a datagram is never taken for a sector",
  },
  { name: "copy", at: 0x00b, kind: "u8", note: "0 is A (or the primary), 1 is B (or the backup)" },
  {
    name: "features",
    at: 0x00c,
    kind: "u32",
    note: "all zero in this version; others are refused",
  },
  { name: "clusterId", at: 0x010, kind: "uuid", note: "the cluster; a foreign one is refused" },
  {
    name: "volumeId",
    at: 0x020,
    kind: "uuid",
    note: "the volume, given at its formatting; nil in a datagram",
  },
  {
    name: "block",
    at: 0x030,
    kind: "u32",
    note: "number of the block it stands in; in a datagram the addressee, site x 65536 + slot",
  },
  { name: "slot", at: 0x034, kind: "u16", note: "slot of the writing host; 0 in a superblock" },
  { name: "site", at: 0x036, kind: "u8", note: "id of the writing site; 0 in a superblock" },
] as const;

const tail = [
  { name: "keyId", at: 0x1dc, kind: "u32", note: "which key signed it" },
  {
    name: "mac",
    at: 0x1e0,
    kind: "bytes",
    length: 16,
    note: "HMAC-SHA256 of bytes 0x000-0x1DF, cut to its first 16 bytes",
  },
  { name: "zero3", at: 0x1f0, kind: "zero", length: 12, note: "reserved" },
  { name: "crc", at: 0x1fc, kind: "u32", note: "CRC32C of bytes 0x000-0x1FB" },
] as const;

/** Bytes under the MAC, and under the checksum. */
export const macSpanBytes = 0x1e0;
export const macOffset = 0x1e0;
export const keyIdOffset = 0x1dc;
export const crcOffset = 0x1fc;

export const dataGroupsMax = 6;
export const dataGroupItem = [
  { name: "id", at: 0, kind: "u32", note: "the group's number; 0 marks an unused entry" },
  { name: "pair", at: 4, kind: "u8", names: namesOf(pairCodes), note: "its pair state" },
  { name: "zero", at: 5, kind: "zero", length: 3, note: "reserved" },
  { name: "inSyncNs", at: 8, kind: "u64", note: "writer's boot clock when it was last in sync" },
] as const;

export const recordLayout = checkLayout(
  [
    ...head,
    { name: "state", at: 0x037, kind: "u8", names: namesOf(states), note: "the sender's own word" },
    { name: "role", at: 0x038, kind: "u8", names: namesOf(roles), note: "of the sender's site" },
    { name: "failureClass", at: 0x039, kind: "u8", note: "why it is failed; 0 otherwise" },
    {
      name: "flags",
      at: 0x03a,
      kind: "u16",
      bits: namesOf(recordFlags),
      note: "see the names of the bits",
    },
    { name: "intervalMs", at: 0x03c, kind: "u32", note: "promised time to the next record" },
    {
      name: "incarnation",
      at: 0x040,
      kind: "u64",
      note: "rises with each start of the sender; tells a restart from a replay",
    },
    { name: "bootId", at: 0x048, kind: "uuid", note: "the sender's boot" },
    {
      name: "serial",
      at: 0x058,
      kind: "u64",
      note: "strictly rising within an incarnation, from 1",
    },
    {
      name: "bootClockNs",
      at: 0x060,
      kind: "u64",
      note: "sender's CLOCK_BOOTTIME before the write",
    },
    { name: "wallClockNs", at: 0x068, kind: "u64", note: "time of generation, Unix; display only" },
    {
      name: "term",
      at: 0x070,
      kind: "u64",
      note: "highest term known: counter x 256 + id of the owning site",
    },
    { name: "leaseMs", at: 0x078, kind: "u32", note: "lease of the automatic policies; 0 without" },
    { name: "watchdogMs", at: 0x07c, kind: "u32", note: "the watchdog's whole time; 0 without" },
    { name: "generation", at: 0x080, kind: "u64", note: "generation of the configuration" },
    {
      name: "nonce",
      at: 0x088,
      kind: "u64",
      note: "random, new in each record; its echo proves that the echo is younger",
    },
    { name: "renouncedTerm", at: 0x090, kind: "u64", note: "term in which takeover is renounced" },
    { name: "renouncedNonce", at: 0x098, kind: "u64", note: "the peer's nonce that it answers" },
    { name: "handoverTerm", at: 0x0a0, kind: "u64", note: "term that is given; 0 without" },
    {
      name: "handoverSite",
      at: 0x0a8,
      kind: "u8",
      note: "id of the site it is, or will be, given to",
    },
    { name: "echoSectors", at: 0x0a9, kind: "u8", note: "echo sectors that follow in this block" },
    { name: "echoPeers", at: 0x0aa, kind: "u16", note: "peers echoed, here and in echo blocks" },
    { name: "timingDigest", at: 0x0ac, kind: "u32", note: "CRC32C of the timings; see docs" },
    { name: "commandSeen", at: 0x0b0, kind: "u64", note: "highest command of any host seen" },
    { name: "commandDone", at: 0x0b8, kind: "u64", note: "highest one carried out: the receipt" },
    { name: "hostName", at: 0x0c0, kind: "text", length: 16, note: "name of the sending host" },
    {
      name: "groups",
      at: 0x0d0,
      kind: "list",
      count: dataGroupsMax,
      of: dataGroupItem,
      note: "state of the data pairs",
    },
    { name: "noticeId", at: 0x130, kind: "u32", note: "failure notice; 0 without" },
    { name: "noticeCode", at: 0x134, kind: "u16", note: "what failed" },
    { name: "noticeSeverity", at: 0x136, kind: "u16", note: "syslog severity" },
    { name: "noticeSerial", at: 0x138, kind: "u64", note: "number of the notice" },
    { name: "noticeText", at: 0x140, kind: "text", length: 104, note: "for people" },
    {
      name: "commandDoneBefore",
      at: 0x1a8,
      kind: "u64",
      note: "the command carried out before `commandDone`",
    },
    {
      name: "command",
      at: 0x1b0,
      kind: "u64",
      note: "number of the command that the sender gives to all; 0 without",
    },
    { name: "commandMirror", at: 0x1b8, kind: "text", length: 16, note: "the mirror it is about" },
    {
      name: "commandKind",
      at: 0x1c8,
      kind: "u8",
      names: namesOf(commandKinds),
      note: "what to do",
    },
    {
      name: "commandFault",
      at: 0x1c9,
      kind: "u8",
      names: namesOf(commandFaults),
      note: "why `commandSeen` is not done here yet",
    },
    {
      name: "pathsOff",
      at: 0x1ca,
      kind: "u16",
      note: "paths that the sender has off: bit 0 the network, bit n its site's n-th mirror",
    },
    {
      name: "stagedDigest",
      at: 0x1cc,
      kind: "u32",
      note: "CRC32C of the shared configuration that it holds ready; 0 without",
    },
    {
      name: "keyRing",
      at: 0x1d0,
      kind: "u32",
      note: "CRC32C of the ids of all keys that the sender accepts, rising; 0 if not told",
    },
    {
      name: "lockEpoch",
      at: 0x1d4,
      kind: "u32",
      note: "rises with each taking of the site's lock; 0 where the site has one host",
    },
    { name: "zero2", at: 0x1d8, kind: "zero", length: 4, note: "reserved" },
    ...tail,
  ],
  sectorBytes,
);

/** Paths that an echo can speak of: the network and up to seven mirrors. */
export const pathsMax = 8;
export const echoesPerSector = 9;
/**
 * Lag values of an echo's path: 0-252 beats; then: the echoing host does not look there, for path or
 * peer is switched off at it; more beats than that; not seen.
 */
export const lagOff = 253;
export const lagFar = 254;
export const lagNever = 255;

const lag = (path: number) =>
  ({
    name: `lag${path}` as const,
    at: 24 + path,
    kind: "u8",
    note: path === 0 ? "beats behind on the network" : `beats behind on mirror ${path}`,
  }) as const;
export const echoItem = [
  { name: "incarnation", at: 0, kind: "u64", note: "of the newest record seen of this peer" },
  { name: "serial", at: 8, kind: "u64", note: "of that record" },
  { name: "nonce", at: 16, kind: "u64", note: "of that record" },
  { ...lag(0), name: "lag0" },
  { ...lag(1), name: "lag1" },
  { ...lag(2), name: "lag2" },
  { ...lag(3), name: "lag3" },
  { ...lag(4), name: "lag4" },
  { ...lag(5), name: "lag5" },
  { ...lag(6), name: "lag6" },
  { ...lag(7), name: "lag7" },
  { name: "receipt", at: 32, kind: "u32", note: "last mailbox message of it that is stored here" },
  { name: "zero", at: 36, kind: "zero", length: 4, note: "reserved" },
] as const satisfies readonly (
  | ScalarField
  | { kind: "zero"; name: string; at: number; length: number; note: string }
)[];

export const echoLayout = checkLayout(
  [
    ...head,
    { name: "index", at: 0x037, kind: "u8", note: "number of the echo sector within its block" },
    { name: "incarnation", at: 0x038, kind: "u64", note: "of the writer" },
    { name: "serial", at: 0x040, kind: "u64", note: "of the record it was written with" },
    { name: "term", at: 0x048, kind: "u64", note: "in which the writer echoes, and in no other" },
    {
      name: "firstPeer",
      at: 0x050,
      kind: "u16",
      note: "slot of the first peer; the others follow",
    },
    { name: "count", at: 0x052, kind: "u8", note: "peers in this sector" },
    { name: "peerSite", at: 0x053, kind: "u8", note: "id of the peers' site" },
    { name: "zero1", at: 0x054, kind: "zero", length: 4, note: "reserved" },
    {
      name: "echoes",
      at: 0x058,
      kind: "list",
      count: echoesPerSector,
      of: echoItem,
      note: "one entry for each peer",
    },
    { name: "zero2", at: 0x1c0, kind: "zero", length: 28, note: "reserved" },
    ...tail,
  ],
  sectorBytes,
);

export const superblockLayout = checkLayout(
  [
    ...head,
    { name: "zero1", at: 0x037, kind: "zero", length: 1, note: "reserved" },
    { name: "generation", at: 0x038, kind: "u64", note: "rises with each rewriting" },
    { name: "clusterName", at: 0x040, kind: "text", length: 32, note: "from which the id is made" },
    { name: "writerSite", at: 0x060, kind: "text", length: 16, note: "whose PVOL it is" },
    { name: "readerSite", at: 0x070, kind: "text", length: 16, note: "whose SVOL it is" },
    {
      name: "blocks",
      at: 0x080,
      kind: "u64",
      note: "blocks of the volume; the last is the backup",
    },
    { name: "blockBytes", at: 0x088, kind: "u32", note: "4096" },
    {
      name: "sectorBytes",
      at: 0x08c,
      kind: "u32",
      note: "logical sector of the device when formatted; another one is refused",
    },
    { name: "slots", at: 0x090, kind: "u32", note: "hosts that have room" },
    { name: "echoPeers", at: 0x094, kind: "u32", note: "peers that each host can echo" },
    { name: "recordBlock", at: 0x098, kind: "u32", note: "first record block" },
    { name: "echoBlock", at: 0x09c, kind: "u32", note: "first echo block" },
    { name: "echoBlocksPerCopy", at: 0x0a0, kind: "u32", note: "echo blocks of a slot and copy" },
    { name: "mailboxBlock", at: 0x0a4, kind: "u32", note: "first mailbox block" },
    { name: "mailboxBlocksPerSlot", at: 0x0a8, kind: "u32", note: "ring of each slot" },
    { name: "backupBlock", at: 0x0ac, kind: "u32", note: "where the backup stands" },
    { name: "intervalMs", at: 0x0b0, kind: "u32", note: "timings; 0 where none was stated" },
    { name: "pollMs", at: 0x0b4, kind: "u32", note: "" },
    { name: "marginMs", at: 0x0b8, kind: "u32", note: "" },
    { name: "latencyMs", at: 0x0bc, kind: "u32", note: "" },
    { name: "readLimitMs", at: 0x0c0, kind: "u32", note: "" },
    { name: "leaseMs", at: 0x0c4, kind: "u32", note: "" },
    { name: "watchdogMs", at: 0x0c8, kind: "u32", note: "" },
    { name: "zero4", at: 0x0cc, kind: "zero", length: 4, note: "reserved" },
    { name: "formattedNs", at: 0x0d0, kind: "u64", note: "wall clock of the formatting" },
    { name: "zero2", at: 0x0d8, kind: "zero", length: 260, note: "reserved" },
    ...tail,
  ],
  sectorBytes,
);

export type HeartbeatRecord = RecordOf<typeof recordLayout>;
export type EchoSector = RecordOf<typeof echoLayout>;
export type Echo = RecordOf<typeof echoItem>;
export type Superblock = RecordOf<typeof superblockLayout>;
export const nilUuid = "00000000-0000-0000-0000-000000000000";

/** Layouts by kind, for what treats all alike: the codec, examine, docs/format.md. */
export const layouts = {
  superblock: superblockLayout,
  record: recordLayout,
  echo: echoLayout,
} as const;
export type SectorKind = keyof typeof layouts;
export type SectorRecord = {
  readonly superblock: Superblock;
  readonly record: HeartbeatRecord;
  readonly echo: EchoSector;
};
