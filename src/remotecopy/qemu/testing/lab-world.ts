/**
 * The lab of `./build.sh lab qemu` for tests: two sites with an agent each over real arrays. Every
 * wait has a condition and a deadline; whatever happens, the lab is taken down.
 */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import type { PairVerb } from "../../../core/base/pair-settings.ts";
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

const writerOf = (mirror: Mirror): Site => (mirror === "tokyo-osaka" ? "tokyo" : "osaka");
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

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** `timing`: lines of the configurations' [timing]. */
  static async open(timing: string, ...options: readonly string[]): Promise<LabWorld> {
    needBuiltProgram();
    const lab = new LabWorld(mkdtempSync(path.join(os.tmpdir(), "mirrorbeat-lab-")));
    const file = path.join(lab.folder, "timing");
    writeFileSync(file, `[timing]\n${timing}\n`);
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
      onTold: (told) => void this.told[site].push(told),
    });
    this.agents.push(agent);
    return agent;
  }

  private namespaceOf(site: Site): string {
    const text = readFileSync(path.join(this.folder, "namespaces.json"), "utf8");
    return (JSON.parse(text) as Record<Site, string>)[site];
  }

  /** Of the last verdict on the other site's host. */
  row(site: Site): string | null {
    const verdict = this.told[site].findLast(({ fields }) => fields["ev"] === "verdict");
    return verdict?.fields["row"] ?? null;
  }

  /** Both sites, or the one named, judge the other so. */
  async untilRow(row: string, ...at: readonly Site[]): Promise<void> {
    const observers = at.length > 0 ? at : sites;
    const endMs = performance.now() + rowLimitMs;
    while (!observers.every((site) => this.row(site) === row)) {
      const dead = this.agents.find((agent) => !agent.alive);
      if (dead) throw new Error(`an agent ended (${dead.code}): ${dead.lines.join("\n")}`);
      if (performance.now() > endMs) {
        const rows = observers.map((site) => `${site}: ${this.row(site)}`);
        throw new Error(`not row ${row} at ${rows.join(", ")} within ${rowLimitMs} ms`);
      }
      await pause(lookEveryMs);
    }
  }

  /** Lines of both journals, and of what was told, that offer a takeover. */
  offers(): readonly string[] {
    const told = sites.flatMap((site) =>
      this.told[site]
        .filter(({ fields }) => fields["action"] === "eligible")
        .map(({ fields }) => JSON.stringify(fields)),
    );
    const journals = sites.flatMap((site) => {
      const file = path.join(this.folder, hostOf[site], "state", "journal.log");
      const lines = existsSync(file) ? readFileSync(file, "utf8").split("\n") : [];
      return lines.filter((line) => line.includes("action=eligible"));
    });
    return [...told, ...journals];
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
