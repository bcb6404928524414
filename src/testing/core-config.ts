/** Configurations of two sites for the core's tests: tokyo is production, osaka the standby. */
import {
  type Config,
  type DataGroupConfig,
  fencingDefaults,
  type HostConfig,
  isLeased,
  type MirrorConfig,
  type Policy,
  type SiteConfig,
  takeoverDefaults,
  type TakeoverConfig,
  type Timing,
} from "../core/base/config.ts";
import { completeTiming, timingDefaults } from "../core/base/timing.ts";

export type SitesWish = {
  /** Hosts of each site, in the order of their slots. */
  readonly tokyo?: readonly string[];
  readonly osaka?: readonly string[];
  /** Hosts that are beacons; all others may hold the service. */
  readonly beacons?: readonly string[];
  /** Hosts without an address for datagrams. */
  readonly mirrorOnly?: readonly string[];
  readonly quorum?: number;
  /** Mirrors by name; the writer's site stands before the arrow. */
  readonly mirrors?: Readonly<Record<string, "tokyo>osaka" | "osaka>tokyo">>;
  /** Mirrors that are configured and not installed. */
  readonly uninstalled?: readonly string[];
  /** Mirrors whose pairs answer signals; with it, all mirrors have a provider. */
  readonly answering?: readonly string[];
  /** Mirrors that are volumes at a third site. */
  readonly witnessVolumes?: readonly string[];
  readonly network?: boolean;
  readonly takeoverHook?: boolean;
  readonly timing?: Partial<Timing>;
  readonly generation?: number;
  /** Under "lease" and "witness" the timings below are completed with a lease of 12 s. */
  readonly policy?: Policy;
  readonly takeover?: Partial<TakeoverConfig>;
  readonly dataGroups?: readonly DataGroupConfig[];
  /** A third site with this one host. */
  readonly witness?: string;
};

/** A lease that fits the default timings where no write hangs for long. */
export const leaseTiming = {
  leaseMs: 12_000,
  watchdogMs: 3000,
  stopMs: 3000,
  lateWriteMs: 1000,
  hangMs: 1000,
  driftPpm: 1000,
  lostRounds: 1,
} as const;

const { takeoverWaitMs: _wait, lockMs: _lock, ...givenDefaults } = timingDefaults;

export const bothWays = { east: "tokyo>osaka", west: "osaka>tokyo" } as const;

function siteOf(name: "tokyo" | "osaka", wish: SitesWish): SiteConfig {
  const names = wish[name] ?? [`${name}-1`, `${name}-2`];
  const hosts: HostConfig[] = names.map((host, slot) => ({
    site: name,
    name: host,
    slot,
    address: wish.mirrorOnly?.includes(host) ? null : { host: host, port: 5000 },
    beacon: wish.beacons?.includes(host) ?? false,
    enabled: true,
  }));
  const [id, role] = name === "tokyo" ? [1, "production" as const] : [2, "standby" as const];
  return { name, id, role, quorum: wish.quorum ?? 1, hosts };
}

function witnessSite(host: string): SiteConfig {
  const address = { host, port: 5000 };
  const hosts = [{ site: "nagoya", name: host, slot: 0, address, beacon: true, enabled: true }];
  return { name: "nagoya", id: 3, role: "witness", quorum: 1, hosts };
}

const pairEnd = { control: "/run/copy.sock", query_limit_ms: 2000, change_limit_ms: 10_000 };

function mirrorOf(name: string, way: string, wish: SitesWish): MirrorConfig {
  const [writer = "", reader = ""] = way.split(">");
  return {
    name,
    writer,
    reader,
    pvol: `/dev/${name}-pvol`,
    svol: `/dev/${name}-svol`,
    pvolWwid: null,
    svolWwid: null,
    enabled: true,
    installed: !wish.uninstalled?.includes(name),
    answerSignals: wish.answering?.includes(name) ?? false,
    witness: wish.witnessVolumes?.includes(name) ?? false,
    pair: wish.answering
      ? { provider: "embedded", writer: pairEnd, reader: pairEnd }
      : { provider: "none" },
  };
}

export function configFor(host: string, wish: SitesWish = {}): Config {
  const policy = wish.policy ?? "operator";
  const witnesses = wish.witness === undefined ? [] : [witnessSite(wish.witness)];
  const sites = [siteOf("tokyo", wish), siteOf("osaka", wish), ...witnesses];
  const site = sites.find(({ hosts }) => hosts.some(({ name }) => name === host));
  if (!site) throw new Error(`no host ${host}`);
  return {
    cluster: "alpha",
    self: { site: site.name, host },
    keyFile: "/etc/mirrorbeat/key",
    runFolder: "/run/mirrorbeat",
    stateFolder: "/var/lib/mirrorbeat",
    policy,
    networkEnabled: wish.network ?? true,
    timing: isLeased(policy)
      ? completeTiming({ ...givenDefaults, ...leaseTiming, ...wish.timing })
      : { ...timingDefaults, ...wish.timing },
    sites,
    mirrors: Object.entries(wish.mirrors ?? bothWays).map(([name, way]) =>
      mirrorOf(name, way, wish),
    ),
    dataDevices: [],
    dataGroups: wish.dataGroups ?? [],
    takeover: { ...takeoverDefaults, ...wish.takeover },
    fencing: fencingDefaults,
    hooks: {
      takeover: wish.takeoverHook ? ["/usr/local/sbin/take"] : null,
      superseded: ["/usr/local/sbin/yield"],
      verdict: null,
      limitMs: 60_000,
    },
    journalBytesMax: 1_000_000,
    generation: wish.generation ?? 1,
  };
}
