/** How often each whole millisecond was measured: bounded, can be added up, and read as quantiles. */

export type Counted = Readonly<Record<string, number>>;

export function addOne(counted: Record<string, number>, ms: number): void {
  const key = String(Math.round(ms));
  counted[key] = (counted[key] ?? 0) + 1;
}

export function addAll(counted: Record<string, number>, more: Counted): void {
  for (const [key, times] of Object.entries(more)) counted[key] = (counted[key] ?? 0) + times;
}

export const countOf = (counted: Counted): number =>
  Object.values(counted).reduce((sum, times) => sum + times, 0);

/** The smallest that so large a part is not above; null where nothing was measured. */
export function quantileOf(counted: Counted, part: number): number | null {
  const values = Object.keys(counted)
    .map(Number)
    .sort((a, b) => a - b);
  const wanted = part * countOf(counted);
  let seen = 0;
  for (const value of values) {
    seen += counted[String(value)] ?? 0;
    if (seen >= wanted) return value;
  }
  return values.at(-1) ?? null;
}
