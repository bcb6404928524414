/** How a takeover ends: its answer, and what remains of it. */
import { takeoverPublishLimitMs } from "../base/timing.ts";
import type { CoreEvent } from "../base/event.ts";
import type { Action, State, Step } from "./state.ts";

export function toldTakeover(
  step: string,
  fields: Readonly<Record<string, string | number | bigint>>,
): CoreEvent {
  return { level: "warning", ev: "takeover", fields: { step, ...fields } };
}

/** Longest that a step of a takeover may take whose end the core itself looks for. */
export const takeoverDeadlineMs = (state: State): number =>
  state.nowMs + takeoverPublishLimitMs(state.config.timing);

export function endTakeover(state: State, code: number, message: string, step: string): Step {
  const { takeover } = state;
  if (!takeover) return { state, actions: [], events: [] };
  const answer = { kind: "answer", id: takeover.id, code, message } as Action;
  return {
    state: { ...state, takeover: null },
    actions: takeover.by === "operator" ? [answer] : [],
    events: [toldTakeover(step, { term: state.term, reason: message })],
  };
}

/**
 * The role that remains when a takeover stops half-way: if we own the term we are not active, and
 * only the operator's next command changes that; a fresh peer does not.
 */
export function halted(step: Step, reason: string): Step {
  return { ...step, state: { ...step.state, role: "transitioning", roleReason: reason } };
}
