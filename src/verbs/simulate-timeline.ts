/** A simulated history as a picture: what was watched becomes the lanes that `report` draws too. */
import { timelineHtml } from "../console/timeline/html.ts";
import type { Beats, ServiceRun, Told } from "../console/timeline/model.ts";
import { timelineOf } from "../console/timeline/timeline.ts";
import type { FaultLog } from "../simulation/fault-log.ts";
import type { Watched, Watcher } from "../simulation/observation.ts";
import type { SimulatedWorld } from "../simulation/world.ts";

type Run = { readonly host: string; readonly fromMs: number; toMs: number | null };

/** When something ran on each host. */
class Runs {
  readonly all: Run[] = [];
  private readonly open = new Map<string, Run>();

  begins(host: string, nowMs: number): void {
    if (this.open.has(host)) return;
    const run: Run = { host, fromMs: nowMs, toMs: null };
    this.open.set(host, run);
    this.all.push(run);
  }

  ends(host: string, nowMs: number): void {
    const run = this.open.get(host);
    if (run) run.toMs = nowMs;
    this.open.delete(host);
  }
}

type Step = Extract<Watched, { kind: "step" }>;

export class TimelineRecorder {
  private world: SimulatedWorld | null = null;
  private faults: FaultLog | null = null;
  private readonly told: Told[] = [];
  private readonly services = new Runs();
  private readonly agents = new Runs();
  private readonly arrivals = new Map<
    string,
    { path: string; from: string; to: string; atMs: number[] }
  >();

  readonly watch = (world: SimulatedWorld, faults: FaultLog): Watcher => {
    this.world = world;
    this.faults = faults;
    return (watched, nowMs) => this.take(watched, nowMs);
  };

  private take(watched: Watched, nowMs: number): void {
    switch (watched.kind) {
      case "told": {
        const { host, event } = watched;
        const { level, ev } = event;
        const values = Object.entries(event.fields).map(([key, value]) => [key, String(value)]);
        const fields = { level, ev, ...Object.fromEntries(values) };
        this.told.push({ host, site: this.world?.host(host).site ?? "", atMs: nowMs, fields });
        return;
      }
      case "service":
        if (watched.runs) this.services.begins(watched.host, nowMs);
        else this.services.ends(watched.host, nowMs);
        return;
      case "agent":
        if (watched.what === "begins") this.agents.begins(watched.host, nowMs);
        else if (watched.what === "killed" || watched.what === "left")
          this.agents.ends(watched.host, nowMs);
        return;
      case "machine":
        if (watched.what === "off" || watched.what === "resets")
          this.agents.ends(watched.host, nowMs);
        return;
      case "step":
        return this.heartbeats(watched, nowMs);
      case "write":
      case "pair":
      case "fault":
      case "command":
        return;
    }
  }

  /** A beat came by a path where the newest arrival is another one than before the step. */
  private heartbeats({ host, before, after }: Step, nowMs: number): void {
    after.peers.forEach((peer, index) => {
      const was = before.peers[index];
      if (was === peer) return;
      for (const [path, { arrivals }] of Object.entries(peer.sightings)) {
        const last = arrivals.at(-1);
        if (!last || last === was?.sightings[path]?.arrivals.at(-1)) continue;
        this.beat(path, peer.host.name, host, nowMs);
      }
    });
  }

  private beat(path: string, from: string, to: string, nowMs: number): void {
    const key = `${path} ${from} ${to}`;
    const known = this.arrivals.get(key);
    if (known) known.atMs.push(nowMs);
    else this.arrivals.set(key, { path, from, to, atMs: [nowMs] });
  }

  html(title: string, notes: readonly string[]): string {
    const faults = (this.faults?.all ?? []).map(({ fromMs, toMs, name, target }) => ({
      fromMs,
      toMs,
      text: name,
      target,
    }));
    const beats: readonly Beats[] = [...this.arrivals.values()];
    const services: readonly ServiceRun[] = this.services.all;
    const agents: readonly ServiceRun[] = this.agents.all;
    const { told } = this;
    const toMs = this.world?.nowMs ?? 0;
    const wish = { told, title, faults, beats, services, agents, notes, fromMs: 0, toMs };
    return timelineHtml(timelineOf({ ...wish, origin: "virtual" }));
  }
}
