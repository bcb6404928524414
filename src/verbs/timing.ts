/**
 * `timing`: every deadline that follows from the timings, each with its formula; a death and its
 * detection drawn to scale; and the bounds that detection keeps, with what they presume. The
 * numbers are those of core/base/timing.ts, by which the agent itself works.
 */
import { existsSync } from "node:fs";
import path from "node:path";
import type { Timing } from "../core/base/config.ts";
import { type ExitCode, exitCodes } from "../core/base/exit-codes.ts";
import {
  completeTiming,
  detectionBoundMs,
  gapLimitMs,
  healthMax,
  marginMs,
  mirrorDetectionBoundMs,
  networkDetectionBoundMs,
  settlingMs,
  takeoverPublishLimitMs,
  timingFaults,
  unchangedReadsMin,
} from "../core/base/timing.ts";
import { configFileOf, faultLine, loadConfig, type Origin } from "../host/config-file.ts";
import { type TimingKey, timingKeys } from "../host/config-keys.ts";
import { originText } from "./config.ts";
import { parseVerbArgs, usageError } from "./verb-args.ts";
import type { VerbIo } from "./verb-io.ts";

const help = `mirrorbeat timing [--config FILE] [--interval MS] [...] [--json]

  Prints the timings in effect, every deadline derived from them, and the
  longest time from a host's death to its silence being stated.
  Needs no agent and no configuration: without one it takes the defaults.

  --config FILE      else $MIRRORBEAT_CONFIG, else
                     /etc/mirrorbeat/mirrorbeat.toml if it exists
  --interval MS      try another value; what is not given scales with it
  --poll MS  --margin MS  --latency MS  --read-limit MS
                     try others; the file stays as it is
  --detector fixed|adaptive
  --json             one JSON object

examples
  mirrorbeat timing
  mirrorbeat timing --interval 250
exit codes
  0 printed   64 wrong command line   66 no such file
  78 faults in the configuration, or the timings contradict each other
`;

const options = {
  config: { type: "string" },
  interval: { type: "string" },
  poll: { type: "string" },
  margin: { type: "string" },
  latency: { type: "string" },
  "read-limit": { type: "string" },
  detector: { type: "string" },
  json: { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const;

const flags = {
  interval: "intervalMs",
  poll: "pollMs",
  margin: "marginMs",
  latency: "latencyMs",
  "read-limit": "readLimitMs",
} as const satisfies Partial<Record<keyof typeof options, keyof Timing>>;

type Origins = ReadonlyMap<keyof Timing, Origin>;
type Source = { readonly timing: Timing; readonly origins: Origins; readonly from: string };
type Failure = { readonly code: ExitCode; readonly lines: readonly string[] };

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
  "A bound is no verdict: silence on every path still asks for an operator.",
];

function originIn(origins: Origins): (name: keyof Timing) => string {
  return (name) => originText(origins.get(name) ?? { kind: "default" }, path.basename);
}

function report({ timing, origins, from }: Source): string {
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
    "presumed:",
    ...presumptions.map((text) => `  ${text}`),
    "next: mirrorbeat timing --interval MS to try another; mirrorbeat config show",
    "",
  ].join("\n");
}

function json({ timing, origins, from }: Source): string {
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
    presumes: presumptions,
  })}\n`;
}

function readBase(config: string | undefined, env: NodeJS.ProcessEnv): Source | Failure {
  const file = configFileOf(config, env);
  const isChosen = config !== undefined || Boolean(env["MIRRORBEAT_CONFIG"]);
  if (!isChosen && !existsSync(file)) {
    return { timing: completeTiming({}), origins: new Map(), from: "(no configuration)" };
  }
  const loaded = loadConfig({ file, host: null, anyHost: true });
  if (!loaded.ok) return { code: loaded.code, lines: loaded.faults.map(faultLine) };
  const origins = new Map<keyof Timing, Origin>();
  for (const [key, name] of Object.entries(timingKeys) as [TimingKey, keyof Timing][]) {
    origins.set(name, loaded.origins.get(`timing.${key}`) ?? { kind: "default" });
  }
  return { timing: loaded.config.timing, origins, from: file };
}

type Tried = Partial<Record<keyof typeof flags | "detector", string | undefined>>;

/** Values from the command line; those that the file does not set either are derived anew. */
function tryOthers(base: Source, tried: Tried): Source | string {
  const given: Partial<Record<keyof Timing, number | string>> = {};
  const origins = new Map(base.origins);
  for (const [name, origin] of base.origins) {
    if (origin.kind === "file") given[name] = base.timing[name];
  }
  for (const [flag, name] of Object.entries(flags) as [keyof typeof flags, keyof Timing][]) {
    const text = tried[flag];
    if (text === undefined) continue;
    if (!/^\d{1,7}$/.test(text)) return `--${flag} takes whole milliseconds, not "${text}"`;
    given[name] = Number(text);
    origins.set(name, { kind: "command line" });
  }
  if (tried.detector !== undefined) {
    if (!["fixed", "adaptive"].includes(tried.detector))
      return "--detector takes fixed or adaptive";
    given.detector = tried.detector;
    origins.set("detector", { kind: "command line" });
  }
  const timing = completeTiming(given as Partial<Timing>);
  const usual = completeTiming({});
  for (const name of Object.values(timingKeys)) {
    if (given[name] !== undefined || timing[name] === usual[name]) continue;
    origins.set(name, { kind: "derived", from: "the timings given" });
  }
  return { timing, origins, from: base.from };
}

export async function timingVerb(args: readonly string[], io: VerbIo): Promise<ExitCode> {
  const parsed = parseVerbArgs(args, options);
  if (!parsed.ok) return usageError(io, "timing", parsed.message);
  const { values, positionals } = parsed;
  if (values.help) {
    io.out(help);
    return exitCodes.ok;
  }
  if (positionals.length > 0) return usageError(io, "timing", `unknown word ${positionals[0]}`);
  const base = readBase(values.config, io.env);
  if ("lines" in base) {
    for (const line of base.lines) io.err(`${line}\n`);
    return base.code;
  }
  const source = tryOthers(base, values);
  if (typeof source === "string") return usageError(io, "timing", source);
  const faults = timingFaults(source.timing);
  for (const { message } of faults) io.err(`timing: must be ${message}; try other values\n`);
  if (faults.length > 0) return exitCodes.config;
  io.out(values.json ? json(source) : report(source));
  return exitCodes.ok;
}
