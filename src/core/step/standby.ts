/**
 * The standby's side of the lease (docs/safety.md): when it has waited long enough, of whom it has
 * seen the guard, and when it renounces. Only the host that holds its site's lock may act.
 */
import { isWitness } from "../base/config.ts";
import type { CoreEvent } from "../base/event.ts";
import { ownerOf } from "../decision.ts";
import { recordFlags, states } from "../sector/layout.ts";
import { only } from "./chain.ts";
import { withWaiting } from "./change.ts";
import { dataFault, dataWellText } from "./data.ts";
import { ownerHosts, ownsTerm, siteOf } from "./holders.ts";
import { isArmed } from "./issued.ts";
import { claimsLock, lockHeld, needsLock } from "./lock.ts";
import { claimLeftMs, hasWitnessVolumes } from "./witness-volume.ts";
import { isAlive } from "../verdict.ts";
import type { Peer, State, Step } from "./state.ts";

/** One thing that must be so before this site may take over by itself. */
export type Need = { readonly id: string; readonly met: boolean; readonly text: string };

/** The same as it is looked at with every step: its words are made only where somebody reads them. */
type Needed = { readonly id: string; readonly met: boolean; readonly say: () => string };

export const isWitnessHost = ({ config }: State): boolean => isWitness(config, config.self.site);

/** Whether its echoes are grants: it decides for its site, and neither takes over nor owns the term. */
export function grants(state: State): boolean {
  if (!isArmed(state) || ownsTerm(state) || !state.selfEnabled || state.takeover) return false;
  if (isWitnessHost(state)) return !state.isBlank && state.granted.term !== state.term;
  return !state.beacon && state.role === "standby" && lockHeld(state);
}

/** A newer record of a host of the site that owns the term. */
export function heedOwner(state: State, { host, siteId, word, echo }: Peer): State {
  if (!isArmed(state) || !word || siteId !== ownerOf(state.term) || host.beacon) return state;
  const { waiting, clocks } = state;
  const heard = withWaiting(state, { sinceMs: clocks.shortMs });
  if (word.term !== state.term) return heard;
  const isOn = (word.flags & recordFlags.guard) !== 0;
  const sameTiming =
    word.timingDigest === state.timingDigest && word.generation === BigInt(state.config.generation);
  const known = waiting.guards[host.name];
  // Who goes by other times is not bound by the wait that is counted here.
  if (!isOn || !sameTiming) {
    if (known === undefined) return heard;
    const { [host.name]: _, ...others } = waiting.guards;
    return withWaiting(heard, { guards: others });
  }
  const proves =
    echo?.incarnation === state.incarnation &&
    echo.writtenSerial === word.serial &&
    echo.serial > waiting.floorSerial &&
    // Only to a decider: by its grants an owner knows whose word is void from now on.
    grants(state);
  if (!proves || known === word.incarnation) return heard;
  return withWaiting(heard, { guards: { ...waiting.guards, [host.name]: word.incarnation } });
}

/** Whether this host may be active only under a lease that it gets from us, as far as we know. */
export const guardSeen = (state: State, { host, word }: Peer): boolean =>
  word !== null && word.term === state.term && state.waiting.guards[host.name] === word.incarnation;

/** What is left of the takeover wait; zero or less once it is over. */
export function waitLeftMs({ waiting, clocks, config }: State): number {
  return waiting.sinceMs + config.timing.takeoverWaitMs - clocks.shortMs;
}

/** Left in order: planned, so nothing is taken over by itself before they begin anew. */
const leftInOrder = ({ word }: Peer): boolean =>
  word?.state === states.leaving || word?.state === states.disabled;

const namesOf = (peers: readonly Peer[]): string => peers.map(({ host }) => host.name).join(", ");

function guardNeed(state: State, hosts: readonly Peer[]): Needed {
  const unguarded = hosts.filter((peer) => !guardSeen(state, peer));
  const say = (): string =>
    hosts.length === 0
      ? "no host of the other site is configured to hold the service"
      : unguarded.length === 0
        ? "every host there was seen to go by the lease in this term"
        : `${namesOf(unguarded)} not seen to go by the lease in this term`;
  return { id: "guard", met: hosts.length > 0 && unguarded.length === 0, say };
}

function plannedNeed(hosts: readonly Peer[]): Needed {
  const left = hosts.filter(leftInOrder);
  const met = left.length === 0;
  const say = (): string =>
    met ? "none left in order" : `${namesOf(left)} left in order: planned`;
  return { id: "planned", met, say };
}

function lockNeed(state: State): Needed {
  const met = lockHeld(state);
  const say = (): string =>
    !needsLock(state)
      ? "the only host of its site"
      : met
        ? `holds the site's lock, epoch ${state.lock.epoch}`
        : "another host decides for this site, or none does yet";
  return { id: "lock", met, say };
}

function waitNeed(state: State): Needed {
  const leftMs = waitLeftMs(state);
  const { takeoverWaitMs } = state.config.timing;
  const say = (): string =>
    leftMs <= 0
      ? `${takeoverWaitMs} ms are over since the last beat that was seen`
      : `${Math.ceil(leftMs)} of ${takeoverWaitMs} ms to go since the last beat that was seen`;
  return { id: "wait", met: leftMs <= 0, say };
}

function witnessNeed(state: State): Needed {
  if (hasWitnessVolumes(state.config)) return claimNeed(state);
  const { witnessed } = state.waiting;
  const say = (): string =>
    witnessed ? "the witness grants it" : "the witness has not granted it";
  return { id: "witness", met: witnessed, say };
}

function claimNeed(state: State): Needed {
  const leftMs = claimLeftMs(state);
  const say = (): string =>
    leftMs <= 0
      ? "our claim stood on the witness volume for the whole wait"
      : Number.isFinite(leftMs)
        ? `our claim stands on the witness volume; ${Math.ceil(leftMs)} ms to go`
        : "no claim of ours stands on the witness volume";
  return { id: "witness", met: leftMs <= 0, say };
}

function neededOf(state: State): readonly Needed[] {
  const hosts = ownerHosts(state);
  const data = dataFault(state);
  const { watchdogFault } = state;
  const needed = [
    lockNeed(state),
    guardNeed(state, hosts),
    plannedNeed(hosts),
    { id: "data", met: data === null, say: () => data ?? dataWellText(state) },
    {
      id: "watchdog",
      met: watchdogFault === "",
      say: () => (watchdogFault === "" ? "this host can fence itself" : watchdogFault),
    },
    waitNeed(state),
  ];
  if (state.config.policy === "witness") needed.push(witnessNeed(state));
  return needed;
}

/** Everything that an automatic takeover under a lease needs, but for the verdict. */
export function needsOf(state: State): readonly Need[] {
  return neededOf(state).map(({ id, met, say }) => ({ id, met, text: say() }));
}

/** Guards are proven by echoes of records that grant, from the first of them on. */
function noteGranting(state: State): State {
  const { waiting, serial } = state;
  if (waiting.granting || !grants(state)) return state;
  return withWaiting(state, { granting: true, floorSerial: serial, guards: {} });
}

/** Asks the witness, or ceases to; renounces, or ceases to; tells when the right is there. */
export function settleStandby(before: State): Step {
  const state = isArmed(before) ? noteGranting(before) : before;
  const nothing = only(state);
  if (!isArmed(state) || isWitnessHost(state)) return nothing;
  const isStandby = state.role === "standby" && !ownsTerm(state) && state.takeover === null;
  if (!isStandby) return nothing;
  const events: CoreEvent[] = [];
  const renounced = settleRenouncing(state, events);
  const unmet = neededOf(renounced).filter(({ met }) => !met);
  const next = settleClaim(renounced, unmet);
  const ripe = unmet.length === 0;
  if (ripe === next.waiting.ripe) return { state: next, actions: [], events };
  const fields = {
    step: ripe ? "right" : "no right",
    term: state.term,
    against: siteOf(state, state.term),
  };
  const reason = ripe ? "every need is met" : unmet.map(({ say }) => say()).join("; ");
  events.push({
    level: ripe ? "warning" : "notice",
    ev: "takeover",
    fields: { ...fields, reason },
  });
  return { state: withWaiting(next, { ripe }), actions: [], events };
}

/**
 * Only an owner that is heard is told so: of one that is silent nobody would know whether it had
 * read that, and so goes on alone. Nor before the arrays had the time to answer.
 */
function whyRenounce(state: State): string | null {
  if (state.stopping) return "this agent is being stopped";
  const fault = dataFault(state);
  if (fault === null || state.waiting.renounced !== null) return fault;
  const row = state.groups[siteOf(state, state.term)]?.row;
  const isHeard = row !== undefined && isAlive(row);
  const isSettled = state.nowMs - state.startedMs >= state.config.timing.pairAgeLimitMs;
  return isHeard && isSettled ? fault : null;
}

/** Where the data could not be taken over anyway, the owner need not stop for want of a lease. */
function settleRenouncing(state: State, events: CoreEvent[]): State {
  const isDecider = lockHeld(state) && (!needsLock(state) || claimsLock(state));
  const reason = isDecider ? whyRenounce(state) : null;
  const { waiting } = state;
  if ((reason === null) === (waiting.renounced === null)) return state;
  const on = reason !== null;
  events.push({
    level: "notice",
    ev: "takeover",
    fields: {
      step: on ? "renounced" : "no longer renounced",
      term: state.term,
      reason: reason ?? "the data is whole",
    },
  });
  // An owner that has seen the renouncing may run without a guard until it has seen its end.
  const floorSerial = on ? waiting.floorSerial : state.serial;
  const guards = on ? waiting.guards : {};
  return withWaiting(state, { renounced: reason, floorSerial, guards });
}

/** The witness is asked when nothing else is missing. */
function settleClaim(state: State, unmet: readonly Needed[]): State {
  if (state.config.policy !== "witness") return state;
  const passive = hasWitnessVolumes(state.config);
  // A claim there keeps the owner from renewing: it is made when the owner is silent, not before.
  const waits = (id: string): boolean => id === "witness" || (passive && id === "wait");
  const row = state.groups[siteOf(state, state.term)]?.row;
  const isSilent = !passive || row === "8" || row === "9";
  const asks = isSilent && unmet.every(({ id }) => waits(id));
  const { waiting } = state;
  if (asks === (waiting.claimSerial !== null)) return state;
  // A grant is of use only while it is asked for: a witness that lost its memory looks for that.
  const claimSerial = asks ? state.serial + 1n : null;
  const witnessed = asks && waiting.witnessed;
  return withWaiting(state, { claimSerial, witnessed, claimDurableMs: null });
}

/** The witness's newest record: whether it grants us the term. */
export function heedWitness(state: State, { host, word, echo }: Peer): State {
  if (!word || !isWitness(state.config, host.site) || state.waiting.claimSerial === null)
    return state;
  const fresh =
    echo?.incarnation === state.incarnation &&
    echo.writtenSerial === word.serial &&
    echo.serial >= state.waiting.claimSerial;
  const ours = word.handoverTerm === state.term && word.handoverSite === state.ownSiteId;
  // The newest word decides: a witness that says it no more may let the other site go on.
  const witnessed = fresh && ours;
  if (witnessed === state.waiting.witnessed) return state;
  return withWaiting(state, { witnessed });
}
