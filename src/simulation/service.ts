/**
 * The service of a simulated host: what the whole product guards. It is begun and ended by the
 * hooks, and by the init system behind the gate; it writes its data for as long as it runs.
 */
import type { HookResult } from "../host/hook.ts";
import { Life } from "./machine.ts";
import type { Random } from "./random.ts";
import type { VirtualTime } from "./virtual-time.ts";

export class Service {
  /** Since when it runs; null while it does not. */
  runsSinceMs: number | null = null;
  startMs = 200;
  stopMs = 300;
  startFails = false;
  stopFails = false;
  private readonly time: VirtualTime;
  private readonly random: Random;
  private readonly onChange: (runs: boolean) => void;
  /** Of the operator's programs: they end with the machine, and stand still with it. */
  private programs: Life;

  constructor(time: VirtualTime, random: Random, onChange: (runs: boolean) => void) {
    this.time = time;
    this.random = random;
    this.onChange = onChange;
    this.programs = new Life(time);
  }

  get runs(): boolean {
    return this.runsSinceMs !== null;
  }

  start(): void {
    if (this.runs) return;
    this.runsSinceMs = this.time.nowMs;
    this.onChange(true);
  }

  stop(): void {
    if (!this.runs) return;
    this.runsSinceMs = null;
    this.onChange(false);
  }

  /** Its machine has no power any more. */
  lost(): void {
    this.programs.end();
    this.programs = new Life(this.time);
    this.stop();
  }

  /** Its machine is suspended; what it wrote last stays issued, so it counts as running. */
  freeze(): void {
    this.programs.stop();
  }

  thaw(): void {
    this.programs.continue();
  }

  /** One of the operator's programs, run by the agent; it goes on where the agent is killed. */
  hook(
    env: Readonly<Record<string, string>>,
    limitMs: number,
    signal: AbortSignal | undefined,
    life: Life,
  ): Promise<HookResult> {
    const isOfVerdict = env["MIRRORBEAT_EVENT"] === "group";
    const end = (resolve: (result: HookResult) => void, ok: boolean, detail: string): void =>
      life.take(() => resolve({ ok, detail }));
    return new Promise((resolve) => {
      if (isOfVerdict) return void life.after(5, () => resolve({ ok: true, detail: "exit 0" }));
      const starts = env["MIRRORBEAT_NEW_STATE"] === "active";
      const tookMs = (starts ? this.startMs : this.stopMs) * this.random.between(0.8, 1.4);
      const fails = starts ? this.startFails : this.stopFails;
      const isCut = (): boolean => signal?.aborted ?? false;
      // A start is felt from its first moment on, a stop only at its end.
      if (starts && !fails) this.start();
      this.programs.after(Math.min(tookMs, limitMs), () => {
        if (isCut()) return end(resolve, false, "cut short");
        if (fails) return end(resolve, false, "exit 1");
        if (tookMs > limitMs) return end(resolve, false, "killed at its limit");
        if (!starts) this.stop();
        end(resolve, true, "exit 0");
      });
    });
  }
}
