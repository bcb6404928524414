/** `run` and `witness`: the agent, in the foreground. */
import { ownSite } from "../core/base/config.ts";
import { type ExitCode, exitCodes } from "../core/base/exit-codes.ts";
import { configFileOf, faultLine, loadConfig } from "../host/config-file.ts";
import { runAgent } from "../agent/run.ts";
import { parseVerbArgs, usageError } from "./verb-args.ts";
import type { VerbIo } from "./verb-io.ts";
import { version } from "./version.ts";

const help = `mirrorbeat run [--config FILE] [--host NAME] [--engine any|io_uring|aio]

  The agent, in the foreground: beats on this host's slot, polls the peer's
  volumes, sends and receives datagrams, judges, and keeps a journal.
  SIGTERM stops it in order: peers read "left", no alarm.

  --config FILE   else $MIRRORBEAT_CONFIG, else
                  /etc/mirrorbeat/mirrorbeat.toml
  --host NAME     who this host is; else "host" in the file, else hostname
  --engine NAME   block I/O; any takes io_uring, else Linux AIO. While a
                  device hangs, a kill -9 ends io_uring's agent at once; aio's
                  beats no more, but its process ends only with the hang.

exit codes
  0 stopped in order   64 command line   65 volume, key file or memory
  damaged   66 no such device or file   69 address in use, no block I/O
  70 fault of the program   71 refused by the system, such as no memory
  73 a folder or the lock cannot be made, or a volume is read-only
  74 configuration, key file or memory cannot be read
  75 another agent runs, slot lost, volume held by another program, or the
  term is not known while a volume cannot be read
  77 not permitted: key file, a volume not ours, a slot in live use
  78 configuration
`;

const witnessHelp = `mirrorbeat witness [--config FILE] [--host NAME]

  The witness of policy "witness": the same agent, at a third site, over the
  network alone. It renews production's lease beside the standby, and grants
  takeover once production was silent for its own wait. It serves nothing.
  Its state folder holds what it granted: never restore it from a copy. One
  without its memory does nothing before it has seen both sites.

  --config FILE   else $MIRRORBEAT_CONFIG, else
                  /etc/mirrorbeat/mirrorbeat.toml
  --host NAME     who this host is; else "host" in the file, else hostname

exit codes: those of mirrorbeat run; 78 also where this host is no witness
`;

const options = {
  config: { type: "string" },
  host: { type: "string" },
  engine: { type: "string", default: "any" },
  help: { type: "boolean", short: "h" },
} as const;

export async function runVerb(
  verb: "run" | "witness",
  args: readonly string[],
  io: VerbIo,
): Promise<ExitCode> {
  const parsed = parseVerbArgs(args, options);
  if (!parsed.ok) return usageError(io, verb, parsed.message);
  const { values, positionals } = parsed;
  if (values.help) {
    io.out(verb === "run" ? help : witnessHelp);
    return exitCodes.ok;
  }
  if (positionals.length > 0) return usageError(io, verb, `unexpected '${positionals[0]}'`);
  const { engine } = values;
  if (engine !== "any" && engine !== "io_uring" && engine !== "aio") {
    return usageError(io, verb, `--engine ${engine}: say any, io_uring or aio`);
  }
  const file = configFileOf(values.config, io.env);
  const loaded = loadConfig({ file, host: values.host ?? null });
  if (!loaded.ok) {
    for (const fault of loaded.faults) io.err(`mirrorbeat ${verb}: ${faultLine(fault)}\n`);
    return loaded.code;
  }
  const { host, site } = loaded.config.self;
  if (verb === "witness" && ownSite(loaded.config).role !== "witness") {
    io.err(`mirrorbeat witness: ${host} is a host of ${site}, which is no witness; use run\n`);
    return exitCodes.config;
  }
  const { code, refusal } = await runAgent({
    config: loaded.config,
    configFile: file,
    version,
    engine,
  });
  if (refusal) io.err(`mirrorbeat ${verb}: ${refusal.message}\n`);
  return code;
}
