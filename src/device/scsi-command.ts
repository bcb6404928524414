/**
 * Single SCSI commands to a disk, through the native library (native/include/mirrorbeat_scsi.h).
 *
 * Never throws, always ends by its limit. A command that is overdue may still be carried out; until
 * it has come back, the same disk is asked nothing else ("BUSY"), so that a late change can never
 * overtake what was judged after it.
 */
import { stat } from "node:fs/promises";
import path from "node:path";
import { loadLibrary, type PreparedCall, pointerTo } from "./foreign.ts";
import { errorCode, libraryName } from "./native.ts";

/** What is said of the disk's answer. */
export type ScsiAnswer =
  | { readonly kind: "good"; readonly data: Buffer }
  | { readonly kind: "conflict" }
  /** BUSY or TASK SET FULL: nothing was done, it may be said again. */
  | { readonly kind: "busy" }
  | {
      readonly kind: "sense";
      readonly key: number;
      readonly code: number;
      readonly qualifier: number;
    }
  /** The command may or may not have been carried out. */
  | { readonly kind: "failed"; readonly code: string }
  | { readonly kind: "overdue" };

export type ScsiCommand = {
  readonly path: string;
  readonly command: Buffer;
  /** Bytes that are sent, or how many are read at most. */
  readonly sends?: Buffer;
  readonly readsBytes?: number;
};

export type SendScsi = (command: ScsiCommand, limitMs: number) => Promise<ScsiAnswer>;

export const scsiDataBytesMax = 8192;

const version = 1;
/**
 * The kernel's own limit for one command: after it the disk is reset, which takes everybody's time.
 * So it is long, and the caller's limit is not it.
 */
const kernelLimitMs = 30_000;
const looksMs = [1, 1, 2, 5, 10];
const sizes = { sense: 64, data: scsiDataBytesMax, path: 4096 } as const;
/** Offsets in struct mirrorbeat_scsi. */
const at = {
  version: 0, number: 4, major: 8, minor: 12, timeoutMs: 16, direction: 20, commandLength: 24,
  dataLength: 28, result: 32, status: 36, hostStatus: 40, senseLength: 44, movedLength: 48,
  command: 64, sense: 80, data: 144, path: 8336,
} as const; // biome-ignore format: a table
const structureBytes = at.path + sizes.path;
const direction = { none: 0, fromDisk: 1, toDisk: 2 } as const;
const status = { good: 0, check: 2, busy: 8, conflict: 0x18, taskSetFull: 0x28 } as const;

type Calls = { readonly structure: Buffer } & Readonly<
  Record<"start" | "take" | "abandon", PreparedCall>
>;

let calls: Calls | string | null = null;

/** One structure serves for all: each call copies what it needs. */
function library(): Calls | string {
  if (calls !== null) return calls;
  const loaded = loadLibrary(path.join(__dirname, libraryName));
  if (!loaded.ok) {
    calls = loaded.message;
    return calls;
  }
  const structure = Buffer.alloc(structureBytes);
  const pointer = pointerTo(structure);
  const prepare = (name: string) => loaded.library.prepare(`mirrorbeat_scsi_${name}`, pointer);
  calls = {
    structure,
    start: prepare("start"),
    take: prepare("take"),
    abandon: prepare("abandon"),
  };
  return calls;
}

/** "major:minor" of a block device by its path, or why it is none. */
export async function blockDeviceNumber(
  file: string,
): Promise<{ readonly major: number; readonly minor: number } | string> {
  try {
    const found = await stat(file);
    if (!found.isBlockDevice()) return "ENOTBLK";
    return splitNumber(BigInt(found.rdev));
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? "ESTAT";
  }
}

/** As the C library packs device numbers (makedev). */
function splitNumber(device: bigint): { readonly major: number; readonly minor: number } {
  const major = ((device >> 8n) & 0xfffn) | ((device >> 32n) & ~0xfffn);
  const minor = (device & 0xffn) | ((device >> 12n) & ~0xffn & 0xffff_ffffn);
  return { major: Number(major), minor: Number(minor) };
}

/** Disks with a command under way, waited for or not, by "major:minor". */
const owed = new Set<string>();

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** "ETIMEDOUT" where a file system does not even tell what a path is. */
async function within<T>(limitMs: number, work: Promise<T>): Promise<T | "ETIMEDOUT"> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<"ETIMEDOUT">((resolve) => {
    timer = setTimeout(() => resolve("ETIMEDOUT"), limitMs);
  });
  return Promise.race([work, limit]).finally(() => clearTimeout(timer));
}

const failed = (code: string): ScsiAnswer => ({ kind: "failed", code });

export const sendScsi: SendScsi = async (command, limitMs) => {
  const endMs = performance.now() + limitMs;
  const native = library();
  if (typeof native === "string") return failed("LIBRARY");
  const number = await within(limitMs, blockDeviceNumber(command.path));
  if (typeof number === "string") return failed(number);
  const name = `${number.major}:${number.minor}`;
  if (owed.has(name)) return failed("BUSY");
  const refused = fill(native.structure, command, number);
  if (refused !== null) return failed(refused);
  const started = native.start();
  if (started < 0) return failed(errorCode(started));
  const mine = native.structure.readUInt32LE(at.number);
  owed.add(name);
  const ended = await endOf(native, mine, endMs);
  if (ended !== null) {
    owed.delete(name);
    return ended;
  }
  forgetLate(native, mine, name);
  return { kind: "overdue" };
};

/** A code instead where it does not fit. */
function fill(
  structure: Buffer,
  { path: file, command, sends, readsBytes }: ScsiCommand,
  number: { readonly major: number; readonly minor: number },
): string | null {
  const bytes = Buffer.from(`${file}\0`);
  const dataBytes = sends?.length ?? readsBytes ?? 0;
  if (bytes.length > sizes.path) return "ENAMETOOLONG";
  if (dataBytes > sizes.data) return "EINVAL";
  const set = (offset: number, value: number) => structure.writeUInt32LE(value, offset);
  structure.fill(0, 0, at.data);
  set(at.version, version);
  set(at.major, number.major);
  set(at.minor, number.minor);
  set(at.timeoutMs, kernelLimitMs);
  set(at.direction, sends ? direction.toDisk : dataBytes > 0 ? direction.fromDisk : direction.none);
  set(at.commandLength, command.length);
  set(at.dataLength, dataBytes);
  command.copy(structure, at.command);
  structure.fill(0, at.data, at.data + sizes.data);
  sends?.copy(structure, at.data);
  bytes.copy(structure, at.path);
  return null;
}

function take({ structure, take: call }: Calls, number: number): ScsiAnswer | null {
  structure.writeUInt32LE(number, at.number);
  const result = call();
  if (result === 0) return answerIn(structure);
  return errorCode(result) === "EAGAIN" ? null : failed(errorCode(result));
}

/** Null when it has not ended by then. */
async function endOf(native: Calls, number: number, endMs: number): Promise<ScsiAnswer | null> {
  for (let look = 0; ; look++) {
    const answer = take(native, number);
    if (answer !== null) return answer;
    const leftMs = endMs - performance.now();
    if (leftMs <= 0) return null;
    await pause(Math.min(leftMs, looksMs[look] ?? 10));
  }
}

/** Looks now and then, keeping nothing alive, until the disk has given the command back. */
function forgetLate(native: Calls, number: number, name: string): void {
  const timer = setInterval(() => {
    if (take(native, number) === null) return;
    clearInterval(timer);
    owed.delete(name);
  }, 200);
  timer.unref();
}

function answerIn(structure: Buffer): ScsiAnswer {
  const get = (offset: number) => structure.readUInt32LE(offset);
  const result = structure.readInt32LE(at.result);
  if (result < 0) return failed(errorCode(result));
  // Status first: kernels before 6.2 mark a conflict as a fault of the adapter too.
  const said = get(at.status) & 0xfe;
  if (said === status.conflict) return { kind: "conflict" };
  if (said === status.busy || said === status.taskSetFull) return { kind: "busy" };
  const senseLength = Math.min(get(at.senseLength), sizes.sense);
  const sense = parseSense(structure.subarray(at.sense, at.sense + senseLength));
  if (said === status.check) return sense ?? failed("SENSE");
  if (said !== status.good) return failed(`STATUS${said}`);
  if (get(at.hostStatus) !== 0) return failed(`HOST${get(at.hostStatus)}`);
  const moved = Math.min(get(at.movedLength), sizes.data);
  return { kind: "good", data: Buffer.from(structure.subarray(at.data, at.data + moved)) };
}

/** Sense data in fixed (0x70, 0x71) or descriptor format (0x72, 0x73); null for neither. */
export function parseSense(sense: Buffer): Extract<ScsiAnswer, { kind: "sense" }> | null {
  const format = (sense[0] ?? 0) & 0x7f;
  if (format === 0x70 || format === 0x71) {
    if (sense.length < 3) return null;
    const [, , key = 0] = sense;
    return { kind: "sense", key: key & 0x0f, code: sense[12] ?? 0, qualifier: sense[13] ?? 0 };
  }
  if (format !== 0x72 && format !== 0x73) return null;
  if (sense.length < 4) return null;
  const [, key = 0, code = 0, qualifier = 0] = sense;
  return { kind: "sense", key: key & 0x0f, code, qualifier };
}
