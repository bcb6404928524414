/**
 * The two guests of the DRBD laboratory: starting and ending them, commands inside them, cables.
 * They run by software emulation, as hardware virtualisation inside a virtual machine may be there
 * and yet not work. They see the host's /usr, the program and the folder `share` read-only, and
 * reach nothing but each other. All paths are relative to the laboratory's folder, which is the
 * current one: a socket's path has little room.
 */
import { spawn } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import net from "node:net";
import path from "node:path";

export const nodes = ["tokyo", "osaka"];
const bootLimitMs = 180_000;
const qmpLimitMs = 10_000;
const diskBytes = 16 << 20;

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits for a condition, with a deadline. */
export async function until(what, limitMs, condition, everyMs = 100) {
  const endMs = performance.now() + limitMs;
  for (;;) {
    const seen = await condition();
    if (seen) return seen;
    if (performance.now() > endMs) throw new Error(`not within ${limitMs / 1000} s: ${what}`);
    await pause(everyMs);
  }
}

const textOf = (file) => (existsSync(file) ? readFileSync(file, "utf8") : "");

/** The process of a guest that runs; null where none does. */
export function processOf(node) {
  const pid = Number(textOf(`${node}.pid`));
  if (!pid) return null;
  const command = textOf(`/proc/${pid}/cmdline`).split("\0");
  return command[0]?.includes("qemu") && command.includes(`${node}.pid`) ? pid : null;
}

/** Node lies below /usr, which is shared anyway, or its folder is shared as well. */
function nodeShare() {
  const prefix = path.dirname(path.dirname(process.execPath));
  return prefix === "/usr" || prefix.startsWith("/usr/") ? null : prefix;
}

function share(tag, folder) {
  const where = `local,id=${tag},path=${folder},security_model=none,readonly=on`;
  return ["-fsdev", where, "-device", `virtio-9p-pci,fsdev=${tag},mount_tag=${tag}`];
}

function cable(name, node, peer, number, mac) {
  const ends = `local.type=unix,local.path=${name}.${node},remote.type=unix,remote.path=${name}.${peer}`;
  const card = `virtio-net-pci,netdev=${name},mac=52:54:00:00:0${mac}:0${number}`;
  return ["-netdev", `dgram,id=${name},${ends}`, "-device", card];
}

function guestArguments(node, image, dist) {
  const number = nodes.indexOf(node) + 1;
  const peer = nodes[2 - number];
  const nodejs = nodeShare();
  const line = `console=ttyS0 quiet loglevel=4 panic=-1 mitigations=off nokaslr tsc=reliable node=${node} i=${number}${nodejs ? ` nodeat=${nodejs}` : ""}`;
  const disk = (name) => [
    ...["-drive", `file=${node}.${name}.img,format=raw,if=none,id=${name},cache=none`],
    ...["-device", `virtio-blk-pci,drive=${name}`],
  ];
  return [
    ...["-name", node, "-accel", "tcg,thread=multi", "-cpu", "max,pmu=off"],
    ...["-smp", "1", "-m", "448", "-display", "none", "-nodefaults", "-no-reboot"],
    ...["-kernel", image.vmlinuz, "-initrd", image.initrd, "-append", line],
    ...["-serial", `file:${node}.console`, "-serial", `unix:${node}.port,server=on,wait=off`],
    ...["-qmp", `unix:${node}.qmp,server=on,wait=off`, "-pidfile", `${node}.pid`],
    ...share("usr", "/usr"),
    ...share("dist", dist),
    ...share("lab", path.resolve("share")),
    ...(nodejs ? share("nodejs", nodejs) : []),
    ...disk("a"),
    ...disk("b"),
    ...cable("lan", node, peer, number, 1),
    ...cable("link", node, peer, number, 2),
  ];
}

/** Boots both with empty disks. */
export async function boot(image, dist) {
  mkdirSync("share", { recursive: true });
  for (const node of nodes) {
    for (const end of ["pid", "port", "qmp", "console"]) rmSync(`${node}.${end}`, { force: true });
    for (const name of ["lan", "link"]) rmSync(`${name}.${node}`, { force: true });
    for (const name of ["a", "b"]) {
      rmSync(`${node}.${name}.img`, { force: true });
      writeFileSync(`${node}.${name}.img`, "");
      truncateSync(`${node}.${name}.img`, diskBytes);
    }
    const log = openSync(`${node}.log`, "w");
    const options = { stdio: ["ignore", log, log], detached: true };
    spawn("qemu-system-x86_64", guestArguments(node, image, dist), options).unref();
  }
  for (const node of nodes) {
    await until(`${node} has booted (see ${process.cwd()}/${node}.log)`, bootLimitMs, () =>
      textOf(`${node}.console`).includes("READY"),
    );
  }
}

/** Ends the guests, by their own process ids. */
export async function end() {
  for (const node of nodes) {
    const pid = processOf(node);
    if (pid) process.kill(pid, "SIGKILL");
    await until(`${node} has ended`, 10_000, () => processOf(node) === null);
    for (const what of ["pid", "port", "qmp"]) rmSync(`${node}.${what}`, { force: true });
    for (const name of ["lan", "link"]) rmSync(`${name}.${node}`, { force: true });
    for (const name of ["a", "b"]) rmSync(`${node}.${name}.img`, { force: true });
  }
}

/** Sends a text, again and again if `againMs` is given, until `answer` finds what it wants. */
function converse(socketPath, limitMs, text, answer, againMs = limitMs) {
  return new Promise((resolve, reject) => {
    let seen = "";
    const socket = net.connect(socketPath);
    const send = () => socket.write(text);
    const again = setInterval(send, againMs);
    const limit = setTimeout(() => finish(new Error(`no answer in ${limitMs} ms`)), limitMs);
    const finish = (result) => {
      clearTimeout(limit);
      clearInterval(again);
      socket.destroy();
      if (result instanceof Error) reject(result);
      else resolve(result);
    };
    socket.on("error", finish);
    socket.on("connect", send);
    socket.on("data", (data) => {
      seen += data;
      const found = answer(seen);
      if (found) finish(found);
    });
  });
}

let asked = 0;
const askAgainMs = 5000;
/** One at a time: the port has one reader, and what comes for another would be lost. */
const turns = new Map();

/** The last whole answer to a command; null where there is none yet. */
function wholeAnswer(seen, id) {
  const found = [...seen.matchAll(new RegExp(`@${id} (\\d+) (\\d+) ([A-Za-z0-9+/=]*)\n`, "g"))];
  return found.find(([, , length, text]) => text.length === Number(length)) ?? null;
}

/** Runs a shell command in a guest; gives its exit code and all it printed. */
export function command(node, text, limitMs = 60_000) {
  const id = `j${process.pid}x${++asked}`;
  const packed = Buffer.from(text).toString("base64");
  const line = `\n${id} ${packed.length} ${packed}\n`;
  const work = async () => {
    const whole = (seen) => wholeAnswer(seen, id);
    const found = await converse(`${node}.port`, limitMs, line, whole, askAgainMs).catch(
      (error) => {
        throw new Error(`${node}: ${text.split("\n")[0].slice(0, 80)}: ${error.message}`);
      },
    );
    return { code: Number(found[1]), text: Buffer.from(found[3], "base64").toString("utf8") };
  };
  const turn = (turns.get(node) ?? Promise.resolve()).then(work, work);
  turns.set(node, turn);
  return turn;
}

/** Pulls or plugs a cable at both ends. */
export async function setCable(name, isUp) {
  for (const node of nodes) {
    const order = { execute: "set_link", arguments: { name, up: isUp }, id: "cable" };
    const greet = `${JSON.stringify({ execute: "qmp_capabilities" })}\n${JSON.stringify(order)}\n`;
    const answer = await converse(`${node}.qmp`, qmpLimitMs, greet, (seen) =>
      seen.split("\n").find((line) => line.includes('"cable"')),
    );
    if (answer.includes('"error"')) throw new Error(`${node}: set_link ${name}: ${answer}`);
  }
}
