/**
 * What `timing` prints: the timings, every deadline that follows from them with its formula, and
 * a death and its detection drawn to scale. The numbers are those by which the agent itself works.
 */
import path from "node:path";
import type { Timing } from "../core/base/config.ts";
import {
  detectionBoundMs,
  gapLimitMs,
  healthMax,
  marginMs,
  mirrorDetectionBoundMs,
  networkDetectionBoundMs,
  settlingMs,
  takeoverPublishLimitMs,
  unchangedReadsMin,
} from "../core/base/timing.ts";
import { timingKeys } from "../host/config-keys.ts";
import { originText } from "./config.ts";
import type { Origins, Source } from "./timing-source.ts";
import {
  takeoverJson,
  takeoverLines,
  takeoverPresumptions,
  takeoverVerdict,
} from "./timing-takeover.ts";

/** One stretch of a death's way to its verdict. */
type Phase = { readonly name: string; readonly ms: number };

export function mirrorPhases(timing: Timing, health: number): readonly Phase[] {
  const waited = timing.intervalMs + marginMs(timing, health);
  const reads = unchangedReadsMin * timing.pollMs;
  const margin = health === 0 ? "margin" : `margin x ${1 + health}`;
  const wait: readonly Phase[] =
    waited >= reads
      ? [
          { name: "interval", ms: timing.intervalMs },
          { name: margin, ms: marginMs(timing, health) },
        ]
      : [{ name: `${unchangedReadsMin} unchanged reads`, ms: reads }];
  return [
    { name: "latency", ms: timing.latencyMs },
    { name: "poll", ms: timing.pollMs },
    { name: "read, last record", ms: timing.readLimitMs },
    ...wait,
    { name: "read under way", ms: timing.readLimitMs },
    { name: "read that decides", ms: timing.readLimitMs },
    { name: "scheduling", ms: timing.schedulingMs },
  ];
}

const barColumns = 42;

/** Each phase as a bar at its place in time; every line at most 80 columns. */
export function timeline(phases: readonly Phase[]): readonly string[] {
  const totalMs = phases.reduce((sum, phase) => sum + phase.ms, 0);
  const column = (ms: number) => Math.round((ms / totalMs) * barColumns);
  let endMs = 0;
  return phases.map(({ name, ms }) => {
    const from = column(endMs);
    endMs += ms;
    const bar = "=".repeat(Math.max(ms > 0 ? 1 : 0, column(endMs) - from));
    const at = Math.min(from, barColumns - bar.length);
    const text = `${" ".repeat(at)}${bar}`.padEnd(barColumns);
    return `${name.padEnd(18)}${String(ms).padStart(8)} |${text}|${String(endMs).padStart(9)}`;
  });
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;

function derivedRows(t: Timing): readonly (readonly [string, number, string])[] {
  return [
    ["gap limit", gapLimitMs(t), "2 poll + scheduling: our own gap"],
    ["margin, h=7", marginMs(t, healthMax), "margin x (1 + 7)"],
    ["settling", settlingMs(t), "max(interval+margin, 3 poll) + poll"],
    ["pair age limit", t.pairAgeLimitMs, "an older pair state is unknown"],
    ["publish limit", takeoverPublishLimitMs(t), "max(10 s, 4 write limit)"],
    ["mirror, h=0", mirrorDetectionBoundMs(t, 0), "B(0)"],
    ["mirror, h=7", mirrorDetectionBoundMs(t, healthMax), "B(7)"],
    ["network, h=0", networkDetectionBoundMs(t, 0), "N(0)"],
    ["network, h=7", networkDetectionBoundMs(t, healthMax), "N(7)"],
    ["verdict, h=0", detectionBoundMs(t, 0), "max(B(0), N(0)): every path is needed"],
    ["verdict, h=7", detectionBoundMs(t, healthMax), "max(B(7), N(7))"],
  ];
}

const presumptions = [
  "a write is visible at the SVOL, a datagram arrives, within latency;",
  "a good read ends within read limit, a timer is late by scheduling at most;",
  "the observer itself did not stall: after one it waits interval + margin anew;",
  "and its reads are not slow without end: a slow or failed read proves nothing.",
];

function originIn(origins: Origins): (name: keyof Timing) => string {
  return (name) => originText(origins.get(name) ?? { kind: "default" }, path.basename);
}

export function report(source: Source): string {
  const { timing, origins, from } = source;
  const originOf = originIn(origins);
  const bound = (health: number) => seconds(detectionBoundMs(timing, health));
  const line = "-".repeat(80);
  const settings = Object.entries(timingKeys).map(([key, name]) => {
    return `${key.padEnd(20)}${String(timing[name]).padStart(9)}  ${originOf(name)}`.slice(0, 80);
  });
  const derived = derivedRows(timing).map(
    ([name, ms, formula]) => `${name.padEnd(20)}${String(ms).padStart(9)}  ${formula}`,
  );
  return [
    `detected within ${bound(0)} by a healthy observer, ${bound(healthMax)} by the least healthy`,
    takeoverVerdict(source),
    line,
    `${"TIMING (ms)".padEnd(20)}${"VALUE".padStart(9)}  FROM ${from}`.slice(0, 80),
    ...settings,
    line,
    `${"DERIVED (ms)".padEnd(20)}${"VALUE".padStart(9)}  FORMULA`,
    ...derived,
    "B(h) = latency + poll + read + max(interval + margin (1+h), 3 poll)",
    "       + 2 read + scheduling          read = read limit, h = own ill health",
    "N(h) = latency + poll + max(interval + margin (1+h), 3 poll) + scheduling",
    line,
    "A DEATH JUST AFTER A WRITE, MIRROR PATH, h=0, WORST CASE (ms)".padEnd(75) + "UNTIL",
    ...timeline(mirrorPhases(timing, 0)),
    line,
    ...takeoverLines(source),
    "presumed:",
    ...[...presumptions, ...takeoverPresumptions(source)].map((text) => `  ${text}`),
    "next: mirrorbeat timing --interval MS to try another; mirrorbeat config show",
    "",
  ].join("\n");
}

export function json(source: Source): string {
  const { timing, origins, from } = source;
  const originOf = originIn(origins);
  const both = (bound: (timing: Timing, health: number) => number) => ({
    healthy: bound(timing, 0),
    leastHealthy: bound(timing, healthMax),
  });
  return `${JSON.stringify({
    schema: 1,
    from,
    timing,
    origins: Object.fromEntries(Object.values(timingKeys).map((name) => [name, originOf(name)])),
    detectionBoundMs: both(detectionBoundMs),
    mirror: { detectionBoundMs: both(mirrorDetectionBoundMs), phases: mirrorPhases(timing, 0) },
    network: { detectionBoundMs: both(networkDetectionBoundMs) },
    derived: {
      gapLimitMs: gapLimitMs(timing),
      marginLeastHealthyMs: marginMs(timing, healthMax),
      settlingMs: settlingMs(timing),
      takeoverPublishLimitMs: takeoverPublishLimitMs(timing),
    },
    takeover: takeoverJson(source),
    presumes: [...presumptions, ...takeoverPresumptions(source)],
  })}\n`;
}
