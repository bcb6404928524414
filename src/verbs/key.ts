/** `key`: makes, lists and changes the keys that sign every heartbeat (src/host/key-file.ts). */
import { existsSync } from "node:fs";
import { type ExitCode, exitCodes, type Refusal } from "../core/base/exit-codes.ts";
import { createFile, writeFileAtomically } from "../host/atomic-file.ts";
import { configFileOf, defaultKeyFile, faultLine, loadConfig } from "../host/config-file.ts";
import {
  changeKeys,
  generateKey,
  type Key,
  type KeyChange,
  keyFileMode,
  keyFileText,
  keyIdText,
  readKeyFile,
} from "../host/key-file.ts";
import type { StatusObject } from "../core/step/status.ts";
import { askAgent } from "./agent-client.ts";
import { parseVerbArgs, usageError } from "./verb-args.ts";
import type { VerbIo } from "./verb-io.ts";

const help = `mirrorbeat key generate|add|promote|retire|list [options]

  generate         a new key in a new file; never overwrites
  add --from FILE  accept the key of FILE beside the one that signs
  promote ID       sign with this key; the other one stays accepted
                   refused while another host, by this host's agent, does
                   not hold the same keys; --force: it will reject us
  retire ID        forget the key that signed before; with --force also one
                   that never did here, to give a change up: whoever signs
                   with it is rejected from now on. Refused while another
                   host still signs with it
  list             ids, states and ages; secrets are never shown

  --out FILE       generate: where to (else the key file)
  --file FILE      the key file; else key_file of the configuration, else
                   /etc/mirrorbeat/authkey
  --config FILE    the configuration that names the key file, and the agent
                   that is asked about the other hosts
  --host NAME      this host's name there, as given to run
  --json           one JSON object

first key      mirrorbeat key generate    at one host, then copy the file to
               every other host (scp -p keeps its mode 0600)

new key, no heartbeat lost: finish each step at EVERY host before the next;
agents read the changed file by themselves
  1  mirrorbeat key generate --out new.key    at one host; copy new.key to all
  2  mirrorbeat key add --from new.key        all accept it, none signs with it
  3  mirrorbeat key promote NEWID             all sign with it by and by
  4  mirrorbeat key retire OLDID              the old key is worthless now
  5  rm new.key

exit codes
  0 done, or done already   64 wrong command line   65 damaged key file
  66 no such file or key    73 cannot be written, nothing changed
  75 two keys are live      77 not permitted        78 configuration wrong
`;

const options = {
  out: { type: "string" },
  from: { type: "string" },
  file: { type: "string" },
  config: { type: "string" },
  host: { type: "string" },
  force: { type: "boolean" },
  json: { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const;

const askMs = 5000;
const actions = ["generate", "add", "promote", "retire", "list"] as const;
type Action = (typeof actions)[number];

type Call = {
  readonly action: Action;
  readonly id: string | undefined;
  readonly values: {
    readonly out?: string | undefined;
    readonly from?: string | undefined;
    readonly file?: string | undefined;
    readonly config?: string | undefined;
    readonly host?: string | undefined;
    readonly force?: boolean | undefined;
    readonly json?: boolean | undefined;
  };
};

type Outcome =
  | { readonly ok: true; readonly value: Done }
  | { readonly ok: false; readonly refusal: Refusal };
type Done = {
  readonly file: string;
  readonly verdict: string;
  readonly keys: readonly Key[];
  readonly next: string;
};

const refused = (code: ExitCode, message: string): Outcome => ({
  ok: false,
  refusal: { code, message },
});

function keyFileOf(
  call: Call,
  io: VerbIo,
): { ok: true; file: string } | Extract<Outcome, { ok: false }> {
  if (call.values.file !== undefined) return { ok: true, file: call.values.file };
  const config = configFileOf(call.values.config, io.env);
  const isChosen = call.values.config !== undefined || Boolean(io.env["MIRRORBEAT_CONFIG"]);
  if (!isChosen && !existsSync(config)) return { ok: true, file: defaultKeyFile };
  const loaded = loadConfig({ file: config, host: null, anyHost: true });
  if (loaded.ok) return { ok: true, file: loaded.config.keyFile };
  const first = loaded.faults[0];
  const reason = first ? faultLine(first) : config;
  const message = `${reason}; correct it (mirrorbeat config check), or give --file`;
  return { ok: false, refusal: { code: loaded.code, message } };
}

const activeId = (keys: readonly Key[]): string =>
  keyIdText(keys.find((key) => key.state === "active")?.id ?? 0);

function nextStep(keys: readonly Key[]): string {
  const other = keys.find((key) => key.state !== "active");
  if (!other) return "mirrorbeat key --help tells how to change keys without a gap";
  const id = keyIdText(other.id);
  return other.state === "accepted"
    ? `once every host lists ${id}: mirrorbeat key promote ${id}`
    : `once ${activeId(keys)} is active at every host: mirrorbeat key retire ${id}`;
}

async function generate(call: Call, io: VerbIo): Promise<Outcome> {
  const target =
    call.values.out === undefined
      ? keyFileOf(call, io)
      : { ok: true as const, file: call.values.out };
  if (!target.ok) return target;
  const { file } = target;
  const keys = [generateKey(new Date())];
  const wrote = await createFile(file, keyFileText(keys), keyFileMode);
  if (!wrote.ok) return { ok: false, refusal: wrote };
  const next =
    call.values.out === undefined
      ? `copy ${file} to every other host, e.g. by scp -p`
      : `copy ${file} to every host; there: mirrorbeat key add --from ${file}`;
  return { ok: true, value: { file, verdict: `made: key ${activeId(keys)}`, keys, next } };
}

function readChange(call: Call): { ok: true; change: KeyChange } | Extract<Outcome, { ok: false }> {
  if (call.action === "add") {
    const from = readKeyFile(call.values.from ?? "");
    if (!from.ok) return from;
    const key = from.keys.find((candidate) => candidate.state === "active");
    if (!key) throw new Error("assertion failed: one key of a key file is active");
    return { ok: true, change: { step: "add", key } };
  }
  const id = Number.parseInt(call.id ?? "", 16);
  if (call.action === "promote") return { ok: true, change: { step: "promote", id } };
  return { ok: true, change: { step: "retire", id, force: call.values.force ?? false } };
}

/** Why the other hosts would be cut off by it; null where none would, or no agent can be asked. */
async function othersObject(call: Call, wanted: KeyChange, io: VerbIo): Promise<string | null> {
  if (wanted.step === "add" || call.values.force || call.values.file !== undefined) return null;
  const file = configFileOf(call.values.config, io.env);
  if (!existsSync(file)) return null;
  const loaded = loadConfig({ file, host: call.values.host ?? null });
  if (!loaded.ok) return null;
  const asked = await askAgent(loaded.config, { op: "status" }, askMs);
  const keys = asked.ok ? (asked.value as Partial<StatusObject>).keys : undefined;
  if (!keys) {
    io.err("note: no agent answers here, so the other hosts were not asked\n");
    return null;
  }
  const beating = keys.others.filter(({ beats }) => beats);
  const id = keyIdText(wanted.id);
  const left =
    wanted.step === "promote"
      ? beating.filter(({ ring }) => ring !== keys.ring)
      : beating.filter(({ signs }) => signs === id);
  if (left.length === 0) return null;
  const names = left.map(({ host }) => host).join(", ");
  return wanted.step === "promote"
    ? `not the same keys at: ${names}; mirrorbeat key add there first. --force: they reject us`
    : `still signing with ${id}: ${names}; promote the new key there first`;
}

async function change(call: Call, io: VerbIo): Promise<Outcome> {
  const target = keyFileOf(call, io);
  if (!target.ok) return target;
  const { file } = target;
  const held = readKeyFile(file);
  if (!held.ok) return held;
  const wanted = readChange(call);
  if (!wanted.ok) return wanted;
  const changed = changeKeys(held.keys, wanted.change);
  if (!changed.ok) return refused(changed.refusal.code, `${file}: ${changed.refusal.message}`);
  const objection = changed.changed ? await othersObject(call, wanted.change, io) : null;
  if (objection !== null) return refused(exitCodes.tryLater, objection);
  if (changed.changed) {
    const wrote = await writeFileAtomically(file, keyFileText(changed.keys), keyFileMode);
    if (!wrote.ok) return { ok: false, refusal: wrote };
  }
  const id = keyIdText(wanted.change.step === "add" ? wanted.change.key.id : wanted.change.id);
  const words = { add: "is accepted", promote: "signs", retire: "is retired" }[wanted.change.step];
  const state = `key ${id} ${words}${changed.changed ? "" : " already"}`;
  const next = nextStep(changed.keys);
  return { ok: true, value: { file, verdict: `done: ${state}`, keys: changed.keys, next } };
}

async function perform(call: Call, io: VerbIo): Promise<Outcome> {
  switch (call.action) {
    case "generate":
      return generate(call, io);
    case "add":
    case "promote":
    case "retire":
      return change(call, io);
    case "list": {
      const target = keyFileOf(call, io);
      if (!target.ok) return target;
      const held = readKeyFile(target.file);
      if (!held.ok) return held;
      const verdict = `ok: key ${activeId(held.keys)} signs`;
      const value = { file: target.file, verdict, keys: held.keys, next: nextStep(held.keys) };
      return { ok: true, value };
    }
  }
}

function ageText(seconds: number): string {
  if (seconds < 0) return "in the future";
  const units = [
    ["d", 86400],
    ["h", 3600],
    ["min", 60],
  ] as const;
  const unit = units.find(([, length]) => seconds >= 2 * length);
  return unit ? `${Math.floor(seconds / unit[1])} ${unit[0]}` : `${seconds} s`;
}

function print(call: Call, { file, verdict, keys, next }: Done, io: VerbIo): void {
  const nowMs = Date.now();
  const rows = keys.map(({ id, state, created }) => {
    const ageSeconds = Math.floor((nowMs - Date.parse(created)) / 1000);
    return { id: keyIdText(id), state, created, ageSeconds };
  });
  if (call.values.json) {
    io.out(
      `${JSON.stringify({ schema: 1, action: call.action, file, verdict, keys: rows, next })}\n`,
    );
    return;
  }
  io.out(`${verdict}\nfile: ${file}\n`);
  io.out("STATE     ID        CREATED               AGE\n");
  for (const { state, id, created, ageSeconds } of rows) {
    io.out(`${state.padEnd(8)}  ${id}  ${created}  ${ageText(ageSeconds)}\n`);
  }
  io.out(`next: ${next}\n`);
}

function argumentFault(call: Call, positionals: readonly string[]): string | null {
  const takesId = call.action === "promote" || call.action === "retire";
  if (takesId && !/^[0-9a-f]{8}$/.test(call.id ?? "")) {
    return `${call.action} needs the ID of a key: 8 hex digits, see key list`;
  }
  if (positionals.length > (takesId ? 2 : 1)) return `too many words: ${positionals.join(" ")}`;
  if (call.action === "add" && call.values.from === undefined) return "add needs --from FILE";
  if (call.action !== "add" && call.values.from !== undefined) return "--from belongs to add";
  if (call.action !== "retire" && call.action !== "promote" && call.values.force) {
    return "--force belongs to promote and retire";
  }
  if (call.action !== "generate" && call.values.out !== undefined) {
    return "--out belongs to generate";
  }
  return null;
}

export async function keyVerb(args: readonly string[], io: VerbIo): Promise<ExitCode> {
  const parsed = parseVerbArgs(args, options);
  if (!parsed.ok) return usageError(io, "key", parsed.message);
  const { values, positionals } = parsed;
  if (values.help) {
    io.out(help);
    return exitCodes.ok;
  }
  const action = actions.find((word) => word === positionals[0]);
  if (!action) return usageError(io, "key", `say one of ${actions.join(", ")}`);
  const call: Call = { action, id: positionals[1]?.toLowerCase(), values };
  const fault = argumentFault(call, positionals);
  if (fault !== null) return usageError(io, "key", fault);
  const outcome = await perform(call, io);
  if (outcome.ok) {
    print(call, outcome.value, io);
    return exitCodes.ok;
  }
  const { code, message } = outcome.refusal;
  if (values.json) io.out(`${JSON.stringify({ schema: 1, action, refused: message, code })}\n`);
  else io.err(`refused: ${message}\n`);
  return code;
}
