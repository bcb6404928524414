/**
 * The native library as TypeScript sees it: its ABI, and nothing else. Offsets and numbers here are
 * those of native/include/mirrorbeat_io.h; the version is compared before anything is used.
 */
import path from "node:path";
import { getSystemErrorName } from "node:util";
import { assert } from "../core/base/assert.ts";
import { loadLibrary, memoryAt, type PreparedCall, pointerFrom, pointerTo } from "./foreign.ts";

const abiVersion = 1;
export const requestCount = 128;
export const deviceCount = 64;
export const blockBytes = 4096;
export const scratchBytes = 64 << 10;
export const hugePageBytes = 2 << 20;

export type Engine = "io_uring" | "aio";
const engineNumbers = { any: 0, io_uring: 1, aio: 2 } as const;

export const operations = { read: 1, write: 2, open: 3, stat: 4, close: 5, inquiry: 6 } as const;
export const openFlags = { writable: 1, direct: 2, exclusive: 4 } as const;
export const events = { done: 1, expired: 2, late: 3 } as const;
export const advice = { huge: 1, release: 2 } as const;
export const kinds = { other: 0, block: 1, file: 2 } as const;

/** Offsets in struct mirrorbeat_setup. */
const setupBytes = 64;
const setupAt = {
  abiVersion: 0,
  engine: 4,
  dataBytes: 8,
  handle: 16,
  area: 24,
  areaBytes: 32,
  requestStart: 40,
  scratchStart: 44,
  dataStart: 48,
  pipe: 52,
  refusal: 56,
  refusalErrno: 60,
} as const;
/** Offsets in struct mirrorbeat_request. */
const requestBytes = 64;
const requestAt = {
  operation: 0,
  device: 4,
  offset: 8,
  memory: 16,
  length: 24,
  flags: 28,
  deadlineNs: 32,
  result: 40,
  beganNs: 48,
  endedNs: 56,
} as const;
/** Offsets in struct mirrorbeat_header. */
const argumentsAt = 0;
const resultsAt = 64;
const eventsAt = 192;

const refusals = [
  "",
  "io_uring is missing or forbidden (kernel.io_uring_disabled, or a seccomp filter)",
  "the kernel's io_uring is older than 5.6",
  "its rings could not be mapped",
  "io_uring was set up but may not be entered (a seccomp filter)",
] as const;

const nanosecondsPerMillisecond = 1e6;

export type Request = {
  readonly operation: number;
  readonly device: number;
  readonly offset: number;
  readonly memory: number;
  readonly length: number;
  readonly flags: number;
  readonly deadlineMs: number;
};

export type Ending = {
  readonly result: number;
  readonly beganNs: bigint;
  readonly endedNs: bigint;
};

/** Codes that Linux has and the run-time has no name for. */
const extraErrors: Readonly<Record<number, string>> = {
  // What a write gets that a reservation of another host forbids.
  52: "EBADE",
  61: "ENODATA",
  84: "EILSEQ",
  121: "EREMOTEIO",
  123: "ENOMEDIUM",
  124: "EMEDIUMTYPE",
};

/** "EIO" for -5. */
export function errorCode(result: number): string {
  const known = extraErrors[-result];
  if (known !== undefined) return known;
  const name = getSystemErrorName(result);
  return name.startsWith("Unknown") ? `E${-result}` : name;
}

type Calls = Readonly<
  Record<
    | "submit"
    | "reap"
    | "geometry"
    | "scan"
    | "crc32c"
    | "clocks"
    | "lock_file"
    | "advise"
    | "destroy",
    PreparedCall
  >
>;

export class Native {
  readonly engine: Engine;
  /** Why it is not io_uring, where that was allowed; null where it is, or was not asked for. */
  readonly engineRefusal: string | null;
  readonly pipe: number;
  readonly area: Buffer;
  readonly scratchStart: number;
  readonly dataStart: number;
  readonly call: Calls;
  private readonly requestStart: number;

  constructor(setup: Buffer, call: Calls) {
    this.engine =
      setup.readUInt32LE(setupAt.engine) === engineNumbers.io_uring ? "io_uring" : "aio";
    this.engineRefusal = describeRefusal(setup);
    this.pipe = setup.readInt32LE(setupAt.pipe);
    this.area = memoryAt(setup, setupAt.area, Number(setup.readBigUInt64LE(setupAt.areaBytes)));
    this.requestStart = setup.readUInt32LE(setupAt.requestStart);
    this.scratchStart = setup.readUInt32LE(setupAt.scratchStart);
    this.dataStart = setup.readUInt32LE(setupAt.dataStart);
    this.call = call;
  }

  argument(index: number, value: number): void {
    writeLong(this.area, argumentsAt + 8 * index, value);
  }

  result(index: number): bigint {
    return this.area.readBigUInt64LE(resultsAt + 8 * index);
  }

  /** 0, or a negative error: then nothing was submitted. */
  submit(index: number, request: Request): number {
    const at = this.requestStart + index * requestBytes;
    const { area } = this;
    area.writeUInt32LE(request.operation, at + requestAt.operation);
    area.writeUInt32LE(request.device, at + requestAt.device);
    writeLong(area, at + requestAt.offset, request.offset);
    writeLong(area, at + requestAt.memory, request.memory);
    area.writeUInt32LE(request.length, at + requestAt.length);
    area.writeUInt32LE(request.flags, at + requestAt.flags);
    const deadlineNs = Math.max(1, Math.round(request.deadlineMs * nanosecondsPerMillisecond));
    writeLong(area, at + requestAt.deadlineNs, deadlineNs);
    this.argument(0, index);
    return this.call.submit();
  }

  ending(index: number): Ending {
    const at = this.requestStart + index * requestBytes;
    return {
      result: this.area.readInt32LE(at + requestAt.result),
      beganNs: this.area.readBigUInt64LE(at + requestAt.beganNs),
      endedNs: this.area.readBigUInt64LE(at + requestAt.endedNs),
    };
  }

  /** Tells each event once; `tell` must not submit or reap (settling a promise does not). */
  reap(tell: (index: number, event: number) => void): void {
    const count = this.call.reap();
    for (let position = 0; position < count; position++) {
      const entry = this.area.readUInt32LE(eventsAt + 4 * position);
      tell(entry & 0xffff, entry >>> 16);
    }
  }

  /** Text with its zero byte in the scratch region, for the call that follows at once. */
  scratchPath(text: string): number | null {
    const bytes = Buffer.from(`${text}\0`);
    if (bytes.length > blockBytes || text.includes("\0")) return null;
    bytes.copy(this.area, this.scratchStart);
    return this.scratchStart;
  }
}

function writeLong(area: Buffer, at: number, value: number): void {
  area.writeUInt32LE(value >>> 0, at);
  area.writeUInt32LE(Math.floor(value / 2 ** 32), at + 4);
}

function describeRefusal(setup: Buffer): string | null {
  const text = refusals[setup.readUInt32LE(setupAt.refusal)];
  if (!text) return null;
  return `${text}: ${errorCode(-setup.readInt32LE(setupAt.refusalErrno))}`;
}

export type Created =
  | { readonly ok: true; readonly native: Native }
  | { readonly ok: false; readonly code: string; readonly message: string };

export const libraryName = "libmirrorbeat.so";

export function createNative(engine: Engine | "any", dataBytes: number): Created {
  assert(dataBytes > 0 && Number.isSafeInteger(dataBytes), "a positive area size");
  const file = path.join(__dirname, libraryName);
  const loaded = loadLibrary(file);
  if (!loaded.ok) {
    const message = `${file}: cannot be loaded; reinstall the program (${loaded.message})`;
    return { ok: false, code: "LIBRARY", message };
  }
  const { library } = loaded;
  const setup = Buffer.alloc(setupBytes);
  const setupPointer = pointerTo(setup);
  const version = library.prepare("mirrorbeat_abi_version", setupPointer)();
  if (version !== abiVersion) {
    const message = `${file}: is of version ${version}, this program needs ${abiVersion}; reinstall`;
    return { ok: false, code: "LIBRARY", message };
  }
  setup.writeUInt32LE(abiVersion, setupAt.abiVersion);
  setup.writeUInt32LE(engineNumbers[engine], setupAt.engine);
  setup.writeBigUInt64LE(BigInt(dataBytes), setupAt.dataBytes);
  const result = library.prepare("mirrorbeat_create", setupPointer)();
  if (result < 0) {
    const why = describeRefusal(setup) ?? errorCode(result);
    const message = `block I/O by ${engine} cannot be set up: ${why}`;
    return { ok: false, code: errorCode(result), message };
  }
  const handle = pointerFrom(setup, setupAt.handle);
  const prepare = (name: keyof Calls) => library.prepare(`mirrorbeat_${name}`, handle);
  const calls: Calls = {
    submit: prepare("submit"),
    reap: prepare("reap"),
    geometry: prepare("geometry"),
    scan: prepare("scan"),
    crc32c: prepare("crc32c"),
    clocks: prepare("clocks"),
    lock_file: prepare("lock_file"),
    advise: prepare("advise"),
    destroy: prepare("destroy"),
  };
  return { ok: true, native: new Native(setup, calls) };
}
