/**
 * A lane cut into cells of equal width: what a column of text, or a pixel, has to show. Of several
 * states within a cell the gravest stands, so that no short fault vanishes in a long picture.
 */
import { type Mark, type Span, type Timeline, tones } from "./model.ts";

/** Where a moment lies between 0 and `width`. */
export function placeOf({ fromMs, toMs }: Timeline, atMs: number, width: number): number {
  const spanMs = Math.max(toMs - fromMs, 1);
  return (Math.min(Math.max(atMs - fromMs, 0), spanMs) / spanMs) * width;
}

/** The state that each of `count` cells shows; null where nothing was told. */
export function cellsOf(
  timeline: Timeline,
  spans: readonly Span[],
  count: number,
): readonly (Span | null)[] {
  const cells = Array.from({ length: count }, (): Span | null => null);
  const heldMs = new Array<number>(count).fill(0);
  const cellMs = Math.max(timeline.toMs - timeline.fromMs, 1) / count;
  for (const span of spans) {
    const first = Math.min(count - 1, Math.floor(placeOf(timeline, span.fromMs, count)));
    const end = placeOf(timeline, span.toMs, count);
    const last = Math.max(first, Math.min(count - 1, Math.ceil(end) - 1));
    for (let cell = first; cell <= last; cell++) {
      const known = cells[cell] ?? null;
      const beginMs = timeline.fromMs + cell * cellMs;
      const share = Math.min(span.toMs, beginMs + cellMs) - Math.max(span.fromMs, beginMs);
      const graver = known === null ? 1 : tones.indexOf(span.tone) - tones.indexOf(known.tone);
      if (graver < 0 || (graver === 0 && share < (heldMs[cell] ?? 0))) continue;
      cells[cell] = span;
      heldMs[cell] = share;
    }
  }
  return cells;
}

/** A fault is named, as far as there is room: no letter could tell it. */
const leadOf = ({ state, letter, label }: Span): string =>
  state === "fault" ? `${letter}${label} ` : letter;

/** One character a cell: a span's letter where it begins, then its fill; "?" where it is not sure. */
export function stripText(timeline: Timeline, spans: readonly Span[], count: number): string {
  const cells = cellsOf(timeline, spans, count);
  let text = "";
  for (let at = 0; at < count; ) {
    const span = cells[at] ?? null;
    let end = at + 1;
    while (end < count && (cells[end] ?? null) === span) end++;
    const length = end - at;
    if (span === null) text += " ".repeat(length);
    else if (!span.sure) text += "?".repeat(length);
    else text += (leadOf(span) + span.fill.repeat(length)).slice(0, length);
    at = end;
  }
  return text;
}

/** Marks as characters: the kind's letter, or `*` where several kinds fall in one column. */
export function marksText(timeline: Timeline, marks: readonly Mark[], count: number): string {
  const row = new Array<string>(count).fill(" ");
  for (const { atMs, letter } of marks) {
    const at = Math.min(count - 1, Math.floor(placeOf(timeline, atMs, count)));
    row[at] = row[at] === " " || row[at] === letter ? letter : "*";
  }
  return row.join("");
}

/** Heartbeats: a bar in each column in which one came. */
export function beatsText(timeline: Timeline, beatsMs: readonly number[], count: number): string {
  const row = new Array<string>(count).fill(" ");
  for (const atMs of beatsMs) {
    row[Math.min(count - 1, Math.floor(placeOf(timeline, atMs, count)))] = "|";
  }
  return row.join("");
}
