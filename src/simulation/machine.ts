/**
 * A simulated machine: its clocks, its volumes, what runs on it. A program that runs on it is a
 * `Life`: what it waits for is lost with its death, and waits while it is stopped.
 *
 * Clocks (docs/safety.md, "Clocks"): monotonic runs at the machine's own rate and stands while it
 * is suspended; boot time goes on; the wall clock is stepped by whoever sets it.
 */
import type { Clocks } from "../device/block.ts";
import type { DiskPort } from "./disk-port.ts";
import type { Cancel, VirtualTime } from "./virtual-time.ts";

/**
 * How an event loop works off what has waited while it stood still: what kind first, and how long
 * each turn takes; what comes meanwhile waits its turn.
 */
export type CatchUp = { readonly first: "timers" | "transfers"; readonly turnMs: number };

type Waiting = { readonly run: () => void; readonly isTimer: boolean };

export class Life {
  private readonly time: VirtualTime;
  private dead = false;
  private stopped = false;
  /** Raised with each stop: a catching up that was under way ends with it. */
  private stops = 0;
  private isCatchingUp = false;
  private waiting: Waiting[] = [];

  constructor(time: VirtualTime) {
    this.time = time;
  }

  get isAlive(): boolean {
    return !this.dead;
  }

  get isStopped(): boolean {
    return this.stopped;
  }

  end(): void {
    this.dead = true;
    this.waiting.length = 0;
  }

  /** As SIGSTOP does. */
  stop(): void {
    this.stopped = true;
    this.stops += 1;
    this.isCatchingUp = false;
  }

  continue(catchUp: CatchUp | null = null): void {
    if (!this.stopped) return;
    this.stopped = false;
    if (catchUp !== null) return this.begin(catchUp);
    // In its order, and each in a turn of its own.
    for (const { run, isTimer } of this.waiting.splice(0))
      this.time.after(0, () => this.take(run, isTimer));
  }

  private begin({ first, turnMs }: CatchUp): void {
    const isFirst = ({ isTimer }: Waiting): boolean => isTimer === (first === "timers");
    const { waiting, stops } = this;
    this.waiting = [...waiting.filter(isFirst), ...waiting.filter((one) => !isFirst(one))];
    this.isCatchingUp = true;
    const next = (): void => {
      if (this.dead || this.stops !== stops) return;
      const one = this.waiting.shift();
      this.isCatchingUp = one !== undefined;
      if (!one) return;
      one.run();
      this.time.after(turnMs, next);
    };
    this.time.after(0, next);
  }

  /** True time. */
  after(ms: number, run: () => void): Cancel {
    let isCancelled = false;
    const cancel = this.time.after(ms, () => this.take(unlessCancelled, true));
    const unlessCancelled = (): void => {
      if (!isCancelled) run();
    };
    return () => {
      isCancelled = true;
      cancel();
    };
  }

  /** Now, or once it goes on. */
  take(run: () => void, isTimer = false): void {
    if (this.dead) return;
    if (this.stopped || this.isCatchingUp) this.waiting.push({ run, isTimer });
    else run();
  }
}

/** All hosts were switched on at about this wall time; only shown. */
const wallStartMs = 1_790_000_000_000;

export class Machine {
  readonly host: string;
  readonly site: string;
  readonly ports = new Map<string, DiskPort>();
  isUp = true;
  boots = 0;
  wallSkewMs = 0;
  private readonly time: VirtualTime;
  private rateNow = 1;
  private sinceMs = 0;
  private monotonicSinceMs: number;
  private suspendedMs = 0;
  private suspendedAtMs: number | null = null;

  constructor(host: string, site: string, time: VirtualTime, upSinceMs: number) {
    this.host = host;
    this.site = site;
    this.time = time;
    this.monotonicSinceMs = upSinceMs;
  }

  get rate(): number {
    return this.rateNow;
  }

  /** From now on; monotonic time never jumps. */
  set rate(rate: number) {
    this.monotonicSinceMs = this.monotonicMs();
    this.sinceMs = this.suspendedAtMs ?? this.time.nowMs;
    this.rateNow = rate;
  }

  get isSuspended(): boolean {
    return this.suspendedAtMs !== null;
  }

  monotonicMs(): number {
    const untilMs = this.suspendedAtMs ?? this.time.nowMs;
    return this.monotonicSinceMs + (untilMs - this.sinceMs) * this.rateNow;
  }

  wallNs(): bigint {
    const ms = Math.round(wallStartMs + this.time.nowMs + this.wallSkewMs);
    return BigInt(ms) * 1_000_000n;
  }

  clocks(): Clocks {
    const monotonicNs = nsOf(this.monotonicMs());
    return {
      monotonicNs,
      boottimeNs: monotonicNs + nsOf(this.suspendedMs),
      rawNs: monotonicNs,
    };
  }

  suspend(): void {
    this.suspendedAtMs ??= this.time.nowMs;
  }

  resume(): void {
    if (this.suspendedAtMs === null) return;
    const sleptMs = this.time.nowMs - this.suspendedAtMs;
    this.suspendedMs += sleptMs * this.rateNow;
    this.sinceMs += sleptMs;
    this.suspendedAtMs = null;
  }

  bootId(): string {
    return `b007${String(this.boots).padStart(4, "0")}-0000-4000-8000-000000000001`;
  }

  booted(): void {
    this.boots += 1;
    this.isUp = true;
    this.sinceMs = this.time.nowMs;
    this.monotonicSinceMs = 3000;
    this.suspendedMs = 0;
    this.suspendedAtMs = null;
  }
}

export function nsOf(ms: number): bigint {
  return BigInt(Math.round(ms * 1e6));
}
