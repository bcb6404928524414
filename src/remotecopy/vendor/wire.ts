/**
 * What the agent and the process that holds a vendor's library say to each other: one JSON object
 * a line. Requests go to its standard input, answers come from its file 3, so that a library that
 * prints disturbs nothing.
 */
import { type JsonObject, parseLine } from "../../host/json-lines.ts";
import { type CallName, calls, isCallName } from "./layout.ts";

export const answerFile = 3;
export const lineBytesMax = 16 << 10;

export type WireRequest = {
  readonly id: number;
  readonly call: CallName;
  readonly bytes: Buffer;
};

export type WireAnswer =
  /** Once, at the start; null: the library is loaded. */
  | { readonly kind: "hello"; readonly failure: string | null }
  | {
      readonly kind: "answer";
      readonly id: number;
      readonly result: number;
      readonly bytes: Buffer;
    }
  /** The library has no such function. */
  | { readonly kind: "missing"; readonly id: number }
  /** It wrote beyond the structure: nothing in that process is to be believed any more. */
  | { readonly kind: "overrun"; readonly id: number };

const isInt32 = (value: unknown): value is number =>
  typeof value === "number" && Number.isInteger(value) && Math.abs(value) <= 2 ** 31;

/** Strict: exactly what Buffer itself would have written. */
function bytesOf(value: unknown): Buffer | null {
  if (typeof value !== "string") return null;
  const bytes = Buffer.from(value, "base64");
  return bytes.toString("base64") === value ? bytes : null;
}

const lineOf = (value: JsonObject): string => `${JSON.stringify(value)}\n`;

export function requestLine({ id, call, bytes }: WireRequest): string {
  return lineOf({ id, call, bytes: bytes.toString("base64") });
}

export function parseRequest(line: Buffer): WireRequest | null {
  const parsed = parseLine(line);
  if (!parsed.ok) return null;
  const { id, call } = parsed.value;
  const bytes = bytesOf(parsed.value["bytes"]);
  if (!isInt32(id) || !isCallName(call) || bytes?.length !== calls[call].bytes) return null;
  return { id, call, bytes };
}

export function answerLine(answer: WireAnswer): string {
  if (answer.kind !== "answer") return lineOf(answer);
  return lineOf({ ...answer, bytes: answer.bytes.toString("base64") });
}

/** null where it is none. */
export function parseAnswer(line: Buffer): WireAnswer | null {
  const parsed = parseLine(line);
  if (!parsed.ok) return null;
  const { kind, id, result, failure } = parsed.value;
  if (kind === "hello") {
    return failure === null || typeof failure === "string" ? { kind, failure } : null;
  }
  if (!isInt32(id)) return null;
  if (kind === "missing" || kind === "overrun") return { kind, id };
  const bytes = bytesOf(parsed.value["bytes"]);
  if (kind !== "answer" || !isInt32(result) || bytes === null) return null;
  return { kind, id, result, bytes };
}
