/**
 * Reads one table of a configuration key by key. Each reader gives the value, or null after it has
 * noted the fault; so a whole file is read on to its end and every fault is told at once. What a
 * check across tables needs later is the place of a field: it is kept by the field's dotted name.
 */
import {
  type ConfigFault,
  type ConfigNode,
  faultAt,
  type Place,
  placeInWords,
  type TableNode,
} from "./config-tree.ts";
import { explainUnknownKey, knownKeys, nearest, type TableHeader } from "./config-keys.ts";
import { isListOfTables, nodeInWords, shown, shownKey } from "./config-text.ts";
import { nameLengthMax } from "../core/base/config.ts";

/** Where an effective value came from. */
export type Origin =
  | { readonly kind: "file"; readonly file: string; readonly line: number }
  | { readonly kind: "default" }
  | { readonly kind: "derived"; readonly from: string }
  | { readonly kind: "command line" }
  | { readonly kind: "hostname" };

/** What one reading of a configuration gathers beside its values. */
export class Reading {
  readonly faults: ConfigFault[] = [];
  readonly origins = new Map<string, Origin>();
  private readonly places = new Map<string, Place>();
  private readonly root: Place;

  constructor(root: Place) {
    this.root = root;
  }

  notePlace(field: string, at: Place): void {
    this.places.set(field, at);
  }

  /** A fault at the line of the field, else of the nearest table around it. */
  fault(field: string, message: string): void {
    for (let name = field; name !== ""; name = name.slice(0, Math.max(0, name.lastIndexOf(".")))) {
      const at = this.places.get(name);
      if (at) {
        this.faults.push(faultAt(at, field, message));
        return;
      }
    }
    this.faults.push(faultAt(this.root, field, message));
  }

  /** The field stands in a file, be its value good or faulty. */
  isGiven(field: string): boolean {
    return this.places.has(field);
  }

  /** Where `field` stands, in brackets, as seen from a fault at `from`. */
  whereIs(field: string, from: string): string {
    const at = this.places.get(field);
    if (!at || at.line === 0) return "";
    const isNear = this.places.get(from)?.file === at.file;
    return isNear ? ` (line ${at.line})` : ` (${placeInWords(at)})`;
  }
}

const namePattern = /^[a-z][a-z0-9-]*$/;

/** null where it is a name, else what is wrong with it. */
export function nameFault(name: string): string | null {
  if (name.length > nameLengthMax) {
    return `${shown(name)} has ${name.length} characters; at most ${nameLengthMax} fit into a record`;
  }
  if (namePattern.test(name)) return null;
  return `${shown(name)} is no name; use a-z, 0-9 and "-", beginning with a letter`;
}

/** null where it is an absolute path, else what is wrong with it. */
export function pathFault(path: string, lengthMax: number): string | null {
  if (!path.startsWith("/")) return `${shown(path)} is not absolute; begin it with /`;
  if (/[\0-\x1f\x7f]/.test(path)) return `${shown(path)} holds a control character; remove it`;
  if (path.split("/").includes("..")) return `${shown(path)} holds ".."; write the path without it`;
  if (Buffer.byteLength(path) > lengthMax) {
    return `${shown(path)} is longer than ${lengthMax} bytes; use a shorter path`;
  }
  return null;
}

export class Section {
  readonly label: string;
  private readonly reading: Reading;
  private readonly table: TableNode;
  /** Keys that an unknown one was probably meant to be: their absence is no second fault. */
  private readonly meant = new Set<string>();

  constructor(reading: Reading, table: TableNode, label: string, header: TableHeader) {
    this.reading = reading;
    this.table = table;
    this.label = label;
    if (label !== "") reading.notePlace(label, table.at);
    const known: readonly string[] = knownKeys[header];
    for (const [key, node] of table.entries) {
      reading.notePlace(this.field(key), node.at);
      if (known.includes(key)) continue;
      const { remedy, meant } = explainUnknownKey(key, header);
      for (const name of meant) this.meant.add(name);
      reading.faults.push(faultAt(node.at, this.field(shownKey(key)), `unknown key; ${remedy}`));
    }
  }

  field(key: string): string {
    return this.label === "" ? key : `${this.label}.${key}`;
  }

  has(key: string): boolean {
    return this.table.entries.has(key);
  }

  keys(): readonly string[] {
    return [...this.table.entries.keys()];
  }

  fault(key: string, message: string): null {
    this.reading.fault(this.field(key), message);
    return null;
  }

  /** The node, with its origin noted; undefined where the key is absent. */
  private node(key: string): ConfigNode | undefined {
    const node = this.table.entries.get(key);
    if (node && node.kind !== "table" && !isListOfTables(node)) {
      this.reading.origins.set(this.field(key), { kind: "file", ...node.at });
    }
    return node;
  }

  private absent<T>(key: string, fallback: T | null, expected: string): T | null {
    if (fallback !== null) {
      this.reading.origins.set(this.field(key), { kind: "default" });
    } else if (!this.meant.has(key)) {
      this.fault(key, `missing; add ${expected}`);
    }
    return fallback;
  }

  private wrong(key: string, node: ConfigNode, expected: string): null {
    return this.fault(key, `expected ${expected}, found ${nodeInWords(node)}`);
  }

  /** A text; `example` is what a person is told to add where it is missing. */
  text(key: string, example: string, fallback: string | null): string | null {
    const node = this.node(key);
    if (!node) return this.absent(key, fallback, `${key} = "${example}"`);
    if (node.kind === "text") return node.value;
    return this.wrong(key, node, `a text in quotes like "${example}"`);
  }

  checkedText(
    key: string,
    example: string,
    fallback: string | null,
    check: (value: string) => string | null,
  ): string | null {
    const value = this.text(key, example, fallback);
    const fault = value === null ? null : check(value);
    return fault === null ? value : this.fault(key, fault);
  }

  name(key: string, example: string): string | null {
    return this.checkedText(key, example, null, nameFault);
  }

  path(key: string, example: string, fallback: string | null, lengthMax = 1024): string | null {
    return this.checkedText(key, example, fallback, (path) => pathFault(path, lengthMax));
  }

  choice<const W extends string>(key: string, words: readonly W[], fallback: W | null): W | null {
    const value = this.text(key, words.join('" or "'), fallback);
    if (value === null) return null;
    const found = words.find((word) => word === value);
    if (found !== undefined) return found;
    const guess = nearest(value, words).map((word) => `"${word}"`);
    const all = words.map((word) => `"${word}"`).join(" or ");
    const remedy = guess.length === 1 ? `did you mean ${guess[0]}?` : `write ${all}`;
    return this.fault(key, `${shown(value)} is not known; ${remedy}`);
  }

  flag(key: string, fallback: boolean): boolean {
    const node = this.node(key);
    if (!node) return this.absent(key, fallback, "") ?? fallback;
    if (node.kind === "flag") return node.value;
    this.wrong(key, node, "true or false without quotes");
    return fallback;
  }

  whole(key: string, min: number, max: number, fallback: number | null): number | null {
    const node = this.node(key);
    if (!node) return this.absent(key, fallback, `${key} = ${min}`);
    if (node.kind !== "number" || !Number.isSafeInteger(node.value)) {
      const unquoted = node.kind === "text" && /^\d+$/.test(node.value);
      const remedy = unquoted ? "; remove the quotes" : "";
      return this.fault(key, `expected a whole number, found ${nodeInWords(node)}${remedy}`);
    }
    if (node.value >= min && node.value <= max) return node.value;
    return this.fault(key, `${node.value} is out of range; write ${min} to ${max}`);
  }

  texts(key: string, example: string): readonly string[] | null {
    const node = this.node(key);
    if (!node) return null;
    const values: string[] = [];
    if (node.kind !== "list") return this.wrong(key, node, `an array like ${example}`);
    for (const item of node.items) {
      if (item.kind !== "text") return this.wrong(key, item, `only texts like ${example}`);
      values.push(item.value);
    }
    return values;
  }

  tableOf(key: string): TableNode | null {
    const node = this.table.entries.get(key);
    if (!node || node.kind === "table") return node ?? null;
    return this.wrong(key, node, "a table");
  }

  tablesOf(key: string, header: string): readonly TableNode[] {
    const node = this.table.entries.get(key);
    if (!node) return [];
    if (node.kind === "list") {
      const tables = node.items.filter((item) => item.kind === "table");
      if (tables.length === node.items.length) return tables;
    }
    const remedy = node.kind === "table" ? "; double the brackets" : "";
    this.fault(key, `expected tables headed ${header}, found ${nodeInWords(node)}${remedy}`);
    return [];
  }
}
