/**
 * Changes on their way to the SVOL: one set for each scan that found any, in order. A set is a
 * snapshot and is applied whole, when it is as old as the lag says.
 *
 * The queue is bounded. Before it would grow beyond its limit, neighbouring sets are joined in
 * pairs, each block keeping its newest content and the pair the age of its older half: the order
 * stays, what is dropped are states in between, and the newest may show sooner than the lag. How
 * often that happened is counted.
 *
 * Invariants: sets are in the order of their scans; a set's blocks are in ascending order; after
 * each push there are at most `setsMax` sets, and at most `blocksMax` blocks or a single set.
 */
import { assert } from "../../core/base/assert.ts";

export type ChangeSet = {
  /** When its scan began. */
  readonly scannedMs: number;
  /** Content by block number. What has reached the SVOL is taken out. */
  readonly blocks: Map<number, Buffer>;
};

export const setsMax = 1024;

export class ChangeQueue {
  private readonly blocksMax: number;
  private sets: ChangeSet[] = [];
  /** States that were skipped because the queue was full. */
  coalescedSets = 0;

  constructor(blocksMax: number) {
    this.blocksMax = blocksMax;
  }

  get waitingSets(): number {
    return this.sets.length;
  }

  get blocks(): number {
    return this.sets.reduce((sum, set) => sum + set.blocks.size, 0);
  }

  push(set: ChangeSet): void {
    assert((this.sets.at(-1)?.scannedMs ?? -Infinity) <= set.scannedMs, "sets come in order");
    this.sets.push(set);
    while (this.sets.length > 1 && (this.sets.length > setsMax || this.blocks > this.blocksMax)) {
      this.joinPairs();
    }
  }

  /** The oldest set, if it is due. */
  due(nowMs: number, lagMs: number): ChangeSet | null {
    const oldest = this.sets[0];
    return oldest && oldest.scannedMs + lagMs <= nowMs ? oldest : null;
  }

  /** When the oldest will be due. */
  dueMs(lagMs: number): number {
    return (this.sets[0]?.scannedMs ?? Infinity) + lagMs;
  }

  /** Takes the oldest set off, once all of it has been copied. */
  shift(): void {
    assert(this.sets[0]?.blocks.size === 0, "only a set that has been copied is done");
    this.sets.shift();
  }

  clear(): void {
    this.sets = [];
  }

  private joinPairs(): void {
    const joined: ChangeSet[] = [];
    for (let index = 0; index < this.sets.length; index += 2) {
      const [older, newer] = this.sets.slice(index, index + 2);
      if (older) joined.push(newer ? join(older, newer) : older);
    }
    this.coalescedSets += this.sets.length - joined.length;
    this.sets = joined;
  }
}

function join(older: ChangeSet, newer: ChangeSet): ChangeSet {
  const all = [...new Map([...older.blocks, ...newer.blocks])].sort(
    ([one], [other]) => one - other,
  );
  return { scannedMs: older.scannedMs, blocks: new Map(all) };
}
