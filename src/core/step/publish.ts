/** Our own records: what a beat says of us and of what we saw. */
import { ownHost } from "../base/config.ts";
import { comparePositions, type Position } from "../record.ts";
import {
  commandKinds,
  type Echo,
  lagFar,
  lagNever,
  lagOff,
  pathsMax,
  recordFlags,
  roles,
  states,
} from "../sector/layout.ts";
import { pathsFrom } from "./begin.ts";
import { groupsOf } from "./data.ts";
import { givenTerm } from "./handover.ts";
import { ownsTerm } from "./holders.ts";
import { isArmed } from "./issued.ts";
import { isGuarded } from "./lease.ts";
import { claimsLock, toldEpoch } from "./lock.ts";
import { pathsOffMask } from "./paths.ts";
import { grants } from "./standby.ts";
import type { CommandsTold, Peer, RecordBody, State } from "./state.ts";
import { toldGrant } from "./witness.ts";

export type BeatFacts = {
  readonly wallNs: bigint;
  readonly bootNs: bigint;
  readonly nonce: bigint;
};

/** The record that this state sends; one serial may go out on several paths. */
export function recordBody(state: State, facts: BeatFacts): RecordBody {
  const { timing } = state.config;
  const own = ownHost(state.config);
  const given = givenTerm(state);
  const granted = toldGrant(state);
  const isRenounced = state.waiting.renounced !== null;
  const told = commandsOf(state);
  return {
    state: stateCode(state, given.term !== 0n),
    role: roles[state.role],
    failureClass: 0,
    flags: flagsOf(state),
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
    renouncedTerm: isRenounced ? state.term : 0n,
    renouncedNonce: isRenounced ? newestNonce(state) : 0n,
    handoverTerm: given.term > 0n ? given.term : granted.term,
    handoverSite: given.site === 0 ? granted.site : given.site,
    timingDigest: state.timingDigest,
    command: told.command,
    commandKind: told.commandKind,
    commandMirror: told.commandMirror,
    commandSeen: told.commandSeen,
    commandDone: told.commandDone,
    commandDoneBefore: told.commandDoneBefore,
    commandFault: told.commandFault,
    hostName: own.name,
    groups: groupsOf(state),
    noticeId: 0,
    noticeCode: 0,
    noticeSeverity: 0,
    noticeSerial: 0n,
    noticeText: "",
    pathsOff: pathsOffMask(state),
    stagedDigest: state.staged?.digest ?? 0,
    keyRing: state.keyRing,
    lockEpoch: toldEpoch(state),
  };
}

/** Of a host that goes by our term. */
const newestNonce = ({ peers, term }: State): bigint =>
  peers.find(({ word }) => word?.term === term)?.word?.nonce ?? 0n;

function stateCode({ stopping, selfEnabled }: State, gives: boolean): number {
  if (stopping) return states.leaving;
  if (!selfEnabled) return states.disabled;
  return gives ? states.handover : states.running;
}

/**
 * It has decided to take the term, or to give it away; who has given it away stands by, and grants.
 * Who receives it needs the lease that its giver grants; without leases the flag tells our site's
 * other hosts.
 */
function isClosing(state: State): boolean {
  const { takeover, handover } = state;
  const gives = handover !== null && ownsTerm(state);
  return gives || (takeover !== null && (takeover.by !== "handover" || !isArmed(state)));
}

function flagsOf(state: State): number {
  const bit = (isSet: boolean, flag: number): number => (isSet ? flag : 0);
  return (
    bit(state.beacon, recordFlags.beacon) |
    bit(isGuarded(state), recordFlags.guard) |
    bit(!state.serviceMayRun && !state.beacon, recordFlags.quiesced) |
    bit(isClosing(state), recordFlags.closing) |
    bit(state.waiting.renounced !== null, recordFlags.renounced) |
    bit(grants(state), recordFlags.grants) |
    bit(claimsLock(state), recordFlags.lockClaim) |
    bit(state.attested !== "", recordFlags.attested) |
    bit(state.waiting.claimSerial !== null, recordFlags.claims)
  );
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
  const lags = new Array<number>(pathsMax).fill(lagNever);
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
  const echoes = new Array<Echo>(slots).fill(noEcho);
  for (const peer of peers) echoes[peer.host.slot] = echoOf(state, peer);
  return echoes;
}
