/**
 * The effective configuration: what every other part reads. It holds only resolved, checked
 * values; src/host/config-file.ts makes it from TOML and says what is wrong with a file.
 *
 * Times are milliseconds. Names are lower-case ASCII, 1 to 15 characters (they are written into
 * 16-byte fields of the records).
 */
import { onceFor } from "./once.ts";
import type { PairConfig } from "./pair-settings.ts";

export type { PairConfig };

/** Who grants the exclusive right to be active: see docs/safety.md. */
export const policies = [
  "notify",
  "operator",
  "lease",
  "witness",
  "reservation",
  "booth",
  "command",
] as const;
export type Policy = (typeof policies)[number];

/** Under these a site is active only while the other one, or the witness, grants it. */
export function isLeased(policy: Policy): boolean {
  return policy === "lease" || policy === "witness";
}
export type DetectorKind = "fixed" | "adaptive";

/** These ask an arbiter outside before a takeover. */
export function asksArbiter(policy: Policy): boolean {
  return policy === "reservation" || policy === "booth" || policy === "command";
}

/** And of these a site must hold what it was granted for as long as it is active. */
export function holdsArbiter(policy: Policy): boolean {
  return policy === "reservation" || policy === "booth";
}

/** The timings that both sites must share; each is explained in core/base/timing.ts. */
export type Timing = {
  readonly intervalMs: number;
  readonly pollMs: number;
  readonly marginMs: number;
  /** Budget for a PVOL write to become visible at the SVOL, and for a datagram to arrive. */
  readonly latencyMs: number;
  /** A read slower than this proves no silence. */
  readonly readLimitMs: number;
  /** A write slower than this is reported as hung; the slot is left alone until it completes. */
  readonly writeLimitMs: number;
  /** Allowance for the lateness of timers on a busy machine. */
  readonly schedulingMs: number;
  readonly detector: DetectorKind;
  /** How often a pair state is asked for, and how old it may be and still count as evidence. */
  readonly pairPollMs: number;
  readonly pairAgeLimitMs: number;
  /** How long an active host may go on after the start of its newest echoed write; 0 without. */
  readonly leaseMs: number;
  /** The watchdog's whole time, from the last feeding to the reset. */
  readonly watchdogMs: number;
  /** How long before its end a lease that runs out makes the service stop. */
  readonly stopMs: number;
  /** Longest time that a write, once issued, may still land. */
  readonly lateWriteMs: number;
  /** Longest that a PVOL write hangs while the pair still says paired: the array's link time-out. */
  readonly hangMs: number;
  /** Rounds of beat and echo that may be lost without a stop. */
  readonly lostRounds: number;
  /** Bound of a clock's rate error, in parts per million. */
  readonly driftPpm: number;
  /** The standby's wait before it takes over; at least what `takeoverWaitMinMs` says. */
  readonly takeoverWaitMs: number;
  /** Own lease of a site's lock, where a site has several hosts. */
  readonly lockMs: number;
};

export type HostConfig = {
  readonly site: string;
  readonly name: string;
  /** Number of the host's slot on its site's volumes, from 0. */
  readonly slot: number;
  /** Where it receives datagrams; null where it takes part by mirror alone. */
  readonly address: { readonly host: string; readonly port: number } | null;
  /** A beacon writes but cannot hold the service; it proves that the link works. */
  readonly beacon: boolean;
  readonly enabled: boolean;
};

export type SiteConfig = {
  readonly name: string;
  /** 1 to 255: part of every term, unique in the cluster. */
  readonly id: number;
  /** The site that owns the first term is `production`; a `witness` never holds the service. */
  readonly role: "production" | "standby" | "witness";
  /** k of the k-of-n rule: fewer fresh hosts than this is a failure of the group. */
  readonly quorum: number;
  readonly hosts: readonly HostConfig[];
};

export type MirrorConfig = {
  readonly name: string;
  readonly writer: string;
  readonly reader: string;
  /** Written by the hosts of `writer`; opened only there. */
  readonly pvol: string;
  /** Read by the hosts of `reader`; opened only there. */
  readonly svol: string;
  /** Pinned identities; null where any device of that name is accepted. */
  readonly pvolWwid: string | null;
  readonly svolWwid: string | null;
  readonly enabled: boolean;
  /** false: it takes no part before `mirrorbeat install` at its writing site. */
  readonly installed: boolean;
  /** Its writing site may split its pair for a moment, to answer a signal of the reading one. */
  readonly answerSignals: boolean;
  /** One volume at a third site that both reach: no remote copy, and a witness by what it shows. */
  readonly witness: boolean;
  readonly pair: PairConfig;
};

/** A pair that holds the service's data: taken over and swapped, never written by us. */
export type DataGroupConfig = {
  readonly name: string;
  /** 1 and up: its number in the records, at most `dataGroupsMax` groups. */
  readonly id: number;
  /** The site whose volume was the PVOL when it was set up; after a swap the array says otherwise. */
  readonly writer: string;
  readonly reader: string;
  readonly pvol: string;
  readonly svol: string;
  readonly pair: PairConfig;
};

/** The right to take over: what an arbiter needs to know beside the policy. */
export type TakeoverConfig = {
  /** Data written in this time before the silence may be lost by an automatic takeover. */
  readonly rpoMaxMs: number;
  /** Another host of the site takes the service over when one fails; needs lease and watchdog. */
  readonly local: boolean;
  /** Devices that both sites reach and that know persistent reservations. */
  readonly reservationDevices: readonly string[];
  readonly boothTicket: string | null;
  readonly boothClient: HookCommand;
  /** Program that must answer that the other site is down. */
  readonly fenceCommand: HookCommand | null;
  /** Deadline of one question to the arbiter. */
  readonly arbiterLimitMs: number;
};

export const takeoverDefaults: TakeoverConfig = {
  rpoMaxMs: 60_000,
  local: false,
  reservationDevices: [],
  boothTicket: null,
  boothClient: ["booth"],
  fenceCommand: null,
  arbiterLimitMs: 30_000,
};

/** Self-fencing of this host; off until configured. */
export type FencingConfig = {
  /** A watchdog device, or a pipe that stands in for one in tests; null for none. */
  readonly watchdog: string | null;
  /** Time-out set at the device; shorter than `watchdogMs`, the watchdog's whole time. */
  readonly watchdogLimitMs: number;
  /** Tell systemd of start, beats and stop. */
  readonly systemd: boolean;
};

export const fencingDefaults: FencingConfig = {
  watchdog: null,
  watchdogLimitMs: 0,
  systemd: true,
};

/** A command without a shell: program and arguments. */
export type HookCommand = readonly string[];

export type HooksConfig = {
  /** Run on the host where the takeover was commanded, after the term is durable. */
  readonly takeover: HookCommand | null;
  /** Stops the service: run when this host must not be active any more. Exit 0 says it is stopped. */
  readonly superseded: HookCommand | null;
  /** Run for each change of a group's verdict. */
  readonly verdict: HookCommand | null;
  readonly limitMs: number;
};

export type Config = {
  readonly cluster: string;
  readonly self: { readonly site: string; readonly host: string };
  readonly keyFile: string;
  readonly runFolder: string;
  readonly stateFolder: string;
  readonly policy: Policy;
  readonly networkEnabled: boolean;
  readonly timing: Timing;
  readonly sites: readonly SiteConfig[];
  readonly mirrors: readonly MirrorConfig[];
  /** Devices that hold data: never accepted as heartbeat volumes. */
  readonly dataDevices: readonly string[];
  readonly dataGroups: readonly DataGroupConfig[];
  readonly takeover: TakeoverConfig;
  readonly fencing: FencingConfig;
  readonly hooks: HooksConfig;
  /** Ceiling of the journal on disk, both of its files together. */
  readonly journalBytesMax: number;
  /** Raised by the operator with each change of membership or timing; written into records. */
  readonly generation: number;
};

export const nameLengthMax = 15;

/** undefined when the configuration names no such site; configurations are checked when read. */
export function siteNamed(config: Config, name: string): SiteConfig | undefined {
  return config.sites.find((site) => site.name === name);
}

const witnesses = onceFor(
  ({ sites }: Config): ReadonlySet<string> =>
    new Set(sites.filter(({ role }) => role === "witness").map(({ name }) => name)),
);

export const isWitness = (config: Config, site: string): boolean => witnesses(config).has(site);

export const ownSite = onceFor((config: Config): SiteConfig => {
  const site = siteNamed(config, config.self.site);
  if (!site) throw new Error("assertion failed: own site is configured");
  return site;
});

export const ownHost = onceFor((config: Config): HostConfig => {
  const host = ownSite(config).hosts.find((candidate) => candidate.name === config.self.host);
  if (!host) throw new Error("assertion failed: own host is configured");
  return host;
});
