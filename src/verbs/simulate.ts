/**
 * `simulate`: the agent as shipped, in simulated worlds, by the thousand; what was exercised, or the
 * first history that breaks a promise. On one's own configuration it tells what to expect of it.
 */
import { readFileSync, statSync } from "node:fs";
import os from "node:os";
import type { Config } from "../core/base/config.ts";
import { type ExitCode, exitCodes, type Refusal } from "../core/base/exit-codes.ts";
import { configFileOf, faultLine, loadConfig } from "../host/config-file.ts";
import {
  type CampaignWish,
  configForSimulation,
  historyOf,
  type Result,
  Tally,
  targetlessFault,
} from "../simulation/campaign.ts";
import { coverageText } from "../simulation/coverage.ts";
import { parseKept } from "../simulation/kept.ts";
import { type LatencyTrace, parseLatencyTrace } from "../simulation/latency-trace.ts";
import { type Lost, runCampaign } from "./simulate-jobs.ts";
import { type OneWish, runKept, runOne, runTranscript, tellFailure } from "./simulate-one.ts";
import {
  contradictionOf,
  drawnOf,
  type Given,
  hoursOf,
  jobsOf,
  type Seeds,
  seedsOf,
  simulateHelp,
  simulateOptions,
} from "./simulate-options.ts";
import { progressOn, rateText } from "./simulate-progress.ts";
import { expectationText, listText, violationText } from "./simulate-text.ts";
import { parseVerbArgs, usageError } from "./verb-args.ts";
import type { VerbIo } from "./verb-io.ts";

const verb = "simulate";
const hourMs = 3_600_000;
const fileBytesMax = 16 << 20;
/** From so many seeds on, what is declared must have been exercised. */
const longSeeds = 2000;

const nowMs = (): number => performance.now();

type Refused = { readonly code: ExitCode; readonly lines: readonly string[] };
const refusedFor = ({ code, message }: Refusal): Refused => ({ code, lines: [message] });

function readText(file: string): string | Refused {
  try {
    if (statSync(file).size <= fileBytesMax) return readFileSync(file, "utf8");
    const message = `${file}: larger than ${fileBytesMax >> 20} MiB; give a smaller one`;
    return refusedFor({ code: exitCodes.dataError, message });
  } catch (error) {
    const why = error instanceof Error && "code" in error ? String(error.code) : String(error);
    const message = `${file}: cannot be read (${why}); name another file`;
    return refusedFor({ code: exitCodes.noInput, message });
  }
}

function latenciesOf(file: string | undefined): LatencyTrace | null | Refused {
  if (file === undefined) return null;
  const text = readText(file);
  if (typeof text !== "string") return text;
  const parsed = parseLatencyTrace(text, file);
  if (parsed.ok) return parsed.latenciesMs;
  return { code: exitCodes.dataError, lines: parsed.faults };
}

function ownOf({ config, host }: Given, env: NodeJS.ProcessEnv): Config | null | Refused {
  if (config === undefined) return null;
  const file = configFileOf(config, env);
  const loaded = loadConfig({ file, host: host ?? null, anyHost: host === undefined });
  if (loaded.ok) return configForSimulation(loaded.config);
  return { code: loaded.code, lines: loaded.faults.map(faultLine) };
}

const isRefused = (value: object | null): value is Refused => value !== null && "lines" in value;

/** What ends a campaign before its last seed. */
function interruption() {
  let isOver = false;
  const end = (): void => {
    isOver = true;
  };
  const names = ["SIGINT", "SIGTERM"] as const;
  for (const name of names) process.once(name, end);
  const ignore = (): void => {
    for (const name of names) process.off(name, end);
  };
  return { isOver: () => isOver, ignore };
}

type Run = {
  readonly given: Given;
  readonly seeds: Seeds;
  readonly hours: number | null;
  readonly jobs: number;
  readonly wish: CampaignWish;
  readonly isJson: boolean;
};

/** The options that choose the same histories, for the command that replays one of them. */
function sameOptions({ setup, fault, config, host, "latency-trace": trace }: Given): string {
  const several = (name: string, values: readonly string[] = []) =>
    values.map((value) => ` --${name} ${value}`);
  const one = (name: string, value: string | undefined) =>
    value === undefined ? "" : ` --${name} ${value}`;
  const drawn = [...several("setup", setup), ...several("fault", fault)].join("");
  return `${drawn}${one("config", config)}${one("host", host)}${one("latency-trace", trace)}`;
}

const replayOf = (seed: number, given: Given): string =>
  `mirrorbeat simulate --seeds ${seed}..${seed}${sameOptions(given)} --trace`;

function failureText(result: Result, given: Given): string {
  const { seed, setup, violations } = result;
  const told = violations.map(violationText).join("\n");
  return `\nSEED ${seed} (${setup})\n${told}\nreplay it: ${replayOf(seed, given)}\n`;
}

type Reached = { readonly tally: Tally; readonly lost: Lost | null; readonly tookMs: number };

/** One seed that is to be shown runs here, in sight of whoever shows it. */
async function runSeeds(
  run: Run,
  one: OneWish,
  io: VerbIo,
): Promise<Reached & { readonly code: ExitCode }> {
  const { given, seeds, hours, jobs, wish } = run;
  const startMs = nowMs();
  const tally = new Tally(wish);
  if (given.trace || given.html !== undefined) {
    const { result, code } = await runOne(historyOf(seeds.from, wish), one, io);
    tally.add(result);
    return { tally, lost: null, tookMs: nowMs() - startMs, code };
  }
  const progress = progressOn(io.err, process.stderr.isTTY, nowMs);
  const untilMs = hours === null ? Number.POSITIVE_INFINITY : hours * hourMs;
  const take = (result: Result): boolean => {
    tally.add(result);
    const ofSeeds = tally.seeds / (seeds.to - seeds.from + 1);
    progress.told(tally.seeds, tally.virtualMs, Math.max(ofSeeds, tally.virtualMs / untilMs));
    return tally.failed === null && tally.virtualMs < untilMs;
  };
  const { isOver } = one;
  const lost = await runCampaign({ seeds, wish, jobs, take, isOver });
  progress.end();
  return { tally, lost, tookMs: nowMs() - startMs, code: exitCodes.ok };
}

function jsonLine({ tally, tookMs }: Reached): string {
  const { failed, coverage, virtualMs, traceHash } = tally;
  const violations =
    failed === null ? [] : failed.violations.map((each) => ({ seed: failed.seed, ...each }));
  const virtualHours = Number((virtualMs / hourMs).toFixed(3));
  const seconds = Number((tookMs / 1000).toFixed(3));
  const told = {
    schema: 1,
    seeds: tally.seeds,
    violations,
    coverage,
    virtualHours,
    seconds,
    traceHash,
  };
  return `${JSON.stringify(told)}\n`;
}

/** What was reached, for people. */
function tell(run: Run, { tally, lost, tookMs }: Reached, isCut: boolean, io: VerbIo): void {
  const { given, wish } = run;
  const { seeds, virtualMs, failed, figures, traceHash } = tally;
  if (!given.trace) io.out(`${coverageText(tally.coverage)}\n\n`);
  if (wish.own && figures.quietMs > 0) {
    io.out(`${expectationText(figures, wish.own, wish.latenciesMs)}\n\n`);
  }
  const hours = (virtualMs / hourMs).toFixed(1);
  const took = `${(tookMs / 1000).toFixed(1)} s, ${rateText(virtualMs, tookMs)}`;
  const cut = isCut ? "interrupted after " : "";
  io.out(
    `${cut}${seeds} ${seeds === 1 ? "seed" : "seeds"}, ${hours} virtual hours in ${took}\ntrace ${traceHash}\n`,
  );
  if (failed) io.out(failureText(failed, given));
  else if (lost === null) io.out("no violation\n");
  if (lost) {
    io.err(`mirrorbeat simulate: seed ${lost.seed}: ${lost.message}\n`);
    io.err(`try it alone: ${replayOf(lost.seed, given)}\n`);
  }
}

/** A long run over everything must have met everything that is declared. */
function untried({ wish }: Run, { tally }: Reached): readonly string[] {
  const isWhole = wish.own === null && wish.setups.length === 0 && wish.faults.length === 0;
  if (!isWhole || tally.seeds < longSeeds) return [];
  return tally.missing.map(({ section, name }) => `${section}: ${name}`);
}

async function campaign(run: Run, one: OneWish, io: VerbIo): Promise<ExitCode> {
  const reached = await runSeeds(run, one, io);
  const { tally, lost } = reached;
  const isCut = one.isOver() && tally.failed === null;
  if (!run.isJson) tell(run, reached, isCut, io);
  const [violation] = tally.failed?.violations ?? [];
  let kept: ExitCode = exitCodes.ok;
  if (tally.failed && violation) {
    kept = await tellFailure(historyOf(tally.failed.seed, run.wish), violation, one, io);
  }
  const never = untried(run, reached);
  for (const name of never) io.err(`mirrorbeat simulate: never exercised: ${name}\n`);
  if (run.isJson) io.out(jsonLine(reached));
  if (tally.failed || lost || never.length > 0) return exitCodes.software;
  if (kept !== exitCodes.ok) return kept;
  if (reached.code !== exitCodes.ok) return reached.code;
  return isCut ? exitCodes.tryLater : exitCodes.ok;
}

async function scenarioFile(file: string, one: OneWish, io: VerbIo): Promise<ExitCode | Refused> {
  const text = readText(file);
  if (typeof text !== "string") return text;
  if (!text.trimStart().startsWith("{")) return runTranscript(text, file, one, io);
  const parsed = parseKept(text, file, one.own);
  if (!parsed.ok) return refusedFor({ code: exitCodes.dataError, message: parsed.message });
  return runKept(parsed.kept.scenario, one, io);
}

/** What the files that are named hold; null where all is as it should be is never given. */
function wishOf(given: Given, drawn: CampaignWish, io: VerbIo): CampaignWish | Refused {
  const own = ownOf(given, io.env);
  if (isRefused(own)) return own;
  const latenciesMs = latenciesOf(given["latency-trace"]);
  if (latenciesMs !== null && "lines" in latenciesMs) return latenciesMs;
  return { ...drawn, own, latenciesMs };
}

export async function simulateVerb(args: readonly string[], io: VerbIo): Promise<ExitCode> {
  const parsed = parseVerbArgs(args, simulateOptions);
  if (!parsed.ok) return usageError(io, verb, parsed.message);
  const { values: given, positionals } = parsed;
  if (given.help || given.list) {
    io.out(given.help ? simulateHelp : listText());
    return exitCodes.ok;
  }
  if (positionals.length > 0) return usageError(io, verb, `unexpected '${positionals[0]}'`);
  const seeds = seedsOf(given);
  if (typeof seeds === "string") return usageError(io, verb, seeds);
  const hours = hoursOf(given);
  if (typeof hours === "string") return usageError(io, verb, hours);
  const jobs = jobsOf(given, os.availableParallelism());
  if (typeof jobs === "string") return usageError(io, verb, jobs);
  const drawn = drawnOf(given);
  if (typeof drawn === "string") return usageError(io, verb, drawn);
  const contradiction = contradictionOf(given, seeds);
  if (contradiction !== null) return usageError(io, verb, contradiction);
  const refuse = ({ code, lines }: Refused): ExitCode => {
    for (const line of lines) io.err(`mirrorbeat ${verb}: ${line}\n`);
    return code;
  };
  const wish = wishOf(given, drawn, io);
  if ("lines" in wish) return refuse(wish);
  const targetless = targetlessFault(wish);
  if (targetless !== null)
    return usageError(io, verb, `--fault ${targetless}: no set-up chosen has a target for it`);
  const { isOver, ignore } = interruption();
  const one: OneWish = { given, own: wish.own, latenciesMs: wish.latenciesMs, isOver, nowMs };
  try {
    if (given.scenario !== undefined) {
      const ended = await scenarioFile(given.scenario, one, io);
      return typeof ended === "number" ? ended : refuse(ended);
    }
    return await campaign(
      { given, seeds, hours, jobs, wish, isJson: given.json ?? false },
      one,
      io,
    );
  } finally {
    ignore();
  }
}
