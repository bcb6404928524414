/**
 * A whole world for tests of the agent: sites with hosts, each the shipped program in a process of
 * its own; copiers in the arrays' place; a LAN that can be cut; volumes as plain files or loop
 * devices. Every wait has a condition and a deadline, and everything is killed and removed at the
 * end, also when the test fails.
 *
 *   await withWorld({ device: 512 }, async (world) => {
 *     await world.start("a1", "b1");
 *     await world.untilRow("b1", "a", "1");
 *     world.host("a1").kill("SIGKILL");
 *   });
 *
 * A host's name begins with the letter of its site; one that ends in "x" is a beacon. A mirror's
 * name is "a-b" or "a-b2": from site a to site b.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import type { Timing } from "../core/base/config.ts";
import { parseEventLine } from "../core/base/event.ts";
import { detectionBoundMs, timingDefaults } from "../core/base/timing.ts";
import type { StatusObject } from "../core/step/status.ts";
import { controlSocketName } from "../agent/names.ts";
import { journalFile, journalFileOld } from "../host/journal.ts";
import { type Answer, request } from "../host/unix-server.ts";
import type { CommandName } from "../remotecopy/embedded/command.ts";
import { askCopy } from "../remotecopy/embedded.ts";
import { openTestLan, type TestLan } from "./agent-lan.ts";
import { type Loops, openLoops } from "./agent-loops.ts";
import {
  type Ended,
  needBuiltProgram,
  type Process,
  runProgram,
  type Start,
  startProcess,
  type Told,
} from "./agent-process.ts";

export type WorldOptions = {
  /** Default: one host a site. */
  readonly hosts?: readonly string[];
  readonly mirrors?: readonly string[];
  readonly timing?: Partial<Timing>;
  readonly device?: "file" | 512 | 4096;
  /** Volumes that the test brings itself, by "a-b.pvol"; they are formatted all the same. */
  readonly volumes?: Readonly<Record<string, string>>;
  /** Mirrors that are copied by a copier, and whose pair is asked for; default all. */
  readonly copied?: readonly string[];
  /** Mirrors that are configured and not installed. */
  readonly uninstalled?: readonly string[];
  readonly linkTimeoutMs?: number;
  /** More lines of [timing]. */
  readonly moreTiming?: string;
  /** Tables at the end of each configuration. */
  readonly tables?: (folder: string, host: string) => string;
  /** Lines of [hooks]. */
  readonly hooks?: (folder: string, host: string) => string;
  readonly quorum?: Readonly<Record<string, number>>;
  /** Lines at the top of each configuration. */
  readonly top?: (folder: string, host: string) => string;
  readonly cluster?: string;
};

export const testTiming: Timing = {
  ...timingDefaults,
  intervalMs: 200,
  pollMs: 100,
  marginMs: 400,
  latencyMs: 200,
  readLimitMs: 100,
  writeLimitMs: 1000,
  schedulingMs: 200,
  pairPollMs: 200,
  pairAgeLimitMs: 3000,
};

const volumeBytes = 1 << 20;
const slots = 8;
export const longMs = 30_000;
let worlds = 0;

/** An address of this process alone, so that tests that run side by side share no port. */
function ownAddress(): string {
  const { pid } = process;
  return `127.${64 + ((pid >> 16) & 63)}.${(pid >> 8) & 255}.${pid & 255}`;
}

export function siteOf(host: string): string {
  return host[0] ?? "";
}

export type Host = {
  readonly name: string;
  readonly site: string;
  readonly folder: string;
  readonly configFile: string;
  readonly runFolder: string;
  readonly stateFolder: string;
  readonly address: string;
  readonly port: number;
  /** All that it told since the world began, over its restarts. */
  readonly told: readonly Told[];
  readonly process: Process | null;
  kill(signal: NodeJS.Signals): void;
};

export type StartOptions = Partial<Pick<Start, "command" | "args" | "env" | "stderr">> & {
  readonly engine?: "io_uring" | "aio";
};

function timingText(timing: Timing): string {
  const t = timing;
  return `[timing]
interval_ms = ${t.intervalMs}
poll_ms = ${t.pollMs}
margin_ms = ${t.marginMs}
latency_ms = ${t.latencyMs}
read_limit_ms = ${t.readLimitMs}
write_limit_ms = ${t.writeLimitMs}
scheduling_ms = ${t.schedulingMs}
detector = "${t.detector}"
pair_poll_ms = ${t.pairPollMs}
pair_age_limit_ms = ${t.pairAgeLimitMs}
`;
}

export class World {
  readonly folder: string;
  readonly timing: Timing;
  readonly keyFile: string;
  readonly cluster: string;
  readonly hosts: readonly string[];
  readonly mirrors: readonly string[];
  lan!: TestLan;
  private readonly options: WorldOptions;
  private readonly entries = new Map<string, Host & { told: Told[]; process: Process | null }>();
  private readonly copiers = new Map<string, Process>();
  private readonly others: Process[] = [];
  private readonly paths = new Map<string, string>();
  private readonly pokes = new Set<() => void>();
  private readonly loops: Loops;
  private readonly address = ownAddress();

  private constructor(options: WorldOptions) {
    this.options = options;
    this.folder = mkdtempSync(path.join(os.tmpdir(), "mirrorbeat-world-"));
    this.loops = openLoops(this.folder);
    this.timing = { ...testTiming, ...options.timing };
    this.keyFile = path.join(this.folder, "authkey");
    this.cluster = options.cluster ?? "world";
    this.hosts = options.hosts ?? ["a1", "b1"];
    this.mirrors = options.mirrors ?? ["a-b", "b-a"];
  }

  static async open(options: WorldOptions = {}): Promise<World> {
    needBuiltProgram();
    const world = new World(options);
    try {
      await world.prepare();
      return world;
    } catch (error) {
      await world.close();
      throw error;
    }
  }

  private async prepare(): Promise<void> {
    const base = 20_000 + 200 * worlds++;
    this.hosts.forEach((name, index) => this.addHost(name, base + index));
    const ports = Object.fromEntries(this.hosts.map((name) => [name, this.host(name).port]));
    this.lan = await openTestLan(this.address, ports);
    await this.must(["key", "generate", "--out", this.keyFile]);
    mkdirSync(path.join(this.folder, "copiers"), { mode: 0o700 });
    await Promise.all(this.mirrors.map((mirror) => this.prepareMirror(mirror)));
    for (const name of this.hosts) this.writeConfig(name);
    await Promise.all(this.copied.map((mirror) => this.startCopier(mirror)));
  }

  private get copied(): readonly string[] {
    return this.options.copied ?? this.mirrors;
  }

  private addHost(name: string, port: number): void {
    const folder = path.join(this.folder, name);
    mkdirSync(folder, { mode: 0o700 });
    const entry = {
      name,
      site: siteOf(name),
      folder,
      configFile: path.join(folder, "mirrorbeat.toml"),
      runFolder: path.join(folder, "run"),
      stateFolder: path.join(folder, "state"),
      address: this.address,
      port,
      told: [] as Told[],
      process: null as Process | null,
      kill: (signal: NodeJS.Signals) => this.entries.get(name)?.process?.kill(signal),
    };
    this.entries.set(name, entry);
  }

  private async prepareMirror(mirror: string): Promise<void> {
    for (const end of ["pvol", "svol"] as const) {
      const name = `${mirror}.${end}`;
      const given = this.options.volumes?.[name];
      if (given !== undefined) {
        this.paths.set(name, given);
        continue;
      }
      const file = path.join(this.folder, name);
      writeFileSync(file, Buffer.alloc(volumeBytes));
      truncateSync(file, volumeBytes);
      const { device = "file" } = this.options;
      const attached = device === "file" ? file : await this.loops.attach(file, device);
      this.paths.set(name, attached);
    }
    await this.must(["format", this.volume(mirror, "pvol"), ...this.identity(mirror), "--yes"]);
  }

  /** What `format` is told of a mirror. */
  identity(mirror: string): string[] {
    const [writer = "", reader = ""] = [mirror[0], mirror[2]];
    const who = ["--cluster", this.cluster, "--writer", writer, "--reader", reader];
    return [...who, "--slots", String(slots), "--key", this.keyFile];
  }

  private async must(args: readonly string[]): Promise<void> {
    const { code, err, out } = await runProgram(args);
    if (code !== 0) throw new Error(`mirrorbeat ${args.join(" ")}: exit ${code}: ${err}${out}`);
  }

  private copierSocket(mirror: string): string {
    return path.join(this.folder, "copiers", `${mirror}.sock`);
  }

  async startCopier(mirror: string): Promise<void> {
    const copier = startProcess({
      args: [
        "remotecopy", this.volume(mirror, "pvol"), this.volume(mirror, "svol"),
        "--control", this.copierSocket(mirror),
        "--link-timeout", String(this.options.linkTimeoutMs ?? 600), "--scan", "5",
      ], // biome-ignore format: a command line
      onTold: () => undefined,
      onEnd: () => this.poke(),
    });
    this.copiers.set(mirror, copier);
    await this.until(`copier ${mirror} paired`, () => {
      if (!copier.alive) throw new Error(`copier ${mirror}: ${copier.lines.join("\n")}`);
      return copier.out().includes("paired");
    });
  }

  killCopier(mirror: string): Promise<number | null> {
    const copier = this.copiers.get(mirror);
    copier?.kill("SIGKILL");
    return copier?.ended ?? Promise.resolve(null);
  }

  /** A command to the copier of a mirror, which must obey. */
  async copier(mirror: string, name: CommandName, ms = 0): Promise<void> {
    const answer = await askCopy(this.copierSocket(mirror), { name, ms }, longMs);
    if (!answer.ok) throw new Error(`copier ${mirror}: ${name}: ${answer.message}`);
  }

  volume(mirror: string, end: "pvol" | "svol"): string {
    return this.paths.get(`${mirror}.${end}`) ?? "";
  }

  configText(self: string): string {
    const host = (name: string): string => {
      const port = name === self ? this.host(name).port : this.lan.portFor(self, name);
      const slot = this.hosts.filter((h) => siteOf(h) === siteOf(name)).indexOf(name);
      const beacon = name.endsWith("x") ? "beacon = true\n" : "";
      return `[[sites.hosts]]\nname = "${name}"\nslot = ${slot}\naddress = "${this.address}:${port}"\n${beacon}`;
    };
    const sites = [...new Set(this.hosts.map(siteOf))].map((site, index) => {
      const members = this.hosts.filter((name) => siteOf(name) === site);
      const role = index === 0 ? "production" : "standby";
      const quorum = this.options.quorum?.[site];
      const rule = quorum === undefined ? "" : `quorum = ${quorum}\n`;
      return `[[sites]]\nname = "${site}"\nid = ${index + 1}\nrole = "${role}"\n${rule}${members.map(host).join("")}`;
    });
    const mirror = (name: string): string => {
      const ends = `writer = "${name[0]}"\nreader = "${name[2]}"\npvol = "${this.volume(name, "pvol")}"\nsvol = "${this.volume(name, "svol")}"\n`;
      const pair = this.copied.includes(name)
        ? `[mirrors.pair]\nprovider = "embedded"\ncontrol = "${this.copierSocket(name)}"\n`
        : "";
      const out = this.options.uninstalled?.includes(name) ? "installed = false\n" : "";
      return `[[mirrors]]\nname = "${name}"\n${ends}${out}${pair}`;
    };
    const { runFolder, stateFolder } = this.host(self);
    const hooks = this.options.hooks?.(this.folder, self) ?? "";
    return [
      `cluster = "${this.cluster}"\nhost = "${self}"\nkey_file = "${this.keyFile}"\n`,
      `run_folder = "${runFolder}"\nstate_folder = "${stateFolder}"\n`,
      this.options.top?.(this.folder, self) ?? "",
      timingText(this.timing),
      this.options.moreTiming ?? "",
      hooks ? `[hooks]\n${hooks}\n` : "",
      ...sites,
      ...this.mirrors.map(mirror),
      this.options.tables?.(this.folder, self) ?? "",
    ].join("");
  }

  writeConfig(name: string, edit: (text: string) => string = (text) => text): void {
    writeFileSync(this.host(name).configFile, edit(this.configText(name)));
  }

  host(name: string): Host {
    const host = this.entries.get(name);
    if (!host) throw new Error(`no host ${name} in this world`);
    return host;
  }

  private poke(): void {
    for (const check of this.pokes) check();
  }

  /** Starts hosts without waiting for them. */
  launch(name: string, options: StartOptions = {}): Process {
    const entry = this.entries.get(name);
    if (!entry) throw new Error(`no host ${name}`);
    const { engine, args = [], ...rest } = options;
    const more = engine ? ["--engine", engine] : [];
    const started = startProcess({
      ...rest,
      args: [...args, "run", "--config", entry.configFile, ...more],
      onTold: (told) => {
        entry.told.push(told);
        this.poke();
      },
      onEnd: () => this.poke(),
    });
    entry.process = started;
    this.others.push(started);
    return started;
  }

  /** Starts hosts and waits until each of them beats. */
  async start(...names: readonly string[]): Promise<void> {
    await Promise.all(names.map((name) => this.startWith(name, {})));
  }

  async startWith(name: string, options: StartOptions): Promise<Process> {
    const before = this.count(name, "start");
    const started = this.launch(name, options);
    await this.until(`${name} begins`, () => {
      if (!started.alive)
        throw new Error(`${name} ended (${started.code}): ${started.lines.join("\n")}`);
      return this.count(name, "start") > before;
    });
    await this.until(`${name} answers`, async () => {
      return !started.alive || (await this.ask(name, { op: "status" })).ok;
    });
    return started;
  }

  async killHost(name: string, signal: NodeJS.Signals = "SIGKILL"): Promise<number> {
    const { process: running } = this.host(name);
    const atMs = performance.now();
    running?.kill(signal);
    await running?.ended;
    return atMs;
  }

  /** Ends it in order; its exit code. */
  async stop(name: string): Promise<number | null> {
    const { process: running } = this.host(name);
    running?.kill("SIGTERM");
    return running?.ended ?? null;
  }

  /** Events of one kind, told since then. */
  events(name: string, ev: string, sinceMs = 0): readonly Told[] {
    return this.host(name).told.filter((t) => t.fields["ev"] === ev && t.atMs >= sinceMs);
  }

  count(name: string, ev: string): number {
    return this.events(name, ev).length;
  }

  /** What told a person to look: path, verdict, group, health and device events above a notice. */
  alarms(name: string, sinceMs: number): readonly string[] {
    const kinds = ["path", "verdict", "group"];
    return this.host(name)
      .told.filter((t) => t.atMs >= sinceMs && kinds.includes(t.fields["ev"] ?? ""))
      .filter((t) => t.fields["level"] === "warning" || t.fields["level"] === "error")
      .map((t) => JSON.stringify(t.fields));
  }

  /** What it told since it last began. */
  private sinceStart(name: string): readonly Told[] {
    const { told } = this.host(name);
    return told.slice(
      Math.max(
        0,
        told.findLastIndex((t) => t.fields["ev"] === "start"),
      ),
    );
  }

  row(observer: string, site: string): string | null {
    const group = this.sinceStart(observer).findLast(
      (t) => t.fields["ev"] === "group" && t.fields["site"] === site,
    );
    return group?.fields["row"] ?? null;
  }

  verdict(observer: string, host: string): string | null {
    const verdict = this.sinceStart(observer).findLast(
      (t) => t.fields["ev"] === "verdict" && t.fields["host"] === host,
    );
    return verdict?.fields["row"] ?? null;
  }

  async until(
    what: string,
    holds: () => boolean | Promise<boolean>,
    deadlineMs = longMs,
  ): Promise<void> {
    const endMs = performance.now() + deadlineMs;
    for (;;) {
      if (await holds()) return;
      if (performance.now() >= endMs) break;
      await new Promise<void>((resolve) => {
        const end = (): void => {
          clearTimeout(timer);
          this.pokes.delete(end);
          resolve();
        };
        const timer = setTimeout(end, 50);
        this.pokes.add(end);
      });
    }
    const error = new Error(`not seen within ${deadlineMs} ms: ${what}`);
    const { stack = "" } = error;
    error.message += `\n${this.report()}`;
    error.stack = stack;
    throw error;
  }

  untilRow(observer: string, site: string, ...rows: readonly string[]): Promise<void> {
    return this.until(`${observer} judges site ${site}: row ${rows.join(" or ")}`, () =>
      rows.includes(this.row(observer, site) ?? ""),
    );
  }

  untilVerdict(observer: string, host: string, ...rows: readonly string[]): Promise<void> {
    return this.until(`${observer} judges ${host}: row ${rows.join(" or ")}`, () =>
      rows.includes(this.verdict(observer, host) ?? ""),
    );
  }

  ask(name: string, question: Readonly<Record<string, unknown>>, ms = 5000): Promise<Answer> {
    return request(path.join(this.host(name).runFolder, controlSocketName), question, ms, 16 << 20);
  }

  async status(name: string, ms = 5000): Promise<StatusObject> {
    const answer = await this.ask(name, { op: "status" }, ms);
    if (!answer.ok) throw new Error(`status of ${name}: ${answer.message}\n${this.report()}`);
    return answer.value as StatusObject;
  }

  untilStatus(name: string, what: string, holds: (s: StatusObject) => boolean): Promise<void> {
    return this.until(`${name}: ${what}`, async () => {
      const answer = await this.ask(name, { op: "status" });
      return answer.ok && holds(answer.value as StatusObject);
    });
  }

  untilRole(name: string, role: string): Promise<void> {
    return this.untilStatus(name, `role ${role}`, (status) => status.role === role);
  }

  /** A verb of the shipped program with this host's configuration. */
  verb(name: string, verb: string, ...args: readonly string[]): Promise<Ended> {
    return runProgram([verb, ...args, "--config", this.host(name).configFile], 60_000);
  }

  /** The journal on disk, older file first. */
  journal(name: string): readonly Readonly<Record<string, string>>[] {
    const { stateFolder } = this.host(name);
    return [journalFileOld, journalFile].flatMap((file) => {
      try {
        const lines = readFileSync(path.join(stateFolder, file), "utf8").split("\n");
        return lines.flatMap((line) => {
          const event = parseEventLine(line);
          return event ? [event.fields] : [];
        });
      } catch {
        return [];
      }
    });
  }

  /** Every host beats, and every host sees the other sites on every path. */
  async beating(...names: readonly string[]): Promise<void> {
    const wanted = names.length > 0 ? names : this.hosts;
    await this.start(...wanted);
    const sites = [...new Set(wanted.map(siteOf))];
    for (const name of wanted) {
      for (const site of sites) if (site !== siteOf(name)) await this.untilRow(name, site, "1");
    }
  }

  /** Longest time to a verdict, for an observer as ill as this one is, or was lately. */
  boundMs(illness: number): number {
    return detectionBoundMs(this.timing, illness);
  }

  report(): string {
    return [...this.entries.values()]
      .map(({ name, told, process: running }) => {
        const state = running ? (running.alive ? "alive" : `ended ${running.code}`) : "not started";
        const last = told.slice(-14).map((t) => {
          const rest = Object.entries(t.fields).map(([key, value]) => `${key}=${value}`);
          return `    ${(t.atMs / 1000).toFixed(3)} ${rest.join(" ")}`;
        });
        return [`  ${name} (${state}) ${running?.lines.join(" | ") ?? ""}`, ...last].join("\n");
      })
      .join("\n");
  }

  async close(): Promise<void> {
    const all = [...this.others, ...this.copiers.values()].filter((each) => each.alive);
    for (const each of all) each.kill("SIGKILL");
    const limit = new Promise((resolve) => setTimeout(resolve, 10_000).unref());
    await Promise.race([Promise.all(all.map((each) => each.ended)), limit]);
    this.lan?.close();
    await this.loops.detach();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export async function withWorld(
  options: WorldOptions,
  body: (world: World) => Promise<void>,
): Promise<void> {
  const world = await World.open(options);
  try {
    await body(world);
  } finally {
    await world.close();
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
