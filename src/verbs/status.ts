/** `status`: what the agent of this host knows, or what it last knew before it ended. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { stateFileName } from "../agent/names.ts";
import type { Config } from "../core/base/config.ts";
import { type ExitCode, exitCodes } from "../core/base/exit-codes.ts";
import type { StatusObject } from "../core/step/status.ts";
import { statusText } from "../console/status-text.ts";
import { askAgent, clientOptions, configFor, deadCode } from "./agent-client.ts";
import { parseVerbArgs, usageError } from "./verb-args.ts";
import type { VerbIo } from "./verb-io.ts";

const help = `mirrorbeat status [--config FILE] [--host NAME] [--json]

  What this host's agent knows: the verdict first, what deviates next, the
  next command last. Without an agent: what it last knew.

exit codes (LSB; they tell of the agent, never of the peer)
  0 running   1 dead, pid file left   3 not running   4 cannot tell
  64 command line   66 no configuration file   78 configuration
`;
const deadlineMs = 3000;

/** null for whatever is not a whole status of this schema. */
function lastKnown(config: Config): StatusObject | null {
  try {
    const text = readFileSync(path.join(config.runFolder, stateFileName), "utf8");
    const last = JSON.parse(text) as StatusObject;
    if (last.schema !== 1) return null;
    statusText(last);
    return last;
  } catch {
    return null;
  }
}

export async function statusVerb(args: readonly string[], io: VerbIo): Promise<ExitCode> {
  const parsed = parseVerbArgs(args, clientOptions);
  if (!parsed.ok) return usageError(io, "status", parsed.message);
  const { values, positionals } = parsed;
  if (values.help) {
    io.out(help);
    return exitCodes.ok;
  }
  if (positionals.length > 0) return usageError(io, "status", `unexpected '${positionals[0]}'`);
  const loaded = configFor("status", values, io);
  if (!loaded.ok) return loaded.code;
  const { config } = loaded;
  const asked = await askAgent(config, { op: "status" }, deadlineMs);
  if (asked.ok) {
    const status = asked.value as StatusObject;
    io.out(values.json ? `${JSON.stringify({ ...status, running: true })}\n` : statusText(status));
    return exitCodes.ok;
  }
  const code = asked.code === exitCodes.timeout ? exitCodes.statusUnknown : deadCode(config);
  const last = lastKnown(config);
  if (values.json)
    io.out(`${JSON.stringify({ schema: 1, running: false, code, reason: asked.message, last })}\n`);
  else {
    io.out(`AGENT NOT RUNNING on ${config.self.host}: it neither beats nor judges\n`);
    if (last) io.out(`last known, at ${last.time}:\n\n${statusText(last)}`);
    io.out("next: mirrorbeat run, or your init system's start command\n");
  }
  return code;
}
