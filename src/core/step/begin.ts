/** The state of an agent that has just begun. */
import { type Command, type Devices, devicesOf, takesPart } from "../base/devices.ts";
import {
  type Config,
  isLeased,
  type MirrorConfig,
  ownHost,
  ownSite,
  siteNamed,
} from "../base/config.ts";
import { assert } from "../base/assert.ts";
import { onceFor } from "../base/once.ts";
import { signalHoldMs } from "../base/timing.ts";
import { ownerOf, termOf } from "../decision.ts";
import { beginSighting, beginWatch, type Sighting } from "../observation.ts";
import type { Position } from "../record.ts";
import type { LeaseClocks } from "./right-state.ts";
import { freeLock } from "./lock.ts";
import { resumedSignals } from "./signal.ts";
import { type Installation, networkPath, type PathState, type Peer, type State } from "./state.ts";

export type Switches = {
  readonly network: boolean;
  readonly mirrors: Readonly<Record<string, boolean>>;
  readonly hosts: Readonly<Record<string, boolean>>;
};
export const allOn: Switches = { network: true, mirrors: {}, hosts: {} };

/** What the shell found out before the first step. */
export type Setup = {
  readonly config: Config;
  /** CRC32C over the shared timings; records carry it so that sites can compare. */
  readonly timingDigest: number;
  readonly configDigest?: number;
  readonly keyRing?: number;
  readonly incarnation: bigint;
  readonly bootId: string;
  /** Highest term found in local memory and on our own volumes; null where there is none. */
  readonly term: bigint | null;
  /** A takeover was begun here and not ended. */
  readonly halfDone: boolean;
  /** The service may have been running when this host's agent ended. */
  readonly serving?: boolean;
  /** The machine was not booted since: what ran may still run. */
  readonly sameBoot?: boolean;
  /** Of a witness: what it granted last. */
  readonly granted?: { readonly term: bigint; readonly site: number };
  readonly clocks?: LeaseClocks;
  /** Of a witness: it has no memory of what it granted. */
  readonly blank?: boolean;
  /** Id of the site to which this host gave the term that it remembers; 0 for none. */
  readonly givenSite?: number;
  /** Our site owned the term that this host remembers. */
  readonly wasOwner?: boolean;
  readonly nowMs: number;
  /** High-water marks by "host path". */
  readonly marks: Readonly<Record<string, Position>>;
  readonly switches: Switches;
  /** The device address file; without one, what the configuration calls installed. */
  readonly devices?: Devices;
};

/** The term before any takeover: the production site owns it. */
export function firstTerm(config: Config): bigint {
  const production = config.sites.find((site) => site.role === "production");
  assert(production !== undefined, "one site is production");
  return termOf(1n, production.id);
}

type PathsBySite = ReadonlyMap<string, readonly string[]>;

/** For each site the network, and the mirrors between it and ours that go that way. */
function pathsBySite(
  { sites, mirrors, self }: Config,
  way: (mirror: MirrorConfig) => { readonly own: string; readonly other: string },
): PathsBySite {
  const pathsOf = (site: string): readonly string[] => {
    const between = mirrors.filter((mirror) => {
      const { own, other } = way(mirror);
      return own === self.site && other === site;
    });
    return [networkPath, ...between.map(({ name }) => name)];
  };
  return new Map(sites.map(({ name }) => [name, pathsOf(name)]));
}

const inwards = onceFor((config: Config) =>
  pathsBySite(config, ({ writer, reader }) => ({ own: reader, other: writer })),
);
const outwards = onceFor((config: Config) =>
  pathsBySite(config, ({ writer, reader }) => ({ own: writer, other: reader })),
);

/** Names of the paths by which this site sees hosts of that site. */
export function pathsFrom(config: Config, site: string): readonly string[] {
  return inwards(config).get(site) ?? [networkPath];
}

/** The same the other way: by which that site's hosts see ours, in the order of their echoes. */
export function pathsTo(config: Config, site: string): readonly string[] {
  return outwards(config).get(site) ?? [networkPath];
}

function beginPaths(setup: Setup, devices: Devices): Record<string, PathState> {
  const { config, nowMs, switches } = setup;
  const paths: Record<string, PathState> = {
    [networkPath]: {
      name: networkPath,
      kind: "network",
      enabled: config.networkEnabled && ownHost(config).address !== null && switches.network,
      watch: beginWatch(nowMs),
    },
  };
  for (const mirror of config.mirrors) {
    paths[mirror.name] = {
      name: mirror.name,
      kind: "mirror",
      enabled:
        mirror.enabled &&
        (switches.mirrors[mirror.name] ?? true) &&
        takesPart(devices.registrations[mirror.name]),
      watch: beginWatch(nowMs),
    };
  }
  return paths;
}

function beginPeers(setup: Setup): Peer[] {
  const { config, switches, marks, nowMs } = setup;
  const watch = beginWatch(nowMs);
  return config.sites
    .filter((site) => site.name !== config.self.site)
    .flatMap((site) =>
      site.hosts.map((host) => {
        const names = pathsFrom(config, site.name);
        const sightings: Record<string, Sighting> = {};
        const own: Record<string, Position> = {};
        for (const path of names) {
          sightings[path] = beginSighting(config.timing.intervalMs, nowMs, watch, null);
          const mark = marks[`${host.name} ${path}`];
          if (mark) own[path] = mark;
        }
        return {
          host,
          siteId: site.id,
          enabled: switches.hosts[host.name] ?? host.enabled,
          sightings,
          marks: own,
          pathsOff: [],
          linkProvenMs: {},
          word: null,
          echo: null,
          verdict: null,
        };
      }),
    );
}

function firstRole(
  ours: boolean,
  halfDone: boolean,
  wasOwner: boolean,
  mayRun: boolean,
  wasStopped: boolean,
): Pick<State, "role" | "roleReason"> {
  if (mayRun) {
    const roleReason = "the service may still run, and no lease is known of: it is stopped first";
    return { role: "fenced", roleReason };
  }
  // Superseded while it was not running: the first step takes it to standby, with its hook.
  if (!ours && wasOwner) return { role: "starting", roleReason: "another site took the term" };
  if (!ours) return { role: "standby", roleReason: "another site owns the term" };
  // It was stopped in this boot, with the agent: the init system does not start it again, we do.
  if (!halfDone && wasStopped)
    return {
      role: "stopped",
      roleReason: "the service was stopped; it waits for the right to run",
    };
  if (!halfDone)
    return { role: "starting", roleReason: "no fresh peer has confirmed our term yet" };
  const roleReason = "a takeover was begun here and not ended: run it again";
  return { role: "transitioning", roleReason };
}

/** What was under way when this host ended: a command not carried out by all, a mirror half removed. */
function resumed({ command, registrations }: Devices, nowMs: number): Installation | null {
  if (command) return announcing(command, nowMs);
  const draining = Object.entries(registrations).find(([, { state }]) => state === "draining");
  if (!draining) return null;
  const [mirror] = draining;
  const local: Command = { number: 0n, kind: "deactivate", mirror };
  return { ...announcing(local, nowMs), phase: "deregistering" };
}

/** A command of this host that was given, and waits for receipts. */
export function announcing(command: Command, nowMs: number): Installation {
  return {
    command,
    issuer: true,
    phase: "announcing",
    waiting: null,
    fault: null,
    retryMs: nowMs,
    acknowledged: [],
    volumeId: null,
  };
}

/** What the other site needs to know until it is active: the giver's word, over a restart too. */
function givenBefore({ config, term, givenSite = 0 }: Setup): State["given"] {
  const site = config.sites.find(({ id }) => id === givenSite);
  return site && term !== null && ownerOf(term) === site.id ? { term, site: site.name } : null;
}

/** Nothing of a lease, a lock or a wait is carried over a start. */
function beginRight(setup: Setup, serviceMayRun: boolean) {
  const { config, nowMs, granted = { term: 0n, site: 0 } } = setup;
  const clocks = setup.clocks ?? { longMs: nowMs, shortMs: nowMs };
  return {
    serviceMayRun,
    stopRetryMs: isLeased(config.policy) && serviceMayRun ? nowMs : null,
    clocks,
    lease: {
      issued: [],
      anchors: {},
      limitMs: config.timing.leaseMs,
      solo: false,
      epochs: {},
      volumeWritten: null,
    },
    waiting: {
      sinceMs: clocks.shortMs,
      guards: {},
      floorSerial: 0n,
      renounced: null,
      witnessed: false,
      ripe: false,
      granting: false,
      claimSerial: null,
      claimDurableMs: null,
    },
    lock: freeLock(nowMs),
    handover: null,
    given: givenBefore(setup),
    arbiter: {
      answer: "none" as const,
      detail: "",
      askedMs: Number.NEGATIVE_INFINITY,
      asking: false,
    },
    judgedArbiter: "none" as const,
    attested: "",
    servingStored: isLeased(config.policy) && serviceMayRun,
    storingServing: false,
    storeFailedMs: null,
    granted,
    isBlank: ownSite(config).role === "witness" && (setup.blank ?? setup.term === null),
    grantStored: granted.term,
    watchdogFault: "",
    data: {},
  };
}

export function begin(setup: Setup): State {
  const { config, devices = devicesOf(setup.config, 0n) } = setup;
  const site = ownSite(config);
  const term = setup.term ?? firstTerm(config);
  const owner = config.sites.find((candidate) => candidate.id === ownerOf(term));
  const ours = owner?.name === site.name;
  const leased = isLeased(config.policy);
  const sameBoot = setup.sameBoot ?? true;
  const mayRun = sameBoot && ((setup.serving ?? false) || setup.halfDone);
  const wasStopped = leased && sameBoot && setup.term !== null && setup.serving === false;
  assert(siteNamed(config, site.name) !== undefined, "own site is configured");
  return {
    config,
    timingDigest: setup.timingDigest,
    configDigest: setup.configDigest ?? 0,
    staged: null,
    keyRing: setup.keyRing ?? 0,
    ownSiteId: site.id,
    beacon: ownHost(config).beacon,
    incarnation: setup.incarnation,
    bootId: setup.bootId,
    serial: 0n,
    startedMs: setup.nowMs,
    nowMs: setup.nowMs,
    term,
    ...firstRole(ours, setup.halfDone, setup.wasOwner ?? false, leased && mayRun, wasStopped),
    siblingActive: false,
    servesHere: false,
    activeIn: 0n,
    ...beginRight(setup, leased ? mayRun : ours || (setup.wasOwner ?? false)),
    siblings: {},
    stopping: false,
    selfEnabled: setup.switches.hosts[config.self.host] ?? true,
    paths: beginPaths(setup, devices),
    peers: beginPeers(setup),
    groups: {},
    pairs: {},
    oneWay: {},
    writtenMs: {},
    takeover: null,
    devices,
    storing: null,
    installation: resumed(devices, setup.nowMs),
    lastInstallation: null,
    signals: resumedSignals(
      devices.splitForSignal,
      setup.nowMs,
      setup.nowMs + signalHoldMs(config.timing),
    ),
    refusedCommand: null,
    probes: {},
    halfDone: ours && setup.halfDone,
    rejected: {},
  };
}
