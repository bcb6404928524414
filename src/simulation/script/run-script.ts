/**
 * A scenario file, run: its commands are done one after the other in a simulated world, and what was
 * told is put below them. The same file is documentation, a test, and a history of one's own
 * (`mirrorbeat simulate --scenario FILE`).
 */
import type { Config } from "../../core/base/config.ts";
import type { CheckerKind, Violation } from "../checker.ts";
import type { FaultLog } from "../fault-log.ts";
import type { Watcher } from "../observation.ts";
import type { SimulatedWorld } from "../world.ts";

export type ScriptOptions = {
  /** What `setup config` stands for: the user's own configuration. */
  readonly config?: Config | null;
  /** Else all of them. */
  readonly checkers?: readonly CheckerKind[];
  /** Called once, before anything happens. */
  readonly watch?: (world: SimulatedWorld, faults: FaultLog) => Watcher;
};

/** What is wrong in the file, or did not come out as the file expects. */
export type ScriptFault = {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly field: string;
  readonly value: string;
  readonly remedy: string;
};

export type ScriptOutcome = {
  /** No fault in the file, every expectation met, no violation; its outputs need not be up to date. */
  readonly ok: boolean;
  /** The file with its outputs as they are now; as it was where it cannot be run. */
  readonly text: string;
  /** Whether the outputs in the file were those of this run. */
  readonly isUpToDate: boolean;
  readonly violations: readonly Violation[];
  readonly faults: readonly ScriptFault[];
  readonly virtualMs: number;
  readonly traceHash: string;
};

/** "file:line: field: value: remedy", one line. */
export function scriptFaultText({ file, line, field, value, remedy }: ScriptFault): string {
  return `${file}:${line}: ${field}: ${JSON.stringify(value)}: ${remedy}`;
}

export async function runScript(
  text: string,
  fileName: string,
  _options: ScriptOptions = {},
): Promise<ScriptOutcome> {
  const remedy = "scenario files cannot be run yet";
  const faults = [{ file: fileName, line: 1, field: "file", value: fileName, remedy }];
  return { ok: false, text, isUpToDate: false, violations: [], faults, virtualMs: 0, traceHash: "" };
}
