/**
 * `pair signal`: asks the other site by the state of a pair whether anybody is there. The agent does
 * it; this tells what came of it.
 */
import type { Config } from "../core/base/config.ts";
import { type ExitCode, exitCodes } from "../core/base/exit-codes.ts";
import { signalWaitMaxMs, signalWaitMs } from "../core/base/timing.ts";
import type { SignalEnd } from "../core/step/signal-state.ts";
import type { StatusObject } from "../core/step/status.ts";
import { isObject } from "../host/json-lines.ts";
import { askAgent, isAnswer } from "./agent-client.ts";
import { lines } from "./pair-text.ts";
import type { VerbIo } from "./verb-io.ts";

export type SignalWish = {
  readonly yes: boolean;
  readonly force: boolean;
  readonly json: boolean;
  /** null: as long as an answer may well take. */
  readonly waitSeconds: number | null;
};

export const signalWaitSecondsMax = signalWaitMaxMs / 1000;
const askMs = 5000;
const lookEveryMs = 200;
/** Beyond the waiting: splitting, resynchronising, each within what an array usually takes. */
const graceMs = 30_000;

type Signals = StatusObject["signals"];
type Told = { readonly code: ExitCode; readonly message: string; readonly last: SignalEnd | null };

function signalsOf(value: unknown): Signals | null {
  const found = isObject(value) ? (value as Record<string, unknown>)["signals"] : null;
  return isObject(found) ? (found as unknown as Signals) : null;
}

function tell(io: VerbIo, json: boolean, name: string, told: Told): ExitCode {
  const { code, message, last } = told;
  if (json) {
    const answered = last === null ? null : last.answeredBy !== null;
    const facts = {
      answered,
      answeredBy: last?.answeredBy ?? null,
      afterMs: last?.afterMs ?? null,
    };
    const head = { schema: 1, ok: code === exitCodes.ok, code, verb: "signal", mirror: name };
    io.out(`${JSON.stringify({ ...head, ...facts, message })}\n`);
  } else if (last) io.out(lines(message, 0));
  else io.err(`mirrorbeat pair: ${message}\n`);
  return code;
}

const stillSplit = (name: string): string =>
  `; ${name} is not resynchronised yet, the agent goes on with it: mirrorbeat pair query ${name}`;

/** Until it has ended and the pair is whole, or that takes too long. */
async function follow(config: Config, name: string, waitMs: number): Promise<Told> {
  const untilMs = performance.now() + waitMs + graceMs;
  for (;;) {
    const asked = await askAgent(config, { op: "status" }, askMs);
    const signals = asked.ok ? signalsOf(asked.value) : null;
    const last = signals?.last?.mirror === name ? signals.last : null;
    const isSplit = signals?.now.some(({ mirror }) => mirror === name) ?? false;
    if (last && !isSplit) return { code: last.code, message: last.message, last };
    if (signals && !last && !isSplit) {
      const message = "the agent was started anew meanwhile, so what came of it is not known";
      return { code: exitCodes.indeterminate, message, last: null };
    }
    if (performance.now() >= untilMs) {
      if (last) return { code: last.code, message: last.message + stillSplit(name), last };
      const message = asked.ok
        ? `what came of it is not known${stillSplit(name)}`
        : `${asked.message}; started anew, it resynchronises ${name}`;
      return { code: asked.ok ? exitCodes.indeterminate : asked.code, message, last: null };
    }
    await new Promise((resolve) => setTimeout(resolve, lookEveryMs));
  }
}

function plan(io: VerbIo, name: string, wish: SignalWish, waitMs: number): ExitCode {
  const message =
    `signal of ${name}: its pair would be split for at most ${Math.ceil(waitMs / 1000)} s, and ` +
    "its path be silent meanwhile; then it is resynchronised. Nothing was changed; --yes does it";
  if (wish.json) {
    const code = exitCodes.usage;
    const head = { schema: 1, ok: false, code, verb: "signal", mirror: name, changed: false };
    io.out(`${JSON.stringify({ ...head, message })}\n`);
  } else io.out(lines(message, 0));
  return exitCodes.usage;
}

export async function signalVerb(
  config: Config,
  name: string,
  wish: SignalWish,
  io: VerbIo,
): Promise<ExitCode> {
  const { force, json, waitSeconds } = wish;
  const waitMs = waitSeconds === null ? signalWaitMs(config.timing) : waitSeconds * 1000;
  if (!wish.yes) return plan(io, name, wish, waitMs);
  const asked = await askAgent(config, { op: "signal", mirror: name, waitMs, force }, askMs);
  if (!asked.ok) return tell(io, json, name, { ...asked, last: null });
  if (!isAnswer(asked.value)) {
    const message = "not an answer of this agent's version";
    return tell(io, json, name, { code: exitCodes.software, message, last: null });
  }
  if (asked.value.code !== exitCodes.ok)
    return tell(io, json, name, { ...asked.value, last: null });
  return tell(io, json, name, await follow(config, name, waitMs));
}
