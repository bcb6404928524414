/**
 * The set-ups that histories are made of: sites and hosts, arbiter, mirrors, timings. Each is a
 * configuration as a file would give it.
 */
import type {
  Config,
  HostConfig,
  MirrorConfig,
  Policy,
  SiteConfig,
  Timing,
} from "../core/base/config.ts";
import { fencingDefaults, isLeased, takeoverDefaults } from "../core/base/config.ts";
import { completeTiming } from "../core/base/timing.ts";

export type Setup = {
  readonly name: string;
  readonly words: string;
  /** How often a generated history is one of it, beside others. */
  readonly weight: number;
  readonly config: Config;
};

export const sites = { production: "tokyo", standby: "osaka", witness: "nagoya" } as const;

/** Short, and of the default proportions: a lease of eight seconds. */
const shortLease = {
  leaseMs: 8000,
  watchdogMs: 2000,
  stopMs: 2000,
  lateWriteMs: 500,
  hangMs: 500,
  driftPpm: 20_000,
} as const;

type Wish = {
  readonly policy: Policy;
  readonly hostsPerSite?: number;
  /** Data groups with pairs of their own. */
  readonly data?: boolean;
  readonly witness?: "host" | "volumes";
  readonly local?: boolean;
  readonly timing?: Partial<Timing>;
  readonly network?: boolean;
  readonly secondMirror?: boolean;
  /** The last host of each site cannot hold the service. */
  readonly beacon?: boolean;
  readonly quorum?: number;
};

const hostsOf = (site: string, count: number): readonly HostConfig[] =>
  Array.from({ length: count }, (_, slot) => ({
    site,
    name: `${site}-${slot + 1}`,
    slot,
    address: { host: `${site}-${slot + 1}`, port: 7275 },
    beacon: false,
    enabled: true,
  }));

function siteOf(name: string, id: number, role: SiteConfig["role"], wish: Wish): SiteConfig {
  const count = role === "witness" ? 1 : (wish.hostsPerSite ?? 1);
  const isBeacon = (slot: number): boolean =>
    role === "witness" || (wish.beacon === true && slot === count - 1);
  const hosts = hostsOf(name, count).map((host) => ({ ...host, beacon: isBeacon(host.slot) }));
  return { name, id, role, quorum: role === "witness" ? 1 : (wish.quorum ?? 1), hosts };
}

function mirrorOf(name: string, writer: string, reader: string, witness = false): MirrorConfig {
  return {
    name,
    writer,
    reader,
    pvol: `/dev/mirror/${name}-pvol`,
    svol: `/dev/mirror/${name}-svol`,
    pvolWwid: null,
    svolWwid: null,
    enabled: true,
    installed: true,
    answerSignals: false,
    witness,
    pair: { provider: "none" },
  };
}

function mirrorsOf(wish: Wish): readonly MirrorConfig[] {
  const { production, standby } = sites;
  const mirrors = [mirrorOf("east", production, standby), mirrorOf("west", standby, production)];
  if (wish.secondMirror) mirrors.push(mirrorOf("east-2", production, standby));
  if (wish.witness === "volumes") {
    mirrors.push(mirrorOf("third-a", production, standby, true));
    mirrors.push(mirrorOf("third-b", standby, production, true));
  }
  return mirrors;
}

function timingOf({ policy, timing }: Wish): Timing {
  const leased = isLeased(policy);
  return completeTiming({ ...(leased ? shortLease : {}), ...timing }, leased);
}

function configOf(wish: Wish): Config {
  const { production, standby, witness } = sites;
  const all = [siteOf(production, 1, "production", wish), siteOf(standby, 2, "standby", wish)];
  if (wish.witness === "host") all.push(siteOf(witness, 3, "witness", wish));
  const timing = timingOf(wish);
  const group = { name: "oradata", id: 1, writer: production, reader: standby } as const;
  const volumes = { pvol: "/dev/data/oradata-pvol", svol: "/dev/data/oradata-svol" };
  const dataGroups = wish.data
    ? [{ ...group, ...volumes, pair: { provider: "none" } } as const]
    : [];
  return {
    cluster: "alpha",
    self: { site: production, host: `${production}-1` },
    keyFile: "/etc/mirrorbeat/key",
    runFolder: "/run/mirrorbeat",
    stateFolder: "/var/lib/mirrorbeat",
    policy: wish.policy,
    networkEnabled: wish.network ?? true,
    timing,
    sites: all,
    mirrors: mirrorsOf(wish),
    dataDevices: [],
    dataGroups,
    takeover: { ...takeoverDefaults, local: wish.local ?? false },
    fencing: isLeased(wish.policy)
      ? { ...fencingDefaults, watchdog: "/dev/watchdog0", watchdogLimitMs: watchdogLimitMs(timing) }
      : fencingDefaults,
    hooks: {
      takeover: ["/usr/local/sbin/service-start"],
      superseded: ["/usr/local/sbin/service-stop"],
      verdict: null,
      limitMs: 60_000,
    },
    journalBytesMax: 1_000_000,
    generation: 1,
  };
}

/** What is left of the watchdog's whole time for the device itself. */
const watchdogLimitMs = ({ watchdogMs }: Timing): number => Math.floor(watchdogMs * 0.8);

const setup = (name: string, weight: number, words: string, wish: Wish): Setup => ({
  name,
  weight,
  words,
  config: configOf(wish),
});

/** A beat each five seconds, and a lease that goes with it. */
const slow = { intervalMs: 5000 } as const;
const slowLease = { ...slow, leaseMs: 40_000, watchdogMs: 10_000, stopMs: 10_000 } as const;

export const setups: readonly Setup[] = [
  setup("pair", 3, "one host a site, takeover under a lease", { policy: "lease" }),
  setup("pair-data", 3, "the same with a data group", { policy: "lease", data: true }),
  setup("pair-operator", 2, "one host a site, an operator decides", { policy: "operator" }),
  setup("pair-no-network", 2, "mirrors alone, no IP at all", { policy: "lease", network: false }),
  setup("pair-two-mirrors", 1, "two mirrors one way", { policy: "lease", secondMirror: true }),
  setup("pair-witness", 2, "a witness host at a third site", {
    policy: "witness",
    witness: "host",
  }),
  setup("pair-volumes", 2, "witness volumes at a third site", {
    policy: "witness",
    witness: "volumes",
  }),
  setup("four", 1, "two hosts a site", { policy: "lease", hostsPerSite: 2 }),
  setup("four-beacon", 1, "a server and a beacon a site, an operator decides", {
    policy: "operator",
    hostsPerSite: 2,
    beacon: true,
  }),
  setup("four-quorum", 1, "two hosts a site, both of them needed", {
    policy: "lease",
    hostsPerSite: 2,
    quorum: 2,
  }),
  setup("four-local", 1, "two hosts a site, local takeover first", {
    policy: "lease",
    hostsPerSite: 2,
    local: true,
  }),
  setup("four-witness", 1, "two hosts a site and a witness host", {
    policy: "witness",
    hostsPerSite: 2,
    witness: "host",
  }),
  setup("four-volumes", 1, "two hosts a site, witness volumes", {
    policy: "witness",
    hostsPerSite: 2,
    witness: "volumes",
  }),
  setup("slow", 4, "a beat each five seconds, an operator decides", {
    policy: "operator",
    timing: slow,
  }),
  setup("slow-data", 6, "a beat each five seconds, takeover under a lease, a data group", {
    policy: "lease",
    data: true,
    timing: slowLease,
  }),
  setup("slow-witness", 4, "a beat each five seconds and a witness host", {
    policy: "witness",
    witness: "host",
    timing: slowLease,
  }),
  setup("slow-four", 4, "a beat each five seconds, two hosts a site", {
    policy: "lease",
    hostsPerSite: 2,
    timing: slowLease,
  }),
];

export function setupNamed(name: string): Setup | null {
  return setups.find((each) => each.name === name) ?? null;
}
