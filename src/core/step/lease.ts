/**
 * The owner's side of the lease (docs/safety.md): each beat may be granted by an echo of the other
 * site's decider, or of the witness, and the service may run only while the start of the newest
 * granted beat is younger than the lease.
 */
import type { CoreEvent } from "../base/event.ts";
import { recordFlags } from "../sector/layout.ts";
import { isWitness } from "../base/config.ts";
import { only } from "./chain.ts";
import { withLease } from "./change.ts";
import { ownsTerm } from "./holders.ts";
import { isArmed } from "./issued.ts";
import { lockHeld } from "./lock.ts";
import type { Peer, State, Step } from "./state.ts";

/** What is left of the lease; negative once it has run out. */
export function leaseLeftMs({ lease, clocks }: State): number {
  let anchorMs = Number.NEGATIVE_INFINITY;
  for (const site in lease.anchors) anchorMs = Math.max(anchorMs, lease.anchors[site] ?? anchorMs);
  return anchorMs + lease.limitMs - clocks.longMs;
}

/** Whether the service may run here at this moment. */
export function hasRight(state: State): boolean {
  if (!isArmed(state)) return true;
  return ownsTerm(state) && (state.lease.solo || leaseLeftMs(state) > 0) && hasLocalRight(state);
}

/** Whether it must be stopped now, while there is still time. */
export function isStopDue(state: State): boolean {
  if (!isArmed(state)) return false;
  if (!ownsTerm(state) || !hasLocalRight(state)) return true;
  return !state.lease.solo && leaseLeftMs(state) <= state.config.timing.stopMs;
}

/** Where hosts of a site take over from one another, the service belongs to the lock's holder. */
export function hasLocalRight(state: State): boolean {
  return !state.config.takeover.local || lockHeld(state);
}

/** What the watchdog's feeder must do now; asked anew before each feeding. */
export function watchdogWish(state: State): "off" | "feed" | "starve" {
  if (!isArmed(state) || !state.serviceMayRun) return "off";
  return hasRight(state) ? "feed" : "starve";
}

/** The guard: this host may be active only under a lease. */
export const isGuarded = (state: State): boolean =>
  isArmed(state) && ownsTerm(state) && !state.beacon && !state.lease.solo;

/** Whether a decider's record grants at all: in which term, by which times, to which run of ours. */
function mayGrant(state: State, { word, echo }: Peer): boolean {
  if (!word || !echo || !ownsTerm(state)) return false;
  const closing = (word.flags & recordFlags.closing) !== 0;
  return (
    !closing &&
    word.term === state.term &&
    echo.term === state.term &&
    echo.writtenSerial === word.serial &&
    echo.incarnation === state.incarnation &&
    word.timingDigest === state.timingDigest
  );
}

/** The newest record of a peer, if its echo grants one of our beats or renounces takeover. */
export function heedGrant(state: State, peer: Peer): Step {
  const nothing = only(state);
  const { word, echo, siteId } = peer;
  const isDecider = word !== null && (word.flags & recordFlags.grants) !== 0;
  if (!isArmed(state) || !isDecider || siteId === state.ownSiteId) return nothing;
  const { site } = peer.host;
  const epoch = state.lease.epochs[site];
  if (word.lockEpoch < (epoch ?? 0)) return nothing;
  // Whatever else it says: from now on no older decider is heeded.
  const isKnown = word.lockEpoch === epoch;
  const epochs = isKnown ? state.lease.epochs : { ...state.lease.epochs, [site]: word.lockEpoch };
  const beat = mayGrant(state, peer)
    ? state.lease.issued.findLast(
        ({ serial, nonce }) => serial === echo?.serial && nonce === echo.nonce,
      )
    : undefined;
  if (!beat) return isKnown ? nothing : only(withLease(state, { epochs }));
  const anchorMs = Math.max(beat.atMs, state.lease.anchors[site] ?? Number.NEGATIVE_INFINITY);
  const isLonger = state.config.timing.leaseMs > state.lease.limitMs;
  const granted = withLease(state, {
    epochs,
    // A longer lease is in force for what was granted by the same times only.
    anchors: isLonger ? { [site]: anchorMs } : { ...state.lease.anchors, [site]: anchorMs },
    limitMs: state.config.timing.leaseMs,
  });
  return guarded(granted, peer, (word.flags & recordFlags.renounced) !== 0);
}

/** The witness's word says nothing of whether the standby renounced. */
function guarded(state: State, { host }: Peer, renounced: boolean): Step {
  // Who cannot fence itself must not say that it goes by the lease.
  const stays = !isLive(state) || state.watchdogFault !== "";
  const solo = isWitness(state.config, host.site)
    ? state.lease.solo
    : renounced || (state.lease.solo && stays);
  if (solo === state.lease.solo) return only(state);
  const reason = solo
    ? `${host.site} renounced takeover in this term`
    : `granted by ${host.name}: from now on under the lease`;
  const event: CoreEvent = {
    level: "notice",
    ev: "guard",
    fields: { on: !solo, term: state.term, reason },
  };
  return { state: withLease(state, { solo }), actions: [], events: [event] };
}

const isLive = (state: State): boolean => leaseLeftMs(state) > state.config.timing.stopMs;
