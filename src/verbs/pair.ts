/** `pair`: the remote copy's pairs, asked and changed from the command line. `signal` needs an agent. */
import type { Config, MirrorConfig } from "../core/base/config.ts";
import { type ExitCode, exitCodes } from "../core/base/exit-codes.ts";
import { pairVerbs, type PairVerb } from "../core/base/pair-settings.ts";
import { clientOptions, configFor } from "./agent-client.ts";
import { type ChangeWish, changeVerb } from "./pair-change.ts";
import { answerObject, codeOfFault, type Mirror, mirrorNamed, openMirror } from "./pair-open.ts";
import { signalVerb, signalWaitSecondsMax } from "./pair-signal.ts";
import { type Listed, listText, queryText } from "./pair-text.ts";
import { parseVerbArgs, usageError } from "./verb-args.ts";
import type { VerbIo } from "./verb-io.ts";

const help = `mirrorbeat pair list [OPTIONS]
mirrorbeat pair query MIRROR [--remote] [OPTIONS]
mirrorbeat pair create|split|resync|swap|takeover|remove MIRROR
                [--yes] [--dry-run] [--force] [--wait SECONDS] [OPTIONS]
mirrorbeat pair signal MIRROR [--yes] [--force] [--wait SECONDS] [OPTIONS]

  The pairs of the heartbeat mirrors, by the array's own interface: whatever
  [mirrors.pair] of the configuration names. No agent is needed, save for
  signal, but this site's array. Ask for a change at the end where your array
  wants it.

  list      each mirror: state, role, volume, identity
  query     one of them; --remote: the other end's view as well
  create    make the pair: the writer's volume is copied to the reader's
  split     stop the copying; each end keeps what it has
  resync    copy what differs from the writer to the reader, then go on
  swap      exchange the roles. Never for heartbeats: needs --force
  takeover  at the reader: make its volume writable without the writer's
            consent. Never for heartbeats: needs --force
  remove    end the pair; where the mirror is installed it needs --force

  signal    at the writer, by its agent: split the pair for a moment, as a sign
            to the other site, whose agent answers by splitting one of its own
            if the configuration allows it (answer_signals). No answer proves
            nothing. At most once a minute; over the last path needs --force

  A change is sent only to the volume whose identity is configured. What became
  of it is told by the state after it, never by a command's exit code.

  --yes           do it; without it the array's commands are only shown
  --dry-run       only show them, exit 0
  --force         accept what the command calls a risk
  --wait SECONDS  where it has to be copied: wait until it is paired;
                  signal: for the answer, default 3 pair polls and 15 s
  --json          for programs: one object with "schema": 1
  --config FILE, --host NAME   as everywhere

exit codes
  0 done, nothing to do, or answered   64 --yes is missing, or command line
  65 the state is not known   66 no configuration file
  69 the array does not answer   73 the lock file cannot be made
  75 not in this state, refused by the array, still copying, or another change
  77 another volume, no identity configured, or not permitted
  78 configuration   107 needs --force
  112 sent, and what became of it is not known: query it
  124 no answer in time; signal: not answered, which proves nothing
`;
const options = {
  ...clientOptions,
  yes: { type: "boolean" },
  force: { type: "boolean" },
  "dry-run": { type: "boolean" },
  remote: { type: "boolean" },
  wait: { type: "string" },
} as const;
const verb = "pair";
/** Each may be a program of its own. */
const askedAtOnce = 8;
const waitSecondsMax = 86_400;

type Values = Extract<ReturnType<typeof parseVerbArgs<typeof options>>, { ok: true }>["values"];

const isPairVerb = (word: string): word is PairVerb => pairVerbs.some((known) => known === word);

/** What is wrong with the words, or null. */
function wordsFault(positionals: readonly string[], values: Values): string | null {
  const [word, name, more] = positionals;
  if (word === undefined) return "list, query, or a change is missing";
  const isChange = isPairVerb(word);
  const isKnown = isChange || word === "list" || word === "query" || word === "signal";
  if (!isKnown) return `no such word: ${word}`;
  if (word === "list" && name !== undefined) return `unexpected '${name}'`;
  if (word !== "list" && name === undefined) return `${word} needs the name of a mirror`;
  if (more !== undefined) return `unexpected '${more}'`;
  if (values.remote && word !== "query") return "--remote goes with query";
  for (const key of ["yes", "force", "dry-run", "wait"] as const) {
    const isWithSignal = word === "signal" && key !== "dry-run";
    if (values[key] !== undefined && !isChange && !isWithSignal)
      return `--${key} goes with a change`;
  }
  return values.yes && values["dry-run"] ? "--yes and --dry-run exclude each other" : null;
}

/** undefined where it is no number of seconds. */
function waitSecondsOf(text: string | undefined): number | null | undefined {
  if (text === undefined) return null;
  const seconds = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  return seconds >= 1 && seconds <= waitSecondsMax ? seconds : undefined;
}

const mirrorObject = ({ config, end, device, pair }: Mirror) => ({
  mirror: config.name,
  writer: config.writer,
  reader: config.reader,
  provider: config.pair.provider,
  end,
  device,
  expected: pair.expected,
});

async function listed(config: Config, each: MirrorConfig): Promise<Listed> {
  const found = await openMirror(config, each);
  if (!found.ok) {
    const direction = `${each.writer} -> ${each.reader}`;
    return { name: each.name, direction, reason: found.refusal.message };
  }
  const { provider, queryLimitMs } = found.mirror.pair;
  return { mirror: found.mirror, answer: await provider.query("local", queryLimitMs) };
}

async function list(config: Config, json: boolean, io: VerbIo): Promise<ExitCode> {
  const all: Listed[] = [];
  for (let at = 0; at < config.mirrors.length; at += askedAtOnce) {
    const some = config.mirrors.slice(at, at + askedAtOnce);
    all.push(...(await Promise.all(some.map((each) => listed(config, each)))));
  }
  if (json) {
    const mirrors = all.map((one) =>
      "mirror" in one
        ? { ...mirrorObject(one.mirror), answer: answerObject(one.answer) }
        : { mirror: one.name, reason: one.reason },
    );
    io.out(`${JSON.stringify({ schema: 1, ok: true, mirrors })}\n`);
  } else io.out(listText(all));
  return exitCodes.ok;
}

async function query(mirror: Mirror, values: Values, io: VerbIo): Promise<ExitCode> {
  const { provider, queryLimitMs, expected } = mirror.pair;
  const scope = values.remote ? "both" : "local";
  const answer = await provider.query(scope, queryLimitMs);
  const identity = await provider.identify(queryLimitMs);
  const isForeign = expected !== null && identity.ok && identity.identity.own !== expected;
  const code = !answer.ok
    ? codeOfFault(answer.class)
    : answer.local.state === "unknown"
      ? exitCodes.dataError
      : isForeign
        ? exitCodes.noPermission
        : exitCodes.ok;
  if (values.json) {
    const head = { schema: 1, ok: code === exitCodes.ok, code, ...mirrorObject(mirror) };
    io.out(`${JSON.stringify({ ...head, identity, answer: answerObject(answer) })}\n`);
  } else io.out(queryText(mirror, answer, identity, values.remote === true));
  return code;
}

export async function pairVerb(args: readonly string[], io: VerbIo): Promise<ExitCode> {
  const parsed = parseVerbArgs(args, options);
  if (!parsed.ok) return usageError(io, verb, parsed.message);
  const { values, positionals } = parsed;
  if (values.help) {
    io.out(help);
    return exitCodes.ok;
  }
  const fault = wordsFault(positionals, values);
  if (fault !== null) return usageError(io, verb, fault);
  const waitSeconds = waitSecondsOf(values.wait);
  if (waitSeconds === undefined) {
    return usageError(io, verb, `--wait takes 1 to ${waitSecondsMax} seconds`);
  }
  const loaded = configFor(verb, values, io);
  if (!loaded.ok) return loaded.code;
  const { config } = loaded;
  const [word = "list", name = ""] = positionals;
  if (word === "list") return list(config, values.json === true, io);
  if (word === "signal") {
    if ((waitSeconds ?? 0) > signalWaitSecondsMax) {
      return usageError(io, verb, `--wait of a signal takes 1 to ${signalWaitSecondsMax} seconds`);
    }
    const wish = { yes: values.yes === true, force: values.force === true, waitSeconds };
    return signalVerb(config, name, { ...wish, json: values.json === true }, io);
  }
  const found = await mirrorNamed(config, name);
  if (!found.ok) {
    const { code, message } = found.refusal;
    if (values.json) io.out(`${JSON.stringify({ schema: 1, ok: false, code, message })}\n`);
    else io.err(`mirrorbeat ${verb}: ${message}\n`);
    return code;
  }
  if (!isPairVerb(word)) return query(found.mirror, values, io);
  const wish: ChangeWish = {
    yes: values.yes === true,
    force: values.force === true,
    dryRun: values["dry-run"] === true,
    json: values.json === true,
    waitSeconds,
  };
  return changeVerb(config, found.mirror, word, wish, io);
}
