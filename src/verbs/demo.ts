/** `demo`: the first minute with mirrorbeat, on this machine, with no root and no configuration. */
import { randomInt } from "node:crypto";
import { runDemo } from "../demo/script.ts";
import { type ExitCode, exitCodes } from "../core/base/exit-codes.ts";
import { parseVerbArgs, usageError } from "./verb-args.ts";
import type { VerbIo } from "./verb-io.ts";

const help = `mirrorbeat demo [--interval MS] [--seed N] [--keep] [--json]

  Two sites of two hosts on this machine, each host this program in a process
  of its own; files for volumes, a copier in the array's place. They beat; the
  LAN is cut; the mirror is cut; production is killed and the standby is told
  to take over; production comes back and stays down. No root, no set-up.
  Kill any host's pid yourself meanwhile: it is found and started again.

  --interval MS  heartbeat interval, 100 to 1000 (default 250)
  --seed N       chooses the moments at which the faults strike
  --keep         leaves the volumes, and says how to examine them
  --json         one JSON object as the last line

exit codes
  0 every step as promised   64 command line   70 a step was not
`;
const options = {
  interval: { type: "string", default: "250" },
  seed: { type: "string" },
  keep: { type: "boolean" },
  json: { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const;

export async function demoVerb(args: readonly string[], io: VerbIo): Promise<ExitCode> {
  const parsed = parseVerbArgs(args, options);
  if (!parsed.ok) return usageError(io, "demo", parsed.message);
  const { values, positionals } = parsed;
  if (values.help) {
    io.out(help);
    return exitCodes.ok;
  }
  if (positionals.length > 0) return usageError(io, "demo", `unexpected '${positionals[0]}'`);
  const intervalMs = Number(values.interval);
  if (!Number.isInteger(intervalMs) || intervalMs < 100 || intervalMs > 1000) {
    return usageError(io, "demo", `--interval ${values.interval}: 100 to 1000 milliseconds`);
  }
  const seed = values.seed === undefined ? randomInt(1, 1_000_000) : Number(values.seed);
  if (!Number.isInteger(seed) || seed < 0)
    return usageError(io, "demo", `--seed ${values.seed}: a whole number`);
  const result = await runDemo({ intervalMs, seed, keep: values.keep ?? false, say: io.out });
  if (values.json) io.out(`${JSON.stringify({ schema: 1, ...result })}\n`);
  return result.ok ? exitCodes.ok : exitCodes.software;
}
