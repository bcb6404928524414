/** One lane of the picture: its bars, its heartbeats, and the badges of what happened in a moment. */
import { escaped } from "./escape.ts";
import { type Lane, type Mark, type Timeline, type Tone, tones } from "./model.ts";
import { type Bar, barsOf, beatsPath } from "./svg-bars.ts";
import {
  charWidth,
  type Drawn,
  fitted,
  fixed,
  margin,
  plotLeft,
  plotWidth,
  whenText,
  xOf,
} from "./svg-place.ts";
import { durationText } from "./times.ts";

function barHint(timeline: Timeline, { first, last, count }: Bar): string {
  const lasted = durationText(last.toMs - first.fromMs);
  const when = `${whenText(timeline, first.fromMs)}, for ${lasted}`;
  if (count > 1) return `${count} changes too close to draw\n${when}\nfirst: ${first.words}`;
  const sure = first.sure ? "" : "\nas last told: nothing was told since";
  return `${first.words}\n${when}${sure}`;
}

/** The longest that fits of: all of it, the word, the letter. */
function barText({ first, count }: Bar, width: number): string {
  if (count > 1) return "";
  const room = (width - 9) / charWidth;
  const whole = first.detail === "" ? first.label : `${first.label}: ${first.detail}`;
  if (first.state === "fault" && whole.length > room && room >= 6)
    return `${whole.slice(0, Math.floor(room) - 2)}..`;
  const brief = first.label.replace(/^row /, "");
  const fits = [whole, first.label, brief].find((text) => text.length <= room);
  return fits ?? (first.letter.length <= (width - 4) / 7 ? first.letter : "");
}

function barSvg(timeline: Timeline, bar: Bar, y: number, height: number): string {
  const left = xOf(timeline, bar.first.fromMs);
  const width = Math.max(2, xOf(timeline, bar.last.toMs) - left);
  const x = Math.min(left, plotLeft + plotWidth - width);
  const unsure = bar.first.sure ? "bar" : "unsure";
  const place = `x="${fixed(x)}" y="${fixed(y)}" width="${fixed(width)}" height="${height}" rx="2"`;
  const text = barText(bar, width);
  const ink = bar.first.sure ? `in i-${bar.tone}` : "in-unsure";
  const at = text.length === 1 || width < 24 ? x + width / 2 : x + 5;
  const anchor = at === x + 5 ? "" : " mid";
  const label =
    text === ""
      ? ""
      : `<text class="${ink}${anchor}" x="${fixed(at)}" y="${fixed(y + height / 2 + 4)}">${escaped(text)}</text>`;
  return (
    `<g><title>${escaped(barHint(timeline, bar))}</title>` +
    (bar.first.sure ? "" : `<rect class="paper" ${place}/>`) +
    `<rect class="${bar.tone} ${unsure}" ${place}/>${label}</g>`
  );
}

type Cluster = { readonly x: number; readonly marks: readonly Mark[] };

/** Marks that would lie on one another share a badge. */
function clusters(timeline: Timeline, marks: readonly Mark[]): readonly Cluster[] {
  const found: { x: number; marks: Mark[]; endX: number }[] = [];
  for (const mark of [...marks].sort((a, b) => a.atMs - b.atMs)) {
    const x = xOf(timeline, mark.atMs);
    const last = found.at(-1);
    if (last && x < last.endX) last.marks.push(mark);
    else found.push({ x, marks: [mark], endX: x });
    const current = found.at(-1);
    if (current) current.endX = current.x + badgeWidth(badgeText(current.marks)) + 3;
  }
  return found;
}

const badgeLettersMax = 5;
const hintLinesMax = 12;

function badgeText(marks: readonly Mark[]): string {
  const letters = marks.map(({ letter }) => letter);
  if (letters.length <= badgeLettersMax) return letters.join("");
  return `${[...new Set(letters)].slice(0, 3).join("")}+${marks.length}`;
}
const badgeWidth = (text: string): number => Math.max(15, 7.2 * text.length + 7);

const gravest = (marks: readonly { readonly tone: Tone }[]): Tone =>
  marks.reduce<Tone>(
    (most, { tone }) => (tones.indexOf(tone) > tones.indexOf(most) ? tone : most),
    "quiet",
  );

function badgeSvg(timeline: Timeline, { x, marks }: Cluster, y: number): string {
  const text = badgeText(marks);
  const width = badgeWidth(text);
  const left = Math.min(Math.max(x - 7.5, plotLeft - 4), plotLeft + plotWidth - width + 8);
  const lines = marks
    .slice(0, hintLinesMax)
    .map(({ atMs, words }) => `${whenText(timeline, atMs)}  ${words}`);
  if (marks.length > hintLinesMax) lines.push(`and ${marks.length - hintLinesMax} more`);
  const tone = gravest(marks);
  return (
    `<g><title>${escaped(lines.join("\n"))}</title>` +
    `<path class="stem m-${tone}" d="M${fixed(x)} ${fixed(y - 3)}v4"/>` +
    `<rect class="mark m-${tone}" x="${fixed(left)}" y="${fixed(y + 1)}" width="${fixed(width)}" height="14" rx="7"/>` +
    `<text class="letter" x="${fixed(left + width / 2)}" y="${fixed(y + 11.4)}">${escaped(text)}</text></g>`
  );
}

const barHeight = 15;

export function laneSvg(timeline: Timeline, lane: Lane, top: number, barMinPx: number): Drawn {
  const parts: string[] = [];
  let y = top + 3;
  const label = (text: string, tone = ""): string =>
    fitted(
      text,
      plotLeft - margin - 22,
      `class="${tone}" x="${margin + 12}" y="${fixed(y + barHeight / 2 + 4)}"`,
    );
  if (lane.spans.length > 0) {
    parts.push(label(lane.label, lane.kind === "role" ? "strong" : ""));
    parts.push(
      `<path class="grid" d="M${plotLeft} ${fixed(y + barHeight / 2)}h${plotWidth}"/>`,
      ...barsOf(lane.spans, (atMs) => xOf(timeline, atMs), barMinPx).map((bar) =>
        barSvg(timeline, bar, y, barHeight),
      ),
    );
    y += barHeight + 4;
  }
  if (lane.beatsMs.length > 0) {
    if (lane.spans.length === 0) parts.push(label(lane.label));
    const path = beatsPath(
      lane.beatsMs,
      (atMs) => xOf(timeline, atMs),
      lane.spans.length > 0 ? y - 3 : y,
    );
    parts.push(
      `<g><title>${lane.beatsMs.length} heartbeats</title><path class="beat" d="${path}"/></g>`,
    );
    y += lane.spans.length > 0 ? 7 : barHeight + 4;
  }
  if (lane.marks.length > 0) {
    parts.push(label(lane.kind === "role" ? "steps" : "other events", "soft"));
    for (const cluster of clusters(timeline, lane.marks))
      parts.push(badgeSvg(timeline, cluster, y));
    y += barHeight + 5;
  }
  return { svg: parts.join("\n"), height: y - top + 1 };
}
