/**
 * The timeline as one SVG that needs nothing else: no script, no font, no other file. Hints are
 * `<title>` elements; colours follow the reader's scheme.
 *
 * Its size is bounded by its width: what is narrower than a few pixels is drawn as one bar with the
 * gravest tone of what it holds, and says how much that is.
 */
import { shownLanes } from "./changes.ts";
import { escaped } from "./escape.ts";
import type { Lane, LaneKind, Timeline } from "./model.ts";
import { type Moment, summaryOf } from "./summary.ts";
import { laneSvg } from "./svg-lane.ts";
import { legendSvg } from "./svg-legend.ts";
import {
  charWidth,
  type Drawn,
  fitted,
  fixed,
  margin,
  pictureWidth,
  plotLeft,
  plotWidth,
  whenText,
  xOf,
} from "./svg-place.ts";
import { patterns, schemeCss, svgCss } from "./svg-style.ts";
import { clockTicks, relativeText, relativeTicks, type Tick } from "./times.ts";

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
function barMinPxOf(lanes: readonly Lane[]): number {
  const count = lanes.reduce((sum, { spans }) => sum + spans.length, 0);
  if (count > 20_000) return 8;
  return count > 5000 ? 5 : 2.5;
}

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
