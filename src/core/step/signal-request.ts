/** A signal as a person asks for it: what is refused, and why. */
import { type ExitCode, exitCodes } from "../base/exit-codes.ts";
import type { MirrorConfig } from "../base/config.ts";
import { signalEveryMs, signalHoldMs } from "../base/timing.ts";
import { mirrorNamed } from "./install.ts";
import { pairEvidence } from "./judge.ts";
import { hearsUsOn } from "./one-way.ts";
import { newSplit, settleSignals, signalEvent, withSplit } from "./signal.ts";
import { busyReason, isUsable } from "./signal-answer.ts";
import type { SignalInput } from "./signal-state.ts";
import type { Action, State, Step } from "./state.ts";

type Refused = { readonly code: ExitCode; readonly message: string };

const refuse = (code: ExitCode, message: string): Refused => ({ code, message });

/** Whether some host of the reading site is known to hear us on another path. */
function isHeardElsewhere(state: State, { name, reader }: MirrorConfig): boolean {
  return state.peers
    .filter(({ host }) => host.site === reader)
    .some((peer) => hearsUsOn(state, peer).some((path) => path !== name));
}

function placeFault(state: State, name: string): Refused | null {
  const mirror = mirrorNamed(state, name);
  const { config } = state;
  if (!mirror) {
    const names = config.mirrors.map((each) => each.name).join(", ") || "none";
    return refuse(exitCodes.usage, `no mirror '${name}' is configured; there are: ${names}`);
  }
  if (mirror.writer !== config.self.site) {
    const message = `'${name}' is written by ${mirror.writer}: run it at a host there`;
    return refuse(exitCodes.usage, message);
  }
  if (mirror.pair.provider === "none") {
    return refuse(exitCodes.config, `'${name}' has no provider, so nobody can split its pair`);
  }
  if (!isUsable(state, mirror)) {
    return refuse(exitCodes.tryLater, `'${name}' is not installed, or switched off, here`);
  }
  return null;
}

/** Mirrors by whose pairs the other site could answer. */
function returning(state: State, { reader }: MirrorConfig): readonly MirrorConfig[] {
  return state.config.mirrors.filter(
    (each) =>
      each.writer === reader && each.reader === state.config.self.site && isUsable(state, each),
  );
}

function timeFault(state: State, { mirror: name }: SignalInput): Refused | null {
  const busy = busyReason(state);
  if (busy !== null) return refuse(exitCodes.tryLater, busy);
  if (name in state.signals.splits) {
    return refuse(exitCodes.tryLater, `the pair of ${name} is split for a signal already`);
  }
  const restMs = (state.signals.splitMs[name] ?? Number.NEGATIVE_INFINITY) + signalEveryMs;
  if (state.nowMs < restMs) {
    const seconds = Math.ceil((restMs - state.nowMs) / 1000);
    const message = `${name} was split for a signal just now; again in ${seconds} s`;
    return refuse(exitCodes.tryLater, message);
  }
  return null;
}

function requestFault(state: State, input: SignalInput): Refused | null {
  const place = placeFault(state, input.mirror);
  const mirror = mirrorNamed(state, input.mirror);
  if (place || !mirror) return place;
  const back = returning(state, mirror);
  if (back.length === 0) {
    const message = `no mirror with a pair leads from ${mirror.reader} back: nothing could answer`;
    return refuse(exitCodes.config, message);
  }
  const time = timeFault(state, input);
  if (time) return time;
  const evidence = pairEvidence(state, mirror.name);
  if (evidence !== "paired") {
    return refuse(exitCodes.tryLater, `the pair of ${mirror.name} is ${evidence}, not paired`);
  }
  if (!back.some(({ name }) => pairEvidence(state, name) === "paired")) {
    const names = back.map(({ name }) => name).join(", ");
    const message = `of the pairs that could answer none is paired: ${names}`;
    return refuse(exitCodes.tryLater, message);
  }
  if (input.force || isHeardElsewhere(state, mirror)) return null;
  const message =
    `'${mirror.name}' is the last path on which ${mirror.reader} may hear us, as far as is known: ` +
    "split, it is blind meanwhile and holds; --force does it all the same";
  return refuse(exitCodes.unsafe, message);
}

/** The answer says only that it has begun; how it ended stands in the status. */
export function requestSignal(state: State, input: SignalInput): Step {
  const fault = requestFault(state, input);
  const reply = (code: ExitCode, message: string): Action => {
    return { kind: "answer", id: input.id, code, message };
  };
  if (fault) return { state, actions: [reply(fault.code, fault.message)], events: [] };
  const { mirror } = input;
  const waitMs = Math.max(input.waitMs, signalHoldMs(state.config.timing));
  const site = mirrorNamed(state, mirror)?.reader ?? "";
  const begun = withSplit(state, mirror, newSplit("asked", site, state.nowMs, waitMs));
  const settled = settleSignals({ ...begun, signals: { ...begun.signals, last: null } });
  return {
    state: settled.state,
    actions: [reply(exitCodes.ok, "begun"), ...settled.actions],
    events: [signalEvent(mirror, "asked", { site, waitMs }), ...settled.events],
  };
}
