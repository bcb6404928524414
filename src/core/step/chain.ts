/** How stages of a step are put together: state handed on, actions and events gathered in order. */
import type { CoreEvent } from "../base/event.ts";
import type { Action, State, Step } from "./state.ts";

/** Runs one stage after another, gathering what they want done and told. */
export function chain(state: State, ...stages: readonly ((state: State) => Step)[]): Step {
  const actions: Action[] = [];
  const events: CoreEvent[] = [];
  let current = state;
  for (const stage of stages) {
    const result = stage(current);
    current = result.state;
    actions.push(...result.actions);
    events.push(...result.events);
  }
  return { state: current, actions, events };
}

/** A stage that only changes the state. */
export const only = (state: State): Step => ({ state, actions: [], events: [] });
