/**
 * Virtual machines of the laboratories: starting and ending them, commands inside them, what they
 * share with the host. They run by software emulation, as hardware virtualisation inside a virtual
 * machine may be there and yet not work. They see the host's /usr, the program and the folder
 * `share` read-only, and nothing else of it. All paths are relative to the laboratory's folder,
 * which is the current one: a socket's path has little room.
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

export const bootLimitMs = 180_000;
const qmpLimitMs = 10_000;

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

export const textOf = (file) => (existsSync(file) ? readFileSync(file, "utf8") : "");

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

function commonArguments(node, image, dist, { words, memoryMb }) {
  const nodejs = nodeShare();
  const line = `console=ttyS0 quiet loglevel=4 panic=-1 mitigations=off nokaslr tsc=reliable node=${node}${words ? ` ${words}` : ""}${nodejs ? ` nodeat=${nodejs}` : ""}`;
  return [
    ...["-name", node, "-accel", "tcg,thread=multi", "-cpu", "max,pmu=off"],
    ...["-smp", "1", "-m", String(memoryMb), "-display", "none", "-nodefaults"],
    ...["-kernel", image.vmlinuz, "-initrd", image.initrd, "-append", line],
    ...["-serial", `file:${node}.console`, "-serial", `unix:${node}.port,server=on,wait=off`],
    ...["-qmp", `unix:${node}.qmp,server=on,wait=off`, "-pidfile", `${node}.pid`],
    ...share("usr", "/usr"),
    ...share("dist", dist),
    ...share("lab", path.resolve("share")),
    ...(nodejs ? share("nodejs", nodejs) : []),
  ];
}

const diskFile = (node, name) => `${node}.${name}.img`;

function emptyDisk(node, name, bytes) {
  rmSync(diskFile(node, name), { force: true });
  writeFileSync(diskFile(node, name), "");
  truncateSync(diskFile(node, name), bytes);
  const drive = `file=${diskFile(node, name)},format=raw,if=none,id=${name},cache=none`;
  return ["-drive", drive, "-device", `virtio-blk-pci,drive=${name}`];
}

/**
 * Starts a guest. `disks` are the names of its empty disks, `diskBytes` their size, `words` go to
 * the kernel's command line, `more` to QEMU's.
 */
export function start(node, image, dist, options) {
  const { disks = [], diskBytes = 0, words = "", memoryMb = 448, more = [] } = options;
  mkdirSync("share", { recursive: true });
  for (const end of ["pid", "port", "qmp", "console"]) rmSync(`${node}.${end}`, { force: true });
  const log = openSync(`${node}.log`, "w");
  const args = [
    ...commonArguments(node, image, dist, { words, memoryMb }),
    ...disks.flatMap((name) => emptyDisk(node, name, diskBytes)),
    ...more,
  ];
  spawn("qemu-system-x86_64", args, { stdio: ["ignore", log, log], detached: true }).unref();
}

/** How often a guest has come up since it was started. */
export const boots = (node) => textOf(`${node}.console`).split(`GUEST ${node} READY`).length - 1;

/** Waits until a guest has come up so many times. */
export async function booted(node, times = 1) {
  const what = `${node} has booted (see ${process.cwd()}/${node}.log)`;
  await until(what, bootLimitMs, () => boots(node) >= times);
}

/** Ends a guest, by its own process id, and removes what it left. */
export async function end(node, disks) {
  const pid = processOf(node);
  if (pid) process.kill(pid, "SIGKILL");
  await until(`${node} has ended`, 10_000, () => processOf(node) === null);
  for (const what of ["pid", "port", "qmp"]) rmSync(`${node}.${what}`, { force: true });
  for (const name of disks) rmSync(diskFile(node, name), { force: true });
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
  const line = `\n${id} ${packed.length} ${packed} ${id}\n`;
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

/** One order to a guest's machine, by QMP. */
export async function machine(node, execute, args = {}) {
  const order = { execute, arguments: args, id: "order" };
  const greet = `${JSON.stringify({ execute: "qmp_capabilities" })}\n${JSON.stringify(order)}\n`;
  const answer = await converse(`${node}.qmp`, qmpLimitMs, greet, (seen) =>
    seen.split("\n").find((line) => line.includes('"order"')),
  );
  if (answer.includes('"error"')) throw new Error(`${node}: ${execute}: ${answer}`);
}
