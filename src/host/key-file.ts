/**
 * The keys that sign and check every record and datagram, in a text file that a person can read:
 *
 *   # STATE   ID        CREATED               SECRET (256 bits in hex)
 *   active    1f0c33a2  2026-11-22T07:31:04Z  9d5e...
 *   accepted  77ab0e4d  2026-12-01T09:00:00Z  04c1...
 *
 * One key is active: it signs. What one more has signed may be believed too: it is `accepted`
 * while it waits to become active, and `retiring` after it was. An id is taken from a hash of its
 * secret, so a key has the same id at every host, and a damaged secret is found by its id.
 *
 * Keys are changed without a gap in three rounds, each finished at every host before the next:
 *
 *   add the new key (accepted)  ->  promote it (the old one is retiring)  ->  retire the old one
 *
 * While hosts are in different steps of a round, each accepts what every other signs: in round one
 * all sign with the old key, which all hold; in round two all hold both; in round three all sign
 * with the new key, which all hold. `changeKeys` refuses the steps that would leave that order.
 */
import { createHash, createHmac, createSecretKey, randomBytes } from "node:crypto";
import { closeSync, constants, fstatSync, openSync, readFileSync, type Stats } from "node:fs";
import { type ExitCode, exitCodes, type Refusal } from "../core/base/exit-codes.ts";

export const keyStates = ["active", "accepted", "retiring"] as const;
export type KeyState = (typeof keyStates)[number];

export type Key = {
  /** 1 to 2^32 - 1. */
  readonly id: number;
  readonly secret: Buffer;
  readonly state: KeyState;
  /** When it was generated: UTC, to the second. */
  readonly created: string;
};

/** What signs, and what else is believed beside the signing key itself. */
export type KeySet = {
  readonly signing: { readonly id: number; readonly secret: Buffer };
  readonly accepted: readonly { readonly id: number; readonly secret: Buffer }[];
  /** Ids of those among the accepted that have signed before and never will again. */
  readonly retiring: readonly number[];
};

export type KeysRead =
  | { readonly ok: true; readonly keys: readonly Key[] }
  | { readonly ok: false; readonly refusal: Refusal };
export type KeysLoaded =
  | { readonly ok: true; readonly keys: KeySet }
  | { readonly ok: false; readonly refusal: Refusal };

export const keysMax = 2;
export const keyFileMode = 0o600;
const secretBytes = 32;
const macBytes = 16;
const fileBytesMax = 16 * 1024;

export function keyIdOf(secret: Uint8Array): number {
  return createHash("sha256").update("mirrorbeat key id\0").update(secret).digest().readUInt32BE(0);
}

/** An id as people see it. */
export function keyIdText(id: number): string {
  return id.toString(16).padStart(8, "0");
}

export function generateKey(now: Date): Key {
  for (;;) {
    const secret = randomBytes(secretBytes);
    const id = keyIdOf(secret);
    const created = `${now.toISOString().slice(0, 19)}Z`;
    if (id !== 0) return { id, secret, state: "active", created };
  }
}

export function keyFileText(keys: readonly Key[]): string {
  const lines = keys.map(
    ({ state, id, created, secret }) =>
      `${state.padEnd(8)}  ${keyIdText(id)}  ${created}  ${secret.toString("hex")}\n`,
  );
  const head = [
    "# Keys of mirrorbeat. Secret: whoever has a key can forge heartbeats.",
    '# Change them by "mirrorbeat key", which tells how; never by hand.',
    "# STATE   ID        CREATED               SECRET (256 bits in hex)",
  ];
  return `${head.join("\n")}\n${lines.join("")}`;
}

const refuse = (code: ExitCode, message: string) =>
  ({ ok: false, refusal: { code, message } }) as const;

const linePattern =
  /^(active|accepted|retiring)\s+([0-9a-f]{8})\s+(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)\s+([0-9a-f]{64})$/;

/** The keys in a file's text. No message ever shows what may be a secret. */
export function parseKeyFile(file: string, text: string): KeysRead {
  const keys: Key[] = [];
  const damaged = (line: number, what: string) =>
    refuse(exitCodes.dataError, `${file}${line > 0 ? `:${line}` : ""}: ${what}`);
  for (const [index, line] of text.split("\n").entries()) {
    const trimmed = line.trim();
    if (trimmed === "" || trimmed.startsWith("#")) continue;
    const [, word, idText = "", created = "", hex = ""] = linePattern.exec(trimmed) ?? [];
    const state = keyStates.find((known) => known === word);
    if (!state) {
      return damaged(index + 1, "no key: expected STATE ID CREATED SECRET; copy the file again");
    }
    const secret = Buffer.from(hex, "hex");
    const id = keyIdOf(secret);
    if (keyIdText(id) !== idText) {
      const found = `the secret of key ${idText} is damaged: its own id is ${keyIdText(id)}`;
      return damaged(index + 1, `${found}; copy the file again`);
    }
    if (keys.some((key) => key.id === id)) {
      return damaged(index + 1, `key ${idText} stands here twice; remove this line`);
    }
    keys.push({ id, secret, state, created });
  }
  if (keys.length === 0) return damaged(0, "holds no key; copy the file again from another host");
  if (keys.length > keysMax) {
    return damaged(0, `holds ${keys.length} keys; at most ${keysMax} are live: remove the others`);
  }
  const active = keys.filter((key) => key.state === "active").length;
  if (active !== 1) {
    return damaged(0, `${active} keys are active; exactly one signs: correct the STATE of one`);
  }
  return { ok: true, keys };
}

function accessFault(file: string, stats: Stats): Refusal | null {
  const uid = process.geteuid?.() ?? stats.uid;
  const no = (message: string): Refusal => ({
    code: exitCodes.noPermission,
    message: `${file}: ${message}`,
  });
  if (!stats.isFile()) return no("not a regular file; name the key file itself");
  if (stats.uid !== uid) {
    return no(`owned by user ${stats.uid}, run by ${uid}; chown ${uid} ${file}`);
  }
  if ((stats.mode & 0o077) !== 0) {
    const mode = (stats.mode & 0o777).toString(8).padStart(4, "0");
    return no(`mode ${mode}: others may read or change it; chmod 600 ${file}`);
  }
  if (stats.size > fileBytesMax) {
    return { code: exitCodes.dataError, message: `${file}: ${stats.size} bytes; no key file` };
  }
  return null;
}

function openFault(file: string, error: unknown): Refusal {
  const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
  switch (code) {
    case "ENOENT":
    case "ENOTDIR":
      return {
        code: exitCodes.noInput,
        message: `${file}: no key file; copy it from another host, or: mirrorbeat key generate`,
      };
    case "EACCES":
    case "EPERM":
      return {
        code: exitCodes.noPermission,
        message: `${file}: may not be read; run as its owner`,
      };
    case "ELOOP":
      return {
        code: exitCodes.noPermission,
        message: `${file}: a symbolic link; name the key file itself`,
      };
    default:
      return { code: exitCodes.ioError, message: `${file}: cannot be read (${code})` };
  }
}

/** What is checked is what is read: the file is opened first, then looked at. */
export function readKeyFile(file: string): KeysRead {
  let descriptor: number;
  try {
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
    descriptor = openSync(file, flags);
  } catch (error) {
    return { ok: false, refusal: openFault(file, error) };
  }
  try {
    const fault = accessFault(file, fstatSync(descriptor));
    if (fault) return { ok: false, refusal: fault };
    return parseKeyFile(file, readFileSync(descriptor, "utf8"));
  } catch (error) {
    return { ok: false, refusal: openFault(file, error) };
  } finally {
    closeSync(descriptor);
  }
}

export function keySetOf(keys: readonly Key[]): KeySet {
  const plain = ({ id, secret }: Key) => ({ id, secret });
  const signing = keys.find((key) => key.state === "active");
  if (!signing) throw new Error("assertion failed: one key of a key file is active");
  return {
    signing: plain(signing),
    accepted: keys.filter((key) => key !== signing).map(plain),
    retiring: keys.filter(({ state }) => state === "retiring").map(({ id }) => id),
  };
}

export function loadKeys(file: string): KeysLoaded {
  const read = readKeyFile(file);
  return read.ok ? { ok: true, keys: keySetOf(read.keys) } : read;
}

/** HMAC-SHA256 cut to 128 bits; null for a key that is not held. */
export function macWith(keys: KeySet): (keyId: number, bytes: Uint8Array) => Uint8Array | null {
  // A key made once is a third cheaper to use than its bytes.
  const made = new Map(
    [keys.signing, ...keys.accepted].map(({ id, secret }) => [id, createSecretKey(secret)]),
  );
  return (keyId, bytes) => {
    const key = made.get(keyId);
    if (!key) return null;
    return createHmac("sha256", key).update(bytes).digest().subarray(0, macBytes);
  };
}

export type KeyChange =
  | { readonly step: "add"; readonly key: Key }
  | { readonly step: "promote"; readonly id: number }
  | {
      readonly step: "retire";
      readonly id: number;
      /** Also a key that was never active here: some other host may sign with it. */
      readonly force: boolean;
    };

export type KeysChanged =
  | { readonly ok: true; readonly keys: readonly Key[]; readonly changed: boolean }
  | { readonly ok: false; readonly refusal: Refusal };

/** One step of a change of keys; a step that was done already changes nothing. */
export function changeKeys(keys: readonly Key[], change: KeyChange): KeysChanged {
  const id = change.step === "add" ? change.key.id : change.id;
  const held = keys.find((key) => key.id === id);
  const ids = keys.map((key) => keyIdText(key.id)).join(" and ");
  if (change.step === "add") {
    if (held) return { ok: true, keys, changed: false };
    if (keys.length >= keysMax) {
      const message = `two keys are live already (${ids}); end that change by: key retire ID`;
      return refuse(exitCodes.tryLater, message);
    }
    return { ok: true, keys: [...keys, { ...change.key, state: "accepted" }], changed: true };
  }
  if (!held) return refuse(exitCodes.noInput, `no key ${keyIdText(id)} here; held: ${ids}`);
  if (change.step === "promote") {
    if (held.state === "active") return { ok: true, keys, changed: false };
    const promoted = keys.map(
      (key): Key => ({ ...key, state: key === held ? "active" : "retiring" }),
    );
    return { ok: true, keys: promoted, changed: true };
  }
  return retire(keys, held, change.force);
}

function retire(keys: readonly Key[], held: Key, force: boolean): KeysChanged {
  const id = keyIdText(held.id);
  const other = keys.find((key) => key !== held);
  if (!other) return refuse(exitCodes.noPermission, `key ${id} is the only one; add another first`);
  if (held.state === "active") {
    const message = `key ${id} signs; first at every host: key promote ${keyIdText(other.id)}`;
    return refuse(exitCodes.noPermission, message);
  }
  if (held.state === "accepted" && !force) {
    const risk = "a host that signs with it already would be rejected here";
    const remedy = `promote it, or --force if no host lists it as active`;
    return refuse(exitCodes.noPermission, `key ${id} was never active here; ${risk}: ${remedy}`);
  }
  return { ok: true, keys: [other], changed: true };
}
