/**
 * `timing`: every deadline that follows from the timings, and the bounds that detection and taking
 * over keep, with what they presume; of a configuration, or of values that are tried at a desk.
 */
import { type ExitCode, exitCodes } from "../core/base/exit-codes.ts";
import { faultsOfTiming } from "../host/config-timing.ts";
import { json, report } from "./timing-report.ts";
import { readBase, tryOthers } from "./timing-source.ts";
import { parseVerbArgs, usageError } from "./verb-args.ts";
import type { VerbIo } from "./verb-io.ts";

const help = `mirrorbeat timing [--config FILE] [--interval MS] [...] [--json]

  Prints the timings in effect, every deadline derived from them, the
  longest time from a host's death to its silence being stated, and under
  a lease to the takeover: who may do what when, and what must hold.
  Needs no agent and no configuration: without one it takes the defaults.

  --config FILE      else $MIRRORBEAT_CONFIG, else
                     /etc/mirrorbeat/mirrorbeat.toml if it exists
  --interval MS      try another value; what is not given scales with it
  --poll MS  --margin MS  --latency MS  --read-limit MS
                     try others; the file stays as it is
  --detector fixed|adaptive
  --policy NAME      try another policy: lease and witness have a lease
  --hang MS          the array's link time-out; the lease follows from it
  --lease MS  --stop MS  --watchdog MS  --late-write MS
  --takeover-wait MS  --lock MS
                     try others; what is not given follows from the rest
  --json             one JSON object

examples
  mirrorbeat timing
  mirrorbeat timing --interval 250
  mirrorbeat timing --policy lease --hang 3000
exit codes
  0 printed   64 wrong command line   66 no such file
  78 faults in the configuration, or the timings contradict each other
`;

const text = { type: "string" } as const;
const options = {
  config: text,
  interval: text,
  poll: text,
  margin: text,
  latency: text,
  "read-limit": text,
  detector: text,
  policy: text,
  hang: text,
  lease: text,
  stop: text,
  watchdog: text,
  "late-write": text,
  "takeover-wait": text,
  lock: text,
  json: { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const;

export async function timingVerb(args: readonly string[], io: VerbIo): Promise<ExitCode> {
  const parsed = parseVerbArgs(args, options);
  if (!parsed.ok) return usageError(io, "timing", parsed.message);
  const { values, positionals } = parsed;
  if (values.help) {
    io.out(help);
    return exitCodes.ok;
  }
  if (positionals.length > 0) return usageError(io, "timing", `unknown word ${positionals[0]}`);
  const base = readBase(values.config, io.env);
  if ("lines" in base) {
    for (const line of base.lines) io.err(`${line}\n`);
    return base.code;
  }
  const source = tryOthers(base, values);
  if (typeof source === "string") return usageError(io, "timing", source);
  const faults = faultsOfTiming(source.timing, source);
  for (const { message } of faults) io.err(`timing: must be ${message}; try other values\n`);
  if (faults.length > 0) return exitCodes.config;
  io.out(values.json ? json(source) : report(source));
  return exitCodes.ok;
}
