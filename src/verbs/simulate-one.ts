/** One history: run, told line by line, drawn, cut down to the least that fails, kept. */
import { coverageText } from "../simulation/coverage.ts";
import type { Config } from "../core/base/config.ts";
import { type ExitCode, exitCodes } from "../core/base/exit-codes.ts";
import { writeFileAtomically } from "../host/atomic-file.ts";
import { configOf, type Result, runHistory } from "../simulation/campaign.ts";
import type { Violation } from "../simulation/checker.ts";
import { keptText } from "../simulation/kept.ts";
import type { LatencyTrace } from "../simulation/latency-trace.ts";
import type { Watcher } from "../simulation/observation.ts";
import { warmUpMsOf } from "../simulation/run.ts";
import type { Scenario } from "../simulation/scenario.ts";
import { runScript, scriptFaultText } from "../simulation/script/run-script.ts";
import { type Shrunk, shrink } from "../simulation/shrink.ts";
import { lineOf } from "../simulation/trace.ts";
import type { Given } from "./simulate-options.ts";
import { rateText } from "./simulate-progress.ts";
import { violationText } from "./simulate-text.ts";
import { TimelineRecorder } from "./simulate-timeline.ts";
import type { VerbIo } from "./verb-io.ts";

export type OneWish = {
  readonly given: Given;
  readonly own: Config | null;
  readonly latenciesMs: LatencyTrace | null;
  readonly isOver: () => boolean;
  readonly nowMs: () => number;
};

const faultsToldMax = 10;

/** Prints what is watched, each line with its time; blocks that land only where they are wanted. */
function printer(io: VerbIo, withWrites: boolean): Watcher {
  return (watched, atMs) => {
    if (watched.kind === "write" && !withWrites) return;
    const line = lineOf(watched);
    if (line !== null) io.out(`${(atMs / 1000).toFixed(3).padStart(11)} ${line}\n`);
  };
}

async function writeTo(file: string, text: string, io: VerbIo): Promise<ExitCode> {
  const written = await writeFileAtomically(file, text, 0o644);
  if (!written.ok) {
    io.err(`mirrorbeat simulate: ${written.message}\n`);
    return written.code;
  }
  io.err(`mirrorbeat simulate: ${file}: ${Buffer.byteLength(text)} bytes\n`);
  return exitCodes.ok;
}

/** Everybody that wants to watch. */
function watchOf(recorder: TimelineRecorder | null, { trace, writes }: Given, io: VerbIo) {
  return (...args: Parameters<TimelineRecorder["watch"]>): Watcher => {
    const watchers = [
      ...(recorder ? [recorder.watch(...args)] : []),
      ...(trace ? [printer(io, writes ?? false)] : []),
    ];
    return (watched, atMs) => {
      for (const watcher of watchers) watcher(watched, atMs);
    };
  };
}

const titleOf = ({ setup, seed }: Scenario): string => `simulated, set-up ${setup}, seed ${seed}`;

export function commentOf({ checker, atMs, text }: Violation): string {
  return `${checker} at ${(atMs / 1000).toFixed(3)} s: ${text}`;
}

/** The least history that fails alike. */
export async function shrunk(
  scenario: Scenario,
  violation: Violation,
  wish: OneWish,
  io: VerbIo,
): Promise<Shrunk> {
  const config = configOf(scenario, wish.own);
  if (!config) throw new Error(`assertion failed: set-up ${scenario.setup} is known`);
  const isTerminal = process.stderr.isTTY;
  const { latenciesMs, isOver } = wish;
  const violationOf = async (tried: Scenario): Promise<Violation | null> => {
    const { violations } = await runHistory(tried, config, { latenciesMs });
    return violations.find(({ checker }) => checker === violation.checker) ?? null;
  };
  const onRun = (runs: number, steps: number): void => {
    if (isTerminal) io.err(`\rsimulate: shrinking, ${runs} runs, ${steps} steps left   `);
  };
  const result = await shrink(scenario, violation, {
    violationOf,
    warmUpMs: warmUpMsOf(config),
    onRun,
    isOver,
  });
  if (isTerminal) io.err("\n");
  const { runs } = result;
  const steps = `${scenario.steps.length} steps to ${result.scenario.steps.length}`;
  io.err(`mirrorbeat simulate: shrunk from ${steps} in ${runs} runs\n`);
  return result;
}

/** What failed, as small as was asked for, printed or written. */
export async function tellFailure(
  scenario: Scenario,
  violation: Violation,
  wish: OneWish,
  io: VerbIo,
): Promise<ExitCode> {
  const { shrink: isShrunk, keep } = wish.given;
  if (!isShrunk && keep === undefined) return exitCodes.ok;
  const least = isShrunk ? await shrunk(scenario, violation, wish, io) : { scenario, violation };
  const text = keptText({ comment: commentOf(least.violation), scenario: least.scenario });
  if (keep !== undefined) return writeTo(keep, text, io);
  io.out(text);
  return exitCodes.ok;
}

/** A history with what was asked for on the way; its result is for the caller to tell. */
export async function runOne(
  scenario: Scenario,
  wish: OneWish,
  io: VerbIo,
): Promise<{ readonly result: Result; readonly code: ExitCode }> {
  const config = configOf(scenario, wish.own);
  if (!config) throw new Error(`assertion failed: set-up ${scenario.setup} is known`);
  const { given, latenciesMs } = wish;
  const recorder = given.html === undefined ? null : new TimelineRecorder();
  const watch = watchOf(recorder, given, io);
  const result = await runHistory(scenario, config, { latenciesMs, watch });
  if (!recorder || given.html === undefined) return { result, code: exitCodes.ok };
  const notes = result.violations.map((violation) => `VIOLATION ${commentOf(violation)}`);
  return { result, code: await writeTo(given.html, recorder.html(titleOf(scenario), notes), io) };
}

/** A history of a file that `--shrink` or `--keep` wrote. */
export async function runKept(scenario: Scenario, wish: OneWish, io: VerbIo): Promise<ExitCode> {
  const startMs = wish.nowMs();
  const { result, code } = await runOne(scenario, wish, io);
  const rate = rateText(result.virtualMs, wish.nowMs() - startMs);
  const { virtualMs, traceHash, violations, coverage } = result;
  const [violation] = violations;
  if (!violation && !wish.given.trace) io.out(`${coverageText(coverage)}\n\n`);
  io.out(`${scenario.setup}: ${(virtualMs / 1000).toFixed(0)} s, ${rate}, trace ${traceHash}\n`);
  if (!violation) return code;
  io.out(`${violationText(violation)}\n`);
  const told = await tellFailure(scenario, violation, wish, io);
  return told === exitCodes.ok ? exitCodes.software : told;
}

/** A transcript: its own words with its outputs as they are now. */
export async function runTranscript(
  text: string,
  file: string,
  wish: OneWish,
  io: VerbIo,
): Promise<ExitCode> {
  const { given, own } = wish;
  const recorder = given.html === undefined ? null : new TimelineRecorder();
  const outcome = await runScript(text, file, { config: own, watch: watchOf(recorder, given, io) });
  for (const fault of outcome.faults.slice(0, faultsToldMax)) io.err(`${scriptFaultText(fault)}\n`);
  const more = outcome.faults.length - faultsToldMax;
  if (more > 0) io.err(`${file}: and ${more} faults more\n`);
  if (outcome.virtualMs === 0) return exitCodes.dataError;
  if (!given.trace) io.out(outcome.text);
  for (const violation of outcome.violations) io.out(`${violationText(violation)}\n`);
  if (!outcome.isUpToDate) io.err(`mirrorbeat simulate: ${file}: its outputs are other ones now\n`);
  if (recorder && given.html !== undefined) {
    const code = await writeTo(given.html, recorder.html(`simulated, ${file}`, []), io);
    if (code !== exitCodes.ok) return code;
  }
  return outcome.ok ? exitCodes.ok : exitCodes.software;
}
