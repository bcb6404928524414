/** A higher term ends what was begun under a lower one. */
import { exitCodes } from "../base/exit-codes.ts";
import { ownerOf } from "../decision.ts";
import { only } from "./chain.ts";
import { siteOf } from "./holders.ts";
import { isArmed } from "./issued.ts";
import type { State, Step } from "./state.ts";
import { endTakeover } from "./takeover-end.ts";
import { raisedTerm } from "./term.ts";

export function overtakenText(state: State): string {
  return (
    `not taken over: meanwhile ${siteOf(state, state.term)} took the term ${state.term}; ` +
    "look at `mirrorbeat status` before you run it again"
  );
}

/** A term from a believable record: kept if it is higher than ours. */
export function learnTerm(state: State, term: bigint, from: string): Step {
  const learnt = raisedTerm(state, term, from);
  if (!learnt) return only(state);
  const { takeover, handover } = state;
  if (handover) return endHandover(learnt, term);
  // A hook that runs is awaited: what it began is undone when it ends (hookEnded).
  // Under a lease there is no time for that: what was begun is stopped at once.
  if (!takeover || (takeover.phase === "hook" && !isArmed(state))) return learnt;
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

/** Another term came up in the middle of a switch-over, which is over then. */
function endHandover(learnt: Step, term: bigint): Step {
  const { handover } = learnt.state;
  if (!handover) return learnt;
  const message =
    `the switch-over ended: meanwhile ${siteOf(learnt.state, term)} took the term ${term}; ` +
    "look at `mirrorbeat status`";
  const answer = { kind: "answer", id: handover.id, code: exitCodes.unsafe, message } as const;
  return {
    ...learnt,
    state: { ...learnt.state, handover: null },
    actions: [...learnt.actions, answer],
    events: [
      ...learnt.events,
      { level: "warning", ev: "switchover", fields: { step: "overtaken", term, reason: message } },
    ],
  };
}
