/** How stages of a step are put together: state handed on, actions and events gathered in order. */
import type { State, Step } from "./state.ts";

/** Most stages want nothing done and tell nothing: they share these. */
const none: readonly never[] = Object.freeze([]);

/** One list after the other. */
export function joined<T>(first: readonly T[], second: readonly T[]): readonly T[] {
  if (first.length === 0) return second;
  return second.length === 0 ? first : [...first, ...second];
}

/** One step after the other: where it leads, and what both want done and told. */
export const after = (first: Step, next: Step): Step => ({
  state: next.state,
  actions: joined(first.actions, next.actions),
  events: joined(first.events, next.events),
});

/** Runs one stage after another, gathering what they want done and told. */
export function chain(state: State, ...stages: readonly ((state: State) => Step)[]): Step {
  let current = state;
  let actions: Step["actions"] = none;
  let events: Step["events"] = none;
  for (const stage of stages) {
    const result = stage(current);
    current = result.state;
    actions = joined(actions, result.actions);
    events = joined(events, result.events);
  }
  return { state: current, actions, events };
}

/** The same stage for each of some, in turn. */
export function chainEach<T>(
  state: State,
  items: readonly T[],
  stage: (state: State, item: T) => Step,
): Step {
  let all = only(state);
  for (const item of items) all = after(all, stage(all.state, item));
  return all;
}

/** A stage that only changes the state. */
export const only = (state: State): Step => ({ state, actions: none, events: none });
