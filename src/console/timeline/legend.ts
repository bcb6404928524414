/** What the letters of the pictures mean: those that occur, lane by lane. */
import { letterWords, markWords } from "./looks.ts";
import type { Lane, LaneKind } from "./model.ts";

export type LegendRow = { readonly name: string; readonly words: readonly string[] };

const names: readonly (readonly [string, readonly LaneKind[]])[] = [
  ["faults", ["fault"]],
  ["paths", ["path", "one-way", "health"]],
  ["pairs", ["pair"]],
  ["verdicts", ["verdict", "group"]],
  ["roles", ["role"]],
  ["service", ["service"]],
];

export function stateLegend(lanes: readonly Lane[]): readonly LegendRow[] {
  return names.flatMap(([name, kinds]) => {
    const own = lanes.filter(({ kind }) => kinds.includes(kind));
    const words = new Set(
      own.flatMap(({ kind, spans }) =>
        spans.map(({ state, fill }) => letterWords(kind, state, fill)),
      ),
    );
    if (words.size === 0) return [];
    const first = name === "verdicts" ? ["its row, then"] : [];
    return [{ name, words: [...first, ...words] }];
  });
}

/** Each kind of mark with its letter. */
export function markLegend(lanes: readonly Lane[]): ReadonlyMap<string, string> {
  return new Map(
    lanes.flatMap(({ marks }) => marks.map(({ kind, letter }) => [letter, markWords[kind]])),
  );
}

export const hasUnsure = (lanes: readonly Lane[]): boolean =>
  lanes.some(({ spans }) => spans.some(({ sure }) => !sure));
