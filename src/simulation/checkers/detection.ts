/**
 * Every real failure is found in time: of a host whose agent is dead, stopped or without power, each
 * observer at another site says "not alive" within the bound that `mirrorbeat timing` prints for the
 * observer's health (docs/tuning.md, "The bound").
 *
 * The conditions, from there: the observer watched the host on every path and saw it there just
 * before; it and those paths were left in peace from one bound before the failure until the bound
 * is over, and the pairs were in copy (writes become visible within the latency budget, reads end in
 * time, no stall). The bound counts by the observer's clock. h is the worst health that the
 * observer had on any path meanwhile.
 */
import { detectionBoundMs } from "../../core/base/timing.ts";
import type { State } from "../../core/step/state.ts";
import { isAlive } from "../../core/verdict.ts";
import type { CheckerKind } from "../checker.ts";
import type { Watched } from "../observation.ts";
import { Judge } from "./judge.ts";
import type { Host } from "../host.ts";
import { hostsApart, Peace, type Way, waysBetween } from "./ways.ts";

type Outage = {
  readonly dead: Host;
  readonly observer: Host;
  readonly ways: readonly Way[];
  readonly fromMs: number;
  /** Of the observer's run. */
  readonly incarnation: bigint;
  health: number;
  dueMs: number;
  foundMs: number | null;
};

function peerOf(state: State, host: Host) {
  return state.peers.find((peer) => peer.host.name === host.name) ?? null;
}

function healthOf({ paths }: State): number {
  let worst = 0;
  for (const { watch, enabled } of Object.values(paths)) {
    if (enabled) worst = Math.max(worst, watch.health);
  }
  return worst;
}

/** Watched on every way, and seen there just before. */
function isWatched(state: State, dead: Host, ways: readonly Way[]): boolean {
  const peer = peerOf(state, dead);
  if (!peer?.enabled || !peer.verdict || !isAlive(peer.verdict.row)) return false;
  if (peer.pathsOff.length > 0 || (peer.word?.pathsOff ?? 0) !== 0) return false;
  const seen = (path: string): boolean =>
    peer.sightings[path]?.status === "ok" && (state.paths[path]?.enabled ?? false);
  return ways.length > 0 && ways.every(({ path }) => seen(path));
}

class Detection extends Judge {
  private readonly timing = this.world.config.timing;

  private readonly peace = new Peace(this.world, this.faults);

  private readonly couples = hostsApart(this.world);

  private readonly pending = new Set<Outage>();

  /** As it was after the last step. */
  private readonly states = new Map<string, State>();

  private nextDueMs = Number.POSITIVE_INFINITY;

  private dueMs(observer: Host, fromMs: number, health: number): number {
    return fromMs + detectionBoundMs(this.timing, health) / Math.min(1, observer.machine.rate) + 1;
  }

  private nextDue(): void {
    this.nextDueMs = Math.min(...[...this.pending].map((outage) => outage.dueMs));
  }

  private failed(name: string, nowMs: number): void {
    // Two words for one end: a machine that was stopped and is reset.
    if ([...this.pending].some(({ dead }) => dead.name === name)) return;
    const dead = this.world.host(name);
    for (const [from, observer] of this.couples) {
      const state = this.states.get(observer.name);
      if (from !== dead || !state || observer.state === null || !observer.isBeating) continue;
      const ways = waysBetween(this.world, dead, observer);
      if (!isWatched(state, dead, ways)) continue;
      const health = healthOf(state);
      this.count("failure");
      this.pending.add({
          dead, observer, ways, fromMs: nowMs, incarnation: state.incarnation, health,
          dueMs: this.dueMs(observer, nowMs, health), foundMs: null,
        }); // biome-ignore format: one list
    }
    this.nextDue();
  }

  private forget(isMeant: (outage: Outage) => boolean): void {
    for (const outage of this.pending) if (isMeant(outage)) this.pending.delete(outage);
    this.nextDue();
  }

  private judge(outage: Outage, nowMs: number): void {
    const { observer, dead, ways, fromMs, health, foundMs } = outage;
    const state = this.states.get(observer.name);
    if (!state || observer.state === null || state.incarnation !== outage.incarnation) return;
    const sinceMs = fromMs - detectionBoundMs(this.timing, 0);
    const inPeace =
      this.peace.hasHost(observer, sinceMs, nowMs) &&
      ways.every((way) => this.peace.hasWay(dead, observer, way, sinceMs, nowMs));
    if (!inPeace) return;
    if (foundMs !== null)
      return this.count(health > 0 ? "found in time, observer ill" : "found in time");
    const boundMs = Math.round(outage.dueMs - fromMs);
    const row = peerOf(state, dead)?.verdict?.row ?? "-";
    this.report(
      `${dead.name} failed at ${fromMs.toFixed(0)}; ${observer.name} says row ${row} after ${boundMs} ms, health ${health}`,
    );
  }

  private seen(name: string, state: State, nowMs: number): void {
    for (const outage of this.pending) {
      if (outage.observer.name !== name) continue;
      // Switched off meanwhile: nobody judges it.
      if (!(peerOf(state, outage.dead)?.enabled ?? false)) this.pending.delete(outage);
      const health = Math.max(outage.health, healthOf(state));
      if (health > outage.health) {
        outage.health = health;
        outage.dueMs = this.dueMs(outage.observer, outage.fromMs, health);
        this.nextDue();
      }
      const row = peerOf(state, outage.dead)?.verdict?.row;
      if (row !== undefined && !isAlive(row)) outage.foundMs ??= nowMs;
    }
  }

  watch(watched: Watched, nowMs: number): void {
    if (nowMs > this.nextDueMs) {
      for (const outage of this.pending) {
        if (nowMs <= outage.dueMs) continue;
        this.pending.delete(outage);
        this.judge(outage, nowMs);
      }
      this.nextDue();
    }
    this.peace.watch(watched, nowMs);
    switch (watched.kind) {
      case "step":
        this.states.set(watched.host, watched.after);
        if (this.pending.size > 0) this.seen(watched.host, watched.after, nowMs);
        return;
      case "agent":
        if (watched.what !== "begins" && watched.what !== "continues" && watched.what !== "left") {
          this.failed(watched.host, nowMs);
        }
        // It beats again, or leaves: whatever was due until then is not any more.
        else this.forget(({ dead }) => dead.name === watched.host);
        return;
      case "machine":
        if (
          watched.what === "boots" ||
          (watched.what === "resumes" && this.world.host(watched.host).machine.isUp)
        ) {
          this.forget(({ dead }) => dead.name === watched.host);
        } else this.failed(watched.host, nowMs);
        return;
      default:
    }
  }
}

export const detection: CheckerKind = {
  name: "detection",
  words: "a failure that is not found within the printed bound",
  cases: ["failure", "found in time", "found in time, observer ill"],
  make: (world, faults, report) => new Detection(world, faults, report),
};
