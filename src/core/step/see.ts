/** Records into sightings: what one read showed of each host. */
import type { CoreEvent } from "../base/event.ts";
import { comparePositions, isRegression, type Position } from "../record.ts";
import { beginSighting, seeInvalid, seeRecord, type Sighting } from "../observation.ts";
import { type EchoSector, type HeartbeatRecord, recordFlags, states } from "../sector/layout.ts";
import { changedPeer } from "./change.ts";
import { keptMarks } from "./marks.ts";
import { pathsOffOf } from "./paths.ts";
import type { EchoOfUs, Peer, Seen, State, Word } from "./state.ts";

export type SeenPeer = { readonly peer: Peer; readonly events: readonly CoreEvent[] };

function wordOf(record: HeartbeatRecord): Word {
  const { incarnation, serial, nonce, term, state, role, flags, bootId } = record;
  const { intervalMs, timingDigest, wallClockNs, generation, pathsOff, stagedDigest } = record;
  const { command, commandKind, commandMirror, keyRing, keyId } = record;
  const { commandSeen, commandDone, commandDoneBefore, commandFault } = record;
  const { handoverTerm, handoverSite, lockEpoch, groups, bootClockNs } = record;
  return {
    incarnation, serial, nonce, term, state, role, flags, bootId,
    intervalMs, timingDigest, wallClockNs, generation, pathsOff, stagedDigest,
    command, commandKind, commandMirror, commandSeen, commandDone, commandDoneBefore,
    commandFault,
    keyRing, keyId, handoverTerm, handoverSite, lockEpoch, groups, bootClockNs,
  }; // biome-ignore format: as in Word
}

function newer(a: Position | undefined | null, b: Position | undefined | null): Position | null {
  if (!a || !b) return a ?? b ?? null;
  return comparePositions(a, b) >= 0 ? a : b;
}

/** Our own entry in the echo sectors that came with a record. */
function echoOfUs(state: State, slot: number, echoes: readonly EchoSector[]): EchoOfUs | null {
  for (const sector of echoes) {
    if (sector.peerSite !== state.ownSiteId) continue;
    const echo = sector.echoes[slot - sector.firstPeer];
    if (slot < sector.firstPeer || slot >= sector.firstPeer + sector.count || !echo) continue;
    if (echo.incarnation === 0n) return null;
    const lags = [
      echo.lag0, echo.lag1, echo.lag2, echo.lag3, echo.lag4, echo.lag5, echo.lag6, echo.lag7,
    ]; // biome-ignore format: by path index
    return {
      incarnation: echo.incarnation,
      serial: echo.serial,
      nonce: echo.nonce,
      term: sector.term,
      lags,
      writtenSerial: sector.serial,
    };
  }
  return null;
}

function wordEvents(state: State, peer: Peer, word: Word): CoreEvent[] {
  const was = peer.word;
  const who = { host: peer.host.name, site: peer.host.site };
  const events: CoreEvent[] = [];
  if (was && was.incarnation !== word.incarnation) {
    const rebooted = was.bootId !== word.bootId;
    const fields = { ...who, incarnation: word.incarnation, rebooted };
    events.push({ level: "notice", ev: "restart", fields });
  }
  if (isGone(word) && was?.state !== word.state) {
    const how = word.state === states.leaving ? "planned stop" : "switched off";
    events.push({ level: "notice", ev: "left", fields: { ...who, how } });
  }
  const other = word.generation !== BigInt(state.config.generation) && !isSwitching(state, word);
  if (other && was?.generation !== word.generation) {
    const fields = { ...who, generation: word.generation, ours: state.config.generation };
    events.push({ level: "warning", ev: "config", fields: { step: "differs", ...fields } });
  }
  const differs = word.timingDigest !== state.timingDigest && !isSwitching(state, word);
  if (differs && was?.timingDigest !== word.timingDigest) {
    const remedy = "make [timing] alike at both sites";
    events.push({ level: "warning", ev: "timing", fields: { ...who, differs, remedy } });
  }
  return events;
}

/** Between the two moments at which this host and that one go over to the same configuration. */
function isSwitching({ staged, configDigest }: State, word: Word): boolean {
  if (staged?.timingDigest === word.timingDigest) return true;
  return word.stagedDigest !== 0 && word.stagedDigest === configDigest;
}

function isNewer(record: Position, peer: Peer): boolean {
  return !peer.word || comparePositions(record, peer.word) > 0;
}

/** Whether this record would be its sender's newest word: only then is its echo looked at. */
export function isNewestWord(state: State, record: HeartbeatRecord): boolean {
  const peer = state.peers.find((p) => p.siteId === record.site && p.host.slot === record.slot);
  return !peer || isNewer(record, peer);
}

/** A believable record of the peer on one path. */
export function seePeerRecord(
  state: State,
  peer: Peer,
  path: string,
  record: HeartbeatRecord,
  echoes: readonly EchoSector[],
  seenMs: number,
  ownSlot: number,
): SeenPeer {
  const sighting = peer.sightings[path];
  const watch = state.paths[path]?.watch;
  if (!sighting || !watch) return { peer, events: [] };
  const mark = newer(peer.marks[path], sighting.position);
  if (mark && isRegression(record, mark)) {
    return { peer: withSighting(peer, path, seeInvalid(sighting, "regression")), events: [] };
  }
  const seen = seeRecord(sighting, watch, record, seenMs);
  const advanced = seen.position !== sighting.position;
  const withPath = withSighting(peer, path, seen);
  const moved = advanced ? withPathOff(state, withPath, path, record) : withPath;
  if (!isNewer(record, peer)) return { peer: moved, events: [] };
  const word = wordOf(record);
  // An echo speaks for the run that wrote it: a serial alone does not tell one run from the next.
  const kept = peer.word?.incarnation === word.incarnation ? peer.echo : null;
  const echo = echoOfUs(state, ownSlot, echoes) ?? kept;
  const back = hasBegunAnew(peer.word, word)
    ? watchedAnew(state, moved, null)
    : watchedAnew(state, moved, pathsOnAgain(state, peer, word));
  return { peer: changedPeer(back, { word, echo }), events: wordEvents(state, peer, word) };
}

/** Whether the newest record says that its sender beats here no more, or does again. */
function withPathOff(state: State, peer: Peer, path: string, record: HeartbeatRecord): Peer {
  const flagged = (record.flags & recordFlags.pathOff) !== 0;
  const known = peer.pathsOff.includes(path);
  if (!flagged && !known) return peer;
  // A path that is off for all stands in the mask; the flag alone means: off for us.
  const off = flagged && !pathsOffOf(state.config, peer.host.site, record).includes(path);
  const pathsOff = peer.pathsOff.filter((name) => name !== path);
  return changedPeer(peer, { pathsOff: off ? [...pathsOff, path] : pathsOff });
}

function isGone(word: Word): boolean {
  return word.state === states.leaving || word.state === states.disabled;
}

function hasBegunAnew(was: Word | null, word: Word): boolean {
  if (!was || isGone(word)) return false;
  return was.incarnation !== word.incarnation || isGone(was);
}

/** Paths that were off by its word before, and are not any more. */
function pathsOnAgain(state: State, { word: was, host }: Peer, word: Word): readonly string[] {
  const { generation } = word;
  const pathsOff = (was?.pathsOff ?? 0) & ~word.pathsOff;
  return pathsOffOf(state.config, host.site, { generation, pathsOff });
}

/** A host that comes back shows on one path first: the others are not silent, they are to come. */
function watchedAnew(state: State, peer: Peer, only: readonly string[] | null): Peer {
  if (only?.length === 0) return peer;
  const sightings = Object.entries(peer.sightings).map(([path, sighting]) => {
    const watch = state.paths[path]?.watch;
    const isMeant = only === null || only.includes(path);
    if (!watch || sighting.status === "ok" || !isMeant) return [path, sighting] as const;
    const { intervalMs, position } = sighting;
    return [path, beginSighting(intervalMs, state.nowMs, watch, position)] as const;
  });
  return changedPeer(peer, { marks: keptMarks(peer), sightings: Object.fromEntries(sightings) });
}

export function withSighting(peer: Peer, path: string, sighting: Sighting): Peer {
  if (peer.sightings[path] === sighting) return peer;
  return changedPeer(peer, { sightings: { ...peer.sightings, [path]: sighting } });
}

/** One changed slot of a mirror. */
export function seeSlot(
  state: State,
  peer: Peer,
  path: string,
  seen: Seen,
  seenMs: number,
  ownSlot: number,
): SeenPeer {
  const sighting = peer.sightings[path];
  if (!sighting) return { peer, events: [] };
  switch (seen.reading.kind) {
    case "record":
      if (seen.reading.record.hostName !== peer.host.name) {
        return { peer: withSighting(peer, path, seeInvalid(sighting, "wrong-host")), events: [] };
      }
      return seePeerRecord(state, peer, path, seen.reading.record, seen.echoes, seenMs, ownSlot);
    case "rejected":
      return {
        peer: withSighting(peer, path, seeInvalid(sighting, seen.reading.reason)),
        events: [],
      };
    case "empty":
      return sighting.position === null
        ? { peer, events: [] }
        : { peer: withSighting(peer, path, seeInvalid(sighting, "regression")), events: [] };
  }
}
