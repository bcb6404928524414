/**
 * The watchdog of a simulated machine. It counts by a clock of its own: on while the machine is
 * suspended, and whatever became of the agent that fed it.
 */
import type { WatchdogOpened } from "../device/watchdog.ts";
import type { Life, Machine } from "./machine.ts";
import type { VirtualTime } from "./virtual-time.ts";

export class SimulatedWatchdog {
  /** How much later than its time-out it resets; what is left of its whole time is the most. */
  lateMs = 0;
  private readonly time: VirtualTime;
  private readonly machine: Machine;
  private readonly onLapse: () => void;
  private isArmed = false;
  private feedings = 0;

  constructor(time: VirtualTime, machine: Machine, onLapse: () => void) {
    this.time = time;
    this.machine = machine;
    this.onLapse = onLapse;
  }

  /** As its device is opened, which feeds it. */
  open(path: string, limitMs: number, life: Life): WatchdogOpened {
    const feed = (): null => {
      if (life.isAlive) this.fed(limitMs);
      return null;
    };
    feed();
    const disarm = (): null => {
      this.isArmed = false;
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
    this.isArmed = false;
  }

  private fed(limitMs: number): void {
    this.isArmed = true;
    const feeding = ++this.feedings;
    this.time.after(limitMs / this.machine.rate + this.lateMs, () => {
      if (this.isArmed && this.feedings === feeding) this.onLapse();
    });
  }
}
