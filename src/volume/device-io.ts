/**
 * Reading and writing whole blocks of a device, with what goes wrong as one clear line.
 * Used where a person waits; the agent's beats go to their lanes directly.
 */
import { type ExitCode, exitCodes, type Refusal } from "../core/base/exit-codes.ts";
import { blockBytes } from "../core/sector/layout.ts";
import type { BlockDevice, IoOutcome, Lane, OpenFault } from "../device/block.ts";

export type Refused = {
  readonly ok: false;
  readonly refusal: Refusal;
  /** When a device that hung while it was opened holds nothing of the program any more. */
  readonly owed?: Promise<void>;
};

export const refuse = (code: ExitCode, message: string): Refused => ({
  ok: false,
  refusal: { code, message },
});

const openCodes: Readonly<Record<string, ExitCode>> = {
  ENOENT: exitCodes.noInput,
  ENOTDIR: exitCodes.noInput,
  EISDIR: exitCodes.noInput,
  ENAMETOOLONG: exitCodes.noInput,
  ENXIO: exitCodes.noInput,
  ENODEV: exitCodes.noInput,
  ENOMEDIUM: exitCodes.noInput,
  NOTBLOCK: exitCodes.noInput,
  EACCES: exitCodes.noPermission,
  EPERM: exitCodes.noPermission,
  EROFS: exitCodes.cannotCreate,
  EBUSY: exitCodes.tryLater,
  EIO: exitCodes.ioError,
  TIMEDOUT: exitCodes.timeout,
  TOOSMALL: exitCodes.dataError,
  SECTORSIZE: exitCodes.dataError,
  NODIRECT: exitCodes.dataError,
  EMEDIUMTYPE: exitCodes.dataError,
};

export function openRefusal(fault: OpenFault): Refused {
  const refused = refuse(openCodes[fault.code] ?? exitCodes.osError, fault.message);
  return fault.owed ? { ...refused, owed: fault.owed } : refused;
}

/** null for a transfer that was done. */
export function transferRefusal(
  device: BlockDevice,
  outcome: IoOutcome,
  doing: string,
  deadlineMs: number,
): Refused | null {
  const where = `${device.path}: ${doing}`;
  switch (outcome.kind) {
    case "done":
      return null;
    case "expired":
    case "busy": {
      const late = `${where} did not end within ${deadlineMs} ms; the device hangs`;
      return refuse(exitCodes.timeout, `${late} (check its paths, multipath -ll)`);
    }
    case "failed": {
      const failed = `${where} failed (${outcome.code}); the device reports an error`;
      return refuse(exitCodes.ioError, `${failed} (see dmesg, and the array)`);
    }
  }
}

export type BytesRead = { readonly ok: true; readonly bytes: Buffer } | Refused;

const chunkBytes = 1024 * 1024;

/** One piece of aligned memory for one transfer after another, with a deadline for each. */
export class Transfers {
  readonly device: BlockDevice;
  readonly deadlineMs: number;
  private readonly lane: Lane;

  static on(
    device: BlockDevice,
    deadlineMs: number,
    lengthBytes = chunkBytes,
  ): Transfers | Refused {
    const lane = device.lane(lengthBytes);
    if (lane) return new Transfers(device, lane, deadlineMs);
    return refuse(exitCodes.osError, `${device.path}: no memory left for block I/O`);
  }

  private constructor(device: BlockDevice, lane: Lane, deadlineMs: number) {
    this.device = device;
    this.lane = lane;
    this.deadlineMs = deadlineMs;
  }

  /** Blocks `first` to `first + count - 1`, in a buffer of its own. */
  async read(first: number, count: number): Promise<BytesRead> {
    const bytes = Buffer.alloc(count * blockBytes);
    for (let at = 0; at < bytes.length; at += this.lane.bytes.length) {
      const length = Math.min(this.lane.bytes.length, bytes.length - at);
      const offset = first * blockBytes + at;
      const outcome = await this.lane.read(offset, length, this.deadlineMs);
      const doing = `reading ${length} bytes at byte ${offset}`;
      const refused = transferRefusal(this.device, outcome, doing, this.deadlineMs);
      if (refused) return refused;
      this.lane.bytes.copy(bytes, at, 0, length);
    }
    return { ok: true, bytes };
  }

  /** Writes whole blocks and reads them back; null when they stand there as given. */
  async writeAndVerify(first: number, bytes: Buffer): Promise<Refused | null> {
    for (let at = 0; at < bytes.length; at += this.lane.bytes.length) {
      const part = bytes.subarray(at, at + this.lane.bytes.length);
      const offset = first * blockBytes + at;
      part.copy(this.lane.bytes);
      const outcome = await this.lane.write(offset, part.length, this.deadlineMs);
      const doing = `writing ${part.length} bytes at byte ${offset}`;
      const refused = transferRefusal(this.device, outcome, doing, this.deadlineMs);
      if (refused) return refused;
    }
    const back = await this.read(first, bytes.length / blockBytes);
    if (!back.ok) return back;
    if (back.bytes.equals(bytes)) return null;
    const at = first * blockBytes + back.bytes.findIndex((byte, index) => byte !== bytes[index]);
    return refuse(
      exitCodes.ioError,
      `${this.device.path}: what was written at byte ${at} reads back differently; ` +
        "the device does not keep its data, or something else writes to it",
    );
  }
}

const closeLimitMs = 2000;

/** Closes a device and waits for that, but not for one that hangs. */
export async function closeDevice(device: BlockDevice): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, closeLimitMs);
  });
  await Promise.race([device.close(), limit]);
  clearTimeout(timer);
}
