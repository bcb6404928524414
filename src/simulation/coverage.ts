/**
 * What a run exercised: faults, rows of the verdict table, roles, steps of a takeover and of a
 * switch-over, and the occasions of each checker. What was never exercised was not tested.
 *
 * Rows, roles and steps are counted from the events that agents tell.
 */
import type { Role } from "../core/decision.ts";
import { rules } from "../core/verdict.ts";
import type { Checker, CheckerKind, Counts } from "./checker.ts";
import type { FaultKind } from "./fault.ts";
import type { FaultLog } from "./fault-log.ts";
import type { Watched } from "./observation.ts";

export const sections = [
  "faults",
  "verdict rows",
  "group rows",
  "roles",
  "takeover steps",
  "switch-over steps",
  "checkers",
] as const;
export type Section = (typeof sections)[number];
export type Coverage = Readonly<Record<Section, Counts>>;

/** Rows that no agent of today can bring about, with the reason. */
export const rowsWithoutCause: Readonly<Record<string, string>> = {
  "0b": "no agent says of itself that it failed: nothing tells it so yet",
};

const change = (was: Role, ...next: readonly Role[]): readonly string[] =>
  next.map((role) => `${was}->${role}`);

/** Each change of a role that is told: nextRole of src/core/decision.ts, siblings, and both ways of a term. */
export const roleChanges: readonly string[] = [
  ...change("starting", "active", "standby", "fenced", "transitioning"),
  ...change("standby", "transitioning", "starting", "active"),
  ...change("active", "standby", "fenced", "transitioning"),
  ...change("transitioning", "active", "standby", "fenced"),
  ...change("fenced", "standby", "stopped", "transitioning"),
  ...change("stopped", "active", "standby", "transitioning"),
];

export const takeoverSteps: readonly string[] = [
  "right", "no right", "renounced", "no longer renounced", "refused", "arbiter asked", "arbiter",
  "begin", "term received", "term stored", "term published", "waiting for the lease to end",
  "data pairs", "data pairs done", "data pairs failed", "service hook started", "hook failed", "done",
  "not stored", "not published", "not alone", "no lease", "overtaken",
]; // biome-ignore format: one list

export const switchoverSteps: readonly string[] = [
  "begin", "data pairs", "data whole", "service stop hook started", "service stopped", "term given",
  "done", "ended", "overtaken",
]; // biome-ignore format: one list

const zeros = (names: readonly string[]): Counts =>
  Object.fromEntries(names.map((name) => [name, 0]));

const rows = rules.map(({ row }) => row);

/** Everything that there is to exercise, at zero. */
export function nothingYet(
  faults: readonly Pick<FaultKind, "name">[],
  checkers: readonly CheckerKind[],
): Coverage {
  const cases = checkers.flatMap(({ name, cases = [] }) => cases.map((one) => `${name}: ${one}`));
  return {
    faults: zeros(faults.map(({ name }) => name)),
    "verdict rows": zeros(rows),
    "group rows": zeros(rows),
    roles: zeros(roleChanges),
    "takeover steps": zeros(takeoverSteps),
    "switch-over steps": zeros(switchoverSteps),
    checkers: zeros(cases),
  };
}

function add(counts: Counts, name: string, times = 1): void {
  counts[name] = (counts[name] ?? 0) + times;
}

/** Counts what one run tells. */
export class CoverageWatch {
  private readonly coverage: Coverage = nothingYet([], []);

  watch(watched: Watched): void {
    if (watched.kind !== "told") return;
    const { ev, fields } = watched.event;
    const of = (section: Section, name: unknown): void => add(this.coverage[section], String(name));
    switch (ev) {
      case "verdict":
        return of("verdict rows", fields["row"]);
      case "group":
        return of("group rows", fields["row"]);
      case "role":
        return of("roles", `${fields["was"]}->${fields["role"]}`);
      case "takeover":
        return of("takeover steps", fields["step"]);
      case "switchover":
        return of("switch-over steps", fields["step"]);
      default:
    }
  }

  /** With the faults that happened, and what each checker met. */
  ended(faults: FaultLog, checkers: readonly (readonly [CheckerKind, Checker])[]): Coverage {
    const { coverage } = this;
    for (const { name } of faults.all) add(coverage.faults, name);
    for (const [{ name }, { applied = {} }] of checkers) {
      for (const [one, times] of Object.entries(applied)) {
        add(coverage.checkers, `${name}: ${one}`, times);
      }
    }
    return coverage;
  }
}

/** The sum of many runs, over all that there is to exercise. */
export function merged(first: Coverage, others: readonly Coverage[]): Coverage {
  const sum = Object.fromEntries(
    sections.map((section) => [section, { ...first[section] }]),
  ) as Record<Section, Counts>;
  for (const other of others) {
    for (const section of sections) {
      for (const [name, times] of Object.entries(other[section])) add(sum[section], name, times);
    }
  }
  return sum;
}

export type Missing = { readonly section: Section; readonly name: string };

/**
 * Faults and rows that were never exercised. A fault that is drawn only where it is asked for is not
 * missed; nor is a row that nothing can bring about.
 */
export function missing(coverage: Coverage, faults: readonly FaultKind[]): readonly Missing[] {
  const unasked = new Set(faults.filter(({ weight }) => weight === 0).map(({ name }) => name));
  const never = (section: Section): readonly Missing[] =>
    Object.entries(coverage[section])
      .filter(([, times]) => times === 0)
      .map(([name]) => ({ section, name }));
  return [
    ...never("faults").filter(({ name }) => !unasked.has(name)),
    ...never("verdict rows").filter(({ name }) => rowsWithoutCause[name] === undefined),
  ];
}

const columns = 80;

/** Cells of one width beside each other, as many as a line takes. */
function cells(counts: Counts): readonly string[] {
  const entries = Object.entries(counts);
  const nameWidth = Math.max(0, ...entries.map(([name]) => name.length));
  const countWidth = Math.max(1, ...entries.map(([, times]) => String(times).length));
  const cellWidth = nameWidth + 1 + countWidth;
  const perLine = Math.max(1, Math.floor((columns - 2 + 3) / (cellWidth + 3)));
  const lines: string[] = [];
  for (let at = 0; at < entries.length; at += perLine) {
    const line = entries
      .slice(at, at + perLine)
      .map(([name, times]) => `${name.padEnd(nameWidth)} ${String(times).padStart(countWidth)}`);
    lines.push(`  ${line.join("   ")}`);
  }
  return lines;
}

/** In 80 columns, for people. */
export function coverageText(coverage: Coverage): string {
  return sections
    .flatMap((section) => [section, ...cells(coverage[section]), ""])
    .join("\n")
    .trimEnd();
}
