/**
 * The watchdog of a simulated machine. It counts by a clock of its own: on while the machine is
 * suspended, and whatever became of the agent that fed it.
 */
import type { WatchdogOpened } from "../device/watchdog.ts";
import type { Life, Machine } from "./machine.ts";
import type { VirtualTime } from "./virtual-time.ts";

/** One that is about to be fed, by an agent that has found that it may. */
export type Feeding = {
  /** Until it would reset. */
  readonly leftMs: number;
  /** The feeding comes to the device. */
  readonly land: () => void;
};

export class SimulatedWatchdog {
  /** How much later than its time-out it resets; what is left of its whole time is the most. */
  lateMs = 0;
  /** True: whoever is asked lets it land later. Not asked when the device is opened. */
  delays: ((feeding: Feeding) => boolean) | null = null;
  private readonly time: VirtualTime;
  private readonly machine: Machine;
  private readonly onLapse: () => void;
  private armed = false;
  private feedings = 0;
  private lapseMs = 0;

  constructor(time: VirtualTime, machine: Machine, onLapse: () => void) {
    this.time = time;
    this.machine = machine;
    this.onLapse = onLapse;
  }

  get isArmed(): boolean {
    return this.armed;
  }

  /** As its device is opened, which feeds it. */
  open(path: string, limitMs: number, life: Life): WatchdogOpened {
    const feed = (): null => {
      if (!life.isAlive) return null;
      const land = (): void => {
        if (this.armed) this.fed(limitMs);
      };
      const leftMs = this.lapseMs - this.time.nowMs;
      if (!this.delays?.({ leftMs, land })) this.fed(limitMs);
      return null;
    };
    if (life.isAlive) this.fed(limitMs);
    const disarm = (): null => {
      this.armed = false;
      return null;
    };
    const watchdog = {
      kind: "device",
      path,
      identity: "simulated",
      limitMs,
      canDisarm: true,
    } as const;
    return { ok: true, watchdog: { ...watchdog, feed, disarm } };
  }

  /** With its machine's power. */
  off(): void {
    this.armed = false;
  }

  private fed(limitMs: number): void {
    this.armed = true;
    const feeding = ++this.feedings;
    this.lapseMs = this.time.nowMs + limitMs / this.machine.rate + this.lateMs;
    this.time.at(this.lapseMs, () => {
      if (this.armed && this.feedings === feeding) this.onLapse();
    });
  }
}
