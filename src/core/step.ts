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
import { ownHost } from "./base/config.ts";
import { unjudgedLimitMs } from "./base/timing.ts";
import { isFit, watchRead } from "./observation.ts";
import { type HeartbeatRecord, recordFlags } from "./sector/layout.ts";
import type { Rejection } from "./record.ts";
import { chain, only } from "./step/chain.ts";
import { judgeAll } from "./step/judge.ts";
import { devicesStored, volumeOpened } from "./step/install.ts";
import { seeProbe, settleInstallation } from "./step/install-follow.ts";
import { requestInstallation, stage } from "./step/install-request.ts";
import { noteWritten, watchOneWay } from "./step/one-way.ts";
import { seePair } from "./step/pair.ts";
import { pathsOut, recordBody } from "./step/publish.ts";
import { seePeerRecord, seeSlot } from "./step/see.ts";
import { pairChanged, seeSignal, settleSignals } from "./step/signal.ts";
import { requestSignal } from "./step/signal-request.ts";
import {
  type Action,
  type Input,
  networkPath,
  type Peer,
  type Seen,
  type State,
  type Step,
} from "./step/state.ts";
import {
  beginTakeover,
  expireTakeover,
  hookEnded,
  learnTerm,
  recordPublished,
  seeSibling,
  settleRole,
  termStored,
} from "./step/takeover.ts";
import { switchTarget } from "./step/switch.ts";

/** Rejections of one reason are told at once, then at most once in this time. */
const rejectionRepeatMs = 60_000;

type ChangeInput = Extract<
  Input,
  {
    kind:
      | "probe"
      | "install"
      | "keys"
      | "stage"
      | "volume-opened"
      | "devices-stored"
      | "signal"
      | "pair-changed";
  }
>;

export function step(before: State, input: Input): Step {
  const state: State = { ...before, nowMs: Math.max(before.nowMs, input.nowMs) };
  switch (input.kind) {
    case "beat":
      return chain(
        state,
        (s) => settleInstallation(s, input.wallNs),
        settleSignals,
        (s) => beat(s, input),
        watchOneWay,
      );
    case "farewell":
      return farewell(state, input);
    case "mirror-read":
      return chain(
        state,
        (s) => seeMirror(s, input),
        (s) => judged(before, s, input.mirror),
        (s) => (s.peers === before.peers ? only(s) : watchOneWay(s)),
        settleRole,
      );
    case "network-read":
      return chain(
        state,
        (s) => seeNetwork(s, input),
        (s) => judged(before, s, networkPath),
        (s) => (s.peers === before.peers ? only(s) : watchOneWay(s)),
        settleRole,
      );
    case "rejected":
      return countRejection(state, input.path, input.reason);
    case "pair":
      return pairSeen(before, state, input);
    case "sibling":
      return chain(state, (s) => seeSibling(s, input), settleRole);
    case "switch":
      return chain(
        state,
        (s) => switchTarget(s, input.target, input.on),
        (s) => judged(before, s, null),
        watchOneWay,
      );
    case "takeover":
      return chain(state, (s) => beginTakeover(s, input), settleRole);
    case "term-stored":
      return chain(state, (s) => termStored(s, input), settleRole);
    case "published":
      return chain(state, (s) => published(s, input), settleRole);
    case "hook-ended":
      return chain(state, (s) => hookEnded(s, input), settleRole);
    case "stop":
      return only({ ...state, stopping: true });
    default:
      return changed(state, input);
  }
}

/** Mirrors, keys and the configuration changed while all beats; a pair used as a signal. */
function changed(state: State, input: ChangeInput): Step {
  switch (input.kind) {
    case "probe":
      return chain(
        state,
        (s) => probedTerm(s, input),
        (s) => seeProbe(s, input),
        settleRole,
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
    (s) => judged(before, s, null),
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
    (s) => recordPublished(s, input),
  );
}

/** One promised beat: a record on every path that is on; a final one when stopping. */
function beat(state: State, input: Extract<Input, { kind: "beat" }>): Step {
  const expired = expireTakeover(state);
  const next: State = { ...expired.state, serial: expired.state.serial + 1n };
  const silent = !next.selfEnabled && !next.stopping;
  const body = recordBody(next, input);
  const action: Action = {
    kind: "publish",
    body,
    paths: pathsOut(next),
    final: next.stopping,
    onlyTo: null,
  };
  return {
    state: next,
    actions: silent ? expired.actions : [...expired.actions, action],
    events: expired.events,
  };
}

function farewell(state: State, input: Extract<Input, { kind: "farewell" }>): Step {
  const next: State = { ...state, serial: state.serial + 1n };
  const body = recordBody(next, input);
  // A host that switches itself off says so by its state; a path is marked by its flag.
  const flags = next.selfEnabled ? body.flags | recordFlags.pathOff : body.flags;
  const { paths, onlyTo } = input;
  const action: Action = { kind: "publish", body: { ...body, flags }, paths, final: true, onlyTo };
  return { state: next, actions: [action], events: [] };
}

function judged(before: State, state: State, path: string | null): Step {
  return judgeAll(before, state, path);
}

function withWatch(
  state: State,
  path: string,
  input: Extract<Input, { kind: "mirror-read" | "network-read" }>,
): Step {
  const known = state.paths[path];
  if (!known) return only(state);
  const watch = watchRead(known.watch, input.read, state.config.timing);
  const events: CoreEvent[] = [];
  if (isFit(watch) !== isFit(known.watch)) {
    const fields = { path, fit: isFit(watch), illness: watch.health };
    events.push({ level: isFit(watch) ? "notice" : "warning", ev: "health", fields });
  }
  return {
    state: { ...state, paths: { ...state.paths, [path]: { ...known, watch } } },
    actions: [],
    events,
  };
}

function seeMirror(state: State, input: Extract<Input, { kind: "mirror-read" }>): Step {
  const mirror = state.config.mirrors.find((candidate) => candidate.name === input.mirror);
  const watched = withWatch(state, input.mirror, input);
  if (!mirror || input.seen.length === 0) return watched;
  const ownSlot = ownHost(state.config).slot;
  const bySlot = new Map(input.seen.map((seen) => [seen.slot, seen]));
  const events: CoreEvent[] = [...watched.events];
  const unjudged: TermTold[] = [];
  const peers = watched.state.peers.map((peer) => {
    const seen = peer.host.site === mirror.writer ? bySlot.get(peer.host.slot) : undefined;
    if (!seen) return peer;
    if (!peer.enabled) {
      const record = seen.reading.kind === "record" ? seen.reading.record : null;
      if (record?.hostName === peer.host.name) {
        unjudged.push({ host: peer.host.name, term: record.term });
      }
      return peer;
    }
    const result = seeSlot(watched.state, peer, input.mirror, seen, input.nowMs, ownSlot);
    events.push(...result.events);
    return result.peer;
  });
  unjudged.push(...strangers(watched.state, mirror.writer, input.seen));
  const learnt = learn({ ...watched.state, peers }, unjudged);
  return { state: learnt.state, actions: learnt.actions, events: [...events, ...learnt.events] };
}

/** Records signed with our key in slots that our configuration gives to nobody, or to another. */
function strangers(state: State, site: string, seen: readonly Seen[]): readonly TermTold[] {
  return seen.flatMap(({ slot, reading }) => {
    if (reading.kind !== "record") return [];
    const { hostName, term } = reading.record;
    const known = state.peers.some(
      ({ host }) => host.site === site && host.slot === slot && host.name === hostName,
    );
    return known || term <= state.term ? [] : [{ host: hostName, term }];
  });
}

/** What stands on a volume that is not installed here still tells who may be active. */
function probedTerm(state: State, { records }: Extract<Input, { kind: "probe" }>): Step {
  const highest = records.reduce<HeartbeatRecord | null>(
    (most, record) => (most && most.term >= record.term ? most : record),
    null,
  );
  return highest ? learnTerm(state, highest.term, highest.hostName) : only(state);
}

function seeNetwork(state: State, input: Extract<Input, { kind: "network-read" }>): Step {
  const watched = withWatch(state, networkPath, input);
  if (input.records.length === 0) return watched;
  const ownSlot = ownHost(state.config).slot;
  const events: CoreEvent[] = [...watched.events];
  const unjudged: TermTold[] = [];
  const peers: Peer[] = [...watched.state.peers];
  for (const { record, echoes } of input.records) {
    const index = peers.findIndex(
      (peer) => peer.siteId === record.site && peer.host.slot === record.slot,
    );
    const peer = peers[index];
    if (peer && !peer.enabled) unjudged.push({ host: peer.host.name, term: record.term });
    if (!peer?.enabled) continue;
    const result = seePeerRecord(
      watched.state,
      peer,
      networkPath,
      record,
      echoes,
      input.nowMs,
      ownSlot,
    );
    peers[index] = result.peer;
    events.push(...result.events);
  }
  const learnt = learn({ ...watched.state, peers }, unjudged);
  return { state: learnt.state, actions: learnt.actions, events: [...events, ...learnt.events] };
}

/** What the records of other sites teach of us and of the cluster. */
function learn(state: State, unjudged: readonly TermTold[]): Step {
  return chain(state, raiseIncarnation, (s) => highestTerm(s, unjudged));
}

/**
 * Peers that remember a higher incarnation of ours take all that we send for a replay: our own
 * memory was lost, so we go on above it. Only after a start: later on it would be another host
 * that uses our name.
 */
function raiseIncarnation(state: State): Step {
  const { incarnation, term, halfDone } = state;
  const highest = state.peers.reduce(
    (most, { echo }) => (echo && echo.incarnation > most ? echo.incarnation : most),
    incarnation,
  );
  const beginning = state.nowMs - state.startedMs < 2 * unjudgedLimitMs(state.config.timing);
  if (highest === incarnation || !beginning) return only(state);
  const next = highest + 1n;
  const fields = { incarnation: next, was: incarnation, reason: "peers remember a higher one" };
  return {
    state: { ...state, incarnation: next },
    actions: [{ kind: "store-term", term, halfDone }],
    events: [{ level: "warning", ev: "start", fields }],
  };
}

type TermTold = { readonly host: string; readonly term: bigint };

/**
 * The highest term that any host of another site tells. One that is switched off here is not
 * judged, but its term counts: it tells who may be active.
 */
function highestTerm(state: State, unjudged: readonly TermTold[]): Step {
  let highest: TermTold | null = null;
  const words = state.peers.flatMap(({ host, word }) =>
    word ? [{ host: host.name, term: word.term }] : [],
  );
  for (const told of [...words, ...unjudged]) {
    if (told.term > (highest?.term ?? state.term)) highest = told;
  }
  return highest ? learnTerm(state, highest.term, highest.host) : only(state);
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
