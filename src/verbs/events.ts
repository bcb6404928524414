/** `events`: the journal of this host, with the agent alive or dead. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { parseEventLine } from "../core/base/event.ts";
import { type ExitCode, exitCodes } from "../core/base/exit-codes.ts";
import { journalFile, journalFileOld } from "../host/journal.ts";
import { clientOptions, configFor } from "./agent-client.ts";
import { parseVerbArgs, usageError } from "./verb-args.ts";
import type { VerbIo } from "./verb-io.ts";

const help = `mirrorbeat events [--last N] [--since TIME] [--kind EV] [--json]
                  [--config FILE] [--host NAME]

  The journal, oldest first; works with the agent dead.

  --last N       only the last N (default 40; 0: all)
  --since TIME   2026-11-22T07:31 or later, UTC
  --kind EV      one kind: verdict, group, path, role, takeover, ...
  --json         one JSON object a line

exit codes
  0 printed   64 command line   66 no journal   78 configuration
`;
const options = {
  ...clientOptions,
  last: { type: "string", default: "40" },
  since: { type: "string" },
  kind: { type: "string" },
} as const;

function journalLines(folder: string): string[] | null {
  const read = (name: string): string[] | null => {
    try {
      return readFileSync(path.join(folder, name), "utf8")
        .split("\n")
        .filter((line) => line !== "");
    } catch {
      return null;
    }
  };
  const newer = read(journalFile);
  const older = read(journalFileOld);
  return newer || older ? [...(older ?? []), ...(newer ?? [])] : null;
}

export async function eventsVerb(args: readonly string[], io: VerbIo): Promise<ExitCode> {
  const parsed = parseVerbArgs(args, options);
  if (!parsed.ok) return usageError(io, "events", parsed.message);
  const { values, positionals } = parsed;
  if (values.help) {
    io.out(help);
    return exitCodes.ok;
  }
  if (positionals.length > 0) return usageError(io, "events", `unexpected '${positionals[0]}'`);
  const last = Number(values.last);
  if (!Number.isInteger(last) || last < 0)
    return usageError(io, "events", `--last ${values.last}: a whole number`);
  const loaded = configFor("events", values, io);
  if (!loaded.ok) return loaded.code;
  const lines = journalLines(loaded.config.stateFolder);
  if (!lines) {
    io.err(`mirrorbeat events: ${loaded.config.stateFolder}: no journal; has an agent run here?\n`);
    return exitCodes.noInput;
  }
  const wanted = lines.filter((line) => {
    const event = parseEventLine(line);
    if (!event) return false;
    if (values.since && event.time < values.since) return false;
    return !values.kind || event.fields["ev"] === values.kind;
  });
  for (const line of last === 0 ? wanted : wanted.slice(-last)) {
    if (!values.json) io.out(`${line}\n`);
    else {
      const event = parseEventLine(line);
      io.out(`${JSON.stringify({ schema: 1, time: event?.time, ...event?.fields })}\n`);
    }
  }
  return exitCodes.ok;
}
