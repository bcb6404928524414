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
import { ownHost, ownSite } from "./base/config.ts";
import { unjudgedLimitMs } from "./base/timing.ts";
import { isFit, watchRead } from "./observation.ts";
import { type HeartbeatRecord, recordFlags } from "./sector/layout.ts";
import type { Rejection } from "./record.ts";
import { chain, only } from "./step/chain.ts";
import { arbiterEvidence, judgeAll } from "./step/judge.ts";
import { devicesStored, volumeOpened } from "./step/install.ts";
import { seeProbe, settleInstallation } from "./step/install-follow.ts";
import { requestInstallation, stage } from "./step/install-request.ts";
import { noteWritten, watchOneWay } from "./step/one-way.ts";
import { seePair } from "./step/pair.ts";
import { pathsOut } from "./step/paths.ts";
import { recordBody } from "./step/publish.ts";
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
import { learnTerm } from "./step/learn.ts";
import { heedGrant } from "./step/lease.ts";
import { seeLook, settleLock } from "./step/lock.ts";
import { arbiterSaid, settleArbiter } from "./step/outside.ts";
import { settleRole, stopHookEnded } from "./step/role.ts";
import { seeSibling } from "./step/siblings.ts";
import { heedOwner, heedWitness, settleStandby } from "./step/standby.ts";
import { beginByRight, beginTakeover, receive } from "./step/takeover-begin.ts";
import { settleWitness } from "./step/witness.ts";
import { storeTerm } from "./step/term.ts";
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
  const given = clocks ?? { longMs: nowMs, shortMs: nowMs };
  return {
    ...before,
    nowMs: Math.max(before.nowMs, nowMs),
    clocks: {
      longMs: Math.max(before.clocks.longMs, given.longMs),
      shortMs: Math.max(before.clocks.shortMs, given.shortMs),
    },
  };
}

export function step(before: State, input: Input): Step {
  const state = timed(before, input);
  if (isSeen(input)) return seen(before, state, input);
  if (isRight(input)) return settled(before, rightChanged(state, input));
  return changed(before, state, input);
}

/** What follows from any change of the right to be active: lock, wait, grant, takeover, role. */
function settleRight(state: State): Step {
  return chain(
    state,
    settleStandby,
    settleWitness,
    settleArbiter,
    (s) => receive(s, storeTakenTerm),
    ripened,
    (s) => beginByRight(s, storeTakenTerm),
    (s) => only(settleGiven(s)),
    settleRole,
  );
}

/** A right that has come or gone is evidence: the verdict follows from it. */
function ripened(state: State): Step {
  const evidence = arbiterEvidence(state);
  if (evidence === state.judgedArbiter) return only(state);
  const next: State = { ...state, judgedArbiter: evidence };
  return judgeAll(next, next, null);
}

function settled(_before: State, result: Step): Step {
  const onward = settleRight(result.state);
  return {
    state: onward.state,
    actions: [...result.actions, ...onward.actions],
    events: [...result.events, ...onward.events],
  };
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
        (s) => judged(before, s, input.mirror),
        (s) => (s.peers === before.peers ? only(s) : watchOneWay(s)),
        settleRight,
      );
    case "network-read":
      return chain(
        state,
        (s) => seeNetwork(s, input),
        (s) => judged(before, s, networkPath),
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
  return { ...onward, events: [event, ...onward.events] };
}

/** Mirrors, keys and the configuration changed while all beats; a pair used as a signal. */
function changed(before: State, state: State, input: ChangeInput): Step {
  switch (input.kind) {
    case "switch":
      return chain(
        state,
        (s) => switchTarget(s, input.target, input.on),
        (s) => judged(before, s, null),
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
  const next = beatIssued({ ...state, serial: state.serial + 1n }, input.nonce);
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
  const learnt = learn(state, { ...watched.state, peers }, unjudged);
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
  const learnt = learn(state, { ...watched.state, peers }, unjudged);
  return { state: learnt.state, actions: learnt.actions, events: [...events, ...learnt.events] };
}

/** What the records of other sites teach of us and of the cluster. */
function learn(before: State, state: State, unjudged: readonly TermTold[]): Step {
  return chain(
    state,
    raiseIncarnation,
    (s) => highestTerm(s, unjudged),
    (s) => heed(before, s),
  );
}

/** Newer records of other hosts: grants of our lease, guards of theirs. */
function heed(before: State, state: State): Step {
  const newer = state.peers.filter(
    (peer, index) => peer.enabled && peer.word !== before.peers[index]?.word,
  );
  return chain(
    state,
    ...newer.flatMap((peer) => [
      (s: State) => heedGrant(s, peer),
      (s: State) => only(heedWitness(heedOwner(s, peer), peer)),
    ]),
  );
}

/**
 * Peers that remember a higher incarnation of ours take all that we send for a replay: our own
 * memory was lost, so we go on above it. Only after a start: later on it would be another host
 * that uses our name.
 */
function raiseIncarnation(state: State): Step {
  const { incarnation } = state;
  const highest = state.peers.reduce(
    (most, { echo }) => (echo && echo.incarnation > most ? echo.incarnation : most),
    incarnation,
  );
  const beginning = state.nowMs - state.startedMs < 2 * unjudgedLimitMs(state.config.timing);
  if (highest === incarnation || !beginning) return only(state);
  const next = highest + 1n;
  const fields = { incarnation: next, was: incarnation, reason: "peers remember a higher one" };
  const isWitness = ownSite(state.config).role === "witness";
  const raised: State = { ...state, incarnation: next, isBlank: state.isBlank || isWitness };
  return {
    state: raised,
    actions: [storeTerm(raised)],
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
