/**
 * What an agent knows, as one plain object: the answer of the control socket, the state file, and
 * `status --json`. Schema 1; fields are only ever added. Large numbers are text.
 */
import { ownSite } from "../base/config.ts";
import { detectionBoundMs, healthMax } from "../base/timing.ts";
import { adviceOn, ownerOf } from "../decision.ts";
import { deadlineMs, isFit } from "../observation.ts";
import { formatVersion, lagNever, states } from "../sector/layout.ts";
import { pathsFrom } from "./begin.ts";
import { pairEvidence, pathInUse } from "./judge.ts";
import type { Peer, State } from "./state.ts";

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
};

const rounded = (ms: number): number => Math.round(ms * 10) / 10;
const stateNames = Object.fromEntries(Object.entries(states).map(([name, code]) => [code, name]));

function pathStatus(state: State, peer: Peer, path: string, index: number) {
  const sighting = peer.sightings[path];
  const watch = state.paths[path]?.watch;
  const lastMs = sighting?.arrivals.at(-1)?.atMs;
  const lag = peer.echo?.lags[index];
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
    /** How far behind that host sees us on this path, in beats; null where it does not. */
    echoLagBeats: lag === undefined || lag === lagNever ? null : lag,
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
    paths: pathsFrom(state.config, peer.host.site).map((path, index) =>
      pathStatus(state, peer, path, index),
    ),
  };
}

function pathOfOurs(state: State, name: string, extras: StatusExtras) {
  const path = state.paths[name];
  const mirror = state.config.mirrors.find((candidate) => candidate.name === name);
  const view = state.pairs[name];
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
    pair: mirror
      ? {
          state: pairEvidence(state, name),
          ageMs: view ? rounded(state.nowMs - view.observedMs) : null,
        }
      : null,
    ...(extras.devices[name] ?? {}),
  };
}

function adviceFor(state: State, site: string): string | null {
  const verdict = state.groups[site];
  return verdict ? adviceOn(verdict, state.role) : null;
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
    rejected: Object.fromEntries(
      Object.entries(state.rejected).map(([key, { count }]) => [key, count]),
    ),
    droppedDatagrams: extras.droppedDatagrams,
    journalFault: extras.journalFault,
  };
}

export type StatusObject = ReturnType<typeof statusObject>;
