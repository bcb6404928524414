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

/** Counts what is watched of one run. */
export class Counter {
  private readonly counts: Record<keyof Exercised, Record<string, number>> = {
    faults: {},
    rows: {},
    transitions: {},
  };

  watch(watched: Watched): void {
    if (watched.kind === "fault" && watched.on) this.count("faults", watched.name);
    if (watched.kind !== "told") return;
    const { ev, fields } = watched.event;
    if (ev === "verdict") this.count("rows", String(fields["row"]));
    if (ev === "role") this.count("transitions", `${fields["was"]} -> ${fields["role"]}`);
  }

  private count(group: keyof Exercised, name: string): void {
    this.counts[group][name] = (this.counts[group][name] ?? 0) + 1;
  }

  get exercised(): Exercised {
    return this.counts;
  }
}

export function exercisedTogether(one: Exercised, other: Exercised): Exercised {
  const sum = (group: keyof Exercised): Record<string, number> => {
    const counts: Record<string, number> = { ...one[group] };
    for (const [name, times] of Object.entries(other[group])) {
      counts[name] = (counts[name] ?? 0) + times;
    }
    return counts;
  };
  return { faults: sum("faults"), rows: sum("rows"), transitions: sum("transitions") };
}

/** With every declared name in it, those that were never exercised too. */
export function withDeclared(exercised: Exercised): Exercised {
  const drawn = allFaults.filter(({ weight }) => weight > 0).map(({ name }) => name);
  const none = (names: readonly string[]) => Object.fromEntries(names.map((name) => [name, 0]));
  const declared = { faults: none(drawn), rows: none(rules.map(({ row }) => row)), transitions: {} };
  return exercisedTogether(declared, exercised);
}

/** Declared, and never seen: "fault NAME", "row NAME". */
export function neverExercised(exercised: Exercised): readonly string[] {
  const { faults, rows } = withDeclared(exercised);
  const noughts = (kind: string, counts: Readonly<Record<string, number>>): readonly string[] =>
    Object.entries(counts)
      .filter(([, times]) => times === 0)
      .map(([name]) => `${kind} ${name}`);
  return [...noughts("fault", faults), ...noughts("row", rows)];
}
