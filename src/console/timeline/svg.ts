/**
 * The timeline as one SVG that needs nothing else: no script, no font, no other file. Hints are
 * `<title>` elements; colours follow the reader's scheme.
 *
 * Its size is bounded by its width: what is narrower than a few pixels is drawn as one bar with the
 * gravest tone of what it holds, and says how much that is.
 */
import { shownLanes } from "./changes.ts";
import { escaped } from "./escape.ts";
import { markLegend, stateLegend } from "./legend.ts";
import { type Lane, type LaneKind, type Mark, type Timeline, type Tone, tones } from "./model.ts";
import { placeOf } from "./strip.ts";
import { type Moment, summaryOf } from "./summary.ts";
import { barsOf, beatsPath, type Bar } from "./svg-bars.ts";
import { patterns, schemeCss, svgCss } from "./svg-style.ts";
import {
  clockTicks,
  durationText,
  listTime,
  relativeText,
  relativeTicks,
  type Tick,
} from "./times.ts";

export const pictureWidth = 1280;
const plotLeft = 208;
const plotWidth = pictureWidth - plotLeft - 24;
const margin = 20;
const charWidth = 6.1;

const fixed = (value: number): string => String(Math.round(value * 10) / 10);
const xOf = (timeline: Timeline, atMs: number): number =>
  plotLeft + placeOf(timeline, atMs, plotWidth);

/** A text that has to fit; what is cut off stands in its hint. */
function fitted(text: string, width: number, attributes: string): string {
  const most = Math.max(3, Math.floor(width / charWidth));
  if (text.length <= most) return `<text ${attributes}>${escaped(text)}</text>`;
  const short = `${text.slice(0, most - 2)}..`;
  return `<text ${attributes}>${escaped(short)}<title>${escaped(text)}</title></text>`;
}

const whenText = (timeline: Timeline, atMs: number): string => {
  const relative = relativeText(atMs - timeline.fromMs);
  return timeline.origin === "virtual" ? relative : `${listTime(atMs, timeline)} (${relative})`;
};

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
  const fits = [whole, first.label].find((text) => text.length <= room);
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

type Drawn = { readonly svg: string; readonly height: number };

const barHeight = 15;

function laneSvg(timeline: Timeline, lane: Lane, top: number, barMinPx: number): Drawn {
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

function axis(timeline: Timeline, ticks: readonly Tick[], y: number): string {
  let freeFrom = Number.NEGATIVE_INFINITY;
  return ticks
    .map(({ atMs, text }) => {
      const x = xOf(timeline, atMs);
      const half = (text.length * charWidth) / 2;
      if (x - half < freeFrom) return "";
      freeFrom = x + half + 8;
      const at = Math.min(x, pictureWidth - 4 - half);
      return `<text class="soft num mid" x="${fixed(at)}" y="${fixed(y)}">${escaped(text)}</text>`;
    })
    .join("");
}

/** Numbered discs above, side by side where they are close, each with a line down at its moment. */
function momentsSvg(
  timeline: Timeline,
  moments: readonly Moment[],
  y: number,
  bottom: number,
): string {
  let lastX = Number.NEGATIVE_INFINITY;
  const discs = moments.map((moment) => {
    lastX = Math.max(xOf(timeline, moment.atMs), lastX + 18);
    return { moment, x: lastX };
  });
  const over = Math.max(0, lastX - (plotLeft + plotWidth + 12));
  return discs
    .map(({ moment, x: wished }, index) => {
      const at = xOf(timeline, moment.atMs);
      const x =
        over > 0
          ? Math.min(wished, plotLeft + plotWidth + 12 - 18 * (discs.length - 1 - index))
          : wished;
      const words = `${whenText(timeline, moment.atMs)} ${moment.host}\n${moment.words}`;
      return (
        `<g><title>${escaped(words)}</title><path class="moment" d="M${fixed(x)} ${y}` +
        `L${fixed(at)} ${y + 14}V${bottom}"/><circle class="disc" cx="${fixed(x)}" cy="${y}" r="7.5"/>` +
        `<text class="disc-ink" x="${fixed(x)}" y="${y + 3.6}">${index + 1}</text></g>`
      );
    })
    .join("\n");
}

const toneWords: Readonly<Record<Tone, string>> = {
  quiet: "as it should be",
  idle: "starting, off or not known",
  active: "serves",
  notice: "degraded: stay calm",
  change: "under way, or may take over",
  grave: "silent, broken, or on hold",
  fault: "fault that was injected",
};

function legendSvg(lanes: readonly Lane[], top: number): Drawn {
  const parts: string[] = [];
  let x = margin + 12;
  let y = top + 8;
  const next = (width: number): void => {
    if (x + width > pictureWidth - margin) {
      x = margin + 12;
      y += 22;
    }
  };
  const spans = lanes.flatMap(({ spans: own }) => own);
  const used = new Set(spans.map(({ tone }) => tone));
  const swatch = (tone: string, words: string): void => {
    const width = 34 + words.length * charWidth + 16;
    next(width);
    parts.push(
      `<rect class="${tone}" x="${fixed(x)}" y="${y}" width="26" height="13" rx="2"/>` +
        `<text class="soft" x="${fixed(x + 32)}" y="${y + 10.5}">${escaped(words)}</text>`,
    );
    x += width;
  };
  for (const tone of tones) if (used.has(tone)) swatch(`${tone} bar`, toneWords[tone]);
  if (spans.some(({ sure }) => !sure)) swatch("idle unsure", "as last told, nothing told since");
  const row = (): void => {
    if (x === margin + 12) return;
    x = margin + 12;
    y += 22;
  };
  row();
  for (const [letter, words] of markLegend(lanes)) {
    const width = 24 + words.length * charWidth + 16;
    next(width);
    parts.push(
      `<rect class="mark m-idle" x="${fixed(x)}" y="${y}" width="15" height="14" rx="7"/>` +
        `<text class="letter" x="${fixed(x + 7.5)}" y="${y + 10.5}">${escaped(letter)}</text>` +
        `<text class="soft" x="${fixed(x + 20)}" y="${y + 10.5}">${escaped(words)}</text>`,
    );
    x += width;
  }
  row();
  for (const { name, words } of stateLegend(lanes)) {
    const text = `${name}: ${words.join(", ").replace("then, ", "then ")}`;
    const width = text.length * charWidth + 24;
    next(width);
    parts.push(`<text class="soft" x="${fixed(x)}" y="${y + 10.5}">${escaped(text)}</text>`);
    x += width;
  }
  return { svg: parts.join("\n"), height: y - top + 26 };
}

/** Title, what came of it, and the numbered moments in words: for a picture that stands alone. */
function headSvg(timeline: Timeline): Drawn {
  const { lines, moments } = summaryOf(timeline);
  const parts = [fitted(timeline.title, 800, `class="title" x="${margin}" y="34"`)];
  let y = 58;
  for (const line of lines.slice(0, 14)) {
    const [word = "", ...rest] = line.split("  ");
    parts.push(`<text class="strong" x="${margin}" y="${y}">${escaped(word)}</text>`);
    parts.push(fitted(rest.join(" "), pictureWidth - 140, `x="${margin + 96}" y="${y}"`));
    y += 17;
  }
  if (moments.length > 0) y += 8;
  moments.forEach(({ atMs, host, words }, index) => {
    parts.push(
      `<circle class="disc" cx="${margin + 7.5}" cy="${y - 4}" r="7.5"/>` +
        `<text class="disc-ink" x="${margin + 7.5}" y="${y - 0.4}">${index + 1}</text>` +
        `<text class="soft num" x="${margin + 24}" y="${y}">${escaped(relativeText(atMs - timeline.fromMs))}</text>`,
      fitted(`${host}: ${words}`, pictureWidth - 140, `x="${margin + 96}" y="${y}"`),
    );
    y += 18;
  });
  return { svg: parts.join("\n"), height: y };
}

/** Lanes that stand close to one another. */
function sectionOf(kind: LaneKind): string {
  if (kind === "path" || kind === "one-way" || kind === "health") return "paths";
  return kind === "group" ? "verdict" : kind;
}

/** Its ground, what stands on it, and where it ends. */
type Plot = { readonly under: string; readonly over: string; readonly bottom: number };

function plotSvg(timeline: Timeline, lanes: readonly Lane[], top: number, barMinPx: number): Plot {
  const under: string[] = [];
  const over: string[] = [];
  let y = top;
  let group = "";
  let section = "";
  for (const lane of lanes) {
    if (lane.group !== group) {
      if (group !== "") y += 6;
      const site =
        lane.site === "" ? "" : ` <tspan class="soft">site ${escaped(lane.site)}</tspan>`;
      under.push(`<rect class="band" x="0" y="${fixed(y)}" width="${pictureWidth}" height="22"/>`);
      over.push(
        `<text class="head" x="${margin}" y="${fixed(y + 15.5)}">${escaped(lane.group)}${site}</text>`,
      );
      y += 25;
    }
    if (lane.group === group && sectionOf(lane.kind) !== section) y += 5;
    group = lane.group;
    section = sectionOf(lane.kind);
    const drawn = laneSvg(timeline, lane, y, barMinPx);
    over.push(drawn.svg);
    y += drawn.height;
  }
  const ticks = ticksOf(timeline);
  const grid = ticks
    .map(({ atMs }) => `M${fixed(xOf(timeline, atMs))} ${fixed(top - 6)}V${fixed(y + 4)}`)
    .join("");
  const ground = [...under, `<path class="grid" d="${grid}"/>`].join("\n");
  return { under: ground, over: over.join("\n"), bottom: y + 4 };
}

const ticksOf = (timeline: Timeline): readonly Tick[] =>
  timeline.origin === "virtual" ? relativeTicks(timeline, 14) : clockTicks(timeline, 12);

/** With thousands of states a lane is drawn in coarser pieces. */
const barMinPxOf = (lanes: readonly Lane[]): number =>
  lanes.reduce((sum, { spans }) => sum + spans.length, 0) > 5000 ? 5 : 2.5;

export function timelineSvg(
  timeline: Timeline,
  wish: { readonly isInline?: boolean } = {},
): string {
  const isInline = wish.isInline ?? false;
  const { lanes, leftOut } = shownLanes(timeline);
  const { moments, lines } = summaryOf(timeline);
  const head = isInline ? { svg: "", height: 0 } : headSvg(timeline);
  const top = head.height + (moments.length > 0 ? 62 : 40);
  const plot = plotSvg(timeline, lanes, top, barMinPxOf(lanes));
  const isWall = timeline.origin === "wall";
  const legend = legendSvg(lanes, plot.bottom + (isWall ? 24 : 6));
  const height = Math.ceil(
    plot.bottom + (isWall ? 24 : 6) + legend.height + (leftOut > 0 ? 20 : 0),
  );
  const size = isInline
    ? ""
    : ` width="${pictureWidth}" height="${height}" xmlns="http://www.w3.org/2000/svg"`;
  const clock = isWall ? "UTC" : "simulated time";
  return [
    `<svg class="tl"${size} viewBox="0 0 ${pictureWidth} ${height}" role="img" aria-labelledby="tl-t tl-d">`,
    `<title id="tl-t">${escaped(`Timeline: ${timeline.title}`)}</title>`,
    `<desc id="tl-d">${escaped(lines.join("\n"))}</desc>`,
    `<style>${isInline ? "" : schemeCss}${svgCss}</style><defs>${patterns}</defs>`,
    `<rect class="paper" width="${pictureWidth}" height="${height}"/>`,
    head.svg,
    `<text class="soft" x="${margin}" y="${fixed(head.height + 24)}">${clock}</text>`,
    axis(timeline, ticksOf(timeline), head.height + 24),
    plot.under,
    moments.length > 0 ? momentsSvg(timeline, moments, head.height + 42, plot.bottom) : "",
    plot.over,
    isWall
      ? `<text class="soft" x="${margin}" y="${fixed(plot.bottom + 14)}">since the beginning</text>` +
        axis(timeline, relativeTicks(timeline, 14), plot.bottom + 14)
      : "",
    legend.svg,
    leftOut > 0
      ? `<text class="soft" x="${margin}" y="${height - 10}">${leftOut} calm lanes are left out</text>`
      : "",
    "</svg>",
    "",
  ].join("\n");
}
