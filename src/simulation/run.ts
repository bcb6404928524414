/**
 * One history, run: the world boots and becomes well, faults come and go, all is mended, and the
 * world has its time to become whole again. Checkers watch from the first moment to the last.
 */
import type { Config } from "../core/base/config.ts";
import { detectionBoundMs } from "../core/base/timing.ts";
import type { Checker, CheckerKind, Violation } from "./checker.ts";
import { checkers as allCheckers } from "./checkers/all.ts";
import { type Coverage, CoverageWatch } from "./coverage.ts";
import type { End } from "./fault.ts";
import { FaultLog } from "./fault-log.ts";
import { faultNamed } from "./faults/all.ts";
import type { Watcher } from "./observation.ts";
import type { Scenario, ScenarioStep } from "./scenario.ts";
import { Trace } from "./trace.ts";
import { SimulatedWorld } from "./world.ts";

export type RunOptions = {
  readonly checkers?: readonly CheckerKind[];
  /** Called once, before anything happens. */
  readonly watch?: (world: SimulatedWorld, faults: FaultLog) => Watcher;
  /** Goes on after the first violation. */
  readonly keepsGoing?: boolean;
};

export type Outcome = {
  readonly violations: readonly Violation[];
  readonly faults: FaultLog;
  readonly coverage: Coverage;
  readonly virtualMs: number;
  readonly traceHash: string;
};

/** How long a world needs until all is well after a boot, or after the end of all faults. */
export function settleMsOf(config: Config): number {
  const { timing } = config;
  return 60_000 + 3 * detectionBoundMs(timing, 0) + 2 * timing.takeoverWaitMs;
}

export const warmUpMsOf = ({ timing }: Config): number => 10_000 + 2 * detectionBoundMs(timing, 0);

/** The faults of one history, as they come and go. */
class Course {
  private readonly world: SimulatedWorld;
  private readonly log: FaultLog;
  private readonly ends = new Map<ScenarioStep, End>();

  constructor(world: SimulatedWorld, log: FaultLog) {
    this.world = world;
    this.log = log;
  }

  begin(step: ScenarioStep, index: number): void {
    const { world, log } = this;
    const { fault, target } = step;
    const kind = faultNamed(fault);
    if (!kind) throw new Error(`assertion failed: fault ${fault} is known`);
    const touches = kind.touches(world, target);
    const happened = log.begin(fault, target, touches, world.nowMs);
    world.watch({ kind: "fault", name: fault, target, on: true });
    const end = kind.begin(world, target, world.random.fork(`fault ${step.draw ?? index}`));
    const over = (): void => {
      happened.toMs = world.nowMs;
      world.watch({ kind: "fault", name: fault, target, on: false });
    };
    if (!end || !kind.lasts) over();
    if (!end) return log.forget(happened);
    if (!kind.lasts) return;
    this.ends.set(step, () => {
      end();
      over();
    });
  }

  end(step: ScenarioStep): void {
    const end = this.ends.get(step);
    this.ends.delete(step);
    end?.();
  }

  endAll(): void {
    for (const step of [...this.ends.keys()]) this.end(step);
  }
}

function plan(world: SimulatedWorld, course: Course, scenario: Scenario): void {
  scenario.steps.forEach((step, index) => {
    world.time.after(step.atMs, () => course.begin(step, index));
    if (step.forMs !== null) world.time.after(step.atMs + step.forMs, () => course.end(step));
  });
}

/** Commands that the product asks for are given, one after the other. */
const mendsMax = 4;

async function settle(
  world: SimulatedWorld,
  checkers: readonly Checker[],
  isOver: () => boolean,
): Promise<void> {
  for (let mends = 0; mends <= mendsMax && !isOver(); mends++) {
    await world.run(settleMsOf(world.config), isOver);
    const given = checkers.filter((checker) => checker.mend?.(world.nowMs) ?? false);
    if (given.length === 0) return;
  }
}

/** The config is that of the scenario's set-up, or the user's own. */
export async function runScenario(
  scenario: Scenario,
  config: Config,
  options: RunOptions = {},
): Promise<Outcome> {
  const world = new SimulatedWorld(config, scenario.seed);
  for (const [host, rate] of Object.entries(scenario.rates)) world.host(host).machine.rate = rate;
  const faults = new FaultLog();
  const violations: Violation[] = [];
  const trace = new Trace();
  const kinds = options.checkers ?? allCheckers;
  const made = kinds.map((kind): readonly [CheckerKind, Checker] => [
    kind,
    kind.make(world, faults, (text) =>
      violations.push({ checker: kind.name, atMs: world.nowMs, text }),
    ),
  ]);
  const checkers = made.map(([, checker]) => checker);
  const coverage = new CoverageWatch();
  world.onWatched((watched, nowMs) => {
    trace.watch(watched, nowMs);
    coverage.watch(watched);
    for (const checker of checkers) checker.watch(watched, nowMs);
  });
  if (options.watch) world.onWatched(options.watch(world, faults));
  const isOver = (): boolean => violations.length > 0 && !options.keepsGoing;
  const course = new Course(world, faults);
  world.boot();
  await world.run(warmUpMsOf(config), isOver);
  plan(world, course, scenario);
  await world.run(scenario.runMs, isOver);
  course.endAll();
  await settle(world, checkers, isOver);
  if (!isOver()) for (const checker of checkers) checker.end?.(world.nowMs);
  return {
    violations,
    faults,
    coverage: coverage.ended(faults, made),
    virtualMs: world.nowMs,
    traceHash: trace.hash,
  };
}
