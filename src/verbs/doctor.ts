/** `doctor`: whether this host is fit for its part, and which of its self-fencing is real. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { pidFileName } from "../agent/names.ts";
import type { Config } from "../core/base/config.ts";
import { type ExitCode, exitCodes } from "../core/base/exit-codes.ts";
import { configFileOf, faultLine, loadConfig } from "../host/config-file.ts";
import {
  type Check,
  configFindings,
  type Finding,
  type Level,
  realRoots,
  type Roots,
  runChecks,
  worstOf,
} from "./doctor-checks.ts";
import { fencingChecks } from "./doctor-fencing.ts";
import { conditionChecks, hostChecks } from "./doctor-host.ts";
import { doctorJson, doctorText } from "./doctor-text.ts";
import { clientOptions } from "./agent-client.ts";
import { parseVerbArgs, usageError } from "./verb-args.ts";
import type { VerbIo } from "./verb-io.ts";

const help = `mirrorbeat doctor [--config FILE] [--host NAME] [--json]

  Whether this host is fit for its part: one line a check, with the command
  that helps. Says which self-fencing is real. Only reads, and never opens a
  watchdog. Run it as root: it tells more.

exit codes (those of monitoring plugins)
  0 all well   1 warning   2 critical   3 cannot tell   64 command line
`;

/** Every check, in the order of the output. */
const checks: readonly Check[] = [...hostChecks, ...fencingChecks, ...conditionChecks];

/** As monitoring plugins answer; their numbers are those of no other verb. */
const levelCodes = { ok: 0, warning: 1, fail: 2, unknown: 3 } as const satisfies Readonly<
  Record<Level, ExitCode>
>;

function agentPidOf(config: Config, { proc }: Roots): number | null {
  try {
    const pid = Number(readFileSync(path.join(config.runFolder, pidFileName), "utf8"));
    const command = readFileSync(path.join(proc, String(pid), "cmdline"), "utf8");
    return command.includes("mirrorbeat") ? pid : null;
  } catch {
    return null;
  }
}

export async function examineHost(
  file: string,
  hostName: string | null,
  roots: Roots,
  searchPath: string,
): Promise<readonly Finding[]> {
  const loaded = loadConfig({ file, host: hostName });
  if (!loaded.ok) return configFindings(file, loaded.faults, faultLine);
  const { config } = loaded;
  const agentPid = agentPidOf(config, roots);
  const found = await runChecks(checks, { config, roots, searchPath, agentPid });
  return [...configFindings(file, [], faultLine), ...found];
}

export async function doctorVerb(
  args: readonly string[],
  io: VerbIo,
  roots: Roots = realRoots,
): Promise<ExitCode> {
  const parsed = parseVerbArgs(args, clientOptions);
  if (!parsed.ok) return usageError(io, "doctor", parsed.message);
  const { values, positionals } = parsed;
  if (values.help) {
    io.out(help);
    return exitCodes.ok;
  }
  if (positionals.length > 0) {
    return usageError(io, "doctor", `what is ${positionals.join(" ")}? Only options are taken`);
  }
  const file = configFileOf(values.config, io.env);
  const findings = await examineHost(file, values.host ?? null, roots, io.env["PATH"] ?? "");
  io.out(values.json ? doctorJson(findings) : doctorText(findings));
  return levelCodes[worstOf(findings)];
}
