/**
 * A state, or a peer, with some of its parts replaced: what `{ ...state, nowMs }` says, for the
 * places that every step passes.
 *
 * Why not that: V8 gives the outcome of each spread a shape of its own, and copies property by
 * property once it has met a few of them: about 30 ns each, 2 us for a state, several times a step.
 * A literal that names them all has one shape, and costs a twentieth. Rare changes are written as
 * spreads; the next step brings their outcome back to that shape.
 */
import type { Lease, Waiting } from "./right-state.ts";
import type { Peer, State } from "./state.ts";

export function changed(state: State, change: Partial<State>): State {
  const copy: Required<State> = {
    config: state.config,
    timingDigest: state.timingDigest,
    configDigest: state.configDigest,
    staged: state.staged,
    keyRing: state.keyRing,
    ownSiteId: state.ownSiteId,
    beacon: state.beacon,
    incarnation: state.incarnation,
    bootId: state.bootId,
    serial: state.serial,
    startedMs: state.startedMs,
    nowMs: state.nowMs,
    term: state.term,
    role: state.role,
    roleReason: state.roleReason,
    siblingActive: state.siblingActive,
    servesHere: state.servesHere,
    activeIn: state.activeIn,
    serviceMayRun: state.serviceMayRun,
    stopRetryMs: state.stopRetryMs,
    clocks: state.clocks,
    lease: state.lease,
    waiting: state.waiting,
    lock: state.lock,
    handover: state.handover,
    given: state.given,
    arbiter: state.arbiter,
    judgedArbiter: state.judgedArbiter,
    attested: state.attested,
    servingStored: state.servingStored,
    storingServing: state.storingServing,
    storeFailedMs: state.storeFailedMs,
    granted: state.granted,
    isBlank: state.isBlank,
    grantStored: state.grantStored,
    watchdogFault: state.watchdogFault,
    data: state.data,
    siblings: state.siblings,
    stopping: state.stopping,
    selfEnabled: state.selfEnabled,
    paths: state.paths,
    peers: state.peers,
    groups: state.groups,
    pairs: state.pairs,
    oneWay: state.oneWay,
    writtenMs: state.writtenMs,
    takeover: state.takeover,
    devices: state.devices,
    storing: state.storing,
    installation: state.installation,
    lastInstallation: state.lastInstallation,
    signals: state.signals,
    refusedCommand: state.refusedCommand,
    probes: state.probes,
    halfDone: state.halfDone,
    rejected: state.rejected,
  };
  return Object.assign(copy, change);
}

export function withLease(state: State, change: Partial<Lease>): State {
  const { lease } = state;
  const copy: Required<Lease> = {
    issued: lease.issued,
    anchors: lease.anchors,
    limitMs: lease.limitMs,
    solo: lease.solo,
    volumeWritten: lease.volumeWritten,
    epochs: lease.epochs,
  };
  return changed(state, { lease: Object.assign(copy, change) });
}

export function withWaiting(state: State, change: Partial<Waiting>): State {
  const { waiting } = state;
  const copy: Required<Waiting> = {
    sinceMs: waiting.sinceMs,
    guards: waiting.guards,
    floorSerial: waiting.floorSerial,
    renounced: waiting.renounced,
    witnessed: waiting.witnessed,
    granting: waiting.granting,
    ripe: waiting.ripe,
    claimSerial: waiting.claimSerial,
    claimDurableMs: waiting.claimDurableMs,
  };
  return changed(state, { waiting: Object.assign(copy, change) });
}

export function changedPeer(peer: Peer, change: Partial<Peer>): Peer {
  const copy: Required<Peer> = {
    host: peer.host,
    siteId: peer.siteId,
    enabled: peer.enabled,
    sightings: peer.sightings,
    marks: peer.marks,
    pathsOff: peer.pathsOff,
    linkProvenMs: peer.linkProvenMs,
    word: peer.word,
    echo: peer.echo,
    verdict: peer.verdict,
  };
  return Object.assign(copy, change);
}
