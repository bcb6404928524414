/**
 * Virtual time: things that happen, in the order of their moments, those of one moment in the order
 * in which they were asked for. Between two of them all promises are settled that can be, so that
 * code which awaits runs on exactly as it would with nothing else to do.
 */

type Entry = { readonly atMs: number; readonly order: number; run: (() => void) | null };

const isEarlier = (a: Entry, b: Entry): boolean =>
  a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);

/** A binary heap: the earliest entry is the first. */
class Heap {
  private readonly entries: Entry[] = [];

  get first(): Entry | undefined {
    return this.entries[0];
  }

  push(entry: Entry): void {
    const { entries } = this;
    let at = entries.length;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = entries[parent] as Entry;
      if (!isEarlier(entry, above)) break;
      entries[at] = above;
      at = parent;
    }
    entries[at] = entry;
  }

  dropFirst(): void {
    const { entries } = this;
    const last = entries.pop();
    if (!last || entries.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= entries.length) break;
      const right = entries[child + 1];
      if (right && isEarlier(right, entries[child] as Entry)) child += 1;
      const below = entries[child] as Entry;
      if (!isEarlier(below, last)) break;
      entries[at] = below;
      at = child;
    }
    entries[at] = last;
  }
}

export type Cancel = () => void;

export class VirtualTime {
  /** True time: no host's clock. */
  nowMs = 0;
  /** How many things have happened. */
  events = 0;
  private readonly heap = new Heap();
  private order = 0;

  at(atMs: number, run: () => void): Cancel {
    const entry: Entry = { atMs: Math.max(atMs, this.nowMs), order: this.order++, run };
    this.heap.push(entry);
    return () => {
      entry.run = null;
    };
  }

  after(ms: number, run: () => void): Cancel {
    return this.at(this.nowMs + ms, run);
  }

  /** Everything up to and with that moment, unless it is to stop before. */
  async run(untilMs: number, isOver: () => boolean = () => false): Promise<void> {
    await settled();
    for (;;) {
      const { first } = this.heap;
      if (!first || first.atMs > untilMs || isOver()) break;
      this.heap.dropFirst();
      if (first.run === null) continue;
      this.nowMs = first.atMs;
      this.events += 1;
      first.run();
      await settled();
    }
    if (!isOver()) this.nowMs = Math.max(this.nowMs, untilMs);
  }
}

/** An immediate runs when no promise that can be settled is left. */
function settled(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}
