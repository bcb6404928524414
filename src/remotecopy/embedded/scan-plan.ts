/**
 * Which parts of the PVOL a scan reads. A heartbeat volume is mostly still: what changed lately will
 * change again, so those regions are read in every scan and the others in turns, a whole sweep in
 * a second or two. Bytes only: nothing here knows what a block means.
 *
 * A small volume is read whole each time; there one read costs no more than several.
 *
 * Invariants: every region is read once a sweep, whatever changes elsewhere; what one scan reads is
 * bounded.
 */
import { assert } from "../../core/base/assert.ts";

/** Blocks `first` to `first + count - 1`. */
export type Run = { readonly first: number; readonly count: number };

export const regionBlocks = 16;
/** The longest run: one read. */
export const runBlocksMax = 256;
const smallBlocks = 256;
/** Longer than the longest interval between two heartbeats. */
const hotMs = 120_000;
const hotRegionsMax = 64;
const sweepMs = 1000;
/** 32 MiB a second at most, and a quarter of that while nothing changes. */
const sweepRegionsPerMsMax = 0.512;
const quietFactor = 4;
/** One scan never reads more of the sweep than this. */
const sliceRegionsMax = 64;

export class ScanPlan {
  private readonly blockCount: number;
  private readonly regionCount: number;
  private readonly changedMs = new Map<number, number>();
  private nextCold = 0;
  private debtRegions = 0;
  private lastMs: number;

  constructor(blockCount: number, nowMs: number) {
    assert(blockCount > 0, "a volume has blocks");
    this.blockCount = blockCount;
    this.regionCount = Math.ceil(blockCount / regionBlocks);
    this.lastMs = nowMs;
  }

  /** A change was found in this block. */
  note(block: number, nowMs: number): void {
    const region = Math.floor(block / regionBlocks);
    this.changedMs.delete(region); // so that the map's order is that of the last change
    this.changedMs.set(region, nowMs);
    if (this.changedMs.size <= hotRegionsMax) return;
    const [coldest] = this.changedMs.keys();
    if (coldest !== undefined) this.changedMs.delete(coldest);
  }

  /** What to read now: all that is hot, and the sweep's next slice. */
  next(nowMs: number, isQuiet: boolean): readonly Run[] {
    for (const [region, changedMs] of this.changedMs) {
      if (nowMs - changedMs > hotMs) this.changedMs.delete(region);
    }
    return this.hotAnd(this.isSmall ? [] : this.slice(nowMs, isQuiet));
  }

  /** What changed lately. */
  hot(): readonly Run[] {
    return this.hotAnd([]);
  }

  all(): readonly Run[] {
    return this.runs(Array.from({ length: this.regionCount }, (_, region) => region));
  }

  private get isSmall(): boolean {
    return this.blockCount <= smallBlocks;
  }

  private hotAnd(more: readonly number[]): readonly Run[] {
    if (this.isSmall) return this.all();
    const regions = new Set([...this.changedMs.keys(), ...more]);
    return this.runs([...regions].sort((one, other) => one - other));
  }

  private slice(nowMs: number, isQuiet: boolean): readonly number[] {
    const perMs = Math.min(this.regionCount / sweepMs, sweepRegionsPerMsMax);
    const elapsedMs = nowMs - this.lastMs;
    this.lastMs = nowMs;
    this.debtRegions += (elapsedMs * perMs) / (isQuiet ? quietFactor : 1);
    this.debtRegions = Math.min(this.debtRegions, sliceRegionsMax, this.regionCount);
    const regions: number[] = [];
    for (; this.debtRegions >= 1; this.debtRegions -= 1) {
      regions.push(this.nextCold);
      this.nextCold = (this.nextCold + 1) % this.regionCount;
    }
    return regions;
  }

  private runs(regions: readonly number[]): readonly Run[] {
    const runs: { first: number; count: number }[] = [];
    for (const region of regions) {
      const first = region * regionBlocks;
      const count = Math.min(regionBlocks, this.blockCount - first);
      const last = runs.at(-1);
      if (last && last.first + last.count === first && last.count + count <= runBlocksMax) {
        last.count += count;
      } else runs.push({ first, count });
    }
    return runs;
  }
}
