/**
 * No alarm for nothing (docs/safety.md 1, "The observer's own trouble is not evidence").
 *
 * stall: where a host beat without a break, and it and all ways from it were left in peace for long
 * enough, whatever befell the observer's own processor earns no verdict but alive or "not fit"; what
 * befell its reads, none that is not alive but "not fit" and "not readable here", unless they showed
 * an image of before. Rows that follow from the host's own word (0, 0b, 0c) are left to it.
 *
 * calm: where everything was left in peace for long enough, every observer judges every host alive.
 * That is looked at just before each fault begins, and at the end.
 */
import type { Row } from "../../core/verdict.ts";
import { isAlive } from "../../core/verdict.ts";
import { detectionBoundMs, healthMax, unjudgedLimitMs } from "../../core/base/timing.ts";
import { states } from "../../core/sector/layout.ts";
import type { CheckerKind } from "../checker.ts";
import type { Watched } from "../observation.ts";
import { Judge } from "./judge.ts";
import type { Host } from "../host.ts";
import { Beats, hostsApart, Peace, type Way, waysBetween } from "./ways.ts";

const isHealthy = (row: Row): boolean => row === "1" || row === "2b";

class FalseAlarm extends Judge {
  private readonly timing = this.world.config.timing;

  private readonly peace = new Peace(this.world, this.faults);

  private readonly beats = new Beats(this.world);

  private readonly slow = 1 - this.timing.driftPpm / 1e6;

  /** Until what was on its way has come, and every path was watched long enough by the sickest. */
  private readonly longMs =
    (detectionBoundMs(this.timing, healthMax) + this.timing.pairAgeLimitMs) / this.slow;

  private readonly calmMs = this.longMs + unjudgedLimitMs(this.timing) / this.slow;

  /** When an observer's reads last showed an image of before: that is silence, for all it can see. */
  private readonly shownStaleMs = new Map<string, number>();

  private isInPeace(from: Host, observer: Host, ways: readonly Way[], nowMs: number): boolean {
    const sinceMs = nowMs - this.longMs;
    return (
      this.beats.since(from, sinceMs) &&
      this.peace.hasHost(from, sinceMs, nowMs) &&
      ways.every((way) => this.peace.hasWayApart(from, observer, way, sinceMs, nowMs))
    );
  }

  private told(observer: Host, name: string, row: Row, nowMs: number): void {
    if (isHealthy(row) || row === "5") return;
    // By its own word: what that says is no alarm of ours.
    const word = observer.state?.peers.find(({ host }) => host.name === name)?.word;
    if (word && word.state !== states.running) return;
    this.count("alarm told");
    const from = this.world.host(name);
    const ways = waysBetween(this.world, from, observer);
    if (!this.isInPeace(from, observer, ways, nowMs)) return;
    const own = ways
      .flatMap(({ touches }) => touches)
      .filter((touch) => touch.kind === "volume" && touch.host === observer.name);
    const readsWell = this.faults.isQuiet(own, nowMs - this.longMs, nowMs);
    if (!readsWell && (isAlive(row) || row === "6")) return;
    if ((this.shownStaleMs.get(observer.name) ?? Number.NEGATIVE_INFINITY) > nowMs - this.longMs)
      return;
    this.report(
      `${observer.name} says row ${row} of ${name}, which was in peace with all its ways for ${Math.round(this.longMs)} ms`,
    );
  }

  /** How often an observer was disturbed while a host and its ways were not. */
  private stalled(name: string, nowMs: number): void {
    const observer = this.world.host(name);
    const isMet = hostsApart(this.world).some(
      ([from, to]) =>
        to === observer &&
        this.isInPeace(from, observer, waysBetween(this.world, from, observer), nowMs),
    );
    if (isMet) this.count("observer stalled, peer in peace");
  }

  /** Faults that are there, and when the last one ended. */
  private there = 0;

  private endedMs = 0;

  private calm(nowMs: number): void {
    if (this.there > 0 || this.endedMs > nowMs - this.calmMs) return;
    const sinceMs = nowMs - this.calmMs;
    for (const [from, observer] of hostsApart(this.world)) {
      const { state } = observer;
      const peer = state?.peers.find(({ host }) => host.name === from.name);
      const ways = waysBetween(this.world, from, observer);
      const isWhole = ways.every((way) => this.peace.hasWay(from, observer, way, sinceMs, nowMs));
      if (
        !peer?.enabled ||
        (peer.word && peer.word.state !== states.running) ||
        !isWhole ||
        !this.beats.since(from, sinceMs) ||
        !this.beats.since(observer, sinceMs)
      )
        continue;
      this.count("calm looked at");
      const row = peer.verdict?.row ?? "-";
      if (row === "-" || !isHealthy(row)) {
        this.report(
          `${observer.name} says row ${row} of ${from.name}, with all in peace for ${Math.round(this.calmMs)} ms`,
        );
      }
    }
  }

  private isStale(host: string, mirror: string): boolean {
    const svol = this.world.config.mirrors.find(({ name }) => name === mirror)?.svol ?? "";
    return (this.world.host(host).machine.ports.get(svol)?.staleImage ?? null) !== null;
  }

  watch(watched: Watched, nowMs: number): void {
    this.peace.watch(watched, nowMs);
    if (this.beats.watch(watched, nowMs) && "host" in watched) this.stalled(watched.host, nowMs);
    switch (watched.kind) {
      case "step":
        if (
          watched.input.kind === "mirror-read" &&
          this.isStale(watched.host, watched.input.mirror)
        ) {
          this.shownStaleMs.set(watched.host, nowMs);
        }
        return;
      case "fault":
        if (watched.on) {
          this.calm(nowMs);
          this.there += 1;
        } else {
          this.there -= 1;
          this.endedMs = nowMs;
        }
        return;
      case "told": {
        const { ev, fields } = watched.event;
        if (ev !== "verdict") return;
        return this.told(
          this.world.host(watched.host),
          String(fields["host"]),
          String(fields["row"]) as Row,
          nowMs,
        );
      }
      default:
    }
  }

  end(nowMs: number): void {
    this.calm(nowMs);
  }
}

export const falseAlarm: CheckerKind = {
  name: "false-alarm",
  words: "a verdict against a host that was in peace",
  cases: ["alarm told", "observer stalled, peer in peace", "calm looked at"],
  make: (world, faults, report) => new FalseAlarm(world, faults, report),
};
