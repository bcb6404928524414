/**
 * Terms only rise (docs/safety.md 5, ARCHITECTURE.md): that of a running agent, that in the durable
 * memory of a host, and that in the records which one host writes to one volume. A term that nobody
 * had before comes of a takeover by the site that owns it, or of a switch-over to it, and of nothing
 * else; and only its owner is active in it. The incarnations of a host only rise (section 2).
 *
 * A host whose local disk fails or was restored may forget what it had not stored; and a volume that
 * it could not read, or that was restored, may hide a term from it. So what is compared over a start
 * is compared only where this host's files and volumes were left in peace.
 */
import { ownerOf } from "../../core/decision.ts";
import { decodeSector } from "../../core/sector/codec.ts";
import { sectorBytes } from "../../core/sector/layout.ts";
import type { State } from "../../core/step/state.ts";
import { firstTerm } from "../../core/step/begin.ts";
import { type CheckerKind, type Counts, count } from "../checker.ts";
import type { Touch } from "../fault.ts";
import type { Watched } from "../observation.ts";

type Step = Extract<Watched, { kind: "step" }>;
type Run = { incarnation: bigint; term: bigint; atMs: number };

export const terms: CheckerKind = {
  name: "terms",
  words: "a term that falls, or comes from nowhere",
  cases: ["term raised by a takeover", "term raised by a switch-over", "term learnt", "start", "record with a higher term"],
  make(world, faults, report) {
    const applied: Counts = {};
    const born = new Set<bigint>([firstTerm(world.config)]);
    const runs = new Map<string, Run>();
    const memories = new Map<string, { readonly memory: object; readonly term: bigint }>();
    /** By volume and host: term of the newest record that landed, and when. */
    const records = new Map<string, { readonly term: bigint; readonly atMs: number }>();

    const ownTouches = (host: string): readonly Touch[] => {
      const { site } = world.host(host);
      const mirrors = world.config.mirrors.filter(({ writer }) => writer === site);
      return [
        { kind: "files", host },
        ...mirrors.map(({ name }): Touch => ({ kind: "volume", host, mirror: name })),
        ...mirrors.map(({ name }): Touch => ({ kind: "mirror", mirror: name })),
      ];
    };

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
      runs.set(host, { incarnation, term, atMs: nowMs });
      if (!known) return;
      count(applied, "start");
      if (!faults.isQuiet(ownTouches(host), 0, nowMs)) return;
      if (incarnation <= known.incarnation) report(`${host} begins as ${incarnation}, and was ${known.incarnation} before`);
      if (term < known.term) report(`${host} begins in the term ${term}, and was in ${known.term} before`);
    };

    const steps = (step: Step, nowMs: number): void => {
      const { host, before, after } = step;
      const run = runs.get(host);
      if (!run || before.incarnation !== run.incarnation) begins(host, before, nowMs);
      if (!born.has(before.term)) report(`${host} is in the term ${before.term}, which nobody raised`);
      stores(step);
      if (after.term !== before.term) {
        if (after.term < before.term) report(`${host} goes from the term ${before.term} back to ${after.term}`);
        if (!born.has(after.term)) report(`${host} goes to the term ${after.term}, which nobody raised`);
        count(applied, "term learnt");
      }
      if (after.role === "active" && ownerOf(after.term) !== after.ownSiteId) {
        report(`${host} is active in the term ${after.term}, which another site owns`);
      }
      if (after.incarnation !== before.incarnation && after.incarnation < before.incarnation) {
        report(`${host} goes from ${before.incarnation} back to the incarnation ${after.incarnation}`);
      }
      if (run && (after.term !== run.term || after.incarnation !== run.incarnation)) {
        runs.set(host, { incarnation: after.incarnation, term: after.term, atMs: nowMs });
      }
    };

    const remembers = (host: string, nowMs: number): void => {
      const { memory } = world.host(host);
      const known = memories.get(host);
      if (known?.memory === memory) return;
      const term = memory.term ?? 0n;
      memories.set(host, { memory, term });
      if (!known) return;
      if (term < known.term && faults.isQuiet([{ kind: "files", host }], 0, nowMs)) {
        report(`${host} stores the term ${term} over ${known.term}`);
      }
      if (term !== 0n && !born.has(term)) report(`${host} remembers the term ${term}, which nobody raised`);
    };

    const wrote = ({ write }: Extract<Watched, { kind: "write" }>, nowMs: number): void => {
      const { host, disk, bytes } = write;
      if (host === null || bytes.toString("latin1", 0, 8) !== "MBRECORD") return;
      const { term, hostName } = decodeSector("record", bytes.subarray(0, sectorBytes));
      const key = `${disk.name} ${hostName}`;
      const known = records.get(key);
      records.set(key, { term, atMs: nowMs });
      if (!known || term === known.term) return;
      count(applied, "record with a higher term");
      if (term < known.term && faults.isQuiet(ownTouches(host), 0, nowMs)) {
        report(`${host} writes the term ${term} to ${disk.name}, after ${known.term}`);
      }
    };

    return {
      applied,
      watch(watched, nowMs) {
        if (watched.kind === "write") return wrote(watched, nowMs);
        if (watched.kind === "agent" && watched.what === "killed") return;
        if (watched.kind !== "step") return;
        steps(watched, nowMs);
        remembers(watched.host, nowMs);
      },
    };
  },
};
