/** A history from a number: most things that go wrong go wrong together, or one right after another. */
import type { Config } from "../core/base/config.ts";
import { type FaultKind, targetsOf } from "./fault.ts";
import { faults as allFaults } from "./faults/all.ts";
import { type Random, randomOf } from "./random.ts";
import type { Scenario, ScenarioStep } from "./scenario.ts";
import { type Setup, setups } from "./setups.ts";
import { SimulatedWorld } from "./world.ts";

export type GenerateOptions = {
  readonly setups?: readonly Setup[];
  readonly faults?: readonly FaultKind[];
  /** Virtual time with faults. */
  readonly runMs?: number;
};

const usualRunMs = 480_000;
const usualSeconds = [0.5, 30] as const;

function weighted<T extends { readonly weight: number }>(random: Random, kinds: readonly T[]): T {
  const sum = kinds.reduce((all, { weight }) => all + weight, 0);
  let at = random.next() * sum;
  for (const kind of kinds) {
    at -= kind.weight;
    if (at < 0) return kind;
  }
  return kinds[0] as T;
}

function ratesOf(config: Config, random: Random): Record<string, number> {
  const drift = config.timing.driftPpm / 1_000_000;
  const rates: Record<string, number> = {};
  for (const { name } of config.sites.flatMap(({ hosts }) => hosts)) {
    rates[name] = 1 + random.pick([-1, 0, 0, 1, 2 * random.next() - 1]) * drift * 0.999;
  }
  return rates;
}

export function scenarioOf(seed: number, options: GenerateOptions = {}): Scenario {
  const random = randomOf(seed);
  const { name, config } = weighted(random, options.setups ?? setups);
  const runMs = options.runMs ?? usualRunMs;
  // Only to know what there is to befall.
  const world = new SimulatedWorld(config, seed);
  const kinds = (options.faults ?? allFaults).filter(
    (kind) => kind.weight > 0 && targetsOf(world, kind).length > 0,
  );
  const steps: ScenarioStep[] = [];
  // Now and then a storm; mostly one or two things at a time, with quiet between.
  const meanGapMs = random.pick([4000, 15_000, 15_000, 40_000]);
  for (let atMs = random.around(meanGapMs); atMs < runMs; ) {
    const kind = weighted(random, kinds);
    const [shortest, longest] = kind.usualSeconds ?? usualSeconds;
    const seconds = shortest + (longest - shortest) * random.next() * random.next();
    const forMs = kind.lasts ? Math.round(1000 * seconds) : null;
    const target = random.pick(targetsOf(world, kind));
    steps.push({ atMs: Math.round(atMs), forMs, fault: kind.name, target });
    atMs += random.chance(0.35) ? random.between(0, 1500) : random.around(meanGapMs);
  }
  return { setup: name, seed, rates: ratesOf(config, random), steps, runMs };
}
