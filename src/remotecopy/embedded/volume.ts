/**
 * PVOL and SVOL as runs of blocks. A transfer that fails or is late is a fault, as a value; a lane
 * that the kernel has not given back is one too, so nothing is ever sent past a late write.
 */
import { assert } from "../../core/base/assert.ts";
import { type BlockDevice, blockBytes, type IoOutcome, type Lane } from "../../device/block.ts";
import { type Run, runBlocksMax } from "./scan-plan.ts";

export type CopyFault = {
  readonly part: "PVOL" | "SVOL" | "link";
  /** "EIO", ..., "TIMEDOUT", "BUSY"; of the link: "DOWN". */
  readonly code: string;
  /** In words, for the operator. */
  readonly text: string;
};

export const writeBlocksMax = 64;
/** Twice what a read needs: from this size on a lane has huge pages, and costs a third less a read. */
const readLaneBytes = 2 << 20;

/** The lanes that a volume needs. What is opened for reading has no writing lane. */
export class Volume {
  readonly part: "PVOL" | "SVOL";
  readonly device: BlockDevice;
  private readonly readLane: Lane;
  private readonly writeLane: Lane | null;
  private readonly limitMs: number;

  static open(
    part: "PVOL" | "SVOL",
    device: BlockDevice,
    access: "read" | "write",
    limitMs: number,
  ): Volume | null {
    const readLane = device.lane(readLaneBytes);
    const writeLane = access === "write" ? device.lane(writeBlocksMax * blockBytes) : null;
    if (!readLane || (access === "write" && !writeLane)) return null;
    return new Volume(part, device, readLane, writeLane, limitMs);
  }

  private constructor(
    part: "PVOL" | "SVOL",
    device: BlockDevice,
    readLane: Lane,
    writeLane: Lane | null,
    limitMs: number,
  ) {
    this.part = part;
    this.device = device;
    this.readLane = readLane;
    this.writeLane = writeLane;
    this.limitMs = limitMs;
  }

  get isWritable(): boolean {
    return this.writeLane !== null;
  }

  /** Whole blocks; a rest at the end is not part of the volume. */
  get blockCount(): number {
    return Math.floor(this.device.geometry.sizeBytes / blockBytes);
  }

  /** A request that was late is still with the kernel: the volume cannot be used yet. */
  get isOwed(): boolean {
    return this.readLane.ownedByKernel || (this.writeLane?.ownedByKernel ?? false);
  }

  /** The bytes are good until the next read of this volume. */
  async read(run: Run): Promise<{ readonly bytes: Buffer } | { readonly fault: CopyFault }> {
    const lengthBytes = run.count * blockBytes;
    assert(run.count <= runBlocksMax, "a run fits one read");
    const outcome = await this.readLane.read(run.first * blockBytes, lengthBytes, this.limitMs);
    if (outcome.kind === "done") return { bytes: this.readLane.bytes.subarray(0, lengthBytes) };
    return { fault: this.fault("read", run.first, outcome) };
  }

  async write(first: number, blocks: readonly Uint8Array[]): Promise<CopyFault | null> {
    const { writeLane } = this;
    assert(writeLane !== null, "what is opened for reading is never written");
    assert(blocks.length > 0 && blocks.length <= writeBlocksMax, "a write that fits its lane");
    if (writeLane.ownedByKernel) return this.fault("write", first, { kind: "busy" });
    for (const [index, block] of blocks.entries()) writeLane.bytes.set(block, index * blockBytes);
    const lengthBytes = blocks.length * blockBytes;
    const outcome = await writeLane.write(first * blockBytes, lengthBytes, this.limitMs);
    return outcome.kind === "done" ? null : this.fault("write", first, outcome);
  }

  private fault(what: string, block: number, outcome: IoOutcome): CopyFault {
    const { part } = this;
    const place = `${part} ${what} at block ${block}`;
    switch (outcome.kind) {
      case "failed":
        return { part, code: outcome.code, text: `${place}: ${outcome.code}` };
      case "expired":
        return { part, code: "TIMEDOUT", text: `${place}: no answer in ${this.limitMs} ms` };
      case "busy":
        return { part, code: "BUSY", text: `${place}: an earlier request has not come back` };
      case "done":
        assert(false, "what is done is no fault");
    }
  }
}
