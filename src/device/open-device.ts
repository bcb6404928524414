/**
 * Opening a device, asking what it is, refusing what cannot serve, and closing it again.
 *
 * Each step that a hung device could hold up is a request with the rest of the caller's deadline. A
 * step that misses it answers "TIMEDOUT" at once; what it leaves behind (an open that succeeds ten
 * minutes later) is closed when it comes, in the background, keeping nothing alive.
 *
 * Each device holds one request slot of its own from the open to the close, so that closing can
 * never fail for want of one.
 */
import { assert } from "../core/base/assert.ts";
import type { Access, BlockDevice, Geometry, Lane, Opened, OpenOptions } from "./block.ts";
import type { Core } from "./core.ts";
import { type OpenFault, openFault } from "./faults.ts";
import { type Identity, identify, isScsiDisk } from "./identity.ts";
import { NativeLane } from "./lane.ts";
import { blockBytes, errorCode, kinds, openFlags, operations } from "./native.ts";
import type { Outcome } from "./requests.ts";
import { worldWideName } from "./vital-product-data.ts";

const closeLimitMs = 5000;
const inquiryLimitMs = 2000;
const inquiryBytes = 252;
const deviceNamesPage = 0x83;

/** A device number of the native library, and the slot for control requests on it. */
class Handle {
  readonly core: Core;
  readonly number: number;
  private readonly slot: number;

  static take(core: Core): Handle | null {
    const slot = core.requests.take(0);
    if (slot === null) return null;
    const number = core.takeNumber();
    if (number !== null) return new Handle(core, number, slot);
    core.requests.give(slot);
    return null;
  }

  private constructor(core: Core, number: number, slot: number) {
    this.core = core;
    this.number = number;
    this.slot = slot;
  }

  run(operation: number, deadlineMs: number, more: Partial<Parameters>): Promise<Outcome> {
    const request = { ...noParameters, ...more, operation, device: this.number, deadlineMs };
    return this.core.requests.run(this.slot, request);
  }

  /** After an expired open: closes what it opened at last. */
  async releaseLate(): Promise<void> {
    const ending = await this.core.requests.late(this.slot);
    if (ending !== null && ending.result >= 0) await this.close();
    else this.free();
  }

  /** Closes, whenever the kernel lets it. */
  async close(): Promise<void> {
    await this.core.requests.idle(this.slot);
    const outcome = await this.run(operations.close, closeLimitMs, {});
    assert(outcome.kind !== "refused", "an idle device can be closed");
    await this.core.requests.idle(this.slot);
    this.free();
  }

  free(): void {
    this.core.requests.give(this.slot);
    this.core.giveNumber(this.number);
  }
}

type Parameters = { offset: number; memory: number; length: number; flags: number };
const noParameters: Parameters = { offset: 0, memory: 0, length: 0, flags: 0 };

/** A step that did not succeed: its code, and whether the handle is still busy with it. */
type Failure = { readonly code: string; readonly isLate: boolean };

function failureOf(outcome: Outcome): Failure | null {
  if (outcome.kind === "expired") return { code: "TIMEDOUT", isLate: true };
  return outcome.result < 0 ? { code: errorCode(outcome.result), isLate: false } : null;
}

class NativeDevice implements BlockDevice {
  readonly path: string;
  readonly access: Access;
  readonly geometry: Geometry;
  private readonly handle: Handle;
  private readonly lanes: NativeLane[] = [];
  private readonly memories: { readonly start: number; readonly length: number }[] = [];
  private readonly forget: () => void;
  private closed: Promise<void> | null = null;

  constructor(handle: Handle, path: string, access: Access, geometry: Geometry) {
    this.handle = handle;
    this.path = path;
    this.access = access;
    this.geometry = geometry;
    this.forget = handle.core.onClose(() => void this.close());
  }

  get number(): number {
    return this.handle.number;
  }

  get sizeBytes(): number {
    return this.geometry.sizeBytes;
  }

  get closing(): boolean {
    return this.closed !== null;
  }

  lane(lengthBytes: number): Lane | null {
    if (this.closing) return null;
    const lane = NativeLane.create(this.handle.core, this, lengthBytes);
    if (lane) this.lanes.push(lane);
    return lane;
  }

  memory(lengthBytes: number): Buffer | null {
    if (this.closing) return null;
    const { memory, native } = this.handle.core;
    const length = Math.ceil(lengthBytes / blockBytes) * blockBytes;
    const start = memory.take(length, blockBytes);
    if (start === null) return null;
    this.memories.push({ start, length });
    return native.area.subarray(start, start + length);
  }

  close(): Promise<void> {
    this.closed ??= this.shut();
    return this.closed;
  }

  private async shut(): Promise<void> {
    this.forget();
    await Promise.all(this.lanes.map((lane) => lane.release()));
    for (const { start, length } of this.memories) this.handle.core.memory.give(start, length);
    await this.handle.close();
  }
}

export async function openDevice(
  core: Core,
  path: string,
  access: Access,
  deadlineMs: number,
  options: OpenOptions,
): Promise<Opened> {
  assert(deadlineMs > 0 && Number.isFinite(deadlineMs), "an open has a deadline");
  const handle = Handle.take(core);
  if (handle === null) return openFault(path, "LIMIT");
  const deadline = performance.now() + deadlineMs;
  const remainingMs = () => Math.max(1, deadline - performance.now());

  const opening = await openFile(handle, path, access, remainingMs, options.exclusive ?? false);
  if ("code" in opening) {
    const fault = openFault(path, opening.code);
    if (opening.isLate) return { ...fault, owed: handle.releaseLate() };
    handle.free();
    return fault;
  }
  const refuse = (fault: OpenFault): OpenFault => ({ ...fault, owed: handle.close() });
  const failure = failureOf(await handle.run(operations.stat, remainingMs(), {}));
  if (failure) return refuse(openFault(path, failure.code));
  const geometry = await readGeometry(handle, opening.direct, remainingMs);
  if (typeof geometry === "string") return refuse(openFault(path, geometry));
  const fault = unfit(path, access, geometry, options);
  if (fault) return refuse(fault);
  if (core.closing) return refuse(openFault(path, "CLOSED"));
  return { ok: true, device: new NativeDevice(handle, path, access, geometry) };
}

/** With direct I/O; without it where only that is refused (to be judged by what it turns out to be). */
async function openFile(
  handle: Handle,
  path: string,
  access: Access,
  remainingMs: () => number,
  exclusive: boolean,
): Promise<Failure | { readonly direct: boolean }> {
  const base =
    (access === "write" ? openFlags.writable : 0) | (exclusive ? openFlags.exclusive : 0);
  for (const direct of [true, false]) {
    const memory = handle.core.native.scratchPath(path);
    if (memory === null) return { code: "ENAMETOOLONG", isLate: false };
    const flags = base | (direct ? openFlags.direct : 0);
    const outcome = await handle.run(operations.open, remainingMs(), { memory, flags });
    const failure = failureOf(outcome);
    if (!failure) return { direct };
    if (failure.code !== "EINVAL" || !direct) return failure;
  }
  return { code: "EINVAL", isLate: false };
}

/** A code instead where it is nothing that can serve. */
async function readGeometry(
  handle: Handle,
  direct: boolean,
  remainingMs: () => number,
): Promise<Geometry | string> {
  const { native } = handle.core;
  native.argument(0, handle.number);
  const result = native.call.geometry();
  if (result < 0) return errorCode(result);
  const number = (index: number) => Number(native.result(index));
  if (number(0) === kinds.other) return "NOTBLOCK";
  const found = {
    kind: number(0) === kinds.block ? ("block" as const) : ("file" as const),
    sizeBytes: number(1),
    logicalBytes: number(2),
    physicalBytes: number(3),
    readOnly: number(4) !== 0,
    diskSequence: native.result(5),
    deviceNumber: `${number(6)}:${number(7)}`,
    direct,
  };
  if (found.kind === "file") return { ...found, wwid: null, partition: null };
  const identity = await completeIdentity(handle, found.deviceNumber, remainingMs);
  return { ...found, ...identity };
}

/** The disk itself is asked only if the kernel knows nothing, and then not waited for long. */
async function completeIdentity(
  handle: Handle,
  deviceNumber: string,
  remainingMs: () => number,
): Promise<Identity> {
  const known = identify(deviceNumber);
  if (known.wwid !== null || known.partition !== null || !isScsiDisk(deviceNumber)) return known;
  const { memory, native } = handle.core;
  const start = memory.take(blockBytes, blockBytes);
  if (start === null) return known;
  const outcome = await handle.run(operations.inquiry, Math.min(inquiryLimitMs, remainingMs()), {
    memory: start,
    offset: deviceNamesPage,
    length: inquiryBytes,
  });
  // After an expiry the page may still arrive: its memory is not used again.
  if (outcome.kind === "expired") return known;
  const page = Buffer.from(native.area.subarray(start, start + Math.max(0, outcome.result)));
  memory.give(start, blockBytes);
  return { ...known, wwid: worldWideName(page) };
}

function unfit(
  path: string,
  access: Access,
  geometry: Geometry,
  options: OpenOptions,
): OpenFault | null {
  if (geometry.kind === "block" && !geometry.direct) return openFault(path, "NODIRECT");
  if (geometry.readOnly && access === "write") return openFault(path, "EROFS");
  if (geometry.logicalBytes > blockBytes) {
    const detail = `has sectors of ${geometry.logicalBytes} bytes; up to ${blockBytes} can be used`;
    return openFault(path, "SECTORSIZE", detail);
  }
  const sizeBytesMin = options.sizeBytesMin ?? blockBytes;
  if (geometry.sizeBytes < sizeBytesMin) {
    const detail = `is too small: ${geometry.sizeBytes} bytes, ${sizeBytesMin} are needed`;
    return openFault(path, "TOOSMALL", detail);
  }
  return null;
}
