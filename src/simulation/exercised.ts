/**
 * What was exercised by a run, and by many: how often each fault began, each row of the verdict
 * table was stated, each change of a role happened. What stands there with nought was not tried.
 */
import { rules } from "../core/verdict.ts";
import { faults as allFaults } from "./faults/all.ts";
import type { Watched } from "./observation.ts";

export type Exercised = {
  readonly faults: Readonly<Record<string, number>>;
  readonly rows: Readonly<Record<string, number>>;
  readonly transitions: Readonly<Record<string, number>>;
};
export const exercisedGroups = ["faults", "rows", "transitions"] as const;

export const nothingExercised: Exercised = { faults: {}, rows: {}, transitions: {} };
