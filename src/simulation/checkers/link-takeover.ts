/**
 * No agent takes over by itself while a way from a living host of the owner was left in peace: one
 * live path is life (docs/safety.md 4, rows 1 to 4), and a fault of a link alone moves nothing.
 *
 * Strikes where, at the moment at which an agent begins a takeover of its own accord, some host of
 * the owner's site that may serve has beaten without a break, and some one way from it to this host
 * (the network, or one mirror) carried all it was given, for longer than the bound of detection;
 * both hosts undisturbed. Not asked of a host that gave the term away or said that it leaves.
 */
import { ownerOf } from "../../core/decision.ts";
import { detectionBoundMs } from "../../core/base/timing.ts";
import { states } from "../../core/sector/layout.ts";
import { type CheckerKind, type Counts, count } from "../checker.ts";
import type { Host } from "../host.ts";
import { Beats, Peace, waysBetween } from "./ways.ts";

export const linkTakeover: CheckerKind = {
  name: "link-takeover",
  words: "an agent takes over from a site that is heard",
  cases: ["agent takes over", "agent takes over, owner beats", "owner beats, no way in peace"],
  make(world, faults, report) {
    const applied: Counts = {};
    const peace = new Peace(world, faults);
    const beats = new Beats(world);
    const boundMs =
      detectionBoundMs(world.config.timing, 0) / (1 - world.config.timing.driftPpm / 1e6);
    const isHeard = (from: Host, to: Host, nowMs: number): string | null => {
      const sinceMs = nowMs - boundMs;
      if (!beats.since(from, sinceMs)) return null;
      count(applied, "agent takes over, owner beats");
      if (!peace.hasHost(from, sinceMs, nowMs) || !peace.hasHost(to, sinceMs, nowMs)) return null;
      const way = waysBetween(world, from, to).find((one) =>
        peace.hasWay(from, to, one, sinceMs, nowMs),
      );
      if (!way) count(applied, "owner beats, no way in peace");
      return way?.path ?? null;
    };
    return {
      applied,
      watch(watched, nowMs) {
        peace.watch(watched, nowMs);
        beats.watch(watched, nowMs);
        if (watched.kind !== "step") return;
        const { before, after, host } = watched;
        if (after.takeover === before.takeover || after.takeover?.by !== "agent") return;
        if (before.takeover !== null) return;
        count(applied, "agent takes over");
        const owner = world.config.sites.find(({ id }) => id === ownerOf(before.term));
        const to = world.host(host);
        for (const from of world.hostsOf(owner?.name ?? "")) {
          const word = after.peers.find((peer) => peer.host.name === from.name)?.word?.state;
          if (from.selfHost.beacon || word !== states.running) continue;
          const way = isHeard(from, to, nowMs);
          if (way === null) continue;
          report(
            `${host} takes over from ${from.name}, which beats, over ${way} in peace for ${Math.round(boundMs)} ms`,
          );
        }
      },
    };
  },
};
