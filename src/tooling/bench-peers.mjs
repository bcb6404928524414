// sbd and sanlock, started so that neither can ever reset this machine: no watchdog device, and for
// sbd, which resets by itself, neither the capability to reboot nor a sysrq trigger to write to.
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import {
  atEnd,
  hasProgram,
  isRoot,
  loopDevice,
  must,
  sleep,
  startChild,
  until,
} from "./bench-start.mjs";

export const sbdMissing = () => missing("sbd", "setpriv", "unshare");
export const sanlockMissing = () => missing("sanlock");

function missing(...programs) {
  if (!programs.every(hasProgram)) return "not installed";
  return isRoot ? null : "needs root";
}

/** Blocks for which reads and writes were completed on a loop device since its birth. */
export function transfersOf(device) {
  const stat = readFileSync(`/sys/block/${path.basename(device)}/stat`, "latin1");
  const [reads, , , , writes] = stat.trim().split(/\s+/).map(Number);
  return { reads, writes };
}

/** Milliseconds until `holds`, looked at without rest: what is measured takes milliseconds. */
export async function waitClosely(beganMs, holds, limitMs) {
  while (performance.now() - beganMs < limitMs) {
    if (holds()) return performance.now() - beganMs;
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  throw new Error(`nothing came within ${limitMs} ms`);
}

// ---- sbd -------------------------------------------------------------------------------------

const rebootCapability = 1n << 22n;
const sbdEnvironment = { ...process.env, SBD_PACEMAKER: "no", SBD_SYNC_RESOURCE_STARTUP: "no" };
const powerless = [
  "--mount",
  "--",
  "sh",
  "-c",
  "t=/proc/sysrq-trigger; { [ ! -e $t ] || mount --bind /dev/null $t; } && " +
    "exec setpriv --bounding-set=-sys_boot " +
    '--inh-caps=-sys_boot --ambient-caps=-sys_boot -- "$@"',
  "sh",
];

/** Proves, before sbd is ever started, that what is started so cannot reboot. */
function provePowerless() {
  const status = execFileSync("unshare", [...powerless, "cat", "/proc/self/status"], {
    encoding: "latin1",
  });
  const held = ["CapPrm", "CapEff", "CapBnd", "CapInh", "CapAmb"].some((name) => {
    const mask = new RegExp(`^${name}:\\s+([0-9a-f]+)$`, "m").exec(status)?.[1];
    return mask === undefined || (BigInt(`0x${mask}`) & rebootCapability) !== 0n;
  });
  if (held) throw new Error("sbd would keep the capability to reboot: it is not started");
}

const sbd = (args) => must("unshare", [...powerless, "sbd", ...args], { env: sbdEnvironment });

/** A formatted device for sbd with a loop of 1 s. */
export async function sbdDevice(folder) {
  provePowerless();
  const { device } = await loopDevice(folder, "sbd", 4 << 20);
  await sbd(["-d", device, "-1", "5", "-2", "0", "-3", "1", "-4", "10", "create"]);
  return device;
}

function processes() {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        const title = readFileSync(`/proc/${pid}/cmdline`, "latin1").replaceAll("\0", " ").trim();
        const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
        return { pid: Number(pid), title, parent: Number(stat.split(") ").at(-1).split(" ")[1]) };
      } catch {
        return { pid: 0, title: "", parent: 0 };
      }
    });
}

/** sbd makes itself a daemon and leaves no pid: its watcher bears the name of our own device. */
function sbdPids(device) {
  const watcher = processes().find(({ title }) => title.startsWith(`sbd: watcher: ${device} `));
  return watcher ? { watcher: watcher.pid, inquisitor: watcher.parent } : null;
}

const alive = (pid) => processes().some((one) => one.pid === pid);

/** Watches `device`; traces instead of acting (-Z -Z), no watchdog. */
export async function startSbd(device) {
  const began = performance.now();
  const before = transfersOf(device);
  atEnd(async () => {
    const pids = sbdPids(device);
    if (!pids) return;
    process.kill(pids.inquisitor, "SIGTERM");
    await until(() => !alive(pids.inquisitor) && !sbdPids(device), 10_000, "the end of sbd");
  });
  const started = sbd(["-d", device, "-n", "bench", "-w", "/dev/null", "-Z", "-Z", "watch"]);
  const moved = () => {
    const now = transfersOf(device);
    return now.reads + now.writes > before.reads + before.writes;
  };
  const firstIoMs = await waitClosely(began, moved, 10_000);
  await started;
  await until(() => sbdPids(device), 5000, "sbd's watcher");
  return { firstIoMs, ...sbdPids(device) };
}

// ---- sanlock ---------------------------------------------------------------------------------

export const sanlockIoSeconds = 1;

export async function sanlockDevice(folder, { bytes = 64 << 20, size = [] } = {}) {
  const { device } = await loopDevice(folder, "sanlock", bytes);
  const io = ["-o", String(sanlockIoSeconds)];
  await must("sanlock", ["direct", "init", "-s", `hb:0:${device}:0`, ...io, ...size]);
  return device;
}

/** One sanlock host: a daemon of its own and a client to it. */
export function startSanlock(folder, host) {
  const run = path.join(folder, `sanlock-${host}`);
  mkdirSync(run, { recursive: true });
  const env = { ...process.env, SANLOCK_PRIVILEGED: "0", SANLOCK_RUN_DIR: run };
  const user = ["-U", "root", "-G", "root"];
  const args = ["daemon", "-D", "-w", "0", ...user, "-o", String(sanlockIoSeconds), "-e", host];
  const daemon = startChild("sanlock", args, { env, graceMs: 200 });
  const client = (...words) => must("sanlock", ["client", ...words], { env, timeout: 60_000 });
  return {
    daemon,
    client,
    join: (id, device) =>
      client("add_lockspace", "-s", `hb:${id}:${device}:0`, "-o", String(sanlockIoSeconds)),
    /** FREE, LIVE, FAIL, DEAD or UNKNOWN. */
    async stateOf(id) {
      const told = await client("gets", "-h", "1").catch(() => "");
      const line = told.split("\n").find((text) => text.startsWith(`h ${id} `));
      return line?.trim().split(/\s+/).at(-1) ?? "";
    },
  };
}

/** Joined as soon as the daemon answers. */
export async function joinSoon(host, id, device) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await host.join(id, device);
    } catch (error) {
      if (attempt === 200) throw error;
      await sleep(2);
    }
  }
}

/** Two hosts in one lockspace. */
export async function startSanlockPair(folder) {
  const device = await sanlockDevice(folder);
  const pair = [startSanlock(folder, "a"), startSanlock(folder, "b")];
  await Promise.all(pair.map((host, index) => joinSoon(host, index + 1, device)));
  return { device, hosts: pair };
}

/**
 * Milliseconds of a renewal with 2,000 slots of 4 KiB (8 MB read, one slot written), by sanlock's
 * own account: whole milliseconds, so it is their mean over `seconds` that is told.
 */
export async function measureSanlockRenewal(folder, seconds) {
  const size = ["-Z", "4096", "-A", "8M"];
  const { device } = await loopDevice(folder, "sanlock-2000", 16 << 20, 4096);
  const io = ["-o", String(sanlockIoSeconds)];
  await must("sanlock", ["direct", "init", "-s", `hb:0:${device}:0`, ...io, ...size]);
  const host = startSanlock(folder, "many");
  await joinSoon(host, 1, device);
  await sleep(seconds * 1000);
  const told = await host.client("renewal", "-s", `hb:1:${device}:0`);
  await host.daemon.stop();
  const taken = [...told.matchAll(/read_ms=(\d+) write_ms=(\d+)/g)].slice(1);
  if (taken.length === 0) throw new Error("sanlock tells of no renewal");
  return (
    taken.reduce((sum, [, read, write]) => sum + Number(read) + Number(write), 0) / taken.length
  );
}
