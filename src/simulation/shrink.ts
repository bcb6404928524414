/**
 * From a history that fails to the least one that fails alike: fewer steps, shorter ones, fewer
 * kinds of them, true clocks, a shorter run, round moments. What is left out is tried by running
 * what is left; a shrunk history fails by the same checker as the first one.
 */
import type { Violation } from "./checker.ts";
import { faultNamed } from "./faults/all.ts";
import type { Scenario, ScenarioStep } from "./scenario.ts";

export type ShrinkOptions = {
  /** The violation of that history, by the checker asked for; null where there is none. */
  readonly violationOf: (scenario: Scenario) => Promise<Violation | null>;
  /** True time, in the world of the history, of the end of its warm-up. */
  readonly warmUpMs: number;
  readonly runsMax?: number;
  readonly onRun?: (runs: number, steps: number) => void;
  readonly isOver?: () => boolean;
};

export type Shrunk = {
  readonly scenario: Scenario;
  readonly violation: Violation;
  readonly runs: number;
};

const runsMaxUsual = 1000;
/** Coarser moments are easier to read. */
const roundings = [60_000, 10_000, 5000, 1000, 500, 100] as const;
const leastSpanMs = 100;

class Shrinker {
  scenario: Scenario;
  violation: Violation;
  runs = 0;
  private readonly options: ShrinkOptions;

  constructor(scenario: Scenario, violation: Violation, options: ShrinkOptions) {
    this.scenario = scenario;
    this.violation = violation;
    this.options = options;
  }

  get isOver(): boolean {
    const { runsMax = runsMaxUsual, isOver } = this.options;
    return this.runs >= runsMax || (isOver?.() ?? false);
  }

  /** Keeps it if it fails. */
  async try(scenario: Scenario): Promise<boolean> {
    const isWithin = scenario.steps.every(({ atMs }) => atMs < scenario.runMs);
    if (this.isOver || !isWithin) return false;
    this.runs += 1;
    const violation = await this.options.violationOf(scenario);
    this.options.onRun?.(this.runs, this.scenario.steps.length);
    if (!violation) return false;
    this.scenario = scenario;
    this.violation = violation;
    return true;
  }

  trySteps(steps: readonly ScenarioStep[]): Promise<boolean> {
    return this.try({ ...this.scenario, steps });
  }

  tryStep(at: number, change: Partial<ScenarioStep>): Promise<boolean> {
    const { steps } = this.scenario;
    return this.trySteps(
      steps.map((step, index) => (index === at ? { ...step, ...change } : step)),
    );
  }

  /** Nothing after the violation had a part in it. */
  async cutOff(): Promise<void> {
    const untilMs = Math.max(0, this.violation.atMs - this.options.warmUpMs);
    const steps = this.scenario.steps.filter(({ atMs }) => atMs <= untilMs);
    if (steps.length < this.scenario.steps.length) await this.trySteps(steps);
    const runMs = Math.ceil(untilMs) + 1;
    if (runMs < this.scenario.runMs) await this.try({ ...this.scenario, runMs });
    const endMs = Math.max(1, ...this.scenario.steps.map(({ atMs, forMs }) => atMs + (forMs ?? 0)));
    if (endMs < this.scenario.runMs) await this.try({ ...this.scenario, runMs: endMs });
  }

  /** Half of them at a time, then quarters, down to each by itself. */
  async dropSteps(): Promise<void> {
    for (
      let size = Math.ceil(this.scenario.steps.length / 2);
      size >= 1;
      size = Math.floor(size / 2)
    ) {
      for (let from = 0; from < this.scenario.steps.length; ) {
        const { steps } = this.scenario;
        const less = [...steps.slice(0, from), ...steps.slice(from + size)];
        if (!(await this.trySteps(less))) from += size;
        if (this.isOver) return;
      }
    }
  }

  async dropRates(): Promise<void> {
    if (Object.keys(this.scenario.rates).length === 0) return;
    if (await this.try({ ...this.scenario, rates: {} })) return;
    for (const host of Object.keys(this.scenario.rates)) {
      const rates = { ...this.scenario.rates };
      delete rates[host];
      await this.try({ ...this.scenario, rates });
    }
  }

  /** Another kind that stands there already, on a target of the same sort. */
  async fewerKinds(): Promise<void> {
    for (let at = 0; at < this.scenario.steps.length; at++) {
      const step = this.scenario.steps[at] as ScenarioStep;
      const others = new Set(this.scenario.steps.map(({ fault }) => fault));
      others.delete(step.fault);
      for (const fault of others) {
        const [kind, was] = [faultNamed(fault), faultNamed(step.fault)];
        if (!kind || kind.target !== was?.target || kind.lasts !== was.lasts) continue;
        const isLast = this.scenario.steps.filter((each) => each.fault === step.fault).length === 1;
        if (isLast && (await this.tryStep(at, { fault }))) break;
      }
    }
  }

  async shorterSpans(): Promise<void> {
    for (let at = 0; at < this.scenario.steps.length; at++) {
      for (;;) {
        const { forMs = null } = this.scenario.steps[at] ?? {};
        if (forMs === null || forMs < 2 * leastSpanMs) break;
        if (!(await this.tryStep(at, { forMs: Math.round(forMs / 2) }))) break;
      }
    }
  }

  async roundMoments(): Promise<void> {
    for (let at = 0; at < this.scenario.steps.length; at++) {
      await this.round(at, "atMs");
      await this.round(at, "forMs");
    }
  }

  private async round(at: number, key: "atMs" | "forMs"): Promise<void> {
    const ms = this.scenario.steps[at]?.[key] ?? null;
    if (ms === null) return;
    for (const to of roundings) {
      const rounded: number = Math.round(ms / to) * to;
      if (rounded === ms) return;
      if (key === "forMs" && rounded < leastSpanMs) continue;
      if (await this.tryStep(at, { [key]: rounded })) return;
    }
  }

  /** The quiet before the first step, and what is left after the last one. */
  async earlier(): Promise<void> {
    const firstMs = Math.min(...this.scenario.steps.map(({ atMs }) => atMs));
    if (!Number.isFinite(firstMs) || firstMs === 0) return;
    const steps = this.scenario.steps.map((step) => ({ ...step, atMs: step.atMs - firstMs }));
    const runMs = Math.max(1, this.scenario.runMs - firstMs);
    await this.try({ ...this.scenario, steps, runMs });
  }
}

const sizeOf = ({ steps, rates, runMs }: Scenario): string =>
  JSON.stringify([steps, Object.keys(rates).length, runMs]);

export async function shrink(
  scenario: Scenario,
  violation: Violation,
  options: ShrinkOptions,
): Promise<Shrunk> {
  // Each step keeps its own stream of chance, whatever is left out before it.
  const steps = scenario.steps.map((step, index) => ({ ...step, draw: step.draw ?? index }));
  const shrinker = new Shrinker({ ...scenario, steps }, violation, options);
  for (let before = ""; before !== sizeOf(shrinker.scenario) && !shrinker.isOver; ) {
    before = sizeOf(shrinker.scenario);
    await shrinker.cutOff();
    await shrinker.dropSteps();
    await shrinker.dropRates();
    await shrinker.earlier();
    await shrinker.fewerKinds();
    await shrinker.shorterSpans();
    await shrinker.roundMoments();
  }
  return { scenario: shrinker.scenario, violation: shrinker.violation, runs: shrinker.runs };
}
