/**
 * A simulated volume: blocks of 4096 bytes. A block is never changed, only replaced, so whoever
 * remembers one knows by its identity whether it is still the same. Who is told of writes sees each
 * block as it lands, with its writer.
 */
import { blockBytes } from "../core/sector/layout.ts";

export type Block = Buffer;
export const zeroBlock: Block = Buffer.alloc(blockBytes);

export type LandedWrite = {
  readonly disk: Disk;
  readonly block: number;
  readonly bytes: Block;
  /** Host that wrote it; null for the array's own copying, and for faults. */
  readonly host: string | null;
};

export class Disk {
  readonly name: string;
  readonly sizeBytes: number;
  /** Of one volume; what a superblock is checked against. */
  readonly wwid: string;
  private readonly blocks = new Map<number, Block>();
  private readonly listeners: ((write: LandedWrite) => void)[] = [];
  /** Whether a host may write it now: an SVOL only once it was taken over. */
  isWritable: () => boolean = () => true;

  constructor(name: string, sizeBytes: number) {
    this.name = name;
    this.sizeBytes = sizeBytes;
    this.wwid = `sim.${name.replaceAll("/", ".")}`;
  }

  onWrite(listener: (write: LandedWrite) => void): void {
    this.listeners.push(listener);
  }

  read(block: number): Block {
    return this.blocks.get(block) ?? zeroBlock;
  }

  /** Every block that was ever written, ascending. */
  written(): readonly number[] {
    return [...this.blocks.keys()].sort((a, b) => a - b);
  }

  write(block: number, bytes: Block, host: string | null): void {
    this.blocks.set(block, bytes);
    for (const listener of this.listeners) listener({ disk: this, block, bytes, host });
  }

  /** All blocks as they are now; given back by `restore`. */
  image(): ReadonlyMap<number, Block> {
    return new Map(this.blocks);
  }

  /** As from a backup: what is not in the image is zero. Nobody is told: no host wrote. */
  restore(image: ReadonlyMap<number, Block>): void {
    this.blocks.clear();
    for (const [block, bytes] of image) this.blocks.set(block, bytes);
  }
}
