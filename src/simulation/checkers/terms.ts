/**
 * Terms only rise (docs/safety.md 5, ARCHITECTURE.md): that of a running agent, that in the durable
 * memory of a host, and that in the records which one host writes to one volume. A term that nobody
 * had before comes of a takeover by the site that owns it, or of a switch-over to it, and of nothing
 * else; and only its owner is active in it. The incarnations of a host only rise (section 2).
 *
 * Over a start that is asked only of a host whose local disk was left in peace since, and which had
 * the time to store what it knew: a disk that fails may make it forget.
 */
import { ownerOf } from "../../core/decision.ts";
import { decodeSector } from "../../core/sector/codec.ts";
import { sectorBytes } from "../../core/sector/layout.ts";
import type { State } from "../../core/step/state.ts";
import { firstTerm } from "../../core/step/begin.ts";
import type { CheckerKind } from "../checker.ts";
import { Judge } from "./judge.ts";
import { comparePositions, type Position } from "../../core/record.ts";
import type { Watched } from "../observation.ts";

type Step = Extract<Watched, { kind: "step" }>;
type Run = {
  readonly incarnation: bigint;
  readonly beganMs: number;
  readonly term: bigint;
  /** When it came to that term. */
  readonly termMs: number;
  readonly seenMs: number;
};

/** What was asked to be stored so long ago is stored, or was refused. */
const storedMs = 100;

class Terms extends Judge {
  private readonly born = new Set<bigint>([firstTerm(this.world.config)]);

  private readonly runs = new Map<string, Run>();

  private readonly memories = new Map<
    string,
    { readonly memory: object; readonly term: bigint; readonly atMs: number }
  >();

  /** By volume and host: the newest record that landed. */
  private readonly records = new Map<string, Position & { readonly term: bigint }>();

  private areFilesQuiet(host: string, fromMs: number, nowMs: number): boolean {
    return this.faults.isQuiet([{ kind: "files", host }], fromMs, nowMs);
  }

  /** A term that is about to be stored, and was not there before. */
  private stores({ host, after, actions }: Step): void {
    for (const action of actions) {
      if (action.kind !== "store-term" || this.born.has(action.durable.term)) continue;
      const { term } = action.durable;
      const { takeover, handover, ownSiteId } = after;
      if (takeover?.term === term && ownerOf(term) === ownSiteId) {
        this.count("term raised by a takeover");
      } else if (handover?.term === term && ownerOf(term) !== ownSiteId) {
        this.count("term raised by a switch-over");
      } else this.report(`${host} stores the term ${term}, which nobody raised`);
      this.born.add(term);
    }
  }

  private begins(host: string, { incarnation, term }: State, nowMs: number): void {
    const known = this.runs.get(host);
    this.runs.set(host, { incarnation, beganMs: nowMs, term, termMs: nowMs, seenMs: nowMs });
    if (!known) return;
    this.count("start");
    if (
      incarnation <= known.incarnation &&
      this.areFilesQuiet(host, known.beganMs - storedMs, nowMs)
    ) {
      this.report(`${host} begins as ${incarnation}, and was ${known.incarnation} before`);
    }
    const isStored = known.seenMs >= known.termMs + storedMs;
    if (term < known.term && isStored && this.areFilesQuiet(host, known.termMs, nowMs)) {
      this.report(`${host} begins in the term ${term}, and was in ${known.term} before`);
    }
  }

  private steps(step: Step, nowMs: number): void {
    const { host, before, after } = step;
    const run = this.runs.get(host);
    if (!run || before.incarnation !== run.incarnation) this.begins(host, before, nowMs);
    if (!this.born.has(before.term))
      this.report(`${host} is in the term ${before.term}, which nobody raised`);
    this.stores(step);
    if (after.term !== before.term) {
      if (after.term < before.term)
        this.report(`${host} goes from the term ${before.term} back to ${after.term}`);
      if (!this.born.has(after.term))
        this.report(`${host} goes to the term ${after.term}, which nobody raised`);
      this.count("term learnt");
    }
    if (after.role === "active" && ownerOf(after.term) !== after.ownSiteId) {
      this.report(`${host} is active in the term ${after.term}, which another site owns`);
    }
    if (after.incarnation !== before.incarnation && after.incarnation < before.incarnation) {
      this.report(
        `${host} goes from ${before.incarnation} back to the incarnation ${after.incarnation}`,
      );
    }
    const now = this.runs.get(host);
    if (!now) return;
    const termMs = after.term === now.term ? now.termMs : nowMs;
    this.runs.set(host, {
      ...now,
      incarnation: after.incarnation,
      term: after.term,
      termMs,
      seenMs: nowMs,
    });
  }

  private remembers(host: string, nowMs: number): void {
    const { memory } = this.world.host(host);
    const known = this.memories.get(host);
    if (known?.memory === memory) return;
    const term = memory.term ?? 0n;
    this.memories.set(host, { memory, term, atMs: nowMs });
    if (!known) return;
    if (term < known.term && this.areFilesQuiet(host, known.atMs, nowMs)) {
      this.report(`${host} stores the term ${term} over ${known.term}`);
    }
    if (term !== 0n && !this.born.has(term))
      this.report(`${host} remembers the term ${term}, which nobody raised`);
  }

  private wrote({ write }: Extract<Watched, { kind: "write" }>): void {
    const { host, disk, bytes } = write;
    if (host === null || bytes.toString("latin1", 0, 8) !== "MBRECORD") return;
    const record = decodeSector("record", bytes.subarray(0, sectorBytes));
    const key = `${disk.name} ${record.hostName}`;
    const known = this.records.get(key);
    // Of a run that ended, a write may land late.
    if (known && comparePositions(record, known) <= 0) return;
    const { incarnation, serial, term } = record;
    this.records.set(key, { incarnation, serial, term });
    if (!known || term === known.term) return;
    this.count("record with a higher term");
    if (term < known.term && incarnation === known.incarnation) {
      this.report(`${host} writes the term ${term} to ${disk.name}, after ${known.term}`);
    }
  }

  watch(watched: Watched, nowMs: number): void {
    if (watched.kind === "write") return this.wrote(watched);
    if (watched.kind !== "step") return;
    this.steps(watched, nowMs);
    this.remembers(watched.host, nowMs);
  }
}

export const terms: CheckerKind = {
  name: "terms",
  words: "a term that falls, or comes from nowhere",
  cases: [
    "term raised by a takeover",
    "term raised by a switch-over",
    "term learnt",
    "start",
    "record with a higher term",
  ],
  make: (world, faults, report) => new Terms(world, faults, report),
};
