/**
 * Feeds this host's watchdog while this host may serve, and tells the service manager of life.
 *
 * The core answers, at each tick and with a fresh clock, whether the watchdog may be fed; nothing
 * stands between that answer and the feeding. Nobody but a watchdog ends a host whose agent is dead
 * or hung, so:
 *   - "feed" needs both the core's last wish and its fresh answer not to say "starve";
 *   - it is stopped only when both say "off", and fed on where it cannot be stopped;
 *   - starved, or left by a program that ends, it stays armed, and the host resets.
 *
 * A watchdog is opened at the first "feed", never before: opening counts as feeding.
 */
import type { FencingConfig, Timing } from "../core/base/config.ts";
import type { CoreEvent, Level } from "../core/base/event.ts";
import { exitCodes } from "../core/base/exit-codes.ts";
import { feedPeriodMs } from "../core/base/lease-timing.ts";
import { sendUnixDatagram } from "../device/unix-datagram.ts";
import { openWatchdog, type Watchdog, type WatchdogOpened } from "../device/watchdog.ts";
import { type ServiceManager, serviceManagerOf } from "../host/service-manager.ts";
import { realTimers, type Timers } from "./timers.ts";

/** "off": not needed. "starve": this host must not be kept alive. */
export type Feeding = "off" | "feed" | "starve";

export type FenceParts = {
  readonly config: FencingConfig;
  readonly timing: Timing;
  readonly tell: (event: CoreEvent) => void;
  /** CLOCK_MONOTONIC. */
  readonly nowMs: () => number;
  readonly timers?: Timers;
  /** For tests. */
  readonly open?: (path: string, limitMs: number) => WatchdogOpened;
  readonly service?: ServiceManager | null;
};

/** A device is fed this many times in its time-out at the least, whatever the timings say. */
const feedsPerLimitMin = 4;
const periodMinMs = 10;

/** How often the watchdog is fed. */
export function fencePeriodMs({ config, timing }: Pick<FenceParts, "config" | "timing">): number {
  const mostMs = Math.floor(config.watchdogLimitMs / feedsPerLimitMin);
  const periodMs = feedPeriodMs(timing);
  return Math.max(periodMinMs, mostMs > 0 ? Math.min(periodMs, mostMs) : periodMs);
}

export class Fence {
  readonly periodMs: number;
  private readonly parts: FenceParts;
  private readonly service: ServiceManager | null;
  private watchdog: Watchdog | null = null;
  private wished: Feeding = "off";
  private mayFeed: () => Feeding = () => "off";
  private cancel: (() => void) | null = null;
  /** When it was last fed, or opened. */
  private fedMs = 0;
  private openFault: string | null = null;
  private feedFault: string | null = null;
  /** Never taken back: who was not reset once is not trusted to be reset the next time. */
  private deadFault: string | null = null;
  private serviceFault: string | null = null;
  /** An open that was refused for what the device is: it will not change by asking again. */
  private isRefused = false;

  constructor(parts: FenceParts) {
    this.parts = parts;
    this.periodMs = fencePeriodMs(parts);
    const { config, service } = parts;
    this.service =
      service !== undefined
        ? service
        : config.systemd
          ? serviceManagerOf(process.env, process.pid, sendUnixDatagram)
          : null;
  }

  /** Why this host is not fenced by its watchdog though it should be; null where all is well. */
  get fault(): string | null {
    return this.deadFault ?? this.openFault ?? this.feedFault;
  }

  /** The watchdog runs and was fed the last time it was to be: what arming a lease rests on. */
  get isArmed(): boolean {
    return this.watchdog !== null && this.fault === null;
  }

  /** For status: "device", "pipe", or null while none is open. */
  get kind(): Watchdog["kind"] | null {
    return this.watchdog?.kind ?? null;
  }

  /** Ticks from now on; `mayFeed` is the core's answer from its state and a fresh clock. */
  start(mayFeed: () => Feeding): void {
    this.mayFeed = mayFeed;
    if (this.cancel === null) this.tickAfter(this.periodMs);
  }

  /** This host may serve from now on: its watchdog runs before anything that serves is begun. */
  arm(): void {
    if (this.watchdog === null) this.open();
  }

  /** The core's last word, in force at once. */
  wish(next: Feeding): void {
    this.wished = next;
    this.tick();
  }

  /** READY=1. */
  ready(): void {
    this.tellService(this.service?.ready() ?? null);
  }

  /** A record is durable (with no mirror: a datagram was sent): the one sign of life that is told. */
  wrote(): void {
    this.tellService(this.service?.alive(this.parts.nowMs()) ?? null);
  }

  /**
   * The agent ends. "off" stops the watchdog: only for a host whose service is not, or no longer,
   * in need of a lease. "starve" leaves it armed: this host resets.
   */
  end(next: "off" | "starve"): void {
    this.cancel?.();
    this.cancel = null;
    this.tellService(this.service?.stopping() ?? null);
    if (next === "off") this.disarm();
  }

  /** The next one is asked for before anything else is done: whatever fails, it comes. */
  private tickAfter(ms: number): void {
    const { nowMs, timers = realTimers } = this.parts;
    const dueMs = nowMs() + ms;
    this.cancel = timers.after(ms, () => {
      this.tickAfter(Math.max(1, this.periodMs - ((nowMs() - dueMs) % this.periodMs)));
      this.tick();
    });
  }

  private tick(): void {
    this.lookForDeath();
    const may = this.mayFeed();
    if (this.wished === "starve" || may === "starve") return;
    if (this.watchdog !== null && (this.wished === "feed" || may === "feed")) return this.feed();
    if (may === "feed") return this.open();
    if (this.wished !== "off") return;
    if (this.watchdog?.canDisarm === false) this.feed();
    else this.disarm();
  }

  private feed(): void {
    const fault = this.watchdog?.feed() ?? null;
    if (fault === null) this.fedMs = this.parts.nowMs();
    if (fault === this.feedFault) return;
    this.feedFault = fault;
    if (fault === null) this.say("notice", "fed again");
    else this.say("error", `not fed: ${fault}`);
  }

  private open(): void {
    const { config, nowMs } = this.parts;
    if (this.isRefused) return;
    if (config.watchdog === null) {
      const remedy = "name one in [fencing], or this host cannot hold a lease";
      this.refused(`no watchdog is configured: ${remedy}`, true);
      return;
    }
    const open = this.parts.open ?? openWatchdog;
    const opened = open(config.watchdog, config.watchdogLimitMs);
    if (!opened.ok) {
      const { code, message } = opened.refusal;
      this.refused(message, code === exitCodes.config);
      return;
    }
    this.watchdog = opened.watchdog;
    this.fedMs = nowMs();
    this.openFault = null;
    const { kind, identity, limitMs } = opened.watchdog;
    this.say("notice", `armed: ${kind} "${identity}", resets after ${limitMs} ms unfed`);
  }

  private refused(fault: string, isFinal: boolean): void {
    this.isRefused = isFinal;
    if (fault === this.openFault) return;
    this.openFault = fault;
    this.say("error", `not armed: ${fault}`);
  }

  private disarm(): void {
    this.openFault = null;
    this.feedFault = null;
    this.isRefused = false;
    if (this.watchdog === null) return;
    const fault = this.watchdog.disarm();
    this.watchdog = null;
    if (fault === null) this.say("notice", "disarmed");
    else this.say("error", `not disarmed: ${fault}`);
  }

  /** Whoever can look at this clock after the watchdog's whole time has a watchdog that is none. */
  private lookForDeath(): void {
    if (this.watchdog === null || this.deadFault !== null) return;
    const unfedMs = this.parts.nowMs() - this.fedMs;
    if (unfedMs <= Math.max(this.parts.timing.watchdogMs, this.watchdog.limitMs)) return;
    this.deadFault = `${this.watchdog.path}: unfed for ${Math.round(unfedMs)} ms, and no reset`;
    this.say("error", `does not work: ${this.deadFault}; see mirrorbeat doctor`);
  }

  private tellService(fault: string | null): void {
    if (fault === this.serviceFault) return;
    this.serviceFault = fault;
    if (fault !== null) this.say("warning", `service manager not told: ${fault}`);
  }

  private say(level: Level, detail: string): void {
    const device = this.parts.config.watchdog ?? "none";
    this.parts.tell({ level, ev: "watchdog", fields: { device, detail } });
  }
}
