/**
 * A block device in memory, for what a real one does not do on command: failing at a given block,
 * not answering, or losing its power after so many bytes written.
 */
import { blockBytes } from "../../core/sector/layout.ts";
import type { BlockDevice, Geometry, IoOutcome, Lane, Opened } from "../../device/block.ts";
import { crc32c } from "../../testing/core-seal.ts";

export type MemoryFaults = {
  /** Blocks whose reading fails. */
  readonly badBlocks?: ReadonlySet<number>;
  /** Every read expires. */
  readonly hangs?: boolean;
  /** Writes are accepted and lost. */
  readonly liesOnWrite?: boolean;
  /** Sectors of 512 bytes that are still written; then the power is gone. */
  readonly sectorsUntilPowerLoss?: number;
};

const now = { beganNs: 0n, endedNs: 0n };
const done: IoOutcome = { kind: "done", ...now };
const failed: IoOutcome = { kind: "failed", code: "EIO", ...now };
const sectorBytes = 512;

function geometryOf(medium: Buffer, changes: Partial<Geometry>): Geometry {
  return {
    kind: "block",
    sizeBytes: medium.length,
    logicalBytes: sectorBytes,
    physicalBytes: sectorBytes,
    readOnly: false,
    diskSequence: 0n,
    deviceNumber: "240:7",
    wwid: null,
    partition: null,
    direct: true,
    ...changes,
  };
}

class MemoryLane implements Lane {
  readonly bytes: Buffer;
  readonly ownedByKernel = false;
  private readonly medium: Buffer;
  private readonly faults: MemoryFaults;
  private readonly power: { sectors: number };

  constructor(medium: Buffer, bytes: number, faults: MemoryFaults, power: { sectors: number }) {
    this.bytes = Buffer.alloc(bytes);
    this.medium = medium;
    this.faults = faults;
    this.power = power;
  }

  async read(offset: number, length: number): Promise<IoOutcome> {
    if (this.faults.hangs) return { kind: "expired", ...now };
    if (this.power.sectors === 0) return failed;
    for (let at = offset; at < offset + length; at += blockBytes) {
      if (this.faults.badBlocks?.has(at / blockBytes)) return failed;
    }
    this.medium.copy(this.bytes, 0, offset, offset + length);
    return done;
  }

  async write(offset: number, length: number): Promise<IoOutcome> {
    if (this.faults.liesOnWrite) return done;
    for (let at = 0; at < length; at += sectorBytes) {
      if (this.power.sectors === 0) return failed;
      this.power.sectors -= 1;
      this.bytes.copy(this.medium, offset + at, at, at + sectorBytes);
    }
    return done;
  }

  async settled(): Promise<null> {
    return null;
  }
}

export function memoryDevice(
  medium: Buffer,
  faults: MemoryFaults = {},
  geometry: Partial<Geometry> = {},
): BlockDevice {
  const power = { sectors: faults.sectorsUntilPowerLoss ?? Number.POSITIVE_INFINITY };
  return {
    path: "/dev/memory",
    access: "write",
    geometry: geometryOf(medium, geometry),
    lane: (lengthBytes) => new MemoryLane(medium, lengthBytes, faults, power),
    memory: (lengthBytes) => Buffer.alloc(lengthBytes),
    close: async () => {},
  };
}

/** Block I/O that opens that one device, whatever the path. */
export function memoryIo(device: BlockDevice) {
  return {
    open: async (): Promise<Opened> => ({ ok: true, device }),
    crc32c,
  };
}
