/**
 * A host's way to one volume, with all that can go wrong on it. Requests that hang stay in the port
 * until it is mended, whatever became of the program that gave them: they may land then.
 */
import { blockBytes, sectorBytes } from "../core/sector/layout.ts";
import { type Block, type Disk, zeroBlock } from "./disk.ts";
import type { Random } from "./random.ts";
import type { VirtualTime } from "./virtual-time.ts";

/** What befalls one write instead of its landing; the host is told that all went well. */
export type WriteMishap = "torn" | "lost" | "misdirected" | "flipped";

export type PortTimes = { readMs: number; writeMs: number };

export type Transfer = "read" | "write";
const transfers: readonly Transfer[] = ["read", "write"];

/** Of the writes that a mishap may befall; the others land, so that its effects are mixed. */
const mishapShare = 0.6;

type Stray = {
  readonly disk: Disk;
  readonly block: number;
  readonly was: Block;
  readonly now: Block;
};

export class DiskPort {
  readonly host: string;
  times: PortTimes = { readMs: 1, writeMs: 2 };
  readError: string | null = null;
  writeError: string | null = null;
  /** Opening fails with this. */
  openError: string | null = null;
  /** Only this host may not write it. */
  isReadOnly = false;
  /** Reads show this image while it is set: a cache that is stale. */
  staleImage: ReadonlyMap<number, Block> | null = null;
  /** Befalls most writes while it is set. */
  mishap: WriteMishap | null = null;
  /** Raised by each change of what is behind it: what was opened before is gone. */
  connection = 0;
  private behind: Disk;
  private readonly time: VirtualTime;
  private readonly random: Random;
  private readonly hanging: Record<Transfer, (() => void)[] | null> = { read: null, write: null };
  /** Raised when the machine ends: what it had sent hangs no more in it. */
  private boot = 0;
  private strays: Stray[] = [];

  constructor(host: string, disk: Disk, time: VirtualTime, random: Random) {
    this.host = host;
    this.behind = disk;
    this.time = time;
    this.random = random;
  }

  get disk(): Disk {
    return this.behind;
  }

  get isWritable(): boolean {
    return !this.isReadOnly && this.behind.isWritable();
  }

  /** What was plugged in elsewhere. */
  connect(disk: Disk): void {
    this.behind = disk;
    this.connection += 1;
  }

  /** Its path leads elsewhere from one moment to the next; whoever has it open hears of nothing. */
  remap(disk: Disk): void {
    this.behind = disk;
  }

  /** Pulled out: whoever has it open has nothing any more. */
  disconnect(): void {
    this.connection += 1;
  }

  isHung(transfer: Transfer): boolean {
    return this.hanging[transfer] !== null;
  }

  /** From now on nothing of that comes back. */
  hang(transfer: Transfer): void {
    this.hanging[transfer] ??= [];
  }

  /** What hangs is done now, in its order. */
  release(transfer: Transfer): void {
    const waiting = this.hanging[transfer] ?? [];
    this.hanging[transfer] = null;
    for (const run of waiting) run();
  }

  /** The machine has no power any more. Whatever had left it lands when the answer is called. */
  cut(): () => void {
    this.boot += 1;
    const waiting = transfers.flatMap((transfer) => this.hanging[transfer]?.splice(0) ?? []);
    return () => {
      for (const run of waiting) run();
    };
  }

  /** Blocks as they stand when the read is done. */
  read(
    first: number,
    count: number,
    done: (blocks: readonly Block[], error: string | null) => void,
  ): void {
    this.whenServed("read", this.times.readMs, () => {
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
    this.whenServed("write", this.times.writeMs, () => {
      if (this.writeError !== null) return done(this.writeError);
      if (this.isReadOnly || !disk.isWritable()) return done("EROFS");
      const mishap = this.mishap !== null && this.random.chance(mishapShare) ? this.mishap : null;
      for (let at = 0; at < bytes.length; at += blockBytes) {
        const block = first + at / blockBytes;
        this.land(disk, block, bytes.subarray(at, at + blockBytes), mishap);
      }
      done(null);
    });
  }

  private whenServed(transfer: Transfer, ms: number, run: () => void): void {
    const { boot } = this;
    this.time.after(ms, () => {
      const waiting = this.hanging[transfer];
      if (waiting !== null && boot === this.boot) waiting.push(run);
      else run();
    });
  }

  private land(disk: Disk, block: number, bytes: Block, mishap: WriteMishap | null): void {
    switch (mishap) {
      case null:
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
        return this.stray(disk, Math.max(1, block + shift), bytes);
      }
      case "flipped": {
        const flipped = Buffer.from(bytes);
        const at = this.random.below(sectorBytes);
        flipped.writeUInt8(flipped.readUInt8(at) ^ (1 << this.random.below(8)), at);
        return disk.write(block, flipped, null);
      }
    }
  }

  private stray(disk: Disk, block: number, now: Block): void {
    this.strays.push({ disk, block, was: disk.read(block), now });
    disk.write(block, now, null);
  }

  /** What went astray is taken away again, unless somebody wrote there since; the newest first. */
  mendStrays(): void {
    for (const { disk, block, was, now } of this.strays.splice(0).reverse()) {
      if (disk.read(block) === now) disk.write(block, was, null);
    }
  }
}
