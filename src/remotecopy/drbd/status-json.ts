/** `drbdsetup status RESOURCE --json` of DRBD 9: an array with one object a resource. */
import {
  assemble,
  type Connection,
  connectionStates,
  type Device,
  diskStates,
  notUnderstood,
  type Parsed,
  type PeerDevice,
  pausesOf,
  replicationStates,
  type Resource,
  roles,
  type Suspension,
  understood,
  wordOf,
} from "./facts.ts";

export function parseStatusJson(text: string, resource: string): Parsed {
  return understood(() => parse(text, resource));
}

type Entry = Readonly<Record<string, unknown>>;

function parse(text: string, name: string): Resource | null {
  const found = listOf("answer", jsonOf(text));
  if (found.length === 0) return null;
  if (found.length > 1) notUnderstood("more than one resource", found.length);
  const [entry] = found as [Entry];
  if (entry["name"] !== name) notUnderstood("another resource", entry["name"]);
  const devices = listOf("devices", entry["devices"]).map(deviceOf);
  return assemble({
    name,
    role: wordOf(roles, "role", entry["role"]),
    suspensions: suspensionsIn(entry),
    devices: entry["force-io-failures"] === true ? devices.map(failing) : devices,
    connections: listOf("connections", entry["connections"]).map(connectionOf),
  });
}

/** Whatever the disk is, every write and read fails. */
const failing = (device: Device): Device => ({ ...device, disk: "Failed" });

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return notUnderstood("no JSON", text.slice(0, 40));
  }
}

function listOf(what: string, value: unknown): readonly Entry[] {
  if (!Array.isArray(value)) return notUnderstood(what, value);
  return value.map((each: unknown) =>
    each !== null && typeof each === "object" && !Array.isArray(each)
      ? (each as Entry)
      : notUnderstood(what, each),
  );
}

/** "suspended" sums the others up; older versions tell fewer of them. */
function suspensionsIn(entry: Entry): readonly Suspension[] {
  const reasons = (["user", "no-data", "fencing", "quorum"] as const).filter(
    (reason) => flagOf(entry, `suspended-${reason}`) === true,
  );
  if (flagOf(entry, "suspended") ?? notUnderstood("without", "suspended")) {
    return reasons.length > 0 ? reasons : ["user"];
  }
  return reasons;
}

function flagOf(entry: Entry, key: string): boolean | null {
  const value = entry[key];
  if (value === undefined) return null;
  return typeof value === "boolean" ? value : notUnderstood(key, value);
}

function numberOf(entry: Entry, key: string): number | null {
  const value = entry[key];
  if (value === undefined) return null;
  return typeof value === "number" && value >= 0 ? value : notUnderstood(key, value);
}

function volumeOf(entry: Entry): number {
  const volume = numberOf(entry, "volume");
  return volume !== null && Number.isInteger(volume) ? volume : notUnderstood("volume", volume);
}

function deviceOf(entry: Entry): Device {
  return {
    volume: volumeOf(entry),
    disk: wordOf(diskStates, "disk-state", entry["disk-state"]),
    hasQuorum: flagOf(entry, "quorum") ?? notUnderstood("without", "quorum"),
    sizeKib: numberOf(entry, "size"),
  };
}

function connectionOf(entry: Entry): Connection {
  return {
    peer: String(numberOf(entry, "peer-node-id") ?? notUnderstood("without", "peer-node-id")),
    state: wordOf(connectionStates, "connection-state", entry["connection-state"]),
    peerRole: wordOf(roles, "peer-role", entry["peer-role"]),
    peerDevices: listOf("peer_devices", entry["peer_devices"]).map(peerDeviceOf),
  };
}

function peerDeviceOf(entry: Entry): PeerDevice {
  const paused = entry["resync-suspended"];
  return {
    volume: volumeOf(entry),
    replication: wordOf(replicationStates, "replication-state", entry["replication-state"]),
    disk: wordOf(diskStates, "peer-disk-state", entry["peer-disk-state"]),
    pauses: pausesOf(
      typeof paused === "string" ? paused : notUnderstood("resync-suspended", paused),
    ),
    outOfSyncKib: numberOf(entry, "out-of-sync"),
    donePercent: numberOf(entry, "percent-resync-done"),
  };
}
