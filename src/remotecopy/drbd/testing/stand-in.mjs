/**
 * Stands in for drbdsetup and drbdadm of two hosts, for tests: what both hosts share is one file
 * of state. It prints what DRBD 8.4 or 9 prints (own captures of 8.4; 9 as documented), and keeps
 * to its rules: one Primary, a resync after each reconnection, a split brain where both were
 * written. `faults` of a host make it misbehave.
 *
 *   stand-in.mjs STATEFILE HOST drbdsetup|drbdadm ARGUMENTS...
 */
import { appendFileSync, readFileSync, renameSync, writeFileSync } from "node:fs";

const [file, host, program, ...args] = process.argv.slice(2);
const peerOf = { tokyo: "osaka", osaka: "tokyo" };
const syncMs = 150;

function load() {
  return JSON.parse(readFileSync(file, "utf8"));
}

function store(state) {
  writeFileSync(`${file}.${process.pid}`, JSON.stringify(state));
  renameSync(`${file}.${process.pid}`, file);
}

/** What the two hosts make of each other by themselves. */
function settle(state) {
  const { tokyo, osaka } = state.hosts;
  const both = [tokyo, osaka];
  const meet = state.link && both.every(({ up, connects }) => up && connects);
  if (!meet) {
    if (state.connected) state.connected = false;
    for (const each of both) if (each.up && each.role === "Primary") each.written = true;
    return;
  }
  if (state.connected) return;
  if (both.every(({ written, role }) => written || role === "Primary")) {
    for (const each of both) each.connects = false;
    return;
  }
  state.connected = true;
  state.syncedAtMs = Date.now() + syncMs;
  state.source = osaka.written || osaka.role === "Primary" ? "osaka" : "tokyo";
  for (const each of both) each.written = false;
}

class Refused extends Error {}
const refuse = (text) => {
  throw new Refused(text);
};

const changes = {
  up(own) {
    if (own.up) refuse("Failure: (124) Device is attached to a disk (use detach first)");
    Object.assign(own, { up: true, connects: true, role: "Secondary", paused: false });
  },
  down: (own) =>
    Object.assign(own, { up: false, connects: false, role: "Secondary", paused: false }),
  connect(own) {
    if (own.connects) refuse("hba: Failure: (102) Local address(port) already in use.");
    own.connects = true;
  },
  disconnect(own) {
    own.connects = false;
  },
  "pause-sync"(own) {
    own.paused = true;
  },
  "resume-sync"(own) {
    if (!own.paused) refuse("0: Failure: (135) Sync-pause flag is already cleared");
    own.paused = false;
  },
  primary(own, state) {
    const peer = state.hosts[peerOf[host]];
    if (state.connected && peer.role === "Primary") {
      refuse("0: State change failed: (-1) Multiple primaries not allowed by config");
    }
    own.role = "Primary";
  },
  secondary(own) {
    own.role = "Secondary";
  },
};

function change(state, verb) {
  const own = state.hosts[host];
  const fault = own.faults.next;
  own.faults.next = null;
  if (fault === "lies") return store(state);
  try {
    if (verb !== "up" && !own.up) refuse("hba: Failure: (158) Unknown resource");
    changes[verb](own, state);
    settle(state);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    store(state);
    console.error(`${error.message}\nCommand 'drbdsetup ${verb}' terminated with exit code 10`);
    process.exitCode = 10;
    return;
  }
  store(state);
  if (fault === "killed") process.kill(process.pid, "SIGKILL");
  if (fault === "fails") {
    console.error("0: State change failed: (-10) State change was refused by peer node");
    process.exitCode = 11;
  }
}

/** One row a volume, as this host sees it. */
function look(state) {
  const own = state.hosts[host];
  const { connected } = state;
  const peer = state.hosts[peerOf[host]];
  const syncing = connected && Date.now() < state.syncedAtMs;
  const isSource = state.source === host;
  const volume = (number, copies) => ({
    number,
    disk: copies && !isSource ? "Inconsistent" : "UpToDate",
    peerDisk: !connected ? "DUnknown" : copies && isSource ? "Inconsistent" : "UpToDate",
    replication: !connected
      ? "Off"
      : copies
        ? isSource
          ? "SyncSource"
          : "SyncTarget"
        : "Established",
    outOfSync: copies ? 4096 : 0,
    done: copies ? "74.93" : null,
  });
  return {
    role: own.role,
    peerRole: connected ? peer.role : "Unknown",
    connection: connected ? "Connected" : own.connects ? "Connecting" : "StandAlone",
    paused: own.paused ? "user" : "no",
    volumes: state.isMixed ? [volume(0, syncing), volume(1, true)] : [volume(0, syncing)],
  };
}

function events2(state) {
  const seen = look(state);
  const nine = state.version === 9;
  const forgotten = !nine && seen.connection === "StandAlone";
  const at = `name:hba peer-node-id:${nine ? 1 : 0}${forgotten ? "" : " conn-name:peer"}`;
  const lines = [
    `exists resource name:hba role:${seen.role} suspended:no${nine ? " force-io-failures:no may_promote:no promotion_score:10101" : ""} write-ordering:flush`,
    `exists connection ${at} connection:${seen.connection} role:${seen.peerRole} congested:no`,
    ...(nine
      ? [`exists path ${at} local:ipv4:10.0.0.1:7789 peer:ipv4:10.0.0.2:7789 established:yes`]
      : []),
    ...seen.volumes.map(
      (each) =>
        `exists device name:hba volume:${each.number} minor:${each.number}${nine ? " backing_dev:/dev/vda" : ""} disk:${each.disk}${nine ? " client:no quorum:yes" : ""} size:16344 read:0 written:0 al-writes:8 bm-writes:0 upper-pending:0 lower-pending:0 al-suspended:no blocked:no`,
    ),
    ...seen.volumes.map(
      (each) =>
        `exists peer-device ${at} volume:${each.number} replication:${each.replication} peer-disk:${each.peerDisk}${nine ? " peer-client:no" : ""} resync-suspended:${seen.paused} received:0 sent:0 out-of-sync:${each.outOfSync} pending:0 unacked:0`,
    ),
  ];
  return `${lines.join("\n")}\nexists -\n`;
}

function statusText(state) {
  const seen = look(state);
  const volume = (each) =>
    `  volume:${each.number} minor:${each.number} disk:${each.disk}\n      size:16344 read:0 written:0 al-writes:8 bm-writes:0 upper-pending:0\n      lower-pending:0 al-suspended:no blocked:no\n`;
  const peerVolume = (each) =>
    `    volume:${each.number} replication:${each.replication} peer-disk:${each.peerDisk}${each.done ? ` done:${each.done}\n       ` : ""} resync-suspended:${seen.paused}\n        received:0 sent:0 out-of-sync:${each.outOfSync} pending:0 unacked:0\n`;
  const peer =
    state.version === 8 && seen.connection === "StandAlone"
      ? ""
      : `  peer connection:${seen.connection} role:${seen.peerRole} congested:no\n${seen.volumes.map(peerVolume).join("")}`;
  return `hba role:${seen.role} suspended:no\n    write-ordering:flush\n${seen.volumes.map(volume).join("")}${peer}\n`;
}

function statusJson(state) {
  const seen = look(state);
  const flags = ["", "-user", "-no-data", "-fencing", "-quorum"].map((end) => [
    `suspended${end}`,
    false,
  ]);
  const devices = seen.volumes.map((each) => ({
    ...{ volume: each.number, minor: each.number, "disk-state": each.disk, client: false },
    ...{ open: true, quorum: true, size: 16344, read: 0, written: 0 },
  }));
  const peerDevices = seen.volumes.map((each) => ({
    ...{ volume: each.number, "replication-state": each.replication },
    ...{ "peer-disk-state": each.peerDisk, "peer-client": false, "resync-suspended": seen.paused },
    ...{ received: 0, sent: 0, "out-of-sync": each.outOfSync, pending: 0, unacked: 0 },
    ...{ "has-sync-details": false, "has-online-verify-details": false, "percent-in-sync": 100 },
    ...(each.done ? { "percent-resync-done": Number(each.done) } : {}),
  }));
  const connection = {
    ...{ "peer-node-id": 1, name: peerOf[host], "connection-state": seen.connection },
    ...{ congested: false, "peer-role": seen.peerRole, tls: false, peer_devices: peerDevices },
  };
  const resource = {
    ...{ name: "hba", "node-id": 0, role: seen.role, ...Object.fromEntries(flags) },
    ...{
      "force-io-failures": false,
      "write-ordering": "flush",
      devices,
      connections: [connection],
    },
  };
  return `${JSON.stringify([resource], null, 2)}\n`;
}

function show(state) {
  const { disk } = state.hosts[host];
  return `resource hba {\n    options {\n    }\n    _this_host {\n        volume 0 {\n            device\t\t\tminor 0;\n            disk\t\t\t"${disk}";\n            meta-disk\t\t\tinternal;\n            disk {\n            }\n        }\n    }\n}\n`;
}

const absent = (state) => !state.hosts[host].up;

/** Text, or null where it is refused. */
function answer(state) {
  const [verb, ...rest] = args;
  if (program === "drbdadm" && verb === "sh-ll-dev") return `${state.hosts[host].configured}\n`;
  if (program === "drbdsetup" && verb === "show") {
    if (!absent(state)) return show(state);
    process.exitCode = 20;
    console.error("received netlink error reply: No such device");
    return "";
  }
  if (program === "drbdsetup" && verb === "events2")
    return absent(state) ? "exists -\n" : events2(state);
  if (program === "drbdsetup" && verb === "status") {
    if (rest.includes("--json") && state.version === 8) {
      process.exitCode = 20;
      console.error("status: unrecognized option '--json'");
      return "\nUSAGE: drbdsetup command device arguments options\n";
    }
    if (absent(state)) {
      process.exitCode = 10;
      console.error("hba: No such resource");
      return rest.includes("--json") ? "[\n]\n" : "";
    }
    return rest.includes("--json") ? statusJson(state) : statusText(state);
  }
  process.exitCode = 20;
  return "unknown\n";
}

function main() {
  const state = load();
  appendFileSync(
    `${file}.log`,
    `${[program, ...args].join(" ")}${program === "drbdadm" ? ` at ${host}` : ""}\n`,
  );
  settle(state);
  const { faults } = state.hosts[host];
  if (faults.answers === "hang") return setInterval(() => undefined, 1 << 30);
  if (faults.answers === "garbage")
    return process.stdout.write("\u0001\u00ff%&/ role:Primary Connected UpToDate\n");
  if (program === "drbdadm" && args[0] in changes) return change(state, args[0]);
  store(state);
  const text = answer(state);
  return process.stdout.write(
    faults.answers === "truncated" ? text.slice(0, text.length / 2) : text,
  );
}

main();
