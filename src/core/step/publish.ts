/** Our own records: what a beat says of us and of what we saw. */
import { ownHost } from "../base/config.ts";
import { comparePositions, type Position } from "../record.ts";
import {
  commandKinds,
  type Echo,
  type HeartbeatRecord,
  lagFar,
  lagNever,
  lagOff,
  pathsMax,
  recordFlags,
  roles,
  states,
} from "../sector/layout.ts";
import { pathsFrom } from "./begin.ts";
import { type CommandsTold, networkPath, type Peer, type RecordBody, type State } from "./state.ts";

const pathsOffBits = 16;

export type BeatFacts = {
  readonly wallNs: bigint;
  readonly bootNs: bigint;
  readonly nonce: bigint;
};

/** The record that this state sends; one serial may go out on several paths. */
export function recordBody(state: State, facts: BeatFacts): RecordBody {
  const { timing } = state.config;
  const own = ownHost(state.config);
  const code = state.stopping
    ? states.leaving
    : state.selfEnabled
      ? states.running
      : states.disabled;
  return {
    state: code,
    role: roles[state.role],
    failureClass: 0,
    flags: own.beacon ? recordFlags.beacon : 0,
    intervalMs: timing.intervalMs,
    incarnation: state.incarnation,
    bootId: state.bootId,
    serial: state.serial,
    bootClockNs: facts.bootNs,
    wallClockNs: facts.wallNs,
    term: state.term,
    leaseMs: timing.leaseMs,
    watchdogMs: timing.watchdogMs,
    generation: BigInt(state.config.generation),
    nonce: facts.nonce,
    renouncedTerm: 0n,
    renouncedNonce: 0n,
    handoverTerm: 0n,
    handoverSite: 0,
    timingDigest: state.timingDigest,
    ...commandsOf(state),
    hostName: own.name,
    groups: [],
    noticeId: 0,
    noticeCode: 0,
    noticeSeverity: 0,
    noticeSerial: 0n,
    noticeText: "",
    pathsOff: pathsOffMask(state),
    stagedDigest: state.staged?.digest ?? 0,
    keyRing: state.keyRing,
  };
}

/** The command that this host gives, and what it has done of those that it was given. */
function commandsOf({ devices, installation, refusedCommand }: State): CommandsTold {
  const { command, commandSeen, commandDone, commandDoneBefore } = devices;
  const refused = refusedCommand?.number === commandSeen ? refusedCommand.code : 0;
  return {
    command: command?.number ?? 0n,
    commandKind: command ? commandKinds[command.kind] : 0,
    commandMirror: command?.mirror ?? "",
    commandSeen,
    commandDone,
    commandDoneBefore,
    commandFault: installation?.fault?.code ?? refused,
  };
}

/** Mirrors written by a site, in the order of the configuration: bits 1 and up of `pathsOff`. */
function writtenBy(config: State["config"], site: string): readonly string[] {
  const written = config.mirrors.filter((mirror) => mirror.writer === site);
  return written.map((mirror) => mirror.name).slice(0, pathsOffBits - 1);
}

/** A peer that begins anew must still learn what is off: so every record says it. */
function pathsOffMask(state: State): number {
  const names = [networkPath, ...writtenBy(state.config, state.config.self.site)];
  return names.reduce(
    (mask, name, bit) => (state.paths[name]?.enabled ? mask : mask | (1 << bit)),
    0,
  );
}

/**
 * Paths that a record of that site says are off. By the order of the mirrors, so it is understood
 * only between hosts of one configuration.
 */
export function pathsOffOf(
  config: State["config"],
  site: string,
  record: Pick<HeartbeatRecord, "pathsOff" | "generation">,
): readonly string[] {
  const { pathsOff, generation } = record;
  if (pathsOff === 0 || generation !== BigInt(config.generation)) return [];
  return [networkPath, ...writtenBy(config, site)].filter(
    (_, bit) => (pathsOff & (1 << bit)) !== 0,
  );
}

/** Paths on which a beat goes out now: the network, and the mirrors that our site writes. */
export function pathsOut(state: State): readonly string[] {
  const written = state.config.mirrors.filter((mirror) => mirror.writer === state.config.self.site);
  return [networkPath, ...written.map((mirror) => mirror.name)].filter(
    (path) => state.paths[path]?.enabled,
  );
}

function lagOf(newest: Position, seen: Position | null | undefined): number {
  if (!seen || seen.incarnation !== newest.incarnation) return lagNever;
  const behind = newest.serial - seen.serial;
  return behind >= BigInt(lagOff) ? lagFar : Number(behind);
}

function newestMark(peer: Peer): Position | null {
  return Object.values(peer.marks).reduce<Position | null>(
    (newest, mark) => (!newest || comparePositions(mark, newest) > 0 ? mark : newest),
    null,
  );
}

function echoOf(state: State, peer: Peer): Echo {
  const word = peer.word;
  const lags = Array.from({ length: pathsMax }, () => lagNever);
  pathsFrom(state.config, peer.host.site).forEach((path, index) => {
    const sighting = peer.sightings[path];
    // Who does not look must not be taken for one who sees nothing.
    if (!peer.enabled || !state.paths[path]?.enabled) lags[index] = lagOff;
    else if (word && sighting?.status === "ok") lags[index] = lagOf(word, sighting.position);
  });
  const at = (index: number): number => lags[index] ?? lagNever;
  // Of a host that was not heard since our start, what is remembered: it must begin above that.
  const last = word ?? newestMark(peer);
  return {
    incarnation: last?.incarnation ?? 0n,
    serial: last?.serial ?? 0n,
    nonce: word?.nonce ?? 0n,
    lag0: at(0), lag1: at(1), lag2: at(2), lag3: at(3), lag4: at(4), lag5: at(5), lag6: at(6), lag7: at(7),
    receipt: 0,
  }; // biome-ignore format: by path index
}

const noEcho: Echo = {
  incarnation: 0n, serial: 0n, nonce: 0n, receipt: 0,
  lag0: lagNever, lag1: lagNever, lag2: lagNever, lag3: lagNever,
  lag4: lagNever, lag5: lagNever, lag6: lagNever, lag7: lagNever,
}; // biome-ignore format: one entry

/** What we last saw of every host of that site, by slot; dense up to the highest slot. */
export function echoesFor(state: State, site: string): readonly Echo[] {
  const peers = state.peers.filter((peer) => peer.host.site === site);
  const slots = peers.reduce((most, peer) => Math.max(most, peer.host.slot + 1), 0);
  const echoes: Echo[] = Array.from({ length: slots }, () => noEcho);
  for (const peer of peers) echoes[peer.host.slot] = echoOf(state, peer);
  return echoes;
}

/** The highest position ever believed of a host, by path name. */
export function keptMarks(peer: Peer): Readonly<Record<string, Position>> {
  const marks: Record<string, Position> = { ...peer.marks };
  for (const [path, { position }] of Object.entries(peer.sightings)) {
    const mark = marks[path];
    if (position && (!mark || comparePositions(position, mark) > 0)) marks[path] = position;
  }
  return marks;
}

/** The same for every peer, by "host path": what the shell keeps for our next start. */
export function highWaterMarks(state: State): Readonly<Record<string, Position>> {
  return Object.fromEntries(
    state.peers.flatMap((peer) =>
      Object.entries(keptMarks(peer)).map(([path, mark]) => [`${peer.host.name} ${path}`, mark]),
    ),
  );
}
