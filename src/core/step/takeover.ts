/**
 * The operator's takeover, and the role of this site.
 *
 * Steps, each journalled: the term is raised and stored (local disk, fsynced), then a record in
 * it is durable on a volume of ours, then the service hook runs. A step that fails stops there,
 * says what is true now, and the command may be given again: terms only rise.
 */
import type { CoreEvent } from "../base/event.ts";
import { exitCodes } from "../base/exit-codes.ts";
import { takeoverPublishLimitMs, unjudgedLimitMs } from "../base/timing.ts";
import { ownSite } from "../base/config.ts";
import { nextRole, nextTerm, ownerOf, type TakeoverFacts, takeoverRefusal } from "../decision.ts";
import { comparePositions } from "../record.ts";
import { roles } from "../sector/layout.ts";
import { peerBeats } from "./commands.ts";
import { isSettled, pathInUse } from "./judge.ts";
import { pathsOut } from "./publish.ts";
import {
  type Action,
  type HookFacts,
  type Input,
  networkPath,
  type Peer,
  type State,
  type Step,
} from "./state.ts";

export function siteOf(state: State, term: bigint): string {
  return state.config.sites.find((site) => site.id === ownerOf(term))?.name ?? `#${ownerOf(term)}`;
}

/** A term from a believable record: kept if it is higher than ours. */
export function learnTerm(state: State, term: bigint, from: string): Step {
  if (term <= state.term) return { state, actions: [], events: [] };
  const fields = { term, was: state.term, owner: siteOf(state, term), from };
  const learnt: Step = {
    state: { ...state, term, siblingActive: false, halfDone: false },
    actions: [{ kind: "store-term", term, halfDone: false }],
    events: [{ level: "warning", ev: "term", fields }],
  };
  const { takeover } = state;
  // A hook that runs is awaited: what it began is undone when it ends (hookEnded).
  if (!takeover || takeover.phase === "hook") return learnt;
  if (ownerOf(term) === state.ownSiteId && term < takeover.term) return learnt;
  const ended = endTakeover(
    learnt.state,
    exitCodes.unsafe,
    overtakenText(learnt.state),
    "overtaken",
  );
  return {
    state: ended.state,
    actions: [...learnt.actions, ...ended.actions],
    events: [...learnt.events, ...ended.events],
  };
}

function overtakenText(state: State): string {
  return (
    `not taken over: meanwhile ${siteOf(state, state.term)} took the term ${state.term}; ` +
    "look at `mirrorbeat status` before you run it again"
  );
}

function hookFacts(state: State, role: string, reason: string): HookFacts {
  const peer = state.peers[0]?.host.site ?? "";
  return { event: "role", oldState: state.role, newState: role, peer, term: state.term, reason };
}

/**
 * Whether a host's fresh record shows no higher term than ours. Advancing is not fresh enough: a
 * link that comes back delivers the backlog of the time before. The record must come with an echo
 * of this very start of ours, so it was written after it.
 */
function confirms(state: State, peer: Peer): boolean {
  const { word, echo } = peer;
  return (
    word !== null &&
    word.term <= state.term &&
    echo?.incarnation === state.incarnation &&
    word.serial >= echo.writtenSerial &&
    peerBeats(state, peer)
  );
}

/** Hosts of other sites that may hold the service, whether they are watched or not. */
function possibleHolders(state: State): readonly Peer[] {
  return state.peers.filter(({ host, enabled }) => !host.beacon && (enabled || host.enabled));
}

/**
 * Whether every host that may have taken over confirms our term. One is not enough: a host of the
 * other site may not have heard yet what its sibling did.
 */
function peersConfirm(state: State): boolean {
  const holders = possibleHolders(state);
  return holders.length > 0 && holders.every((peer) => peer.enabled && confirms(state, peer));
}

/** Lets the role follow from the facts; where this host must serve no more, its hook is run. */
export function settleRole(before: State): Step {
  const state = agedSiblings(before);
  const ownsTerm = ownerOf(state.term) === state.ownSiteId;
  const change =
    siblingChange(state, ownsTerm) ??
    nextRole({
      role: state.role,
      ownsTerm,
      peersConfirm: peersConfirm(state),
      takingOver: state.takeover !== null,
    });
  if (!change) return { state, actions: [], events: [] };
  const { role, reason } = change;
  // Whatever we were, the term was ours or was being taken: a service may run here.
  const superseded = role === "standby" && !ownsTerm;
  const fields = { role, was: state.role, term: state.term, reason };
  return {
    state: {
      ...state,
      role,
      roleReason: reason,
      servesHere: role === "active" && !state.siblingActive,
    },
    actions: superseded
      ? [{ kind: "run-hook", hook: "superseded", facts: hookFacts(state, role, reason) }]
      : [],
    events: [{ level: superseded ? "warning" : "notice", ev: "role", fields }],
  };
}

/** How long a sibling's last beat speaks for it. */
function siblingLimitMs(state: State): number {
  const { intervalMs, marginMs, pollMs } = state.config.timing;
  return intervalMs + marginMs + pollMs;
}

/** Siblings that beat now and say that they are active, or about to be, in our term. */
function busySiblings(state: State): readonly string[] {
  return Object.entries(state.siblings)
    .filter(([, { role, term, seenMs, advances }]) => {
      const busy = role === roles.active || role === roles.transitioning;
      const beats = advances > 0 && state.nowMs - seenMs <= siblingLimitMs(state);
      return busy && beats && term >= state.term;
    })
    .map(([name]) => name);
}

/** A sibling that fell silent is not active any more for all that we know. */
function agedSiblings(state: State): State {
  if (!state.siblingActive) return state;
  const still = Object.values(state.siblings).some(
    ({ role, term, seenMs }) =>
      role === roles.active && term === state.term && state.nowMs - seenMs <= siblingLimitMs(state),
  );
  return still ? state : { ...state, siblingActive: false };
}

/** The site's role is one: a host whose sibling took over under our term is active too. */
function siblingChange(state: State, ownsTerm: boolean) {
  if (!ownsTerm || state.takeover) return null;
  if (state.siblingActive && state.role !== "active") {
    return { role: "active", reason: "a host of this site is active in our term" } as const;
  }
  if (!state.siblingActive && state.role === "active" && !state.servesHere) {
    const reason = "the host of this site that was active is silent; mirrorbeat takeover here?";
    return { role: "standby", reason } as const;
  }
  return null;
}

export function seeSibling(before: State, input: Extract<Input, { kind: "sibling" }>): Step {
  const { record } = input;
  // Our own slot, from before this start: its term counts, and it is nobody's beat.
  if (record.hostName === before.config.self.host) {
    return learnTerm(before, record.term, record.hostName);
  }
  const was = before.siblings[record.hostName];
  const advanced = !was || comparePositions(record, was.at) > 0;
  if (!advanced) return learnTerm(before, record.term, record.hostName);
  const at = { incarnation: record.incarnation, serial: record.serial };
  const advances = was ? was.advances + 1 : 0;
  const { role, term } = record;
  const { command, commandKind, commandMirror } = record;
  const { commandSeen, commandDone, commandDoneBefore, commandFault } = record;
  const told = {
    command, commandKind, commandMirror, commandSeen, commandDone, commandDoneBefore,
    commandFault,
  }; // biome-ignore format: one list
  const keys = { keyRing: record.keyRing, keyId: record.keyId };
  const sibling = {
    at,
    advances,
    role,
    state: record.state,
    term,
    seenMs: before.nowMs,
    told,
    staged: record.stagedDigest,
    keys,
  };
  const siblings = { ...before.siblings, [record.hostName]: sibling };
  const learnt = learnTerm({ ...before, siblings }, term, record.hostName);
  // Each volume of ours may hold one last record of a host that is long dead: more than these.
  const { config } = before;
  const volumes = config.mirrors.filter(({ writer }) => writer === config.self.site);
  const beats = advances >= Math.max(1, volumes.length);
  const active = beats && role === roles.active && term === learnt.state.term;
  const siblingActive = active || learnt.state.siblingActive;
  if (siblingActive === learnt.state.siblingActive) return learnt;
  return { ...learnt, state: { ...learnt.state, siblingActive } };
}

function told(step: string, fields: Record<string, string | number | bigint>): CoreEvent {
  return { level: "warning", ev: "takeover", fields: { step, ...fields } };
}

export function beginTakeover(state: State, input: Extract<Input, { kind: "takeover" }>): Step {
  const answer = (code: number, message: string): Action =>
    ({ kind: "answer", id: input.id, code, message }) as Action;
  const refuse = (code: number, message: string): Step => ({
    state,
    actions: [answer(code, message)],
    events: [],
  });
  if (state.takeover) {
    return refuse(exitCodes.tryLater, "a takeover is under way; look at `mirrorbeat status`");
  }
  if (state.beacon) {
    const message = "this host is a beacon: it cannot hold the service; take over on another host";
    return refuse(exitCodes.noPermission, message);
  }
  if (state.role === "active" && state.servesHere) {
    return refuse(exitCodes.ok, `already active in term ${state.term}; nothing to do`);
  }
  const refusal = takeoverRefusal(takeoverFacts(state, input.force));
  if (refusal) {
    const events = [told("refused", { reason: refusal.message })];
    return { ...refuse(refusal.code, refusal.message), events };
  }
  const term = nextTerm(state.term, state.ownSiteId);
  const deadlineMs = input.nowMs + takeoverPublishLimitMs(state.config.timing);
  const serial = state.serial + 1n;
  const takeover = { id: input.id, term, phase: "storing", serial, deadlineMs } as const;
  return {
    state: { ...state, takeover },
    actions: [{ kind: "store-term", term, halfDone: true }],
    events: [told("begin", { term, force: String(input.force) })],
  };
}

function takeoverFacts(state: State, force: boolean): TakeoverFacts {
  const ownsTerm = ownerOf(state.term) === state.ownSiteId;
  const hosts = possibleHolders(state).map((peer) => ({
    name: peer.host.name,
    watched: peer.enabled,
    verdict: peer.verdict,
    settled: isSettled(state, peer) || peer.verdict?.row === "0c" || longWatched(state, peer),
    // It beats, and its own fresh word is that it stands by under the term that is ours.
    standsBy: ownsTerm && peer.word?.role === roles.standby && confirms(state, peer),
  }));
  const siblings = ownSite(state.config).hosts.filter((host) => !host.beacon && host.enabled);
  const onVolume = pathsOut(state).some((path) => path !== networkPath);
  const ours = BigInt(state.config.generation);
  const newer = state.peers.filter(({ word }) => word !== null && word.generation > ours);
  return {
    force,
    newerConfigurations: newer.map(({ host }) => host.name),
    hosts,
    busySiblings: busySiblings(state),
    siblingsWouldLearn: onVolume || siblings.length <= 1,
  };
}

/** After a long watch on every path an unseen host is simply not there; an operator may say so. */
function longWatched(state: State, peer: Peer): boolean {
  return Object.entries(peer.sightings).every(([path, { startingMs }]) => {
    const sinceMs = Math.max(startingMs, state.paths[path]?.watch.windowMs ?? state.nowMs);
    const watchedMs = state.nowMs - sinceMs;
    return !pathInUse(state, peer, path) || watchedMs >= 2 * unjudgedLimitMs(state.config.timing);
  });
}

function endTakeover(state: State, code: number, message: string, step: string): Step {
  const { takeover } = state;
  if (!takeover) return { state, actions: [], events: [] };
  return {
    state: { ...state, takeover: null },
    actions: [{ kind: "answer", id: takeover.id, code, message } as Action],
    events: [told(step, { term: state.term, reason: message })],
  };
}

/**
 * The role that remains when a takeover stops half-way: if we own the term we are not active, and
 * only the operator's next command changes that; a fresh peer does not.
 */
function halted(step: Step, reason: string): Step {
  return { ...step, state: { ...step.state, role: "transitioning", roleReason: reason } };
}

export function termStored(state: State, input: Extract<Input, { kind: "term-stored" }>): Step {
  const { takeover } = state;
  if (takeover?.phase !== "storing" || input.term !== takeover.term)
    return { state, actions: [], events: [] };
  if (!input.ok) {
    const message =
      "the term could not be stored on the local disk: not taken over; make room and run it again";
    return halted(endTakeover(state, exitCodes.cannotCreate, message, "not stored"), message);
  }
  const onVolume = pathsOut(state).some((path) => path !== networkPath);
  const { term } = takeover;
  const stored = told("term stored", { term });
  const serial = state.serial + 1n;
  const next: State = {
    ...state,
    term: term > state.term ? term : state.term,
    siblingActive: false,
    halfDone: true,
    takeover: { ...takeover, phase: "publishing", serial },
  };
  if (onVolume) return { state: next, actions: [], events: [stored] };
  const onward = runService(next);
  return { ...onward, events: [stored, ...onward.events] };
}

export function recordPublished(state: State, input: Extract<Input, { kind: "published" }>): Step {
  const { takeover } = state;
  if (takeover?.phase !== "publishing" || input.serial < takeover.serial)
    return { state, actions: [], events: [] };
  const onward = runService(state);
  return {
    ...onward,
    events: [told("term published", { term: state.term, mirror: input.mirror }), ...onward.events],
  };
}

function runService(state: State): Step {
  const { takeover } = state;
  if (!takeover) return { state, actions: [], events: [] };
  const next: State = { ...state, takeover: { ...takeover, phase: "hook" } };
  if (!state.config.hooks.takeover) return becomeActive(next, "no service hook is configured");
  const facts = hookFacts(state, "active", "takeover by the operator");
  return {
    state: next,
    actions: [{ kind: "run-hook", hook: "takeover", facts }],
    events: [told("service hook started", { term: state.term })],
  };
}

function becomeActive(state: State, detail: string): Step {
  const message = `active in term ${state.term}: ${detail}`;
  const ended = endTakeover(state, exitCodes.ok, message, "done");
  const fields = {
    role: "active",
    was: state.role,
    term: state.term,
    reason: "takeover by the operator",
  };
  return {
    ...ended,
    state: {
      ...ended.state,
      role: "active",
      roleReason: "takeover by the operator",
      servesHere: true,
      halfDone: false,
    },
    actions: [{ kind: "store-term", term: state.term, halfDone: false }, ...ended.actions],
    events: [...ended.events, { level: "warning", ev: "role", fields }],
  };
}

export function hookEnded(state: State, input: Extract<Input, { kind: "hook-ended" }>): Step {
  const level = input.ok ? "info" : "error";
  const event: CoreEvent = {
    level,
    ev: "hook",
    fields: { hook: input.hook, ok: input.ok, detail: input.detail },
  };
  if (input.hook !== "takeover" || state.takeover?.phase !== "hook")
    return { state, actions: [], events: [event] };
  if (ownerOf(state.term) !== state.ownSiteId) return overtakenInHook(state, event);
  if (input.ok) {
    const active = becomeActive(state, `service hook ${input.detail}`);
    return { ...active, events: [event, ...active.events] };
  }
  const message =
    `the term ${state.term} is ours, but the service hook failed (${input.detail}): ` +
    "mend it and run `mirrorbeat takeover --yes` again";
  const ended = halted(
    endTakeover(state, exitCodes.indeterminate, message, "hook failed"),
    message,
  );
  return { ...ended, events: [event, ...ended.events] };
}

/**
 * Another site took a higher term while our service was being started: it is stopped again, by the
 * hook that runs as this site goes to standby.
 */
function overtakenInHook(state: State, event: CoreEvent): Step {
  const ended = endTakeover(state, exitCodes.unsafe, overtakenText(state), "overtaken");
  return { ...ended, events: [event, ...ended.events] };
}

/** A takeover whose record does not become durable in time ends there, the term raised. */
export function expireTakeover(state: State): Step {
  const { takeover } = state;
  if (!takeover || takeover.phase === "hook" || state.nowMs < takeover.deadlineMs) {
    return { state, actions: [], events: [] };
  }
  const message =
    takeover.phase === "storing"
      ? "the local disk did not store the term in time: not taken over; mend it and run it again"
      : `the term ${state.term} is stored here, but no volume of ours took it in time: not ` +
        "active; look at `mirrorbeat status`, then run `mirrorbeat takeover --yes` again";
  return halted(endTakeover(state, exitCodes.indeterminate, message, "not published"), message);
}
