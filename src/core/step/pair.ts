/**
 * Answers of the arrays on the state of a mirror's pair. An answer is as old as its question; a
 * younger one is never replaced by an older one, for two providers' answers may overtake each other.
 */
import type { CoreEvent } from "../base/event.ts";
import type { Input, PairView, State, Step } from "./state.ts";

type Answer = Extract<Input, { kind: "pair" }>;

/** A cause that changes while the state does not is told at most once in this time. */
const causeRepeatMs = 60_000;

function pairEvent({ mirror, state, facts }: Answer, was: PairView | undefined): CoreEvent {
  const { role = "unknown", native = "", cause = "", percent = null } = facts ?? {};
  const fields = {
    mirror,
    state,
    was: was?.state ?? "unknown",
    role,
    native,
    ...(percent === null ? {} : { percent }),
    cause,
  };
  return { level: state === "paired" ? "notice" : "warning", ev: "pair", fields };
}

function isToTell(was: PairView | undefined, answer: Answer, nowMs: number): boolean {
  if (was?.state !== answer.state) return true;
  const cause = answer.facts?.cause ?? "";
  return cause !== was.toldCause && nowMs - was.toldMs >= causeRepeatMs;
}

export function seePair(state: State, input: Answer): Step {
  const was = state.pairs[input.mirror];
  const overtaken = was !== undefined && input.nowMs < was.observedMs;
  if (overtaken && was.state !== "unknown") return { state, actions: [], events: [] };
  const told = isToTell(was, input, state.nowMs);
  const view: PairView = {
    state: input.state,
    observedMs: input.nowMs,
    facts: input.facts,
    toldCause: told ? (input.facts?.cause ?? "") : (was?.toldCause ?? ""),
    toldMs: told ? state.nowMs : (was?.toldMs ?? state.nowMs),
  };
  const next: State = { ...state, pairs: { ...state.pairs, [input.mirror]: view } };
  return { state: next, actions: [], events: told ? [pairEvent(input, was)] : [] };
}
