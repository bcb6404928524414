/**
 * `drbdsetup events2 --now --statistics RESOURCE`: a line for each object, then "exists -". The
 * form that both DRBD 8.4 and 9 print, and the only one of 8.4 that tells of a connection that
 * stands alone. Without its last line it is not whole.
 */
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
  suspensionsOf,
  understood,
  wholeOf,
  wordOf,
} from "./facts.ts";
import { Fields, percentOf, yesOrNo } from "./fields.ts";

export function parseEvents2(text: string, resource: string): Parsed {
  return understood(() => parse(text, resource));
}

type Objects = {
  resource: Fields | null;
  readonly devices: Fields[];
  readonly connections: Fields[];
  readonly peerDevices: Fields[];
};

function parse(text: string, name: string): Resource | null {
  const lines = text.split("\n");
  if (lines.pop() !== "" || lines.pop() !== "exists -") notUnderstood("not whole", text.slice(-40));
  const objects: Objects = { resource: null, devices: [], connections: [], peerDevices: [] };
  for (const line of lines) take(objects, line, name);
  const { resource, devices, connections, peerDevices } = objects;
  if (!resource) return lines.length === 0 ? null : notUnderstood("without its resource", name);
  const whose = peerDevices.map((fields) => ({ peer: peerOf(fields), fields }));
  const peers = connections.map(peerOf);
  for (const { peer } of whose) if (!peers.includes(peer)) notUnderstood("of no connection", peer);
  return assemble({
    name,
    role: wordOf(roles, "role", resource.get("role")),
    suspensions: suspensionsOf(resource.get("suspended")),
    devices: devices.map(deviceOf),
    connections: connections.map((fields): Connection => {
      const peer = peerOf(fields);
      const own = whose.filter((each) => each.peer === peer);
      return {
        peer,
        state: wordOf(connectionStates, "connection", fields.get("connection")),
        peerRole: wordOf(roles, "peer role", fields.get("role")),
        peerDevices: own.map((each) => peerDeviceOf(each.fields)),
      };
    }),
  });
}

function take(objects: Objects, line: string, name: string): void {
  const [verb, kind, ...cells] = line.split(" ");
  if (verb !== "exists" || kind === undefined) notUnderstood("line", line);
  if (kind === "path") return;
  const fields = new Fields(kind, cells);
  if (fields.get("name") !== name) notUnderstood("another resource", fields.get("name"));
  switch (kind) {
    case "resource":
      if (objects.resource) notUnderstood("one resource twice", name);
      objects.resource = fields;
      return;
    case "device":
      objects.devices.push(fields);
      return;
    case "connection":
      objects.connections.push(fields);
      return;
    case "peer-device":
      objects.peerDevices.push(fields);
      return;
    default:
      notUnderstood("line", line);
  }
}

const peerOf = (fields: Fields): string => fields.get("peer-node-id");

/** As the text of `status` has it too. */
export function deviceOf(fields: Fields): Device {
  return {
    volume: wholeOf("volume", fields.get("volume")),
    disk: wordOf(diskStates, "disk", fields.get("disk")),
    hasQuorum: fields.optional("quorum", yesOrNo),
    sizeKib: fields.optional("size", wholeOf),
  };
}

export function peerDeviceOf(fields: Fields): PeerDevice {
  return {
    volume: wholeOf("volume", fields.get("volume")),
    replication: wordOf(replicationStates, "replication", fields.get("replication")),
    disk: wordOf(diskStates, "peer-disk", fields.get("peer-disk")),
    pauses: pausesOf(fields.get("resync-suspended")),
    outOfSyncKib: fields.optional("out-of-sync", wholeOf),
    donePercent: fields.optional("done", percentOf),
  };
}
