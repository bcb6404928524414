/**
 * Figures of a run, by what is seen from outside in true time: how long a failure took to be found
 * and to be taken over, and what was alarmed of while nothing was wrong.
 *
 *   found        a host dies; each host of another site that watches it states a row which says so
 *   decided      the last host of the serving site dies; another site has the right to take over
 *   served       the same, until a service of another site begins
 *
 * Quiet is all time but the warm-up, the time of faults, and the time to settle after each.
 */
import { type Row, isAlive } from "../core/verdict.ts";
import type { FaultLog } from "./fault-log.ts";
import type { Watched } from "./observation.ts";
import { addAll, addOne, type Counted } from "./quantiles.ts";
import { settleMsOf, warmUpMsOf } from "./run.ts";
import type { SimulatedWorld } from "./world.ts";

/** What a person would be called for, though nothing is wrong. */
export const alarmKinds = {
  path: "a path was called silent or broken",
  verdict: "a living host was called something else than well",
  dead: "a living host was called silent",
  takeover: "a takeover began",
  stop: "a service was stopped, or a machine reset",
} as const;
export type AlarmKind = keyof typeof alarmKinds;

export type Figures = {
  readonly foundMs: Counted;
  readonly decidedMs: Counted;
  readonly servedMs: Counted;
  /** Deaths that a host which watched all the time did not find before their end. */
  readonly missed: number;
  readonly quietMs: number;
  readonly alarms: Readonly<Record<AlarmKind, number>>;
};

const noAlarms = (): Record<AlarmKind, number> => ({
  path: 0,
  verdict: 0,
  dead: 0,
  takeover: 0,
  stop: 0,
});

export const noFigures: Figures = {
  foundMs: {},
  decidedMs: {},
  servedMs: {},
  missed: 0,
  quietMs: 0,
  alarms: noAlarms(),
};

export function figuresTogether(one: Figures, other: Figures): Figures {
  const sum = (of: "foundMs" | "decidedMs" | "servedMs"): Counted => {
    const counted = { ...one[of] };
    addAll(counted, other[of]);
    return counted;
  };
  const alarms = noAlarms();
  for (const kind of Object.keys(alarms) as AlarmKind[]) {
    alarms[kind] = one.alarms[kind] + other.alarms[kind];
  }
  return {
    foundMs: sum("foundMs"),
    decidedMs: sum("decidedMs"),
    servedMs: sum("servedMs"),
    missed: one.missed + other.missed,
    quietMs: one.quietMs + other.quietMs,
    alarms,
  };
}

type Death = { readonly atMs: number; readonly unfoundBy: Set<string> };

export class Meter {
  private readonly world: SimulatedWorld;
  private readonly faults: FaultLog;
  private readonly settleMs: number;
  private readonly warmUpMs: number;
  private readonly deaths = new Map<string, Death>();
  /** The site whose service ran last. */
  private home: string | null = null;
  /** The serving site that died as a whole, and since when; null once another one serves. */
  private lost: { readonly site: string; readonly atMs: number; isDecided: boolean } | null = null;
  private readonly foundMs: Record<string, number> = {};
  private readonly decidedMs: Record<string, number> = {};
  private readonly servedMs: Record<string, number> = {};
  private readonly alarms = noAlarms();
  private missed = 0;

  constructor(world: SimulatedWorld, faults: FaultLog) {
    this.world = world;
    this.faults = faults;
    this.settleMs = settleMsOf(world.config);
    this.warmUpMs = warmUpMsOf(world.config);
  }

  watch(watched: Watched, nowMs: number): void {
    switch (watched.kind) {
      case "told":
        return this.told(watched.host, watched.event, nowMs);
      case "machine":
        if (watched.what === "off" || watched.what === "resets") this.died(watched.host, nowMs);
        return;
      case "agent":
        if (watched.what === "killed") this.died(watched.host, nowMs);
        if (watched.what === "begins") this.lives(watched.host);
        return;
      case "service":
        return this.served(watched.host, watched.runs, nowMs);
      case "step":
      case "write":
      case "pair":
      case "fault":
      case "command":
        return;
    }
  }

  private told(
    host: string,
    event: Extract<Watched, { kind: "told" }>["event"],
    nowMs: number,
  ): void {
    const { ev, fields } = event;
    if (ev === "path" && event.level === "warning") this.alarm("path", nowMs);
    if (ev === "takeover" && fields["step"] === "begin") {
      this.decided(host, nowMs);
      this.alarm("takeover", nowMs);
    }
    if (ev !== "verdict") return;
    const row = String(fields["row"]) as Row;
    if (event.level === "warning") this.alarm("verdict", nowMs);
    if (isAlive(row) || row === "0c") return;
    const death = this.deaths.get(String(fields["host"]));
    if (!death) return this.alarm("dead", nowMs);
    if (death.unfoundBy.delete(host)) addOne(this.foundMs, nowMs - death.atMs);
  }

  /** Whoever watches it from another site is to find it. */
  private died(name: string, nowMs: number): void {
    this.alarm("stop", nowMs);
    const { site } = this.world.host(name);
    for (const { unfoundBy } of this.deaths.values()) unfoundBy.delete(name);
    if (this.deaths.has(name)) return;
    const observers = [...this.world.hosts.values()].filter(
      (host) => host.site !== site && host.isBeating,
    );
    this.deaths.set(name, { atMs: nowMs, unfoundBy: new Set(observers.map((host) => host.name)) });
    if (
      this.home === site &&
      this.world.hostsOf(site).every((host) => this.deaths.has(host.name))
    ) {
      this.lost = { site, atMs: nowMs, isDecided: false };
    }
  }

  private lives(name: string): void {
    this.missed += this.deaths.get(name)?.unfoundBy.size ?? 0;
    this.deaths.delete(name);
    if (this.lost?.site === this.world.host(name).site) this.lost = null;
  }

  private decided(host: string, nowMs: number): void {
    const { lost } = this;
    if (!lost || lost.isDecided || this.world.host(host).site === lost.site) return;
    lost.isDecided = true;
    addOne(this.decidedMs, nowMs - lost.atMs);
  }

  private served(host: string, runs: boolean, nowMs: number): void {
    const { site } = this.world.host(host);
    if (!runs) {
      if (this.world.host(host).machine.isUp) this.alarm("stop", nowMs);
      return;
    }
    this.home = site;
    if (!this.lost || this.lost.site === site) return;
    addOne(this.servedMs, nowMs - this.lost.atMs);
    this.lost = null;
  }

  private alarm(kind: AlarmKind, nowMs: number): void {
    if (nowMs >= this.warmUpMs && this.isQuiet(nowMs)) this.alarms[kind] += 1;
  }

  private isQuiet(nowMs: number): boolean {
    return this.faults.all.every(({ toMs }) => toMs !== null && toMs + this.settleMs < nowMs);
  }

  /** All of the time less the warm-up and the unions of what was disturbed. */
  private quietMs(nowMs: number): number {
    let quietMs = 0;
    let fromMs = this.warmUpMs;
    const spans = [...this.faults.all].sort((a, b) => a.fromMs - b.fromMs);
    for (const span of spans) {
      quietMs += Math.max(0, span.fromMs - fromMs);
      fromMs = Math.max(fromMs, (span.toMs ?? nowMs) + this.settleMs);
    }
    return quietMs + Math.max(0, nowMs - fromMs);
  }

  figures(nowMs: number): Figures {
    const { foundMs, decidedMs, servedMs, missed, alarms } = this;
    return { foundMs, decidedMs, servedMs, missed, alarms, quietMs: this.quietMs(nowMs) };
  }
}
