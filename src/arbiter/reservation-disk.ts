/**
 * One disk with persistent reservations: commands until they are answered, and one look at it that
 * is consistent in itself.
 *
 * A volume's answers carry no checksum. So a look is made of several answers that must agree: keys,
 * holder, and (where the array has it) the full status, all of one generation. A damaged answer, or
 * a change in between, makes them disagree; then it is looked at again, and never guessed.
 */
import { existsSync } from "node:fs";
import path from "node:path";
import { identify } from "../device/identity.ts";
import {
  type Capabilities,
  type Change,
  type ChangeWords,
  changeCommand,
  type FullStatus,
  type HeldReservation,
  type Holder,
  isAllRegistrants,
  parseCapabilities,
  parseFullStatus,
  parseKeys,
  parseReservation,
  type Reading,
  type RegisteredKeys,
  readCommand,
  readings,
  wholeBytes,
} from "../device/reservation.ts";
import {
  blockDeviceNumber,
  type ScsiAnswer,
  type ScsiCommand,
  type SendScsi,
  scsiDataBytesMax,
} from "../device/scsi-command.ts";
import type { Left } from "./answers.ts";

/** What one command came to. */
export type Done =
  | { readonly kind: "done"; readonly data: Buffer }
  /** Refused because of somebody's reservation, or because this path is not registered. */
  | { readonly kind: "conflict" }
  /** The disk does not know it. */
  | { readonly kind: "unsupported" }
  /** In words; what it was to change may or may not be changed. */
  | { readonly kind: "failed"; readonly why: string };

/** What a disk says at one moment. */
export type Look = {
  readonly keys: readonly bigint[];
  readonly holder: Holder | null;
};

export type Looked =
  | { readonly ok: true; readonly look: Look }
  | { readonly ok: false; readonly why: string };

const senseKeys = { notReady: 2, illegalRequest: 5, unitAttention: 6 } as const;
const unsupportedCodes = [0x20, 0x24];
const attentionsMax = 8;
const looksMax = 5;
const againMs = 100;
const firstReadBytes = 1024;

/** Additional sense codes that an operator should know by name. */
const senseNames: Readonly<Record<string, string>> = {
  "26/04": "this path holds no such reservation",
  "2a/03": "its reservation was preempted",
  "2a/04": "a reservation was released",
  "2a/05": "its registration was preempted",
  "55/04": "the array has no room for another registration",
};

const hex = (value: number): string => value.toString(16).padStart(2, "0");

const failures: Readonly<Record<string, string>> = {
  ENOENT: "does not exist; check the name, and that the array presents the volume to this host",
  ENOTBLK: "is not a block device; name a disk below /dev",
  ENOTTY: "takes no SCSI commands; reservations need a SCSI disk",
  EINVAL: "takes no SCSI commands; reservations need a SCSI disk",
  EACCES: "permission denied; run as root",
  EPERM: "permission denied; run as root",
  ESTALE: "became another device meanwhile; ask again",
  BUSY: "an earlier command has not come back from it; wait, or check its paths",
  EAGAIN: "too many commands hang; check the paths of the disks",
  LIBRARY: "the native library cannot be loaded; reinstall the program",
};

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Why a path cannot serve, in words; null where it can. Touches no device. */
export async function unfitDisk(file: string, sysfs = "/sys"): Promise<string | null> {
  const number = await blockDeviceNumber(file);
  if (typeof number === "string") return failures[number] ?? `cannot be looked at (${number})`;
  const name = `${number.major}:${number.minor}`;
  if (identify(name, sysfs).partition !== null)
    return "is a partition; a reservation takes the whole disk, so name that";
  if (existsSync(path.join(sysfs, "dev/block", name, "dm")))
    return "is a map (multipath, LVM); registrations belong to paths, so name the disk of each path (multipath -ll)";
  return null;
}

export class ReservationDisk {
  readonly path: string;
  /** Unit attentions that were met, by name: what others did to this host's right. */
  readonly told = new Set<string>();
  private readonly sendScsi: SendScsi;

  constructor(path: string, sendScsi: SendScsi) {
    this.path = path;
    this.sendScsi = sendScsi;
  }

  /** Says it again after a unit attention or BUSY, which both mean that nothing was done. */
  private async send(name: string, command: Omit<ScsiCommand, "path">, left: Left): Promise<Done> {
    for (let attentions = 0; attentions < attentionsMax; ) {
      const limitMs = left();
      if (limitMs <= 0) return this.overdue(name);
      const answer = await this.sendScsi({ path: this.path, ...command }, limitMs);
      if (answer.kind === "busy" || isNotReady(answer)) {
        await pause(Math.min(againMs, left()));
        continue;
      }
      if (answer.kind === "sense" && answer.key === senseKeys.unitAttention) {
        attentions++;
        this.told.add(senseText(answer));
        continue;
      }
      return this.done(name, answer);
    }
    return { kind: "failed", why: `${name}: one unit attention after the other` };
  }

  private overdue(name: string): Done {
    return { kind: "failed", why: `${name}: no answer in time; it may still be carried out` };
  }

  private done(name: string, answer: ScsiAnswer): Done {
    switch (answer.kind) {
      case "good":
        return { kind: "done", data: answer.data };
      case "conflict":
        return { kind: "conflict" };
      case "overdue":
        return this.overdue(name);
      case "busy":
        return { kind: "failed", why: `${name}: busy` };
      case "failed":
        return { kind: "failed", why: failures[answer.code] ?? `${name}: ${answer.code}` };
      case "sense":
        if (answer.key === senseKeys.illegalRequest && unsupportedCodes.includes(answer.code))
          return { kind: "unsupported" };
        return { kind: "failed", why: `${name}: ${senseText(answer)}` };
    }
  }

  change(change: Change, words: ChangeWords, left: Left): Promise<Done> {
    const { command, parameters } = changeCommand(change, words);
    return this.send(change.name, { command, sends: parameters }, left);
  }

  /** All of an answer, however long it turns out to be. */
  private async read(reading: Reading, left: Left): Promise<Done> {
    for (let bytes = firstReadBytes; ; ) {
      const command = readCommand(reading, bytes);
      const done = await this.send(reading.name, { command, readsBytes: bytes }, left);
      if (done.kind !== "done" || reading === readings.capabilities) return done;
      const whole = wholeBytes(done.data) ?? 0;
      if (whole <= bytes) return done;
      if (whole > scsiDataBytesMax || bytes === scsiDataBytesMax)
        return { kind: "failed", why: `${reading.name}: an answer of ${whole} bytes` };
      bytes = scsiDataBytesMax;
    }
  }

  /** What the array can; null where it does not tell. */
  async capabilities(left: Left): Promise<Capabilities | null> {
    const done = await this.read(readings.capabilities, left);
    return done.kind === "done" ? parseCapabilities(done.data) : null;
  }

  async look(left: Left): Promise<Looked> {
    let why = "";
    for (let looks = 0; looks < looksMax; looks++) {
      const seen = await this.lookOnce(left);
      if (typeof seen !== "string") return { ok: true, look: seen };
      why = seen;
      if (left() <= 0) break;
    }
    return { ok: false, why };
  }

  /** Why not, in words. */
  private async lookOnce(left: Left): Promise<Look | string> {
    const keys = await this.parsed(readings.keys, parseKeys, left);
    if (typeof keys === "string") return keys;
    if (keys === null) return "has no persistent reservations";
    const held = await this.parsed(readings.reservation, parseReservation, left);
    if (typeof held === "string") return held;
    if (held === null) return "has no persistent reservations";
    const full = await this.parsed(readings.fullStatus, parseFullStatus, left);
    if (typeof full === "string") return full;
    return agreed(keys, held, full);
  }

  /** Null where the disk does not know the command; a text says what is wrong. */
  private async parsed<T extends object>(
    reading: Reading,
    parse: (answer: Buffer) => T | null,
    left: Left,
  ): Promise<T | string | null> {
    const done = await this.read(reading, left);
    if (done.kind === "unsupported") return null;
    if (done.kind === "conflict") return `${reading.name}: reservation conflict`;
    if (done.kind === "failed") return done.why;
    return parse(done.data) ?? `${reading.name}: the answer makes no sense`;
  }
}

function isNotReady(answer: ScsiAnswer): boolean {
  return answer.kind === "sense" && answer.key === senseKeys.notReady;
}

function senseText({ key, code, qualifier }: Extract<ScsiAnswer, { kind: "sense" }>): string {
  const name = senseNames[`${hex(code)}/${hex(qualifier)}`];
  if (name !== undefined) return name;
  const kind = key === senseKeys.unitAttention ? "unit attention" : `sense ${hex(key)}`;
  return `${kind} ${hex(code)}/${hex(qualifier)}`;
}

const sorted = (keys: readonly bigint[]): string => [...keys].map(String).sort().join();

/** One look out of answers that agree; else in what they do not. */
export function agreed(
  { generation, keys }: RegisteredKeys,
  held: HeldReservation,
  full: FullStatus | null,
): Look | string {
  if (held.generation !== generation) return "its keys changed while they were read";
  const { holder } = held;
  const isHeldByAll = holder !== null && isAllRegistrants(holder.type);
  if (holder !== null && !isHeldByAll && !keys.includes(holder.key))
    return "its reservation is held under a key that is not registered";
  if (full === null) return { keys, holder };
  if (full.generation !== generation) return "its keys changed while they were read";
  if (sorted(full.registrations.map(({ key }) => key)) !== sorted(keys))
    return "READ KEYS and READ FULL STATUS tell different keys";
  const holding = full.registrations.filter(({ holds }) => holds !== null);
  const isSame = holding.every(
    ({ key, holds }) => holds === holder?.type && (isHeldByAll || key === holder.key),
  );
  const isCountRight = holder === null ? holding.length === 0 : isHeldByAll || holding.length === 1;
  if (!isSame || !isCountRight)
    return "READ RESERVATION and READ FULL STATUS tell different holders";
  return { keys, holder };
}
