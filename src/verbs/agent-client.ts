/**
 * How a verb talks to the agent of this host: by its control socket, with a deadline; and how it
 * tells a stopped agent from a dead one.
 */
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { controlSocketName, pidFileName } from "../agent/names.ts";
import type { Config } from "../core/base/config.ts";
import { type ExitCode, exitCodes } from "../core/base/exit-codes.ts";
import { configFileOf, faultLine, loadConfig } from "../host/config-file.ts";
import type { JsonObject } from "../host/json-lines.ts";
import { request } from "../host/unix-server.ts";
import type { VerbIo } from "./verb-io.ts";

export const clientOptions = {
  config: { type: "string" },
  host: { type: "string" },
  json: { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const;

export type Loaded =
  | { readonly ok: true; readonly config: Config }
  | { readonly ok: false; readonly code: ExitCode };

/** The configuration, or its faults on standard error. */
export function configFor(
  verb: string,
  values: { config?: string | undefined; host?: string | undefined },
  io: VerbIo,
): Loaded {
  const loaded = loadConfig({
    file: configFileOf(values.config, io.env),
    host: values.host ?? null,
  });
  if (loaded.ok) return { ok: true, config: loaded.config };
  for (const fault of loaded.faults) io.err(`mirrorbeat ${verb}: ${faultLine(fault)}\n`);
  return { ok: false, code: loaded.code };
}

/** A status speaks of each host: thousands of them make a long answer. */
const answerBytesMax = 16 << 20;

export type Asked =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly code: ExitCode; readonly message: string };

/** Asks the agent; an agent that is not there, or does not answer in time, is a value. */
export async function askAgent(
  config: Config,
  question: JsonObject,
  deadlineMs: number,
): Promise<Asked> {
  const socket = path.join(config.runFolder, controlSocketName);
  const answer = await request(socket, question, deadlineMs, answerBytesMax);
  if (answer.ok) return answer;
  if (answer.code === "timeout") {
    const message = `${socket}: the agent does not answer within ${deadlineMs} ms`;
    return { ok: false, code: exitCodes.timeout, message };
  }
  if (answer.code === "denied") {
    return {
      ok: false,
      code: exitCodes.noPermission,
      message: `${socket}: only the agent's own user may use it`,
    };
  }
  const message = `no agent answers at ${socket}; start it by \`mirrorbeat run\``;
  return { ok: false, code: exitCodes.unavailable, message };
}

/** An agent's answer to a command: an exit code and one line. */
export function isAnswer(value: unknown): value is { code: ExitCode; message: string } {
  if (typeof value !== "object" || value === null) return false;
  const { code, message } = value as Record<string, unknown>;
  return typeof code === "number" && typeof message === "string";
}

/** Sends a command and tells its answer; the line goes to standard output if it was carried out. */
export async function command(
  verb: string,
  config: Config,
  question: JsonObject,
  deadlineMs: number,
  json: boolean,
  io: VerbIo,
): Promise<ExitCode> {
  const asked = await askAgent(config, question, deadlineMs);
  const answer = asked.ok
    ? isAnswer(asked.value)
      ? asked.value
      : {
          code: exitCodes.software,
          message: "an answer that this program does not know; are both of one version?",
        }
    : { code: asked.code, message: asked.message };
  if (json) io.out(`${JSON.stringify({ schema: 1, ok: answer.code === 0, ...answer })}\n`);
  else if (answer.code === exitCodes.ok) io.out(`${answer.message}\n`);
  else io.err(`mirrorbeat ${verb}: ${answer.message}\n`);
  return answer.code;
}

/** LSB: 1 dead with a pid file, 3 stopped. */
export function deadCode(config: Config): ExitCode {
  const file = path.join(config.runFolder, pidFileName);
  if (!existsSync(file)) return exitCodes.statusStopped;
  return pidAlive(file) ? exitCodes.statusUnknown : exitCodes.statusDeadPidFile;
}

function pidAlive(file: string): boolean {
  try {
    const pid = Number(readFileSync(file, "utf8"));
    process.kill(pid, 0);
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("mirrorbeat");
  } catch {
    return false;
  }
}
