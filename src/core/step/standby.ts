/**
 * The standby's side of the lease (docs/safety.md): when it has waited long enough, of whom it has
 * seen the guard, and when it renounces. Only the host that holds its site's lock may act.
 */
import type { CoreEvent } from "../base/event.ts";
import { ownerOf } from "../decision.ts";
import { recordFlags, states } from "../sector/layout.ts";
import { dataFault, dataWellText } from "./data.ts";
import { ownerHosts, ownsTerm, siteOf } from "./holders.ts";
import { isArmed } from "./issued.ts";
import { claimsLock, lockHeld, needsLock } from "./lock.ts";
import { claimLeftMs, hasWitnessVolumes } from "./witness-volume.ts";
import { isAlive } from "../verdict.ts";
import type { Waiting } from "./right-state.ts";
import type { Peer, State, Step } from "./state.ts";

/** One thing that must be so before this site may take over by itself. */
export type Need = { readonly id: string; readonly met: boolean; readonly text: string };

const isWitness = ({ config }: State, site: string): boolean =>
  config.sites.some(({ name, role }) => name === site && role === "witness");

export const isWitnessHost = (state: State): boolean => isWitness(state, state.config.self.site);

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
  const heard: Waiting = { ...waiting, sinceMs: clocks.shortMs };
  if (word.term !== state.term) return { ...state, waiting: heard };
  const isOn = (word.flags & recordFlags.guard) !== 0;
  const { [host.name]: known, ...others } = waiting.guards;
  if (!isOn) return { ...state, waiting: { ...heard, guards: others } };
  const sameTiming =
    word.timingDigest === state.timingDigest && word.generation === BigInt(state.config.generation);
  // Who goes by other times is not bound by the wait that is counted here.
  if (!sameTiming) return { ...state, waiting: { ...heard, guards: others } };
  const proves =
    echo?.incarnation === state.incarnation &&
    echo.writtenSerial === word.serial &&
    echo.serial > waiting.floorSerial &&
    // Only to a decider: by its grants an owner knows whose word is void from now on.
    grants(state);
  if (!proves || known === word.incarnation) return { ...state, waiting: heard };
  return { ...state, waiting: { ...heard, guards: { ...others, [host.name]: word.incarnation } } };
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

function guardNeed(state: State): Need {
  const hosts = ownerHosts(state);
  const unguarded = hosts.filter((peer) => !guardSeen(state, peer)).map(({ host }) => host.name);
  const text =
    hosts.length === 0
      ? "no host of the other site is configured to hold the service"
      : unguarded.length === 0
        ? "every host there was seen to go by the lease in this term"
        : `${unguarded.join(", ")} not seen to go by the lease in this term`;
  return { id: "guard", met: hosts.length > 0 && unguarded.length === 0, text };
}

function lockNeed(state: State): Need {
  const text = !needsLock(state)
    ? "the only host of its site"
    : lockHeld(state)
      ? `holds the site's lock, epoch ${state.lock.epoch}`
      : "another host decides for this site, or none does yet";
  return { id: "lock", met: lockHeld(state), text };
}

function waitNeed(state: State): Need {
  const leftMs = waitLeftMs(state);
  const { takeoverWaitMs } = state.config.timing;
  const text =
    leftMs <= 0
      ? `${takeoverWaitMs} ms are over since the last beat that was seen`
      : `${Math.ceil(leftMs)} of ${takeoverWaitMs} ms to go since the last beat that was seen`;
  return { id: "wait", met: leftMs <= 0, text };
}

function witnessNeed(state: State): Need {
  if (hasWitnessVolumes(state.config)) return claimNeed(state);
  const { witnessed } = state.waiting;
  const text = witnessed ? "the witness grants it" : "the witness has not granted it";
  return { id: "witness", met: witnessed, text };
}

function claimNeed(state: State): Need {
  const leftMs = claimLeftMs(state);
  const text =
    leftMs <= 0
      ? "our claim stood on the witness volume for the whole wait"
      : Number.isFinite(leftMs)
        ? `our claim stands on the witness volume; ${Math.ceil(leftMs)} ms to go`
        : "no claim of ours stands on the witness volume";
  return { id: "witness", met: leftMs <= 0, text };
}

/** Everything that an automatic takeover under a lease needs, but for the verdict. */
export function needsOf(state: State): readonly Need[] {
  const left = ownerHosts(state)
    .filter(leftInOrder)
    .map(({ host }) => host.name);
  const data = dataFault(state);
  return [
    lockNeed(state),
    guardNeed(state),
    {
      id: "planned",
      met: left.length === 0,
      text: left.length === 0 ? "none left in order" : `${left.join(", ")} left in order: planned`,
    },
    { id: "data", met: data === null, text: data ?? dataWellText(state) },
    {
      id: "watchdog",
      met: state.watchdogFault === "",
      text: state.watchdogFault === "" ? "this host can fence itself" : state.watchdogFault,
    },
    waitNeed(state),
    ...(state.config.policy === "witness" ? [witnessNeed(state)] : []),
  ];
}

/** Guards are proven by echoes of records that grant, from the first of them on. */
function noteGranting(state: State): State {
  const { waiting, serial } = state;
  if (waiting.granting || !grants(state)) return state;
  return { ...state, waiting: { ...waiting, granting: true, floorSerial: serial, guards: {} } };
}

/** Asks the witness, or ceases to; renounces, or ceases to; tells when the right is there. */
export function settleStandby(before: State): Step {
  const state = isArmed(before) ? noteGranting(before) : before;
  const nothing: Step = { state, actions: [], events: [] };
  if (!isArmed(state) || isWitnessHost(state)) return nothing;
  const isStandby = state.role === "standby" && !ownsTerm(state) && state.takeover === null;
  if (!isStandby) return nothing;
  const events: CoreEvent[] = [];
  let next = settleRenouncing(state, events);
  const needs = needsOf(next);
  const unmet = needs.filter(({ met }) => !met);
  next = settleClaim(next, unmet);
  const ripe = unmet.length === 0;
  if (ripe !== next.waiting.ripe) {
    const fields = {
      step: ripe ? "right" : "no right",
      term: state.term,
      against: siteOf(state, state.term),
    };
    const reason = ripe ? "every need is met" : unmet.map(({ text }) => text).join("; ");
    events.push({
      level: ripe ? "warning" : "notice",
      ev: "takeover",
      fields: { ...fields, reason },
    });
    next = { ...next, waiting: { ...next.waiting, ripe } };
  }
  return { state: next, actions: [], events };
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
  return { ...state, waiting: { ...waiting, renounced: reason, floorSerial, guards } };
}

/** The witness is asked when nothing else is missing. */
function settleClaim(state: State, unmet: readonly Need[]): State {
  if (state.config.policy !== "witness") return state;
  const passive = hasWitnessVolumes(state.config);
  // A claim there keeps the owner from renewing: it is made when the owner is silent, not before.
  const waits = new Set(passive ? ["witness", "wait"] : ["witness"]);
  const row = state.groups[siteOf(state, state.term)]?.row;
  const isSilent = !passive || row === "8" || row === "9";
  const asks = isSilent && unmet.every(({ id }) => waits.has(id));
  const { waiting } = state;
  if (asks === (waiting.claimSerial !== null)) return state;
  // A grant is of use only while it is asked for: a witness that lost its memory looks for that.
  const claimSerial = asks ? state.serial + 1n : null;
  const witnessed = asks && waiting.witnessed;
  return { ...state, waiting: { ...waiting, claimSerial, witnessed, claimDurableMs: null } };
}

/** The witness's newest record: whether it grants us the term. */
export function heedWitness(state: State, { host, word, echo }: Peer): State {
  if (!word || !isWitness(state, host.site) || state.waiting.claimSerial === null) return state;
  const fresh =
    echo?.incarnation === state.incarnation &&
    echo.writtenSerial === word.serial &&
    echo.serial >= state.waiting.claimSerial;
  const ours = word.handoverTerm === state.term && word.handoverSite === state.ownSiteId;
  // The newest word decides: a witness that says it no more may let the other site go on.
  const witnessed = fresh && ours;
  if (witnessed === state.waiting.witnessed) return state;
  return { ...state, waiting: { ...state.waiting, witnessed } };
}
