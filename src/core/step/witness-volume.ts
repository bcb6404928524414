/**
 * The passive witness: two small volumes at a third site, each written by one site and read by the
 * other, without any remote copy. They are paths for beats like others, and more: the owner renews
 * its lease by a write of its own followed by a good read that shows no claim of the standby; the
 * standby takes over only a whole takeover wait after its claim was durable there.
 *
 * Why: a claim that was durable before that read would have been seen by it; so each beat that is
 * renewed so was begun before the claim was durable, and its lease is over when the wait is.
 */
import type { Config } from "../base/config.ts";
import { onceFor } from "../base/once.ts";
import { recordFlags } from "../sector/layout.ts";
import { withLease, withWaiting } from "./change.ts";
import { ownsTerm, possibleHolders } from "./holders.ts";
import { isArmed, issuedAtMs } from "./issued.ts";
import type { Input, Peer, State } from "./state.ts";

/** By which this lease is renewed, beside the granting sites. */
export const volumeGranter = "witness volume";

const witnessVolumes = onceFor(
  ({ mirrors }: Config): ReadonlySet<string> =>
    new Set(mirrors.filter(({ witness }) => witness).map(({ name }) => name)),
);

export const isWitnessVolume = (config: Config, name: string): boolean =>
  witnessVolumes(config).has(name);

export const hasWitnessVolumes = (config: Config): boolean => witnessVolumes(config).size > 0;

/** A record of ours that is durable on a witness volume. */
export function noteWitnessWrite(
  state: State,
  { mirror, serial, nowMs }: Extract<Input, { kind: "published" }>,
): State {
  if (!isArmed(state) || !isWitnessVolume(state.config, mirror)) return state;
  const { waiting, clocks } = state;
  const claimed = waiting.claimSerial !== null && serial >= waiting.claimSerial;
  const claimDurableMs = claimed ? (waiting.claimDurableMs ?? clocks.shortMs) : null;
  const known = claimDurableMs === waiting.claimDurableMs;
  const claiming = known ? state : withWaiting(state, { claimDurableMs });
  return withLease(claiming, { volumeWritten: { serial, atMs: nowMs } });
}

/** What this host's slot there says, or that it cannot be told: either keeps from renewing. */
function mayClaim(state: State, peer: Peer, volume: string): boolean {
  if (!peer.enabled) return true;
  const status = peer.sightings[volume]?.status;
  if (status === "corrupt" || status === "io-error") return true;
  const { word } = peer;
  return word !== null && word.term === state.term && (word.flags & recordFlags.claims) !== 0;
}

/** A good read of the other site's slots there, begun after a write of ours was durable. */
export function renewByVolume(
  state: State,
  { mirror, read }: Extract<Input, { kind: "mirror-read" }>,
): State {
  const { volumeWritten } = state.lease;
  if (!isArmed(state) || !ownsTerm(state) || !volumeWritten || read.kind !== "good") return state;
  if (!isWitnessVolume(state.config, mirror) || read.beganMs < volumeWritten.atMs) return state;
  if (possibleHolders(state).some((peer) => mayClaim(state, peer, mirror))) return state;
  const atMs = issuedAtMs(state, volumeWritten.serial);
  if (atMs === null) return state;
  const before = state.lease.anchors[volumeGranter] ?? Number.NEGATIVE_INFINITY;
  const anchors = { ...state.lease.anchors, [volumeGranter]: Math.max(atMs, before) };
  return withLease(state, { anchors });
}

/** What is left of the wait since our claim was durable there; infinite before it is. */
export function claimLeftMs({ waiting, clocks, config }: State): number {
  if (waiting.claimDurableMs === null) return Number.POSITIVE_INFINITY;
  return waiting.claimDurableMs + config.timing.takeoverWaitMs - clocks.shortMs;
}
