/** The timeline as text: ASCII, for a serial console, a ticket or a mail. */
import { wrapText } from "../examine-lines.ts";
import { changesOf, shownLanes } from "./changes.ts";
import { hasUnsure, markLegend, stateLegend } from "./legend.ts";
import type { Lane, Timeline } from "./model.ts";
import { beatsText, marksText, placeOf, stripText } from "./strip.ts";
import { summaryOf } from "./summary.ts";
import { durationText, listTime, relativeText, relativeTicks } from "./times.ts";

const labelWidth = 24;
const listMax = 300;
const hostWidthMax = 16;

function cut(text: string, width: number): string {
  return text.length <= width ? text.padEnd(width) : `${text.slice(0, width - 2)}..`;
}

/** Times above, and a rule with a mark below each. */
function scaleLines(timeline: Timeline, width: number): string[] {
  const texts = new Array<string>(width).fill(" ");
  const rule = new Array<string>(width).fill("-");
  let freeFrom = 0;
  for (const { atMs, text } of relativeTicks(timeline, Math.max(1, Math.floor(width / 10)))) {
    const at = Math.min(width - 1, Math.floor(placeOf(timeline, atMs, width)));
    rule[at] = "|";
    if (at < freeFrom || at + text.length > width) continue;
    [...text].forEach((char, index) => {
      texts[at + index] = char;
    });
    freeFrom = at + text.length + 1;
  }
  const margin = " ".repeat(labelWidth);
  return [margin + texts.join(""), margin + rule.join("")];
}

function momentLine(timeline: Timeline, atMs: readonly number[], width: number): string {
  const row = new Array<string>(width).fill(" ");
  atMs.forEach((each, index) => {
    const at = Math.min(width - 1, Math.floor(placeOf(timeline, each, width)));
    row[at] = row[at] === " " ? String(index + 1) : "*";
  });
  return cut("moments", labelWidth) + row.join("");
}

function laneLines(timeline: Timeline, lane: Lane, width: number): string[] {
  const lines: string[] = [];
  const label = (text: string): string => `${cut(` ${text}`, labelWidth - 1)} `;
  if (lane.spans.length > 0) lines.push(label(lane.label) + stripText(timeline, lane.spans, width));
  if (lane.beatsMs.length > 0) {
    const name = lane.spans.length > 0 ? "  heartbeats" : lane.label;
    lines.push(label(name) + beatsText(timeline, lane.beatsMs, width));
  }
  if (lane.marks.length > 0) {
    const name = lane.kind === "role" ? "  steps" : "other events";
    lines.push(label(name) + marksText(timeline, lane.marks, width));
  }
  return lines;
}

/** What the characters mean, of those that are there. */
function legendLines(lanes: readonly Lane[], width: number): string[] {
  const row = (name: string, words: readonly string[]): string =>
    `${name.padEnd(10)}${words.join("  ")}`;
  const rows = stateLegend(lanes).map(({ name, words }) => row(name, words));
  const marks = [...markLegend(lanes)].map(([letter, words]) => `${letter} ${words}`);
  if (marks.length > 0) rows.push(row("steps", [...marks, "* several"]));
  if (hasUnsure(lanes))
    rows.push(row("?", ["as last told: that host wrote no line since, and may not have run"]));
  return rows.flatMap((line) => wrapText(line, 10, width));
}

function listLines(timeline: Timeline, width: number): string[] {
  const { changes, leftOut } = changesOf(timeline, listMax);
  const times = changes.map(({ atMs }) => relativeText(atMs - timeline.fromMs));
  const timeWidth = times.reduce((most, text) => Math.max(most, text.length), 0);
  const hostWidth = changes.reduce((most, { host }) => Math.max(most, host.length), 0);
  const shown = Math.min(hostWidthMax, hostWidth);
  const lines = changes.flatMap(({ host, words }, at) => {
    const head = `${(times[at] ?? "").padStart(timeWidth)} ${cut(host, shown)} `;
    return wrapText(words, 0, width - head.length).map(
      (line, row) => (row === 0 ? head : " ".repeat(head.length)) + line,
    );
  });
  const more =
    leftOut > 0 ? [`${leftOut} lesser changes are left out here; name a shorter time`] : [];
  return [...lines, ...more];
}

/** One line each; a word of a journal that is longer than a line is cut. */
export function timelineText(timeline: Timeline, widthColumns = 80): string {
  const { lines, moments } = summaryOf(timeline);
  const { lanes, leftOut } = shownLanes(timeline);
  const width = Math.max(widthColumns, labelWidth + 20) - labelWidth;
  const rule = "-".repeat(widthColumns);
  const columnMs = (timeline.toMs - timeline.fromMs) / width;
  const strips: string[] = [];
  let group = "";
  for (const lane of lanes) {
    if (lane.group !== group) {
      const site = lane.site === "" ? "" : ` of site ${lane.site}`;
      strips.push(`${lane.group}${site}`);
    }
    group = lane.group;
    strips.push(...laneLines(timeline, lane, width));
  }
  const clock = (atMs: number): string =>
    timeline.origin === "wall" ? ` (${listTime(atMs, timeline)})` : "";
  const numbered = moments.map(({ atMs, host, words }, index) => {
    const when = relativeText(atMs - timeline.fromMs) + clock(atMs);
    return `${index + 1}  ${when} ${host}: ${words}`;
  });
  const all = [
    ...wrapText(`REPORT  ${timeline.title}`, 8, widthColumns),
    ...lines.flatMap((line) => wrapText(line, line.indexOf("  ") + 2, widthColumns)),
    rule,
    `one column is ${durationText(columnMs)}`,
    ...scaleLines(timeline, width),
    ...(moments.length > 0
      ? [
          momentLine(
            timeline,
            moments.map(({ atMs }) => atMs),
            width,
          ),
        ]
      : []),
    ...strips,
    ...(leftOut > 0 ? [`${leftOut} calm lanes are left out`] : []),
    rule,
    ...legendLines(lanes, widthColumns),
    ...(moments.length > 0 ? [rule] : []),
    ...numbered.flatMap((line) => wrapText(line, 3, widthColumns)),
    rule,
    ...listLines(timeline, widthColumns),
  ];
  return `${all.map((line) => line.slice(0, widthColumns).trimEnd()).join("\n")}\n`;
}
