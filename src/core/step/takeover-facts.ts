/** What is known that speaks for or against a takeover by an operator. */
import { ownSite } from "../base/config.ts";
import { unjudgedLimitMs } from "../base/timing.ts";
import type { TakeoverFacts } from "../decision.ts";
import { roles } from "../sector/layout.ts";
import { confirms, ownsTerm, possibleHolders } from "./holders.ts";
import { isSettled, pathInUse } from "./judge.ts";
import { pathsOut } from "./paths.ts";
import { busySiblings } from "./siblings.ts";
import { networkPath, type Peer, type State } from "./state.ts";

/** It beats, and its own fresh word is that it stands by under the term that is ours. */
export const standsBy = (state: State, peer: Peer): boolean =>
  ownsTerm(state) && peer.word?.role === roles.standby && confirms(state, peer);

export function takeoverFacts(state: State, force: boolean, peerIsOff: boolean): TakeoverFacts {
  const hosts = possibleHolders(state).map((peer) => ({
    name: peer.host.name,
    watched: peer.enabled,
    verdict: peer.verdict,
    settled: isSettled(state, peer) || peer.verdict?.row === "0c" || longWatched(state, peer),
    standsBy: standsBy(state, peer),
  }));
  const siblings = ownSite(state.config).hosts.filter((host) => !host.beacon && host.enabled);
  const onVolume = pathsOut(state).some((path) => path !== networkPath);
  const ours = BigInt(state.config.generation);
  const newer = state.peers.filter(({ word }) => word !== null && word.generation > ours);
  return {
    force,
    peerIsOff,
    newerConfigurations: newer.map(({ host }) => host.name),
    hosts,
    busySiblings: busySiblings(state),
    siblingsWouldLearn: onVolume || siblings.length <= 1,
  };
}

/** After a long watch on every path an unseen host is simply not there; an operator may say so. */
function longWatched(state: State, peer: Peer): boolean {
  return Object.entries(peer.sightings).every(([path, { startingMs }]) => {
    const sinceMs = Math.max(startingMs, state.paths[path]?.watch.windowMs ?? state.nowMs);
    const watchedMs = state.nowMs - sinceMs;
    return !pathInUse(state, peer, path) || watchedMs >= 2 * unjudgedLimitMs(state.config.timing);
  });
}
