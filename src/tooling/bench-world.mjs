// Two sites of two hosts on this machine: the shipped program throughout, each agent a process of
// its own, two copiers in the arrays' place. On loop devices as root, on plain files otherwise.
import dgram from "node:dgram";
import { mkdirSync, truncateSync, writeFileSync } from "node:fs";
import path from "node:path";
import { isRoot, loopDevice, must, startChild, tempFolder, until } from "./bench-start.mjs";

export const hosts = [
  { name: "a1", site: "a", slot: 0 },
  { name: "a2", site: "a", slot: 1 },
  { name: "b1", site: "b", slot: 0 },
  { name: "b2", site: "b", slot: 1 },
];
const mirrors = [
  { name: "a-b", writer: "a", reader: "b" },
  { name: "b-a", writer: "b", reader: "a" },
];
const volumeBytes = 1 << 20;

async function freePorts(count) {
  const sockets = Array.from({ length: count }, () => dgram.createSocket("udp4"));
  await Promise.all(
    sockets.map((socket) => new Promise((resolve) => socket.bind(0, "127.0.0.1", resolve))),
  );
  const ports = sockets.map((socket) => socket.address().port);
  for (const socket of sockets) socket.close();
  return ports;
}

function siteText(name, id, role, ports) {
  const blocks = hosts
    .map((host, index) => ({ ...host, port: ports[index] }))
    .filter((host) => host.site === name)
    .map(
      ({ name: host, slot, port }) =>
        `[[sites.hosts]]\nname = "${host}"\nslot = ${slot}\naddress = "127.0.0.1:${port}"\n`,
    );
  return `[[sites]]\nname = "${name}"\nid = ${id}\nrole = "${role}"\n${blocks.join("")}`;
}

function configText(world, self, intervalMs) {
  const { folder, volumes, ports } = world;
  const mirror = ({ name, writer, reader }) => `[[mirrors]]
name = "${name}"
writer = "${writer}"
reader = "${reader}"
pvol = "${volumes[name].pvol.device}"
svol = "${volumes[name].svol.device}"
[mirrors.pair]
provider = "embedded"
control = "${folder}/copiers/${name}.sock"
`;
  return `cluster = "bench"
host = "${self}"
key_file = "${folder}/authkey"
run_folder = "${folder}/${self}/run"
state_folder = "${folder}/${self}/state"
[timing]
interval_ms = ${intervalMs}
${siteText("a", 1, "production", ports)}${siteText("b", 2, "standby", ports)}${mirrors.map(mirror).join("")}`;
}

async function newVolume(folder, name) {
  if (isRoot) return loopDevice(folder, name, volumeBytes);
  const file = path.join(folder, name);
  writeFileSync(file, "");
  truncateSync(file, volumeBytes);
  return { device: file, file };
}

/** Opens a world; `program` is the launcher. Nothing beats yet. */
export async function openWorld(program, { intervalMs = 1000 } = {}) {
  const folder = tempFolder();
  const key = path.join(folder, "authkey");
  await must(program, ["key", "generate", "--out", key]);
  mkdirSync(path.join(folder, "copiers"), { mode: 0o700 });
  const volumes = {};
  for (const { name, writer, reader } of mirrors) {
    const pvol = await newVolume(folder, `${name}.pvol`);
    const svol = await newVolume(folder, `${name}.svol`);
    volumes[name] = { pvol, svol };
    const identity = ["--cluster", "bench", "--writer", writer, "--reader", reader];
    await must(program, [
      "format",
      pvol.device,
      ...identity,
      "--slots",
      "8",
      "--key",
      key,
      "--yes",
    ]);
  }
  const world = { folder, volumes, ports: await freePorts(hosts.length), agents: {} };
  for (const { name } of hosts) {
    mkdirSync(path.join(folder, name), { mode: 0o700 });
    writeFileSync(path.join(folder, name, "mirrorbeat.toml"), configText(world, name, intervalMs));
  }
  const paired = new Set();
  for (const { name } of mirrors) {
    const { pvol, svol } = volumes[name];
    const control = path.join(folder, "copiers", `${name}.sock`);
    startChild(program, ["remotecopy", pvol.device, svol.device, "--control", control], {
      onLine: (line) => line.includes("state=paired") && paired.add(name),
    });
  }
  await until(() => paired.size === mirrors.length, 15_000, "both mirrors paired");
  world.config = (host) => path.join(folder, host, "mirrorbeat.toml");
  /** Starts a host's agent; `onEvent` is told its event lines as objects. */
  world.start = (host, { onEvent = () => {}, command = [program] } = {}) => {
    const [first, ...rest] = [...command, "run", "--config", world.config(host)];
    const agent = startChild(first, rest, { onLine: (line) => onEvent(eventOf(line)) });
    world.agents[host] = Object.assign(agent, { tell: onEvent });
    return agent;
  };
  return world;
}

function eventOf(line) {
  const event = {};
  for (const [, name, quoted, plain] of line.matchAll(/(\w+)=(?:"([^"]*)"|(\S*))/g)) {
    event[name] = quoted ?? plain;
  }
  return event;
}

/** Starts all four agents and waits until each sees both peers alive. */
export async function startAll(world, onEvent = () => {}, command) {
  const alive = new Set();
  for (const { name } of hosts) {
    const tell = (event) => {
      if (event.ev === "verdict" && event.row === "1") alive.add(`${name} ${event.host}`);
      onEvent(name, event);
    };
    world.start(name, { onEvent: tell, ...(command ? { command } : {}) });
  }
  await until(() => alive.size === 8, 30_000, "every host sees both peers alive");
}
