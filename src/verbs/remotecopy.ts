/** `remotecopy`: the embedded stand-in for an array's remote copy, and the commands to it. */
import { writeSync } from "node:fs";
import { eventLine } from "../core/base/event.ts";
import { type ExitCode, exitCodes } from "../core/base/exit-codes.ts";
import { realClock, wallText } from "../host/clock.ts";
import type { Answer } from "../host/unix-server.ts";
import {
  type Command,
  type CopyView,
  isCommandName,
  lagMsMax,
  msFault,
  parseView,
  takesMs,
  tearMsMax,
} from "../remotecopy/embedded/command.ts";
import { askCopy } from "../remotecopy/embedded.ts";
import type { CopyState } from "../remotecopy/embedded/pair-state.ts";
import { type CopyOptions, runCopy } from "../remotecopy/embedded/serve.ts";
import { parseVerbArgs, usageError } from "./verb-args.ts";
import type { VerbIo } from "./verb-io.ts";

const help = `mirrorbeat remotecopy PVOL SVOL --control SOCKET [OPTIONS]
mirrorbeat remotecopy --control SOCKET COMMAND [--json]

  Stands in for an array's remote copy where there is no array: for trying
  and testing only. Copies changed 4096-byte blocks from PVOL to SVOL (block
  devices or plain files of this machine) until it is told to stop.

  It finds changes by reading, so it cannot hold a writer back as an array's
  synchronous copy does: a block is at the SVOL at the next scan, and what
  was not yet scanned when this process dies is not there. A volume that has
  been still for 5 s, or whose writes the kernel announces, is scanned every
  100 ms and at each announcement. A PVOL over 1 MiB: blocks that seldom
  change are looked at every second or two.

  --control SOCKET     where commands are taken; its folder must be yours
  --lag MS             copy each change so much later, in order (default 0)
  --scan MS            1 to 1000, default 10
  --link-timeout MS    default 3000: so long a cut link stays unnoticed
  --auto-resync        resynchronise by itself when the link is back
  --tear MS            write each block in 8 pieces with a pause between, so
                       that a reader meets torn blocks (default 0: whole)
  --simplex            begin without a pair; copy after "create"
  --ready-fd N         write "ready" there when paired
  --force              overwrite an SVOL that is no copy of a heartbeat volume;
                       with swap: the PVOL, after a takeover
  --json               print the line that says "paired" as JSON

  query                state, percent, what is pending, when last copied
  split                suspend; what was written before it is copied
  resync               copy all differences, then paired again
  swap                 exchange the directions, only while paired: what is
                       written to the SVOL is copied to the PVOL from then on,
                       until the next swap. Nothing keeps you from writing to
                       the wrong one: it would be overwritten
  takeover             at the end that is copied to: what can still be read is
                       copied, then the copying stops and that volume is its
                       site's own. No resync after it: "swap --force" copies
                       everything back over the other volume, "delete" ends
                       the pair
  cut, heal            the link goes dead, and comes back. Cut, the pair says
                       paired until a change could not be copied for the link
                       time-out; then suspended-by-error, until a resync
  lag MS, tear MS      change these
  create, delete       make the pair (initial copy), or end it
  stop

examples
  mirrorbeat remotecopy a.pvol a.svol --control /run/mirrorbeat/copy.sock &
  mirrorbeat remotecopy --control /run/mirrorbeat/copy.sock cut
exit codes
  0 done, or stopped   64 wrong command line   65 SVOL too small
  66 no such device    69 no copy runs there   70 a fault of the program
  73 cannot create     74 I/O error            75 not now: in use, wrong state
  77 not permitted, or the SVOL holds something else   124 no answer in time
`;

const options = {
  control: { type: "string" },
  lag: { type: "string" },
  scan: { type: "string" },
  "link-timeout": { type: "string" },
  "auto-resync": { type: "boolean" },
  tear: { type: "string" },
  simplex: { type: "boolean" },
  "ready-fd": { type: "string" },
  force: { type: "boolean" },
  json: { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const;

const verb = "remotecopy";
const queryMs = 5000;
/** A split first copies what is left, a torn block at a time if need be. */
const commandMs = 60_000;

type Parsed = Extract<ReturnType<typeof parseVerbArgs<typeof options>>, { ok: true }>;

export async function remotecopyVerb(args: readonly string[], io: VerbIo): Promise<ExitCode> {
  const parsed = parseVerbArgs(args, options);
  if (!parsed.ok) return usageError(io, verb, parsed.message);
  if (parsed.values.help) {
    io.out(help);
    return exitCodes.ok;
  }
  const { positionals, values } = parsed;
  if (!values.control) return usageError(io, verb, "--control SOCKET is missing");
  const [first, second, ...more] = positionals;
  if (first === undefined) return usageError(io, verb, "PVOL and SVOL, or a command, are missing");
  if (isCommandName(first)) {
    const command = commandOf(first, second, more);
    if (typeof command === "string") return usageError(io, verb, command);
    const wish = first === "swap" ? { ...command, force: values.force === true } : command;
    return tell(values.control, wish, values.json === true, io);
  }
  if (second === undefined) return usageError(io, verb, `no SVOL, and no command: ${first}`);
  if (more.length > 0) return usageError(io, verb, `one word too many: ${more[0]}`);
  return copy(values.control, first, second, parsed, io);
}

function commandOf(
  name: Command["name"],
  text: string | undefined,
  more: readonly string[],
): Command | string {
  if (!takesMs(name)) return text === undefined ? { name, ms: 0 } : `${name} takes nothing more`;
  const ms = text !== undefined && /^\d+$/.test(text) ? Number(text) : null;
  if (more.length > 0) return `one word too many: ${more[0]}`;
  return msFault(name, ms) ?? { name, ms: Number(ms) };
}

async function tell(
  control: string,
  command: Command,
  json: boolean,
  io: VerbIo,
): Promise<ExitCode> {
  const answer = await askCopy(control, command, command.name === "query" ? queryMs : commandMs);
  const view = answer.ok ? parseView(answer.value) : null;
  if (view) {
    io.out(json ? `${JSON.stringify(view)}\n` : viewText(view));
    return exitCodes.ok;
  }
  const refusal = answer.ok ? { code: "malformed", message: "not the answer of a copy" } : answer;
  if (json) io.out(`${JSON.stringify({ schema: 1, ...refusal, ok: false })}\n`);
  io.err(`mirrorbeat ${verb}: ${refusal.message}\n`);
  return codeOf(refusal.code);
}

function codeOf(code: Extract<Answer, { ok: false }>["code"]): ExitCode {
  switch (code) {
    case "unreachable":
    case "closed":
    case "malformed":
      return exitCodes.unavailable;
    case "denied":
      return exitCodes.noPermission;
    case "timeout":
      return exitCodes.timeout;
    case "path":
    case "usage":
      return exitCodes.usage;
    case "failed":
      return exitCodes.ioError;
    case "internal":
      return exitCodes.software;
    default:
      return exitCodes.tryLater;
  }
}

function viewText(view: CopyView): string {
  const ago = view.lastCopyAgoMs === null ? "never" : `${view.lastCopyAgoMs} ms ago`;
  const rows = [
    ["state", `${view.state}, ${view.percent} %${view.cause ? ` (${view.cause})` : ""}`],
    ["direction", view.direction],
    ["link", `${view.link}, lag ${view.lagMs} ms, scan ${view.scanMs} ms`],
    ["pending", `${view.pending} of ${view.blocks} blocks`],
    ["last copy", `${ago}, ${view.copiedBlocks} blocks since the start`],
    ["PVOL", view.pvol],
    ["SVOL", view.svol],
  ];
  return rows.map(([name = "", value = ""]) => `${name.padEnd(10)}${value}\n`).join("");
}

/** A whole number within bounds; null where it is none. */
function numberOf(text: string | undefined, fallback: number, min: number, max: number) {
  if (text === undefined) return fallback;
  const value = /^\d{1,9}$/.test(text) ? Number(text) : -1;
  return value >= min && value <= max ? value : null;
}

type Numbers = Pick<CopyOptions, "lagMs" | "scanMs" | "linkTimeoutMs" | "tearMs"> & {
  readonly readyFile: number;
};

function numbersOf(values: Parsed["values"]): Numbers | string {
  const lagMs = numberOf(values.lag, 0, 0, lagMsMax);
  if (lagMs === null) return `--lag takes 0 to ${lagMsMax} ms`;
  const scanMs = numberOf(values.scan, 10, 1, 1000);
  if (scanMs === null) return "--scan takes 1 to 1000 ms";
  const linkTimeoutMs = numberOf(values["link-timeout"], 3000, 1, 600_000);
  if (linkTimeoutMs === null) return "--link-timeout takes 1 to 600000 ms";
  const tearMs = numberOf(values.tear, 0, 0, tearMsMax);
  if (tearMs === null) return `--tear takes 0 to ${tearMsMax} ms`;
  const readyFile = numberOf(values["ready-fd"], -1, 0, 1023);
  if (readyFile === null) return "--ready-fd takes the number of an open file";
  return { lagMs, scanMs, linkTimeoutMs, tearMs, readyFile };
}

async function copy(
  control: string,
  pvol: string,
  svol: string,
  { values }: Parsed,
  io: VerbIo,
): Promise<ExitCode> {
  const numbers = numbersOf(values);
  if (typeof numbers === "string") return usageError(io, verb, numbers);
  let isFirst = true;
  const onState: CopyOptions["onState"] = (from, to, cause, view) => {
    io.err(stateLine(from, to, cause));
    if (to !== "paired" || !isFirst) return;
    isFirst = false;
    io.out(values.json ? `${JSON.stringify(view)}\n` : pairedText(view, control));
    tellReady(numbers.readyFile, io);
  };
  const signals = signalled();
  const end = await runCopy(
    {
      ...numbers,
      control,
      pvol,
      svol,
      autoResync: values["auto-resync"] === true,
      force: values.force === true,
      simplex: values.simplex === true,
      onState,
      onFault: (error) => io.err(`mirrorbeat ${verb}: fault of the program: ${String(error)}\n`),
    },
    signals.came,
  );
  signals.ignore();
  if (end.refusal) io.err(`mirrorbeat ${verb}: ${end.refusal.message}\n`);
  return end.code;
}

function pairedText(view: CopyView, control: string): string {
  return `paired: ${view.pvol} -> ${view.svol}, ${view.blocks} blocks, control ${control}\n`;
}

function stateLine(from: CopyState, to: CopyState, cause: string): string {
  const level = to === "suspended-by-error" ? "warning" : "notice";
  const fields = { was: from, state: to, reason: cause || "-" };
  return `${eventLine(wallText(realClock.wallNs()), { level, ev: "pair", fields })}\n`;
}

function tellReady(file: number, io: VerbIo): void {
  if (file < 0) return;
  try {
    writeSync(file, "ready\n");
  } catch (error) {
    io.err(`mirrorbeat ${verb}: --ready-fd ${file} cannot be written: ${String(error)}\n`);
  }
}

function signalled() {
  let ignore = () => {};
  const came = new Promise<void>((resolve) => {
    const end = () => resolve();
    const names = ["SIGTERM", "SIGINT", "SIGHUP"] as const;
    for (const name of names) process.on(name, end);
    ignore = () => {
      for (const name of names) process.off(name, end);
    };
  });
  return { came, ignore };
}
