/**
 * Checkers: each watches a simulated world from outside and says what must never be. They share no
 * code with what they judge, but for the formulas of the bounds that the product prints.
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

export type Checker = {
  watch(watched: Watched, nowMs: number): void;
  /** All faults are over, and the world had its time to become whole. */
  end?(nowMs: number): void;
};

export type CheckerKind = {
  readonly name: string;
  /** One line: what is never to be seen. */
  readonly words: string;
  make(world: SimulatedWorld, faults: FaultLog, report: (text: string) => void): Checker;
};
