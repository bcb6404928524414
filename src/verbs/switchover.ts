/** `switchover` and `failback`: the service goes to the other site, planned, without a gap. */
import { dataTakeLimitMs } from "../agent/data-pairs.ts";
import type { Config } from "../core/base/config.ts";
import { type ExitCode, exitCodes } from "../core/base/exit-codes.ts";
import { takeoverPublishLimitMs } from "../core/base/timing.ts";
import type { StatusObject } from "../core/step/status.ts";
import { askAgent, clientOptions, command, configFor } from "./agent-client.ts";
import { evidenceLines } from "./takeover.ts";
import { parseVerbArgs, usageError } from "./verb-args.ts";
import type { VerbIo } from "./verb-io.ts";

export type SwitchoverVerb = "switchover" | "failback";

const usage: Readonly<Record<SwitchoverVerb, string>> = {
  switchover: `mirrorbeat switchover [--to SITE] [--yes] [--config FILE] [--host NAME]
                     [--json]

  Gives the service to the other site, planned. Run it on the host that
  serves: the data pairs are found whole, the stop hook stops the service on
  every host of this site, the data is found whole again, the term is given
  away durably; then the other site swaps the data pairs and starts its
  service. Until the term is given, each fault ends with the service here.
  After that it is not taken back by itself: the other site may serve already.
`,
  failback: `mirrorbeat failback [--yes] [--config FILE] [--host NAME] [--json]

  Gives the service back to the production site, planned. Run it on the host
  that serves, at the standby site. Data pairs that were taken over are made
  whole first, from here to there: THE OTHER SITE'S DATA IS OVERWRITTEN by
  this site's. Then all goes as in mirrorbeat switchover.
`,
};

const rest = `
  Without --yes it only shows the evidence.
  --to SITE   needed where there is more than one other site
  --yes       do it

exit codes
  0 done: the other site is active   64 --yes is missing, or command line
  66 no configuration file   69 no agent runs   73 local disk full
  74 configuration cannot be read   75 one is under way   77 not permitted
  78 configuration   107 unsafe: what is in the way is said; nothing changed
  112 begun, not ended: what is true now is said   124 no answer in time
`;

const options = { ...clientOptions, yes: { type: "boolean" }, to: { type: "string" } } as const;
const statusDeadlineMs = 3000;
const lineMax = 80;

function targetOf(verb: SwitchoverVerb, config: Config, to: string | undefined): string | null {
  const sites = config.sites.filter(({ role }) => role !== "witness");
  if (verb === "failback") return sites.find(({ role }) => role === "production")?.name ?? null;
  if (to !== undefined) return to;
  const others = sites.filter(({ name }) => name !== config.self.site);
  return others.length === 1 ? (others[0]?.name ?? null) : null;
}

/** Both sites' steps, each with its deadline. */
function limitMs(config: Config): number {
  const { timing, hooks } = config;
  const steps = 8 * takeoverPublishLimitMs(timing);
  return steps + 3 * hooks.limitMs + 2 * dataTakeLimitMs(config) + statusDeadlineMs;
}

async function show(verb: SwitchoverVerb, to: string, config: Config, json: boolean, io: VerbIo) {
  const asked = await askAgent(config, { op: "status" }, statusDeadlineMs);
  if (!asked.ok) {
    io.err(`mirrorbeat ${verb}: ${asked.message}\n`);
    return asked.code;
  }
  const status = asked.value as StatusObject;
  const code = exitCodes.usage;
  if (json) {
    const { sites, right } = status;
    io.out(
      `${JSON.stringify({ schema: 1, ok: false, code, message: "say --yes", to, sites, right })}\n`,
    );
    return code;
  }
  const lines = [
    `NOTHING DONE. The service would go to ${to}. The evidence:`,
    ...evidenceLines(status),
    `next: mirrorbeat ${verb}${verb === "switchover" ? ` --to ${to}` : ""} --yes`,
  ];
  io.out(`${lines.map((line) => line.slice(0, lineMax)).join("\n")}\n`);
  return code;
}

export async function switchoverVerb(
  verb: SwitchoverVerb,
  args: readonly string[],
  io: VerbIo,
): Promise<ExitCode> {
  const parsed = parseVerbArgs(args, options);
  if (!parsed.ok) return usageError(io, verb, parsed.message);
  const { values, positionals } = parsed;
  if (values.help) {
    io.out(`${usage[verb]}${rest}`);
    return exitCodes.ok;
  }
  if (positionals.length > 0) return usageError(io, verb, `unexpected '${positionals[0]}'`);
  if (verb === "failback" && values.to !== undefined) {
    return usageError(io, verb, "--to: a failback goes to the production site; use switchover");
  }
  const loaded = configFor(verb, values, io);
  if (!loaded.ok) return loaded.code;
  const { config } = loaded;
  const to = targetOf(verb, config, values.to);
  if (to === null) return usageError(io, verb, "say --to SITE: there is more than one other site");
  if (!values.yes) return show(verb, to, config, values.json ?? false, io);
  const question = { op: "switchover", to, repair: verb === "failback" };
  return command(verb, config, question, limitMs(config), values.json ?? false, io);
}
