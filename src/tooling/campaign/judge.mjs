// The judge: reads only what the services wrote, never what an agent says. All services of a cluster
// append to one file, so its very order tells whether two of them were active at once: the records
// of one run of the service must stand together, with no record of another site's run among them.
import { closeSync, fstatSync, openSync, readSync } from "node:fs";

/** As in service.c. */
const recordBytes = 32;
const chunkBytes = 1 << 16;
const nsPerMs = 1e6;
/** The watchdog's news and the records are stamped by different processes. */
const clockSlackMs = 5;

export class Judge {
  constructor(file) {
    this.file = openSync(file, "r");
    this.offset = 0;
    this.runs = new Map(); // by instance: { site, firstMs, lastMs, records }
    this.order = []; // runs as they began
    this.current = null;
    this.overlaps = []; // { site, since, other, overlapMs }
    this.moves = []; // the service at another site: { from, to, lastMs, firstMs, gapMs }
    this.longestGapMs = 0; // between two records of one run: the service itself stalled
  }

  /** Reads what came since; true while nothing is wrong. */
  look() {
    const { size } = fstatSync(this.file);
    const buffer = Buffer.alloc(chunkBytes);
    while (size - this.offset >= recordBytes) {
      const wanted = Math.min(chunkBytes, size - this.offset);
      const got = readSync(this.file, buffer, 0, wanted - (wanted % recordBytes), this.offset);
      if (got < recordBytes) break;
      for (let at = 0; at + recordBytes <= got; at += recordBytes) this.take(buffer, at);
      this.offset += got - (got % recordBytes);
    }
    return this.overlaps.length === 0;
  }

  take(buffer, at) {
    const beforeMs = Number(buffer.readBigInt64LE(at)) / nsPerMs;
    const instance = buffer.readUInt32LE(at + 16);
    const site = buffer.readUInt32LE(at + 24);
    const known = this.runs.get(instance);
    if (known) return this.goOn(known, beforeMs);
    const run = {
      instance,
      site,
      firstMs: beforeMs,
      lastMs: beforeMs,
      records: 1,
      overlaps: false,
    };
    const before = this.current;
    if (before && before.site !== site) {
      const { lastMs } = before;
      const gapMs = beforeMs - lastMs;
      this.moves.push({ from: before.site, to: site, lastMs, firstMs: beforeMs, gapMs, run });
    }
    this.runs.set(instance, run);
    this.order.push(run);
    this.current = run;
  }

  goOn(run, beforeMs) {
    run.records += 1;
    if (run === this.current) {
      this.longestGapMs = Math.max(this.longestGapMs, beforeMs - run.lastMs);
      run.lastMs = beforeMs;
      return;
    }
    run.lastMs = beforeMs;
    // It writes, though another run began since: both were active.
    const others = this.order.slice(this.order.indexOf(run) + 1);
    for (const other of others) this.overlap(run, other, beforeMs);
  }

  /** Once a pair of runs; how long they overlapped grows while both go on. */
  overlap(run, other, atMs) {
    const known = this.overlaps.find((one) => one.run === run && one.other === other);
    const overlapMs = atMs - other.firstMs;
    if (known) known.overlapMs = overlapMs;
    else this.overlaps.push({ run, other, sites: [run.site, other.site], overlapMs });
  }

  /**
   * Runs of the service on a machine whose watchdog was not armed for all of the time: nothing would
   * have ended them had the agent died. `fencingOf` gives a site's { isArmed, atMs }, in order.
   */
  unfenced(fencingOf) {
    return this.order.filter(({ site, firstMs, lastMs }) => {
      const changes = fencingOf(site);
      const before = changes.findLast(({ atMs }) => atMs <= firstMs + clockSlackMs);
      const within = changes.find(
        ({ isArmed, atMs }) =>
          !isArmed && atMs > firstMs + clockSlackMs && atMs < lastMs - clockSlackMs,
      );
      return !before?.isArmed || within !== undefined;
    });
  }

  close() {
    closeSync(this.file);
  }

  /** The site whose service wrote last, if that is not longer ago than `limitMs`; else null. */
  activeSite(nowMs, limitMs) {
    this.look();
    return this.current && nowMs - this.current.lastMs <= limitMs ? this.current.site : null;
  }
}
