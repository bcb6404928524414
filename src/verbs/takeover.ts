/** `takeover`: this site becomes active, at an operator's word. */
import { type ExitCode, exitCodes } from "../core/base/exit-codes.ts";
import { takeoverPublishLimitMs } from "../core/base/timing.ts";
import type { StatusObject } from "../core/step/status.ts";
import { askAgent, clientOptions, command, configFor } from "./agent-client.ts";
import { parseVerbArgs, usageError } from "./verb-args.ts";
import type { VerbIo } from "./verb-io.ts";

const help = `mirrorbeat takeover [--yes] [--force] [--config FILE] [--host NAME]
                   [--json]

  Makes this site the active one: raises the term durably on the local disk
  and on a volume of ours, then runs the service hook of this host.
  Without --yes it only shows the evidence and what it would do.

  Never two active sites: that rests on YOUR word here. Before you say --yes
  make sure that the other site's service is stopped or powered off.
  --yes     you have made sure
  --force   take over though the other site still beats on some path, or was
            not watched long enough. RISK: two sites write the same data.

exit codes
  0 done (or nothing to do)   64 --yes is missing, or command line
  66 no configuration file   69 no agent runs   73 local disk full
  74 configuration cannot be read   75 one is under way
  77 not permitted, or this host is a beacon   78 configuration
  107 unsafe without --force
  112 begun, not ended: what is true now is said; run it again
  124 no answer in time
`;
const options = { ...clientOptions, yes: { type: "boolean" }, force: { type: "boolean" } } as const;
const statusDeadlineMs = 3000;

function evidence(status: StatusObject): string {
  const lines = [
    `this host: ${status.host}, site ${status.site}, role ${status.role}, term ${status.term} of ${status.termOwner}`,
  ];
  for (const site of status.sites) {
    lines.push(
      `site ${site.site}: ${site.verdict ?? "not judged yet"} (row ${site.row ?? "-"}), action ${site.action ?? "-"}`,
    );
    for (const host of site.hosts) {
      const paths = host.paths
        .filter((path) => path.inUse)
        .map((path) => `${path.path} ${path.status}`);
      lines.push(
        `  ${host.host}: ${host.verdict ?? "not judged yet"}; ${paths.join(", ") || "no path"}`,
      );
    }
  }
  for (const path of status.paths) {
    if (path.pair) lines.push(`mirror ${path.path}: pair ${path.pair.state}`);
  }
  return `${lines.map((line) => line.slice(0, 80)).join("\n")}\n`;
}

export async function takeoverVerb(args: readonly string[], io: VerbIo): Promise<ExitCode> {
  const parsed = parseVerbArgs(args, options);
  if (!parsed.ok) return usageError(io, "takeover", parsed.message);
  const { values, positionals } = parsed;
  if (values.help) {
    io.out(help);
    return exitCodes.ok;
  }
  if (positionals.length > 0) return usageError(io, "takeover", `unexpected '${positionals[0]}'`);
  const loaded = configFor("takeover", values, io);
  if (!loaded.ok) return loaded.code;
  const { config } = loaded;
  if (!values.yes) {
    const asked = await askAgent(config, { op: "status" }, statusDeadlineMs);
    if (!asked.ok) {
      io.err(`mirrorbeat takeover: ${asked.message}\n`);
      return asked.code;
    }
    const status = asked.value as StatusObject;
    if (values.json)
      io.out(
        `${JSON.stringify({ schema: 1, ok: false, code: exitCodes.usage, message: "say --yes", sites: status.sites })}\n`,
      );
    else
      io.out(
        `NOTHING DONE. The evidence:\n${evidence(status)}next: stop the other site for certain, then mirrorbeat takeover --yes\n`,
      );
    return exitCodes.usage;
  }
  const hookMs = config.hooks.takeover ? config.hooks.limitMs : 0;
  const deadlineMs = takeoverPublishLimitMs(config.timing) + hookMs + statusDeadlineMs;
  const question = { op: "takeover", force: values.force ?? false };
  return command("takeover", config, question, deadlineMs, values.json ?? false, io);
}
