/**
 * Hooks: programs of the operator's, run without a shell, with a time limit, their output bounded
 * and kept for the journal. What they are told stands in the environment and, as keepalived users
 * expect, in the arguments: GROUP name STATE priority.
 */
import { spawn } from "node:child_process";

export type HookResult = { readonly ok: boolean; readonly detail: string };

const outputBytesMax = 2048;

/** Runs one hook; never throws, always ends: at the limit its whole process group is killed. */
export function runHook(
  command: readonly string[],
  env: Readonly<Record<string, string>>,
  limitMs: number,
): Promise<HookResult> {
  const [program, ...args] = command;
  if (program === undefined) return Promise.resolve({ ok: false, detail: "no command" });
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      env: { PATH: process.env["PATH"] ?? "/usr/sbin:/usr/bin:/sbin:/bin", ...env },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    let output = "";
    let overdue = false;
    const keep = (data: Buffer): void => {
      if (output.length < outputBytesMax) output += data.toString("latin1");
    };
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
    const timer = setTimeout(() => {
      overdue = true;
      killGroup(child.pid);
    }, limitMs);
    const end = (ok: boolean, what: string): void => {
      clearTimeout(timer);
      const said = output.trim().split("\n").at(-1)?.slice(0, 120) ?? "";
      resolve({ ok, detail: said ? `${what}: ${said}` : what });
    };
    child.on("error", (error) =>
      end(false, `cannot run ${program}: ${(error as NodeJS.ErrnoException).code}`),
    );
    // A grandchild may hold the pipes open for ever: the program's own end decides.
    child.on("exit", (code, signal) => {
      setImmediate(() => {
        child.stdout.destroy();
        child.stderr.destroy();
        if (overdue) return end(false, `no end within ${limitMs} ms, killed`);
        end(code === 0, code === null ? `killed by ${signal}` : `exit ${code}`);
      });
    });
  });
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // it ended meanwhile
  }
}
