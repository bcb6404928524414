/**
 * `vendor-host LIBRARY`: the process that a vendor's library runs in. Started by the program
 * itself, with file 3 for the answers; not a verb for people, so the help does not name it.
 */
import { fstatSync } from "node:fs";
import { type ExitCode, exitCodes } from "../core/base/exit-codes.ts";
import { serveLibrary } from "../remotecopy/vendor/host.ts";
import { answerFile } from "../remotecopy/vendor/wire.ts";
import type { VerbIo } from "./verb-io.ts";

function hasAnswerFile(): boolean {
  try {
    const stat = fstatSync(answerFile);
    return stat.isSocket() || stat.isFIFO();
  } catch {
    return false;
  }
}

export async function vendorHostVerb(args: readonly string[], io: VerbIo): Promise<ExitCode> {
  const [library, ...more] = args;
  if (library === undefined || more.length > 0 || !hasAnswerFile()) {
    io.err("mirrorbeat vendor-host: is started by the program itself, not by hand\n");
    return exitCodes.usage;
  }
  return serveLibrary(library);
}
