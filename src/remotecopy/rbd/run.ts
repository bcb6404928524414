/**
 * Runs `rbd` and `ceph` and sorts what came of it. The zone is made UTC: rbd prints times without
 * one. Exit codes are errno values; they class a failed question, and decide nothing of a pair.
 */
import { type ProgramEnd, runProgram } from "../../host/program.ts";
import { fault, type PairFault } from "../provider.ts";

export type Ran = { readonly ok: true; readonly stdout: string } | PairFault;

const keepBytesMax = 256 * 1024;
const errno = { noEntry: 2, timedOut: 110 };

export const runTool = (command: readonly string[], limitMs: number): Promise<ProgramEnd> =>
  runProgram(command, { limitMs, keepBytesMax, env: { TZ: "UTC", LC_ALL: "C" } });

/** The last line that a program wrote to standard error: rbd logs before it says what is wrong. */
export const lastLine = (stderr: string): string =>
  (stderr.trimEnd().split("\n").at(-1) ?? "").replaceAll(/[^\x20-\x7e]/g, " ").slice(0, 200);

export const isNoSuchImage = (end: ProgramEnd): boolean =>
  end.kind === "exited" &&
  end.code === errno.noEntry &&
  /^rbd: error opening image \S+: \(2\) No such file or directory$/.test(lastLine(end.stderr));

export function outputOf(name: string, end: ProgramEnd, limitMs: number): Ran {
  switch (end.kind) {
    case "not-started":
      return fault("daemon-down", end.reason);
    case "killed":
      return fault("daemon-down", `${name} was killed by ${end.signal}`);
    case "overdue":
      return fault("timeout", `${name}: no answer within ${limitMs} ms`);
    case "exited":
      break;
  }
  const said = lastLine(end.stderr) || "no reason given";
  const message = `${name}, exit code ${end.code}: ${said}`;
  if (end.code !== 0 && /not permitted|permission denied/i.test(end.stderr)) {
    return fault("auth", message);
  }
  if (end.code !== 0 && /couldn't connect to (the )?cluster|error connecting/i.test(end.stderr)) {
    return fault("daemon-down", message);
  }
  if (end.code === errno.timedOut) return fault("daemon-down", message);
  if (end.code === errno.noEntry) return fault("config", message);
  if (end.code !== 0) return fault("array-rejected", message);
  if (end.truncated) return fault("unparseable", `${name}: an endless answer`);
  return { ok: true, stdout: end.stdout };
}
