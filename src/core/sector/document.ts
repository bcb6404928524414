/**
 * The field tables as Markdown: docs/format.md shows them between markers, and a test holds the
 * document to the layout. What the tables cannot say stands in that document's own words.
 */
import { type Field, fieldBytes, type Layout, layoutBytes } from "./field.ts";
import { layouts } from "./layout.ts";

const hex = (at: number, digits: number): string => at.toString(16).padStart(digits, "0");

function kindText(field: Field): string {
  switch (field.kind) {
    case "list":
      return `${field.count} x ${layoutBytes(field.of)} bytes`;
    case "zero":
      return "zero";
    default:
      return field.kind;
  }
}

function namedValues(field: Field): string {
  const names = "names" in field ? Object.entries(field.names ?? {}) : [];
  const bits = "bits" in field ? Object.entries(field.bits ?? {}) : [];
  const words = [
    ...names.map(([value, name]) => `${value} ${name}`),
    ...bits.map(([mask, name]) => `0x${hex(Number(mask), 2)} ${name}`),
  ];
  return words.length > 0 ? `: ${words.join(", ")}` : "";
}

function row(field: Field, digits: number): string {
  const size = fieldBytes(field);
  const note = `${field.note}${namedValues(field)}`;
  return `| ${hex(field.at, digits)} | ${size} | ${kindText(field)} | ${field.name} | ${note} |`;
}

/** One table of a sector or of a list's entry; offsets in hexadecimal, sizes in bytes. */
export function layoutTable(layout: Layout): string {
  const digits = layoutBytes(layout) > 0x100 ? 3 : 2;
  return [
    "| at | bytes | kind | field | meaning |",
    "|---|---|---|---|---|",
    ...layout.map((field) => row(field, digits)),
  ].join("\n");
}

function itemsOf(layout: Layout, name: string): Layout {
  const field = layout.find((candidate) => candidate.name === name);
  return field?.kind === "list" ? field.of : [];
}

/** Every table of docs/format.md, by the name of its markers. */
export const formatTables: Readonly<Record<string, () => string>> = {
  superblock: () => layoutTable(layouts.superblock),
  record: () => layoutTable(layouts.record),
  "data-group": () => layoutTable(itemsOf(layouts.record, "groups")),
  echo: () => layoutTable(layouts.echo),
  "echo-entry": () => layoutTable(itemsOf(layouts.echo, "echoes")),
};

const opening = (name: string) => `<!-- table ${name}: rendered from src/core/sector/layout.ts -->`;
const closing = "<!-- end of table -->";

/** The document with every table between its markers rendered anew; null where markers lack. */
export function withTables(document: string): string | null {
  let text = document;
  for (const [name, table] of Object.entries(formatTables)) {
    const start = text.indexOf(opening(name));
    const end = text.indexOf(closing, start);
    if (start < 0 || end < 0) return null;
    const head = text.slice(0, start + opening(name).length);
    text = `${head}\n${table()}\n${text.slice(end)}`;
  }
  return text;
}
