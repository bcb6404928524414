/** Where things stand in the picture, and how a text is made to fit there. */
import { escaped } from "./escape.ts";
import type { Timeline } from "./model.ts";
import { placeOf } from "./strip.ts";
import { listTime, relativeText } from "./times.ts";

/** A piece of the picture, and the height that it takes. */
export type Drawn = { readonly svg: string; readonly height: number };

export const pictureWidth = 1280;
export const plotLeft = 208;
export const plotWidth = pictureWidth - plotLeft - 24;
export const margin = 20;
export const charWidth = 6.1;

export const fixed = (value: number): string => String(Math.round(value * 10) / 10);
export const xOf = (timeline: Timeline, atMs: number): number =>
  plotLeft + placeOf(timeline, atMs, plotWidth);

/** A text that has to fit; what is cut off stands in its hint. */
export function fitted(text: string, width: number, attributes: string): string {
  const most = Math.max(3, Math.floor(width / charWidth));
  if (text.length <= most) return `<text ${attributes}>${escaped(text)}</text>`;
  const short = `${text.slice(0, most - 2)}..`;
  return `<text ${attributes}>${escaped(short)}<title>${escaped(text)}</title></text>`;
}

export const whenText = (timeline: Timeline, atMs: number): string => {
  const relative = relativeText(atMs - timeline.fromMs);
  return timeline.origin === "virtual" ? relative : `${listTime(atMs, timeline)} (${relative})`;
};
