/** `takeover`: this site becomes active, at an operator's word. */
import { needLines } from "../console/right-text.ts";
import { dataTakeLimitMs } from "../agent/data-pairs.ts";
import { arbiterOf } from "../agent/outside.ts";
import { arbiterNames, tradeoffLines } from "../core/base/arbiters.ts";
import type { Config } from "../core/base/config.ts";
import { type ExitCode, exitCodes } from "../core/base/exit-codes.ts";
import { takeoverPublishLimitMs } from "../core/base/timing.ts";
import type { StatusObject } from "../core/step/status.ts";
import { askAgent, clientOptions, command, configFor } from "./agent-client.ts";
import { parseVerbArgs, usageError } from "./verb-args.ts";
import type { VerbIo } from "./verb-io.ts";

const help = `mirrorbeat takeover [--dry-run | --yes] [--peer-is-off SITE] [--force]
                   [--config FILE] [--host NAME] [--json]

  Makes this site the active one: the exclusive right, the term stored on the
  local disk and on a volume of ours, the data pairs taken over and checked,
  the service hook of this host. A step that fails stops there and says what
  is true now; run it again to go on.
  Without --yes it only shows the evidence and what it would do.

  --dry-run   the same, and exit code 0
  --yes       do it. Under policy operator, never two active sites rests on
              YOUR word: the other site's service is stopped or powered off
  --peer-is-off SITE   you attest that every host of that site is powered off:
              no lease is waited for. RISK: two sites write the same data if
              it is not. Your word stands in every record of this term
  --force     take over though the other site still beats on some path, or was
              not watched long enough. RISK: two sites write the same data.
              It shortens no lease

exit codes
  0 done (or nothing to do)   64 --yes is missing, or command line
  66 no configuration file   69 no agent runs   73 local disk full
  74 configuration cannot be read   75 one is under way, or not decided here
  77 not permitted, or this host is a beacon   78 configuration
  106 no arbiter allows it, or no lease can be waited for
  107 unsafe without --force
  112 begun, not ended: what is true now is said; run it again
  124 no answer in time
`;
const options = {
  ...clientOptions,
  yes: { type: "boolean" },
  force: { type: "boolean" },
  "dry-run": { type: "boolean" },
  "peer-is-off": { type: "string" },
} as const;
const statusDeadlineMs = 3000;
const lineMax = 80;

/** What is known of the other site, and of what a takeover rests on. */
export function evidenceLines(status: StatusObject): readonly string[] {
  const { host, site, role, term, termOwner } = status;
  const lines = [`this host: ${host}, site ${site}, role ${role}, term ${term} of ${termOwner}`];
  for (const other of status.sites) {
    const { row, verdict, action } = other;
    lines.push(
      `site ${other.site}: ${verdict ?? "not judged yet"} (row ${row ?? "-"}), action ${action ?? "-"}`,
    );
    for (const peer of other.hosts) {
      const paths = peer.paths.filter(({ inUse }) => inUse);
      const seen = paths.map(({ path, status: now }) => `${path} ${now}`).join(", ");
      lines.push(`  ${peer.host}: ${peer.verdict ?? "not judged yet"}; ${seen || "no path"}`);
    }
  }
  for (const { path, pair } of status.paths) {
    if (pair) lines.push(`mirror ${path}: pair ${pair.state}`);
  }
  for (const { group, state } of status.right.data) lines.push(`data group ${group}: ${state}`);
  return lines;
}

/** The arbiter in force: what it survives and gives up, and what it needs now. */
function arbiterLines(config: Config, status: StatusObject): readonly string[] {
  const name = arbiterNames.find((arbiter) => arbiter === config.policy) ?? "operator";
  const asked = arbiterOf(config)?.describe ?? [];
  const leftMs = status.right.waitLeftMs;
  const wait = leftMs ? [`  would wait ${(leftMs / 1000).toFixed(1)} s for the lease to end`] : [];
  return [
    `arbiter: ${name}`,
    ...tradeoffLines(name).map((line) => `  ${line}`),
    ...asked.map((line) => `  would ask: ${line}`),
    ...needLines(status.right),
    ...wait,
  ];
}

async function showOnly(
  config: Config,
  values: { readonly json?: boolean; readonly "dry-run"?: boolean },
  io: VerbIo,
): Promise<ExitCode> {
  const code = values["dry-run"] ? exitCodes.ok : exitCodes.usage;
  const asked = await askAgent(config, { op: "status" }, statusDeadlineMs);
  if (!asked.ok) {
    io.err(`mirrorbeat takeover: ${asked.message}\n`);
    return asked.code;
  }
  const status = asked.value as StatusObject;
  if (values.json) {
    const { sites, right } = status;
    const message = values["dry-run"] ? "nothing done" : "say --yes";
    const answer = { schema: 1, ok: code === exitCodes.ok, code, message, sites, right };
    io.out(`${JSON.stringify(answer)}\n`);
    return code;
  }
  const lines = [
    "NOTHING DONE. The evidence:",
    ...evidenceLines(status),
    ...arbiterLines(config, status),
    "next: stop the other site for certain, then mirrorbeat takeover --yes",
  ];
  io.out(`${lines.map((line) => line.slice(0, lineMax)).join("\n")}\n`);
  return code;
}

/** Longest that a takeover takes: each of its steps has a deadline. */
function takeoverLimitMs(config: Config): number {
  const { timing, hooks, takeover } = config;
  const hookMs = hooks.takeover ? hooks.limitMs : 0;
  const steps = 4 * takeoverPublishLimitMs(timing) + takeover.arbiterLimitMs;
  return steps + timing.takeoverWaitMs + dataTakeLimitMs(config) + hookMs + statusDeadlineMs;
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
  if (values.yes && values["dry-run"]) {
    return usageError(io, "takeover", "--dry-run and --yes exclude each other");
  }
  const loaded = configFor("takeover", values, io);
  if (!loaded.ok) return loaded.code;
  const { config } = loaded;
  if (!values.yes) return showOnly(config, values, io);
  const peerIsOff = values["peer-is-off"] ?? "";
  const question = { op: "takeover", force: values.force ?? false, peerIsOff };
  return command("takeover", config, question, takeoverLimitMs(config), values.json ?? false, io);
}
