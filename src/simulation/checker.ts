/**
 * Checkers: each watches a simulated world from outside and says what must never be. They share no
 * code with what they judge, but for the formulas of the bounds that the product prints.
 *
 * A checker that never had an occasion to strike has shown nothing, so each counts its occasions.
 */
import type { FaultLog } from "./fault-log.ts";
import type { Watched } from "./observation.ts";
import type { SimulatedWorld } from "./world.ts";

export type Violation = {
  readonly checker: string;
  readonly atMs: number;
  /** One line: what happened, where, and why it must not. */
  readonly text: string;
};

/** How often each thing happened, by its name. */
export type Counts = Record<string, number>;

export type Checker = {
  watch(watched: Watched, nowMs: number): void;
  /**
   * All faults are over, and the world had its time to become whole: gives the command that the
   * product asks an operator for. True where it gave one; then the world has that time again.
   */
  mend?(nowMs: number): boolean;
  /** The world had its time after that, too. */
  end?(nowMs: number): void;
  /** How often each case was met in which this checker would have seen a wrong. */
  readonly applied?: Readonly<Counts>;
};

export type CheckerKind = {
  readonly name: string;
  /** One line: what is never to be seen. */
  readonly words: string;
  /** Each case that it counts in `applied`. */
  readonly cases?: readonly string[];
  make(world: SimulatedWorld, faults: FaultLog, report: (text: string) => void): Checker;
};

export function count(counts: Counts, name: string): void {
  counts[name] = (counts[name] ?? 0) + 1;
}
