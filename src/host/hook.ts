/**
 * Hooks: programs of the operator's, run without a shell, with a time limit, their output bounded
 * and kept for the journal. What they are told stands in the environment and, as keepalived users
 * expect, in the arguments: GROUP name STATE priority.
 */
import { spawn } from "node:child_process";
import { open } from "node:fs/promises";
import path from "node:path";

export type HookResult = { readonly ok: boolean; readonly detail: string };

const outputBytesMax = 2048;
/** To read the first bytes of the program. */
const lookLimitMs = 2000;
const searchPathDefault = "/usr/sbin:/usr/bin:/sbin:/bin";

const searchPath = (): string => process.env["PATH"] ?? searchPathDefault;

/** Looks under way, by folder: one that a dead file system holds for ever is not added to. */
const looks = new Map<string, Promise<void>>();

/** Ends when the program's file has answered, be it with an error: that is for spawn to tell. */
async function look(program: string): Promise<void> {
  const folders = program.includes("/") ? [""] : searchPath().split(":");
  for (const folder of folders) {
    try {
      const handle = await open(path.join(folder, program), "r");
      await handle.read(Buffer.alloc(64), 0, 64, 0).finally(() => handle.close());
      return;
    } catch {
      // the next folder, or none
    }
  }
}

async function endsBy(endMs: number, work: Promise<void>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), Math.max(0, endMs - performance.now()));
  });
  const ended = await Promise.race([work.then(() => true), limit]);
  clearTimeout(timer);
  return ended;
}

/**
 * Whether the program can be read at all: spawn() would stop the whole event loop for as long as
 * its file system hangs.
 */
async function fileAnswers(program: string, limitMs: number): Promise<boolean> {
  const endMs = performance.now() + limitMs;
  const folder = path.dirname(program);
  for (let other = looks.get(folder); other; other = looks.get(folder)) {
    if (!(await endsBy(endMs, other))) return false;
  }
  const mine = look(program).finally(() => looks.delete(folder));
  looks.set(folder, mine);
  return endsBy(endMs, mine);
}

/** For terminals: printable ASCII. */
const plain = (text: string): string => text.replaceAll(/[^\x20-\x7e]/g, "?");

/** Runs one hook; never throws, always ends: at the limit its whole process group is killed. */
export async function runHook(
  command: readonly string[],
  env: Readonly<Record<string, string>>,
  limitMs: number,
): Promise<HookResult> {
  const [program, ...args] = command;
  if (program === undefined) return { ok: false, detail: "no command" };
  const beganMs = performance.now();
  if (!(await fileAnswers(program, Math.min(lookLimitMs, limitMs)))) {
    return { ok: false, detail: plain(`cannot run ${program}: its file does not answer`) };
  }
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      env: { PATH: searchPath(), ...env },
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
    const timer = setTimeout(
      () => {
        overdue = true;
        killGroup(child.pid);
      },
      limitMs - (performance.now() - beganMs),
    );
    const end = (ok: boolean, what: string): void => {
      clearTimeout(timer);
      const said = output.trim().split("\n").at(-1)?.slice(0, 120) ?? "";
      resolve({ ok, detail: plain(said ? `${what}: ${said}` : what) });
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
