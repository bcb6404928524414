/**
 * A sector as people examine it: bytes beside the field that they are, driven from the layout
 * table, so that what is shown is what the encoder writes. Nothing is judged here, and nothing is
 * left out but runs of zeroes.
 */
import { type Field, fieldBytes, type Layout, layoutBytes } from "../core/sector/field.ts";
import { uuidText } from "../core/sector/codec.ts";
import { columns } from "./examine-lines.ts";
import { plainText } from "./examine-sizes.ts";

export type FieldRow = {
  readonly at: number;
  readonly bytes: Uint8Array;
  /** "serial", "groups[2].pair"; reserved bytes have one too. */
  readonly name: string;
  readonly value: string;
};

function named(field: Field, value: number): string {
  if (!("names" in field) && !("bits" in field)) return String(value);
  const name = "names" in field ? field.names?.[value] : undefined;
  if (name !== undefined) return `${value} ${name}`;
  const bits = Object.entries(("bits" in field ? field.bits : undefined) ?? {})
    .filter(([mask]) => (value & Number(mask)) !== 0)
    .map(([, word]) => word);
  return bits.length > 0 ? `${value} ${bits.join(" ")}` : String(value);
}

const nanosecondsPerMillisecond = 1_000_000n;
const datesEndMs = 8_640_000_000_000_000;

function long(name: string, value: bigint): string {
  const ms = Number(value / nanosecondsPerMillisecond);
  const isDate = name === "wallClockNs" || name === "formattedNs";
  if (!isDate || value === 0n || ms > datesEndMs) return String(value);
  return new Date(ms).toISOString();
}

const hexNumbers: ReadonlySet<string> = new Set(["keyId", "crc", "timingDigest"]);

function valueOf(field: Field, bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  switch (field.kind) {
    case "u8":
      return named(field, view.getUint8(0));
    case "u16":
      return named(field, view.getUint16(0, true));
    case "u32": {
      const value = view.getUint32(0, true);
      return hexNumbers.has(field.name) ? value.toString(16).padStart(8, "0") : named(field, value);
    }
    case "u64":
      return long(field.name, view.getBigUint64(0, true));
    case "uuid":
      return uuidText(bytes);
    case "text": {
      const end = bytes.indexOf(0);
      return plainText(
        Buffer.from(bytes.subarray(0, end < 0 ? bytes.length : end)).toString("latin1"),
      );
    }
    case "zero":
      return bytes.some((byte) => byte !== 0) ? "NOT ZERO" : "zero";
    default:
      return "";
  }
}

function rowsOf(layout: Layout, sector: Uint8Array, base: number, prefix: string): FieldRow[] {
  return layout.flatMap((field) => {
    const at = base + field.at;
    const bytes = sector.subarray(at, at + fieldBytes(field));
    const name = prefix + (field.kind === "zero" ? "reserved" : field.name);
    if (field.kind !== "list") return [{ at, bytes, name, value: valueOf(field, bytes) }];
    const itemBytes = layoutBytes(field.of);
    const used = Array.from({ length: field.count }, (_, index) => index).filter((index) =>
      bytes.subarray(index * itemBytes, (index + 1) * itemBytes).some((byte) => byte !== 0),
    );
    if (used.length === 0) return [{ at, bytes, name, value: "none" }];
    return used.flatMap((index) =>
      rowsOf(field.of, sector, at + index * itemBytes, `${name}[${index}].`),
    );
  });
}

/** One row for each field; for a list, one for each field of the entries that are in use. */
export function fieldRows(layout: Layout, sector: Uint8Array): readonly FieldRow[] {
  return rowsOf(layout, sector, 0, "");
}

const bytesPerLine = 8;
const hexWidth = 3 * bytesPerLine - 1;
const nameWidth = 20;
const valueAt = 1 + 4 + 1 + hexWidth + 1 + nameWidth + 1;

function hexOf(bytes: Uint8Array): string[] {
  if (bytes.length > bytesPerLine && bytes.every((byte) => byte === 0)) {
    return [`00 x ${bytes.length}`];
  }
  const pairs = [...bytes].map((byte) => byte.toString(16).padStart(2, "0"));
  const lines: string[] = [];
  for (let at = 0; at < pairs.length; at += bytesPerLine) {
    lines.push(pairs.slice(at, at + bytesPerLine).join(" "));
  }
  return lines;
}

/** Cut to a width, where possible after a dash or a blank. */
function pieces(text: string, width: number): string[] {
  const cut: string[] = [];
  let rest = text;
  while (rest.length > width) {
    const natural = Math.max(rest.lastIndexOf("-", width - 1), rest.lastIndexOf(" ", width - 1));
    const length = natural > 0 ? natural + 1 : width;
    cut.push(rest.slice(0, length));
    rest = rest.slice(length);
  }
  return rest === "" ? cut : [...cut, rest];
}

function rowLines({ at, bytes, name, value }: FieldRow): string[] {
  const hex = hexOf(bytes);
  const values = pieces(value, columns - valueAt);
  const count = Math.max(hex.length, values.length);
  return Array.from({ length: count }, (_, line) => {
    const isHex = line < hex.length;
    const offset = isHex ? (at + line * bytesPerLine).toString(16).padStart(4, "0") : "    ";
    const label = line === 0 ? name : "";
    const cells = [
      offset,
      (hex[line] ?? "").padEnd(hexWidth),
      label.padEnd(nameWidth),
      values[line] ?? "",
    ];
    return ` ${cells.join(" ")}`.trimEnd();
  });
}

export function hexLines(rows: readonly FieldRow[]): readonly string[] {
  const title = ` ${"OFF".padEnd(4)} ${"HEX".padEnd(hexWidth)} ${"FIELD".padEnd(nameWidth)} VALUE`;
  return [title, ...rows.flatMap(rowLines)];
}

/** The rows of `other` whose bytes differ from those of `shown`, or that it has not. */
export function differingRows(
  shown: readonly FieldRow[],
  other: readonly FieldRow[],
): readonly FieldRow[] {
  const known = new Map(shown.map((row) => [row.name + row.at, row.bytes]));
  return other.filter((row) => {
    const bytes = known.get(row.name + row.at);
    return !bytes || !Buffer.from(bytes).equals(Buffer.from(row.bytes));
  });
}
