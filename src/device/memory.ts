/**
 * Who holds which part of the data region: a first-fit list of free extents. Lanes are few and
 * long-lived, so simplicity is all that counts.
 *
 * Invariant: extents are disjoint, ascending, never adjacent, and whole blocks.
 */
import { assert } from "../core/base/assert.ts";

type Extent = { start: number; length: number };

export class Memory {
  private readonly free: Extent[];

  constructor(start: number, length: number) {
    this.free = [{ start, length }];
  }

  /** The start of `length` bytes on the given boundary, or null if there is no such room. */
  take(length: number, alignment: number): number | null {
    for (const [position, extent] of this.free.entries()) {
      const start = Math.ceil(extent.start / alignment) * alignment;
      const before = start - extent.start;
      const after = extent.length - before - length;
      if (after < 0) continue;
      const rest = [
        { start: extent.start, length: before },
        { start: start + length, length: after },
      ];
      this.free.splice(position, 1, ...rest.filter((part) => part.length > 0));
      return start;
    }
    return null;
  }

  give(start: number, length: number): void {
    const position = this.free.findIndex((extent) => extent.start > start);
    const at = position < 0 ? this.free.length : position;
    const before = this.free[at - 1];
    const after = this.free[at];
    assert(!before || before.start + before.length <= start, "memory is given back once");
    assert(!after || start + length <= after.start, "memory is given back once");
    const merged = { start, length };
    let from = at;
    let removed = 0;
    if (before && before.start + before.length === start) {
      merged.start = before.start;
      merged.length += before.length;
      from -= 1;
      removed += 1;
    }
    if (after && start + length === after.start) {
      merged.length += after.length;
      removed += 1;
    }
    this.free.splice(from, removed, merged);
  }

  get freeBytes(): number {
    return this.free.reduce((sum, extent) => sum + extent.length, 0);
  }
}
