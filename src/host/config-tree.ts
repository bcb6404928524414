/**
 * A configuration as a tree in which each value knows its file and line. Files are parsed one by
 * one and laid over each other: tables merge, arrays of tables append, and a value that is set
 * twice is a fault, because the reader of either file would believe in it.
 */
import { parse, TomlDate, TomlError } from "smol-toml";
import { explainUnknownKey, knownKeys } from "./config-keys.ts";
import { isListOfTables, nodeInWords, shownKey } from "./config-text.ts";
import { type KeyLines, type KeyPath, locateKeys, nestingMax } from "./config-locate.ts";

/** `line` is 0 where a thing has no line of its own: a whole file. */
export type Place = { readonly file: string; readonly line: number };

export type ConfigFault = {
  readonly file: string;
  readonly line: number | null;
  /** Dotted name of the field, "" where the file as a whole is meant. */
  readonly field: string;
  /** What is wrong, with the value, and the remedy. */
  readonly message: string;
};

export type TableNode = {
  readonly kind: "table";
  readonly at: Place;
  readonly entries: Map<string, ConfigNode>;
};

export type ConfigNode =
  | TableNode
  | { readonly kind: "list"; readonly at: Place; readonly items: readonly ConfigNode[] }
  | { readonly kind: "text"; readonly at: Place; readonly value: string }
  | { readonly kind: "number"; readonly at: Place; readonly value: number }
  | { readonly kind: "flag"; readonly at: Place; readonly value: boolean }
  | { readonly kind: "date"; readonly at: Place };

export function faultAt(at: Place, field: string, message: string): ConfigFault {
  return { file: at.file, line: at.line > 0 ? at.line : null, field, message };
}

export function placeInWords(at: Place): string {
  return at.line > 0 ? `${at.file}:${at.line}` : at.file;
}

/** Whole file as text; a byte that is not UTF-8 is a fault with its line. */
function decodeText(
  file: string,
  bytes: Uint8Array,
): { ok: true; text: string } | { ok: false; fault: ConfigFault } {
  try {
    return { ok: true, text: new TextDecoder("utf-8", { fatal: true }).decode(bytes) };
  } catch {
    const lenient = new TextDecoder().decode(bytes);
    const bad = lenient.indexOf("\ufffd");
    const line = lenient.slice(0, bad).split("\n").length;
    const message = "not UTF-8 text; is it the right file? Save it as UTF-8";
    return { ok: false, fault: faultAt({ file, line }, "", message) };
  }
}

/** Headers above `line` that no configuration has: the cause of many a later syntax error. */
function unknownHeaders(file: string, line: number, lines: KeyLines): readonly ConfigFault[] {
  const known: readonly string[] = knownKeys[""];
  return [...lines.headers].flatMap(([at, [key = ""]]) => {
    if (at >= line || known.includes(key)) return [];
    const message = `unknown table; ${explainUnknownKey(key, "").remedy}`;
    return [faultAt({ file, line: at }, shownKey(key), message)];
  });
}

function redefined(at: Place, lines: KeyLines): ConfigFault | null {
  const twice = lines.repeated.get(at.line);
  if (twice) {
    const message = `already set on line ${twice.firstLine}; keep one of the two`;
    return faultAt(at, shownKey(twice.key), message);
  }
  const header = lines.headers.get(at.line);
  if (!header) return null;
  const name = header.map(shownKey).join(".");
  const first = lines.lineOf(header);
  const message = `begun differently on line ${first}; each of several is headed [[${name}]]`;
  return faultAt(at, name, message);
}

function syntaxFaults(file: string, error: unknown, lines: KeyLines): readonly ConfigFault[] {
  if (!(error instanceof TomlError)) {
    return [faultAt({ file, line: 0 }, "", `cannot be parsed as TOML: ${String(error)}`)];
  }
  const at = { file, line: error.line };
  const reason = error.message.replace("Invalid TOML document: ", "").split("\n")[0] ?? "";
  const clash = reason.includes("redefine") ? redefined(at, lines) : null;
  const message = `not TOML, column ${error.column}: ${reason}; correct this line`;
  return [...unknownHeaders(file, error.line, lines), clash ?? faultAt(at, "", message)];
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !(value instanceof TomlDate);
}

/** null where the text nests deeper than any configuration does. */
function treeOf(value: unknown, path: KeyPath, file: string, lines: KeyLines): ConfigNode | null {
  if (path.length > nestingMax) return null;
  const at = { file, line: lines.lineOf(path) };
  if (typeof value === "string") return { kind: "text", at, value };
  if (typeof value === "number") return { kind: "number", at, value };
  if (typeof value === "boolean") return { kind: "flag", at, value };
  if (Array.isArray(value)) {
    const items: ConfigNode[] = [];
    for (const [index, item] of value.entries()) {
      const node = treeOf(item, [...path, index], file, lines);
      if (!node) return null;
      items.push(node);
    }
    return { kind: "list", at, items };
  }
  if (!isTable(value)) return { kind: "date", at };
  const entries = new Map<string, ConfigNode>();
  for (const [key, item] of Object.entries(value)) {
    const node = treeOf(item, [...path, key], file, lines);
    if (!node) return null;
    entries.set(key, node);
  }
  return { kind: "table", at, entries };
}

export type TreeResult =
  | { ok: true; root: TableNode }
  | { ok: false; faults: readonly ConfigFault[] };

export function parseTree(file: string, bytes: Uint8Array): TreeResult {
  const decoded = decodeText(file, bytes);
  if (!decoded.ok) return { ok: false, faults: [decoded.fault] };
  const lines = locateKeys(decoded.text);
  let value: unknown;
  try {
    value = parse(decoded.text, { maxDepth: nestingMax });
  } catch (error) {
    return { ok: false, faults: syntaxFaults(file, error, lines) };
  }
  const root = treeOf(value, [], file, lines);
  if (root?.kind === "table") return { ok: true, root };
  const message = `nests deeper than ${nestingMax} levels; no configuration does`;
  return { ok: false, faults: [faultAt({ file, line: 0 }, "", message)] };
}

function mergeEntry(
  into: TableNode,
  key: string,
  node: ConfigNode,
  label: string,
  faults: ConfigFault[],
): void {
  const old = into.entries.get(key);
  if (!old) {
    into.entries.set(key, node);
  } else if (old.kind === "table" && node.kind === "table") {
    mergeTables(old, node, `${label}.`, faults);
  } else if (
    old.kind === "list" &&
    node.kind === "list" &&
    isListOfTables(old) &&
    isListOfTables(node)
  ) {
    into.entries.set(key, { ...old, items: [...old.items, ...node.items] });
  } else {
    const message = `set twice: ${nodeInWords(node)} here, ${nodeInWords(old)} at ${placeInWords(old.at)}; keep one of the two`;
    faults.push(faultAt(node.at, label, message));
  }
}

/** Lays `from` over `into`. */
export function mergeTables(
  into: TableNode,
  from: TableNode,
  prefix: string,
  faults: ConfigFault[],
): void {
  for (const [key, node] of from.entries) {
    mergeEntry(into, key, node, `${prefix}${shownKey(key)}`, faults);
  }
}
