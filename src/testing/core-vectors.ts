/**
 * The golden vectors as files: NAME.hex holds the bytes, NAME.json where the sector is found, how
 * it opens, and its decoded values. UPDATE_FIXTURES=1 writes them; nothing else ever does.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { openSector, type Place, type Rejection } from "../core/record.ts";
import { decodeSector, sealSector } from "../core/sector/codec.ts";
import type { SectorKind } from "../core/sector/layout.ts";
import { goldens, otherId, place, recordValues, sectorOf } from "./core-samples.ts";
import { checks, crc32c, otherKey, sealing, sealingWith } from "./core-seal.ts";

export const formatFolder = "fixtures/format";
export const updating = process.env["UPDATE_FIXTURES"] === "1";
export const howToUpdate =
  "where the change is meant: UPDATE_FIXTURES=1 ./build.sh test core, and look at the difference";

export type Json =
  | string
  | number
  | boolean
  | null
  | readonly Json[]
  | { readonly [key: string]: Json };
export type VectorFile = {
  readonly sector: SectorKind;
  readonly place: Place;
  readonly opened: "valid" | "empty" | Rejection;
  readonly values: Json;
};
export type Vector = {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly file: VectorFile;
};

/** 64-bit numbers as decimal text, bytes as hexadecimal text. */
export function plain(value: unknown): Json {
  if (typeof value === "bigint") return String(value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, plain(part)]));
  }
  return value as Json;
}

export function hexText(bytes: Uint8Array): string {
  const digits = Buffer.from(bytes).toString("hex");
  return `${(digits.match(/.{1,32}/g) ?? []).join("\n")}\n`;
}
export function hexBytes(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text.replaceAll(/\s/g, ""), "hex"));
}

function describe(name: string, kind: SectorKind, where: Place, bytes: Uint8Array): Vector {
  const opened = openSector(kind, bytes, where, checks);
  const word = opened.kind === "rejected" ? opened.reason : opened.kind;
  const values = plain(decodeSector(kind, bytes));
  return { name, bytes, file: { sector: kind, place: where, opened: word, values } };
}

function patched(at: number, byte: number, how: "sealed" | "checksum" | "bare"): Uint8Array {
  const bytes = sectorOf("record", recordValues());
  bytes[at] = byte;
  if (how === "sealed") sealSector(bytes, sealing);
  if (how === "checksum")
    new DataView(bytes.buffer).setUint32(0x1fc, crc32c(bytes.subarray(0, 0x1fc)), true);
  return bytes;
}

/** One sector for each reason that a single sector can give for not being believed. */
export function brokenVectors(): readonly Vector[] {
  const usual = place();
  const record = (changes: Parameters<typeof recordValues>[0]) =>
    sectorOf("record", recordValues(changes));
  const cases: readonly (readonly [string, Uint8Array])[] = [
    ["not-a-record", patched(0, 0x58, "bare")],
    ["checksum", patched(0x58, 0xe9, "bare")],
    ["version-newer", record({ version: 1 })],
    ["features-newer", record({ features: 1 })],
    ["foreign-cluster", record({ clusterId: otherId })],
    ["foreign-volume", record({ volumeId: otherId })],
    ["misplaced-medium", record({ medium: 2 })],
    ["misplaced-block", record({ block: 9 })],
    ["misplaced-copy", record({ copy: 1 })],
    ["misplaced-slot", record({ slot: 1 })],
    ["wrong-site", record({ site: 2 })],
    ["unknown-key", sectorOf("record", recordValues(), sealingWith(otherKey))],
    ["forged", patched(0x58, 0xe9, "checksum")],
    ["reserved-not-zero", patched(0x1d8, 1, "sealed")],
    ["reserved-in-entry-not-zero", patched(0x0d5, 1, "sealed")],
    ["reserved-after-mac-not-zero", patched(0x1f0, 1, "checksum")],
    ["empty", new Uint8Array(512)],
  ];
  return cases.map(([name, bytes]) => describe(`broken-${name}`, "record", usual, bytes));
}

export function goldenVectors(): readonly Vector[] {
  return goldens.map((g) => describe(g.name, g.kind, g.place, sectorOf(g.kind, g.values)));
}

export function everyVector(): readonly Vector[] {
  return [...goldenVectors(), ...brokenVectors()];
}

export function storedVector(name: string): Vector {
  const bytes = hexBytes(readFileSync(`${formatFolder}/${name}.hex`, "utf8"));
  const file = JSON.parse(readFileSync(`${formatFolder}/${name}.json`, "utf8")) as VectorFile;
  return { name, bytes, file };
}

export function storeVector(vector: Vector): void {
  writeFileSync(`${formatFolder}/${vector.name}.hex`, hexText(vector.bytes));
  writeFileSync(`${formatFolder}/${vector.name}.json`, `${JSON.stringify(vector.file, null, 2)}\n`);
}
