/**
 * From DRBD's facts to the common model, volume by volume.
 *
 * A connection that stands alone was given up at this end: by a command, by a refusal of the peer,
 * or after a split brain, and DRBD does not tell which. Our `split` therefore also pauses the
 * resync ("resync-suspended:user"): a mark that DRBD keeps as long as it keeps the connection
 * down, which only this end's operator sets and which `resync` clears. Standing alone with the
 * mark is `suspended-by-operator`; without it, `unknown`. What the other end disconnected looks
 * like a broken link from here.
 *
 * With two Secondaries nobody can write: the volumes are paired, but the role is `unknown`, so
 * that nobody takes the silence of such a pair for a sign.
 */
import type { MirrorEnd } from "../evidence.ts";
import {
  fault,
  type PairFault,
  type PairRole,
  type PairState,
  type PairView,
} from "../provider.ts";
import type { Connection, Device, PeerDevice, ReplicationState, Resource } from "./facts.ts";

type Judged = { readonly state: PairState; readonly cause: string };

const simplex: PairView = {
  state: "simplex",
  role: "none",
  readable: null,
  writable: false,
  inSync: null,
  percent: null,
  lastCopyAgoMs: null,
  native: "down",
  cause: "",
};

/** `resource` is null where DRBD has it not up. */
export function viewOf(
  resource: Resource | null,
  volume: number,
  end: MirrorEnd,
): { readonly ok: true; readonly view: PairView } | PairFault {
  if (!resource) return { ok: true, view: simplex };
  const { name, devices, connections } = resource;
  if (connections.length > 1) {
    return fault("config", `${name} has ${connections.length} peers; a pair has one`);
  }
  const connection = connections[0] ?? null;
  const judged = devices.map((device) => ({
    device,
    peer: peerOf(connection, device.volume),
    ...judge(resource, device, connection, end),
  }));
  const chosen = judged.find(({ device }) => device.volume === volume);
  if (!chosen) return fault("config", `${name} has no volume ${volume}`);
  if (new Set(judged.map(({ state }) => state)).size > 1) {
    const states = judged.map(({ device, state }) => `${device.volume} ${state}`);
    return fault("mixed-group", `volumes of ${name} differ: ${states.join(", ")}`);
  }
  const { device, peer } = chosen;
  return { ok: true, view: localView(resource, device, connection, peer, chosen) };
}

const peerOf = (connection: Connection | null, volume: number): PeerDevice | null =>
  connection?.peerDevices.find((each) => each.volume === volume) ?? null;

function judge(
  resource: Resource,
  device: Device,
  connection: Connection | null,
  end: MirrorEnd,
): Judged {
  const taken = end === "reader" && resource.role === "Primary";
  const peer = peerOf(connection, device.volume);
  switch (device.disk) {
    case "Diskless":
    case "Detaching":
    case "Failed":
      return { state: "suspended-by-error", cause: `this end's disk is ${device.disk}` };
    case "Attaching":
    case "Negotiating":
    case "DUnknown":
      return { state: "unknown", cause: `this end's disk is ${device.disk}` };
    default:
  }
  const state = connection?.state ?? "StandAlone";
  if (state === "Disconnecting") return { state: "unknown", cause: "it is being disconnected" };
  if (state !== "Connected" && taken) return { state: "takeover", cause: "" };
  if (state === "StandAlone") {
    if (peer?.pauses.includes("user")) return { state: "suspended-by-operator", cause: "" };
    const cause =
      "stands alone: disconnected by hand, refused or split brain; see the kernel's log";
    return { state: "unknown", cause };
  }
  if (state !== "Connected") {
    const cause = `not connected (${state}): the link, or the other end, is down or disconnected`;
    return { state: "suspended-by-error", cause };
  }
  if (!connection || !peer) return { state: "unknown", cause: "nothing is told of the other end" };
  return judgeConnected(resource, device, connection, peer);
}

const copyingStates: readonly ReplicationState[] = [
  "StartingSyncS", "StartingSyncT", "WFBitMapS", "WFBitMapT", "WFSyncUUID", "SyncSource",
  "SyncTarget", "PausedSyncS", "PausedSyncT",
]; // biome-ignore format: words

function judgeConnected(
  resource: Resource,
  device: Device,
  connection: Connection,
  peer: PeerDevice,
): Judged {
  const { replication } = peer;
  if (connection.peerRole === "Unknown") return { state: "unknown", cause: "peer without a role" };
  if (resource.role === "Unknown") return { state: "unknown", cause: "no role" };
  if (resource.role === "Primary" && connection.peerRole === "Primary") {
    return { state: "unknown", cause: "both ends are Primary" };
  }
  if (replication === "Ahead" || replication === "Behind") {
    return { state: "suspended-by-error", cause: `congested (${replication})` };
  }
  if (copyingStates.includes(replication)) {
    const byHand = peer.pauses.some((pause) => pause === "user" || pause === "peer");
    if (!replication.startsWith("Paused") || !byHand) return { state: "copying", cause: "" };
    return { state: "suspended-by-operator", cause: "" };
  }
  if (replication === "Off") return { state: "unknown", cause: "connected, but not replicating" };
  return judgeDisks(resource, device, peer);
}

/** Established, or verified meanwhile. */
function judgeDisks(resource: Resource, device: Device, peer: PeerDevice): Judged {
  const disks = `disks ${device.disk}/${peer.disk}`;
  if (["Diskless", "Detaching", "Failed"].includes(peer.disk)) {
    return { state: "suspended-by-error", cause: `the other end's disk is ${peer.disk}` };
  }
  if (device.disk === "Outdated" || peer.disk === "Outdated") {
    return { state: "suspended-by-error", cause: disks };
  }
  if (device.disk !== "UpToDate" || peer.disk !== "UpToDate") {
    const never = device.disk === "Inconsistent" && peer.disk === "Inconsistent";
    const remedy = never ? ": never synchronised; make one end Primary by force" : "";
    return { state: "unknown", cause: `${disks}${remedy}` };
  }
  if (device.hasQuorum === false) return { state: "suspended-by-error", cause: "no quorum" };
  if (resource.suspensions.length > 0) {
    return { state: "unknown", cause: `I/O is suspended: ${resource.suspensions.join(", ")}` };
  }
  return { state: "paired", cause: "" };
}

function localView(
  resource: Resource,
  device: Device,
  connection: Connection | null,
  peer: PeerDevice | null,
  { state, cause }: Judged,
): PairView {
  const { role, suspensions } = resource;
  const usable =
    device.disk === "UpToDate" || (connection?.state === "Connected" && peer?.disk === "UpToDate");
  return {
    state,
    role: pairRole(resource, connection),
    // The backing disk; the device itself is readable on a Primary alone.
    readable: !["Diskless", "Attaching", "Detaching", "Failed"].includes(device.disk),
    writable:
      role === "Primary" && usable && suspensions.length === 0 && device.hasQuorum !== false,
    inSync: inSyncOf(state, role === "Primary", peer),
    percent: percentOf(state, device, peer),
    lastCopyAgoMs: null,
    native: nativeOf(resource, device, connection, peer),
    cause,
  };
}

function pairRole({ role }: Resource, connection: Connection | null): PairRole {
  if (role === "Unknown") return "unknown";
  const peerRole = connection?.state === "Connected" ? connection.peerRole : null;
  if (peerRole === role) return "unknown";
  return role === "Primary" ? "primary" : "secondary";
}

/** A Secondary hears of what differs only from its Primary. */
function inSyncOf(state: PairState, isPrimary: boolean, peer: PeerDevice | null): boolean | null {
  if (state === "unknown") return null;
  if (state !== "paired") return false;
  const { outOfSyncKib } = peer ?? { outOfSyncKib: null };
  if (outOfSyncKib !== null && outOfSyncKib > 0) return false;
  return isPrimary && outOfSyncKib === 0 ? true : null;
}

function percentOf(state: PairState, device: Device, peer: PeerDevice | null): number | null {
  if (state === "paired") return 100;
  if (state !== "copying" || !peer) return null;
  if (peer.donePercent !== null) return peer.donePercent;
  if (peer.outOfSyncKib === null || !device.sizeKib) return null;
  const percent = 100 * (1 - peer.outOfSyncKib / device.sizeKib);
  return Math.max(0, Math.round(percent * 100) / 100);
}

function nativeOf(
  { role, suspensions }: Resource,
  { disk }: Device,
  connection: Connection | null,
  peer: PeerDevice | null,
): string {
  const words = [`${role}/${connection?.peerRole ?? "Unknown"}`, connection?.state ?? "StandAlone"];
  if (peer && connection?.state === "Connected") words.push(peer.replication);
  words.push(`${disk}/${peer?.disk ?? "DUnknown"}`);
  if (suspensions.length > 0) words.push(`suspended:${suspensions.join(",")}`);
  if (peer && peer.pauses.length > 0) words.push(`resync-suspended:${peer.pauses.join(",")}`);
  return words.join(" ");
}
