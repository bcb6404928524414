/**
 * The witness (a third site that never holds the service): it grants the owner's leases like the
 * standby does, and, asked by the standby, grants takeover once its own wait is over. From then on
 * it grants the owner nothing in that term. One that lost its memory may have granted takeover, so
 * it does nothing before it has seen both sites freshly in one term.
 */
import type { CoreEvent } from "../base/event.ts";
import { ownerOf } from "../decision.ts";
import { recordFlags, roles } from "../sector/layout.ts";
import { only as nothing } from "./chain.ts";
import { confirms, ownerHosts, possibleHolders } from "./holders.ts";
import { guardSeen, isWitnessHost, waitLeftMs } from "./standby.ts";
import { mayStoreAgain, storeTerm } from "./term.ts";
import type { Peer, State, Step } from "./state.ts";

const told = (step: string, state: State, reason: string): CoreEvent => ({
  level: "warning",
  ev: "witness",
  fields: { step, term: state.term, reason },
});

const hasFlag = ({ word }: Peer, flag: number): boolean => ((word?.flags ?? 0) & flag) !== 0;

/** A fresh host of a site that does not own the term, which takes nothing over. */
const calmlyStandsBy = (state: State, peer: Peer): boolean =>
  peer.word?.role === roles.standby &&
  peer.word.term === state.term &&
  !hasFlag(peer, recordFlags.claims) &&
  !hasFlag(peer, recordFlags.closing) &&
  confirms(state, peer);

function settleBlank(state: State): Step {
  const owner = ownerOf(state.term);
  const owned = ownerHosts(state).some(
    (peer) => peer.word?.term === state.term && confirms(state, peer),
  );
  const others = possibleHolders(state).filter(({ siteId }) => siteId !== owner);
  if (!owned || others.length === 0 || !others.every((peer) => calmlyStandsBy(state, peer))) {
    return nothing(state);
  }
  const next: State = { ...state, isBlank: false };
  return {
    state: next,
    actions: [storeTerm(next)],
    events: [told("armed", next, "both sites were seen freshly in one term")],
  };
}

/** The site that asks for the term, freshly. */
function claimant(state: State): Peer | undefined {
  const owner = ownerOf(state.term);
  return possibleHolders(state).find(
    (peer) =>
      peer.siteId !== owner &&
      hasFlag(peer, recordFlags.claims) &&
      peer.word?.term === state.term &&
      confirms(state, peer),
  );
}

/** A grant that the local disk refused is told to nobody: it is tried again. */
function storeGrantAgain(state: State): Step {
  const { grantStored, granted, storeFailedMs } = state;
  if (grantStored === granted.term || storeFailedMs === null || !mayStoreAgain(state)) {
    return nothing(state);
  }
  return { state: { ...state, storeFailedMs: null }, actions: [storeTerm(state)], events: [] };
}

export function settleWitness(state: State): Step {
  if (!isWitnessHost(state)) return nothing(state);
  if (state.isBlank) return settleBlank(state);
  if (state.granted.term === state.term) return storeGrantAgain(state);
  if (waitLeftMs(state) > 0) return nothing(state);
  const owners = ownerHosts(state);
  if (owners.length === 0 || !owners.every((peer) => guardSeen(state, peer))) return nothing(state);
  const peer = claimant(state);
  if (!peer) return nothing(state);
  // From this moment nothing is granted to the owner; the claimant is told once it is durable.
  const next: State = { ...state, granted: { term: state.term, site: peer.siteId } };
  return {
    state: next,
    actions: [storeTerm(next)],
    events: [
      told("granted", next, `${peer.host.site} asked, and the owner was silent for long enough`),
    ],
  };
}

/** What the witness may tell: a grant that is durable. */
export function toldGrant(state: State): { readonly term: bigint; readonly site: number } {
  const { granted, grantStored } = state;
  return granted.term !== 0n && grantStored === granted.term ? granted : { term: 0n, site: 0 };
}
