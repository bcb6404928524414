/**
 * No alarm for nothing (docs/safety.md 1, "The observer's own trouble is not evidence").
 *
 * stall: where a host beat without a break, and it and all ways from it were left in peace for long
 * enough, whatever befell the observer's own processor earns no verdict but alive or "not fit"; what
 * befell its reads, none that is not alive but "not fit" and "not readable here". Rows that follow
 * from the host's own word (0, 0b, 0c) are left to it.
 *
 * calm: where everything was left in peace for long enough, every observer judges every host alive.
 * That is looked at just before each fault begins, and at the end.
 */
import type { Row } from "../../core/verdict.ts";
import { isAlive } from "../../core/verdict.ts";
import { detectionBoundMs, healthMax, unjudgedLimitMs } from "../../core/base/timing.ts";
import { states } from "../../core/sector/layout.ts";
import { type CheckerKind, type Counts, count } from "../checker.ts";
import type { Host } from "../host.ts";
import { Beats, hostsApart, Peace, type Way, waysBetween } from "./ways.ts";

const isHealthy = (row: Row): boolean => row === "1" || row === "2b";

export const falseAlarm: CheckerKind = {
  name: "false-alarm",
  words: "a verdict against a host that was in peace",
  cases: ["alarm told", "observer stalled, peer in peace", "calm looked at"],
  make(world, faults, report) {
    const { timing } = world.config;
    const applied: Counts = {};
    const peace = new Peace(world, faults);
    const beats = new Beats(world);
    const slow = 1 - timing.driftPpm / 1e6;
    /** Until what was on its way has come, and every path was watched long enough by the sickest. */
    const longMs = (detectionBoundMs(timing, healthMax) + timing.pairAgeLimitMs) / slow;
    const calmMs = longMs + unjudgedLimitMs(timing) / slow;

    const isInPeace = (
      from: Host,
      observer: Host,
      ways: readonly Way[],
      nowMs: number,
    ): boolean => {
      const sinceMs = nowMs - longMs;
      return (
        beats.since(from, sinceMs) &&
        peace.hasHost(from, sinceMs, nowMs) &&
        ways.every((way) => peace.hasWayApart(from, observer, way, sinceMs, nowMs))
      );
    };

    const told = (observer: Host, name: string, row: Row, nowMs: number): void => {
      if (isHealthy(row) || row === "5") return;
      // By its own word: what that says is no alarm of ours.
      const word = observer.state?.peers.find(({ host }) => host.name === name)?.word;
      if (word && word.state !== states.running) return;
      count(applied, "alarm told");
      const from = world.host(name);
      const ways = waysBetween(world, from, observer);
      if (!isInPeace(from, observer, ways, nowMs)) return;
      const own = ways
        .flatMap(({ touches }) => touches)
        .filter((touch) => touch.kind === "volume" && touch.host === observer.name);
      const readsWell = faults.isQuiet(own, nowMs - longMs, nowMs);
      if (!readsWell && (isAlive(row) || row === "6")) return;
      report(
        `${observer.name} says row ${row} of ${name}, which was in peace with all its ways for ${Math.round(longMs)} ms`,
      );
    };

    /** How often an observer was disturbed while a host and its ways were not. */
    const stalled = (name: string, nowMs: number): void => {
      const observer = world.host(name);
      const isMet = hostsApart(world).some(
        ([from, to]) =>
          to === observer && isInPeace(from, observer, waysBetween(world, from, observer), nowMs),
      );
      if (isMet) count(applied, "observer stalled, peer in peace");
    };

    /** Faults that are there, and when the last one ended. */
    let there = 0;
    let endedMs = 0;
    const calm = (nowMs: number): void => {
      if (there > 0 || endedMs > nowMs - calmMs) return;
      const sinceMs = nowMs - calmMs;
      for (const [from, observer] of hostsApart(world)) {
        const { state } = observer;
        const peer = state?.peers.find(({ host }) => host.name === from.name);
        const ways = waysBetween(world, from, observer);
        const isWhole = ways.every((way) => peace.hasWay(from, observer, way, sinceMs, nowMs));
        if (
          !peer?.enabled ||
          !isWhole ||
          !beats.since(from, sinceMs) ||
          !beats.since(observer, sinceMs)
        )
          continue;
        count(applied, "calm looked at");
        const row = peer.verdict?.row ?? "-";
        if (row === "-" || !isHealthy(row)) {
          report(
            `${observer.name} says row ${row} of ${from.name}, with all in peace for ${Math.round(calmMs)} ms`,
          );
        }
      }
    };

    return {
      applied,
      watch(watched, nowMs) {
        peace.watch(watched, nowMs);
        if (beats.watch(watched, nowMs) && "host" in watched) stalled(watched.host, nowMs);
        switch (watched.kind) {
          case "fault":
            if (watched.on) {
              calm(nowMs);
              there += 1;
            } else {
              there -= 1;
              endedMs = nowMs;
            }
            return;
          case "told": {
            const { ev, fields } = watched.event;
            if (ev !== "verdict") return;
            return told(
              world.host(watched.host),
              String(fields["host"]),
              String(fields["row"]) as Row,
              nowMs,
            );
          }
          default:
        }
      },
      end: calm,
    };
  },
};
