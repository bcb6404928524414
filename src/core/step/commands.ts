/**
 * Commands between hosts: what the newest records of the others tell. A command travels in every
 * beat of the host that gave it, on every path, until all have answered: so it needs no mailbox,
 * survives every loss, and is carried out once, because its number only rises.
 *
 * Only a host that beats is obeyed. An old volume may hold the last word of a host long dead.
 */
import { type Command, type CommandKind, takesPart } from "../base/devices.ts";
import { unjudgedLimitMs } from "../base/timing.ts";
import { comparePositions } from "../record.ts";
import { commandKinds, type HeartbeatRecord } from "../sector/layout.ts";
import type { CommandsTold, Installation, Peer, Sibling, State } from "./state.ts";

const kindOf = new Map<number, CommandKind>(
  (["activate", "deactivate", "reconfigure"] as const).map((kind) => [commandKinds[kind], kind]),
);

export type Told = { readonly host: string; readonly site: string; readonly told: CommandsTold };

export type Telling = ReadonlyMap<string, Told>;

/** On a path that is on; what is switched off keeps the last state that it had. */
export function peerBeats(state: State, peer: Peer): boolean {
  return Object.entries(peer.sightings).some(
    ([path, { status }]) => status === "ok" && state.paths[path]?.enabled,
  );
}

function siblingBeats(state: State, sibling: Sibling): boolean {
  const silentMs = state.nowMs - sibling.seenMs;
  return sibling.advances > 0 && silentMs < unjudgedLimitMs(state.config.timing);
}

/** What every other host that beats tells; a host that is switched off here counts too. */
export function tellingHosts(state: State): Telling {
  const { site } = state.config.self;
  const telling = new Map<string, Told>();
  for (const peer of state.peers) {
    const { name: host, site: from } = peer.host;
    if (peer.word && peerBeats(state, peer))
      telling.set(host, { host, site: from, told: peer.word });
  }
  for (const [host, sibling] of Object.entries(state.siblings)) {
    if (siblingBeats(state, sibling)) telling.set(host, { host, site, told: sibling.told });
  }
  return telling;
}

export function commandOf(told: CommandsTold): Command | null {
  const kind = kindOf.get(told.commandKind);
  if (!kind || told.command === 0n) return null;
  return { number: told.command, kind, mirror: told.commandMirror };
}

/** The command with the highest number; null where there is none above that one. */
export function newestCommand(
  hosts: Telling,
  above: bigint,
): { readonly command: Command; readonly host: string } | null {
  let newest: { readonly command: Command; readonly host: string } | null = null;
  for (const { host, told } of hosts.values()) {
    const command = commandOf(told);
    if (command && command.number > (newest?.command.number ?? above)) newest = { command, host };
  }
  return newest;
}

/** The highest number that this host knows of, whoever gave it. */
export function highestNumber(state: State): bigint {
  const known = [
    state.devices.commandSeen,
    ...state.peers.flatMap(({ word }) => (word ? [word.command, word.commandSeen] : [])),
    ...Object.values(state.siblings).flatMap(({ told }) => [told.command, told.commandSeen]),
  ];
  return known.reduce((most, number) => (number > most ? number : most), 0n);
}

export type Probed = {
  readonly probes: State["probes"];
  /** Commands of hosts that have beaten since the last look. */
  readonly told: readonly Told[];
};

/** Looks at the records on a volume that is not installed: who has moved since the last look? */
export function probe(state: State, mirror: string, records: readonly HeartbeatRecord[]): Probed {
  const probes: Record<string, State["probes"][string]> = { ...state.probes };
  const told: Told[] = [];
  for (const record of records) {
    const key = `${mirror} ${record.slot}`;
    const before = probes[key];
    const at = { incarnation: record.incarnation, serial: record.serial };
    if (!before || comparePositions(at, before) !== 0) probes[key] = at;
    if (!before || comparePositions(at, before) <= 0) continue;
    const site = state.config.sites.find(({ id }) => id === record.site);
    const host = site?.hosts.find(({ slot }) => slot === record.slot);
    if (site && host && host.name === record.hostName) {
      told.push({ host: host.name, site: site.name, told: record });
    }
  }
  return { probes, told };
}

export type Needed = { readonly host: string; readonly site: string };

/** Every other host at either end; of all sites, where it is about no mirror. */
export function neededHosts(state: State, command: Command): readonly Needed[] {
  const mirror = state.config.mirrors.find(({ name }) => name === command.mirror);
  if (!mirror && command.kind !== "reconfigure") return [];
  const { self } = state.config;
  const isHeard = (site: string): boolean => site !== self.site || bringsNews(state, command);
  const off = new Set(state.peers.filter(({ enabled }) => !enabled).map(({ host }) => host.name));
  return state.config.sites
    .filter(({ name }) => !mirror || name === mirror.writer || name === mirror.reader)
    .flatMap(({ name, hosts }) => hosts.map((host) => ({ host: host.name, site: name })))
    .filter(({ host, site }) => host !== state.config.self.host && !off.has(host) && isHeard(site));
}

/** Hosts of a site tell one another by the volumes that it writes, so not of the end of the last. */
function bringsNews(state: State, command: Command): boolean {
  const { config, devices } = state;
  if (command.kind !== "deactivate") return true;
  return config.mirrors.some(
    ({ name, writer }) =>
      name !== command.mirror &&
      writer === config.self.site &&
      takesPart(devices.registrations[name]),
  );
}

/** Exactly this one, last or before that: a higher number says nothing of it. */
export function hasDone(host: Told | undefined, { number }: Command): boolean {
  return host?.told.commandDone === number || host?.told.commandDoneBefore === number;
}

/** Commands of others, and of this host, that not all have carried out yet. */
export function openCommands(state: State, hosts: Telling): readonly string[] {
  const isDone = (command: Command, by: string): boolean =>
    state.devices.commandDone === command.number &&
    neededHosts(state, command).every(
      ({ host }) => host === by || hasDone(hosts.get(host), command),
    );
  const others = [...hosts.values()].flatMap(({ host, told }) => {
    const command = commandOf(told);
    // All but the one who gave it have done it; that it has not heard so yet is no hindrance.
    if (!command || isDone(command, host)) return [];
    return [`${host}'s ${command.kind} of ${command.mirror}`];
  });
  const { command } = state.devices;
  // Done by all, and only not struck out yet.
  const isOver =
    command !== null &&
    neededHosts(state, command).every(({ host }) => hasDone(hosts.get(host), command));
  return command && !isOver
    ? [`this host's ${command.kind} of ${command.mirror}`, ...others]
    : others;
}

export function silentHosts(
  state: State,
  { command, acknowledged }: Installation,
): readonly string[] {
  return neededHosts(state, command)
    .map(({ host }) => host)
    .filter((host) => !acknowledged.includes(host));
}

export function silentText(state: State, installation: Installation): string {
  const silent = silentHosts(state, installation);
  return silent.length === 0 ? "" : `; silent, and told when they come back: ${silent.join(", ")}`;
}
