/**
 * Finds the line of a key in TOML text. The parser tells positions of syntax errors only, but a
 * fault in a value must name its line too: this walks the text once and notes where each key path
 * begins. It reads no values and judges nothing; text that the parser refuses gives poor lines,
 * never an exception and never an endless loop (each step of each loop moves forward).
 *
 * A path is a list of keys and array positions: ["sites", 0, "hosts", 1, "slot"].
 */
import { parse } from "smol-toml";

export type KeyPath = readonly (string | number)[];

export type KeyLines = {
  /** Line of the key, else of the innermost table around it that has one, else 0. */
  readonly lineOf: (path: KeyPath) => number;
  /** By the line of a second definition: the key, and the line of the first one. */
  readonly repeated: ReadonlyMap<number, { readonly key: string; readonly firstLine: number }>;
  /** By line: the keys of the header [a.b] or [[a.b]] that stands there. */
  readonly headers: ReadonlyMap<number, readonly string[]>;
};

/** Deeper than any configuration; what lies deeper is not noted. */
export const nestingMax = 16;

const blank = /[ \t\r]*/y;
const blankOrComment = /(?:[ \t\r\n]+|#[^\n]*)*/y;
const restOfLine = /[^\n]*/y;
const bareKey = /[A-Za-z0-9_-]+/y;
const basicString = /"[^"\\\n]*(?:\\.[^"\\\n]*)*"?/y;
const literalString = /'[^'\n]*'?/y;
const bareValue = /[^,\]}#\n]*/y;

/** A position in the text that only moves forward, and its line. */
class Cursor {
  pos = 0;
  private readonly text: string;
  private counted = 0;
  private lines = 1;

  constructor(text: string) {
    this.text = text;
  }

  get next(): string {
    return this.text[this.pos] ?? "";
  }

  get ended(): boolean {
    return this.pos >= this.text.length;
  }

  get line(): number {
    for (; this.counted < this.pos; this.counted += 1) {
      if (this.text[this.counted] === "\n") this.lines += 1;
    }
    return this.lines;
  }

  startsWith(part: string): boolean {
    return this.text.startsWith(part, this.pos);
  }

  take(pattern: RegExp): string {
    pattern.lastIndex = this.pos;
    const found = pattern.exec(this.text)?.[0] ?? "";
    this.pos += found.length;
    return found;
  }

  /** A string in three quotes; up to two more quotes before the closing three belong to it. */
  takeLongString(quotes: string): void {
    const escapes = quotes === '"""';
    this.pos += 3;
    while (!this.ended && !this.startsWith(quotes)) {
      this.pos += escapes && this.next === "\\" ? 2 : 1;
    }
    this.pos += 3;
    for (let more = 0; more < 2 && this.next === quotes[0]; more += 1) this.pos += 1;
  }
}

function plainKey(written: string): string {
  if (written.startsWith("'")) return written.slice(1, -1);
  if (!written.startsWith('"')) return written;
  try {
    return String(parse(`k = ${written}`)["k"]);
  } catch {
    return written;
  }
}

/** A dotted key, or nothing where no key stands here. */
function takeKey(cursor: Cursor): readonly string[] {
  const keys: string[] = [];
  for (;;) {
    cursor.take(blank);
    const pattern = { '"': basicString, "'": literalString }[cursor.next] ?? bareKey;
    const written = cursor.take(pattern);
    if (written === "") return keys;
    keys.push(plainKey(written));
    cursor.take(blank);
    if (cursor.next !== ".") return keys;
    cursor.pos += 1;
  }
}

type Note = (path: KeyPath, isDefinition: boolean) => void;

function walkValue(cursor: Cursor, path: KeyPath, note: Note): void {
  if (path.length > nestingMax) cursor.pos = Number.MAX_SAFE_INTEGER;
  else if (cursor.startsWith('"""')) cursor.takeLongString('"""');
  else if (cursor.startsWith("'''")) cursor.takeLongString("'''");
  else if (cursor.next === '"') cursor.take(basicString);
  else if (cursor.next === "'") cursor.take(literalString);
  else if (cursor.next === "[") walkArray(cursor, path, note);
  else if (cursor.next === "{") walkInlineTable(cursor, path, note);
  else cursor.take(bareValue);
}

function walkArray(cursor: Cursor, path: KeyPath, note: Note): void {
  cursor.pos += 1;
  for (let index = 0; !cursor.ended; ) {
    cursor.take(blankOrComment);
    const before = cursor.pos;
    if (cursor.next === "]") break;
    if (cursor.next !== ",") {
      const item = [...path, index];
      note(item, false);
      walkValue(cursor, item, note);
      index += 1;
    }
    if (cursor.next === "," || cursor.pos === before) cursor.pos += 1;
  }
  cursor.pos += 1;
}

function walkInlineTable(cursor: Cursor, path: KeyPath, note: Note): void {
  cursor.pos += 1;
  while (!cursor.ended) {
    cursor.take(blankOrComment);
    const before = cursor.pos;
    if (cursor.next === "}") break;
    if (cursor.next !== ",") walkPair(cursor, path, note);
    if (cursor.next === "," || cursor.pos === before) cursor.pos += 1;
  }
  cursor.pos += 1;
}

function walkPair(cursor: Cursor, path: KeyPath, note: Note): void {
  const keys = takeKey(cursor);
  if (keys.length === 0) return;
  const full = [...path, ...keys];
  note(full, true);
  if (cursor.next !== "=") return;
  cursor.pos += 1;
  cursor.take(blank);
  walkValue(cursor, full, note);
}

const idOf = (path: KeyPath): string => JSON.stringify(path);

/** Where [a.b] and [[a.b]] lead: a key that is an array of tables means its last element. */
class TableHeaders {
  private readonly counts = new Map<string, number>();

  single(keys: readonly string[]): KeyPath {
    const path: (string | number)[] = [];
    for (const key of keys.slice(0, nestingMax)) {
      path.push(key);
      const count = this.counts.get(idOf(path));
      if (count !== undefined) path.push(count - 1);
    }
    return path;
  }

  element(keys: readonly string[]): KeyPath {
    const list = [...this.single(keys.slice(0, -1)), keys.at(-1) ?? ""];
    const count = this.counts.get(idOf(list)) ?? 0;
    this.counts.set(idOf(list), count + 1);
    return [...list, count];
  }
}

export function locateKeys(text: string): KeyLines {
  const headers = new Map<number, readonly string[]>();
  const lines = new Map<string, number>();
  const defined = new Map<string, number>();
  const repeated = new Map<number, { readonly key: string; readonly firstLine: number }>();
  const cursor = new Cursor(text);
  const note: Note = (path, isDefinition) => {
    if (path.length > nestingMax) return;
    for (let length = 1; length <= path.length; length += 1) {
      const id = idOf(path.slice(0, length));
      if (!lines.has(id)) lines.set(id, cursor.line);
    }
    if (!isDefinition) return;
    const firstLine = defined.get(idOf(path));
    if (firstLine === undefined) defined.set(idOf(path), cursor.line);
    else if (!repeated.has(cursor.line)) {
      repeated.set(cursor.line, { key: String(path.at(-1)), firstLine });
    }
  };

  const tables = new TableHeaders();
  let table: KeyPath = [];
  for (cursor.take(blankOrComment); !cursor.ended; cursor.take(blankOrComment)) {
    const before = cursor.pos;
    if (cursor.next === "[") {
      const isElement = cursor.startsWith("[[");
      cursor.pos += isElement ? 2 : 1;
      const keys = takeKey(cursor);
      if (keys.length > 0) table = isElement ? tables.element(keys) : tables.single(keys);
      if (keys.length > 0) headers.set(cursor.line, keys);
      note(table, true);
    } else {
      walkPair(cursor, table, note);
    }
    cursor.take(restOfLine);
    if (cursor.pos === before) cursor.pos += 1;
  }

  const lineOf = (path: KeyPath): number => {
    for (let length = Math.min(path.length, nestingMax); length > 0; length -= 1) {
      const line = lines.get(idOf(path.slice(0, length)));
      if (line !== undefined) return line;
    }
    return 0;
  };
  return { lineOf, repeated, headers };
}
