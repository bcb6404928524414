// What the lab makes on this machine, and its sure end: namespaces by name, processes by pid and
// start time, mounts and loop devices by the lab's folder. All of it is told from the folder alone,
// so that `down` works after any crash.
import { execFile, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { closeSync, existsSync, openSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";

export const sites = ["tokyo", "osaka"];
const commandLimitMs = 30_000;
const startLimitMs = 20_000;
const endLimitMs = 3000;
const lookEveryMs = 20;

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** A command that must succeed; its standard output. */
export async function must(command, args, options = {}) {
  try {
    const { stdout } = await promisify(execFile)(command, args, {
      timeout: commandLimitMs,
      ...options,
    });
    return stdout;
  } catch (error) {
    const told = String(error.stderr ?? "").trim() || error.message;
    throw new Error(`${command} ${args.join(" ")}: ${told}`);
  }
}

/** The same for what may have been done already; null where it failed. */
export async function may(command, args) {
  try {
    return await must(command, args);
  } catch {
    return null;
  }
}

export async function until(what, holds, limitMs = startLimitMs) {
  const endMs = performance.now() + limitMs;
  while (!(await holds())) {
    if (performance.now() > endMs) throw new Error(`not within ${limitMs} ms: ${what}`);
    await pause(lookEveryMs);
  }
}

/** Of this lab alone, whatever else runs on the machine. */
export function namespaceOf(folder, site) {
  const mark = createHash("sha256").update(folder).digest("hex").slice(0, 8);
  return `mb${mark}-${site}`;
}

/** Not `ip netns exec`: that hides mounts made inside from everybody else. */
export const inside = (folder, site) => [
  "nsenter",
  `--net=/run/netns/${namespaceOf(folder, site)}`,
];

export const runIn = (folder, site, command, options) => {
  const [program, ...args] = [...inside(folder, site), ...command];
  return must(program, args, options);
};

/** Some words are no names of devices to ip(8), "link" among them. */
const deviceOf = (link) => `${link}0`;

export async function makeNamespaces(folder, links) {
  const [tokyo, osaka] = sites.map((site) => namespaceOf(folder, site));
  for (const name of [tokyo, osaka]) await must("ip", ["netns", "add", name]);
  for (const [link, net] of Object.entries(links)) {
    const device = deviceOf(link);
    await must("ip", [
      "link", "add", device, "netns", tokyo, "type", "veth", "peer", "name", device, "netns", osaka,
    ]);
    for (const [index, name] of [tokyo, osaka].entries()) {
      await must("ip", ["-n", name, "addr", "add", `${net}.${index + 1}/24`, "dev", device]);
      await must("ip", ["-n", name, "link", "set", device, "up"]);
    }
  }
  for (const [index, site] of sites.entries()) {
    await must("ip", ["-n", [tokyo, osaka][index], "link", "set", "lo", "up"]);
    // A dead link is given up after 3 repetitions, about 3 s; by default after a quarter of an hour.
    const tuning = "cd /proc/sys/net/ipv4 && echo 3 >tcp_retries2 && echo 1 >tcp_syn_retries";
    await runIn(folder, site, ["sh", "-c", tuning]);
  }
} // biome-ignore format: command lines

const tableOf = (link) => `cut_${link}`;

export async function cut(folder, link) {
  if (await isCut(folder, link)) return;
  const device = deviceOf(link);
  for (const site of sites) {
    const rules = `table inet ${tableOf(link)} {
      chain in { type filter hook input priority 0; iifname "${device}" drop; }
      chain out { type filter hook output priority 0; oifname "${device}" drop; }
    }`;
    await runIn(folder, site, ["nft", rules]);
  }
}

export async function mend(folder, link) {
  for (const site of sites) {
    const [program, ...args] = inside(folder, site);
    await may(program, [...args, "nft", "delete", "table", "inet", tableOf(link)]);
  }
}

export async function isCut(folder, link) {
  const tables = await runIn(folder, sites[0], ["nft", "list", "tables"]);
  return tables.includes(tableOf(link));
}

function startTimeOf(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    // One that has ended may wait for a slow init to take note.
    return fields[0] === "Z" ? null : fields[19];
  } catch {
    return null;
  }
}

const processFile = (folder, name) => path.join(folder, `${name}.process`);

/** Whether this very process runs: its number may be another's by now. */
export function processOf(folder, name) {
  try {
    const { pid, started } = JSON.parse(readFileSync(processFile(folder, name), "utf8"));
    return startTimeOf(pid) === started ? pid : null;
  } catch {
    return null;
  }
}

/** A daemon that outlives this command; its output goes to NAME.log. */
export function startDaemon(folder, site, name, command) {
  const output = openSync(path.join(folder, `${name}.log`), "a");
  const [program, ...args] = [...inside(folder, site), ...command];
  const child = spawn(program, args, { stdio: ["ignore", output, output], detached: true });
  closeSync(output);
  const record = { pid: child.pid, started: startTimeOf(child.pid) };
  writeFileSync(processFile(folder, name), JSON.stringify(record));
  child.unref();
  return child.pid;
}

/** At once, stopped or not: whatever it holds is thrown away. */
async function endProcess(folder, name) {
  const pid = processOf(folder, name);
  if (pid === null) return;
  process.kill(pid, "SIGKILL");
  const gone = () => processOf(folder, name) === null;
  await until(`${name} ends`, gone, endLimitMs).catch(() => undefined);
}

export function daemonsOf(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((file) => file.endsWith(".process"))
    .map((file) => file.slice(0, -".process".length));
}

export const mountsOf = (folder) =>
  readFileSync("/proc/mounts", "utf8")
    .split("\n")
    .map((line) => line.split(" ")[1] ?? "")
    .filter((point) => point.startsWith(`${folder}/`));

/** Loop devices whose file lies in the folder. */
export function loopsOf(folder) {
  return readdirSync("/sys/block")
    .filter((name) => name.startsWith("loop"))
    .flatMap((name) => {
      try {
        const file = readFileSync(`/sys/block/${name}/loop/backing_file`, "utf8").trim();
        return file.startsWith(`${folder}/`) ? [{ device: `/dev/${name}`, file }] : [];
      } catch {
        return [];
      }
    });
}

/** By number; all of them live in namespaces that are this lab's own. */
async function pidsInside(folder) {
  const pids = [];
  for (const site of sites) {
    const name = namespaceOf(folder, site);
    if (!existsSync(`/run/netns/${name}`)) continue;
    const told = (await may("ip", ["netns", "pids", name])) ?? "";
    pids.push(...told.split(/\s+/).filter(Boolean).map(Number));
  }
  return pids;
}

/** Agents and commands that were begun in the lab's networks; its own daemons come later. */
async function endGuests(folder) {
  const own = daemonsOf(folder).map((name) => processOf(folder, name));
  const guests = async () => (await pidsInside(folder)).filter((pid) => !own.includes(pid));
  for (const signal of ["SIGTERM", "SIGKILL"]) {
    for (const pid of await guests()) {
      try {
        process.kill(pid, signal);
      } catch {
        // it ended meanwhile
      }
    }
    const gone = async () => (await guests()).length === 0;
    await until("guests end", gone, endLimitMs).catch(() => undefined);
  }
}

/** Undoes everything; what is still there afterwards, in words. */
export async function endAll(folder) {
  await endGuests(folder);
  for (const { device } of loopsOf(folder)) await may("losetup", ["-d", device]);
  // Front ends before the arrays that serve them.
  const names = daemonsOf(folder).sort().reverse();
  const rank = (name) => (name.startsWith("array-") ? 1 : 0);
  for (const name of names.sort((a, b) => rank(a) - rank(b))) await endProcess(folder, name);
  for (const point of mountsOf(folder)) await may("umount", ["-l", point]);
  const detached = () => loopsOf(folder).length === 0;
  await until("loop devices are free", detached, endLimitMs).catch(() => undefined);
  const left = [
    ...loopsOf(folder).map(({ device, file }) => `${device} over ${file} is held open`),
    ...names.filter((name) => processOf(folder, name)).map((name) => `process ${name}`),
    ...mountsOf(folder).map((point) => `mount ${point}`),
  ];
  for (const pid of await pidsInside(folder)) left.push(`process ${pid} in the lab's network`);
  for (const site of sites) {
    const name = namespaceOf(folder, site);
    if (!existsSync(`/run/netns/${name}`)) continue;
    await may("ip", ["netns", "del", name]);
    if (existsSync(`/run/netns/${name}`)) left.push(`namespace ${name}`);
  }
  return left;
}
