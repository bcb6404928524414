/** Terms: what is stored of them, and what ends with one. */
import type { CoreEvent } from "../base/event.ts";
import type { Durable, Lease, Waiting } from "./right-state.ts";
import { siteOf } from "./holders.ts";
import type { Action, State, Step } from "./state.ts";

const siteIdNamed = ({ config }: State, name: string): number | undefined =>
  config.sites.find((site) => site.name === name)?.id;

/** All that must survive a restart, as this state has it. */
export function durableOf(state: State, changed: Partial<Durable> = {}): Durable {
  const { term, takeover, servingStored, storingServing, serviceMayRun, granted } = state;
  return {
    term,
    // What is on its way to the disk must not be undone by a later write of something else.
    halfDone: state.halfDone || takeover?.phase === "storing",
    serving: servingStored || storingServing || serviceMayRun,
    grantedTerm: granted.term,
    grantedSite: granted.site,
    givenSite: state.given === null ? 0 : (siteIdNamed(state, state.given.site) ?? 0),
    blank: state.isBlank,
    ...changed,
  };
}

export function storeTerm(state: State, changed: Partial<Durable> = {}): Action {
  return { kind: "store-term", durable: durableOf(state, changed) };
}

/** A local disk that refused is not asked again at once. */
export const storeRetryMs = 5000;

export const mayStoreAgain = ({ storeFailedMs, nowMs }: State): boolean =>
  storeFailedMs === null || nowMs - storeFailedMs >= storeRetryMs;

/** Grants, guards and silences hold in the term in which they were seen, and in no other. */
export function inTerm(state: State, term: bigint): State {
  if (term === state.term) return state;
  const lease: Lease = { ...state.lease, anchors: {}, solo: false };
  const waiting: Waiting = {
    ...state.waiting,
    sinceMs: state.clocks.shortMs,
    guards: {},
    granting: false,
    floorSerial: state.serial,
    renounced: null,
    witnessed: false,
    ripe: false,
    claimSerial: null,
    claimDurableMs: null,
  };
  const arbiter = { answer: "none", detail: "", askedMs: Number.NEGATIVE_INFINITY, asking: false };
  return {
    ...state,
    term,
    siblingActive: false,
    lease,
    waiting,
    arbiter: arbiter as State["arbiter"],
    attested: "",
  };
}

/** A term from a believable record: kept if it is higher than ours. */
export function raisedTerm(state: State, term: bigint, from: string): Step | null {
  if (term <= state.term) return null;
  const fields = { term, was: state.term, owner: siteOf(state, term), from };
  const next = { ...inTerm(state, term), halfDone: false };
  const event: CoreEvent = { level: "warning", ev: "term", fields };
  return { state: next, actions: [storeTerm(next)], events: [event] };
}
