/**
 * What one agent must remember across its restarts, in one small file replaced atomically: its
 * last incarnation, the highest term, the high-water marks of its peers, and what was switched.
 *
 * Terms and incarnations must never be forgotten, so a damaged file is refused, not ignored.
 */
import { readFileSync } from "node:fs";
import path from "node:path";
import { exitCodes, type Refusal } from "../core/base/exit-codes.ts";
import type { Position } from "../core/record.ts";
import { allOn, type Switches } from "../core/step/begin.ts";
import type { SwitchTarget } from "../core/step/state.ts";
import { writeFileAtomically } from "../host/atomic-file.ts";

export type Memory = {
  readonly incarnation: bigint;
  /** null before any term was known. */
  readonly term: bigint | null;
  /** A takeover was begun here and not ended. */
  readonly halfDone: boolean;
  /** The service may run here: set before it is started, cleared when its stop is verified. */
  readonly serving: boolean;
  /** Of a witness: the term in which it granted takeover, and to which site; zero without. */
  readonly grantedTerm: bigint;
  readonly grantedSite: number;
  /** Id of the site to which this host gave that term; 0 for none. */
  readonly givenSite: number;
  /** Of a witness: it has no memory of what it granted, and has not been armed since. */
  readonly blank: boolean;
  /** The boot in which this was written. */
  readonly bootId: string;
  readonly marks: Readonly<Record<string, Position>>;
  readonly switches: Switches;
};

export const emptyMemory: Memory = {
  incarnation: 0n,
  term: null,
  halfDone: false,
  serving: false,
  grantedTerm: 0n,
  grantedSite: 0,
  givenSite: 0,
  blank: true,
  bootId: "",
  marks: {},
  switches: allOn,
};

/** What must be durable before it is acted upon; it goes with the term. */
export function rightOf(memory: Memory): Right {
  const { term, halfDone, serving, grantedTerm, grantedSite, givenSite, blank } = memory;
  return { term, halfDone, serving, grantedTerm, grantedSite, givenSite, blank };
}
/** With one more switch thrown. */
export function switched(kept: Switches, target: SwitchTarget, on: boolean): Switches {
  switch (target.kind) {
    case "network":
      return { ...kept, network: on };
    case "mirror":
      return { ...kept, mirrors: { ...kept.mirrors, [target.name]: on } };
    case "host":
      return { ...kept, hosts: { ...kept.hosts, [target.name]: on } };
  }
}

export const memoryFile = "memory.json";

export type Checksum = (bytes: Uint8Array) => number;

type Stored = {
  readonly schema: 1;
  readonly incarnation: string;
  readonly term: string | null;
  readonly halfDone: boolean;
  readonly serving?: boolean;
  readonly granted?: readonly [string, number];
  readonly givenSite?: number;
  readonly blank?: boolean;
  readonly bootId?: string;
  readonly marks: Readonly<Record<string, readonly [string, string]>>;
  readonly switches: Switches;
};

export function memoryText(memory: Memory, checksum: Checksum): string {
  const stored: Stored = {
    schema: 1,
    incarnation: String(memory.incarnation),
    term: memory.term === null ? null : String(memory.term),
    halfDone: memory.halfDone,
    serving: memory.serving,
    granted: [String(memory.grantedTerm), memory.grantedSite],
    givenSite: memory.givenSite,
    blank: memory.blank,
    bootId: memory.bootId,
    marks: Object.fromEntries(
      Object.entries(memory.marks).map(([key, mark]) => [
        key,
        [String(mark.incarnation), String(mark.serial)] as const,
      ]),
    ),
    switches: memory.switches,
  };
  const body = JSON.stringify(stored);
  return `${JSON.stringify({ checksum: checksum(Buffer.from(body)), body })}\n`;
}

/** null where the text is damaged. */
export function parseMemory(text: string, checksum: Checksum): Memory | null {
  try {
    const { checksum: sum, body } = JSON.parse(text) as { checksum: number; body: string };
    if (checksum(Buffer.from(body)) !== sum) return null;
    const stored = JSON.parse(body) as Stored;
    if (stored.schema !== 1) return null;
    return {
      incarnation: BigInt(stored.incarnation),
      term: stored.term === null ? null : BigInt(stored.term),
      halfDone: stored.halfDone,
      serving: stored.serving ?? false,
      grantedTerm: BigInt(stored.granted?.[0] ?? "0"),
      grantedSite: stored.granted?.[1] ?? 0,
      givenSite: stored.givenSite ?? 0,
      blank: stored.blank ?? true,
      bootId: stored.bootId ?? "",
      marks: Object.fromEntries(
        Object.entries(stored.marks).map(([key, [incarnation, serial]]) => [
          key,
          { incarnation: BigInt(incarnation), serial: BigInt(serial) },
        ]),
      ),
      switches: stored.switches,
    };
  } catch {
    return null;
  }
}

export type MemoryResult =
  | { readonly ok: true; readonly memory: Memory }
  | { readonly ok: false; readonly refusal: Refusal };

export function loadMemory(folder: string, checksum: Checksum): MemoryResult {
  const file = path.join(folder, memoryFile);
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "unknown";
    if (code === "ENOENT") return { ok: true, memory: emptyMemory };
    const message = `${file}: cannot be read (${code}); make it readable for this user`;
    return { ok: false, refusal: { code: exitCodes.ioError, message } };
  }
  const memory = parseMemory(text, checksum);
  if (memory) return { ok: true, memory };
  const message =
    `${file}: damaged, so the last term is not known; make sure that no other site is active, ` +
    "then move the file away: terms are found again on the volumes";
  return { ok: false, refusal: { code: exitCodes.dataError, message } };
}

export type Right = Pick<
  Memory,
  "term" | "halfDone" | "serving" | "grantedTerm" | "grantedSite" | "givenSite" | "blank"
>;
type Waiter = { readonly memory: Memory; readonly settle: (ok: boolean) => void };

export type StoreOptions = {
  readonly write?: typeof writeFileAtomically;
  /** After it a caller is told false; the write itself may still end. */
  readonly limitMs?: number;
};

const storeLimitMs = 5000;
const waitersMax = 64;

/**
 * The higher term, with what is said of it; the later word where both are the same. Whether a
 * service may run here, and whether a witness is blank, is so whatever the term.
 */
const higher = (before: Right, after: Right): Right => ({
  ...((after.term ?? -1n) >= (before.term ?? -1n) ? after : before),
  serving: after.serving,
  blank: after.blank,
});

/**
 * Writes the memory, one write at a time; the newest wins, but no term falls: each text carries
 * the highest term that is durable or is waited for. `store` resolves true when a text with at
 * least its term is durable, and false when it could not be written in time. A term that was
 * refused so is forgotten: it is not written later by another's call.
 */
export function memoryStore(
  folder: string,
  checksum: Checksum,
  loaded: Right = emptyMemory,
  options: StoreOptions = {},
) {
  const { write = writeFileAtomically, limitMs = storeLimitMs } = options;
  const file = path.join(folder, memoryFile);
  let durable: Right = rightOf({ ...emptyMemory, ...loaded });
  let waiting: Waiter[] = [];
  let writing = false;
  const drain = async (): Promise<void> => {
    writing = true;
    for (let newest = waiting.at(-1); newest; newest = waiting.at(-1)) {
      const batch = waiting;
      waiting = [];
      const right = batch.reduce((most, { memory }) => higher(most, rightOf(memory)), durable);
      const text = memoryText({ ...newest.memory, ...right }, checksum);
      const { ok } = await write(file, Buffer.from(text), 0o600);
      if (ok) durable = right;
      for (const { settle } of batch) settle(ok);
    }
    writing = false;
  };
  return {
    store(memory: Memory): Promise<boolean> {
      if (waiting.length >= waitersMax) return Promise.resolve(false);
      return new Promise((resolve) => {
        const settle = (ok: boolean): void => {
          clearTimeout(timer);
          resolve(ok);
        };
        const waiter: Waiter = { memory, settle };
        const timer = setTimeout(() => {
          waiting = waiting.filter((other) => other !== waiter);
          resolve(false);
        }, limitMs);
        waiting.push(waiter);
        if (!writing) void drain();
      });
    },
  };
}
