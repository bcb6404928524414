/**
 * The process that holds a vendor's library: reads calls, makes them, tells what came back. It
 * knows sizes and symbols, and believes nothing else; the agent's side judges.
 *
 * A call that hangs stops this whole process, by design: the agent kills it. When the agent ends,
 * standard input ends; while a call hangs the kernel ends the process instead (endWithParent).
 */
import { writeSync } from "node:fs";
import { type ExitCode, exitCodes } from "../../core/base/exit-codes.ts";
import { type ForeignLibrary, loadLibrary, pointerTo } from "../../device/foreign.ts";
import { endWithParent } from "../../device/parent.ts";
import { LineSplitter } from "../../host/json-lines.ts";
import { type CallName, calls } from "./layout.ts";
import {
  answerFile,
  answerLine,
  lineBytesMax,
  parseRequest,
  type WireAnswer,
  type WireRequest,
} from "./wire.ts";

/** Behind each structure; a library that writes there is found out. */
const guardBytes = 4096;
const guardByte = 0x6d;

type Prepared = { readonly bytes: Buffer; readonly call: () => number };

function prepare(library: ForeignLibrary, name: CallName): Prepared | null {
  const bytes = Buffer.alloc(calls[name].bytes + guardBytes, guardByte);
  try {
    return { bytes, call: library.prepare(calls[name].symbol, pointerTo(bytes)) };
  } catch {
    return null; // no such symbol
  }
}

function makeCall(prepared: Prepared, { id, bytes }: WireRequest): WireAnswer {
  bytes.copy(prepared.bytes);
  const result = prepared.call();
  const guard = prepared.bytes.subarray(bytes.length);
  if (guard.some((byte) => byte !== guardByte)) return { kind: "overrun", id };
  return { kind: "answer", id, result, bytes: prepared.bytes.subarray(0, bytes.length) };
}

const tell = (answer: WireAnswer): void => void writeSync(answerFile, answerLine(answer));

/** Resolves when there is nothing more to do; the process is to end then. */
export function serveLibrary(file: string): Promise<ExitCode> {
  const failure = endWithParent();
  const loaded = loadLibrary(file);
  if (failure !== null || !loaded.ok) {
    tell({ kind: "hello", failure: failure ?? (loaded.ok ? "" : loaded.message) });
    return Promise.resolve(exitCodes.unavailable);
  }
  const prepared = new Map<CallName, Prepared | null>();
  const answer = (request: WireRequest): void => {
    const { call } = request;
    const known = prepared.get(call);
    const ready = known === undefined ? prepare(loaded.library, call) : known;
    prepared.set(call, ready);
    tell(ready ? makeCall(ready, request) : { kind: "missing", id: request.id });
  };
  tell({ kind: "hello", failure: null });
  return new Promise((resolve) => {
    const lines = new LineSplitter(lineBytesMax);
    process.stdin.on("data", (chunk: Buffer) => {
      lines.push(chunk);
      for (let line = lines.next(); line !== null; line = lines.next()) {
        const request = line === "too-long" ? null : parseRequest(line);
        if (!request) return resolve(exitCodes.usage);
        answer(request);
      }
    });
    process.stdin.on("error", () => resolve(exitCodes.ok));
    process.stdin.on("end", () => resolve(exitCodes.ok));
  });
}
