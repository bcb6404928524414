/** What a campaign came to, for people: at most 80 columns of ASCII. */
import type { Config } from "../core/base/config.ts";
import { takeoverBoundMs } from "../core/base/lease-timing.ts";
import { detectionBoundMs } from "../core/base/timing.ts";
import { wrapText } from "../console/examine-lines.ts";
import type { Violation } from "../simulation/checker.ts";
import { checkers } from "../simulation/checkers/all.ts";
import { faults } from "../simulation/faults/all.ts";
import type { LatencyTrace } from "../simulation/latency-trace.ts";
import { type AlarmKind, alarmKinds, type Figures } from "../simulation/measure.ts";
import { type Counted, countOf, quantileOf } from "../simulation/quantiles.ts";
import { setups } from "../simulation/setups.ts";

const hourMs = 3_600_000;
const hoursAYear = 8766;

const secondsText = (ms: number | null): string =>
  ms === null ? "-" : `${(ms / 1000).toFixed(2)} s`;

const nameColumns = 32;
const cell = (text: string): string => text.padStart(10);

function figureLine(name: string, counted: Counted, boundMs: number | null): string {
  const of = (part: number): string => cell(secondsText(quantileOf(counted, part)));
  const times = String(countOf(counted)).padStart(7);
  return `${name.padEnd(nameColumns)}${of(0.5)}${of(0.95)}${of(1)}${cell(secondsText(boundMs))}${times}`;
}

/** So many a year; where none was seen, what is excluded with 95 of 100 (the rule of three). */
function perYearText(seen: number, quietMs: number): string {
  if (quietMs <= 0) return "-";
  const years = quietMs / hourMs / hoursAYear;
  const rounded = (value: number): string => String(Number(value.toPrecision(2)));
  return seen > 0 ? rounded(seen / years) : `below ${rounded(3 / years)}`;
}

function latencyLines(latenciesMs: LatencyTrace | null, { timing }: Config): readonly string[] {
  if (!latenciesMs)
    return ["the link: 20 ms, and 5 ms of jitter; give your own by --latency-trace FILE"];
  const late = latenciesMs.filter((ms) => ms > timing.latencyMs).length;
  const given = `the link: ${latenciesMs.length} latencies given, up to ${Math.max(...latenciesMs)} ms`;
  return [`${given}; ${late} above latency_ms (${timing.latencyMs})`];
}

/** What to expect of one's own timings and link. */
export function expectationText(
  figures: Figures,
  config: Config,
  latenciesMs: LatencyTrace | null,
): string {
  const { timing, policy } = config;
  const { quietMs, alarms, missed } = figures;
  const heads = ["MEDIAN", "P95", "MAX", "BOUND"].map(cell).join("");
  const boundMs = takeoverBoundMs(timing, policy === "witness");
  const isAutomatic = countOf(figures.decidedMs) > 0;
  const quietHours = (quietMs / hourMs).toFixed(1);
  const kinds = Object.entries(alarmKinds) as [AlarmKind, string][];
  return [
    `${"EXPECT, FROM A FAILURE ON".padEnd(nameColumns)}${heads}${"TIMES".padStart(7)}`,
    figureLine("a host's death is found", figures.foundMs, detectionBoundMs(timing, 0)),
    ...(missed > 0 ? [`  not found, though watched: ${missed}`] : []),
    ...(isAutomatic
      ? [
          figureLine("the takeover is decided", figures.decidedMs, boundMs),
          figureLine("a service begins elsewhere", figures.servedMs, null),
          ...wrapText("the service's own start is not in it: a simulated one takes no time"),
        ]
      : [`policy ${policy}: nothing was taken over by itself`]),
    ...latencyLines(latenciesMs, config),
    "",
    `${`FALSE ALARMS, IN ${quietHours} QUIET HOURS`.padEnd(56)}${"SEEN".padStart(8)}${"A YEAR".padStart(15)}`,
    ...kinds.map(([kind, words]) => {
      const seen = alarms[kind];
      return `${words.padEnd(56)}${String(seen).padStart(8)}${perYearText(seen, quietMs).padStart(15)}`;
    }),
  ].join("\n");
}

export function violationText({ checker, atMs, text }: Violation): string {
  const words = checkers.find(({ name }) => name === checker)?.words;
  const what = words === undefined ? checker : `${checker}: ${words}`;
  return [
    ...wrapText(`VIOLATION ${what}`, 2),
    ...wrapText(`at ${(atMs / 1000).toFixed(3)} s: ${text}`, 4),
  ].join("\n");
}

function rowsOf(
  title: string,
  rows: readonly { readonly name: string; readonly words: string }[],
): string[] {
  const width = Math.max(...rows.map(({ name }) => name.length)) + 2;
  return [
    title,
    ...rows.flatMap(({ name, words }) => wrapText(`${name.padEnd(width)}${words}`, width)),
    "",
  ];
}

/** Everything that can be named on the command line. */
export function listText(): string {
  const named = faults.map(({ name, words, weight, target }) => {
    const drawn = weight === 0 ? "only where asked for" : `weight ${weight}`;
    return { name, words: `${words} (${target}; ${drawn})` };
  });
  const lines = [
    ...rowsOf("SET-UPS", setups),
    ...rowsOf("FAULTS", named),
    ...rowsOf("CHECKERS", checkers),
  ];
  return lines.join("\n");
}
