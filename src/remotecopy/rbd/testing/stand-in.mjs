// stand-in.mjs FOLDER rbd|ceph ARGUMENTS...: answers as two Ceph clusters that mirror one image by
// journal, as far as `rbd` and `ceph fsid` are documented. All it knows is FOLDER/state.json; it
// shares no code with the provider.
//
// state.json: { created, mode, pool, image, globalId, link, faults: {NAME: true}, sites: {CLUSTER:
// { fsid, exists, id, mirrored, primary, torn, syncedAtMs } } }
import { readFileSync, renameSync, writeFileSync } from "node:fs";

const [folder, tool, ...words] = process.argv.slice(2);
const file = `${folder}/state.json`;
const state = JSON.parse(readFileSync(file, "utf8"));
const { faults } = state;
const stop = (code, text) => {
  process.stderr.write(text);
  process.exit(code);
};
const save = () => {
  writeFileSync(`${file}.${process.pid}`, JSON.stringify(state));
  renameSync(`${file}.${process.pid}`, file);
};

const takeOption = (name) => {
  const at = words.indexOf(name);
  return at < 0 ? undefined : words.splice(at, 2)[1];
};
const takeFlag = (name) => {
  const at = words.indexOf(name);
  if (at >= 0) words.splice(at, 1);
  return at >= 0;
};
const cluster = takeOption("--cluster") ?? "ceph";
const format = takeOption("--format");
const force = takeFlag("--force");
const site = state.sites[cluster];
const peerName = Object.keys(state.sites).find((name) => name !== cluster);
const peer = state.sites[peerName];

const timeText = (ms) => {
  // rbd prints the time of its own zone: who does not set one gets another than UTC.
  const zoneMs = process.env.TZ === "UTC" ? 0 : 5 * 3_600_000;
  return new Date(ms + zoneMs).toISOString().slice(0, 19).replace("T", " ");
};

function print(value) {
  const text = JSON.stringify(value);
  if (faults.truncated) process.stdout.write(text.slice(0, text.length / 2));
  else if (faults.garbage)
    process.stdout.write(Buffer.from("\u0000<html>503</html>\xff\n", "latin1"));
  else process.stdout.write(`${text}\n`);
}

/** What the daemon of one site wrote of its image, into its own cluster and into the other. */
function wordOf(own, other) {
  if (own.torn) return ["up+error", "split-brain"];
  if (own.primary) return ["up+stopped", "local image is primary"];
  if (!other.primary) return ["up+unknown", "remote image demoted"];
  if (state.link === "cut") {
    return ["up+error", "replay completed with error: (110) Connection timed out"];
  }
  if (Date.now() < own.syncedAtMs) {
    return ["up+syncing", "bootstrapping, IMAGE_SYNC/COPY_OBJECTS 43%"];
  }
  const position = { entry_tid: 9, object_number: 1, tag_tid: 3 };
  const progress = {
    bytes_per_second: 0,
    entries_behind_primary: 0,
    entries_per_second: 0,
    non_primary_position: position,
    primary_position: position,
  };
  return ["up+replaying", `replaying, ${JSON.stringify(progress)}`];
}

function statusOf(own, other, isFar) {
  const [word, description] = wordOf(own, other);
  // What the other site's daemon last wrote here stays, but its watch is lost.
  const gone = isFar && state.link === "cut";
  const last_update = timeText(Date.now() - (gone ? 90_000 : 200));
  return { state: gone ? `down+${word.split("+")[1]}` : word, description, last_update };
}

function info() {
  print({
    name: state.image,
    id: site.id,
    size: 16777216,
    objects: 4,
    order: 22,
    object_size: 4194304,
    snapshot_count: 0,
    block_name_prefix: `rbd_data.${site.id}`,
    format: 2,
    features: ["layering", "exclusive-lock", "journaling"],
    op_features: [],
    flags: [],
    journal: site.id,
    mirroring: site.mirrored
      ? { mode: state.mode, state: "enabled", global_id: state.globalId, primary: site.primary }
      : { state: "disabled" },
  });
}

function status() {
  if (!site.mirrored) stop(22, "rbd: mirroring not enabled on the image\n");
  const far = { site_name: peerName, mirror_uuids: "0f0e", ...statusOf(peer, site, true) };
  print({
    name: state.image,
    global_id: state.globalId,
    ...statusOf(site, peer, false),
    peer_sites: faults.mixed ? [far, { ...far, site_name: "third" }] : [far],
  });
}

const bootstrap = (own) => {
  state.created += 1;
  Object.assign(own, { exists: true, id: `b${state.created}`, mirrored: true, primary: false });
  Object.assign(own, { torn: false, syncedAtMs: Date.now() + 200 });
};

const changes = {
  enable() {
    if (words.pop() !== "journal") stop(22, "rbd: invalid mode\n");
    if (site.mirrored) return;
    state.globalId = `g${++state.created}`;
    Object.assign(site, { mirrored: true, primary: true, torn: false });
    bootstrap(peer);
  },
  disable() {
    if (!site.primary && !force) stop(22, "rbd: failed to disable: (22) Invalid argument\n");
    if (site.primary && state.link !== "cut")
      Object.assign(peer, { exists: false, mirrored: false });
    Object.assign(site, { mirrored: false, primary: false });
  },
  promote() {
    if (site.primary) stop(22, "rbd: error promoting image to primary\n");
    if (peer.primary && !force) stop(16, "rbd: error promoting image to primary\n");
    site.primary = true;
  },
  demote() {
    if (!site.primary) stop(22, "rbd: error demoting image to non-primary\n");
    site.primary = false;
    site.torn = peer.primary;
  },
  resync() {
    if (site.primary) stop(22, "rbd: error flagging image resync\n");
    if (peer.primary) bootstrap(site);
  },
};

function change(verb) {
  if (faults.lies) return;
  changes[verb]();
  save();
  if (faults.killed) process.kill(process.pid, "SIGKILL");
  if (faults.fails) stop(5, "rbd: (5) Input/output error\n");
}

if (faults.hang === cluster) setInterval(() => undefined, 60_000);
else if (faults.dead === cluster) stop(1, "rbd: couldn't connect to the cluster!\n");
else if (!site) stop(1, "rbd: couldn't connect to the cluster!\n");
else if (faults.denied) stop(1, "rbd: listing failed: (1) Operation not permitted\n");
else if (tool === "ceph") process.stdout.write(faults.garbage ? "?\n" : `${site.fsid}\n`);
else {
  const verb = words[0] === "mirror" ? words.splice(0, 3)[2] : words.shift();
  if (words[0] !== `${state.pool}/${state.image}`) {
    stop(2, "rbd: error opening pool 'x': (2) No such file or directory\n");
  }
  if (!site.exists) {
    stop(2, `rbd: error opening image ${state.image}: (2) No such file or directory\n`);
  }
  if (verb in changes) change(verb);
  else if (format !== "json") stop(22, "rbd: this stand-in speaks JSON only\n");
  else if (verb === "info") info();
  else status();
}
