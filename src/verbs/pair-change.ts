/**
 * A change of a pair from the command line: shown first, done at --yes, one at a time for each
 * mirror of this host.
 */
import { mkdirSync } from "node:fs";
import path from "node:path";
import type { Config } from "../core/base/config.ts";
import { type ExitCode, exitCodes, type Refusal } from "../core/base/exit-codes.ts";
import type { PairVerb } from "../core/base/pair-settings.ts";
import { openBlockIo } from "../device/block.ts";
import { realClock } from "../host/clock.ts";
import { changePair, changeRules, type Outcome } from "../remotecopy/change.ts";
import type { OpenPair } from "../remotecopy/open-provider.ts";
import { answerObject, codeOfOutcome, isInstalled, lockPath, type Mirror } from "./pair-open.ts";
import { lines, outcomeText, planText } from "./pair-text.ts";
import type { VerbIo } from "./verb-io.ts";

export type ChangeWish = {
  readonly yes: boolean;
  readonly force: boolean;
  readonly dryRun: boolean;
  readonly json: boolean;
  /** To wait until it is paired; null: not at all. */
  readonly waitSeconds: number | null;
};

const lookEveryMs = 500;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** In words, what --force accepts; null where the verb needs none. */
function riskOf(verb: PairVerb, isInUse: boolean): string | null {
  switch (verb) {
    case "swap":
      return "heartbeat pairs are never swapped: the heartbeats would be written to the wrong end";
    case "takeover":
      return (
        "heartbeat pairs are never taken over: this site's volume would no longer get the other " +
        "site's heartbeats, and the pair must be made anew after it"
      );
    case "remove":
      return isInUse
        ? "the mirror is in use: its path falls silent without being drained; first " +
            "`mirrorbeat deinstall`, which makes no alarm"
        : null;
    case "create":
    case "split":
    case "resync":
      return null;
  }
}

function notesOf(verb: PairVerb, risk: string | null, isInUse: boolean, force: boolean) {
  const silent =
    "note: nothing comes through this mirror then: its path is silent. With another path alive " +
    "the verdict is row 3b, with none it is `unknown` (row 7); never an alarm of death";
  const copied =
    "note: the whole reader's volume is overwritten with the writer's, until then it is of no use";
  return [
    ...(risk === null ? [] : [`${force ? "RISK ACCEPTED" : "NEEDS --force"}: ${risk}`]),
    ...(force && verb === "takeover"
      ? ["RISK ACCEPTED: what has not been copied, or was written elsewhere since, is lost"]
      : []),
    ...(force && (verb === "resync" || verb === "swap")
      ? ["RISK ACCEPTED: what the other site wrote to its own volume meanwhile is overwritten"]
      : []),
    ...(isInUse && (verb === "split" || verb === "remove") ? [silent] : []),
    ...(verb === "create" ? [copied] : []),
  ];
}

/** Locks that this process has had: the kernel keeps them until its end. */
const kept = new Set<string>();
const busy = new Set<string>();

/** Null when it is ours. The lock ends with this process, however that ends. */
function lockMirror(config: Config, name: string): Refusal | null {
  const file = lockPath(config, name);
  const taken = {
    code: exitCodes.tryLater,
    message: `another change of ${name} is under way on this host (${file}); try again later`,
  };
  if (busy.has(file)) return taken;
  if (!kept.has(file)) {
    try {
      mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
    } catch {
      // the lock itself tells what is wrong with it
    }
    const opened = openBlockIo({ engine: "aio" });
    if (!opened.ok) return { code: exitCodes.osError, message: opened.message };
    const locked = opened.io.lockFile(file);
    opened.io.close();
    if (!locked.ok && locked.code === "LOCKED") return taken;
    if (!locked.ok) {
      const isDenied = locked.code === "EACCES" || locked.code === "EPERM";
      const code = isDenied ? exitCodes.noPermission : exitCodes.cannotCreate;
      return { code, message: locked.message };
    }
    kept.add(file);
  }
  busy.add(file);
  return null;
}

function change(mirror: Mirror, verb: PairVerb, force: boolean, dryRun: boolean): Promise<Outcome> {
  const { provider, expected, queryLimitMs, changeLimitMs } = mirror.pair;
  return changePair(provider, verb, {
    expected, force, dryRun, queryLimitMs, changeLimitMs, nowMs: realClock.nowMs, pause,
  }); // biome-ignore format: a list
}

/**
 * Until it has reached what it is on its way to, or the time is over. Being paired is not enough
 * for a swap: it must be so the other way round.
 */
export async function waitFor(
  { provider, queryLimitMs }: OpenPair,
  verb: PairVerb,
  begun: Outcome,
  seconds: number,
): Promise<Outcome> {
  const began = begun.before?.ok ? begun.before.local : null;
  const beganMs = begun.after?.ok ? begun.after.observedMs : 0;
  const endMs = realClock.nowMs() + seconds * 1000;
  let last = begun;
  while (began && realClock.nowMs() < endMs) {
    const after = await provider.query("local", queryLimitMs);
    // What is older than the answer that showed it on its way is from before it.
    if (after.ok && after.observedMs >= beganMs) {
      const { local } = after;
      const message = `${local.state}, ${local.role} (${local.native})`;
      last = { ...begun, after, message };
      if (changeRules[verb].isDone(local, began)) return { ...last, kind: "done" };
      if (local.state !== "copying" && local.state !== "unknown") {
        return { ...last, kind: "indeterminate", class: "array-rejected" };
      }
    }
    await pause(lookEveryMs);
  }
  return last;
}

const outcomeObject = (outcome: Outcome) => ({
  ...outcome,
  before: outcome.before && answerObject(outcome.before),
  after: outcome.after && answerObject(outcome.after),
});

function refusal(io: VerbIo, json: boolean, { code, message }: Refusal): ExitCode {
  if (json) io.out(`${JSON.stringify({ schema: 1, ok: false, code, message })}\n`);
  else io.err(`mirrorbeat pair: ${message}\n`);
  return code;
}

function tellOutcome(
  io: VerbIo,
  json: boolean,
  verb: PairVerb,
  mirror: Mirror,
  outcome: Outcome,
  notes: readonly string[],
): ExitCode {
  const code = codeOfOutcome(outcome);
  const { name } = mirror.config;
  if (json) {
    const head = { schema: 1, ok: code === exitCodes.ok, code, verb, mirror: name };
    io.out(`${JSON.stringify({ ...head, ...outcomeObject(outcome), notes })}\n`);
  } else io.out(outcomeText(verb, name, outcome));
  return code;
}

export async function changeVerb(
  config: Config,
  mirror: Mirror,
  verb: PairVerb,
  wish: ChangeWish,
  io: VerbIo,
): Promise<ExitCode> {
  const { force, json } = wish;
  const isInUse = mirror.config.enabled && isInstalled(config, mirror);
  const risk = riskOf(verb, isInUse);
  const notes = notesOf(verb, risk, isInUse, force);
  const isForceMissing = risk !== null && !force;
  if (!wish.yes || wish.dryRun) {
    const outcome = await change(mirror, verb, force, true);
    const isPlan = outcome.kind === "noop" && outcome.commands.length > 0;
    if (!isPlan) return tellOutcome(io, json, verb, mirror, outcome, notes);
    const code = wish.dryRun ? exitCodes.ok : exitCodes.usage;
    const name = mirror.config.name;
    if (json) {
      const head = { schema: 1, ok: wish.dryRun, code, verb, mirror: name, changed: false };
      const plan = { ...head, ...outcomeObject(outcome), notes, isForceMissing };
      io.out(`${JSON.stringify(plan)}\n`);
    } else io.out(planText({ verb, name, outcome, notes, isForceMissing, force }));
    return code;
  }
  if (isForceMissing) {
    const message = `${verb} of ${mirror.config.name}: nothing was changed: ${risk}; --force does it`;
    return refusal(io, json, { code: exitCodes.unsafe, message });
  }
  const locked = lockMirror(config, mirror.config.name);
  if (locked) return refusal(io, json, locked);
  try {
    if (!json) for (const note of notes) io.err(lines(note, 2));
    const begun = await change(mirror, verb, force, false);
    const waits = begun.kind === "in-progress" && wish.waitSeconds !== null;
    const outcome = waits ? await waitFor(mirror.pair, verb, begun, wish.waitSeconds ?? 0) : begun;
    return tellOutcome(io, json, verb, mirror, outcome, notes);
  } finally {
    busy.delete(lockPath(config, mirror.config.name));
  }
}
