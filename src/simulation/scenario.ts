/** A history of a simulated world as data: it can be written to a file, replayed, and cut down. */

export type ScenarioStep = {
  /** From the end of the warm-up, when all is well. */
  readonly atMs: number;
  /** null for a fault without an end. */
  readonly forMs: number | null;
  /** Name of the fault. */
  readonly fault: string;
  readonly target: string;
  /** Which stream of chance it draws from; else that of its place in the list. */
  readonly draw?: number;
};

export type Scenario = {
  /** Of one of the set-ups, or "own" for the user's configuration. */
  readonly setup: string;
  /** Of everything that is not a step: latencies, nonces, the moment of a torn write. */
  readonly seed: number;
  /** Rate of each host's clock, 1 where none is named. */
  readonly rates: Readonly<Record<string, number>>;
  readonly steps: readonly ScenarioStep[];
  /** From the end of the warm-up until all faults are ended. */
  readonly runMs: number;
};
