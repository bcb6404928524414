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
import { nextRole, nextTerm, ownerOf, takeoverRefusal } from "../decision.ts";
import { comparePositions } from "../record.ts";
import { roles } from "../sector/layout.ts";
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
  // A hook that runs is awaited: what it began is undone when it ends (hookEnded).
  const overtaken = ownerOf(term) !== state.ownSiteId && state.takeover?.phase !== "hook";
  if (!overtaken || !state.takeover) return learnt;
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
 * Whether a fresh record of some peer host shows no higher term than ours. Advancing is not fresh
 * enough: a link that comes back delivers the backlog of the time before. The record must come
 * with an echo of this very start of ours, so it was written after it.
 */
function peerFresh(state: State): boolean {
  return state.peers.some(
    ({ word, echo, sightings }) =>
      word !== null &&
      word.term <= state.term &&
      echo?.incarnation === state.incarnation &&
      word.serial >= echo.writtenSerial &&
      Object.values(sightings).some((sighting) => sighting.status === "ok"),
  );
}

/** Lets the role follow from the facts; the superseded hook runs where an active site steps down. */
export function settleRole(state: State): Step {
  const ownsTerm = ownerOf(state.term) === state.ownSiteId;
  const change =
    siblingChange(state, ownsTerm) ??
    nextRole({
      role: state.role,
      ownsTerm,
      peerFresh: peerFresh(state),
      takingOver: state.takeover !== null,
    });
  if (!change) return { state, actions: [], events: [] };
  const steppedDown = state.role === "active" && change.role === "standby";
  const fields = { role: change.role, was: state.role, term: state.term, reason: change.reason };
  return {
    state: { ...state, role: change.role, roleReason: change.reason },
    actions: steppedDown
      ? [
          {
            kind: "run-hook",
            hook: "superseded",
            facts: hookFacts(state, change.role, change.reason),
          },
        ]
      : [],
    events: [{ level: steppedDown ? "warning" : "notice", ev: "role", fields }],
  };
}

/** The site's role is one: a standby host whose sibling took over under our term is active too. */
function siblingChange(state: State, ownsTerm: boolean) {
  const joins = ownsTerm && state.siblingActive && state.role !== "active";
  if (!joins || state.takeover) return null;
  return { role: "active", reason: "a host of this site is active in our term" } as const;
}

export function seeSibling(before: State, input: Extract<Input, { kind: "sibling" }>): Step {
  const { record } = input;
  const was = before.siblings[record.hostName];
  const advanced = !was || comparePositions(record, was.at) > 0;
  const at = advanced ? { incarnation: record.incarnation, serial: record.serial } : was.at;
  const advances = was ? was.advances + (advanced ? 1 : 0) : 0;
  const siblings = { ...before.siblings, [record.hostName]: { at, advances } };
  const state: State = advanced ? { ...before, siblings } : before;
  const learnt = learnTerm(state, record.term, record.hostName);
  // Each volume of ours may hold one last record of a host that is long dead: more than these.
  const volumes = state.config.mirrors.filter(({ writer }) => writer === state.config.self.site);
  const beats = advanced && advances >= Math.max(1, volumes.length);
  const active = beats && record.role === roles.active && record.term === learnt.state.term;
  const siblingActive = active || (learnt.state.siblingActive && learnt.state.term === state.term);
  if (siblingActive === learnt.state.siblingActive) return learnt;
  return { ...learnt, state: { ...learnt.state, siblingActive } };
}

function told(step: string, fields: Record<string, string | number | bigint>): CoreEvent {
  return { level: "warning", ev: "takeover", fields: { step, ...fields } };
}

export function beginTakeover(state: State, input: Extract<Input, { kind: "takeover" }>): Step {
  const answer = (code: number, message: string): Action =>
    ({ kind: "answer", id: input.id, code, message }) as Action;
  if (state.takeover) {
    const message = "a takeover is under way; look at `mirrorbeat status`";
    return { state, actions: [answer(exitCodes.tryLater, message)], events: [] };
  }
  if (state.beacon) {
    const message = "this host is a beacon: it cannot hold the service; take over on another host";
    return { state, actions: [answer(exitCodes.noPermission, message)], events: [] };
  }
  if (state.role === "active") {
    const message = `already active in term ${state.term}; nothing to do`;
    return { state, actions: [answer(exitCodes.ok, message)], events: [] };
  }
  const hosts = state.peers
    .filter((peer) => peer.enabled && !peer.host.beacon)
    .map((peer) => ({
      name: peer.host.name,
      verdict: peer.verdict,
      settled: isSettled(state, peer) || peer.verdict?.row === "0c" || longWatched(state, peer),
    }));
  const refusal = takeoverRefusal({ force: input.force, hosts });
  if (refusal) {
    const events = [told("refused", { reason: refusal.message })];
    return { state, actions: [answer(refusal.code, refusal.message)], events };
  }
  const term = nextTerm(state.term, state.ownSiteId);
  const deadlineMs = input.nowMs + takeoverPublishLimitMs(state.config.timing);
  const takeover = {
    id: input.id,
    term,
    phase: "storing",
    serial: state.serial + 1n,
    deadlineMs,
  } as const;
  return {
    state: { ...state, takeover },
    actions: [{ kind: "store-term", term, halfDone: true }],
    events: [told("begin", { term, force: String(input.force) })],
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
    term,
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

/** Another site took a higher term while our service was being started: it is stopped again. */
function overtakenInHook(state: State, event: CoreEvent): Step {
  const message = overtakenText(state);
  const ended = endTakeover(state, exitCodes.unsafe, message, "overtaken");
  const facts = hookFacts(state, "standby", message);
  return {
    state: ended.state,
    actions: [...ended.actions, { kind: "run-hook", hook: "superseded", facts }],
    events: [event, ...ended.events],
  };
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
