/** Hosts of other sites that may hold the service, and what their fresh records say of our term. */
import { ownerOf } from "../decision.ts";
import { states } from "../sector/layout.ts";
import { peerBeats } from "./commands.ts";
import type { Peer, State } from "./state.ts";

export function siteOf(state: State, term: bigint): string {
  const owner = ownerOf(term);
  return state.config.sites.find((site) => site.id === owner)?.name ?? `#${owner}`;
}

export const ownsTerm = (state: State): boolean => ownerOf(state.term) === state.ownSiteId;

/** Whether it is watched or not. */
const mayHold = ({ host, enabled }: Peer): boolean => !host.beacon && (enabled || host.enabled);

export const possibleHolders = ({ peers }: State): readonly Peer[] => peers.filter(mayHold);

/** Those of the site that owns the term. */
export function ownerHosts(state: State): readonly Peer[] {
  const owner = ownerOf(state.term);
  return state.peers.filter((peer) => peer.siteId === owner && mayHold(peer));
}

/**
 * Whether a host's fresh record shows no higher term than ours. Advancing is not fresh enough: a
 * link that comes back delivers the backlog of the time before. The record must come with an echo
 * of this very start of ours, so it was written after it.
 */
export function confirms(state: State, peer: Peer): boolean {
  const { word, echo } = peer;
  return (
    word !== null &&
    word.term <= state.term &&
    echo?.incarnation === state.incarnation &&
    word.serial >= echo.writtenSerial &&
    peerBeats(state, peer)
  );
}

/**
 * Whether every host that may have taken over confirms our term. One is not enough: a host of the
 * other site may not have heard yet what its sibling did.
 */
export function peersConfirm(state: State): boolean {
  const holders = possibleHolders(state);
  return holders.length > 0 && holders.every((peer) => peer.enabled && confirms(state, peer));
}

/** Whether the term was given to us, by the word of a host of the site that had it. */
export const isGivenToUs = (state: State): boolean =>
  ownsTerm(state) &&
  state.peers.some(
    (peer) =>
      peer.word?.state === states.handover &&
      peer.word.handoverTerm === state.term &&
      peer.word.handoverSite === state.ownSiteId &&
      mayHold(peer),
  );
