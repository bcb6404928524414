/**
 * Many histories: from a seed to its history, from that to its result, and what all of them come to.
 * A result is plain data, so that a history can be run in another process; results are added up in
 * the order of their seeds, so that the sum is the same however many processes ran them.
 */
import type { Config } from "../core/base/config.ts";
import { onceFor } from "../core/base/once.ts";
import type { CheckerKind, Violation } from "./checker.ts";
import { checkers as allCheckers } from "./checkers/all.ts";
import { drillOf } from "./drill.ts";
import { type Coverage, merged, type Missing, missing, nothingYet } from "./coverage.ts";
import { type FaultKind, targetsOf } from "./fault.ts";
import type { FaultLog } from "./fault-log.ts";
import { faults as allFaults } from "./faults/all.ts";
import { scenarioOf } from "./generate.ts";
import { giveLatencies, type LatencyTrace } from "./latency-trace.ts";
import { type Figures, figuresTogether, Meter, noFigures } from "./measure.ts";
import type { Watcher } from "./observation.ts";
import { runScenario } from "./run.ts";
import type { Scenario } from "./scenario.ts";
import { type Setup, setupNamed, setups } from "./setups.ts";
import { Trace } from "./trace.ts";
import { SimulatedWorld } from "./world.ts";

/** What is to be run; plain data. */
export type CampaignWish = {
  /** Names of set-ups; none: every one. */
  readonly setups: readonly string[];
  /** Names of faults and how often they are drawn; none: every one, as it says itself. */
  readonly faults: readonly (readonly [name: string, weight: number])[];
  /** The user's configuration in place of the set-ups; every other seed is a drill then. */
  readonly own: Config | null;
  readonly latenciesMs: LatencyTrace | null;
};

export const everything: CampaignWish = { setups: [], faults: [], own: null, latenciesMs: null };

export type Result = {
  readonly seed: number;
  readonly setup: string;
  readonly virtualMs: number;
  readonly traceHash: string;
  readonly violations: readonly Violation[];
  readonly coverage: Coverage;
  /** Of a drill; null for a history with faults. */
  readonly figures: Figures | null;
};

/** Name of the set-up that is the user's own configuration. */
export const ownSetup = "own";

/** The hooks of a simulated service; what they name is not run. */
const simulatedHook = ["service"] as const;

/**
 * A configuration as the simulation takes it: identities that are pinned are those of real devices,
 * and a service that nothing starts or stops could not be watched.
 */
export function configForSimulation(config: Config): Config {
  const { hooks, policy } = config;
  const takeover = hooks.takeover ?? simulatedHook;
  const superseded = hooks.superseded ?? simulatedHook;
  return {
    ...config,
    mirrors: config.mirrors.map((mirror) => ({ ...mirror, pvolWwid: null, svolWwid: null })),
    hooks: policy === "notify" ? hooks : { ...hooks, takeover, superseded },
  };
}

function setupsNamed({ own, setups: names }: CampaignWish): readonly Setup[] {
  if (own) return [{ name: ownSetup, words: "the configuration given", weight: 1, config: own }];
  return names.length === 0 ? setups : setups.filter(({ name }) => names.includes(name));
}

function faultsOf({ faults }: CampaignWish): readonly FaultKind[] {
  if (faults.length === 0) return allFaults;
  const weights = new Map(faults);
  return allFaults.flatMap((kind) => {
    const weight = weights.get(kind.name);
    return weight === undefined ? [] : [{ ...kind, weight }];
  });
}

const hasTarget = ({ config }: Setup, kind: FaultKind): boolean =>
  targetsOf(new SimulatedWorld(config, 0), kind).length > 0;

/** Those in which one of the faults can happen at all. */
const setupsOf = onceFor((wish: CampaignWish): readonly Setup[] =>
  setupsNamed(wish).filter((setup) => faultsOf(wish).some((kind) => hasTarget(setup, kind))),
);

/** A fault that was asked for by name, and that can happen in none of the set-ups. */
export function targetlessFault(wish: CampaignWish): string | null {
  const named = wish.faults.length === 0 ? [] : faultsOf(wish);
  const found = named.find((kind) => !setupsNamed(wish).some((setup) => hasTarget(setup, kind)));
  return found?.name ?? null;
}

/** Drills are of the odd seeds. */
const isDrill = (seed: number, { own }: CampaignWish): boolean => own !== null && seed % 2 === 1;

export function historyOf(seed: number, wish: CampaignWish): Scenario {
  if (wish.own && isDrill(seed, wish)) return drillOf(wish.own, ownSetup, seed);
  return scenarioOf(seed, { setups: setupsOf(wish), faults: faultsOf(wish) });
}

/** null where it needs a configuration that is not given. */
export function configOf({ setup }: Scenario, own: Config | null): Config | null {
  return setup === ownSetup ? own : (setupNamed(setup)?.config ?? null);
}

/** What is thrown, or rejected with nobody to hear it, is a violation as any other. */
const crash = "no-crash";
type Crashes = { readonly kind: CheckerKind; readonly tell: (error: unknown) => Violation };

function crashWatch(): Crashes {
  let report: (text: string) => void = () => undefined;
  let nowMs = (): number => 0;
  const textOf = (error: unknown): string =>
    error instanceof Error
      ? `${error.message} ${error.stack?.split("\n")[1]?.trim() ?? ""}`
      : String(error);
  const kind: CheckerKind = {
    name: crash,
    words: "an assertion fails, or a promise is rejected with nobody to hear it",
    make: (world, _faults, tell) => {
      report = tell;
      nowMs = () => world.nowMs;
      return { watch: () => undefined };
    },
  };
  const tell = (error: unknown): Violation => {
    const text = textOf(error).replaceAll(/[^\x20-\x7e]/g, "?");
    report(text);
    return { checker: crash, atMs: nowMs(), text };
  };
  return { kind, tell };
}

export type HistoryOptions = {
  readonly latenciesMs?: LatencyTrace | null;
  readonly watch?: (world: SimulatedWorld, faults: FaultLog) => Watcher;
  readonly checkers?: readonly CheckerKind[];
  readonly measures?: boolean;
};

/** One history with everything that watches it. */
export async function runHistory(
  scenario: Scenario,
  config: Config,
  options: HistoryOptions = {},
): Promise<Result> {
  const crashes = crashWatch();
  let meter: Meter | null = null;
  let nowMs = (): number => 0;
  const watch = (world: SimulatedWorld, faults: FaultLog): Watcher => {
    nowMs = () => world.nowMs;
    if (options.latenciesMs) giveLatencies(world, options.latenciesMs);
    const metered = options.measures ? new Meter(world, faults) : null;
    meter = metered;
    const other = options.watch?.(world, faults);
    return (watched, atMs) => {
      metered?.watch(watched, atMs);
      other?.(watched, atMs);
    };
  };
  const onRejection = (error: unknown): void => void crashes.tell(error);
  process.on("unhandledRejection", onRejection);
  const { seed, setup } = scenario;
  const result = (of: Omit<Result, "seed" | "setup" | "figures">): Result => {
    const figures = meter?.figures(of.virtualMs) ?? null;
    return { seed, setup, ...of, figures };
  };
  try {
    const checkers = [...(options.checkers ?? allCheckers), crashes.kind];
    const ran = await runScenario(scenario, config, { checkers, watch });
    const { violations, coverage, virtualMs, traceHash } = ran;
    return result({ violations, coverage, virtualMs, traceHash });
  } catch (error) {
    const violations = [crashes.tell(error)];
    const coverage = nothingYet([], []);
    return result({ violations, coverage, virtualMs: nowMs(), traceHash: "" });
  } finally {
    process.off("unhandledRejection", onRejection);
  }
}

export function runSeed(seed: number, wish: CampaignWish): Promise<Result> {
  const scenario = historyOf(seed, wish);
  const config = configOf(scenario, wish.own);
  if (!config) throw new Error(`assertion failed: set-up ${scenario.setup} is known`);
  const { latenciesMs } = wish;
  return runHistory(scenario, config, { latenciesMs, measures: isDrill(seed, wish) });
}

/** What results come to, added in the order of their seeds; as large after a million as after one. */
export class Tally {
  seeds = 0;
  virtualMs = 0;
  coverage: Coverage;
  figures: Figures = noFigures;
  /** How many virtual milliseconds of each set-up. */
  readonly bySetup: Record<string, number> = {};
  /** The first result with a violation. */
  failed: Result | null = null;
  private readonly faults: readonly FaultKind[];
  private readonly trace = new Trace();

  constructor(wish: CampaignWish) {
    this.faults = faultsOf(wish);
    this.coverage = nothingYet(this.faults, allCheckers);
  }

  add(result: Result): void {
    this.seeds += 1;
    this.virtualMs += result.virtualMs;
    this.bySetup[result.setup] = (this.bySetup[result.setup] ?? 0) + result.virtualMs;
    this.coverage = merged(this.coverage, [result.coverage]);
    if (result.figures) this.figures = figuresTogether(this.figures, result.figures);
    if (result.violations.length > 0) this.failed ??= result;
    this.trace.add(`${result.seed} ${result.traceHash};`);
  }

  /** Declared, and never exercised. */
  get missing(): readonly Missing[] {
    return missing(this.coverage, this.faults);
  }

  get traceHash(): string {
    return this.trace.hash;
  }
}
