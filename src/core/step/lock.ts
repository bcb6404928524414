/**
 * The lock of a site: of several hosts one decides, echoes as a grant, and takes over. It is
 * claimed in the records of the site's own PVOL, by writing the claim and then reading the others'
 * slots: of two that claim at once at least one sees the other, however late any write lands. Its
 * own validity is a lease, counted from the start of the last write that a clean look followed.
 */
import { ownSite, type Config } from "../base/config.ts";
import { onceFor } from "../base/once.ts";
import { localTakeoverWaitMs, lockWaitMs } from "../base/lease-timing.ts";
import type { CoreEvent } from "../base/event.ts";
import { recordFlags } from "../sector/layout.ts";
import { only } from "./chain.ts";
import { changed } from "./change.ts";
import { isArmed, issuedAtMs } from "./issued.ts";
import type { SiblingClaim, SiteLock } from "./right-state.ts";
import type { Input, State, Step } from "./state.ts";

export const freeLock = (nowMs: number): SiteLock => ({
  phase: "free",
  epoch: 0,
  seenEpoch: 0,
  claimSerial: 0n,
  confirmedSerial: 0n,
  anchorMs: Number.NEGATIVE_INFINITY,
  backoffMs: nowMs,
  siblings: {},
  looked: false,
});

/** The mirror on whose PVOL the claims stand; null where the site writes none. */
export const lockMirror = onceFor(({ mirrors, self }: Config): string | null => {
  const own = mirrors.filter(({ writer, witness }) => writer === self.site && !witness);
  return (own.find(({ enabled }) => enabled) ?? own[0])?.name ?? null;
});

const hasRivals = onceFor((config: Config): boolean =>
  ownSite(config).hosts.some(
    ({ name, beacon, enabled }) => name !== config.self.host && !beacon && enabled,
  ),
);

/** A site with one host needs no lock, nor one that lives by an operator's word. */
export const needsLock = (state: State): boolean =>
  isArmed(state) && !state.beacon && hasRivals(state.config);

export function lockHeld(state: State): boolean {
  if (state.beacon) return false;
  if (!needsLock(state)) return true;
  const { phase, anchorMs } = state.lock;
  return phase === "held" && state.clocks.longMs - anchorMs < state.config.timing.lockMs;
}

export const claimsLock = ({ lock }: State): boolean => lock.phase !== "free";

/** How long a claim must stand still before another host may claim. */
const standstillMs = onceFor(({ takeover, timing }: Config): number =>
  takeover.local ? localTakeoverWaitMs(timing) : lockWaitMs(timing),
);

const isLive = (state: State, { claims, seenMs }: SiblingClaim): boolean =>
  claims && state.clocks.shortMs - seenMs < standstillMs(state.config);

/** Siblings whose claim moved of late. */
export function liveClaims(state: State): readonly string[] {
  const live: string[] = [];
  for (const [name, claim] of Object.entries(state.lock.siblings)) {
    if (isLive(state, claim)) live.push(name);
  }
  return live;
}

/** A record of a sibling that was not seen before. */
export function seeClaim(
  state: State,
  host: string,
  record: { readonly flags: number; readonly lockEpoch: number },
): State {
  const claims = (record.flags & recordFlags.lockClaim) !== 0;
  const claim = { claims, epoch: record.lockEpoch, seenMs: state.clocks.shortMs };
  const siblings = { ...state.lock.siblings, [host]: claim };
  return seeEpoch(changed(state, { lock: { ...state.lock, siblings } }), record.lockEpoch);
}

/** Epochs rise for ever, over restarts too: an older decider's word must be told from a later one's. */
export function seeEpoch(state: State, epoch: number): State {
  if (epoch <= state.lock.seenEpoch) return state;
  return { ...state, lock: { ...state.lock, seenEpoch: epoch } };
}

/** What every record of ours tells: our claim's, else the highest that is known. */
export const toldEpoch = ({ lock }: State): number =>
  lock.phase === "free" ? Math.max(lock.epoch, lock.seenEpoch) : lock.epoch;

function told(state: State, lock: SiteLock, reason: string): Step {
  const event: CoreEvent = {
    level: lock.phase === "held" ? "notice" : "info",
    ev: "lock",
    fields: { phase: lock.phase, epoch: lock.epoch, reason },
  };
  return { state: { ...state, lock }, actions: [], events: [event] };
}

function released(state: State, reason: string): Step {
  const { intervalMs } = state.config.timing;
  const slot = ownSite(state.config).hosts.find(
    ({ name }) => name === state.config.self.host,
  )?.slot;
  // Of two that withdrew at once the lower slot is the first to try again.
  const backoffMs = state.nowMs + 2 * intervalMs * (1 + (slot ?? 0));
  return told(state, { ...state.lock, phase: "free", backoffMs }, reason);
}

/** A good look at all slots, begun after that record of ours was durable. */
export function seeLook(state: State, input: Extract<Input, { kind: "looked" }>): Step {
  const nothing = only(state);
  if (!needsLock(state) || input.mirror !== lockMirror(state.config)) return nothing;
  const looked: State = state.lock.looked
    ? state
    : changed(state, { lock: { ...state.lock, looked: true } });
  // Once it has lapsed another host may have held it: it is not revived, but taken anew.
  if (state.lock.phase === "held" && !lockHeld(state))
    return released(looked, "not renewed in time");
  const { phase, claimSerial } = state.lock;
  if (phase === "free" || input.afterSerial < claimSerial) return only(looked);
  const others = liveClaims(looked);
  if (others.length > 0) {
    if (phase === "held") return only(looked);
    return released(looked, `${others.join(", ")} claims it too`);
  }
  const anchorMs = issuedAtMs(looked, input.afterSerial);
  if (anchorMs === null) return only(looked);
  const lock: SiteLock = {
    ...looked.lock,
    phase: "held",
    confirmedSerial: input.afterSerial,
    anchorMs: Math.max(anchorMs, looked.lock.anchorMs),
  };
  if (phase === "held") return only(changed(looked, { lock }));
  // What was seen before the lock was ours earns no wait, and proves no guard; nor does an echo of a
  // record that did not tell of it: an older decider's word would still be heeded after that.
  const { shortMs } = state.clocks;
  const waiting = {
    ...state.waiting,
    sinceMs: shortMs,
    guards: {},
    granting: false,
    floorSerial: state.serial,
  };
  return told({ ...looked, waiting }, lock, "no other host of this site claims it");
}

/** Before a beat: the lock that ran out is given up, one that is free is claimed. */
export function settleLock(state: State): Step {
  const nothing = only(state);
  if (!needsLock(state)) return nothing;
  const { lock } = state;
  if (lock.phase === "held" && !lockHeld(state)) {
    return released(state, "not renewed in time");
  }
  // Who cannot fence itself can neither serve nor take over: another host may.
  if (state.watchdogFault !== "") {
    return lock.phase === "free" ? nothing : released(state, "this host cannot fence itself");
  }
  if (lock.phase !== "free" || !lock.looked || state.nowMs < lock.backoffMs) return nothing;
  if (!state.selfEnabled || state.stopping || liveClaims(state).length > 0) return nothing;
  const epoch = 1 + Math.max(lock.epoch, lock.seenEpoch);
  const claiming: SiteLock = { ...lock, phase: "claiming", epoch, claimSerial: state.serial + 1n };
  return { ...nothing, state: { ...state, lock: claiming } };
}
