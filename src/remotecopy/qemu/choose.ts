/** Which end is the primary for a change, what forbids it, and the phases that carry it out. Pure. */
import type { PairVerb } from "../../core/base/pair-settings.ts";
import { fault, type PairFault } from "../provider.ts";
import { clear, type Known, type Phase, prepareSecondary, split, startCopy } from "./plan.ts";
import { type Station, stopForSwap, takeover } from "./plan.ts";
import { roleOf, viewOf } from "./view.ts";

export type Ends = {
  readonly copying: string;
  readonly isWriter: boolean;
  readonly own: Known;
  readonly peer: Station;
  /** Whether the other array could be reached at all, by the settings. */
  readonly hasPeer: boolean;
  /** null: it was not asked, or did not answer. */
  readonly peerKnown: Known | null;
  readonly peerFault: PairFault | null;
};

export type Plan = {
  readonly phases: readonly Phase[];
  /** What follows once these are done, from what is found then. */
  readonly andThen: ((ends: Ends) => Plan | PairFault) | null;
};

const only = (phases: readonly Phase[]): Plan => ({ phases, andThen: null });
const unreachable = ({ peerFault }: Ends): PairFault =>
  peerFault ?? fault("peer-unreachable", "this needs the other array: configure its monitor");

/** A copy would destroy what the target holds: it must not be anybody's source, or taken over. */
function targetFault(target: Known): PairFault | null {
  const { names } = target.station;
  const { state, role } = viewOf(target.facts, names);
  if (state === "takeover") {
    return fault("wrong-state", "the volume there was taken over: a copy would overwrite it");
  }
  if (role === "primary") return fault("wrong-state", "the volume there is a primary itself");
  return null;
}

function copyFromOwn(ends: Ends): Plan | PairFault {
  const { own, peerKnown, copying, peer } = ends;
  if (ends.hasPeer && !peerKnown) return unreachable(ends);
  return (peerKnown && targetFault(peerKnown)) ?? only(startCopy(own, peerKnown, peer, copying));
}

function copyFromPeer(ends: Ends): Plan | PairFault {
  const { own, peerKnown, copying } = ends;
  const wrong = targetFault(own);
  if (wrong) return wrong;
  if (!ends.hasPeer) return only(prepareSecondary(own));
  if (!peerKnown) return unreachable(ends);
  return only(startCopy(peerKnown, own, own.station, copying));
}

/** From the end that is secondary now, or was until the first half was done. */
function swap(ends: Ends): Plan | PairFault {
  const { own, peerKnown } = ends;
  if (!peerKnown) return unreachable(ends);
  const isPrimary = roleOf(own.facts, own.station.names) === "primary";
  const [primary, secondary] = isPrimary ? [own, peerKnown] : [peerKnown, own];
  for (const { facts, station } of [primary, secondary]) {
    const { state } = viewOf(facts, station.names);
    if (state !== "paired") return fault("wrong-state", `one end is ${state}, not paired`);
  }
  return {
    phases: stopForSwap(primary, secondary),
    andThen: (next) => (isPrimary ? copyFromPeer(next) : copyFromOwn(next)),
  };
}

export function planOf(verb: PairVerb, ends: Ends): Plan | PairFault {
  const { own, peerKnown } = ends;
  const role = roleOf(own.facts, own.station.names);
  switch (verb) {
    case "create":
      return ends.isWriter ? copyFromOwn(ends) : copyFromPeer(ends);
    case "resync":
      return role === "secondary" ? copyFromPeer(ends) : copyFromOwn(ends);
    case "split":
      if (role !== "secondary") return only(split(own, peerKnown));
      return peerKnown ? only(split(peerKnown, own)) : unreachable(ends);
    case "swap":
      return swap(ends);
    case "takeover":
      return only(takeover(own));
    case "remove": {
      const there = peerKnown ? clear(peerKnown) : [];
      return only([...clear(own), ...there.map((phase) => ({ ...phase, optional: true }))]);
    }
  }
}
