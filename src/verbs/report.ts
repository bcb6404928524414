/**
 * `report`: the picture of what happened, for an incident review, from the journals of one host or
 * of many. It reads journals only: no agent, no device, and nothing is written but `--output`.
 */
import { statSync } from "node:fs";
import { timelineHtml } from "../console/timeline/html.ts";
import type { Timeline } from "../console/timeline/model.ts";
import { timelineSvg } from "../console/timeline/svg.ts";
import { timelineText } from "../console/timeline/text.ts";
import { timelineOf } from "../console/timeline/timeline.ts";
import { type ExitCode, exitCodes, type Refusal } from "../core/base/exit-codes.ts";
import { writeFileAtomically } from "../host/atomic-file.ts";
import { clientOptions, configFor } from "./agent-client.ts";
import {
  type Collected,
  collect,
  realPath,
  type Source,
  sourceOf,
  sourceOfFolder,
} from "./report-journals.ts";
import { windowOf } from "./report-window.ts";
import { parseVerbArgs, usageError } from "./verb-args.ts";
import type { VerbIo } from "./verb-io.ts";

const help = `mirrorbeat report [--journal FILE]... [--since T] [--until T]
                  [--format text|svg|html] [--output FILE] [--json]
                  [--config FILE] [--host NAME]

  The timeline of what happened, for an incident review: paths, pairs,
  verdicts and roles over time, the steps of takeovers, and a list of every
  change. Needs no agent; without --journal, this host's own journal.

  --journal FILE       a journal, or a folder with journal.log in it; give it
                       once for each host. Whose it is stands in its start
                       line; --journal HOST=FILE says it where that is missing
  --since TIME|SPAN    2026-11-22T07:31 (UTC), or 90s, 15m, 2h, 1d: that long
                       before the end
  --until TIME|SPAN    a time, or that long after the beginning
  --format text        80 columns of ASCII, the default
  --format svg|html    a picture, or a page with it and the list as a table;
                       one file that needs nothing else, light and dark
  --output FILE        write it there; its ending (.svg, .html) chooses the
                       format where none is given
  --json               the timeline as one JSON object

examples
  mirrorbeat report --since 2h
  mirrorbeat report --journal t1.log --journal o1.log --output review.html
exit codes
  0 done   64 command line   65 not a journal, or not whose it is said to be
  66 no journal   73 not written   77 not permitted   78 configuration
`;

const options = {
  ...clientOptions,
  journal: { type: "string", multiple: true },
  since: { type: "string" },
  until: { type: "string" },
  format: { type: "string" },
  output: { type: "string" },
} as const;

const formats = ["text", "svg", "html"] as const;
type Format = (typeof formats)[number];

type Given = {
  readonly journal?: readonly string[] | undefined;
  readonly format?: string | undefined;
  readonly output?: string | undefined;
  readonly json?: boolean | undefined;
  readonly config?: string | undefined;
  readonly host?: string | undefined;
};

function formatOf({ format, output }: Given): Format | null {
  if (format !== undefined) return formats.find((each) => each === format) ?? null;
  return formats.find((each) => output?.toLowerCase().endsWith(`.${each}`)) ?? "text";
}

function badChoice(values: Given): string | null {
  if (formatOf(values) === null)
    return `--format ${values.format}: must be one of ${formats.join(", ")}`;
  if (values.json && values.format !== undefined)
    return "--json is a format of its own; leave --format out";
  if (values.output === "") return "--output is empty: name a file";
  if (values.journal && (values.config !== undefined || values.host !== undefined))
    return "--journal needs no --config and no --host: HOST=FILE says whose it is";
  return null;
}

function sourcesOf(values: Given, io: VerbIo): readonly Source[] | Refusal | ExitCode {
  if (values.journal) {
    const sources: Source[] = [];
    for (const wish of values.journal) {
      const source = sourceOf(wish);
      if ("code" in source) return source;
      sources.push(source);
    }
    return sources;
  }
  const loaded = configFor("report", values, io);
  if (!loaded.ok) return loaded.code;
  const { stateFolder, self } = loaded.config;
  const source = sourceOfFolder(stateFolder, self.host, self.site);
  return "code" in source ? source : [source];
}

function drawn(timeline: Timeline, format: Format): string {
  switch (format) {
    case "text":
      return timelineText(timeline);
    case "svg":
      return timelineSvg(timeline);
    case "html":
      return timelineHtml(timeline);
  }
}

/** A report never replaces what it was made from, nor anything that is no plain file. */
function outputFault(file: string, { files }: Collected): Refusal | null {
  if (files.includes(realPath(file)))
    return {
      code: exitCodes.cannotCreate,
      message: `--output ${file}: that is one of the journals; name another file`,
    };
  const facts = statSync(file, { throwIfNoEntry: false });
  if (facts && !facts.isFile())
    return {
      code: exitCodes.cannotCreate,
      message: `--output ${file}: not a plain file; name another`,
    };
  return null;
}

export async function reportVerb(args: readonly string[], io: VerbIo): Promise<ExitCode> {
  const parsed = parseVerbArgs(args, options);
  if (!parsed.ok) return usageError(io, "report", parsed.message);
  const { values, positionals } = parsed;
  if (values.help) {
    io.out(help);
    return exitCodes.ok;
  }
  const stray = positionals[0];
  if (stray !== undefined)
    return usageError(io, "report", `unexpected '${stray}'; a journal is given as --journal FILE`);
  const bad = badChoice(values);
  if (bad !== null) return usageError(io, "report", bad);
  const refuse = ({ code, message }: Refusal): ExitCode => {
    io.err(`mirrorbeat report: ${message}\n`);
    return code;
  };
  const sources = sourcesOf(values, io);
  if (typeof sources === "number") return sources;
  if ("code" in sources) return refuse(sources);
  const collected = collect(sources);
  if ("code" in collected) return refuse(collected);
  const { told, notes } = collected;
  const window = windowOf(values.since, values.until, told[0]?.atMs ?? 0, told.at(-1)?.atMs ?? 0);
  if (!window.ok) return usageError(io, "report", window.message);
  const { fromMs, toMs } = window;
  const timeline = timelineOf({ told, fromMs, toMs, notes });
  const text = values.json
    ? `${JSON.stringify({ schema: 1, ...timeline })}\n`
    : drawn(timeline, formatOf(values) ?? "text");
  if (values.output === undefined) {
    io.out(text);
    return exitCodes.ok;
  }
  const fault = outputFault(values.output, collected);
  if (fault) return refuse(fault);
  const written = await writeFileAtomically(values.output, text, 0o644);
  if (!written.ok) return refuse(written);
  io.err(
    `mirrorbeat report: ${values.output}: ${told.length} events, ${Buffer.byteLength(text)} bytes\n`,
  );
  return exitCodes.ok;
}
