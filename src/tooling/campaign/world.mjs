// A cluster of a campaign: two sites with one machine each, two heartbeat mirrors with a copier each,
// a LAN that can be cut. On loop devices where it may attach them, else on plain files.
import { execFile, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { ask, sleep } from "./ask.mjs";
import { canFreeze, Freezer } from "./freeze.mjs";
import { openLan } from "./lan.mjs";
import { Machine } from "./machine.mjs";

const volumeBytes = 1 << 20;
const journalBytes = 1 << 28;
const pairedLimitMs = 20_000;

/** How long the service sleeps between two records. */
export const everyMs = 5;

/** As short as a loaded machine of two processors keeps (docs/campaign.md). */
export const timings = {
  interval_ms: 100,
  poll_ms: 50,
  margin_ms: 400,
  latency_ms: 100,
  read_limit_ms: 50,
  write_limit_ms: 1000,
  scheduling_ms: 150,
  pair_poll_ms: 200,
  pair_age_limit_ms: 3000,
  lease_ms: 2200,
  stop_ms: 600,
  watchdog_ms: 800,
  late_write_ms: 100,
  hang_ms: 150,
  lost_rounds: 2,
};
/** What machine.c waits for food; three of these, and its lateness, fit into two watchdog_ms. */
export const watchdogLimitMs = 500;

const sites = [
  { name: "east", id: 1, role: "production", host: "e1" },
  { name: "west", id: 2, role: "standby", host: "w1" },
];
const mirrors = [
  { name: "e-w", writer: "east", reader: "west" },
  { name: "w-e", writer: "west", reader: "east" },
];
/** The service's data, of a cluster that has some. */
const dataPair = { name: "data", writer: "east", reader: "west" };

const must = async (command, args) => {
  const { stdout } = await promisify(execFile)(command, args, { timeout: 30_000 });
  return stdout.trim();
};

/** Undoes what a killed campaign leaves behind: what is frozen, loop devices, mounts, the folder. */
const reaper = `
folder=$1 parent=$2
while [ -e "$folder/keep" ] && kill -0 "$parent" 2>/dev/null; do sleep 1; done
[ -e "$folder/keep" ] || exit 0
for place in "$folder"/frozen-*; do fsfreeze -u "$place"; done 2>/dev/null
sleep 1
for entry in /sys/block/loop*/loop/backing_file; do
  read -r file 2>/dev/null <"$entry" || continue
  case $file in "$folder"/*) losetup -d "/dev/$(echo "$entry" | cut -d/ -f4)" ;; esac
done
for place in "$folder"/frozen-*; do umount -l "$place"; done 2>/dev/null
rm -rf "$folder"
`;

export class World {
  /** `options`: { program, machineProgram, serviceProgram, timing, bootMs, withData, onFiles } */
  static async open(options) {
    const world = new World(options);
    try {
      await world.prepare();
      return world;
    } catch (error) {
      await world.close();
      throw error;
    }
  }

  constructor(options) {
    this.options = options;
    this.timing = { ...timings, ...options.timing };
    this.folder = mkdtempSync(path.join(os.tmpdir(), "mbc-"));
    this.keyFile = path.join(this.folder, "authkey");
    this.serviceLog = path.join(this.folder, "service.log");
    this.loops = [];
    this.volumes = {};
    this.copiers = {};
    this.machines = [];
    this.lan = null;
    this.freezer = new Freezer(this.folder);
    const { pid } = process;
    this.address = `127.${64 + ((pid >> 16) & 63)}.${(pid >> 8) & 255}.${pid & 255}`;
    writeFileSync(path.join(this.folder, "keep"), "");
    writeFileSync(this.serviceLog, "");
    spawn("sh", ["-c", reaper, "sh", this.folder, String(pid)], {
      detached: true,
      stdio: "ignore",
    }).unref();
  }

  async prepare() {
    const { program, machineProgram, serviceProgram, bootMs } = this.options;
    const ports = Object.fromEntries(sites.map(({ host }, index) => [host, 20_000 + index]));
    this.ports = ports;
    this.lan = await openLan(this.address, ports);
    await must(program, ["key", "generate", "--out", this.keyFile]);
    mkdirSync(path.join(this.folder, "c"), { mode: 0o700 });
    for (const pair of this.allPairs) await this.prepareVolumes(pair);
    for (const mirror of mirrors) await this.formatMirror(mirror);
    for (const { name, host } of sites) {
      const parts = {
        folder: this.folder, program, machineProgram, serviceProgram, watchdogLimitMs,
        serviceLog: this.serviceLog, everyMs, siteId: this.siteId, bootMs,
      }; // biome-ignore format: a list
      const machine = new Machine(host, name, parts);
      writeFileSync(machine.configFile, this.configText(host, machine));
      this.machines.push(machine);
    }
    await must(program, ["config", "check", "--config", this.machines[0].configFile]);
    await Promise.all(this.pairs.map((name) => this.startCopier(name)));
  }

  get canFreeze() {
    return !this.options.onFiles && canFreeze();
  }

  get allPairs() {
    return this.options.withData ? [...mirrors, dataPair] : mirrors;
  }

  async prepareVolumes({ name }) {
    for (const end of ["pvol", "svol"]) {
      const freezes = end === "pvol" && this.mirrors.includes(name) && this.canFreeze;
      const folder = freezes ? await this.freezer.make(name) : this.folder;
      const file = path.join(folder, `${name}.${end}`);
      writeFileSync(file, "");
      truncateSync(file, volumeBytes);
      this.volumes[`${name}.${end}`] = this.options.onFiles ? file : await this.attach(file);
    }
  }

  async formatMirror({ name, writer, reader }) {
    await must(this.options.program, [
      "format", this.volumes[`${name}.pvol`], "--cluster", "campaign", "--writer", writer,
      "--reader", reader, "--slots", "4", "--key", this.keyFile, "--yes",
    ]); // biome-ignore format: a command line
  }

  async attach(file) {
    const device = await must("losetup", ["-f", "--show", "-b", "512", "--direct-io=on", file]);
    this.loops.push(device);
    return device;
  }

  copierSocket(mirror) {
    return path.join(this.folder, "c", `${mirror}.sock`);
  }

  async startCopier(mirror) {
    const { serviceProgram, program } = this.options;
    const args = [
      "tied", program, "remotecopy", this.volumes[`${mirror}.pvol`], this.volumes[`${mirror}.svol`],
      "--control", this.copierSocket(mirror), "--link-timeout", "600", "--scan", "5",
      "--auto-resync",
    ]; // biome-ignore format: a command line
    const child = spawn(serviceProgram, args, { stdio: "ignore" });
    child.ended = new Promise((resolve) => child.on("exit", resolve));
    this.copiers[mirror] = child;
    for (const endMs = performance.now() + pairedLimitMs; performance.now() < endMs; ) {
      const answer = await ask(this.copierSocket(mirror), { command: "query" });
      if (answer.ok && answer.value.state === "paired") return;
      await sleep(50);
    }
    throw new Error(`copier ${mirror}: not paired within ${pairedLimitMs} ms`);
  }

  /** A command to the copier of a mirror. */
  copier(mirror, command, more = {}) {
    return ask(this.copierSocket(mirror), { command, ...more }, 5000);
  }

  configText(self, machine) {
    const { serviceProgram } = this.options;
    const host = (name) => {
      const port = name === self ? this.ports[name] : this.lan.portFor(self, name);
      return `[[sites.hosts]]\nname = "${name}"\nslot = 0\naddress = "${this.address}:${port}"\n`;
    };
    const site = ({ name, id, role, host: its }) =>
      `[[sites]]\nname = "${name}"\nid = ${id}\nrole = "${role}"\n${host(its)}`;
    const pair = (table, { name, writer, reader }) =>
      `[[${table}]]\nname = "${name}"\nwriter = "${writer}"\nreader = "${reader}"\n` +
      `pvol = "${this.volumes[`${name}.pvol`]}"\nsvol = "${this.volumes[`${name}.svol`]}"\n` +
      `[${table}.pair]\nprovider = "embedded"\ncontrol = "${this.copierSocket(name)}"\n`;
    const { id } = sites.find(({ host: its }) => its === self);
    const start = [serviceProgram, "start", machine.folder, this.serviceLog, id, everyMs];
    const words = (list) => JSON.stringify(list.map(String));
    return [
      `cluster = "campaign"\nhost = "${self}"\npolicy = "lease"\nkey_file = "${this.keyFile}"\n`,
      `run_folder = "${machine.folder}/run"\nstate_folder = "${machine.folder}/state"\n`,
      `journal_bytes_max = ${journalBytes}\n[timing]\n`,
      ...Object.entries(this.timing).map(([key, value]) => `${key} = ${value}\n`),
      `[hooks]\ntakeover = ${words(start)}\n`,
      `superseded = ${words([serviceProgram, "stop", machine.folder])}\nlimit_ms = 10000\n`,
      `[fencing]\nwatchdog = "${machine.watchdogSocket}"\n`,
      `watchdog_limit_ms = ${watchdogLimitMs}\nsystemd = false\n`,
      ...sites.map(site),
      ...mirrors.map((mirror) => pair("mirrors", mirror)),
      ...(this.options.withData ? [pair("data", dataPair).replace("\n", "\nid = 1\n")] : []),
    ].join("");
  }

  siteId(name) {
    return sites.find((site) => site.name === name).id;
  }

  machineOf(siteId) {
    return this.machines.find(({ site }) => this.siteId(site) === siteId);
  }

  other(machine) {
    return this.machines.find((each) => each !== machine);
  }

  get mirrors() {
    return mirrors.map(({ name }) => name);
  }

  /** Heartbeat mirrors, and the data's. */
  get pairs() {
    return this.allPairs.map(({ name }) => name);
  }

  /** The site that writes a data pair after a takeover against that direction. */
  takenBy(direction) {
    const { writer, reader } = dataPair;
    return this.siteId(direction === "pvol-to-svol" ? reader : writer);
  }

  async close() {
    await this.freezer.thawAll();
    await Promise.all(this.machines.map((machine) => machine.end()));
    for (const copier of Object.values(this.copiers)) {
      copier.kill("SIGKILL");
      await copier.ended;
    }
    this.lan?.close();
    for (const device of this.loops) await this.detach(device);
    await this.freezer.end();
    rmSync(path.join(this.folder, "keep"), { force: true });
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** A device may be held for a moment by what has just ended. */
  async detach(device) {
    for (let attempt = 1; ; attempt++) {
      try {
        return await must("losetup", ["-d", device]);
      } catch (error) {
        if (attempt === 20) return console.error(`campaign: ${error.message}`);
        await sleep(100);
      }
    }
  }
}
