/**
 * Planned switch-over: the service is stopped here and found stopped, the data is whole at the other
 * site, then the term is given away, durably. It is not taken back by this side alone: the other
 * one may have begun to serve in it. Until the term is given, every fault ends with the service
 * here again.
 */
import type { CoreEvent } from "../base/event.ts";
import { exitCodes, type ExitCode } from "../base/exit-codes.ts";
import { takeoverPublishLimitMs, unjudgedLimitMs } from "../base/timing.ts";
import { nextTerm } from "../decision.ts";
import { roles } from "../sector/layout.ts";
import { only as nothing } from "./chain.ts";
import { confirms, ownsTerm, possibleHolders, siteOf } from "./holders.ts";
import { hasRight } from "./lease.ts";
import type { Handover, HandoverPhase } from "./right-state.ts";
import { serviceStopped } from "./role.ts";
import { runningSiblings, silentSiblings } from "./siblings.ts";
import { hookFacts } from "./takeover.ts";
import { inTerm, storeTerm } from "./term.ts";
import type { Action, Input, State, Step } from "./state.ts";

type Asked = Extract<Input, { kind: "switchover" }>;
type Refused = { readonly code: ExitCode; readonly message: string };

function told(step: string, fields: Readonly<Record<string, string | bigint | number>>): CoreEvent {
  return { level: "notice", ev: "switchover", fields: { step, ...fields } };
}

function inPhase(state: State, phase: HandoverPhase, more: Partial<Handover> = {}): State {
  const { handover } = state;
  return handover ? { ...state, handover: { ...handover, ...more, phase } } : state;
}

export function beginHandover(state: State, input: Asked): Step {
  const answer = ({ code, message }: Refused): Step => ({
    ...nothing(state),
    actions: [{ kind: "answer", id: input.id, code, message }],
  });
  const refusal = refusalOf(state, input);
  if (refusal) return answer(refusal);
  const term = nextTerm(state.term, siteIdOf(state, input.to));
  const handover: Handover = {
    id: input.id,
    to: input.to,
    phase: "preparing",
    term,
    serial: 0n,
    repair: input.repair,
    deadlineMs: Number.POSITIVE_INFINITY,
  };
  const begun: State = { ...state, handover };
  const events = [told("begin", { to: input.to, term })];
  const onward = checkData(begun, "preparing");
  return { ...onward, events: [...events, ...onward.events] };
}

const givenAway = (state: State, { term, to }: Handover) => ({
  term,
  serving: false,
  halfDone: false,
  givenSite: siteIdOf(state, to),
});

const siteIdOf = (state: State, name: string): number =>
  state.config.sites.find((site) => site.name === name)?.id ?? 0;

function refusalOf(state: State, { to }: Asked): Refused | null {
  const sites = [...new Set(possibleHolders(state).map(({ host }) => host.site))];
  if (to === state.config.self.site && ownsTerm(state) && state.role === "active") {
    return { code: exitCodes.ok, message: `${to} is active in term ${state.term}; nothing to do` };
  }
  if (!sites.includes(to)) {
    return {
      code: exitCodes.usage,
      message: `${to}: not another site that can serve; there is ${sites.join(", ")}`,
    };
  }
  if (state.takeover || state.handover) {
    return { code: exitCodes.tryLater, message: "one is under way; look at `mirrorbeat status`" };
  }
  if (!ownsTerm(state)) return elsewhere(state, to);
  if (state.role !== "active" || !state.servesHere || !hasRight(state)) {
    const message = `this host is ${state.role}; run it on the host that serves`;
    return { code: exitCodes.unsafe, message };
  }
  return readiness(state, to);
}

function elsewhere(state: State, to: string): Refused {
  const owner = siteOf(state, state.term);
  if (owner !== to) {
    return { code: exitCodes.unsafe, message: `${owner} has the term ${state.term}; run it there` };
  }
  const active = possibleHolders(state).some(
    (peer) => peer.host.site === to && peer.word?.role === roles.active && confirms(state, peer),
  );
  return active
    ? {
        code: exitCodes.ok,
        message: `${to} is active in term ${state.term} already; nothing to do`,
      }
    : {
        code: exitCodes.indeterminate,
        message: `${to} has the term ${state.term} and is not active yet; look at it there, or run \`mirrorbeat takeover --yes\` there`,
      };
}

/** Whether the other site could go on at once. */
function readiness(state: State, to: string): Refused | null {
  const unsafe = (message: string): Refused => ({ code: exitCodes.unsafe, message });
  if (!state.config.hooks.superseded) {
    return unsafe(
      "no stop hook: hooks.superseded must stop the service, and say by exit 0 that it is stopped",
    );
  }
  const hosts = possibleHolders(state).filter(({ host }) => host.site === to);
  const silent = hosts.filter(
    (peer) => !confirms(state, peer) || peer.word?.role !== roles.standby,
  );
  if (silent.length > 0) {
    return unsafe(
      `${silent.map(({ host }) => host.name).join(", ")} of ${to} does not stand by, freshly; look at \`mirrorbeat status\``,
    );
  }
  const siblings = silentSiblings(state);
  if (siblings.length > 0) {
    return unsafe(
      `${siblings.join(", ")} of this site is silent, so nothing is known of its service; start or disable it`,
    );
  }
  return null;
}

function checkData(state: State, phase: "preparing" | "checking"): Step {
  const { handover, config } = state;
  if (!handover) return nothing(state);
  const next = inPhase(state, phase);
  if (config.dataGroups.length === 0) return dataIsWhole(next);
  const repair = phase === "preparing" && handover.repair;
  return {
    state: next,
    actions: [{ kind: "check-data", term: state.term, repair }],
    events: [told("data pairs", { phase, repair: String(repair) })],
  };
}

export function dataChecked(
  state: State,
  input: Extract<Input, { kind: "data-taken" | "data-checked" }>,
): Step {
  const { handover } = state;
  const waits = handover?.phase === "preparing" || handover?.phase === "checking";
  if (!waits || input.term !== state.term) return nothing(state);
  if (!input.ok) return abort(state, exitCodes.unsafe, `the data is not ready: ${input.detail}`);
  const onward = dataIsWhole(state);
  return { ...onward, events: [told("data whole", { detail: input.detail }), ...onward.events] };
}

function dataIsWhole(state: State): Step {
  const { handover } = state;
  if (!handover) return nothing(state);
  if (handover.phase === "checking") {
    const next = inPhase(state, "storing", {
      deadlineMs: state.nowMs + takeoverPublishLimitMs(state.config.timing),
    });
    return {
      ...nothing(next),
      actions: [storeTerm(next, givenAway(next, handover))],
    };
  }
  const facts = hookFacts(state, "stopped", `switch-over to ${handover.to}`);
  return {
    state: inPhase(state, "stopping"),
    actions: [{ kind: "run-hook", hook: "superseded", facts }],
    events: [told("service stop hook started", { term: state.term })],
  };
}

/** The stop hook of a switch-over ended. */
export function stopEnded(state: State, ok: boolean, detail: string): Step {
  const { handover } = state;
  if (handover?.phase !== "stopping") return nothing(state);
  if (!ok)
    return abort(
      state,
      exitCodes.indeterminate,
      `the stop hook failed (${detail}), so the service may be half stopped`,
    );
  const stopped = serviceStopped(state);
  const deadlineMs =
    state.nowMs + state.config.hooks.limitMs + unjudgedLimitMs(state.config.timing);
  const waiting = inPhase(stopped.state, "siblings", { deadlineMs });
  const onward = siblingsStopped(waiting);
  return {
    state: onward.state,
    actions: [...stopped.actions, ...onward.actions],
    events: [told("service stopped", { detail }), ...onward.events],
  };
}

function siblingsStopped(state: State): Step {
  return runningSiblings(state).length > 0 ? nothing(state) : checkData(state, "checking");
}

/** What ends by itself, or takes too long. */
export function ageHandover(state: State): Step {
  const { handover } = state;
  switch (handover?.phase) {
    case "siblings": {
      const onward = siblingsStopped(state);
      if (onward.state !== state || state.nowMs < handover.deadlineMs) return onward;
      const names = runningSiblings(state).join(", ");
      return abort(
        state,
        exitCodes.unsafe,
        `${names} of this site did not say in time that its service is stopped`,
      );
    }
    case "storing":
      if (state.nowMs < handover.deadlineMs) return nothing(state);
      return abort(state, exitCodes.cannotCreate, "the local disk did not store the term in time");
    case "publishing":
    case "following":
      return followed(state, handover);
    case "preparing":
    case "stopping":
    case "checking":
    case undefined:
      return nothing(state);
  }
}

/** The term is not given yet: this site goes on, and starts its service again. */
export function abort(state: State, code: ExitCode, why: string): Step {
  const { handover } = state;
  if (!handover) return nothing(state);
  const message = `not switched over: ${why}; this site keeps the term ${state.term}`;
  const role = state.serviceMayRun ? "active" : "stopped";
  const answer: Action = { kind: "answer", id: handover.id, code, message };
  const fields = { role, was: state.role, term: state.term, reason: message };
  const changed: CoreEvent[] =
    role === state.role ? [] : [{ level: "warning", ev: "role", fields }];
  return {
    state: { ...state, handover: null, role, roleReason: message, servesHere: state.serviceMayRun },
    actions: [answer],
    events: [{ ...told("ended", { reason: message }), level: "warning" }, ...changed],
  };
}

/** The new term is durable here: from now on it is the other site's. */
export function givenTermStored(
  state: State,
  input: Extract<Input, { kind: "term-stored" }>,
): Step {
  const { handover } = state;
  const { durable } = input;
  const isMeant = durable.term === handover?.term && durable.givenSite !== 0;
  if (handover?.phase !== "storing" || !isMeant) return nothing(state);
  if (!input.ok)
    return abort(state, exitCodes.cannotCreate, "the term could not be stored on the local disk");
  const { to, term } = handover;
  const given: State = {
    ...inTerm(state, term),
    given: { term, site: to },
    role: "standby",
    roleReason: `the term was given to ${to}`,
  };
  const deadlineMs =
    state.nowMs + 6 * takeoverPublishLimitMs(state.config.timing) + state.config.hooks.limitMs;
  const role: CoreEvent = {
    level: "notice",
    ev: "role",
    fields: { role: "standby", was: state.role, term, reason: `the term was given to ${to}` },
  };
  return {
    ...nothing(inPhase(given, "publishing", { serial: state.serial + 1n, deadlineMs })),
    events: [told("term given", { to, term }), role],
  };
}

/** The other site is active in the term, or is not in time. */
function followed(state: State, handover: Handover): Step {
  const { to, term, id } = handover;
  const active = possibleHolders(state).find(
    ({ host, word }) => host.site === to && word?.term === term && word.role === roles.active,
  );
  const end = (code: ExitCode, message: string): Step => ({
    state: { ...state, handover: null, given: active ? null : state.given },
    actions: [{ kind: "answer", id, code, message }],
    events: [told(active ? "done" : "ended", { term, reason: message })],
  });
  if (active) return end(exitCodes.ok, `${to} is active in term ${term}`);
  if (state.nowMs < handover.deadlineMs) return nothing(state);
  return end(
    exitCodes.indeterminate,
    `the term ${term} was given to ${to}, which is not active yet; look there, or run \`mirrorbeat takeover --yes\` there`,
  );
}

/**
 * What the record of a giver says until the other site is active. The site alone, without a term:
 * it is about to be given, and the other hosts of our site stop their service too.
 */
export function givenTerm(state: State): { readonly term: bigint; readonly site: number } {
  const { given, handover } = state;
  if (!given || given.term !== state.term) {
    return { term: 0n, site: handover ? siteIdOf(state, handover.to) : 0 };
  }
  return { term: given.term, site: siteIdOf(state, given.site) };
}

/** Whether the giver's word is still needed. */
export function settleGiven(state: State): State {
  const { given } = state;
  if (!given || state.handover) return state;
  const taken = possibleHolders(state).some(
    ({ host, word }) =>
      host.site === given.site && word?.term === given.term && word.role === roles.active,
  );
  return taken || given.term !== state.term ? { ...state, given: null } : state;
}
