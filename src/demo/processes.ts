/** The shipped program as child processes: agents, copiers, and single commands. */
import { type ChildProcess, spawn } from "node:child_process";
import path from "node:path";
import { parseEventLine } from "../core/base/event.ts";

/** The launcher beside the running bundle: what a user starts. */
const program = path.join(path.dirname(process.argv[1] ?? "."), "mirrorbeat");

export type Ended = { readonly code: number | null; readonly out: string; readonly err: string };

/** Runs one command to its end; killed at the deadline (code null). */
export function runCommand(args: readonly string[], deadlineMs: number): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
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

export type ProgramEvent = Readonly<Record<string, string>>;

export type Running = {
  readonly pid: number;
  readonly alive: boolean;
  kill(signal: NodeJS.Signals): void;
  /** Resolves when it has ended. */
  readonly ended: Promise<number | null>;
};

/** Starts the program and tells each event line of its standard error as it comes. */
export function startProgram(
  args: readonly string[],
  onEvent: (event: ProgramEvent) => void,
  onLine: (line: string) => void,
): Running {
  const child: ChildProcess = spawn(program, args, { stdio: ["ignore", "ignore", "pipe"] });
  let alive = true;
  let rest = "";
  child.stderr?.on("data", (data: Buffer) => {
    const lines = (rest + data.toString("latin1")).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      // Agents prefix a line with its syslog level, the copier with its time.
      const event = parseEventLine(line.replace(/^<\d>/, "1970-01-01T00:00:00Z "));
      if (event) onEvent(event.fields);
      else onLine(line);
    }
  });
  const ended = new Promise<number | null>((resolve) => {
    child.on("error", () => resolve(null));
    child.on("exit", (code) => {
      alive = false;
      resolve(code);
    });
  });
  return {
    pid: child.pid ?? -1,
    get alive() {
      return alive;
    },
    kill: (signal) => void child.kill(signal),
    ended,
  };
}
