/**
 * What an agent knows, as one plain object: the answer of the control socket, the state file, and
 * `status --json`. Schema 1; fields are only ever added. Large numbers are text.
 */
import { type MirrorConfig, ownSite } from "../base/config.ts";
import { detectionBoundMs, healthMax } from "../base/timing.ts";
import { adviceOn, ownerOf } from "../decision.ts";
import { deadlineMs, isFit } from "../observation.ts";
import { formatVersion, lagNever, lagOff, states } from "../sector/layout.ts";
import { pathsFrom, pathsTo } from "./begin.ts";
import { isArmed } from "./issued.ts";
import { installationStatus, keysStatus } from "./install-status.ts";
import { isPairOld, pairEvidence, pathInUse } from "./judge.ts";
import { oneWayFaults } from "./one-way.ts";
import { rightStatus } from "./right-status.ts";
import { signalStatus } from "./signal.ts";
import { networkPath, type Peer, type State } from "./state.ts";

/** What the shell adds of the world. */
export type StatusExtras = {
  readonly version: string;
  readonly pid: number;
  readonly engine: string;
  readonly wallNs: bigint;
  readonly journalFault: string | null;
  readonly devices: Readonly<Record<string, DeviceStatus>>;
  readonly droppedDatagrams: number;
};
export type DeviceStatus = {
  readonly device: string;
  readonly fault: string | null;
  readonly writesDone?: number;
  readonly writesSkipped?: number;
  readonly writesFailed?: number;
  readonly lastWriteMs?: number | null;
  /** What is no fault, but should be known of it. */
  readonly note?: string;
};

const rounded = (ms: number): number => Math.round(ms * 10) / 10;
const stateNames = Object.fromEntries(Object.entries(states).map(([name, code]) => [code, name]));

/** How far behind that host sees us, in beats; null where it does not. */
function echoLag(peer: Peer, index: number): number | null {
  const lag = peer.echo?.lags[index];
  return lag === undefined || lag === lagNever || lag === lagOff ? null : lag;
}

/** A path by which that host sees us, as its newest echo tells. */
function echoStatus(state: State, peer: Peer, path: string, index: number) {
  return {
    path,
    enabled: state.paths[path]?.enabled ?? false,
    lagBeats: echoLag(peer, index),
    /** It does not look there: path or host is switched off at it. */
    off: peer.echo?.lags[index] === lagOff,
  };
}

function pathStatus(state: State, peer: Peer, path: string) {
  const sighting = peer.sightings[path];
  const watch = state.paths[path]?.watch;
  const lastMs = sighting?.arrivals.at(-1)?.atMs;
  return {
    path,
    inUse: pathInUse(state, peer, path),
    status: sighting?.status ?? "starting",
    reason: sighting?.invalid ?? null,
    serial: sighting?.position ? String(sighting.position.serial) : null,
    ageMs: lastMs === undefined ? null : rounded(state.nowMs - lastMs),
    limitMs:
      sighting && watch && lastMs !== undefined
        ? rounded(deadlineMs(sighting, watch, state.config.timing) - lastMs)
        : null,
    /** How far behind that host sees us on this path; null where it does not, as on all mirrors
     * that it writes. `sees` has them all. */
    echoLagBeats: path === networkPath ? echoLag(peer, 0) : null,
  };
}

function hostStatus(state: State, peer: Peer, extras: StatusExtras) {
  const { word, verdict } = peer;
  const skewNs = word ? word.wallClockNs - extras.wallNs : null;
  return {
    host: peer.host.name,
    site: peer.host.site,
    slot: peer.host.slot,
    beacon: peer.host.beacon,
    enabled: peer.enabled,
    row: verdict?.row ?? null,
    verdict: verdict?.verdict ?? null,
    action: verdict?.action ?? null,
    state: word ? (stateNames[word.state] ?? `state ${word.state}`) : null,
    incarnation: word ? String(word.incarnation) : null,
    serial: word ? String(word.serial) : null,
    term: word ? String(word.term) : null,
    /** Its timings are not ours: bounds that we print do not hold for it. */
    timingsDiffer: word !== null && word.timingDigest !== state.timingDigest,
    /** Their wall clock against ours; for display, judged by nobody. */
    clockAheadMs: skewNs === null ? null : Number(skewNs / 1_000_000n),
    paths: pathsFrom(state.config, peer.host.site).map((path) => pathStatus(state, peer, path)),
    sees: pathsTo(state.config, peer.host.site).map((path, index) =>
      echoStatus(state, peer, path, index),
    ),
    /** Paths on which beats are lost in one direction only: "to" it, or "from" it. */
    oneWay: oneWayFaults(state, peer).map(({ path, direction, forMs }) => ({
      path,
      direction,
      forMs: rounded(forMs),
    })),
  };
}

function pairStatus(state: State, { name, pair }: MirrorConfig) {
  const view = state.pairs[name];
  const facts = view?.facts ?? null;
  return {
    /** Its worth as evidence: unknown where the answer is too old. */
    state: pairEvidence(state, name),
    ageMs: view ? rounded(state.nowMs - view.observedMs) : null,
    provider: pair.provider,
    /** What the last answer said, however old it is. */
    answer: view?.state ?? null,
    old: isPairOld(state, name),
    role: facts?.role ?? null,
    percent: facts?.percent ?? null,
    /** The array's own word. */
    native: facts?.native ?? null,
    cause: facts?.cause ?? null,
  };
}

function pathOfOurs(state: State, name: string, extras: StatusExtras) {
  const path = state.paths[name];
  const mirror = state.config.mirrors.find((candidate) => candidate.name === name);
  const own = ownSite(state.config).name;
  const direction = !mirror
    ? "both"
    : mirror.writer === own
      ? "out"
      : mirror.reader === own
        ? "in"
        : "other";
  return {
    path: name,
    kind: path?.kind ?? "mirror",
    direction,
    enabled: path?.enabled ?? false,
    fit: path ? isFit(path.watch) : false,
    illness: path?.watch.health ?? 0,
    failure: path?.watch.failure ?? null,
    pair: mirror ? pairStatus(state, mirror) : null,
    /** How far the mirror is installed here; null where it is not, and for the network. */
    installed: state.devices.registrations[name]?.state ?? null,
    ...(extras.devices[name] ?? {}),
  };
}

function adviceFor(state: State, site: string): string | null {
  const verdict = state.groups[site];
  return verdict ? adviceOn(verdict, state.role, isArmed(state)) : null;
}

export function statusObject(state: State, extras: StatusExtras) {
  const { config } = state;
  const sites = config.sites.filter((site) => site.name !== config.self.site);
  const owner = config.sites.find((site) => site.id === ownerOf(state.term));
  const ours = Object.values(state.paths)
    .map((path) => pathOfOurs(state, path.name, extras))
    .filter((path) => path.direction !== "other");
  return {
    schema: 1,
    version: extras.version,
    format: formatVersion,
    pid: extras.pid,
    time: new Date(Number(extras.wallNs / 1_000_000n)).toISOString(),
    cluster: config.cluster,
    site: config.self.site,
    host: config.self.host,
    engine: extras.engine,
    policy: config.policy,
    role: state.role,
    roleReason: state.roleReason,
    term: String(state.term),
    termOwner: owner?.name ?? null,
    takeover: state.takeover?.phase ?? null,
    right: rightStatus(state),
    incarnation: String(state.incarnation),
    serial: String(state.serial),
    uptimeMs: rounded(state.nowMs - state.startedMs),
    enabled: state.selfEnabled,
    detectionBoundMs: {
      healthy: detectionBoundMs(config.timing, 0),
      leastHealthy: detectionBoundMs(config.timing, healthMax),
    },
    sites: sites.map((site) => ({
      site: site.name,
      quorum: site.quorum,
      ...(state.groups[site.name] ?? { row: null, verdict: null, action: null }),
      advice: adviceFor(state, site.name),
      hosts: state.peers
        .filter((peer) => peer.host.site === site.name)
        .map((peer) => hostStatus(state, peer, extras)),
    })),
    paths: ours,
    installation: installationStatus(state),
    signals: signalStatus(state),
    keys: keysStatus(state),
    rejected: Object.fromEntries(
      Object.entries(state.rejected).map(([key, { count }]) => [key, count]),
    ),
    droppedDatagrams: extras.droppedDatagrams,
    journalFault: extras.journalFault,
  };
}

export type StatusObject = ReturnType<typeof statusObject>;
