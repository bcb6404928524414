/**
 * Taking the term, step by step, each journalled: the exclusive right, the term stored (local disk,
 * fsynced), a record in it durable on a volume of ours, no sibling in the way, the other site's
 * lease run out, the data pairs taken over and verified, the service hook. A step that fails stops
 * there and says what is true now; the command may be given again: terms only rise.
 */
import type { CoreEvent } from "../base/event.ts";
import { exitCodes } from "../base/exit-codes.ts";
import { ownSite } from "../base/config.ts";
import { ownerOf } from "../decision.ts";
import { only as nothing } from "./chain.ts";
import { possibleHolders } from "./holders.ts";
import { isArmed } from "./issued.ts";
import { leaseLeftMs } from "./lease.ts";
import { overtakenText } from "./learn.ts";
import { lockHeld, needsLock } from "./lock.ts";
import { pathsOut } from "./paths.ts";
import { rivalTakesOver, rivalToAwait } from "./siblings.ts";
import { endTakeover, halted, takeoverDeadlineMs, toldTakeover } from "./takeover-end.ts";
import { standsBy } from "./takeover-facts.ts";
import { inTerm, storeTerm } from "./term.ts";
import {
  type HookFacts,
  type Input,
  networkPath,
  type State,
  type Step,
  type Takeover,
  type TakeoverPhase,
} from "./state.ts";

export function hookFacts(state: State, role: string, reason: string): HookFacts {
  const peer = state.peers[0]?.host.site ?? "";
  return { event: "role", oldState: state.role, newState: role, peer, term: state.term, reason };
}

function inPhase(state: State, phase: TakeoverPhase, more: Partial<Takeover> = {}): State {
  const { takeover } = state;
  return takeover ? { ...state, takeover: { ...takeover, ...more, phase } } : state;
}

const reasonOf = ({ by }: Takeover): string =>
  by === "operator"
    ? "takeover by the operator"
    : by === "agent"
      ? "takeover by the agent: the right was granted"
      : "the term was handed over";

/** The right is there: the term is made durable. */
export function storeTakenTerm(state: State): Step {
  const { takeover } = state;
  if (!takeover) return nothing(state);
  const deadlineMs = takeoverDeadlineMs(state);
  return {
    state: inPhase(state, "storing", { deadlineMs }),
    actions: [storeTerm(state, { term: takeover.term, halfDone: true })],
    events: [toldTakeover("begin", { term: takeover.term, by: takeover.by })],
  };
}

export function termStored(state: State, input: Extract<Input, { kind: "term-stored" }>): Step {
  const { takeover } = state;
  const { durable } = input;
  // The same term may be stored for another reason just then: only with `halfDone` is it this one.
  const isMeant = durable.term === takeover?.term && durable.halfDone;
  if (takeover?.phase !== "storing" || !isMeant) return nothing(state);
  if (!input.ok) {
    const message =
      "the term could not be stored on the local disk: not taken over; make room and run it again";
    return halted(endTakeover(state, exitCodes.cannotCreate, message, "not stored"), message);
  }
  const { term, attested } = takeover;
  const isRaised = term > state.term;
  const inNew = isRaised ? inTerm(state, term) : state;
  // Whoever takes a term is alone in it: nobody grants a lease until the other site is back.
  const solo = isRaised ? isArmed(state) && takeover.by !== "handover" : state.lease.solo;
  const next: State = {
    ...inNew,
    siblingActive: false,
    halfDone: true,
    given: null,
    attested: isRaised ? attested : state.attested,
    lease: { ...inNew.lease, solo },
  };
  const stored = toldTakeover("term stored", { term });
  const serial = state.serial + 1n;
  // Where several hosts may decide, the others must find it beside the claims on our PVOL.
  const onward =
    onVolume(next) || needsLock(next)
      ? nothing(inPhase(next, "publishing", { serial }))
      : awaitLease(next);
  return { ...onward, events: [stored, ...onward.events] };
}

const onVolume = (state: State): boolean => pathsOut(state).some((path) => path !== networkPath);

export function recordPublished(state: State, input: Extract<Input, { kind: "published" }>): Step {
  const { takeover } = state;
  if (takeover?.phase !== "publishing" || input.serial < takeover.serial) return nothing(state);
  const events = [toldTakeover("term published", { term: state.term, mirror: input.mirror })];
  const alone = ownSite(state.config).hosts.filter(({ beacon, enabled }) => !beacon && enabled);
  const onward = alone.length > 1 ? nothing(inPhase(state, "locking")) : awaitLease(state);
  return { ...onward, events: [...events, ...onward.events] };
}

/**
 * What was published must be seen to stand beside no other host's claim: two hosts of one site may
 * have been told to take over in the same moment.
 */
export function lookTaken(state: State, input: Extract<Input, { kind: "looked" }>): Step {
  const { takeover } = state;
  if (takeover?.phase !== "locking" || input.afterSerial < takeover.serial) return nothing(state);
  if (needsLock(state)) {
    const held = lockHeld(state) && state.lock.confirmedSerial >= takeover.serial;
    return held ? awaitLease(state) : nothing(state);
  }
  const rival = rivalTakesOver(state);
  if (rival === null) return rivalToAwait(state) === null ? awaitLease(state) : nothing(state);
  // Not alone: whoever goes on decides, and we may be active only by its leave.
  const message = `not taken over: ${rival} of this site takes over too; look at \`mirrorbeat status\``;
  return halted(endTakeover(state, exitCodes.tryLater, message, "not alone"), message);
}

/** Waits, where the other site may still be active under the lease that we granted last. */
function awaitLease(state: State): Step {
  const { takeover } = state;
  if (!takeover) return nothing(state);
  const leftMs = (takeover.waitUntilMs ?? Number.NEGATIVE_INFINITY) - state.clocks.shortMs;
  if (leftMs <= 0) return takeData(state);
  if (takeover.phase === "waiting") return nothing(state);
  const fields = { term: state.term, left_ms: Math.ceil(leftMs) };
  return {
    state: inPhase(state, "waiting"),
    actions: [],
    events: [toldTakeover("waiting for the lease to end", fields)],
  };
}

/** A guarded host goes on only while its lease holds; an unguarded one may. */
function leaseFault(state: State): string | null {
  if (state.stopping) return "this agent is being stopped";
  if (!isArmed(state) || state.lease.solo) return null;
  return leaseLeftMs(state) > state.config.timing.stopMs
    ? null
    : "the lease that the other site granted has run out";
}

function takeData(state: State): Step {
  const { takeover, config } = state;
  if (!takeover) return nothing(state);
  const fault = leaseFault(state);
  if (fault !== null) return stopped(state, fault, "no lease");
  if (config.dataGroups.length === 0) return runService(state);
  const standing = possibleHolders(state).every((peer) => standsBy(state, peer));
  const verb = standing ? "swap" : "takeover";
  return {
    state: inPhase(state, "data"),
    actions: [{ kind: "take-data", term: state.term, verb }],
    events: [toldTakeover("data pairs", { term: state.term, verb })],
  };
}

function stopped(state: State, fault: string, step: string): Step {
  const message =
    `the term ${state.term} is ours, but the service is not started: ${fault}; ` +
    "mend it and run `mirrorbeat takeover --yes` again";
  return halted(endTakeover(state, exitCodes.indeterminate, message, step), message);
}

export function dataTaken(
  state: State,
  input: Extract<Input, { kind: "data-taken" | "data-checked" }>,
): Step {
  if (state.takeover?.phase !== "data" || input.term !== state.term) return nothing(state);
  if (!input.ok) return stopped(state, input.detail, "data pairs failed");
  const event = toldTakeover("data pairs done", { term: state.term, detail: input.detail });
  const onward = runService(state);
  return { ...onward, events: [event, ...onward.events] };
}

function runService(state: State): Step {
  const { takeover } = state;
  if (!takeover) return nothing(state);
  const fault = leaseFault(state);
  if (fault !== null) return stopped(state, fault, "no lease");
  const next: State = { ...inPhase(state, "hook"), serviceMayRun: true, stopRetryMs: null };
  if (!state.config.hooks.takeover) return becomeActive(next, "no service hook is configured");
  const facts = hookFacts(state, "active", reasonOf(takeover));
  return {
    state: next,
    actions: [{ kind: "run-hook", hook: "takeover", facts }],
    events: [toldTakeover("service hook started", { term: state.term })],
  };
}

function becomeActive(state: State, detail: string): Step {
  const { takeover } = state;
  if (!takeover) return nothing(state);
  const reason = reasonOf(takeover);
  const ended = endTakeover(state, exitCodes.ok, `active in term ${state.term}: ${detail}`, "done");
  const fields = { role: "active", was: state.role, term: state.term, reason };
  const active: State = {
    ...ended.state,
    role: "active",
    roleReason: reason,
    servesHere: true,
    activeIn: state.term,
    serviceMayRun: true,
    servingStored: true,
    halfDone: false,
  };
  return {
    state: active,
    actions: [storeTerm(active), ...ended.actions],
    events: [...ended.events, { level: "warning", ev: "role", fields }],
  };
}

/** The service hook of a takeover ended. */
export function serviceHookEnded(
  state: State,
  ok: boolean,
  detail: string,
  event: CoreEvent,
): Step {
  if (state.takeover?.phase !== "hook") return { state, actions: [], events: [event] };
  if (ownerOf(state.term) !== state.ownSiteId) {
    // A higher term came up meanwhile: what was started is stopped again as this site goes to standby.
    const ended = endTakeover(state, exitCodes.unsafe, overtakenText(state), "overtaken");
    return { ...ended, events: [event, ...ended.events] };
  }
  if (ok) {
    const active = becomeActive(state, `service hook ${detail}`);
    return { ...active, events: [event, ...active.events] };
  }
  const message =
    `the term ${state.term} is ours, but the service hook failed (${detail}): ` +
    "mend it and run `mirrorbeat takeover --yes` again";
  const ended = halted(
    endTakeover(state, exitCodes.indeterminate, message, "hook failed"),
    message,
  );
  return { ...ended, events: [event, ...ended.events] };
}

/** What time does to a takeover: a wait is over, or a step was not done in time. */
export function ageTakeover(state: State): Step {
  const { takeover } = state;
  if (!takeover) return nothing(state);
  switch (takeover.phase) {
    case "waiting":
      return awaitLease(state);
    // They end by themselves: whoever does them has a deadline.
    case "hook":
    case "data":
      return nothing(state);
    default:
      return state.nowMs < takeover.deadlineMs ? nothing(state) : expired(state, takeover);
  }
}

function expired(state: State, { phase }: Takeover): Step {
  const again = "look at `mirrorbeat status`, then run `mirrorbeat takeover --yes` again";
  const messages: Readonly<Record<string, string>> = {
    storing:
      "the local disk did not store the term in time: not taken over; mend it and run it again",
    arbiter: `the arbiter did not answer in time: not taken over; ${again}`,
    receiving:
      `the term ${state.term} was handed to us, but not every host of the giver is known to have ` +
      `stopped: not active; ${again}`,
    locking:
      `the term ${state.term} is ours, but it was not known in time that no other host of this ` +
      `site takes over too: not active; ${again}`,
  };
  const published = `the term ${state.term} is stored here, but no volume of ours took it in time: not active; ${again}`;
  const message = messages[phase] ?? published;
  // Who could not make sure to be alone in the term may serve in it only under a lease.
  const unsure = phase === "publishing" || phase === "locking";
  const lease = unsure ? { ...state.lease, solo: false } : state.lease;
  const ended = endTakeover({ ...state, lease }, exitCodes.indeterminate, message, "not published");
  return halted(ended, message);
}
