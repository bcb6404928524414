/**
 * Runs a program of somebody else's: no shell, a time limit that always holds, bounded output, no
 * exception. At the limit its whole process group is killed; one that the kernel will not let die
 * is left behind, and not waited for.
 */
import { spawn } from "node:child_process";
import { open } from "node:fs/promises";
import path from "node:path";

export type ProgramOptions = {
  readonly limitMs: number;
  /** What is kept of standard output and of standard error; the rest is read and dropped. */
  readonly keepBytesMax: number;
  /** All that the program gets besides PATH. */
  readonly env?: Readonly<Record<string, string>>;
  /** Written to its standard input, which is then closed. */
  readonly input?: string;
  /** Ends it before its time, as the limit does. */
  readonly cut?: AbortSignal;
};

export type ProgramEnd =
  | {
      readonly kind: "exited";
      readonly code: number;
      readonly stdout: string;
      readonly stderr: string;
      /** More came on standard output than was kept. */
      readonly truncated: boolean;
    }
  /** By a signal that was not ours. */
  | { readonly kind: "killed"; readonly signal: string; readonly stderr: string }
  /** At the limit or cut short, by us: what it began may yet take effect. */
  | { readonly kind: "overdue"; readonly stderr: string }
  /** It never ran. */
  | { readonly kind: "not-started"; readonly reason: string };

/** To read the first bytes of the program. */
const lookLimitMs = 2000;
/** After its exit, for what is still in its pipes; a grandchild may hold them open for ever. */
const drainLimitMs = 200;
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

/** Keeps the first bytes of a stream. */
class Kept {
  private readonly chunks: Buffer[] = [];
  private bytes = 0;
  private readonly bytesMax: number;
  truncated = false;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  add(data: Buffer): void {
    const room = this.bytesMax - this.bytes;
    if (data.length > room) this.truncated = true;
    if (room <= 0) return;
    this.chunks.push(data.subarray(0, room));
    this.bytes += Math.min(room, data.length);
  }

  text(): string {
    return Buffer.concat(this.chunks).toString("utf8");
  }
}

/** Never throws, always ends. `command` is the program and its arguments. */
export async function runProgram(
  command: readonly string[],
  options: ProgramOptions,
): Promise<ProgramEnd> {
  const [program, ...args] = command;
  if (program === undefined) return { kind: "not-started", reason: "no command" };
  const beganMs = performance.now();
  if (!(await fileAnswers(program, Math.min(lookLimitMs, options.limitMs)))) {
    return { kind: "not-started", reason: `cannot run ${program}: its file does not answer` };
  }
  if (options.cut?.aborted) return { kind: "not-started", reason: "cut short before it began" };
  const limitMs = Math.max(0, options.limitMs - (performance.now() - beganMs));
  return spawnAndWait(program, args, options, limitMs);
}

function spawnAndWait(
  program: string,
  args: readonly string[],
  options: ProgramOptions,
  limitMs: number,
): Promise<ProgramEnd> {
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      env: { PATH: searchPath(), ...options.env },
      stdio: [options.input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
      detached: true,
    });
    const out = new Kept(options.keepBytesMax);
    const err = new Kept(options.keepBytesMax);
    child.stdout?.on("data", (data: Buffer) => out.add(data));
    child.stderr?.on("data", (data: Buffer) => err.add(data));
    child.stdin?.on("error", () => undefined); // it need not read what it is told
    child.stdin?.end(options.input);
    let drain: NodeJS.Timeout | undefined;
    const end = (result: ProgramEnd): void => {
      clearTimeout(limit);
      clearTimeout(drain);
      options.cut?.removeEventListener("abort", stop);
      for (const pipe of [child.stdin, child.stdout, child.stderr]) pipe?.destroy();
      child.unref();
      resolve(result);
    };
    const stop = (): void => {
      killGroup(child.pid);
      end({ kind: "overdue", stderr: err.text() });
    };
    const limit = setTimeout(stop, limitMs);
    options.cut?.addEventListener("abort", stop, { once: true });
    child.on("error", (error) => {
      const reason = `cannot run ${program}: ${(error as NodeJS.ErrnoException).code}`;
      end({ kind: "not-started", reason });
    });
    const exited = (code: number | null, signal: string | null): void => {
      const stderr = err.text();
      if (code === null) return end({ kind: "killed", signal: signal ?? "signal", stderr });
      end({ kind: "exited", code, stdout: out.text(), stderr, truncated: out.truncated });
    };
    // A grandchild may hold the pipes open for ever: the program's own end decides.
    child.on("exit", (code, signal) => {
      clearTimeout(limit);
      drain = setTimeout(() => exited(code, signal), drainLimitMs);
    });
    child.on("close", (code, signal) => exited(code, signal));
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
