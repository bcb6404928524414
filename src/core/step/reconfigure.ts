/**
 * A configuration changed while everything runs: staged at each host, announced by a digest in the
 * records, and switched everywhere by one command once all have it. What was seen of a host stays;
 * only what is new begins anew. So timings and members change without an alarm and without a gap.
 */
import {
  type Config,
  type HostConfig,
  isLeased,
  type MirrorConfig,
  ownHost,
  ownSite,
} from "../base/config.ts";
import { sharedTimings } from "../base/timing.ts";
import { ownEnd } from "../base/devices.ts";
import { beginSighting } from "../observation.ts";
import { states } from "../sector/layout.ts";
import { allOn, begin } from "./begin.ts";
import { tellingHosts } from "./commands.ts";
import type { Peer, Staged, State } from "./state.ts";

/**
 * What both sites must have alike, as ASCII: timings, sites, hosts and mirrors, but no path of a
 * device and no address, which may differ from host to host. Its CRC32C is the digest.
 */
export function sharedConfigBytes(config: Config): Uint8Array {
  const { cluster, policy, generation, timing, sites, mirrors, dataGroups, takeover } = config;
  const text = JSON.stringify([
    cluster,
    policy,
    generation,
    sharedTimings.map((name) => timing[name]),
    sites.map(({ name, id, role, quorum, hosts }) => [
      name,
      id,
      role,
      quorum,
      hosts.map((host) => [host.name, host.slot, host.beacon, host.enabled]),
    ]),
    mirrors.map(({ name, writer, reader, witness }) => [name, writer, reader, witness]),
    dataGroups.map(({ name, id, writer, reader }) => [name, id, writer, reader]),
    takeover.local,
  ]);
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}

/** A digest as it stands in the command that switches to it. */
export const digestName = (digest: number): string =>
  `cfg-${(digest >>> 0).toString(16).padStart(8, "0")}`;

const hostsOf = (config: Config): readonly HostConfig[] =>
  config.sites.flatMap(({ hosts }) => hosts);

const lockTime = ({ policy, timing }: Config): number => (isLeased(policy) ? timing.lockMs : 0);

/** What needs a restart; by the key of the configuration. */
function restartKey(now: Config, next: Config): string | null {
  const address = (config: Config): string => JSON.stringify(ownHost(config).address);
  const pairs: readonly (readonly [string, unknown, unknown])[] = [
    ["cluster", now.cluster, next.cluster],
    ["host", now.self, next.self],
    ["key_file", now.keyFile, next.keyFile],
    ["run_folder", now.runFolder, next.runFolder],
    ["state_folder", now.stateFolder, next.stateFolder],
    ["network", now.networkEnabled, next.networkEnabled],
    // What serves without a lease cannot be put under one while it serves, nor the other way.
    ["policy", isLeased(now.policy), isLeased(next.policy)],
    ["data_devices", now.dataDevices, next.dataDevices],
    ["journal_bytes_max", now.journalBytesMax, next.journalBytesMax],
    ["hooks", now.hooks, next.hooks],
    ["policy", now.policy, next.policy],
    // A sibling that goes by a shorter one would claim beside the holder.
    ["timing.lock_ms", lockTime(now), lockTime(next)],
    ["takeover", now.takeover, next.takeover],
    ["fencing", now.fencing, next.fencing],
    ["data", now.dataGroups, next.dataGroups],
    [`sites.${now.self.site}.hosts.${now.self.host}.slot`, ownHost(now).slot, ownHost(next).slot],
    [`sites.${now.self.site}.hosts.${now.self.host}.address`, address(now), address(next)],
    [
      `sites.${now.self.site}.hosts.${now.self.host}.beacon`,
      ownHost(now).beacon,
      ownHost(next).beacon,
    ],
    [
      "sites.id and role",
      now.sites.map(({ name, id, role }) => [name, id, role]),
      next.sites.map(({ name, id, role }) => [name, id, role]),
    ],
  ];
  const found = pairs.find(([, a, b]) => JSON.stringify(a) !== JSON.stringify(b));
  return found?.[0] ?? null;
}

function movedHost(now: Config, next: Config): string | null {
  for (const site of next.sites) {
    const before = now.sites.find(({ name }) => name === site.name)?.hosts ?? [];
    for (const host of site.hosts) {
      const there = before.find(({ slot }) => slot === host.slot);
      if (there && there.name !== host.name) {
        return `slot ${host.slot} of ${site.name} was ${there.name}'s; give ${host.name} another one`;
      }
      const elsewhere = hostsOf(now).find(({ name }) => name === host.name);
      if (elsewhere && (elsewhere.slot !== host.slot || elsewhere.site !== host.site)) {
        return `${host.name} may not change its slot or site while it runs`;
      }
      // Nobody counts a beacon among those that may serve.
      if (elsewhere && elsewhere.beacon !== host.beacon) {
        return `${host.name} may not become a beacon, or cease to be one, while it runs`;
      }
    }
  }
  return null;
}

function changedMirror(state: State, next: Config): string | null {
  const key = (config: Config, mirror: MirrorConfig | undefined): string =>
    mirror
      ? JSON.stringify([
          mirror.writer, mirror.reader, mirror.enabled, ownEnd(config, mirror),
          mirror.pvolWwid, mirror.svolWwid, mirror.pair,
        ])
      : ""; // biome-ignore format: one list
  for (const name of Object.keys(state.devices.registrations)) {
    const before = state.config.mirrors.find((mirror) => mirror.name === name);
    const after = next.mirrors.find((mirror) => mirror.name === name);
    if (before && key(state.config, before) !== key(next, after)) {
      return `mirror ${name} is installed here: mirrorbeat deinstall ${name} before it is changed`;
    }
  }
  // The place of a mirror in its direction is its number in every record.
  const wayOf = ({ name, writer, reader }: MirrorConfig): string => `${name} ${writer} ${reader}`;
  const before = state.config.mirrors.map(wayOf);
  const after = next.mirrors.map(wayOf);
  const stay = before.filter((way) => after.includes(way));
  return after.slice(0, stay.length).join() === stay.join()
    ? null
    : "new mirrors stand after the others, and the others stay in their order";
}

/** Hosts that the configuration takes out, though they beat: they may be active. */
export function beatingDropped(state: State, next: Config): readonly string[] {
  const hosts = tellingHosts(state);
  return dropped(state, next).filter((name) => hosts.has(name));
}

/** Those that are silent, and did not say that they left. */
export function silentDropped(state: State, next: Config): readonly string[] {
  const hosts = tellingHosts(state);
  return dropped(state, next).filter((name) => !hosts.has(name));
}

/** Hosts that are taken out and did not leave in order; a beacon cannot serve. */
function dropped(state: State, next: Config): readonly string[] {
  const stay = new Set(hostsOf(next).map(({ name }) => name));
  const said = [
    ...state.peers.map(({ host, word }) => [host.name, word?.state] as const),
    ...Object.entries(state.siblings).map(([name, sibling]) => [name, sibling.state] as const),
  ];
  const isGone = (word: number | undefined): boolean =>
    word === states.leaving || word === states.disabled;
  const left = new Set(said.filter(([, word]) => isGone(word)).map(([name]) => name));
  return hostsOf(state.config)
    .filter(({ name, beacon }) => !beacon && !stay.has(name) && !left.has(name))
    .map(({ name }) => name);
}

/** Why this configuration cannot be switched to while it runs; null where it can. */
export function stageFault(state: State, next: Config): string | null {
  const now = state.config;
  const key = restartKey(now, next);
  if (key !== null) return `${key} has changed, which needs a restart of this agent`;
  if (next.generation <= now.generation) {
    return `generation is ${next.generation}; raise it above ${now.generation}, which is in use`;
  }
  return movedHost(now, next) ?? changedMirror(state, next);
}

function carriedPeer(state: State, fresh: Peer): Peer {
  const known = state.peers.find(
    ({ host, siteId }) =>
      host.name === fresh.host.name && host.slot === fresh.host.slot && siteId === fresh.siteId,
  );
  const { intervalMs } = state.config.timing;
  const sightings = Object.fromEntries(
    Object.entries(fresh.sightings).map(([path, sighting]) => {
      const watch = state.paths[path]?.watch;
      // What is new on a path that was watched all along is waited for from now.
      const begun = watch ? beginSighting(intervalMs, state.nowMs, watch, null) : sighting;
      return [path, known?.sightings[path] ?? begun];
    }),
  );
  return known ? { ...known, host: fresh.host, sightings } : { ...fresh, sightings };
}

/**
 * A shorter lease holds at once, a longer one from the first grant by the new timings. A standby
 * has seen no guard yet of an owner that goes by them, and waits anew.
 */
function rightUnder(state: State, { timing }: Config): Pick<State, "lease" | "waiting"> {
  const { lease, waiting, clocks, serial } = state;
  const limitMs = Math.min(lease.limitMs, timing.leaseMs);
  const anew = { sinceMs: clocks.shortMs, guards: {}, floorSerial: serial, ripe: false };
  return { lease: { ...lease, limitMs }, waiting: { ...waiting, ...anew } };
}

/** The state under the staged configuration; all that is known of what stays is kept. */
export function reconfigured(state: State, staged: Staged): State {
  const { config, timingDigest, digest } = staged;
  const fresh = begin({
    config,
    timingDigest,
    configDigest: digest,
    incarnation: state.incarnation,
    bootId: state.bootId,
    term: state.term,
    halfDone: state.halfDone,
    nowMs: state.nowMs,
    marks: {},
    switches: allOn,
    devices: state.devices,
  });
  const paths = Object.fromEntries(
    Object.entries(fresh.paths).map(([name, path]) => [name, state.paths[name] ?? path]),
  );
  const named = (name: string): boolean => config.mirrors.some((mirror) => mirror.name === name);
  const members = new Set(ownSite(config).hosts.map(({ name }) => name));
  const own = <T>(record: Readonly<Record<string, T>>, keep: (key: string) => boolean) =>
    Object.fromEntries(Object.entries(record).filter(([key]) => keep(key)));
  return {
    ...state,
    ...rightUnder(state, config),
    config,
    timingDigest,
    configDigest: digest,
    staged: null,
    paths,
    peers: fresh.peers.map((peer) => carriedPeer(state, peer)),
    pairs: own(state.pairs, named),
    siblings: own(state.siblings, (name) => members.has(name)),
  };
}
