/** Own beats of late, with the moment before each was submitted: what a lease or a lock counts from. */
import { isLeased } from "../base/config.ts";
import type { IssuedBeat } from "./right-state.ts";
import { withLease } from "./change.ts";
import type { State } from "./state.ts";

/** More beats than this within one lease are not remembered: the oldest renew nothing then. */
const issuedMax = 4096;

/** Whether this host and its peers live by leases. */
export const isArmed = ({ config }: State): boolean => isLeased(config.policy);

/** A beat that is about to be submitted. */
export function beatIssued(state: State, nonce: bigint): State {
  if (!isArmed(state)) return state;
  const { lease, clocks, serial } = state;
  const beat: IssuedBeat = { serial, nonce, atMs: clocks.longMs };
  const isYoung = ({ atMs }: IssuedBeat): boolean => clocks.longMs - atMs < lease.limitMs;
  const issued = lease.issued.slice(1 - issuedMax).filter(isYoung);
  issued.push(beat);
  return withLease(state, { issued });
}

/** Start of the write of that record, long clock; null where it is too long ago to be known. */
export function issuedAtMs(state: State, serial: bigint): number | null {
  return state.lease.issued.findLast((beat) => beat.serial === serial)?.atMs ?? null;
}
