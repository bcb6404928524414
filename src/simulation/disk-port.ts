/**
 * A host's way to one volume, with all that can go wrong on it. Requests that hang stay in the port
 * until it is mended, whatever became of the program that gave them: they may land then.
 */
import { blockBytes, sectorBytes } from "../core/sector/layout.ts";
import type { Random } from "./random.ts";
import type { VirtualTime } from "./virtual-time.ts";
import { type Block, type Disk, zeroBlock } from "./disk.ts";

/** What befalls one write instead of its landing. */
export type WriteMishap = "torn" | "lost" | "misdirected" | "flipped";

export type PortTimes = { readMs: number; writeMs: number };

export class DiskPort {
  readonly host: string;
  /** Another one once cables are swapped. */
  disk: Disk;
  times: PortTimes = { readMs: 1, writeMs: 2 };
  readError: string | null = null;
  writeError: string | null = null;
  /** Opening fails with this. */
  openError: string | null = null;
  /** Reads show this image while it is set: a cache that is stale. */
  staleImage: ReadonlyMap<number, Block> | null = null;
  private readonly time: VirtualTime;
  private readonly random: Random;
  private hanging: (() => void)[] | null = null;
  private readonly mishaps: WriteMishap[] = [];

  constructor(host: string, disk: Disk, time: VirtualTime, random: Random) {
    this.host = host;
    this.disk = disk;
    this.time = time;
    this.random = random;
  }

  get isHung(): boolean {
    return this.hanging !== null;
  }

  /** From now on nothing comes back. */
  hang(): void {
    this.hanging ??= [];
  }

  /** What hangs is done now, in its order; or is gone, where the host was cut from its power. */
  release(isDone: boolean): void {
    const waiting = this.hanging ?? [];
    this.hanging = null;
    if (isDone) for (const run of waiting) run();
  }

  /** The next write meets this. */
  befall(mishap: WriteMishap): void {
    this.mishaps.push(mishap);
  }

  /** Blocks as they stand when the read is done. */
  read(first: number, count: number, done: (blocks: readonly Block[], error: string | null) => void): void {
    this.whenServed(this.times.readMs, () => {
      if (this.readError !== null) return done([], this.readError);
      const { disk, staleImage } = this;
      const blocks = Array.from({ length: count }, (_, index) => {
        const block = first + index;
        return staleImage ? (staleImage.get(block) ?? zeroBlock) : disk.read(block);
      });
      done(blocks, null);
    });
  }

  write(first: number, bytes: Buffer, done: (error: string | null) => void): void {
    const { disk } = this;
    this.whenServed(this.times.writeMs, () => {
      if (this.writeError !== null) return done(this.writeError);
      if (!disk.isWritable()) return done("EROFS");
      const mishap = this.mishaps.shift();
      for (let at = 0; at < bytes.length; at += blockBytes) {
        const block = first + at / blockBytes;
        this.land(disk, block, bytes.subarray(at, at + blockBytes), mishap);
      }
      done(null);
    });
  }

  private whenServed(ms: number, run: () => void): void {
    const begin = (): void => {
      if (this.hanging) this.hanging.push(begin);
      else run();
    };
    this.time.after(ms, begin);
  }

  private land(disk: Disk, block: number, bytes: Block, mishap: WriteMishap | undefined): void {
    switch (mishap) {
      case undefined:
        return disk.write(block, bytes, this.host);
      case "lost":
        return;
      case "torn": {
        const sectors = blockBytes / sectorBytes;
        const whole = (1 + this.random.below(sectors - 1)) * sectorBytes;
        // Within a sector too: half of the record's own sector.
        const at = this.random.chance(0.5) ? whole : sectorBytes / 2;
        const torn = Buffer.concat([bytes.subarray(0, at), disk.read(block).subarray(at)]);
        return disk.write(block, torn, null);
      }
      case "misdirected": {
        const shift = this.random.pick([-2, -1, 1, 2]);
        return disk.write(Math.max(1, block + shift), bytes, null);
      }
      case "flipped": {
        const flipped = Buffer.from(bytes);
        const at = this.random.below(sectorBytes);
        flipped.writeUInt8(flipped.readUInt8(at) ^ (1 << this.random.below(8)), at);
        return disk.write(block, flipped, null);
      }
    }
  }
}
