/** The shipped program as child processes of a test: agents, copiers and single commands. */
import { type ChildProcess, spawn, type StdioOptions } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";
import { parseEventLine } from "../core/base/event.ts";

/** The folder that ./build.sh makes; tests run in the root of the repository. */
export const dist = path.resolve(process.env["MIRRORBEAT_DIST"] ?? "dist");
export const program = path.join(dist, "mirrorbeat");

export function needBuiltProgram(): void {
  if (existsSync(program) && existsSync(`${program}.cjs`)) return;
  throw new Error(`${program} is missing: build it first (./build.sh), then test from the root`);
}

export type Ended = { readonly code: number | null; readonly out: string; readonly err: string };

/** A command to its end; killed at the deadline (code null). */
export function runTool(
  command: string,
  args: readonly string[],
  deadlineMs = 20_000,
): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
    let out = "";
    let err = "";
    child.stdout.on("data", (data) => {
      out += data;
    });
    child.stderr.on("data", (data) => {
      err += data;
    });
    const timer = setTimeout(() => child.kill("SIGKILL"), deadlineMs);
    child.on("error", (error) => resolve({ code: null, out, err: String(error) }));
    child.on("close", (code) => {
      clearTimeout(timer);
      resolve({ code, out, err });
    });
  });
}

export function runProgram(args: readonly string[], deadlineMs = 20_000): Promise<Ended> {
  needBuiltProgram();
  return runTool(program, args, deadlineMs);
}

/** An event line as a process told it on its standard error, and when it came here. */
export type Told = { readonly atMs: number; readonly fields: Readonly<Record<string, string>> };

export type Process = {
  readonly pid: number;
  readonly alive: boolean;
  readonly code: number | null;
  kill(signal: NodeJS.Signals): void;
  /** Resolves when it has ended. */
  readonly ended: Promise<number | null>;
  /** Lines of its standard error that are no events. */
  readonly lines: readonly string[];
  readonly out: () => string;
};

export type Start = {
  readonly command?: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly onTold: (told: Told) => void;
  readonly onEnd?: () => void;
  /** Instead of a pipe that is read here. */
  readonly stderr?: number | "ignore";
};

export function startProcess(start: Start): Process {
  const stdio: StdioOptions = ["ignore", "pipe", start.stderr ?? "pipe"];
  const child: ChildProcess = spawn(start.command ?? program, start.args, {
    stdio,
    ...(start.env ? { env: { ...process.env, ...start.env } } : {}),
  });
  const lines: string[] = [];
  let alive = true;
  let endCode: number | null = null;
  let rest = "";
  let out = "";
  child.stdout?.on("data", (data) => {
    out += data;
  });
  child.stderr?.on("data", (data: Buffer) => {
    const parts = (rest + data.toString("latin1")).split("\n");
    rest = parts.pop() ?? "";
    for (const line of parts) {
      const event = parseEventLine(line.replace(/^<\d>/, "1970-01-01T00:00:00Z "));
      if (event && /^<\d>/.test(line)) start.onTold({ atMs: performance.now(), ...event });
      else lines.push(line);
    }
  });
  const ended = new Promise<number | null>((resolve) => {
    const end = (code: number | null): void => {
      if (!alive) return;
      alive = false;
      endCode = code;
      start.onEnd?.();
      resolve(code);
    };
    child.on("error", () => end(null));
    child.on("exit", end);
  });
  return {
    pid: child.pid ?? -1,
    get alive() {
      return alive;
    },
    get code() {
      return endCode;
    },
    kill: (signal) => void child.kill(signal),
    ended,
    lines,
    out: () => out,
  };
}
