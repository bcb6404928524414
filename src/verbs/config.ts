/** `config check` says whether a configuration is good; `config show` prints what is in effect. */
import path from "node:path";
import { type Config, isLeased, ownHost } from "../core/base/config.ts";
import { type ExitCode, exitCodes } from "../core/base/exit-codes.ts";
import {
  configFileOf,
  type ConfigResult,
  faultLine,
  loadConfig,
  type Origin,
} from "../host/config-file.ts";
import { isAutomatic } from "../host/config-policy.ts";
import { deviceNameNotes } from "./config-devices.ts";
import { effectiveToml } from "./config-show.ts";
import { stageVerb } from "./config-stage.ts";
import { parseVerbArgs, usageError } from "./verb-args.ts";
import type { VerbIo } from "./verb-io.ts";

const help = `mirrorbeat config check|show [--config FILE] [--host NAME] [--json]
mirrorbeat config stage|unstage|switch [--config FILE] [--host NAME] [--json]

  check   says whether the configuration is good, else every fault in it,
          one line each: file, line, field, what is wrong, what to do
  show    the effective values as TOML, each with its origin

  While everything runs, with no alarm and no missed beat: raise generation,
  change timings, hosts or mirrors in the file of every host, then
  stage    this host's agent reads the file and holds it ready; at each host
  switch   at one host, once all have it: all go over to it together.
           --force leaves behind hosts that are silent. --wait SECONDS, or 60
  unstage  drops what is staged here

  --config FILE  else $MIRRORBEAT_CONFIG, else
                 /etc/mirrorbeat/mirrorbeat.toml; conf.d/*.toml in the same
                 folder is laid over it in the order of the names
  --host NAME    read it as this host does; else "host" in the file, else
                 this machine's name
  --json         one JSON object

examples
  mirrorbeat config check
  mirrorbeat config check --config new.toml --host ctl-b1
  mirrorbeat config show | less
exit codes
  0 good, or done   64 wrong command line   66 no such file
  69 no agent runs   75 not now, or not all yet   77 may not be read
  78 faults in the configuration   124 the agent does not answer
`;

const options = {
  config: { type: "string" },
  host: { type: "string" },
  json: { type: "boolean" },
  force: { type: "boolean" },
  wait: { type: "string" },
  help: { type: "boolean", short: "h" },
} as const;

type Loaded = Extract<ConfigResult, { ok: true }>;
type Refused = Extract<ConfigResult, { ok: false }>;

const plural = (count: number, noun: string) => `${count} ${noun}${count === 1 ? "" : "s"}`;

/** What the right to take over leaves open. */
function rightNotes(config: Config): readonly string[] {
  const { policy, timing, hooks, fencing } = config;
  const stopLimitMs = timing.stopMs + fencing.watchdogLimitMs;
  const rules: readonly (readonly [boolean, string])[] = [
    [
      isLeased(policy) && fencing.watchdog !== null && hooks.limitMs > stopLimitMs,
      `hooks.limit_ms ${hooks.limitMs}: a stop that takes over ${stopLimitMs} ms ends in a reset`,
    ],
    [
      !isLeased(policy) && fencing.watchdog !== null,
      `fencing.watchdog is not armed under policy "${policy}"`,
    ],
    [
      isAutomatic(policy) && config.dataGroups.length === 0,
      "no [[data]]: a takeover looks at no data, and its hook alone makes volumes writable",
    ],
    [
      isAutomatic(policy) && !isLeased(policy) && ownServes(config) && hooks.takeover === null,
      "no hooks.takeover: an automatic takeover starts no service",
    ],
  ];
  return rules.filter(([applies]) => applies).map(([, note]) => note);
}

const ownServes = (config: Config): boolean => !ownHost(config).beacon;

/** What is allowed, but seldom meant. */
export function configNotes(config: Config): readonly string[] {
  const notes: string[] = [];
  const mirrors = config.mirrors.filter((mirror) => mirror.enabled);
  for (const site of config.sites.filter(({ role }) => role !== "witness")) {
    const hosts = site.hosts.filter((host) => host.enabled);
    const unheard = hosts.filter((host) => host.address === null).map((host) => host.name);
    const writes = mirrors.some((mirror) => mirror.writer === site.name);
    if (!writes) notes.push(`no enabled mirror carries heartbeats of ${site.name}`);
    if (config.networkEnabled && unheard.length > 0) {
      notes.push(`no address, so no network path to: ${unheard.join(", ")}`);
    }
    if (hosts.length === 0) notes.push(`every host of ${site.name} is disabled: never judged`);
  }
  return [...notes, ...rightNotes(config)];
}

export function originText(origin: Origin, shorten: (file: string) => string = String): string {
  switch (origin.kind) {
    case "file":
      return `${shorten(origin.file)}:${origin.line}`;
    case "derived":
      return `derived from ${origin.from}`;
    case "default":
    case "command line":
    case "hostname":
      return origin.kind;
  }
}

/** The times that the right rests on, and who resets a host that stalls. */
function rightLines({ policy, timing, fencing }: Config): readonly string[] {
  if (!isLeased(policy)) return [];
  const { leaseMs, stopMs, watchdogMs, takeoverWaitMs } = timing;
  const { watchdog, watchdogLimitMs } = fencing;
  const fed = watchdog === null ? "no watchdog here" : `${watchdog}, ${watchdogLimitMs} ms`;
  return [
    `lease ${leaseMs} ms, stop ${stopMs}, watchdog ${watchdogMs}, takeover wait ${takeoverWaitMs}`,
    `fencing: ${fed}`,
  ];
}

function checkGood(loaded: Loaded, file: string, json: boolean, io: VerbIo): ExitCode {
  const { config } = loaded;
  const notes = [...configNotes(config), ...deviceNameNotes(config)];
  const hosts = config.sites.flatMap((site) => site.hosts).length;
  if (json) {
    const { cluster, self } = config;
    io.out(`${JSON.stringify({ schema: 1, ok: true, file, cluster, self, notes, faults: [] })}\n`);
    return exitCodes.ok;
  }
  const role = config.sites.find((site) => site.name === config.self.site)?.role ?? "";
  const network = config.networkEnabled ? "on" : "off";
  const parts = [plural(config.sites.length, "site"), plural(hosts, "host")];
  const groups = config.dataGroups.length;
  if (groups > 0) parts.push(plural(groups, "data group"));
  const paths = `${plural(config.mirrors.length, "mirror")}, network ${network}`;
  io.out(`ok: ${file}\n`);
  io.out(
    `    host ${config.self.host}, site ${config.self.site} (${role}), cluster ${config.cluster}\n`,
  );
  io.out(`    ${parts.join(", ")}, ${paths}, policy ${config.policy}\n`);
  for (const line of rightLines(config)) io.out(`    ${line}\n`);
  for (const note of notes) io.out(`note: ${note}\n`);
  io.out("next: mirrorbeat timing\n");
  return exitCodes.ok;
}

function tellFaults(refused: Refused, file: string, json: boolean, io: VerbIo): ExitCode {
  if (json) {
    io.out(`${JSON.stringify({ schema: 1, ok: false, file, faults: refused.faults })}\n`);
    return refused.code;
  }
  io.out(`refused: ${plural(refused.faults.length, "fault")}\n`);
  for (const fault of refused.faults) io.out(`${faultLine(fault)}\n`);
  io.out("next: correct these lines, then: mirrorbeat config check\n");
  return refused.code;
}

function show(loaded: Loaded, file: string, json: boolean, io: VerbIo): ExitCode {
  if (json) {
    const origins = Object.fromEntries(
      [...loaded.origins].map(([field, origin]) => [field, originText(origin)]),
    );
    const { config, files } = loaded;
    io.out(`${JSON.stringify({ schema: 1, ok: true, file, files, config, origins })}\n`);
  } else {
    io.out(effectiveToml(loaded, (origin) => originText(origin, path.basename)));
  }
  return exitCodes.ok;
}

export async function configVerb(args: readonly string[], io: VerbIo): Promise<ExitCode> {
  const parsed = parseVerbArgs(args, options);
  if (!parsed.ok) return usageError(io, "config", parsed.message);
  const { values, positionals } = parsed;
  if (values.help) {
    io.out(help);
    return exitCodes.ok;
  }
  const [action, ...rest] = positionals;
  const file = configFileOf(values.config, io.env);
  if ((action === "stage" || action === "unstage" || action === "switch") && rest.length === 0) {
    return stageVerb(action, file, values, io);
  }
  if ((action !== "check" && action !== "show") || rest.length > 0) {
    return usageError(io, "config", "say check, show, stage, unstage or switch");
  }
  const loaded = loadConfig({ file, host: values.host ?? null });
  const json = values.json ?? false;
  if (action === "check") {
    return loaded.ok ? checkGood(loaded, file, json, io) : tellFaults(loaded, file, json, io);
  }
  return loaded.ok ? show(loaded, file, json, io) : tellFaults(loaded, file, json, io);
}
