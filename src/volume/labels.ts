/**
 * What stands on a device that must not be overwritten, from its bytes alone.
 *
 * Two pieces of the device are looked at: its first `headBytes` and its last `tailBytes`; that is
 * where every known owner leaves its mark. Where nothing is recognised but the first or last MiB is
 * not all zero, that is a finding too: unknown data is data. So recognising decides only what the
 * operator is told, never whether a device with something on it is accepted.
 */
import { formatVersion, magics } from "../core/sector/layout.ts";
import { type LabelKind, marks } from "./label-table.ts";

export type { LabelKind } from "./label-table.ts";

export type Label = {
  readonly name: string;
  readonly kind: LabelKind;
  /** Where on the device it stands. */
  readonly atBytes: number;
};

const mebibyte = 1024 * 1024;
/** 64 KiB more, for marks that begin at a whole MiB. */
export const headBytes = 2 * mebibyte + 64 * 1024;
export const tailBytes = mebibyte;
/** All of it must be zero for a device to count as empty; so must the last `tailBytes`. */
const emptyBytes = mebibyte;

/** The two pieces of a device; where it is small they overlap. */
export type DeviceEnds = {
  readonly sizeBytes: number;
  readonly head: Buffer;
  readonly tail: Buffer;
  /** Where the tail begins. */
  readonly tailAtBytes: number;
};

function bytesAt(ends: DeviceEnds, at: number, length: number): Buffer | null {
  if (at < 0) return null;
  if (at + length <= ends.head.length) return ends.head.subarray(at, at + length);
  const inTail = at - ends.tailAtBytes;
  if (inTail < 0 || inTail + length > ends.tail.length) return null;
  return ends.tail.subarray(inTail, inTail + length);
}

function stands(ends: DeviceEnds, at: number, magic: string): boolean {
  return bytesAt(ends, at, magic.length)?.equals(Buffer.from(magic, "latin1")) ?? false;
}

function tableLabels(ends: DeviceEnds): Label[] {
  return marks.flatMap(({ name, kind, magic, at = [], fromEnd = [] }) => {
    const fromStart = fromEnd.map(({ bytes, cut = 1 }) => {
      return Math.floor(ends.sizeBytes / cut) * cut - bytes;
    });
    return [...at, ...fromStart]
      .filter((place) => stands(ends, place, magic))
      .map((atBytes) => ({ name, kind, atBytes }));
  });
}

const extAt = 1024;
const extFeatures = { journal: 0x4, journalDevice: 0x8, ext4: 0x40 | 0x80 | 0x200 } as const;

/** The three generations share one magic and differ in their feature words. */
function extLabel(ends: DeviceEnds): Label[] {
  if (!stands(ends, extAt + 56, "\x53\xef")) return [];
  const compatible = ends.head.readUInt32LE(extAt + 92);
  const incompatible = ends.head.readUInt32LE(extAt + 96);
  let name = "ext2";
  if (incompatible & extFeatures.journalDevice) name = "ext journal";
  else if (incompatible & extFeatures.ext4) name = "ext4";
  else if (compatible & extFeatures.journal) name = "ext3";
  return [{ name, kind: "file system", atBytes: extAt + 56 }];
}

const bootMarkAt = 510;
const partitionsAt = 446;
const partitionBytes = 16;
const protectiveType = 0xee;

function hasBootMark(ends: DeviceEnds): boolean {
  return stands(ends, bootMarkAt, "\x55\xaa");
}

/** A FAT file system begins with a boot sector, which carries the same mark as an MBR. */
function isFat(ends: DeviceEnds): boolean {
  const { head } = ends;
  if (stands(ends, 54, "FAT") || stands(ends, 82, "FAT32")) return true;
  const sectorBytes = head.readUInt16LE(11);
  const clusterSectors = head.readUInt8(13);
  const fats = head.readUInt8(16);
  const media = head.readUInt8(21);
  const jumps = head[0] === 0xe9 || (head[0] === 0xeb && head[2] === 0x90);
  return (
    jumps &&
    [512, 1024, 2048, 4096].includes(sectorBytes) &&
    clusterSectors > 0 &&
    (clusterSectors & (clusterSectors - 1)) === 0 &&
    (fats === 1 || fats === 2) &&
    (media === 0xf0 || media >= 0xf8)
  );
}

function isPartitionEntry(entry: Buffer): boolean {
  const flag = entry.readUInt8(0);
  return (flag === 0 || flag === 0x80) && entry.readUInt8(4) !== 0 && entry.readUInt32LE(12) !== 0;
}

/** What the first sector is, where it carries the boot mark. */
function bootLabels(ends: DeviceEnds, known: readonly Label[]): Label[] {
  if (!hasBootMark(ends)) return [];
  if (isFat(ends)) return [{ name: "FAT", kind: "file system", atBytes: 0 }];
  if (known.some((label) => label.atBytes < bootMarkAt)) return []; // its owner's boot sector
  const entries = Array.from({ length: 4 }, (_, index) => {
    const at = partitionsAt + index * partitionBytes;
    return ends.head.subarray(at, at + partitionBytes);
  }).filter(isPartitionEntry);
  if (entries.length === 0) {
    return known.length > 0 ? [] : [{ name: "boot sector", kind: "boot sector", atBytes: 0 }];
  }
  if (entries.every((entry) => entry.readUInt8(4) === protectiveType)) {
    // The guard of a GPT; worth a line only where the GPT itself is gone.
    if (known.some((label) => label.name.startsWith("GPT"))) return [];
    return [{ name: "GPT (protective MBR only)", kind: "partition table", atBytes: partitionsAt }];
  }
  return [{ name: "MBR", kind: "partition table", atBytes: partitionsAt }];
}

const zfsLabelBytes = 256 * 1024;
const zfsRingAt = 128 * 1024;
const zfsMagics = ["0cb1ba0000000000", "0000000000bab10c"] as const;

/** ZFS: a ring of 1 KiB blocks in each of four labels, two at either end. */
function zfsLabel(ends: DeviceEnds): Label[] {
  const aligned = Math.floor(ends.sizeBytes / zfsLabelBytes) * zfsLabelBytes;
  for (const label of [0, zfsLabelBytes, aligned - 2 * zfsLabelBytes, aligned - zfsLabelBytes]) {
    for (let at = label + zfsRingAt; at < label + zfsLabelBytes; at += 1024) {
      const magic = bytesAt(ends, at, 8)?.toString("hex");
      if (magic !== undefined && zfsMagics.some((wanted) => wanted === magic)) {
        return [{ name: "ZFS", kind: "volume manager member", atBytes: at }];
      }
    }
  }
  return [];
}

const ownVersionAt = 8;
const ownClusterAt = 0x40;

function printable(bytes: Buffer): string {
  const text = bytes.toString("latin1");
  const end = text.indexOf("\0");
  return (end < 0 ? text : text.slice(0, end)).replaceAll(/[^\x20-\x7e]/g, "?");
}

/** Our own volumes, of any cluster and version: by their magic in the first and last block. */
function ownLabels(ends: DeviceEnds, blockBytes: number): Label[] {
  const last = Math.floor(ends.sizeBytes / blockBytes) * blockBytes - blockBytes;
  const found: Label[] = [];
  for (const [at, what] of [
    [0, "mirrorbeat volume"],
    [last, "mirrorbeat backup superblock"],
  ] as const) {
    if (!stands(ends, at, magics.superblock)) continue;
    const version = bytesAt(ends, at + ownVersionAt, 2)?.readUInt16LE(0) ?? formatVersion;
    const cluster = printable(bytesAt(ends, at + ownClusterAt, 32) ?? Buffer.alloc(0));
    const detail = version === formatVersion ? `of cluster ${cluster}` : `of version ${version}`;
    found.push({ name: `${what} ${detail}`, kind: "heartbeat volume", atBytes: at });
  }
  return found;
}

const zeros = Buffer.alloc(mebibyte);

function firstByteNotZero(bytes: Buffer): number {
  return bytes.equals(zeros.subarray(0, bytes.length)) ? -1 : bytes.findIndex((byte) => byte !== 0);
}

function unknownData(ends: DeviceEnds): Label[] {
  const head = firstByteNotZero(ends.head.subarray(0, emptyBytes));
  if (head >= 0) return [{ name: "unknown data", kind: "data", atBytes: head }];
  const tail = firstByteNotZero(ends.tail);
  if (tail < 0) return [];
  return [{ name: "unknown data", kind: "data", atBytes: ends.tailAtBytes + tail }];
}

const ownBlockBytes = 4096;

/** Everything that is recognised, in the order of its place; none on a device that is empty. */
export function findLabels(ends: DeviceEnds): readonly Label[] {
  const known = [
    ...tableLabels(ends),
    ...extLabel(ends),
    ...zfsLabel(ends),
    ...ownLabels(ends, ownBlockBytes),
  ];
  const found = [...known, ...bootLabels(ends, known)];
  if (found.length === 0) return unknownData(ends);
  found.sort((one, other) => one.atBytes - other.atBytes);
  // Each once: some owners repeat their mark.
  return found.filter((label, at) => found.findIndex(({ name }) => name === label.name) === at);
}

/** As a person reads it: "ext4 file system (at byte 1080)". */
export function labelText({ name, kind, atBytes }: Label): string {
  const says = kind === "data" || kind === "heartbeat volume" || name === kind;
  const what = says ? name : `${name} ${kind}`;
  return `${what} (at byte ${atBytes})`;
}
