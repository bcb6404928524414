/** A verb run in this process, with what it printed. */
import type { ExitCode } from "../core/base/exit-codes.ts";
import type { VerbIo } from "../verbs/verb-io.ts";

type Verb = (args: readonly string[], io: VerbIo) => Promise<ExitCode>;

export async function runVerb(verb: Verb, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  let out = "";
  let err = "";
  const code = await verb(args, {
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    env,
  });
  return { code, out, err };
}

/** ASCII lines of at most 80 columns: what a serial console can show. */
export const isConsoleText = (text: string): boolean =>
  text.split("\n").every((line) => /^[\x20-\x7e]{0,80}$/.test(line));
