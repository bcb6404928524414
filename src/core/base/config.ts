/**
 * The effective configuration: what every other part reads. It holds only resolved, checked
 * values; src/host/config-file.ts makes it from TOML and says what is wrong with a file.
 *
 * Times are milliseconds. Names are lower-case ASCII, 1 to 15 characters (they are written into
 * 16-byte fields of the records).
 */
import type { PairConfig } from "./pair-settings.ts";

export type { PairConfig };
export type Policy = "notify" | "operator";
export type DetectorKind = "fixed" | "adaptive";

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
  /** Room for the lease of automatic takeover; 0 while the policy is operator or notify. */
  readonly leaseMs: number;
  readonly watchdogMs: number;
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
  /** The site that owns the first term is `production`. */
  readonly role: "production" | "standby";
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
  readonly pair: PairConfig;
};

/** A command without a shell: program and arguments. */
export type HookCommand = readonly string[];

export type HooksConfig = {
  /** Run on the host where the takeover was commanded, after the term is durable. */
  readonly takeover: HookCommand | null;
  /** Run when this site finds a higher term and must not be active any more. */
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

export function ownSite(config: Config): SiteConfig {
  const site = siteNamed(config, config.self.site);
  if (!site) throw new Error("assertion failed: own site is configured");
  return site;
}

export function ownHost(config: Config): HostConfig {
  const host = ownSite(config).hosts.find((candidate) => candidate.name === config.self.host);
  if (!host) throw new Error("assertion failed: own host is configured");
  return host;
}
