/**
 * Moves blocks: finds what changed at the source, and brings it to the target. The source is the
 * PVOL, until the direction is turned.
 *
 * The shadow is the source as last read; what differs from it has changed. While the pair is paired
 * and nothing waits in the queue, shadow and target are equal.
 *
 * A snapshot is taken by reading twice: as long as a reading finds a change, what changes often is
 * read again. A reading that finds none proves that all of it stood there at one moment, so a block
 * is not copied without another that its writer wrote first. A writer that never pauses gets the
 * last of a few readings.
 */
import { assert } from "../../core/base/assert.ts";
import { blockBytes } from "../../device/block.ts";
import type { ChangeSet } from "./change-queue.ts";
import type { Run } from "./scan-plan.ts";
import { type CopyFault, type Volume, writeBlocksMax } from "./volume.ts";

const readingsMax = 4;
const pieceBytes = 512;

export type Snapshot =
  | { readonly ok: true; readonly set: ChangeSet }
  | { readonly ok: false; readonly fault: CopyFault };

export class Copier {
  /** Pause between two pieces of a block, to make readers meet torn ones; 0: blocks go whole. */
  tearMs = 0;
  copiedBlocks = 0;
  lastCopyMs: number | null = null;
  readonly blockCount: number;
  private source: Volume;
  private target: Volume;
  private readonly shadow: Buffer;
  private readonly nowMs: () => number;

  constructor(pvol: Volume, svol: Volume, nowMs: () => number) {
    assert(svol.blockCount >= pvol.blockCount, "the SVOL holds the PVOL");
    this.blockCount = pvol.blockCount;
    this.source = pvol;
    this.target = svol;
    this.nowMs = nowMs;
    // Memory is taken only as far as the volume holds something but zeroes.
    this.shadow = Buffer.alloc(pvol.blockCount * blockBytes);
  }

  /** From now on the other way, or back. Nothing may be on its way. */
  turn(source: Volume, target: Volume): void {
    assert(target.isWritable, "the target can be written");
    this.source = source;
    this.target = target;
  }

  /** A late request is still with the kernel, and might yet change the target. */
  get isOwed(): boolean {
    return this.source.isOwed || this.target.isOwed;
  }

  get isTargetOwed(): boolean {
    return this.target.isOwed;
  }

  /** Makes blocks equal whatever the shadow says: one step of an initial copy or resync. */
  async equalise(run: Run): Promise<CopyFault | null> {
    const wanted = await this.source.read(run);
    if ("fault" in wanted) return wanted.fault;
    const found = await this.target.read(run);
    if ("fault" in found) return found.fault;
    wanted.bytes.copy(this.shadow, run.first * blockBytes);
    const blocks = new Map<number, Buffer>();
    for (let index = 0; index < run.count; index++) {
      const [start, end] = [index * blockBytes, (index + 1) * blockBytes];
      const block = wanted.bytes.subarray(start, end);
      if (!block.equals(found.bytes.subarray(start, end))) blocks.set(run.first + index, block);
    }
    return this.apply({ scannedMs: 0, blocks }, () => false);
  }

  /** Everything in these runs that changed; `again` is to be read once more after a change. */
  async snapshot(
    runs: readonly Run[],
    again: (changed: ReadonlyMap<number, Buffer>) => readonly Run[],
  ): Promise<Snapshot> {
    const scannedMs = this.nowMs();
    const found = new Map<number, Buffer>();
    let next = runs;
    for (let reading = 0; reading < readingsMax; reading++) {
      const changed = await this.collect(next, found);
      if (typeof changed !== "number") return { ok: false, fault: changed };
      if (changed === 0) break;
      next = again(found);
    }
    const blocks = new Map([...found].sort(([one], [other]) => one - other));
    return { ok: true, set: { scannedMs, blocks } };
  }

  /**
   * Copies a set in the order of its blocks, taking out what has arrived. Stops early when asked
   * to, between two blocks; then some are left.
   */
  async apply(set: ChangeSet, isInterrupted: () => boolean): Promise<CopyFault | null> {
    while (set.blocks.size > 0) {
      const { first, blocks } = firstRun(set.blocks, this.tearMs > 0 ? 1 : writeBlocksMax);
      const fault =
        this.tearMs > 0 ? await this.tear(first, blocks) : await this.target.write(first, blocks);
      if (fault) return fault;
      for (let index = 0; index < blocks.length; index++) set.blocks.delete(first + index);
      this.copiedBlocks += blocks.length;
      this.lastCopyMs = this.nowMs();
      if (this.tearMs > 0 && isInterrupted()) return null;
    }
    return null;
  }

  private async collect(
    runs: readonly Run[],
    found: Map<number, Buffer>,
  ): Promise<number | CopyFault> {
    let changed = 0;
    for (const run of runs) {
      const reading = await this.source.read(run);
      if ("fault" in reading) return reading.fault;
      const start = run.first * blockBytes;
      const known = this.shadow.subarray(start, start + reading.bytes.length);
      if (!reading.bytes.equals(known))
        changed += this.differences(run, reading.bytes, known, found);
    }
    return changed;
  }

  private differences(run: Run, fresh: Buffer, known: Buffer, found: Map<number, Buffer>): number {
    let changed = 0;
    for (let index = 0; index < run.count; index++) {
      const [start, end] = [index * blockBytes, (index + 1) * blockBytes];
      const block = fresh.subarray(start, end);
      if (block.equals(known.subarray(start, end))) continue;
      changed += 1;
      found.set(run.first + index, Buffer.from(block));
      block.copy(known, start);
    }
    return changed;
  }

  /**
   * One block, 512 bytes at a time. Transfers are of whole blocks, so each carries one piece more
   * of the new content over the rest of the old: to a reader it is the same.
   */
  private async tear(first: number, blocks: readonly Buffer[]): Promise<CopyFault | null> {
    const [wanted] = blocks;
    assert(wanted !== undefined && blocks.length === 1, "blocks are torn one by one");
    const found = await this.target.read({ first, count: 1 });
    if ("fault" in found) return found.fault;
    const mixed = Buffer.from(found.bytes);
    for (let at = 0; at < blockBytes; at += pieceBytes) {
      wanted.copy(mixed, at, at, at + pieceBytes);
      const fault = await this.target.write(first, [mixed]);
      if (fault) return fault;
      await new Promise((resolve) => setTimeout(resolve, this.tearMs));
    }
    return null;
  }
}

/** The first blocks of the map that follow on each other. */
function firstRun(blocks: ReadonlyMap<number, Buffer>, countMax: number) {
  const run: Buffer[] = [];
  let first = 0;
  for (const [number, block] of blocks) {
    if (run.length === 0) first = number;
    if (number !== first + run.length || run.length === countMax) break;
    run.push(block);
  }
  return { first, blocks: run };
}
