/**
 * No takeover that an operator commands begins beside a host that beats (docs/safety.md 5), but by
 * force or where the other site is attested to be off: asked for without either, it is refused while
 * some host of the owner's site that may serve is heard.
 *
 * Strikes where such a host has beaten without a break, and some one way from it to the host that
 * was asked carried all it was given, for longer than the bound of detection; both undisturbed. Not
 * asked of a host that gave the term away, failed, or said that it leaves.
 */
import { detectionBoundMs } from "../../core/base/timing.ts";
import { states } from "../../core/sector/layout.ts";
import { ownerOf } from "../../core/decision.ts";
import type { CheckerKind } from "../checker.ts";
import type { Host } from "../host.ts";
import type { Watched } from "../observation.ts";
import { Judge } from "./judge.ts";
import { Beats, Peace, waysBetween } from "./ways.ts";

type Step = Extract<Watched, { kind: "step" }>;

class Commanded extends Judge {
  private readonly peace = new Peace(this.world, this.faults);

  private readonly beats = new Beats(this.world);

  private readonly boundMs =
    detectionBoundMs(this.world.config.timing, 0) / (1 - this.world.config.timing.driftPpm / 1e6);

  /** The way that was in peace; null where there was none. */
  private heardOver(from: Host, to: Host, nowMs: number): string | null {
    const sinceMs = nowMs - this.boundMs;
    if (!this.beats.since(from, sinceMs) || !this.beats.since(to, sinceMs)) return null;
    if (!this.peace.hasHost(from, sinceMs, nowMs) || !this.peace.hasHost(to, sinceMs, nowMs))
      return null;
    const way = waysBetween(this.world, from, to).find((one) =>
      this.peace.hasWay(from, to, one, sinceMs, nowMs),
    );
    return way?.path ?? null;
  }

  private asked({ host, before, after }: Step, nowMs: number): void {
    this.count("takeover asked for");
    const site = this.world.config.sites.find(({ id }) => id === ownerOf(before.term))?.name ?? "";
    const to = this.world.host(host);
    if (site === to.site) return;
    for (const from of this.world.hostsOf(site)) {
      const peer = before.peers.find((one) => one.host.name === from.name);
      if (from.selfHost.beacon || !peer?.enabled || peer.word?.state !== states.running) continue;
      const way = this.heardOver(from, to, nowMs);
      if (way === null) continue;
      this.count("takeover asked for beside a host that beats");
      if (before.takeover !== null || after.takeover === null) continue;
      this.report(
        `${host} takes over at an operator's word, without force, from ${from.name}, which beats, over ${way} in peace for ${Math.round(this.boundMs)} ms`,
      );
    }
  }

  watch(watched: Watched, nowMs: number): void {
    this.peace.watch(watched, nowMs);
    this.beats.watch(watched, nowMs);
    if (watched.kind !== "step" || watched.input.kind !== "takeover") return;
    const { force, peerIsOff = "" } = watched.input;
    if (!force && peerIsOff === "") this.asked(watched, nowMs);
  }
}

export const commanded: CheckerKind = {
  name: "commanded",
  words: "an operator's takeover begins beside a host that beats",
  cases: ["takeover asked for", "takeover asked for beside a host that beats"],
  make: (world, faults, report) => new Commanded(world, faults, report),
};
