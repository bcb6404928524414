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
import { type CheckerKind, type Counts, count } from "../checker.ts";
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
  make(world, faults, report) {
    const applied: Counts = {};
    const born = new Set<bigint>([firstTerm(world.config)]);
    const runs = new Map<string, Run>();
    const memories = new Map<string, { readonly memory: object; readonly term: bigint }>();
    /** By volume and host: the newest record that landed. */
    const records = new Map<string, Position & { readonly term: bigint }>();

    const areFilesQuiet = (host: string, fromMs: number, nowMs: number): boolean =>
      faults.isQuiet([{ kind: "files", host }], fromMs, nowMs);

    /** A term that is about to be stored, and was not there before. */
    const stores = ({ host, after, actions }: Step): void => {
      for (const action of actions) {
        if (action.kind !== "store-term" || born.has(action.durable.term)) continue;
        const { term } = action.durable;
        const { takeover, handover, ownSiteId } = after;
        if (takeover?.term === term && ownerOf(term) === ownSiteId) {
          count(applied, "term raised by a takeover");
        } else if (handover?.term === term && ownerOf(term) !== ownSiteId) {
          count(applied, "term raised by a switch-over");
        } else report(`${host} stores the term ${term}, which nobody raised`);
        born.add(term);
      }
    };

    const begins = (host: string, { incarnation, term }: State, nowMs: number): void => {
      const known = runs.get(host);
      runs.set(host, { incarnation, beganMs: nowMs, term, termMs: nowMs, seenMs: nowMs });
      if (!known) return;
      count(applied, "start");
      if (
        incarnation <= known.incarnation &&
        areFilesQuiet(host, known.beganMs - storedMs, nowMs)
      ) {
        report(`${host} begins as ${incarnation}, and was ${known.incarnation} before`);
      }
      const isStored = known.seenMs >= known.termMs + storedMs;
      if (term < known.term && isStored && areFilesQuiet(host, known.termMs, nowMs)) {
        report(`${host} begins in the term ${term}, and was in ${known.term} before`);
      }
    };

    const steps = (step: Step, nowMs: number): void => {
      const { host, before, after } = step;
      const run = runs.get(host);
      if (!run || before.incarnation !== run.incarnation) begins(host, before, nowMs);
      if (!born.has(before.term))
        report(`${host} is in the term ${before.term}, which nobody raised`);
      stores(step);
      if (after.term !== before.term) {
        if (after.term < before.term)
          report(`${host} goes from the term ${before.term} back to ${after.term}`);
        if (!born.has(after.term))
          report(`${host} goes to the term ${after.term}, which nobody raised`);
        count(applied, "term learnt");
      }
      if (after.role === "active" && ownerOf(after.term) !== after.ownSiteId) {
        report(`${host} is active in the term ${after.term}, which another site owns`);
      }
      if (after.incarnation !== before.incarnation && after.incarnation < before.incarnation) {
        report(
          `${host} goes from ${before.incarnation} back to the incarnation ${after.incarnation}`,
        );
      }
      const now = runs.get(host);
      if (!now) return;
      const termMs = after.term === now.term ? now.termMs : nowMs;
      runs.set(host, {
        ...now,
        incarnation: after.incarnation,
        term: after.term,
        termMs,
        seenMs: nowMs,
      });
    };

    const remembers = (host: string): void => {
      const { memory } = world.host(host);
      const known = memories.get(host);
      if (known?.memory === memory) return;
      const term = memory.term ?? 0n;
      memories.set(host, { memory, term });
      if (!known) return;
      if (term < known.term) {
        report(`${host} stores the term ${term} over ${known.term}`);
      }
      if (term !== 0n && !born.has(term))
        report(`${host} remembers the term ${term}, which nobody raised`);
    };

    const wrote = ({ write }: Extract<Watched, { kind: "write" }>): void => {
      const { host, disk, bytes } = write;
      if (host === null || bytes.toString("latin1", 0, 8) !== "MBRECORD") return;
      const record = decodeSector("record", bytes.subarray(0, sectorBytes));
      const key = `${disk.name} ${record.hostName}`;
      const known = records.get(key);
      // Of a run that ended, a write may land late.
      if (known && comparePositions(record, known) <= 0) return;
      const { incarnation, serial, term } = record;
      records.set(key, { incarnation, serial, term });
      if (!known || term === known.term) return;
      count(applied, "record with a higher term");
      if (term < known.term && incarnation === known.incarnation) {
        report(`${host} writes the term ${term} to ${disk.name}, after ${known.term}`);
      }
    };

    return {
      applied,
      watch(watched, nowMs) {
        if (watched.kind === "write") return wrote(watched);
        if (watched.kind !== "step") return;
        steps(watched, nowMs);
        remembers(watched.host);
      },
    };
  },
};
