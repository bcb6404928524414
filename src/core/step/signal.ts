/**
 * The state of a pair as a signal that needs no payload: one host splits the pair of a mirror that
 * its site writes, the other site sees that in its own array, and answers by splitting the pair of
 * a mirror of its own. So two agents can tell that both live where nothing is copied any more.
 *
 *   asking     noted durably -> split -> held until answered or the time is over -> resynchronised
 *   answering  heard -> own pair asked anew -> noted -> split -> held -> resynchronised
 *
 * Invariants:
 * - Nothing here is evidence. No verdict, role or takeover looks at it; no answer proves nothing.
 * - Only what this host has split is resynchronised, by a note that outlives it; and always.
 * - Every answer ends the matter: a pair that was not whole for `signalRestMs` is not split to
 *   answer, so two sites can never go on answering each other's answers.
 */
import type { CoreEvent, EventValue, Level } from "../base/event.ts";
import { only } from "./chain.ts";
import { type ExitCode, exitCodes } from "../base/exit-codes.ts";
import { signalHoldMs } from "../base/timing.ts";
import { mirrorNamed } from "./install.ts";
import { answerFor, busyReason } from "./signal-answer.ts";
import type { PairChangedInput, Signals, SignalEnd, SignalVerb, Split } from "./signal-state.ts";
import type { Action, Input, State, Step } from "./state.ts";

/** A note that is not durable by then is given up, and with it the signal. */
const noteLimitMs = 10_000;
const retryFirstMs = 2000;
const retryMaxMs = 60_000;

export const noSignals: Signals = { splits: {}, heard: {}, seen: {}, splitMs: {}, last: null };

/** What this host had split when it ended is resynchronised first of all. */
export function resumedSignals(noted: readonly string[], nowMs: number, sureMs: number): Signals {
  const splits = noted.map((mirror): readonly [string, Split] => {
    const began = newSplit("restart", "", nowMs, 0);
    return [mirror, { ...began, phase: "resyncing", retryMs: nowMs, sureMs }];
  });
  // As if split just now: a start is no way around the rest that a pair is given.
  const splitMs = Object.fromEntries(noted.map((mirror) => [mirror, nowMs]));
  return { ...noSignals, splits: Object.fromEntries(splits), splitMs };
}

export function newSplit(why: Split["why"], site: string, nowMs: number, waitMs: number): Split {
  return {
    why, site, phase: "noting", busy: false, beganMs: nowMs, waitMs, splitMs: 0,
    answeredBy: null, retryMs: nowMs, retries: 0, sureMs: 0,
  }; // biome-ignore format: one list
}

export function signalEvent(
  mirror: string,
  step: string,
  fields: Readonly<Record<string, EventValue>> = {},
  level: Level = "notice",
): CoreEvent {
  return { level, ev: "signal", fields: { mirror, step, ...fields } };
}

export function withSplit(state: State, mirror: string, split: Split | null): State {
  const splits = Object.fromEntries(
    Object.entries(state.signals.splits).filter(([name]) => name !== mirror),
  );
  if (split) splits[mirror] = split;
  return { ...state, signals: { ...state.signals, splits } };
}

function withEnd(state: State, mirror: string, code: ExitCode, message: string): State {
  const last: SignalEnd = { mirror, code, answeredBy: null, afterMs: null, message };
  return { ...state, signals: { ...state.signals, last } };
}

// ---- What the arrays say

/** One answer of an array on a pair: another site's signal, the answer to ours, or neither. */
export function seeSignal(state: State, input: Extract<Input, { kind: "pair" }>): Step {
  const overtaken = state.pairs[input.mirror]?.observedMs !== input.nowMs;
  if (overtaken || input.state === "unknown") return only(state);
  const { mirror } = input;
  const paired = input.state === "paired";
  const was = state.signals.seen[mirror];
  const seen = {
    paired,
    beating: beatsOn(state, mirror),
    brokenMs: paired ? (was?.brokenMs ?? null) : state.nowMs,
  };
  const next: State = {
    ...state,
    signals: { ...state.signals, seen: { ...state.signals.seen, [mirror]: seen } },
  };
  const isSplit = was?.paired === true && input.facts?.byCommand === true;
  const config = mirrorNamed(state, mirror);
  if (!isSplit || config?.reader !== state.config.self.site) return only(next);
  return isAnswer(next, config.writer)
    ? answered(next, mirror, config.writer)
    : heard(next, mirror, config.writer, was.beating);
}

function beatsOn(state: State, mirror: string): boolean {
  return state.peers.some(
    ({ enabled, sightings }) => enabled && sightings[mirror]?.status === "ok",
  );
}

const awaits = ({ why, site, answeredBy, phase }: Split, writer: string): boolean =>
  why === "asked" && site === writer && answeredBy === null && phase !== "resyncing";

function isAnswer(state: State, writer: string): boolean {
  return Object.values(state.signals.splits).some((split) => awaits(split, writer));
}

function answered(before: State, by: string, site: string): Step {
  let state = before;
  const events: CoreEvent[] = [];
  for (const [mirror, split] of Object.entries(before.signals.splits)) {
    if (!awaits(split, site)) continue;
    const afterMs = Math.round(state.nowMs - split.beganMs);
    const message =
      `answered by ${site}: the pair of ${by} was split there ${afterMs} ms after this was asked; ` +
      "an agent there lives, or somebody split it by hand";
    const last = { mirror, code: exitCodes.ok, answeredBy: by, afterMs, message };
    state = withSplit(state, mirror, { ...split, answeredBy: by });
    state = { ...state, signals: { ...state.signals, last } };
    events.push(signalEvent(mirror, "answered", { site, by, afterMs }));
  }
  return { state, actions: [], events };
}

/** A signal, or a split by hand: they look alike. A mirror on which nobody beat gives none. */
function heard(state: State, mirror: string, site: string, wasBeating: boolean): Step {
  if (!wasBeating) return only(state);
  const { self, mirrors } = state.config;
  const known = { ...state.signals.heard, [mirror]: state.nowMs };
  return {
    state: { ...state, signals: { ...state.signals, heard: known } },
    // What is known of our own pairs may be older than what another host of ours has just done.
    actions: mirrors
      .filter((each) => each.answerSignals && each.writer === self.site && each.reader === site)
      .map(({ name }) => ({ kind: "query-pair", mirror: name })),
    events: [signalEvent(mirror, "heard", { site })],
  };
}

// ---- What the shell has done

function askFor(state: State, mirror: string, split: Split, verb: SignalVerb): Step {
  const phase = verb === "split" ? "splitting" : "resyncing";
  const next = withSplit(state, mirror, { ...split, phase, busy: true });
  const actions: Action[] = [{ kind: "change-pair", mirror, verb }];
  return { state: next, actions, events: [] };
}

export function pairChanged(state: State, input: PairChangedInput): Step {
  const split = state.signals.splits[input.mirror];
  if (!split?.busy) return only(state);
  const idle: Split = { ...split, busy: false };
  return input.verb === "split" ? splitEnded(state, input, idle) : resyncEnded(state, input, idle);
}

function splitEnded(state: State, input: PairChangedInput, split: Split): Step {
  const { mirror, outcome, message } = input;
  const { nowMs } = state;
  const told = (next: State, code: ExitCode, text: string): State =>
    split.why === "asked" ? withEnd(next, mirror, code, text) : next;
  switch (outcome) {
    case "done": {
      const next = withSplit(state, mirror, { ...split, phase: "held", splitMs: nowMs });
      const events = [signalEvent(mirror, "split", { why: split.why, site: split.site })];
      return { state: next, actions: [], events };
    }
    case "noop":
    case "refused": {
      const text = outcome === "noop" ? "somebody else has split it" : message;
      const next = told(withSplit(state, mirror, null), exitCodes.tryLater, `not split: ${text}`);
      const events = [signalEvent(mirror, "not-split", { reason: text }, "warning")];
      return { state: next, actions: [], events };
    }
    case "in-progress":
    case "indeterminate": {
      const sureMs = nowMs + signalHoldMs(state.config.timing);
      const doubtful: Split = { ...split, phase: "resyncing", retryMs: nowMs, sureMs };
      const text = `whether ${mirror} was split is not known: ${message}; it is resynchronised`;
      const next = told(withSplit(state, mirror, doubtful), exitCodes.indeterminate, text);
      const events = [signalEvent(mirror, "split-not-known", { reason: message }, "warning")];
      return { state: next, actions: [], events };
    }
  }
}

function resyncEnded(state: State, input: PairChangedInput, split: Split): Step {
  const { mirror, outcome, gone, message } = input;
  const isEarly = outcome === "noop" && state.nowMs < split.sureMs;
  if (isEarly) return only(withSplit(state, mirror, { ...split, retryMs: split.sureMs }));
  const ended = outcome === "done" || outcome === "noop" || outcome === "in-progress";
  if (ended || gone) {
    const event = gone
      ? signalEvent(mirror, "no-pair", { reason: message }, "warning")
      : signalEvent(mirror, "resynchronised");
    return { state: withSplit(state, mirror, null), actions: [], events: [event] };
  }
  const waitMs = Math.min(retryMaxMs, retryFirstMs * 2 ** Math.min(split.retries, 10));
  const retrying = { ...split, retryMs: state.nowMs + waitMs, retries: split.retries + 1 };
  return {
    state: withSplit(state, mirror, retrying),
    actions: [],
    events: [
      signalEvent(mirror, "not-resynchronised", { reason: message, againMs: waitMs }, "warning"),
    ],
  };
}

// ---- What follows, and what time brings

function unanswered(state: State, mirror: string, { site, waitMs }: Split): Step {
  const message =
    `not answered by ${site} within ${waitMs} ms, which proves nothing: it may be dead, its agent ` +
    "may be down, an array may be slow, or answering is off there";
  return {
    state: withEnd(state, mirror, exitCodes.timeout, message),
    actions: [],
    events: [signalEvent(mirror, "not-answered", { site, waitMs })],
  };
}

/** A signal that is over: its result is told once, before the pair is put together again. */
function held(state: State, mirror: string, split: Split): Step {
  const { why, answeredBy, splitMs, waitMs } = split;
  const holdMs = signalHoldMs(state.config.timing);
  const waits = why === "asked" && answeredBy === null;
  const untilMs = splitMs + (waits ? waitMs : holdMs);
  if (state.nowMs < untilMs) return only(state);
  const told = waits ? unanswered(state, mirror, split) : only(state);
  const asked = askFor(told.state, mirror, split, "resync");
  return { ...asked, events: told.events };
}

function progress(state: State, mirror: string, split: Split): Step {
  if (split.busy) return only(state);
  switch (split.phase) {
    case "noting": {
      const busy = busyReason(state);
      if (busy === null && state.devices.splitForSignal.includes(mirror)) {
        const splitMs = { ...state.signals.splitMs, [mirror]: state.nowMs };
        const next: State = { ...state, signals: { ...state.signals, splitMs } };
        return askFor(next, mirror, split, "split");
      }
      if (busy === null && state.nowMs - split.beganMs < noteLimitMs) return only(state);
      const late = "not split: the device address file, which must note it first, is not written";
      const text = busy === null ? late : `not split: ${busy}`;
      const code = busy === null ? exitCodes.cannotCreate : exitCodes.tryLater;
      const gone = withSplit(state, mirror, null);
      const next = split.why === "asked" ? withEnd(gone, mirror, code, text) : gone;
      const events = [signalEvent(mirror, "not-split", { reason: text }, "warning")];
      return { state: next, actions: [], events };
    }
    case "held":
      return held(state, mirror, split);
    case "resyncing": {
      // A mirror that is configured no more stays noted, for it may come back.
      const known = mirrorNamed(state, mirror) !== undefined;
      if (!known || state.nowMs < split.retryMs) return only(state);
      return askFor(state, mirror, split, "resync");
    }
    case "splitting":
      return only(state);
  }
}

/** Answers what was heard, or says why not; some may have to wait for an array first. */
function answerHeard(state: State, mirror: string, heardMs: number): Step {
  const site = mirrorNamed(state, mirror)?.writer ?? "";
  const answer = answerFor(state, site, heardMs);
  const isOver = state.nowMs - heardMs > signalHoldMs(state.config.timing);
  if (answer.kind === "wait" && !isOver) return only(state);
  const left = Object.entries(state.signals.heard).filter(([name]) => name !== mirror);
  const next: State = {
    ...state,
    signals: { ...state.signals, heard: Object.fromEntries(left) },
  };
  if (answer.kind === "with") {
    const split = newSplit("answer", site, state.nowMs, 0);
    const events = [signalEvent(mirror, "answering", { site, by: answer.mirror })];
    return { state: withSplit(next, answer.mirror, split), actions: [], events };
  }
  const reason = answer.kind === "none" ? answer.reason : "the state of our own pair is not known";
  return { state: next, actions: [], events: [signalEvent(mirror, "left", { site, reason })] };
}

/** The file names just the pairs that are split, or may be, before they are and until after. */
function keepNotes(state: State): Step {
  const wanted = Object.keys(state.signals.splits).sort();
  const noted = state.devices.splitForSignal;
  const same = wanted.length === noted.length && wanted.every((name) => noted.includes(name));
  if (same || state.storing !== null || state.installation?.waiting) return only(state);
  const storing = { ...state.devices, splitForSignal: wanted };
  return {
    state: { ...state, storing },
    actions: [{ kind: "store-devices", devices: storing }],
    events: [],
  };
}

/** Nothing heard, split or noted: so it nearly always is. */
function isQuiet({ signals: { heard, splits }, devices }: State): boolean {
  for (const _ in heard) return false;
  for (const _ in splits) return false;
  return devices.splitForSignal.length === 0;
}

export function settleSignals(before: State): Step {
  if (before.stopping || isQuiet(before)) return only(before);
  let state = before;
  const actions: Action[] = [];
  const events: CoreEvent[] = [];
  const take = (step: Step): void => {
    state = step.state;
    actions.push(...step.actions);
    events.push(...step.events);
  };
  for (const [mirror, atMs] of Object.entries(before.signals.heard)) {
    take(answerHeard(state, mirror, atMs));
  }
  for (const [mirror, split] of Object.entries(state.signals.splits)) {
    take(progress(state, mirror, split));
  }
  take(keepNotes(state));
  return { state, actions, events };
}

/** For status, and for those who wait. */
export function signalStatus({ signals, nowMs }: State) {
  return {
    now: Object.entries(signals.splits).map(([mirror, { why, site, phase, beganMs }]) => ({
      mirror,
      why,
      site,
      phase,
      forMs: Math.round(nowMs - beganMs),
    })),
    last: signals.last,
  };
}
