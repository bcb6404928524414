/** What can be asked of a running copy, and what it answers: one list for both ends of the socket. */
import { type JsonObject, isObject } from "../../host/json-lines.ts";
import type { PairEvidence } from "../evidence.ts";
import { type CopyState, copyStates } from "./pair-state.ts";

export const commandNames = [
  "query", "split", "resync", "swap", "takeover", "create", "delete", "cut", "heal", "lag", "tear", "stop",
] as const; // biome-ignore format: one list
export type CommandName = (typeof commandNames)[number];

export type Command = {
  readonly name: CommandName;
  /** The lag, or the pause between the pieces of a torn block; 0 with every other command. */
  readonly ms: number;
  /** Swap only: overwrite the old source after a takeover. */
  readonly force?: boolean;
};

export const directions = ["pvol-to-svol", "svol-to-pvol"] as const;
export type Direction = (typeof directions)[number];

export const lagMsMax = 60_000;
export const tearMsMax = 1000;

export type CopyView = {
  readonly schema: 1;
  readonly state: CopyState;
  readonly evidence: PairEvidence;
  readonly cause: string;
  readonly percent: number;
  readonly lastCopyAgoMs: number | null;
  readonly direction: Direction;
  readonly link: "up" | "cut";
  /** Blocks known to differ: on their way, or left behind by a suspension. */
  readonly pending: number;
  readonly lagMs: number;
  readonly scanMs: number;
  readonly tearMs: number;
  readonly pvol: string;
  readonly svol: string;
  readonly blocks: number;
  readonly copiedBlocks: number;
  /** Snapshots that were skipped because too many changes waited for their lag. */
  readonly coalescedSets: number;
  /** Whether the kernel's news of writes has proved right, so that looks may be rare. */
  readonly newsTrusted: boolean;
  readonly pid: number;
};

export function takesMs(name: CommandName): boolean {
  return name === "lag" || name === "tear";
}

export function isCommandName(text: string): text is CommandName {
  return (commandNames as readonly string[]).includes(text);
}

/** A command, or what is wrong with the request. */
export function parseCommand(request: JsonObject): Command | string {
  const { command, ms, force, ...rest } = request as Record<string, unknown>;
  if (typeof command !== "string" || !isCommandName(command)) {
    return `"command" must be one of: ${commandNames.join(", ")}`;
  }
  const unknown = Object.keys(rest);
  if (unknown.length > 0) return `unknown field: ${JSON.stringify(unknown[0])}`;
  if (force !== undefined && (command !== "swap" || typeof force !== "boolean")) {
    return '"force" is true or false, and with swap only';
  }
  if (!takesMs(command)) {
    if (ms !== undefined) return `${command} takes no "ms"`;
    return force === undefined ? { name: command, ms: 0 } : { name: command, ms: 0, force };
  }
  const fault = msFault(command, ms);
  return fault ?? { name: command, ms: Number(ms) };
}

export function msFault(name: CommandName, ms: unknown): string | null {
  const max = name === "lag" ? lagMsMax : tearMsMax;
  if (typeof ms === "number" && Number.isInteger(ms) && ms >= 0 && ms <= max) return null;
  return `${name} takes whole milliseconds from 0 to ${max}`;
}

/** The parts of a view that others decide by; null where it is none. */
export function parseView(value: unknown): CopyView | null {
  if (!isObject(value)) return null;
  const view = value as Record<string, unknown>;
  const { schema, state, direction, percent, pending, lastCopyAgoMs } = view;
  if (schema !== 1 || !copyStates.some((known) => known === state)) return null;
  if (!directions.some((known) => known === direction)) return null;
  if (typeof percent !== "number" || typeof pending !== "number") return null;
  for (const text of ["cause", "pvol", "svol"]) if (typeof view[text] !== "string") return null;
  if (lastCopyAgoMs !== null && typeof lastCopyAgoMs !== "number") return null;
  return value as CopyView;
}
