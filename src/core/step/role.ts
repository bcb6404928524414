/**
 * The role of this host, and the stop of its service. A host that may not serve any more is fenced
 * until its stop hook says that the service is stopped; under a lease nothing feeds its watchdog
 * beyond the lease meanwhile.
 */
import type { CoreEvent } from "../base/event.ts";
import { asksArbiter, holdsArbiter } from "../base/config.ts";
import { nextRole, type RoleChange } from "../decision.ts";
import { after, chain, only as nothing } from "./chain.ts";
import { isGivenToUs, ownsTerm, peersConfirm } from "./holders.ts";
import { isArmed } from "./issued.ts";
import { hasLocalRight, isGuarded, isStopDue, leaseLeftMs } from "./lease.ts";
import { agedSiblings, siblingChange, siblingHandsOver, siblingTakesOver } from "./siblings.ts";
import { hookFacts } from "./takeover.ts";
import { mayStoreAgain, storeTerm } from "./term.ts";
import type { State, Step } from "./state.ts";

/** A stop hook that failed is run again after this. */
const stopRetryMs = 5000;
/** Roles that may follow from one input: fenced, then stopped, then standby. */
const changesMax = 3;

/** Why the service must stop; null where it may go on. */
function mustStop(state: State): string | null {
  if (state.stopping && isArmed(state)) return "this agent is being stopped";
  if (siblingHandsOver(state)) return "a host of this site hands the term over";
  const attested = state.attested !== "";
  if (asksArbiter(state.config.policy) && state.arbiter.answer === "denied" && !attested) {
    return `the arbiter says that this site lost the right: ${state.arbiter.detail}`;
  }
  if (isGuarded(state) && state.watchdogFault !== "") {
    return `this host cannot fence itself: ${state.watchdogFault}`;
  }
  if (!isStopDue(state)) return null;
  if (!hasLocalRight(state)) return "this host does not hold its site's lock any more";
  return "the lease runs out: the other site was not heard to grant it";
}

/** Whether the other site's word, or the lease, lets this host begin to serve. */
function mayBegin(state: State): boolean {
  if (state.halfDone || state.beacon || siblingHandsOver(state) || isGivenToUs(state)) return false;
  if (!isArmed(state)) {
    const allowed = !holdsArbiter(state.config.policy) || state.arbiter.answer === "granted";
    // What was stopped in this very term nobody else took; what ended with another term may be taken.
    const paused = state.role === "stopped" && state.activeIn === state.term;
    return allowed && (paused || peersConfirm(state));
  }
  // An agent that is being stopped leaves no service behind that nobody fences.
  if (state.stopping) return false;
  if (state.role === "starting" && siblingTakesOver(state)) return false;
  const leased = leaseLeftMs(state) > state.config.timing.stopMs || state.lease.solo;
  return leased && hasLocalRight(state) && state.watchdogFault === "";
}

const waits = ({ role }: State): boolean => role === "starting" || role === "stopped";

/** That the service may run here is durable before it may. */
function settleServing(state: State): Step {
  const wants = isArmed(state) && ownsTerm(state) && waits(state) && mayBegin(state);
  if (!wants || state.servingStored || state.storingServing || !mayStoreAgain(state)) {
    return nothing(state);
  }
  return {
    state: { ...state, storingServing: true },
    actions: [storeTerm(state, { serving: true })],
    events: [],
  };
}

function changeOf(state: State): RoleChange | null {
  const { takeover, handover, siblingActive } = state;
  const sibling = siblingChange(state);
  if (sibling) return sibling;
  if (isArmed(state) && state.role === "standby" && ownsTerm(state) && !takeover && siblingActive) {
    return { role: "starting", reason: "a host of this site took the term" };
  }
  const underWay = takeover
    ? takeover.by === "operator"
      ? "takeover commanded"
      : "taking the term over"
    : handover && ownsTerm(state)
      ? `handing the term to ${handover.to}`
      : null;
  // A takeover that waits for an arbiter's word has not begun to take anything.
  if (takeover?.phase === "arbiter") return null;
  return nextRole({
    role: state.role,
    ownsTerm: ownsTerm(state),
    mayServe: mayBegin(state) && (!isArmed(state) || state.servingStored),
    whyServe: isArmed(state) ? "granted by the other site" : "fresh peers confirm our term",
    mustStop: mustStop(state),
    serviceMayRun: state.serviceMayRun,
    underWay,
    halfDone: state.halfDone,
  });
}

/** Lets the role follow from the facts, and the service from the role. */
export function settleRole(before: State): Step {
  return chain(before, (state) => settleServing(agedSiblings(state)), changeRoles, retryStop);
}

/** One role after another, for as long as one follows from the facts. */
function changeRoles(before: State): Step {
  let step = nothing(before);
  for (let changes = 0; changes < changesMax; changes++) {
    const change = changeOf(step.state);
    if (!change) break;
    step = after(step, enterRole(step.state, change));
  }
  return step;
}

function enterRole(before: State, { role, reason }: RoleChange): Step {
  const alarming = role === "fenced" || role === "stopped";
  const superseded = role === "standby" && !ownsTerm(before);
  const event: CoreEvent = {
    level: alarming || superseded ? "warning" : "notice",
    ev: "role",
    fields: { role, was: before.role, term: before.term, reason },
  };
  const state: State = { ...before, role, roleReason: reason };
  switch (role) {
    case "active":
      return {
        ...becameActive(before, { ...state, activeIn: state.term }, reason),
        events: [event],
      };
    case "fenced":
      return withEvent(event, stopService(before, state, reason));
    case "standby":
    case "stopped":
    case "starting":
    case "transitioning":
      return { state: { ...state, servesHere: false }, actions: [], events: [event] };
  }
}

const withEvent = (event: CoreEvent, step: Step): Step => ({
  ...step,
  events: [event, ...step.events],
});

/** The init system starts the service of a host that was booted; what we stopped we start again. */
function becameActive(before: State, state: State, reason: string): Step {
  const wasStopped = before.role === "stopped";
  // Without leases a host is called active after a sibling too. Under them each serves by its own
  // right, and is fenced: the gate opens on each.
  const servesHere = isArmed(state) || wasStopped || !state.siblingActive;
  const next: State = { ...state, servesHere, serviceMayRun: servesHere || state.serviceMayRun };
  const starts = wasStopped || (state.config.takeover.local && servesHere);
  if (!starts || !state.config.hooks.takeover) return nothing(next);
  const facts = hookFacts(before, "active", reason);
  return { state: next, actions: [{ kind: "run-hook", hook: "takeover", facts }], events: [] };
}

function stopService(before: State, state: State, reason: string): Step {
  const next: State = { ...state, servesHere: false, stopRetryMs: null };
  if (!state.config.hooks.superseded) return serviceStopped(next);
  const facts = hookFacts(before, "fenced", reason);
  return { state: next, actions: [{ kind: "run-hook", hook: "superseded", facts }], events: [] };
}

/** The stop hook said so, or there is no service that we know of. */
export function serviceStopped(state: State): Step {
  const next: State = {
    ...state,
    serviceMayRun: false,
    servingStored: false,
    servesHere: false,
    stopRetryMs: null,
  };
  return { state: next, actions: isArmed(state) ? [storeTerm(next)] : [], events: [] };
}

/** The stop hook of a fenced host ended. */
export function stopHookEnded(state: State, ok: boolean): Step {
  if (state.role !== "fenced") return nothing(state);
  if (ok) return serviceStopped(state);
  return nothing({ ...state, stopRetryMs: state.nowMs + stopRetryMs });
}

function retryStop(state: State): Step {
  const due =
    state.role === "fenced" && state.stopRetryMs !== null && state.nowMs >= state.stopRetryMs;
  if (!due || !state.config.hooks.superseded) return nothing(state);
  const facts = hookFacts(state, "fenced", state.roleReason);
  return {
    state: { ...state, stopRetryMs: null },
    actions: [{ kind: "run-hook", hook: "superseded", facts }],
    events: [],
  };
}
