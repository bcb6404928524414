/**
 * The demo's stage: a folder with keys, volumes and configurations; two copiers in the arrays'
 * place, a LAN whose cable can be pulled, and four hosts, each the shipped agent in a process of
 * its own.
 */
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { healthMax, mirrorDetectionBoundMs, timingDefaults } from "../core/base/timing.ts";
import type { Timing } from "../core/base/config.ts";
import { conditionWaiter } from "./wait.ts";
import { freePort, type Lan, openLan } from "./relay.ts";
import { type ProgramEvent, runCommand, type Running, startProgram } from "./processes.ts";

export const hosts = [
  { name: "a1", site: "a", slot: 0 },
  { name: "a2", site: "a", slot: 1 },
  { name: "b1", site: "b", slot: 0 },
  { name: "b2", site: "b", slot: 1 },
] as const;
export type HostName = (typeof hosts)[number]["name"];
export const mirrors = [
  { name: "a-b", writer: "a", reader: "b" },
  { name: "b-a", writer: "b", reader: "a" },
] as const;

const volumeBytes = 1 << 20;
const commandMs = 15_000;
const linkTimeoutIntervals = 3;

export function demoTiming(intervalMs: number): Timing {
  return {
    ...timingDefaults,
    intervalMs,
    pollMs: intervalMs / 2,
    marginMs: 2 * intervalMs,
    latencyMs: intervalMs,
    readLimitMs: intervalMs / 2,
    writeLimitMs: Math.max(1000, 4 * intervalMs),
    // Six programs start at once on a machine that does other work too.
    schedulingMs: intervalMs,
    pairPollMs: 2 * intervalMs,
    pairAgeLimitMs: 12 * intervalMs,
  };
}

export function bounds(timing: Timing): { healthyMs: number; leastHealthyMs: number } {
  return {
    healthyMs: mirrorDetectionBoundMs(timing, 0),
    leastHealthyMs: mirrorDetectionBoundMs(timing, healthMax),
  };
}

export type Stage = {
  readonly folder: string;
  readonly lan: Lan;
  config(host: HostName): string;
  start(host: HostName): Running;
  running(host: HostName): Running | undefined;
  copier(mirror: string, command: string): Promise<boolean>;
  close(keep: boolean): Promise<void>;
};

export type StageOptions = {
  readonly timing: Timing;
  readonly onEvent: (host: HostName, event: ProgramEvent) => void;
  readonly onExit: (host: HostName, pid: number) => void;
  readonly onLine: (who: string, line: string) => void;
};

function configText(
  self: HostName,
  folder: string,
  timing: Timing,
  ports: Record<string, number>,
  lan: Lan,
): string {
  const site = (name: string, id: number, role: string): string => {
    const members = hosts.filter((host) => host.site === name);
    const blocks = members.map((host) => {
      const port = host.name === self ? ports[host.name] : lan.portOf(host.name);
      return `[[sites.hosts]]\nname = "${host.name}"\nslot = ${host.slot}\naddress = "127.0.0.1:${port}"\n`;
    });
    return `[[sites]]\nname = "${name}"\nid = ${id}\nrole = "${role}"\n${blocks.join("")}`;
  };
  const mirror = (m: (typeof mirrors)[number]): string =>
    [
      "[[mirrors]]",
      `name = "${m.name}"\nwriter = "${m.writer}"\nreader = "${m.reader}"`,
      `pvol = "${volume(folder, m.name, "pvol")}"\nsvol = "${volume(folder, m.name, "svol")}"`,
      `[mirrors.pair]\nprovider = "embedded"\ncontrol = "${copierSocket(folder, m.name)}"\n`,
    ].join("\n");
  const t = timing;
  return `# made by mirrorbeat demo
cluster = "demo"
host = "${self}"
key_file = "${folder}/authkey"
run_folder = "${folder}/${self}/run"
state_folder = "${folder}/${self}/state"
[timing]
interval_ms = ${t.intervalMs}
poll_ms = ${t.pollMs}
margin_ms = ${t.marginMs}
latency_ms = ${t.latencyMs}
read_limit_ms = ${t.readLimitMs}
scheduling_ms = ${t.schedulingMs}
write_limit_ms = ${t.writeLimitMs}
pair_poll_ms = ${t.pairPollMs}
pair_age_limit_ms = ${t.pairAgeLimitMs}
[hooks]
takeover = ["${folder}/service"]
superseded = ["${folder}/service"]
${site("a", 1, "production")}${site("b", 2, "standby")}${mirrors.map(mirror).join("")}`;
}

export function volume(folder: string, mirror: string, end: "pvol" | "svol"): string {
  return path.join(folder, `${mirror}.${end}`);
}

function copierSocket(folder: string, mirror: string): string {
  return path.join(folder, "copiers", `${mirror}.sock`);
}

/** The service of the demo: it writes down each start, and says so. */
const serviceScript = `#!/bin/sh
echo "service on $MIRRORBEAT_HOST: $MIRRORBEAT_NEW_STATE in term $MIRRORBEAT_TERM"
`;

async function must(args: readonly string[]): Promise<void> {
  const ended = await runCommand(args, commandMs);
  if (ended.code === 0) return;
  throw new Error(`mirrorbeat ${args.join(" ")}: exit ${ended.code}: ${ended.err.trim()}`);
}

async function prepare(
  folder: string,
  timing: Timing,
): Promise<{ ports: Record<string, number>; lan: Lan }> {
  const key = path.join(folder, "authkey");
  await must(["key", "generate", "--out", key]);
  mkdirSync(path.join(folder, "copiers"), { mode: 0o700 });
  writeFileSync(path.join(folder, "service"), serviceScript, { mode: 0o755 });
  for (const { name, writer, reader } of mirrors) {
    for (const end of ["pvol", "svol"] as const) {
      writeFileSync(volume(folder, name, end), "");
      truncateSync(volume(folder, name, end), volumeBytes);
    }
    const identity = ["--cluster", "demo", "--writer", writer, "--reader", reader];
    await must([
      "format",
      volume(folder, name, "pvol"),
      ...identity,
      "--slots",
      "8",
      "--key",
      key,
      "--yes",
    ]);
  }
  const ports: Record<string, number> = {};
  for (const host of hosts) ports[host.name] = await freePort();
  const lan = await openLan(ports);
  for (const host of hosts) {
    mkdirSync(path.join(folder, host.name), { mode: 0o700 });
    writeFileSync(
      path.join(folder, host.name, "mirrorbeat.toml"),
      configText(host.name, folder, timing, ports, lan),
    );
  }
  return { ports, lan };
}

export async function openStage(options: StageOptions): Promise<Stage> {
  const folder = mkdtempSync(path.join(os.tmpdir(), "mirrorbeat-demo-"));
  const { timing } = options;
  const { lan } = await prepare(folder, timing);
  const paired = conditionWaiter();
  const states = new Map<string, string>();
  const copiers = mirrors.map(({ name }) =>
    startProgram(
      [
        "remotecopy", volume(folder, name, "pvol"), volume(folder, name, "svol"),
        "--control", copierSocket(folder, name),
        "--link-timeout", String(linkTimeoutIntervals * timing.intervalMs),
      ], // biome-ignore format: a command line
      (event) => {
        if (event["ev"] === "pair") states.set(name, event["state"] ?? "");
        paired.poke();
      },
      (line) => options.onLine("remotecopy", line),
    ),
  );
  const all = () => mirrors.every(({ name }) => states.get(name) === "paired");
  if (!(await paired.until(all, commandMs))) throw new Error("the copiers made no pair in time");
  const agents = new Map<HostName, Running>();
  const config = (host: HostName): string => path.join(folder, host, "mirrorbeat.toml");
  return {
    folder,
    lan,
    config,
    start(host) {
      const agent = startProgram(
        ["run", "--config", config(host)],
        (event) => options.onEvent(host, event),
        (line) => options.onLine(host, line),
      );
      agents.set(host, agent);
      void agent.ended.then(() => options.onExit(host, agent.pid));
      return agent;
    },
    running: (host) => agents.get(host),
    async copier(mirror, command) {
      const ended = await runCommand(
        ["remotecopy", "--control", copierSocket(folder, mirror), command],
        commandMs,
      );
      return ended.code === 0;
    },
    async close(keep) {
      const all = [...agents.values(), ...copiers].filter((running) => running.alive);
      for (const running of all) running.kill("SIGTERM");
      const reaper = setTimeout(() => {
        for (const running of all) if (running.alive) running.kill("SIGKILL");
      }, 5000);
      await Promise.all(all.map((running) => running.ended));
      clearTimeout(reaper);
      lan.close();
      if (!keep) rmSync(folder, { recursive: true, force: true });
    },
  };
}
