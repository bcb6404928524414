/**
 * From bytes to a record that may be believed, or the reason why not.
 *
 * The checks stand in the order in which they explain most: a sector of another cluster is called
 * foreign though its signature cannot be checked either. Nothing is believed without the MAC.
 */
import type { Crc32c, Mac } from "./sector/codec.ts";
import { decodeSector, reservedNotZero } from "./sector/codec.ts";
import {
  crcOffset,
  formatVersion,
  type HeartbeatRecord,
  keyIdOffset,
  macOffset,
  macSpanBytes,
  magics,
  media,
  nilUuid,
  type SectorKind,
  type SectorRecord,
} from "./sector/layout.ts";

const macBytes = 16;

/** Why a sector or datagram is not believed. The words appear in journals and counters. */
export const rejections = [
  "short",
  "long",
  "not-a-record",
  "checksum",
  "version-newer",
  "version-older",
  "foreign-cluster",
  "foreign-volume",
  "misplaced",
  "wrong-site",
  "unknown-key",
  "forged",
  "reserved-not-zero",
  "wrong-host",
  "regression",
  "replayed",
] as const;
export type Rejection = (typeof rejections)[number];

/** Where a sector was found, and so what it must say of itself. Ids in uuid text. */
export type Place = {
  readonly medium: keyof typeof media;
  readonly clusterId: string;
  /** nil for a datagram. */
  readonly volumeId: string;
  readonly block: number;
  readonly copy: number;
  /** null where any slot or site may stand (superblock: 0). */
  readonly slot: number | null;
  readonly siteId: number | null;
};

export type Checks = { readonly mac: Mac; readonly crc32c: Crc32c };

export type Opened<K extends SectorKind> =
  | { readonly kind: "valid"; readonly record: SectorRecord[K] }
  | { readonly kind: "empty" }
  | { readonly kind: "rejected"; readonly reason: Rejection };

const rejected = (reason: Rejection) => ({ kind: "rejected", reason }) as const;

/** Whether these bytes stand in the sector at that place. */
function standsAt(bytes: Uint8Array, sector: Uint8Array, at: number): boolean {
  let difference = 0;
  for (let i = 0; i < bytes.length; i++) difference |= (bytes[i] ?? 0) ^ (sector[at + i] ?? 0);
  return difference === 0;
}

/** Little endian; for two numbers a view of its own would cost more than to read them. */
function u16At(bytes: Uint8Array, at: number): number {
  return (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);
}
const u32At = (bytes: Uint8Array, at: number): number =>
  (u16At(bytes, at) | (u16At(bytes, at + 2) << 16)) >>> 0;

function isZero(bytes: Uint8Array): boolean {
  for (let i = 0; i < bytes.length; i++) if (bytes[i] !== 0) return false;
  return true;
}

function magicIs(sector: Uint8Array, magic: string): boolean {
  for (let i = 0; i < magic.length; i++) if (sector[i] !== magic.charCodeAt(i)) return false;
  return true;
}

/** Magic, checksum and version: whether this is a whole sector of ours at all. */
function wholeness(kind: SectorKind, sector: Uint8Array, crc32c: Crc32c): Rejection | null {
  if (!magicIs(sector, magics[kind])) return "not-a-record";
  if (crc32c(sector.subarray(0, crcOffset)) !== u32At(sector, crcOffset)) return "checksum";
  const version = u16At(sector, 8);
  if (version !== formatVersion) return version > formatVersion ? "version-newer" : "version-older";
  return null;
}

/** Whether a whole sector says of itself what its place demands. */
function identity(record: SectorRecord[SectorKind], place: Place): Rejection | null {
  if (record.features !== 0) return "version-newer";
  if (record.clusterId !== place.clusterId) return "foreign-cluster";
  if (record.volumeId !== place.volumeId) return "foreign-volume";
  if (record.medium !== media[place.medium]) return "misplaced";
  if (record.block !== place.block || record.copy !== place.copy) return "misplaced";
  if (place.slot !== null && record.slot !== place.slot) return "misplaced";
  if (place.siteId !== null && record.site !== place.siteId) return "wrong-site";
  return null;
}

/** Key and MAC. */
export function authenticity(sector: Uint8Array, mac: Mac): Rejection | null {
  const expected = mac(u32At(sector, keyIdOffset), sector.subarray(0, macSpanBytes));
  if (expected === null) return "unknown-key";
  return expected.length === macBytes && standsAt(expected, sector, macOffset) ? null : "forged";
}

/**
 * Opens one sector of 512 bytes found at `place`.
 * `empty` is a sector of zeros: never written, which is no fault.
 */
export function openSector<K extends SectorKind>(
  kind: K,
  sector: Uint8Array,
  place: Place,
  checks: Checks,
): Opened<K> {
  if (sector[0] === 0 && isZero(sector)) return { kind: "empty" };
  const torn = wholeness(kind, sector, checks.crc32c);
  if (torn) return rejected(torn);
  const record = decodeSector(kind, sector);
  const wrong = identity(record, place) ?? authenticity(sector, checks.mac);
  if (wrong) return rejected(wrong);
  if (reservedNotZero(kind, sector).length > 0) return rejected("reserved-not-zero");
  return { kind: "valid", record };
}

/** (incarnation, serial): where a record stands in its sender's history. */
export type Position = { readonly incarnation: bigint; readonly serial: bigint };

/** Negative where a is older than b, 0 where they are the same, else positive. */
export function comparePositions(a: Position, b: Position): number {
  if (a.incarnation !== b.incarnation) return a.incarnation < b.incarnation ? -1 : 1;
  return a.serial === b.serial ? 0 : a.serial < b.serial ? -1 : 1;
}

/**
 * A record older than the newest one known. One step back is what a late write over the newer of
 * the two copies leaves behind; more is a restored or replayed copy.
 */
export function isRegression(record: Position, mark: Position): boolean {
  if (record.incarnation !== mark.incarnation) return record.incarnation < mark.incarnation;
  return record.serial + 1n < mark.serial;
}

export type SlotReading =
  | {
      readonly kind: "record";
      readonly record: HeartbeatRecord;
      readonly damaged: Rejection | null;
    }
  | { readonly kind: "empty" }
  | { readonly kind: "rejected"; readonly reason: Rejection };

/**
 * The newest believable of a slot's two copies. A damaged copy never hides the good one; its
 * reason is kept beside it.
 */
export function newestCopy(a: Opened<"record">, b: Opened<"record">): SlotReading {
  const good = [a, b].filter((copy) => copy.kind === "valid").map((copy) => copy.record);
  const bad = [a, b].find((copy) => copy.kind === "rejected");
  const damaged = bad?.kind === "rejected" ? bad.reason : null;
  const [first, second] = good;
  if (first && second) {
    return {
      kind: "record",
      record: comparePositions(first, second) >= 0 ? first : second,
      damaged,
    };
  }
  if (first) return { kind: "record", record: first, damaged };
  return damaged ? { kind: "rejected", reason: damaged } : { kind: "empty" };
}

/** The addressee field of a datagram. */
export function addressee(siteId: number, slot: number): number {
  return siteId * 65536 + slot;
}

/** The place that a datagram for this host claims to stand in. */
export function datagramPlace(clusterId: string, siteId: number, slot: number): Place {
  return {
    medium: "datagram",
    clusterId,
    volumeId: nilUuid,
    block: addressee(siteId, slot),
    copy: 0,
    slot: null,
    siteId: null,
  };
}
