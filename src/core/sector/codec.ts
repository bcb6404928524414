/**
 * Bytes to records and back, driven by the layout tables. The encoder is complete: it writes
 * every byte of the sector, signs it and adds the checksum. The decoder is binary-parser, built
 * once from the same table; it judges nothing (that is core/record.ts).
 *
 * MAC and checksum are functions that the caller gives: the core has no cryptography of its own.
 */
import { Parser } from "binary-parser";
import { assert, unreachable } from "../base/assert.ts";
import { onceFor } from "../base/once.ts";
import { type Field, fieldBytes, type Layout, layoutBytes } from "./field.ts";
import {
  crcOffset,
  keyIdOffset,
  layouts,
  macOffset,
  macSpanBytes,
  magics,
  nilUuid,
  sectorBytes,
  type SectorKind,
  type SectorRecord,
} from "./layout.ts";

/** First 16 bytes of HMAC-SHA256 under the key of that id; null where the key is unknown. */
export type Mac = (keyId: number, bytes: Uint8Array) => Uint8Array | null;
/** CRC32C (Castagnoli), as an unsigned 32-bit number. */
export type Crc32c = (bytes: Uint8Array) => number;
export type Sealing = { readonly mac: Mac; readonly crc32c: Crc32c; readonly keyId: number };

const hex = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** A cluster has a handful of uuids and names, read again and again: the last ones are kept. */
const textsKept = 16;

/** Its sign does not matter: it is only compared. */
function wordAt(bytes: Uint8Array, at: number): number {
  const high = ((bytes[at] ?? 0) << 24) | ((bytes[at + 1] ?? 0) << 16);
  return high | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0);
}

/** What 16 bytes say, as `make` reads them; made anew only where they are not among the last ones. */
function keptTexts(make: (bytes: Uint8Array, at: number) => string) {
  const words = new Int32Array(4 * textsKept);
  const texts: string[] = [];
  let made = 0;
  return (bytes: Uint8Array, at = 0): string => {
    const a = wordAt(bytes, at);
    const b = wordAt(bytes, at + 4);
    const c = wordAt(bytes, at + 8);
    const d = wordAt(bytes, at + 12);
    for (let i = 0; i < texts.length; i++) {
      const w = 4 * i;
      if (words[w] !== a || words[w + 1] !== b) continue;
      if (words[w + 2] === c && words[w + 3] === d) return texts[i] as string;
    }
    const text = make(bytes, at);
    const slot = made++ % textsKept;
    words.set([a, b, c, d], 4 * slot);
    texts[slot] = text;
    return text;
  };
}

export const uuidText = keptTexts((bytes, at) => {
  let text = "";
  for (let i = 0; i < 16; i++) {
    if (i === 4 || i === 6 || i === 8 || i === 10) text += "-";
    text += hex[bytes[at + i] ?? 0];
  }
  return text;
});

export function uuidBytes(text: string): Uint8Array {
  const digits = text.replaceAll("-", "");
  assert(/^[0-9a-f]{32}$/.test(digits), `a uuid in lower-case hex: ${text}`);
  return Uint8Array.from({ length: 16 }, (_, i) =>
    Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16),
  );
}

const bytesKept = new Map<string, Uint8Array>([[nilUuid, new Uint8Array(16)]]);

/** The same for writing: not to be changed by who gets it. */
function knownUuidBytes(text: string): Uint8Array {
  const known = bytesKept.get(text);
  if (known) return known;
  if (bytesKept.size >= textsKept) bytesKept.clear();
  const bytes = uuidBytes(text);
  bytesKept.set(text, bytes);
  return bytes;
}

function writeText(target: Uint8Array, at: number, length: number, text: string): void {
  // A message is made only where it is needed: to make it costs more than to write the text.
  if (text.length > length) assert(false, `text of at most ${length} bytes: ${text}`);
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0 || code > 127) assert(false, `ASCII text: ${text}`);
    target[at + i] = code;
  }
}

/**
 * Bytes that are written to. Their view is made at the first wide number: it costs more than to
 * write the few short fields by which one copy of a record differs from the next.
 */
type Target = { readonly bytes: Uint8Array; view: DataView | null };

const targetOf = (bytes: Uint8Array): Target => ({ bytes, view: null });

function writeU16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
}

function writeU32(bytes: Uint8Array, at: number, value: number): void {
  writeU16(bytes, at, value);
  writeU16(bytes, at + 2, value >>> 16);
}

function writeU64(target: Target, at: number, value: bigint): void {
  const { bytes } = target;
  target.view ??= new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  target.view.setBigUint64(at, value, true);
}

function writeField(target: Target, field: Field, base: number, value: unknown): void {
  const at = base + field.at;
  const { bytes } = target;
  switch (field.kind) {
    case "u8":
      bytes[at] = value as number;
      return;
    case "u16":
      return writeU16(bytes, at, value as number);
    case "u32":
      return writeU32(bytes, at, value as number);
    case "u64":
      return writeU64(target, at, value as bigint);
    case "uuid":
      return bytes.set(knownUuidBytes(value as string), at);
    case "text":
      return writeText(bytes, at, field.length, value as string);
    case "bytes":
      return bytes.set(value as Uint8Array, at);
    case "zero":
      return;
    case "list":
      return writeList(target, field, at, value as readonly Record<string, unknown>[]);
    default:
      return unreachable(field);
  }
}

const itemBytes = onceFor(layoutBytes);

function writeList(
  target: Target,
  field: Extract<Field, { kind: "list" }>,
  at: number,
  items: readonly Record<string, unknown>[],
): void {
  if (items.length > field.count) {
    assert(false, `at most ${field.count} entries in ${field.name}`);
  }
  let base = at;
  for (const item of items) {
    for (const part of field.of) {
      if (part.kind !== "zero") writeField(target, part, base, item[part.name]);
    }
    base += itemBytes(field.of);
  }
}

/** What the encoder is given: all but what it adds itself. */
export type Unsealed<K extends SectorKind> = Omit<
  SectorRecord[K],
  "magic" | "keyId" | "mac" | "crc"
>;

/**
 * Writes one sector of 512 bytes at `at` of `bytes`: fields, zeros, key id, MAC, checksum.
 * Asserts that the key is known and that texts fit.
 */
export function encodeSector<K extends SectorKind>(
  kind: K,
  values: Unsealed<K>,
  sealing: Sealing,
  bytes: Uint8Array,
  at = 0,
): void {
  const sector = bytes.subarray(at, at + sectorBytes);
  assert(sector.length === sectorBytes, "room for a whole sector");
  sector.fill(0);
  const target = targetOf(sector);
  const all = values as unknown as Record<string, unknown>;
  for (const field of layouts[kind] as Layout) {
    if (field.kind === "zero" || field.at >= keyIdOffset) continue;
    writeField(target, field, 0, field.name === "magic" ? magics[kind] : all[field.name]);
  }
  sealSector(sector, sealing);
}

const fieldsByName: Partial<Record<SectorKind, ReadonlyMap<string, Field>>> = {};

/**
 * Writes some fields of a sector; it is to be sealed after. Texts and lists need a sector of zeros;
 * numbers and uuids may be written over others. (One object with all values of a record is large
 * enough to cost V8 more than everything else that an encoding takes.)
 */
export function writeFields<K extends SectorKind>(
  kind: K,
  sector: Uint8Array,
  values: Partial<Unsealed<K>>,
): void {
  const target = targetOf(sector);
  const fields = (fieldsByName[kind] ??= new Map(
    (layouts[kind] as Layout).map((field) => [field.name, field]),
  ));
  const given = values as Readonly<Record<string, unknown>>;
  for (const name in given) {
    const field = fields.get(name);
    if (field === undefined || field.at >= keyIdOffset) {
      return assert(false, `${name} is a field of a ${kind}`);
    }
    writeField(target, field, 0, given[name]);
  }
}

/** A sector of zeros but for its magic, for writeFields. */
export function beginSector(kind: SectorKind, sector: Uint8Array): void {
  sector.fill(0);
  writeText(sector, 0, magics[kind].length, magics[kind]);
}

/** Signs a sector whose fields are written: key id, MAC, checksum. */
export function sealSector(sector: Uint8Array, sealing: Sealing): void {
  writeU32(sector, keyIdOffset, sealing.keyId);
  const mac = sealing.mac(sealing.keyId, sector.subarray(0, macSpanBytes));
  assert(mac !== null && mac.length === 16, "the signing key is known");
  sector.set(mac, macOffset);
  writeU32(sector, crcOffset, sealing.crc32c(sector.subarray(0, crcOffset)));
}

function withField(parser: Parser, field: Field): Parser {
  switch (field.kind) {
    case "u8":
      return parser.uint8(field.name);
    case "u16":
      return parser.uint16le(field.name);
    case "u32":
      return parser.uint32le(field.name);
    case "u64":
      return parser.uint64le(field.name);
    case "uuid":
      return parser.buffer(field.name, { length: 16, formatter: (bytes) => uuidText(bytes) });
    case "text":
      return parser.buffer(field.name, {
        length: field.length,
        formatter: textOf,
      });
    case "bytes":
      return parser.buffer(field.name, { length: field.length, formatter: copyOf });
    case "zero":
      return parser.seek(field.length);
    case "list":
      return parser.array(field.name, { type: parserOf(field.of), length: field.count });
    default:
      return unreachable(field);
  }
}

const nameText = keptTexts((bytes) => newText(bytes));

/** ASCII up to the first zero byte; anything else is shown as '?', never passed on. */
function textOf(bytes: Uint8Array): string {
  if (bytes[0] === 0) return "";
  return bytes.length <= 16 ? nameText(bytes) : newText(bytes);
}

function newText(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i] ?? 0;
    if (byte === 0) break;
    text += byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : "?";
  }
  return text;
}

/** Of the same class; "clone" goes byte by byte. */
const copyOf = (bytes: Uint8Array): Uint8Array => Uint8Array.prototype.slice.call(bytes);

function parserOf(layout: Layout): Parser {
  return layout.reduce(withField, new Parser());
}

/**
 * A sector is read as a part of a whole that has no other: binary-parser strikes two fields of its
 * own out of the whole, and what was struck from, V8 keeps as a slow table from then on.
 */
const wholeOf = (layout: Layout): Parser => new Parser().nest("sector", { type: parserOf(layout) });

type Parsers = { readonly [K in SectorKind]: Parser };
let parsers: Parsers | null = null;

/** Built at the first use: a verb that decodes nothing does not pay for it at its start. */
function parserFor(kind: SectorKind): Parser {
  parsers ??= {
    superblock: wholeOf(layouts.superblock),
    record: wholeOf(layouts.record),
    echo: wholeOf(layouts.echo),
  };
  return parsers[kind];
}

/** Decodes 512 bytes as a sector of that kind, however damaged; judges nothing. */
export function decodeSector<K extends SectorKind>(kind: K, sector: Uint8Array): SectorRecord[K] {
  assert(sector.length === sectorBytes, "a whole sector");
  const { sector: fields } = parserFor(kind).parse(sector) as { readonly sector: SectorRecord[K] };
  return fields;
}

type Range = { readonly name: string; readonly from: number; readonly to: number };

/** Where a layout's reserved bytes lie, those of its lists' entries included. */
function reservedRanges(layout: Layout, base: number, prefix: string): readonly Range[] {
  return layout.flatMap((field) => {
    const from = base + field.at;
    if (field.kind === "zero") {
      return [{ name: prefix + field.name, from, to: from + fieldBytes(field) }];
    }
    if (field.kind !== "list") return [];
    const bytes = layoutBytes(field.of);
    return Array.from({ length: field.count }, (_, i) =>
      reservedRanges(field.of, from + i * bytes, `${field.name}[${i}].`),
    ).flat();
  });
}

const reserved: Partial<Record<SectorKind, readonly Range[]>> = {};

/** Names of reserved fields, and of spare list entries' reserved bytes, that are not zero. */
export function reservedNotZero(kind: SectorKind, sector: Uint8Array): readonly string[] {
  const ranges = (reserved[kind] ??= reservedRanges(layouts[kind], 0, ""));
  const bad: string[] = [];
  for (const { name, from, to } of ranges) {
    let all = 0;
    for (let at = from; at < to; at++) all |= sector[at] ?? 0;
    if (all !== 0) bad.push(name);
  }
  return bad;
}
