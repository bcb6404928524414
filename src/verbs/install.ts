/**
 * `install` and `deinstall`: a heartbeat mirror brought into use at both sites, or taken out of it.
 * The agent does it; this tells each step as it comes and how it ended.
 */
import { type ExitCode, exitCodes } from "../core/base/exit-codes.ts";
import type { Config } from "../core/base/config.ts";
import type { InstallWish } from "../core/step/state.ts";
import type { StatusObject } from "../core/step/status.ts";
import { isObject } from "../host/json-lines.ts";
import { askAgent, clientOptions, configFor, isAnswer } from "./agent-client.ts";
import { parseVerbArgs, usageError } from "./verb-args.ts";
import type { VerbIo } from "./verb-io.ts";

const installHelp = `mirrorbeat install MIRROR [--wait SECONDS] [--force] [--json]
                   [--config FILE] [--host NAME]

  Brings a configured heartbeat mirror into use. Run it at a host of the site
  that writes the mirror, beside its running agent. Its pair must be made and
  its PVOL formatted: \`mirrorbeat pair create\`, \`mirrorbeat format\`.

    1  the PVOL is registered here, in the device address file
    2  the mirror is enabled here: heartbeats are written to it
    3  the activation goes out to all hosts, by the network or the mirror
    4  each registers its volume, enables it, and sends a receipt
    5  the receipts are seen here

  Every step is durable; after a crash it goes on by itself, and to run it
  again does no harm. Hosts that are silent follow when they come back.

  --wait SECONDS   how long to wait for the receipts, default 60; then it goes
                   on without this command (exit 75)
  --force          although not all have done what was commanded before; a
                   host that is silent now will not hear of that any more

exit codes
  0 installed   64 no such mirror, or wrong site   69 no agent runs
  73 the device address file cannot be written     75 not now, or not all yet
  78 configuration   124 the agent does not answer
`;

const deinstallHelp = `mirrorbeat deinstall MIRROR [--local] [--force] [--wait SECONDS]
                     [--json] [--config FILE] [--host NAME]

  Takes a heartbeat mirror out of use at both sites: it is drained first, so
  that nobody takes its silence for a loss, then removed from the device
  address files. The pair itself is left: \`mirrorbeat pair remove\`.
  Run it at a host of the site that writes the mirror.

  --local          here only, at either site: to remove a failed mirror while
                   the other site is dead. The other site is not told
  --force          even if it is the last path between the sites. The risk:
                   neither site judges the other any more. Also although not
                   all have done what was commanded before
  --wait SECONDS   how long to wait for the receipts, default 60; then it goes
                   on without this command (exit 75)

exit codes
  0 removed   64 no such mirror, or wrong site   69 no agent runs
  73 the device address file cannot be written   75 not now, or not all yet
  78 configuration   107 the last path, without --force
  124 the agent does not answer
`;

const options = {
  ...clientOptions,
  wait: { type: "string" },
  local: { type: "boolean" },
  force: { type: "boolean" },
} as const;

const askMs = 5000;
const lookEveryMs = 200;
const waitSecondsDefault = 60;
const waitSecondsMax = 86_400;

type Verb = "install" | "deinstall" | "config";
type Installation = StatusObject["installation"];

export async function installVerb(
  verb: "install" | "deinstall",
  args: readonly string[],
  io: VerbIo,
): Promise<ExitCode> {
  const parsed = parseVerbArgs(args, options);
  if (!parsed.ok) return usageError(io, verb, parsed.message);
  const { values, positionals } = parsed;
  if (values.help) {
    io.out(verb === "install" ? installHelp : deinstallHelp);
    return exitCodes.ok;
  }
  const [mirror, more] = positionals;
  if (mirror === undefined) return usageError(io, verb, "which mirror? name it");
  if (more !== undefined) return usageError(io, verb, `one word too many: ${more}`);
  if (verb === "install" && values.local) {
    return usageError(io, verb, "--local belongs to deinstall");
  }
  const waitMs = waitMsOf(values.wait);
  if (waitMs === null) return usageError(io, verb, `--wait takes 1 to ${waitSecondsMax} seconds`);
  const loaded = configFor(verb, values, io);
  if (!loaded.ok) return loaded.code;
  const what: InstallWish =
    verb === "install" ? "install" : values.local ? "deinstall-local" : "deinstall";
  const wish = { what, mirror, force: values.force === true };
  return commandAndFollow(verb, loaded.config, wish, waitMs, values.json === true, io);
}

export type Wish = {
  readonly what: InstallWish;
  /** Empty for what is about no mirror. */
  readonly mirror: string;
  readonly force: boolean;
};

/** Gives the command to the agent, and tells how it goes until it ends or the time is over. */
export async function commandAndFollow(
  verb: Verb,
  config: Config,
  wish: Wish,
  waitMs: number,
  json: boolean,
  io: VerbIo,
): Promise<ExitCode> {
  const asked = await askAgent(config, { op: "install", ...wish }, askMs);
  const begun = asked.ok && isAnswer(asked.value) ? asked.value : null;
  if (!asked.ok) return told(verb, asked.code, asked.message, json, io);
  if (!begun)
    return told(verb, exitCodes.software, "not an answer of this agent's version", json, io);
  if (begun.code !== exitCodes.ok) return told(verb, begun.code, begun.message, json, io);
  return follow(verb, config, wish.mirror, waitMs, json, io);
}

export function waitMsOf(text: string | undefined): number | null {
  if (text === undefined) return waitSecondsDefault * 1000;
  const seconds = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  return seconds >= 1 && seconds <= waitSecondsMax ? seconds * 1000 : null;
}

function told(verb: Verb, code: ExitCode, message: string, json: boolean, io: VerbIo): ExitCode {
  if (json) io.out(`${JSON.stringify({ schema: 1, ok: code === exitCodes.ok, code, message })}\n`);
  else if (code === exitCodes.ok) io.out(`${message}\n`);
  else io.err(`mirrorbeat ${verb}: ${message}\n`);
  return code;
}

function installationOf(value: unknown): Installation | null {
  const found = isObject(value) ? (value as Record<string, unknown>)["installation"] : null;
  return isObject(found) ? (found as unknown as Installation) : null;
}

/** Tells each change until it ends; an agent that is started anew meanwhile goes on with it. */
async function follow(
  verb: Verb,
  config: Config,
  mirror: string,
  waitMs: number,
  json: boolean,
  io: VerbIo,
): Promise<ExitCode> {
  const untilMs = performance.now() + waitMs;
  let shown = "";
  let waits: readonly string[] = [];
  for (;;) {
    const asked = await askAgent(config, { op: "status" }, askMs);
    const found = asked.ok ? installationOf(asked.value) : null;
    const { now = null, last = null } = found ?? {};
    if (found && !now && last && (mirror === "" || last.mirror === mirror)) {
      return told(verb, last.code, last.message, json, io);
    }
    if (found && !now && !last) {
      const message = "the agent began anew, and does not go on with it; run it again, no harm";
      return told(verb, exitCodes.tryLater, message, json, io);
    }
    waits = now?.waitingFor ?? waits;
    const line = progressText(now, asked.ok ? "" : asked.message);
    if (line !== shown && line !== "" && !json) io.err(`${line}\n`);
    shown = line;
    if (performance.now() >= untilMs) {
      const reason = waits.length > 0 ? waits.join("; ") : line || "no word of it";
      const message = `not done yet, and goes on: ${reason}; look at \`mirrorbeat status\``;
      return told(verb, asked.ok ? exitCodes.tryLater : asked.code, message, json, io);
    }
    await new Promise((resolve) => setTimeout(resolve, lookEveryMs));
  }
}

const phases: Readonly<Record<string, string>> = {
  opening: "opening the volume",
  registering: "registering the volume in the device address file",
  enabling: "enabling the mirror",
  announcing: "told to all hosts",
  switching: "switching to the staged configuration",
  draining: "draining: its silence means nothing from now on",
  deregistering: "removing it from the device address file",
};

function progressText(now: Installation["now"], fault: string): string {
  if (!now) return fault;
  const step = phases[now.phase] ?? now.phase;
  const receipts =
    now.phase === "announcing"
      ? `; receipts ${now.acknowledged.length} of ${now.needed.length}`
      : "";
  const waits = now.waitingFor.length > 0 ? ` (${now.waitingFor.join("; ")})` : "";
  return `${now.mirror}: ${step}${receipts}${waits}`;
}
