/**
 * The lab of `./build.sh lab qemu` for tests: two sites with an agent each over real arrays. Every
 * wait has a condition and a deadline; whatever happens, the lab is taken down.
 */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import type { PairVerb } from "../../../core/base/pair-settings.ts";
import type { StatusObject } from "../../../core/step/status.ts";
import { deviceFileName, parseDeviceFile } from "../../../host/device-file.ts";
import {
  type Ended,
  needBuiltProgram,
  type Process,
  program,
  runTool,
  startProcess,
  type Told,
} from "../../../testing/agent-process.ts";
import { needProgram, needRoot } from "../../../testing/where.ts";
import type { Outcome } from "../../change.ts";
import type { PairAnswer } from "../../provider.ts";

export type Site = "tokyo" | "osaka";
export type Mirror = "tokyo-osaka" | "osaka-tokyo";
export const sites = ["tokyo", "osaka"] as const;
export const mirrors = ["tokyo-osaka", "osaka-tokyo"] as const;
export const labNeeds = [
  needRoot,
  needProgram("qemu-storage-daemon", "qemu-system-common"),
  needProgram("ip", "iproute2"),
  needProgram("nft", "nftables"),
  existsSync("/dev/fuse") ? null : "needs /dev/fuse",
];

export const writerOf = (mirror: Mirror): Site => (mirror === "tokyo-osaka" ? "tokyo" : "osaka");
export const readerOf = (mirror: Mirror): Site => (mirror === "tokyo-osaka" ? "osaka" : "tokyo");
const hostOf = { tokyo: "t1", osaka: "o1" } as const;
const toolLimitMs = 60_000;
export const rowLimitMs = 45_000;
const lookEveryMs = 50;

/** Takes the lab down if the test is killed; ends by itself once the folder is gone. */
const watcher = `
parent=$1 folder=$2 node=$3
while [ -e "$folder/lab-qemu" ] && kill -0 "$parent" 2>/dev/null; do sleep 1; done
[ -e "$folder/lab-qemu" ] && "$node" src/tooling/lab-qemu.mjs --folder "$folder" down
`;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export class LabWorld {
  /** Of the agents' state folders, and of all else that the lab wrote. */
  readonly folder: string;
  private readonly told: Record<Site, Told[]> = { tokyo: [], osaka: [] };
  private readonly agents: Process[] = [];
  private readonly current = new Map<Site, Process>();
  private readonly traps = new Map<Site, (told: Told) => void>();

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** `head`: what stands before the sites in each configuration: [timing] last. */
  static async open(head: string, ...options: readonly string[]): Promise<LabWorld> {
    needBuiltProgram();
    const lab = new LabWorld(mkdtempSync(path.join(os.tmpdir(), "mirrorbeat-lab-")));
    const file = path.join(lab.folder, "head");
    writeFileSync(file, `${head}\n`);
    try {
      await lab.tool("up", "--timing", file, ...options);
      const args = ["-c", watcher, "sh", String(process.pid), lab.folder, process.execPath];
      spawn("sh", args, { detached: true, stdio: "ignore" }).unref();
      return lab;
    } catch (error) {
      await lab.close();
      throw error;
    }
  }

  private async tool(...args: readonly string[]): Promise<void> {
    const { code, out, err } = await this.ended(args);
    if (code !== 0) throw new Error(`lab qemu ${args.join(" ")}: exit ${code}: ${err}${out}`);
  }

  private ended(args: readonly string[]): Promise<Ended> {
    const command = ["src/tooling/lab-qemu.mjs", "--folder", this.folder, ...args];
    return runTool(process.execPath, command, toolLimitMs);
  }

  configOf(site: Site): string {
    return path.join(this.folder, hostOf[site], "mirrorbeat.toml");
  }

  /** A verb of the program, in the network of a site; whatever its exit code. */
  run(site: Site, ...args: readonly string[]): Promise<Ended> {
    return this.ended(["run", site, "--", program, ...args, "--config", this.configOf(site)]);
  }

  async cut(link: "lan" | "link"): Promise<void> {
    await this.tool("cut", link);
  }

  async mend(link: "lan" | "link"): Promise<void> {
    await this.tool("mend", link);
  }

  private async pair<T>(site: Site, ...args: readonly string[]): Promise<T> {
    const { code, out, err } = await this.run(site, "pair", ...args, "--json");
    if (!out.startsWith("{")) throw new Error(`pair ${args.join(" ")}: exit ${code}: ${err}`);
    return JSON.parse(out) as T;
  }

  /** A change that must come about; asked for at its writer's site unless told. */
  async change(verb: PairVerb, mirror: Mirror, site = writerOf(mirror)): Promise<void> {
    const changed = await this.pair<Outcome>(site, verb, mirror, "--yes", "--force");
    const { kind, message } = changed;
    if (kind !== "done") throw new Error(`pair ${verb} ${mirror}: ${kind}: ${message}`);
  }

  async changeAll(verb: PairVerb): Promise<void> {
    for (const mirror of mirrors) await this.change(verb, mirror);
  }

  async query(mirror: Mirror, site: Site): Promise<PairAnswer> {
    const told = await this.pair<{ answer: PairAnswer }>(site, "query", mirror, "--remote");
    return told.answer;
  }

  start(site: Site): Process {
    const inside = `--net=/run/netns/${this.namespaceOf(site)}`;
    const agent = startProcess({
      command: "nsenter",
      args: [inside, program, "run", "--config", this.configOf(site)],
      onTold: (told) => {
        this.told[site].push(told);
        this.traps.get(site)?.(told);
      },
    });
    this.agents.push(agent);
    this.current.set(site, agent);
    return agent;
  }

  /** Starts its agent, and waits until that takes commands. */
  async startAndWait(site: Site): Promise<void> {
    const agent = this.start(site);
    await this.until(`${site} answers`, async () => {
      if (!agent.alive) throw new Error(`${site} ended (${agent.code}): ${agent.lines.join("\n")}`);
      return (await this.run(site, "status", "--json")).code === 0;
    });
  }

  /** Kills the agent in the very moment in which it tells of a step. */
  async killAt(site: Site, mirror: Mirror, step: string): Promise<void> {
    const agent = this.current.get(site);
    const isIt = ({ fields }: Told): boolean =>
      fields["ev"] === "mirror" && fields["mirror"] === mirror && fields["step"] === step;
    this.traps.set(site, (told) => {
      if (isIt(told)) agent?.kill("SIGKILL");
    });
    try {
      await this.until(`${site} tells of ${step}`, () => agent?.alive === false);
    } finally {
      this.traps.delete(site);
    }
  }

  /** Of installing and removing, in order; from the given line of all that was told. */
  stepsOf(site: Site, mirror: Mirror, from = 0): readonly string[] {
    return this.told[site]
      .slice(from)
      .filter(({ fields }) => fields["ev"] === "mirror" && fields["mirror"] === mirror)
      .map(({ fields }) => fields["step"] ?? "");
  }

  toldBy(site: Site): readonly Told[] {
    return this.told[site];
  }

  /** `install` or `deinstall` at the writer; asked again while it is refused for the moment. */
  async install(
    verb: "install" | "deinstall",
    mirror: Mirror,
    ...more: readonly string[]
  ): Promise<Ended> {
    let ended: Ended = { code: null, out: "", err: "" };
    await this.until(`${verb} ${mirror} begins`, async () => {
      ended = await this.run(writerOf(mirror), verb, mirror, ...more);
      return !/try again|wait, or drop/.test(ended.err);
    });
    return ended;
  }

  /** The device address file of a site: each mirror in it, and its state. */
  registrations(site: Site): Readonly<Record<string, string>> {
    const file = path.join(this.folder, hostOf[site], "state", deviceFileName);
    const { registrations = {} } = parseDeviceFile(readFileSync(file, "utf8")) ?? {};
    const entries = Object.entries(registrations);
    return Object.fromEntries(entries.map(([name, { end, state }]) => [name, `${end} ${state}`]));
  }

  /** Whether beats come over the mirror, as its reader sees it now. */
  async isOk(mirror: Mirror): Promise<boolean> {
    const { code, out } = await this.run(readerOf(mirror), "status", "--json");
    if (code !== 0) return false;
    const { sites: others } = JSON.parse(out) as StatusObject;
    const paths = others.flatMap(({ hosts }) => hosts.flatMap((host) => host.paths));
    return paths.some(({ path, inUse, status }) => path === mirror && inUse && status === "ok");
  }

  async untilOk(mirror: Mirror): Promise<void> {
    await this.until(`${mirror} is ok`, () => this.isOk(mirror));
  }

  async until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
    const endMs = performance.now() + rowLimitMs;
    while (!(await holds())) {
      if (performance.now() > endMs) throw new Error(`not within ${rowLimitMs} ms: ${what}`);
      await pause(lookEveryMs);
    }
  }

  private namespaceOf(site: Site): string {
    const text = readFileSync(path.join(this.folder, "namespaces.json"), "utf8");
    return (JSON.parse(text) as Record<Site, string>)[site];
  }

  /** Of the last verdict on the other site's host, since the agent began. */
  row(site: Site): string | null {
    const last = this.told[site].findLast(({ fields }) =>
      ["start", "verdict"].includes(fields["ev"] ?? ""),
    );
    return last?.fields["row"] ?? null;
  }

  /** Both sites, or the one named, judge the other so. */
  async untilRow(row: string, ...at: readonly Site[]): Promise<void> {
    const observers = at.length > 0 ? at : sites;
    const endMs = performance.now() + rowLimitMs;
    while (!observers.every((site) => this.row(site) === row)) {
      const dead = [...this.current.values()].find((agent) => !agent.alive);
      if (dead) throw new Error(`an agent ended (${dead.code}): ${dead.lines.join("\n")}`);
      if (performance.now() > endMs) {
        const rows = observers.map((site) => `${site}: ${this.row(site)}`);
        throw new Error(`not row ${row} at ${rows.join(", ")} within ${rowLimitMs} ms`);
      }
      await pause(lookEveryMs);
    }
  }

  /** Lines of both journals, and of what was told, that have the pattern. */
  private lines(pattern: RegExp): readonly string[] {
    const told = sites.flatMap((site) =>
      this.told[site].map(({ fields }) =>
        Object.entries(fields)
          .map(([key, value]) => `${key}=${value}`)
          .join(" "),
      ),
    );
    const journals = sites.flatMap((site) => {
      const file = path.join(this.folder, hostOf[site], "state", "journal.log");
      return existsSync(file) ? readFileSync(file, "utf8").split("\n") : [];
    });
    return [...told, ...journals].filter((line) => pattern.test(line));
  }

  /** What offers a takeover. */
  offers(): readonly string[] {
    return this.lines(/\baction=eligible\b/);
  }

  /** What calls a host or a site dead, or perhaps dead. */
  deaths(): readonly string[] {
    return this.lines(/\bev=(verdict|group)\b.* row=(0|8|9)( |$)/);
  }

  /** Verdicts and paths that make a person look; from the given line of what a site told. */
  alarms(site: Site, from: number): readonly string[] {
    return this.told[site]
      .slice(from)
      .filter(({ fields }) => ["path", "verdict", "group"].includes(fields["ev"] ?? ""))
      .filter(({ fields }) => ["warning", "error"].includes(fields["level"] ?? ""))
      .map(({ fields }) => JSON.stringify(fields));
  }

  async close(): Promise<void> {
    for (const agent of this.agents) agent.kill("SIGTERM");
    const grace = setTimeout(() => {
      for (const agent of this.agents) agent.kill("SIGKILL");
    }, 5000);
    await Promise.all(this.agents.map((agent) => agent.ended));
    clearTimeout(grace);
    try {
      await this.tool("down");
    } finally {
      rmSync(this.folder, { recursive: true, force: true });
    }
  }
}
