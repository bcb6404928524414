/**
 * `drbdsetup status RESOURCE --verbose --statistics`: one block a resource, ended by an empty line;
 * an object's cells go on in lines that are indented further. The short form is not read: it
 * leaves out what it finds normal, so that a missing cell would mean that all is well.
 */
import {
  assemble,
  type Connection,
  connectionStates,
  notUnderstood,
  type Parsed,
  type Resource,
  roles,
  suspensionsOf,
  understood,
  wordOf,
} from "./facts.ts";
import { deviceOf, peerDeviceOf } from "./events2.ts";
import { Fields } from "./fields.ts";

export function parseStatusText(text: string, resource: string): Parsed {
  return understood(() => parse(text, resource));
}

type Peer = { readonly name: string; readonly fields: Fields; readonly peerDevices: Fields[] };
type Objects = { readonly devices: Fields[]; readonly peers: Peer[] };

const indents = { object: 2, peerDevice: 4, resourceMore: 4, deviceMore: 6, peerDeviceMore: 8 };

function parse(text: string, name: string): Resource {
  const lines = text.split("\n");
  if (lines.pop() !== "" || lines.pop() !== "") notUnderstood("not whole", text.slice(-40));
  const [first = "", ...rest] = lines;
  const [found, ...cells] = first.split(" ");
  if (found !== name) notUnderstood("another resource", found);
  const resource = new Fields("resource", cells);
  const objects: Objects = { devices: [], peers: [] };
  let open: { readonly fields: Fields; readonly indent: number } = {
    fields: resource,
    indent: indents.resourceMore,
  };
  for (const line of rest) {
    const indent = line.length - line.trimStart().length;
    const words = line.trim().split(" ");
    const begun = begin(objects, indent, words);
    if (begun) open = begun;
    else if (indent === open.indent) open.fields.add(words);
    else notUnderstood("line", line);
  }
  return assemble({
    name,
    role: wordOf(roles, "role", resource.get("role")),
    suspensions: suspensionsOf(resource.get("suspended")),
    devices: objects.devices.map(deviceOf),
    connections: objects.peers.map(connectionOf),
  });
}

/** The object that a line begins; null where it goes on with the one before. */
function begin(objects: Objects, indent: number, words: readonly string[]) {
  const [first = "", ...rest] = words;
  if (indent === indents.object && first.startsWith("volume:")) {
    if (objects.peers.length > 0) notUnderstood("a volume after a peer", first);
    const fields = new Fields("device", words);
    objects.devices.push(fields);
    return { fields, indent: indents.deviceMore };
  }
  if (indent === indents.object && !first.includes(":")) {
    const fields = new Fields("connection", rest);
    objects.peers.push({ name: first, fields, peerDevices: [] });
    return { fields, indent: indents.deviceMore };
  }
  if (indent === indents.peerDevice && first.startsWith("volume:")) {
    const fields = new Fields("peer-device", words);
    (objects.peers.at(-1) ?? notUnderstood("of no connection", first)).peerDevices.push(fields);
    return { fields, indent: indents.peerDeviceMore };
  }
  return null;
}

const connectionOf = ({ name, fields, peerDevices }: Peer): Connection => ({
  peer: name,
  state: wordOf(connectionStates, "connection", fields.get("connection")),
  peerRole: wordOf(roles, "peer role", fields.get("role")),
  peerDevices: peerDevices.map(peerDeviceOf),
});
