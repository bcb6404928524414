/** What most checkers have alike: the world and its faults, whom they tell, and their occasions. */
import { type Checker, type Counts, count } from "../checker.ts";
import type { FaultLog } from "../fault-log.ts";
import type { Watched } from "../observation.ts";
import type { SimulatedWorld } from "../world.ts";

export abstract class Judge implements Checker {
  readonly applied: Counts = {};
  protected readonly world: SimulatedWorld;
  protected readonly faults: FaultLog;
  protected readonly report: (text: string) => void;

  constructor(world: SimulatedWorld, faults: FaultLog, report: (text: string) => void) {
    this.world = world;
    this.faults = faults;
    this.report = report;
  }

  abstract watch(watched: Watched, nowMs: number): void;

  protected count(name: string): void {
    count(this.applied, name);
  }
}
