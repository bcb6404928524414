/**
 * Hooks: programs of the operator's, their output bounded and kept for the journal. What they are
 * told stands in the environment and, as keepalived users expect, in the arguments: GROUP name
 * STATE priority.
 */
import { runProgram } from "./program.ts";

export type HookResult = { readonly ok: boolean; readonly detail: string };

const outputBytesMax = 2048;

/** For terminals: printable ASCII. */
const plain = (text: string): string => text.replaceAll(/[^\x20-\x7e]/g, "?");

const lastLine = (text: string): string => text.trim().split("\n").at(-1)?.slice(0, 120) ?? "";

/** Runs one hook; never throws, always ends: at the limit its whole process group is killed. */
export async function runHook(
  command: readonly string[],
  env: Readonly<Record<string, string>>,
  limitMs: number,
  cut?: AbortSignal,
): Promise<HookResult> {
  const options = { limitMs, keepBytesMax: outputBytesMax, env, ...(cut ? { cut } : {}) };
  const end = await runProgram(command, options);
  const result = (ok: boolean, what: string, said: string): HookResult => {
    return { ok, detail: plain(said ? `${what}: ${said}` : what) };
  };
  switch (end.kind) {
    case "not-started":
      return result(false, end.reason, "");
    case "overdue":
      if (cut?.aborted) return result(false, "killed: the service must stop", "");
      return result(false, `no end within ${limitMs} ms, killed`, "");
    case "killed":
      return result(false, `killed by ${end.signal}`, lastLine(end.stderr));
    case "exited": {
      const said = lastLine(end.stderr) || lastLine(end.stdout);
      return result(end.code === 0, `exit ${end.code}`, said);
    }
  }
}
