/** `gate`: may this host start what serves? For boot scripts, cluster managers and people. */
import { dataTakeLimitMs } from "../agent/data-pairs.ts";
import { type Config, siteNamed } from "../core/base/config.ts";
import { type ExitCode, exitCodes } from "../core/base/exit-codes.ts";
import { takeoverPublishLimitMs } from "../core/base/timing.ts";
import { askAgent, clientOptions, configFor, isAnswer } from "./agent-client.ts";
import { askGate, closed, type GateAnswer, notKnown } from "./gate-answer.ts";
import { foreignTerm } from "./gate-volumes.ts";
import { parseVerbArgs, usageError } from "./verb-args.ts";
import type { VerbIo } from "./verb-io.ts";

const help = `mirrorbeat gate [--wait SECONDS] [--quiet] [--json] [--config FILE]
                [--host NAME]
mirrorbeat gate --peer-is-off SITE --yes

  May this host start the service? Asks this host's agent: the gate is open
  only while this site is active and its right to be so is valid. No answer
  opens nothing. Needs no network.
  --wait SECONDS       ask each second until it is open, so long at most
  --quiet              no output; the exit code says it all
  --peer-is-off SITE   take over here, because the named site is powered off.
                       RISK: if its service runs, two sites write the same
                       data. Your word is written into every record.
  --yes                you have made sure of that, on the spot

exit codes
  0 open   75 closed   4 cannot be told: treat it as closed
  64 command line, or --yes is missing
  66 no configuration file   74 it cannot be read   78 configuration
`;
const options = {
  ...clientOptions,
  wait: { type: "string" },
  quiet: { type: "boolean", short: "q" },
  yes: { type: "boolean" },
  "peer-is-off": { type: "string" },
} as const;

const askLimitMs = 3000;
const askLimitMinMs = 1000;
const everyMs = 1000;
const waitSecondsMax = 86_400;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

type Look = Awaited<ReturnType<typeof askGate>>;

async function lookUntil(config: Config, waitMs: number): Promise<Look> {
  const endMs = performance.now() + waitMs;
  const leastMs = waitMs === 0 ? askLimitMs : askLimitMinMs;
  for (;;) {
    const leftMs = Math.ceil(endMs - performance.now());
    const look = await askGate(config, Math.min(askLimitMs, Math.max(leastMs, leftMs)));
    const restMs = endMs - performance.now();
    if ((look !== "absent" && look.open) || restMs <= 0) return look;
    await pause(Math.min(everyMs, restMs));
  }
}

/** Without an agent it is closed; the volumes may tell more of why. */
async function withoutAgent(config: Config): Promise<GateAnswer> {
  const start = "start it: mirrorbeat run";
  const found = await foreignTerm(config);
  if (!found) return closed("no agent runs here, and nothing else can open it", start);
  const { term, owner, volume, writer } = found;
  const where = `host ${writer} wrote it on ${volume}`;
  const reason = `no agent runs here, and term ${term} belongs to site ${owner} (${where})`;
  return {
    ...closed(reason, `${start}; it tells which site is active now`),
    term: `${term}`,
    owner,
  };
}

function tell(answer: GateAnswer, io: VerbIo, json: boolean, quiet: boolean): ExitCode {
  const { open, code, reason, opens } = answer;
  const word = open ? "OPEN" : code === exitCodes.tryLater ? "CLOSED" : "UNKNOWN";
  if (quiet) return code;
  if (json) io.out(`${JSON.stringify(answer)}\n`);
  else io.out(`gate ${word}  ${reason}\n${opens === "" ? "" : `opens: ${opens}\n`}`);
  return code;
}

const risk = (
  site: string,
  own: string,
): string => `NOTHING DONE. With --yes this site, ${own}, takes over without waiting:
RISK: if any host of ${site} still runs its service, two sites write the
same data, and one site's writes are lost.
Before you say --yes: go there, or let someone go there, and see that every
host of ${site} is powered off, and cannot start by itself.
Your word is kept: it stands in every record of this term, and in status.
next: mirrorbeat gate --peer-is-off ${site} --yes
`;

function siteFault(config: Config, site: string): string | null {
  const found = siteNamed(config, site);
  const others = config.sites.filter(
    ({ name, role }) => name !== config.self.site && role !== "witness",
  );
  const names = others.map(({ name }) => name).join(", ") || "none";
  if (!found) return `--peer-is-off ${site}: no such site; there are: ${names}`;
  if (site === config.self.site) return `--peer-is-off ${site}: that is this site; say: ${names}`;
  if (found.role !== "witness") return null;
  return `--peer-is-off ${site}: a witness never serves; say: ${names}`;
}

/** The operator's word that a site is off: a takeover in a new term, and then the gate. */
async function attest(config: Config, site: string): Promise<GateAnswer> {
  const hookMs = config.hooks.takeover ? config.hooks.limitMs : 0;
  const workMs = hookMs + dataTakeLimitMs(config) + config.takeover.arbiterLimitMs;
  const deadlineMs = takeoverPublishLimitMs(config.timing) + workMs + askLimitMs;
  const question = { op: "takeover", force: false, peerIsOff: site };
  const asked = await askAgent(config, question, deadlineMs);
  if (!asked.ok && asked.code === exitCodes.unavailable) return withoutAgent(config);
  const remedy = "mirrorbeat status tells what is true now; then give the command again";
  if (!asked.ok) return notKnown(asked.message, remedy);
  if (!isAnswer(asked.value)) return notKnown("the agent's answer is not understood", remedy);
  const { code, message } = asked.value;
  const look = await lookUntil(config, 0);
  if (code === exitCodes.ok) return look === "absent" ? withoutAgent(config) : look;
  const reason = `the takeover was not done (${code}): ${message}`;
  const known = look === "absent" ? {} : { role: look.role, term: look.term, owner: look.owner };
  return { ...closed(reason, "mend that, then give the command again"), ...known };
}

function secondsOf(text: string | undefined): number | null {
  if (text === undefined) return 0;
  const seconds = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  return seconds <= waitSecondsMax ? seconds : null;
}

export async function gateVerb(args: readonly string[], io: VerbIo): Promise<ExitCode> {
  const parsed = parseVerbArgs(args, options);
  if (!parsed.ok) return usageError(io, "gate", parsed.message);
  const { values, positionals } = parsed;
  if (values.help) {
    io.out(help);
    return exitCodes.ok;
  }
  if (positionals.length > 0) return usageError(io, "gate", `unexpected '${positionals[0]}'`);
  const seconds = secondsOf(values.wait);
  if (seconds === null) {
    return usageError(io, "gate", `--wait ${values.wait}: say seconds, 0 to ${waitSecondsMax}`);
  }
  const site = values["peer-is-off"];
  if (values.yes && site === undefined) {
    return usageError(io, "gate", "--yes goes with --peer-is-off SITE");
  }
  if (site !== undefined && seconds > 0) {
    return usageError(io, "gate", "--wait and --peer-is-off do not go together");
  }
  const loaded = configFor("gate", values, io);
  if (!loaded.ok) return loaded.code;
  const { config } = loaded;
  const [json, quiet] = [values.json ?? false, values.quiet ?? false];
  if (site === undefined) {
    const look = await lookUntil(config, 1000 * seconds);
    return tell(look === "absent" ? await withoutAgent(config) : look, io, json, quiet);
  }
  const fault = siteFault(config, site);
  if (fault !== null) return usageError(io, "gate", fault);
  if (values.yes) return tell(await attest(config, site), io, json, quiet);
  const message = `say --yes once every host of ${site} is seen to be powered off`;
  if (json)
    io.out(`${JSON.stringify({ schema: 1, open: false, code: exitCodes.usage, message })}\n`);
  else io.out(risk(site, config.self.site));
  return exitCodes.usage;
}
