/** Options of a verb, by node:util parseArgs; a wrong command line is one line and exit 64. */
import { parseArgs, type ParseArgsConfig } from "node:util";
import { type ExitCode, exitCodes } from "../core/base/exit-codes.ts";
import type { VerbIo } from "./verb-io.ts";

type Options = NonNullable<ParseArgsConfig["options"]>;

const parse = <const O extends Options>(args: readonly string[], options: O) =>
  parseArgs({ args: [...args], options, strict: true, allowPositionals: true });

export type ParsedArgs<O extends Options> =
  | ({ readonly ok: true } & ReturnType<typeof parse<O>>)
  | { readonly ok: false; readonly message: string };

export function parseVerbArgs<const O extends Options>(
  args: readonly string[],
  options: O,
): ParsedArgs<O> {
  try {
    return { ok: true, ...parse(args, options) };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const first = message.split(/\.\s|\n/)[0] ?? "";
    return { ok: false, message: first.replaceAll(/[^\x20-\x7e]/g, "?") };
  }
}

export function usageError(io: VerbIo, verb: string, message: string): ExitCode {
  io.err(`mirrorbeat ${verb}: ${message}; see: mirrorbeat ${verb} --help\n`);
  return exitCodes.usage;
}
