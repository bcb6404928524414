/** Spans to bars: one each while there is room, else several in one; heartbeats to ticks. */
import { type Span, type Tone, tones } from "./model.ts";

export type Bar = {
  readonly first: Span;
  readonly last: Span;
  readonly count: number;
  readonly tone: Tone;
};

const graver = (a: Tone, b: Tone): Tone => (tones.indexOf(b) > tones.indexOf(a) ? b : a);

/**
 * Bars in the order in which they are drawn: the wide ones first, so that a narrow one between them
 * is not hidden. Narrow ones within `minPx` of the first of them become one.
 */
export function barsOf(
  spans: readonly Span[],
  xOf: (atMs: number) => number,
  minPx: number,
): readonly Bar[] {
  const wide: Bar[] = [];
  const narrow: Bar[] = [];
  let isGathering = false;
  for (const span of spans) {
    const x = xOf(span.fromMs);
    if (xOf(span.toMs) - x >= minPx) {
      wide.push({ first: span, last: span, count: 1, tone: span.tone });
      isGathering = false;
      continue;
    }
    const open = isGathering ? narrow.at(-1) : undefined;
    if (open && xOf(span.toMs) - xOf(open.first.fromMs) < 2 * minPx) {
      const { first, count, tone } = open;
      narrow[narrow.length - 1] = {
        first,
        last: span,
        count: count + 1,
        tone: graver(tone, span.tone),
      };
    } else narrow.push({ first: span, last: span, count: 1, tone: span.tone });
    isGathering = true;
  }
  return [...wide, ...narrow];
}

/** At most one tick in a pixel. */
export function beatsPath(
  beatsMs: readonly number[],
  xOf: (atMs: number) => number,
  y: number,
): string {
  const height = 5;
  let last = Number.NEGATIVE_INFINITY;
  let path = "";
  for (const atMs of beatsMs) {
    const x = Math.round(xOf(atMs)) + 0.5;
    if (x === last) continue;
    last = x;
    path += `M${x} ${Math.round(y)}v${height}`;
  }
  return path;
}
