/**
 * The embedded remote copy as a process: opens the pair, copies until it is told to stop, and
 * answers on its control socket meanwhile.
 */
import path from "node:path";
import { type ExitCode, exitCodes, type Refusal } from "../../core/base/exit-codes.ts";
import { type BlockIo, openBlockIo } from "../../device/block.ts";
import { realClock } from "../../host/clock.ts";
import type { JsonObject } from "../../host/json-lines.ts";
import { type Answer, type Served, serveUnix } from "../../host/unix-server.ts";
import { watchChanges } from "./change-news.ts";
import { type CopyView, parseCommand } from "./command.ts";
import { Engine, type EngineOptions } from "./engine.ts";
import { openPair, type PairPaths } from "./open-pair.ts";
import type { CopyState } from "./pair-state.ts";

export type CopyOptions = PairPaths &
  Pick<EngineOptions, "scanMs" | "lagMs" | "linkTimeoutMs" | "autoResync" | "tearMs"> & {
    readonly control: string;
    readonly force: boolean;
    /** Begin without a pair: nothing is copied before a "create". */
    readonly simplex: boolean;
    readonly onState: (from: CopyState, to: CopyState, cause: string, view: CopyView) => void;
    /** A fault of the program itself, met by a command. */
    readonly onFault: (error: unknown) => void;
  };

export type CopyEnd = { readonly code: ExitCode; readonly refusal: Refusal | null };

/** A slow disk is no failed one: transfers get this long even where the link time-out is short. */
const transferMsMin = 3000;
const closeMs = 1000;
const commandMs = 120_000;

const ended = (refusal: Refusal): CopyEnd => ({ code: refusal.code, refusal });

/** Until a stop is commanded by the socket or `stopped`; a refusal to begin comes at once. */
export async function runCopy(options: CopyOptions, stopped: Promise<void>): Promise<CopyEnd> {
  const opened = openBlockIo();
  if (!opened.ok) return ended({ code: exitCodes.osError, message: opened.message });
  // They are told as the volumes' identities: whole, as configurations name them.
  const [pvol, svol] = [path.resolve(options.pvol), path.resolve(options.svol)];
  try {
    return await copyWith(opened.io, { ...options, pvol, svol }, stopped);
  } finally {
    opened.io.close();
  }
}

async function copyWith(
  io: BlockIo,
  options: CopyOptions,
  stopped: Promise<void>,
): Promise<CopyEnd> {
  const limitMs = Math.max(transferMsMin, options.linkTimeoutMs);
  const pair = await openPair(io, options, { limitMs, force: options.force, lock: true });
  if (!pair.ok) return ended(pair.refusal);
  const engine: Engine = new Engine(pair.pvol, pair.svol, {
    ...options,
    nowMs: realClock.nowMs,
    claimPvol: pair.claimPvol,
    onState: (from, to, cause) => options.onState(from, to, cause, engine.view()),
  });
  const served = await serveControl(engine, options);
  if (!served.ok) {
    const code = served.code === "in-use" ? exitCodes.tryLater : exitCodes.cannotCreate;
    return ended({ code, message: served.message });
  }
  const stopNews = [
    watchChanges(options.pvol, () => engine.news("PVOL")),
    watchChanges(options.svol, () => engine.news("SVOL")),
  ];
  const stop = () => void engine.command({ name: "stop", ms: 0 });
  void stopped.then(stop);
  if (!options.simplex) void engine.command({ name: "create", ms: 0 });
  try {
    await engine.run();
  } finally {
    for (const stopWatch of stopNews) stopWatch();
    await served.server.close(closeMs);
  }
  return { code: exitCodes.ok, refusal: null };
}

function serveControl(engine: Engine, options: CopyOptions): Promise<Served> {
  return serveUnix({
    path: options.control,
    handler: (request) => answer(engine, request),
    onFault: options.onFault,
    handlerMs: commandMs,
  });
}

/** Each command is answered with the view after it. A query waits for nothing. */
export async function answer(engine: Engine, request: JsonObject): Promise<Answer> {
  const command = parseCommand(request);
  if (typeof command === "string") return { ok: false, code: "usage", message: command };
  if (command.name !== "query") {
    const result = await engine.command(command);
    if (!result.ok) return result;
  }
  return { ok: true, value: engine.view() };
}
