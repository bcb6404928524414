/**
 * JSON objects as lines of text: what the control sockets speak, one object a line either way.
 *
 * Whoever is at the other end is not trusted to be sane: a line has a limit, must be UTF-8 and must
 * be one object. What is wrong with a line is a value; nothing here throws.
 */
export type JsonObject = Readonly<Record<string, unknown>>;

export type ParsedLine =
  | { readonly ok: true; readonly value: JsonObject }
  | { readonly ok: false; readonly message: string };

const newline = 0x0a;
const utf8 = new TextDecoder("utf-8", { fatal: true });

/** Cuts a stream of bytes into lines. It never holds more than one line's limit and one chunk. */
export class LineSplitter {
  private readonly lineBytesMax: number;
  private held: Buffer = Buffer.alloc(0);

  constructor(lineBytesMax: number) {
    this.lineBytesMax = lineBytesMax;
  }

  push(chunk: Buffer): void {
    this.held = this.held.length === 0 ? chunk : Buffer.concat([this.held, chunk]);
  }

  /** The next whole line without its end; null if there is none yet; "too-long" beyond the limit. */
  next(): Buffer | null | "too-long" {
    const end = this.held.indexOf(newline);
    const lengthBytes = end < 0 ? this.held.length : end;
    if (lengthBytes > this.lineBytesMax) return "too-long";
    if (end < 0) return null;
    const line = this.held.subarray(0, end);
    this.held = this.held.subarray(end + 1);
    return line;
  }

  /** Bytes of a line that has no end yet, or of lines not yet taken. */
  get heldBytes(): number {
    return this.held.length;
  }
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function parseLine(line: Buffer): ParsedLine {
  try {
    const value: unknown = JSON.parse(utf8.decode(line));
    if (isObject(value)) return { ok: true, value };
    return { ok: false, message: "not a JSON object" };
  } catch {
    return { ok: false, message: "not JSON in UTF-8" };
  }
}

/** The line with its end; null if it would be longer than allowed, or cannot be written as JSON. */
export function encodeLine(value: JsonObject, lineBytesMax: number): Buffer | null {
  try {
    const line = Buffer.from(`${JSON.stringify(value)}\n`);
    return line.length - 1 <= lineBytesMax ? line : null;
  } catch {
    return null; // a bigint or a circle: the caller answers for it
  }
}
