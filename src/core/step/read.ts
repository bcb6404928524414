/**
 * What a read shows: records into sightings and words, and what they teach of us and of the
 * cluster. Nothing is judged here.
 */
import type { CoreEvent } from "../base/event.ts";
import { ownHost, ownSite } from "../base/config.ts";
import { unjudgedLimitMs } from "../base/timing.ts";
import { isFit, watchRead } from "../observation.ts";
import type { HeartbeatRecord } from "../sector/layout.ts";
import { chain, chainEach, joined, only } from "./chain.ts";
import { changed } from "./change.ts";
import { learnTerm } from "./learn.ts";
import { heedGrant } from "./lease.ts";
import { seePeerRecord, seeSlot } from "./see.ts";
import { heedOwner, heedWitness } from "./standby.ts";
import { storeTerm } from "./term.ts";
import { type Input, networkPath, type Peer, type Seen, type State, type Step } from "./state.ts";

function withWatch(
  state: State,
  path: string,
  input: Extract<Input, { kind: "mirror-read" | "network-read" }>,
): Step {
  const known = state.paths[path];
  if (!known) return only(state);
  const watch = watchRead(known.watch, input.read, state.config.timing);
  const { name, kind, enabled } = known;
  const paths = { ...state.paths, [path]: { name, kind, enabled, watch } };
  const next = only(changed(state, { paths }));
  if (isFit(watch) === isFit(known.watch)) return next;
  const fields = { path, fit: isFit(watch), illness: watch.health };
  const level = isFit(watch) ? "notice" : "warning";
  return { ...next, events: [{ level, ev: "health", fields }] };
}

export function seeMirror(state: State, input: Extract<Input, { kind: "mirror-read" }>): Step {
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
  const learnt = learn(state, changed(watched.state, { peers }), unjudged);
  return { ...learnt, events: joined(events, learnt.events) };
}

/** Records signed with our key in slots that our configuration gives to nobody, or to another. */
function strangers(state: State, site: string, seen: readonly Seen[]): readonly TermTold[] {
  const higher: TermTold[] = [];
  for (const { slot, reading } of seen) {
    if (reading.kind !== "record" || reading.record.term <= state.term) continue;
    const { hostName, term } = reading.record;
    const known = state.peers.some(
      ({ host }) => host.site === site && host.slot === slot && host.name === hostName,
    );
    if (!known) higher.push({ host: hostName, term });
  }
  return higher;
}

/** What stands on a volume that is not installed here still tells who may be active. */
export function probedTerm(state: State, { records }: Extract<Input, { kind: "probe" }>): Step {
  const highest = records.reduce<HeartbeatRecord | null>(
    (most, record) => (most && most.term >= record.term ? most : record),
    null,
  );
  return highest ? learnTerm(state, highest.term, highest.hostName) : only(state);
}

export function seeNetwork(state: State, input: Extract<Input, { kind: "network-read" }>): Step {
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
  const learnt = learn(state, changed(watched.state, { peers }), unjudged);
  return { ...learnt, events: joined(events, learnt.events) };
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
  return chainEach(state, newer, (s, peer) => {
    const granted = heedGrant(s, peer);
    return { ...granted, state: heedWitness(heedOwner(granted.state, peer), peer) };
  });
}

/**
 * Peers that remember a higher incarnation of ours, or in this one a serial that we have not come to,
 * take all that we send for a replay: our own memory was lost, so we go on above it. Only after a
 * start: later on it would be another host that uses our name.
 */
function raiseIncarnation(state: State): Step {
  const { incarnation } = state;
  const beginning = state.nowMs - state.startedMs < 2 * unjudgedLimitMs(state.config.timing);
  if (!beginning) return only(state);
  let highest = incarnation;
  let isUsed = false;
  for (const { echo } of state.peers) {
    if (!echo || echo.incarnation < highest) continue;
    isUsed = isUsed || echo.incarnation > incarnation || echo.serial > state.serial;
    highest = echo.incarnation;
  }
  if (!isUsed) return only(state);
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
  let highest: TermTold = { host: "", term: state.term };
  for (const { host, word } of state.peers) {
    if (word && word.term > highest.term) highest = { host: host.name, term: word.term };
  }
  for (const told of unjudged) if (told.term > highest.term) highest = told;
  return highest.term > state.term ? learnTerm(state, highest.term, highest.host) : only(state);
}
