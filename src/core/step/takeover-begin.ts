/** How a takeover begins: by an operator's word, by the agent's own right, by a handover. */
import { asksArbiter } from "../base/config.ts";
import { exitCodes, type Refusal } from "../base/exit-codes.ts";
import { takeoverPublishLimitMs } from "../base/timing.ts";
import { nextTerm, takeoverRefusal } from "../decision.ts";
import { only as nothing } from "./chain.ts";
import { dataFault } from "./data.ts";
import { confirms, isGivenToUs, ownerHosts, ownsTerm, possibleHolders, siteOf } from "./holders.ts";
import { isArmed } from "./issued.ts";
import { leaseLeftMs } from "./lease.ts";
import { lockHeld } from "./lock.ts";
import { guardSeen, needsOf } from "./standby.ts";
import { rivalTakesOver, runningSiblings } from "./siblings.ts";
import { storeTerm } from "./term.ts";
import { takeoverDeadlineMs, toldTakeover } from "./takeover-end.ts";
import { standsBy, takeoverFacts } from "./takeover-facts.ts";
import type { Action, Input, State, Step, Takeover } from "./state.ts";

type Asked = Extract<Input, { kind: "takeover" }>;

const isExternal = ({ config }: State): boolean => asksArbiter(config.policy);

/** What an operator's takeover rests on. */
type Ground = Pick<Takeover, "term" | "attested" | "waitUntilMs">;

const isRefusal = (ground: Ground | Refusal): ground is Refusal => "message" in ground;

function wrongSite(state: State, site: string): string | null {
  const others = new Set(possibleHolders(state).map(({ host }) => host.site));
  return others.has(site)
    ? null
    : `--peer-is-off ${site}: the other site is ${[...others].join(", ")}`;
}

function groundOf(state: State, attested: string): Ground | Refusal {
  const raised = nextTerm(state.term, state.ownSiteId);
  if (attested !== "") {
    const fault = wrongSite(state, attested);
    if (fault !== null) return { code: exitCodes.usage, message: fault };
    return { term: raised, attested, waitUntilMs: null };
  }
  if (!isArmed(state)) return { term: raised, attested: "", waitUntilMs: null };
  if (ownsTerm(state) && (state.lease.solo || isLeaseLive(state))) {
    return { term: state.term, attested: "", waitUntilMs: null };
  }
  return leasedGround(state, raised);
}

const isLeaseLive = (state: State): boolean => leaseLeftMs(state) > state.config.timing.stopMs;

/** Under a lease an operator's word moves nothing sooner than the lease allows. */
function leasedGround(state: State, raised: bigint): Ground | Refusal {
  const off = possibleHolders(state).find(({ siteId }) => siteId !== state.ownSiteId)?.host.site;
  const attest = `power it off for certain, then: mirrorbeat takeover --peer-is-off ${off ?? "SITE"} --yes`;
  if (ownsTerm(state)) {
    const message =
      "no lease: the other site does not grant one, and it may have taken a higher term that is " +
      `not known here; ${attest}`;
    return { code: exitCodes.noArbiter, message };
  }
  if (!lockHeld(state)) {
    const message = "another host decides for this site, or none does yet; run it there, or wait";
    return { code: exitCodes.tryLater, message };
  }
  if (needsOf(state).some(({ id, met }) => id === "witness" && !met)) {
    const message =
      "the witness has not granted it, so it may let the other site go on; it is asked when " +
      `nothing else is missing (\`mirrorbeat status\`); or ${attest}`;
    return { code: exitCodes.noArbiter, message };
  }
  const loose = ownerHosts(state).filter((peer) => !guardSeen(state, peer));
  if (loose.length === 0 && state.waiting.renounced === null) {
    const waitUntilMs = state.waiting.sinceMs + state.config.timing.takeoverWaitMs;
    return { term: raised, attested: "", waitUntilMs };
  }
  const names = loose.map(({ host }) => host.name).join(", ");
  const why =
    state.waiting.renounced === null
      ? `${names} was not seen to go by the lease in this term`
      : `takeover was renounced here (${state.waiting.renounced})`;
  const message = `${why}, so waiting proves nothing; ${attest}`;
  return { code: exitCodes.noArbiter, message };
}

/** An operator's command: refused with the reason, or begun. */
export function beginTakeover(state: State, input: Asked, go: (state: State) => Step): Step {
  const refuse = (code: number, message: string): Step => ({
    state,
    actions: [{ kind: "answer", id: input.id, code, message } as Action],
    events: [],
  });
  const early = notNow(state);
  if (early) return refuse(early.code, early.message);
  const attested = input.peerIsOff ?? "";
  const facts = takeoverFacts(state, input.force, attested !== "");
  const ground = takeoverRefusal(facts) ?? groundOf(state, attested);
  if (isRefusal(ground)) {
    const events = [toldTakeover("refused", { reason: ground.message })];
    return { ...refuse(ground.code, ground.message), events };
  }
  const serial = state.serial + 1n;
  const takeover: Takeover = {
    id: input.id,
    by: "operator",
    phase: "storing",
    serial,
    deadlineMs: takeoverDeadlineMs(state),
    ...ground,
  };
  const begun: State = { ...state, takeover };
  const asks = isExternal(state) && attested === "" && !input.force;
  return asks ? askFirst(begun, takeover) : go(begun);
}

/** The arbiter's word comes before anything is written: a term that is raised stops the owner. */
function askFirst(state: State, takeover: Takeover): Step {
  const { takeover: limits, timing } = state.config;
  const deadlineMs = state.nowMs + limits.arbiterLimitMs + takeoverPublishLimitMs(timing);
  const peer = siteOf(state, state.term);
  return {
    state: { ...state, takeover: { ...takeover, phase: "arbiter", deadlineMs } },
    actions: [{ kind: "ask-arbiter", op: "ask", term: state.term, peer }],
    events: [toldTakeover("arbiter asked", { term: state.term, policy: state.config.policy })],
  };
}

function notNow(state: State): Refusal | null {
  if (state.takeover) {
    return {
      code: exitCodes.tryLater,
      message: "a takeover is under way; look at `mirrorbeat status`",
    };
  }
  if (state.handover) {
    return {
      code: exitCodes.tryLater,
      message: "a switch-over is under way; look at `mirrorbeat status`",
    };
  }
  if (state.beacon) {
    const message = "this host is a beacon: it cannot hold the service; take over on another host";
    return { code: exitCodes.noPermission, message };
  }
  if (state.role === "active" && state.servesHere) {
    return { code: exitCodes.ok, message: `already active in term ${state.term}; nothing to do` };
  }
  if (state.role === "fenced") {
    const message = "the service of this host is not stopped yet; look at `mirrorbeat status`";
    return { code: exitCodes.tryLater, message };
  }
  return null;
}

/** The agent's own takeover: the right is there, and the verdict says eligible. */
export function beginByRight(state: State, go: (state: State) => Step): Step {
  if (state.takeover || state.handover || state.role !== "standby" || ownsTerm(state)) {
    return nothing(state);
  }
  const group = state.groups[siteOf(state, state.term)];
  if (group?.action !== "eligible" || !hasOwnRight(state)) return nothing(state);
  const takeover: Takeover = {
    id: 0,
    by: "agent",
    phase: "storing",
    term: nextTerm(state.term, state.ownSiteId),
    attested: "",
    waitUntilMs: null,
    serial: state.serial + 1n,
    deadlineMs: takeoverDeadlineMs(state),
  };
  return go({ ...state, takeover });
}

function hasOwnRight(state: State): boolean {
  if (state.stopping || !state.selfEnabled || state.beacon) return false;
  if (isExternal(state)) return state.arbiter.answer === "granted" && dataFault(state) === null;
  // Computed anew: what was true at the last look may have ended with this very input.
  return isArmed(state) && state.waiting.ripe && needsOf(state).every(({ met }) => met);
}

/** Every host of the giver says freshly that it stands by in the term that is ours now. */
const allStandBy = (state: State): boolean =>
  possibleHolders(state).every(
    (peer) =>
      peer.enabled &&
      standsBy(state, peer) &&
      confirms(state, peer) &&
      peer.word?.term === state.term,
  );

/**
 * Given by the other site's word; or it gave the term, and the word was lost with its agent: a term
 * of ours that nobody serves in. A host that was started anew meanwhile receives it still.
 */
function isLeftToUs(state: State): boolean {
  const { role, siblingActive } = state;
  if (role === "starting" || role === "stopped") return isGivenToUs(state) && !siblingActive;
  if (role !== "standby" || !ownsTerm(state)) return false;
  const nobodyServes =
    isArmed(state) && allStandBy(state) && runningSiblings(state).length === 0 && !siblingActive;
  return isGivenToUs(state) || nobodyServes;
}

/** A term that was handed to us is received by the host that decides for our site. */
export function receive(state: State, go: (state: State) => Step): Step {
  const { takeover } = state;
  if (takeover?.phase === "receiving") {
    const granted = !isArmed(state) || isLeaseLive(state);
    return granted && allStandBy(state) ? go(state) : nothing(state);
  }
  if (takeover || state.handover || state.beacon || state.stopping || !isLeftToUs(state)) {
    return nothing(state);
  }
  if (isArmed(state) ? !lockHeld(state) : rivalTakesOver(state) !== null) return nothing(state);
  const received: Takeover = {
    id: 0,
    by: "handover",
    phase: "receiving",
    term: state.term,
    attested: "",
    waitUntilMs: null,
    serial: state.serial + 1n,
    deadlineMs: state.nowMs + 6 * takeoverPublishLimitMs(state.config.timing),
  };
  // From now on the data and the service are not ready for the term: a restart must know that.
  const next: State = { ...state, takeover: received, halfDone: true };
  return {
    state: next,
    actions: [storeTerm(next)],
    events: [toldTakeover("term received", { term: state.term })],
  };
}
