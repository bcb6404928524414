import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  connectionStates,
  type Device,
  diskStates,
  type PeerDevice,
  replicationStates,
  type Resource,
  roles,
} from "./facts.ts";
import { viewOf } from "./view.ts";

type Wish = Partial<Pick<Resource, "role" | "suspensions">> &
  Partial<Pick<Device, "disk" | "hasQuorum" | "sizeKib">> &
  Partial<Omit<PeerDevice, "disk" | "volume">> & {
    readonly connection?: Resource["connections"][number]["state"];
    readonly peerRole?: Resource["role"];
    readonly peerDisk?: PeerDevice["disk"];
  };

/** Paired, at the writer's end, but for what is wished. */
function resourceOf(wish: Wish = {}): Resource {
  const { role = "Primary", suspensions = [], disk = "UpToDate", hasQuorum = null } = wish;
  const peer = {
    volume: 0,
    replication: wish.replication ?? "Established",
    disk: wish.peerDisk ?? "UpToDate",
    pauses: wish.pauses ?? [],
    outOfSyncKib: wish.outOfSyncKib ?? 0,
    donePercent: wish.donePercent ?? null,
  };
  const state = wish.connection ?? "Connected";
  return {
    ...{ name: "hba", role, suspensions },
    devices: [{ volume: 0, disk, hasQuorum, sizeKib: wish.sizeKib ?? 1000 }],
    connections: [
      { peer: "1", state, peerRole: wish.peerRole ?? "Secondary", peerDevices: [peer] },
    ],
  };
}

function seen(resource: Resource, end: "writer" | "reader" = "writer") {
  const found = viewOf(resource, 0, end);
  if (!found.ok) throw new Error(found.message);
  return found.view;
}

test("of all that DRBD may say, paired are those with two whole disks that replicate", () => {
  let pairedCount = 0;
  for (const role of roles)
    for (const peerRole of roles)
      for (const connection of connectionStates)
        for (const replication of replicationStates)
          for (const disk of diskStates)
            for (const peerDisk of diskStates)
              for (const suspensions of [[], ["fencing"]] as const) {
                const end = disk === peerDisk || suspensions.length > 0 ? "reader" : "writer";
                const wish = { role, peerRole, connection, replication, disk, peerDisk };
                const { state } = seen(resourceOf({ ...wish, suspensions }), end);
                const isPaired =
                  connection === "Connected" &&
                  ["Established", "VerifyS", "VerifyT"].includes(replication) &&
                  disk === "UpToDate" &&
                  peerDisk === "UpToDate" &&
                  suspensions.length === 0 &&
                  role !== "Unknown" &&
                  peerRole !== "Unknown" &&
                  !(role === "Primary" && peerRole === "Primary");
                if (isPaired) pairedCount++;
                if ((state === "paired") !== isPaired) assert.equal({ ...wish, state }, isPaired);
              }
  assert.is(pairedCount, 3 * 3);
});

test("states that the captures do not have", () => {
  for (const [wish, state] of [
    [{ replication: "Ahead" }, "suspended-by-error"],
    [{ replication: "PausedSyncS", peerDisk: "Inconsistent", pauses: ["user"] }, "suspended-by-operator"],
    [{ replication: "PausedSyncS", peerDisk: "Inconsistent", pauses: ["dependency"] }, "copying"],
    [{ peerRole: "Primary" }, "unknown"],
    [{ hasQuorum: false }, "suspended-by-error"],
    [{ peerDisk: "Outdated" }, "suspended-by-error"],
    [{ disk: "Inconsistent", peerDisk: "Inconsistent" }, "unknown"],
    [{ connection: "Disconnecting" }, "unknown"],
    [{ connection: "StandAlone", pauses: ["peer"] }, "unknown"],
    [{ connection: "StandAlone", pauses: ["user", "dependency"] }, "suspended-by-operator"],
  ] as const satisfies readonly (readonly [Wish, string])[]) {
    assert.is(seen(resourceOf(wish)).state, state, JSON.stringify(wish));
  } // biome-ignore format: a table
});

test("what is not up to date is told to be out of sync, and how far it is", () => {
  assert.is(seen(resourceOf()).inSync, true);
  assert.is(seen(resourceOf({ outOfSyncKib: 4 })).inSync, false);
  assert.is(seen(resourceOf({ role: "Secondary", peerRole: "Primary" })).inSync, null);
  const copying = { replication: "SyncSource", peerDisk: "Inconsistent" } as const;
  assert.is(seen(resourceOf({ ...copying, outOfSyncKib: 250 })).percent, 75);
  assert.is(seen(resourceOf({ ...copying, donePercent: 12.5 })).percent, 12.5);
});

test("a volume that is not there, several peers, and volumes that differ are faults", () => {
  const whole = resourceOf();
  const [device] = whole.devices;
  const [connection] = whole.connections;
  const [peer] = connection?.peerDevices ?? [];
  assert.ok(device && connection && peer);
  const classOf = (resource: Resource, volume = 0) => {
    const found = viewOf(resource, volume, "writer");
    return found.ok ? found.view.state : found.class;
  };
  assert.is(classOf(whole, 1), "config");
  const three = { ...whole, connections: [connection, { ...connection, peer: "2" }] };
  assert.is(classOf(three), "config");
  const copying = { ...peer, volume: 1, replication: "SyncSource", disk: "Inconsistent" } as const;
  const two = {
    ...whole,
    devices: [device, { ...device, volume: 1 }],
    connections: [{ ...connection, peerDevices: [peer, copying] }],
  };
  assert.is(classOf(two), "mixed-group");
  const alike = { ...connection, peerDevices: [peer, { ...peer, volume: 1 }] };
  assert.is(classOf({ ...two, connections: [alike] }, 1), "paired");
});

test.run();
