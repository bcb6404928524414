/**
 * What DRBD tells of one resource, and its vocabulary. Three forms of output are parsed to these
 * facts; a word that is not in the vocabulary makes the whole answer one that is not understood.
 */

export const roles = ["Primary", "Secondary", "Unknown"] as const;
export type Role = (typeof roles)[number];

export const connectionStates = [
  "StandAlone", "Disconnecting", "Unconnected", "Timeout", "BrokenPipe", "NetworkFailure",
  "ProtocolError", "TearDown", "Connecting", "Connected",
] as const; // biome-ignore format: words
export type ConnectionState = (typeof connectionStates)[number];

export const replicationStates = [
  "Off", "Established", "StartingSyncS", "StartingSyncT", "WFBitMapS", "WFBitMapT", "WFSyncUUID",
  "SyncSource", "SyncTarget", "PausedSyncS", "PausedSyncT", "VerifyS", "VerifyT", "Ahead", "Behind",
] as const; // biome-ignore format: words
export type ReplicationState = (typeof replicationStates)[number];

export const diskStates = [
  "Diskless", "Attaching", "Detaching", "Failed", "Negotiating", "Inconsistent", "Outdated",
  "DUnknown", "Consistent", "UpToDate",
] as const; // biome-ignore format: words
export type DiskState = (typeof diskStates)[number];

/** Why writes wait; empty where they do not. */
const suspensions = ["user", "no-data", "fencing", "quorum"] as const;
export type Suspension = (typeof suspensions)[number];

/** Who stopped the resync; "user" is set and cleared by a command at this end alone. */
const pauses = ["user", "peer", "dependency"] as const;
export type Pause = (typeof pauses)[number];

export type Device = {
  readonly volume: number;
  readonly disk: DiskState;
  /** null where this DRBD has no quorum. */
  readonly hasQuorum: boolean | null;
  readonly sizeKib: number | null;
};

export type PeerDevice = {
  readonly volume: number;
  readonly replication: ReplicationState;
  readonly disk: DiskState;
  readonly pauses: readonly Pause[];
  readonly outOfSyncKib: number | null;
  readonly donePercent: number | null;
};

export type Connection = {
  /** The peer, by a name that no other connection has. */
  readonly peer: string;
  readonly state: ConnectionState;
  readonly peerRole: Role;
  /** One for each device. */
  readonly peerDevices: readonly PeerDevice[];
};

export type Resource = {
  readonly name: string;
  readonly role: Role;
  readonly suspensions: readonly Suspension[];
  readonly devices: readonly Device[];
  /** Empty where DRBD forgot the peer, as 8.4 does when it is disconnected. */
  readonly connections: readonly Connection[];
};

/** null: there is no such resource. */
export type Parsed =
  | { readonly ok: true; readonly resource: Resource | null }
  | { readonly ok: false; readonly reason: string };

/** Thrown by the parsers' helpers, and caught where a parser begins. */
export class NotUnderstood extends Error {}

export function understood(parse: () => Resource | null): Parsed {
  try {
    return { ok: true, resource: parse() };
  } catch (error) {
    if (error instanceof NotUnderstood) return { ok: false, reason: error.message };
    throw error;
  }
}

const shown = (value: unknown): string =>
  String(value)
    .replaceAll(/[^\x20-\x7e]/g, "?")
    .slice(0, 40);

export function notUnderstood(what: string, value: unknown): never {
  throw new NotUnderstood(`${what}: "${shown(value)}"`);
}

export function wordOf<Word extends string>(
  words: readonly Word[],
  what: string,
  value: unknown,
): Word {
  return words.find((word) => word === value) ?? notUnderstood(what, value);
}

/** A whole number as DRBD prints it. */
export function wholeOf(what: string, value: string): number {
  return /^\d{1,15}$/.test(value) ? Number(value) : notUnderstood(what, value);
}

/** "no", or a list such as "user,peer". */
function listOf<Word extends string>(words: readonly Word[], what: string, value: string): Word[] {
  return value === "no" ? [] : value.split(",").map((word) => wordOf(words, what, word));
}

export const suspensionsOf = (value: string): readonly Suspension[] =>
  listOf(suspensions, "suspended", value);
export const pausesOf = (value: string): readonly Pause[] =>
  listOf(pauses, "resync-suspended", value);

/** Puts the parts together: each volume once, and told of by every connection. */
export function assemble(resource: Resource): Resource {
  const volumes = resource.devices.map(({ volume }) => volume);
  if (volumes.length === 0) notUnderstood("no volume", resource.name);
  const expected = volumesText(volumes);
  for (const { peer, peerDevices } of resource.connections) {
    const found = volumesText(peerDevices.map(({ volume }) => volume));
    if (found !== expected) notUnderstood(`volumes of ${shown(peer)}`, found);
  }
  const peers = new Set(resource.connections.map(({ peer }) => peer));
  if (peers.size < resource.connections.length) notUnderstood("one peer twice", resource.name);
  return resource;
}

function volumesText(volumes: readonly number[]): string {
  const sorted = [...volumes].sort((a, b) => a - b);
  if (new Set(sorted).size < sorted.length) notUnderstood("one volume twice", sorted.join(" "));
  return sorted.join(" ");
}
