/** Arbiters outside: asked before a takeover, and again and again by the site that must hold one. */
import { asksArbiter, holdsArbiter } from "../base/config.ts";
import { exitCodes } from "../base/exit-codes.ts";
import { only as nothing } from "./chain.ts";
import { ownsTerm, peersConfirm, siteOf } from "./holders.ts";
import { endTakeover } from "./takeover-end.ts";
import { storeTakenTerm } from "./takeover.ts";
import type { ArbiterQuestion, Input, State, Step } from "./state.ts";

/** Between two questions of the agent's own accord. */
const askEveryMs = 10_000;

type Answer = Extract<Input, { kind: "arbiter" }>;

/** Which question is due by itself: a standby that may take over asks, an owner looks after it. */
function questionOf(state: State): ArbiterQuestion | null {
  const { policy } = state.config;
  if (!asksArbiter(policy) || state.beacon || !state.selfEnabled || state.stopping) return null;
  if (state.takeover || state.handover) return null;
  if (ownsTerm(state)) {
    if (!holdsArbiter(policy)) return null;
    if (state.arbiter.answer === "granted" || state.role === "active") return "holds";
    // To ask may take the right from whoever has it: not before the others say that nobody has.
    return peersConfirm(state) ? "ask" : null;
  }
  const group = state.groups[siteOf(state, state.term)];
  const eligible = group?.action === "eligible" || group?.row === "9" || group?.row === "8";
  return state.role === "standby" && eligible ? "ask" : null;
}

export function settleArbiter(state: State): Step {
  const op = questionOf(state);
  const { arbiter } = state;
  if (op === null || arbiter.asking || state.nowMs - arbiter.askedMs < askEveryMs) {
    return nothing(state);
  }
  const other = state.config.sites.find(
    ({ name, role }) => name !== state.config.self.site && role !== "witness",
  );
  const peer = other?.name ?? "";
  return {
    state: { ...state, arbiter: { ...arbiter, asking: true, askedMs: state.nowMs } },
    actions: [{ kind: "ask-arbiter", op, term: state.term, peer }],
    events: [],
  };
}

/** An unknown answer takes away what was granted for a takeover, and leaves an owner as it is. */
function heard(state: State, { answer, detail, op }: Answer): State["arbiter"] {
  const stays = answer === "unknown" && op === "holds" && state.arbiter.answer === "granted";
  const now = stays ? "granted" : answer;
  return { answer: now, detail, askedMs: state.nowMs, asking: false };
}

export function arbiterSaid(state: State, input: Answer): Step {
  const { takeover } = state;
  const isOurs = input.term === state.term;
  const known: State = {
    ...state,
    arbiter: isOurs ? heard(state, input) : { ...state.arbiter, asking: false },
  };
  const fields = { step: "arbiter", answer: input.answer, detail: input.detail };
  const news = input.answer !== state.arbiter.answer || takeover?.phase === "arbiter";
  const events = news ? [{ level: "notice", ev: "takeover", fields } as const] : [];
  if (takeover?.phase !== "arbiter" || input.op !== "ask") return { ...nothing(known), events };
  if (isOurs && input.answer === "granted") {
    const onward = storeTakenTerm(known);
    return { ...onward, events: [...events, ...onward.events] };
  }
  const message = `not taken over: the arbiter's answer is ${input.answer}: ${input.detail}`;
  const ended = endTakeover(known, exitCodes.noArbiter, message, "no right");
  return { ...ended, events: [...events, ...ended.events] };
}
