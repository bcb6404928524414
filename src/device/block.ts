/**
 * Block devices for an event loop: the port that the rest of the program uses.
 *
 * Nothing here ever waits for a device on the caller's thread. Each transfer has a deadline and
 * answers by it. A transfer whose deadline passed stays with the kernel, which may still carry it
 * out, minutes later: its **lane** (a piece of aligned memory with room for one transfer) is owned
 * by the kernel until `settled()`, and other lanes and devices go on. Expected failures are values;
 * only misuse (an unaligned offset, a length beyond the lane) throws.
 *
 * Invariants: a lane never has two transfers; writes are durable when they are "done"; nothing is
 * created, grown or truncated; no request keeps the process alive beyond its deadline.
 */
import { assert } from "../core/base/assert.ts";
import { Core } from "./core.ts";
import { openDevice } from "./open-device.ts";
import { type OpenFault, openFault } from "./faults.ts";
import { createNative, type Engine, errorCode, scratchBytes } from "./native.ts";

export type { OpenFault } from "./faults.ts";
export { blockBytes } from "./native.ts";

type Interval = {
  /** CLOCK_MONOTONIC before the transfer was submitted. */
  readonly beganNs: bigint;
  /** CLOCK_MONOTONIC after its end, or its expiry, was noticed. */
  readonly endedNs: bigint;
};

export type IoOutcome =
  /** Every byte; perhaps just after the deadline, if the program itself was late to look. */
  | ({ readonly kind: "done" } & Interval)
  /** The deadline passed; the kernel still owns the lane and may yet do the transfer. */
  | ({ readonly kind: "expired" } & Interval)
  /** "EIO", "ENOSPC", ...; "SHORT" (fewer bytes), "RANGE" (beyond the device), "CLOSED". */
  | ({ readonly kind: "failed"; readonly code: string } & Interval)
  /** The kernel still owns the lane: nothing was submitted. */
  | { readonly kind: "busy" };

export type Lane = {
  /** Aligned memory, starting as zeroes; not to be touched while the kernel owns it. */
  readonly bytes: Buffer;
  /** A transfer is in flight, or has expired and not come back. */
  readonly ownedByKernel: boolean;
  /** Into the start of `bytes`. Offset and length in multiples of blockBytes. */
  read(offsetBytes: number, lengthBytes: number, deadlineMs: number): Promise<IoOutcome>;
  /** From the start of `bytes`. */
  write(offsetBytes: number, lengthBytes: number, deadlineMs: number): Promise<IoOutcome>;
  /** After an expiry: the real end, whenever it comes. Null if nothing is owed. */
  settled(): Promise<IoOutcome | null>;
};

export type Geometry = {
  readonly kind: "block" | "file";
  readonly sizeBytes: number;
  readonly logicalBytes: number;
  readonly physicalBytes: number;
  readonly readOnly: boolean;
  /** Changes when another disk appears under the same number; 0 where the kernel has none. */
  readonly diskSequence: bigint;
  /** "major:minor" of the device; of a plain file, that of its file system. */
  readonly deviceNumber: string;
  /** One name for one volume, such as "naa.60060e80..."; null where there is none. */
  readonly wwid: string | null;
  /** The number of the partition; null for a whole device and a plain file. */
  readonly partition: number | null;
  /** False only for a plain file on a file system without direct I/O. */
  readonly direct: boolean;
};

export type Access = "read" | "write";

export type BlockDevice = {
  readonly path: string;
  readonly access: Access;
  readonly geometry: Geometry;
  /** A new lane of this size (rounded up to whole blocks); null when memory or slots run out. */
  lane(lengthBytes: number): Lane | null;
  /** Shared memory that goes back with the device, for scan(); null when there is no more. */
  memory(lengthBytes: number): Buffer | null;
  /** Ends when the kernel owns none of its lanes; keeps nothing alive while it waits for that. */
  close(): Promise<void>;
};

export type OpenOptions = {
  /** Refuse a device that is mounted or otherwise claimed, and claim it. */
  readonly exclusive?: boolean;
  /** Refuse a smaller device ("TOOSMALL"). */
  readonly sizeBytesMin?: number;
};

export type Opened = { readonly ok: true; readonly device: BlockDevice } | OpenFault;

/** How a table of blocks lies in an area. */
export type AreaShape = {
  readonly blockCount: number;
  readonly strideBytes: number;
  /** What is compared, from the start of each block. */
  readonly liveBytes: number;
  /** Where the little-endian CRC32C of all bytes before it lies. */
  readonly checksumOffset: number;
};

export type ChangedBlock = { readonly index: number; readonly checksumAgrees: boolean };

export type Clocks = {
  readonly monotonicNs: bigint;
  readonly boottimeNs: bigint;
  readonly rawNs: bigint;
};

export type Locked =
  | { readonly ok: true }
  | { readonly ok: false; readonly code: string; readonly message: string };

export type BlockIo = {
  readonly engine: Engine;
  /** Why AIO is used though io_uring was allowed; null otherwise. */
  readonly engineRefusal: string | null;
  open(path: string, access: Access, deadlineMs: number, options?: OpenOptions): Promise<Opened>;
  /**
   * The blocks of `area` (bytes of a lane) whose live bytes differ from `remembered` (memory of a
   * device, blockCount * liveBytes), which then holds them as they are now. At the first reading
   * every block differs.
   */
  scan(
    area: Buffer,
    remembered: Buffer,
    shape: AreaShape,
    isFirst: boolean,
  ): readonly ChangedBlock[];
  crc32c(bytes: Uint8Array): number;
  clocks(): Clocks;
  /** An exclusive lock until the process ends; "LOCKED" if another process has it. */
  lockFile(path: string): Locked;
  /** Closes every device; what the kernel still owns is freed when it comes back. */
  close(): void;
};

export type BlockIoOpened =
  | { readonly ok: true; readonly io: BlockIo }
  | { readonly ok: false; readonly code: string; readonly message: string };

export type BlockIoOptions = {
  /** "any" (the default) prefers io_uring. */
  readonly engine?: Engine | "any";
  /** Address space for all lanes; memory is taken only as lanes are used. */
  readonly areaBytes?: number;
};

const areaBytesDefault = 64 << 20;
const answerBytes = 4;
const scanBlocksMax = scratchBytes / answerBytes;
const agreesBit = 0x8000_0000;

export function openBlockIo(options: BlockIoOptions = {}): BlockIoOpened {
  const created = createNative(options.engine ?? "any", options.areaBytes ?? areaBytesDefault);
  if (!created.ok) return created;
  return { ok: true, io: new NativeBlockIo(new Core(created.native)) };
}

class NativeBlockIo implements BlockIo {
  private readonly core: Core;

  constructor(core: Core) {
    this.core = core;
  }

  get engine(): Engine {
    return this.core.native.engine;
  }

  get engineRefusal(): string | null {
    return this.core.native.engineRefusal;
  }

  open(
    path: string,
    access: Access,
    deadlineMs: number,
    options: OpenOptions = {},
  ): Promise<Opened> {
    if (this.core.closing) return Promise.resolve(openFault(path, "CLOSED"));
    return openDevice(this.core, path, access, deadlineMs, options);
  }

  scan(
    area: Buffer,
    remembered: Buffer,
    shape: AreaShape,
    isFirst: boolean,
  ): readonly ChangedBlock[] {
    const { blockCount, strideBytes, liveBytes } = shape;
    assert(area.length >= blockCount * strideBytes, "the area holds all blocks");
    assert(remembered.length >= blockCount * liveBytes, "all live bytes can be remembered");
    const changed: ChangedBlock[] = [];
    for (let first = 0; first < blockCount; first += scanBlocksMax) {
      const part = { ...shape, blockCount: Math.min(scanBlocksMax, blockCount - first) };
      const partArea = area.subarray(first * strideBytes);
      this.scanPart(
        partArea,
        remembered.subarray(first * liveBytes),
        part,
        isFirst,
        first,
        changed,
      );
    }
    return changed;
  }

  private scanPart(
    area: Buffer,
    remembered: Buffer,
    shape: AreaShape,
    isFirst: boolean,
    first: number,
    changed: ChangedBlock[],
  ): void {
    const { native } = this.core.inUse();
    native.argument(0, this.core.offsetInArea(area));
    native.argument(1, this.core.offsetInArea(remembered));
    native.argument(2, shape.blockCount);
    native.argument(3, shape.strideBytes);
    native.argument(4, shape.liveBytes);
    native.argument(5, shape.checksumOffset);
    native.argument(6, isFirst ? 1 : 0);
    const found = native.call.scan();
    assert(found >= 0, "a shape that can be scanned");
    for (let position = 0; position < found; position++) {
      const answer = native.area.readUInt32LE(native.scratchStart + position * answerBytes);
      const index = first + (answer & ~agreesBit);
      changed.push({ index, checksumAgrees: answer >= agreesBit });
    }
  }

  crc32c(bytes: Uint8Array): number {
    const { native } = this.core.inUse();
    if (bytes.buffer === native.area.buffer)
      return this.checksum(bytes.byteOffset - native.area.byteOffset, bytes.length, 0);
    let checksum = 0;
    for (let at = 0; at < bytes.length; at += scratchBytes) {
      const part = bytes.subarray(at, at + scratchBytes);
      native.area.set(part, native.scratchStart);
      checksum = this.checksum(native.scratchStart, part.length, checksum);
    }
    return checksum;
  }

  private checksum(offset: number, length: number, before: number): number {
    const { native } = this.core;
    native.argument(0, offset);
    native.argument(1, length);
    native.argument(2, before);
    const result = native.call.crc32c();
    assert(result === 0, "bytes inside the area");
    return Number(native.result(0));
  }

  clocks(): Clocks {
    const { native } = this.core.inUse();
    native.call.clocks();
    return { monotonicNs: native.result(0), boottimeNs: native.result(1), rawNs: native.result(2) };
  }

  lockFile(path: string): Locked {
    const { native } = this.core.inUse();
    const at = native.scratchPath(path);
    if (at === null) return openFault(path, "ENAMETOOLONG");
    native.argument(0, at);
    const result = native.call.lock_file();
    if (result >= 0) return { ok: true };
    const code = errorCode(result);
    if (code === "EAGAIN")
      return openFault(path, "LOCKED", "is locked; another instance is running");
    if (code === "ENOENT") return openFault(path, code, "cannot be created; make its folder first");
    return openFault(path, code);
  }

  close(): void {
    this.core.close();
  }
}
