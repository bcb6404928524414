/**
 * step(state, input) -> {state, actions, events}: the whole behaviour of one agent.
 *
 * Pure: no clock, no randomness, no I/O; the same input on the same state gives the same step.
 * The shell (src/agent) turns the world into inputs and carries out the actions; a simulator does
 * the same with simulated volumes. The stages that follow one another here are the way of the
 * data: record -> observation -> verdict -> decision -> action.
 */
import type { CoreEvent } from "./base/event.ts";
import { unreachable } from "./base/assert.ts";
import { recordFlags } from "./sector/layout.ts";
import type { Rejection } from "./record.ts";
import { chain, joined, only } from "./step/chain.ts";
import { changed } from "./step/change.ts";
import { arbiterEvidence, judgeAll } from "./step/judge.ts";
import { devicesStored, volumeOpened } from "./step/install.ts";
import { seeProbe, settleInstallation } from "./step/install-follow.ts";
import { requestInstallation, stage } from "./step/install-request.ts";
import { noteWritten, watchOneWay } from "./step/one-way.ts";
import { seePair } from "./step/pair.ts";
import { pathsOut } from "./step/paths.ts";
import { recordBody } from "./step/publish.ts";
import { probedTerm, seeMirror, seeNetwork } from "./step/read.ts";
import { seeData } from "./step/data.ts";
import {
  ageHandover,
  beginHandover,
  dataChecked,
  givenTermStored,
  settleGiven,
  stopEnded,
} from "./step/handover.ts";
import { beatIssued } from "./step/issued.ts";
import { seeLook, settleLock } from "./step/lock.ts";
import { arbiterSaid, settleArbiter } from "./step/outside.ts";
import { settleLapse } from "./step/lapse.ts";
import { settleRole, stopHookEnded } from "./step/role.ts";
import { seeSibling } from "./step/siblings.ts";
import { settleStandby } from "./step/standby.ts";
import { beginByRight, beginTakeover, receive } from "./step/takeover-begin.ts";
import { settleWitness } from "./step/witness.ts";
import { noteWitnessWrite, renewByVolume } from "./step/witness-volume.ts";
import { pairChanged, seeSignal, settleSignals } from "./step/signal.ts";
import { requestSignal } from "./step/signal-request.ts";
import { type Action, type Input, networkPath, type State, type Step } from "./step/state.ts";
import {
  ageTakeover,
  dataTaken,
  lookTaken,
  recordPublished,
  serviceHookEnded,
  storeTakenTerm,
  termStored,
} from "./step/takeover.ts";
import { switchTarget } from "./step/switch.ts";

/** Rejections of one reason are told at once, then at most once in this time. */
const rejectionRepeatMs = 60_000;

type RightKind =
  | "takeover"
  | "switchover"
  | "tick"
  | "looked"
  | "arbiter"
  | "data"
  | "data-taken"
  | "data-checked"
  | "watchdog"
  | "term-stored"
  | "published"
  | "hook-ended";
type SeenKind =
  | "beat"
  | "farewell"
  | "mirror-read"
  | "network-read"
  | "rejected"
  | "pair"
  | "sibling";
type RightInput = Extract<Input, { kind: RightKind }>;
type SeenInput = Extract<Input, { kind: SeenKind }>;
type ChangeInput = Exclude<Input, RightInput | SeenInput>;

const rightKinds: ReadonlySet<string> = new Set<RightKind>([
  "takeover", "switchover", "tick", "looked", "arbiter", "data", "data-taken", "data-checked",
  "watchdog", "term-stored", "published", "hook-ended",
]); // biome-ignore format: one list

const seenKinds: ReadonlySet<string> = new Set<SeenKind>([
  "beat", "farewell", "mirror-read", "network-read", "rejected", "pair", "sibling",
]); // biome-ignore format: one list

const isRight = (input: Input): input is RightInput => rightKinds.has(input.kind);
const isSeen = (input: Input): input is SeenInput => seenKinds.has(input.kind);

/** Time only goes on, on each clock. */
function timed(before: State, { nowMs, clocks }: Input): State {
  const { longMs, shortMs } = before.clocks;
  return changed(before, {
    nowMs: Math.max(before.nowMs, nowMs),
    clocks: {
      longMs: Math.max(longMs, clocks?.longMs ?? nowMs),
      shortMs: Math.max(shortMs, clocks?.shortMs ?? nowMs),
    },
  });
}

export function step(before: State, input: Input): Step {
  const state = timed(before, input);
  if (isSeen(input)) return seen(before, state, input);
  if (isRight(input)) return chain(state, (s) => rightChanged(s, input), settleRight);
  return otherChanged(before, state, input);
}

const rightStages: readonly ((state: State) => Step)[] = [
  settleStandby,
  settleWitness,
  settleArbiter,
  (state) => receive(state, storeTakenTerm),
  ripened,
  (state) => beginByRight(state, storeTakenTerm),
  (state) => only(settleGiven(state)),
  settleLapse,
  settleRole,
];

/** What follows from any change of the right to be active: lock, wait, grant, takeover, role. */
const settleRight = (state: State): Step => chain(state, ...rightStages);

/** A right that has come or gone is evidence: the verdict follows from it. */
function ripened(state: State): Step {
  const evidence = arbiterEvidence(state);
  if (evidence === state.judgedArbiter) return only(state);
  const next: State = { ...state, judgedArbiter: evidence };
  return judgeAll(next, next, null);
}

/** Records, reads and beats. */
function seen(before: State, state: State, input: SeenInput): Step {
  switch (input.kind) {
    case "beat":
      return chain(
        state,
        (s) => settleInstallation(s, input.wallNs),
        settleSignals,
        ageTakeover,
        ageHandover,
        settleLock,
        settleRight,
        (s) => beat(s, input),
        watchOneWay,
      );
    case "farewell":
      return farewell(state, input);
    case "mirror-read":
      return chain(
        state,
        (s) => seeMirror(s, input),
        (s) => judgeAll(before, s, input.mirror),
        (s) => only(renewByVolume(s, input)),
        (s) => (s.peers === before.peers ? only(s) : watchOneWay(s)),
        settleRight,
      );
    case "network-read":
      return chain(
        state,
        (s) => seeNetwork(s, input),
        (s) => judgeAll(before, s, networkPath),
        (s) => (s.peers === before.peers ? only(s) : watchOneWay(s)),
        settleRight,
      );
    case "rejected":
      return countRejection(state, input.path, input.reason);
    case "pair":
      return chain(state, (s) => pairSeen(before, s, input), settleRight);
    case "sibling":
      return chain(state, (s) => seeSibling(s, input), settleRight);
  }
}

/** What bears on the right to be active, but for what is seen of others. */
function rightChanged(state: State, input: RightInput): Step {
  switch (input.kind) {
    case "takeover":
      return beginTakeover(state, input, storeTakenTerm);
    case "switchover":
      return beginHandover(state, input);
    case "tick":
      return chain(state, ageTakeover, ageHandover);
    case "looked":
      return chain(
        state,
        (s) => seeLook(s, input),
        (s) => lookTaken(s, input),
      );
    case "arbiter":
      return arbiterSaid(state, input);
    case "data":
      return only(seeData(state, input));
    case "data-taken":
    case "data-checked":
      return chain(
        state,
        (s) => dataTaken(s, input),
        (s) => dataChecked(s, input),
      );
    case "watchdog":
      return only({ ...state, watchdogFault: input.fault });
    case "term-stored":
      return chain(
        state,
        (s) => only(durableNow(s, input)),
        (s) => termStored(s, input),
        (s) => givenTermStored(s, input),
      );
    case "published":
      return published(state, input);
    case "hook-ended":
      return hookEnded(state, input);
  }
}

/** What was waited for on its way to the local disk. */
function durableNow(state: State, { durable, ok }: Extract<Input, { kind: "term-stored" }>): State {
  const isServing = state.storingServing && durable.serving;
  return {
    ...state,
    storingServing: state.storingServing && !durable.serving,
    servingStored: isServing ? ok : state.servingStored,
    storeFailedMs: ok ? null : state.nowMs,
    grantStored: ok ? durable.grantedTerm : state.grantStored,
  };
}

function hookEnded(state: State, input: Extract<Input, { kind: "hook-ended" }>): Step {
  const { hook, ok, detail } = input;
  const event: CoreEvent = {
    level: ok ? "info" : "error",
    ev: "hook",
    fields: { hook, ok, detail },
  };
  if (hook === "takeover") return serviceHookEnded(state, ok, detail, event);
  const onward =
    hook === "superseded"
      ? chain(
          state,
          (s) => stopHookEnded(s, ok),
          (s) => stopEnded(s, ok, detail),
        )
      : only(state);
  return { ...onward, events: joined([event], onward.events) };
}

/** Mirrors, keys and the configuration changed while all beats; a pair used as a signal. */
function otherChanged(before: State, state: State, input: ChangeInput): Step {
  switch (input.kind) {
    case "switch":
      return chain(
        state,
        (s) => switchTarget(s, input.target, input.on),
        (s) => judgeAll(before, s, null),
        watchOneWay,
        settleRight,
      );
    case "stop":
      return chain({ ...state, stopping: true }, settleRight);
    case "probe":
      return chain(
        state,
        (s) => probedTerm(s, input),
        (s) => seeProbe(s, input),
        settleRight,
      );
    case "install":
      return requestInstallation(state, input);
    case "keys":
      return only({ ...state, keyRing: input.keyRing });
    case "stage":
      return stage(state, input);
    case "volume-opened":
      return volumeOpened(state, input);
    case "devices-stored":
      return filed(state, input);
    case "signal":
      return requestSignal(state, input);
    case "pair-changed":
      return chain(state, (s) => pairChanged(s, input), settleSignals);
    default:
      return unreachable(input);
  }
}

function pairSeen(before: State, state: State, input: Extract<Input, { kind: "pair" }>): Step {
  return chain(
    state,
    (s) => seePair(s, input),
    (s) => seeSignal(s, input),
    settleSignals,
    (s) => judgeAll(before, s, null),
  );
}

/** A file that was not written is tried again with the next beat. */
function filed(state: State, input: Extract<Input, { kind: "devices-stored" }>): Step {
  const stored = (s: State): Step => devicesStored(s, input);
  return input.fault === "" ? chain(state, stored, settleSignals) : stored(state);
}

function published(state: State, input: Extract<Input, { kind: "published" }>): Step {
  return chain(
    state,
    (s) => noteWritten(s, input.mirror),
    (s) => only(noteWitnessWrite(s, input)),
    (s) => recordPublished(s, input),
  );
}

/** One promised beat: a record on every path that is on; a final one when stopping. */
function beat(state: State, input: Extract<Input, { kind: "beat" }>): Step {
  const next = beatIssued(changed(state, { serial: state.serial + 1n }), input.nonce);
  const action: Action = {
    kind: "publish",
    body: recordBody(next, input),
    paths: pathsOut(next),
    final: next.stopping,
    onlyTo: null,
  };
  const silent = !next.selfEnabled && !next.stopping;
  return { state: next, actions: silent ? [] : [action], events: [] };
}

function farewell(state: State, input: Extract<Input, { kind: "farewell" }>): Step {
  const next = beatIssued({ ...state, serial: state.serial + 1n }, input.nonce);
  const body = recordBody(next, input);
  // A host that switches itself off says so by its state; a path is marked by its flag.
  const flags = next.selfEnabled ? body.flags | recordFlags.pathOff : body.flags;
  const { paths, onlyTo } = input;
  const action: Action = { kind: "publish", body: { ...body, flags }, paths, final: true, onlyTo };
  return { state: next, actions: [action], events: [] };
}

function countRejection(state: State, path: string, reason: Rejection): Step {
  const key = `${path} ${reason}`;
  const was = state.rejected[key] ?? { count: 0, toldMs: Number.NEGATIVE_INFINITY };
  const count = was.count + 1;
  const tell = state.nowMs - was.toldMs >= rejectionRepeatMs;
  const toldMs = tell ? state.nowMs : was.toldMs;
  const next: State = { ...state, rejected: { ...state.rejected, [key]: { count, toldMs } } };
  const event: CoreEvent = { level: "warning", ev: "rejected", fields: { path, reason, count } };
  return { state: next, actions: [], events: tell ? [event] : [] };
}
