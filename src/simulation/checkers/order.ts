/**
 * A service begins in order (docs/safety.md 5 and 6), judged by what stands outside of the agent
 * that begins it: its local disk, the volumes, the arrays, the witness's disk.
 *
 * When a service begins on a host: its agent runs; its site owns the term, which is durable on its
 * local disk, as is that the service may run; where a takeover or a switch-over raised that term, a
 * record of this host in it has landed on a volume that its site writes; and its site's data volumes
 * are writable there.
 *
 * When an agent stores a term that it takes of its own accord: under a lease, no newer record of the
 * owner was given to it for the whole takeover wait (by a clock of the rate that is assumed at the
 * worst); with a witness host, that one's disk says that it granted this site the term.
 *
 * A record in a term that its host raised itself lands only once the term is on that host's disk.
 * Of a volume that lies about what is durable nothing is asked.
 * The role of a host that took over is active only once its service runs.
 */
import { isLeased } from "../../core/base/config.ts";
import { ownerOf } from "../../core/decision.ts";
import { decodeSector } from "../../core/sector/codec.ts";
import { type HeartbeatRecord, sectorBytes } from "../../core/sector/layout.ts";
import { comparePositions, type Position } from "../../core/record.ts";
import { type CheckerKind, type Counts, count } from "../checker.ts";
import type { Watched } from "../observation.ts";

type Step = Extract<Watched, { kind: "step" }>;

export const order: CheckerKind = {
  name: "order",
  words: "a step of a takeover before the one that it rests on",
  cases: [
    "service begins", "service begins in a term that was taken", "service begins with data",
    "takeover wait was waited", "witness's grant is durable", "record in an own new term", "active after the hook",
  ], // biome-ignore format: one list
  make(world, faults, report) {
    const { timing, policy, dataGroups, mirrors, sites } = world.config;
    const applied: Counts = {};
    const isArmed = isLeased(policy);
    /** Who raised each term. */
    const raisedBy = new Map<bigint, string>();
    const raisedMs = new Map<bigint, number>();
    /** Highest term of a host's records that landed on a volume of its site. */
    const onVolume = new Map<string, bigint>();
    /** When each observer was last given a newer record of each host. */
    const givenMs = new Map<string, number>();
    const newest = new Map<string, Position>();
    const writerOf = new Map(mirrors.map(({ name, writer }) => [`${name} pvol`, writer]));
    const siteIds = new Map(sites.map(({ name, id }) => [name, id]));

    const given = (observer: string, record: HeartbeatRecord, nowMs: number): void => {
      const key = `${observer} ${record.hostName}`;
      const known = newest.get(key);
      if (known && comparePositions(record, known) <= 0) return;
      newest.set(key, { incarnation: record.incarnation, serial: record.serial });
      givenMs.set(key, nowMs);
    };

    const sees = ({ host, input }: Step, nowMs: number): void => {
      if (input.kind === "mirror-read") {
        for (const { reading } of input.seen)
          if (reading.kind === "record") given(host, reading.record, nowMs);
      } else if (input.kind === "network-read") {
        for (const { record } of input.records) given(host, record, nowMs);
      }
    };

    const takesByRight = ({ host, before }: Step, nowMs: number): void => {
      const site = sites.find(({ id }) => id === ownerOf(before.term));
      if (isArmed) {
        count(applied, "takeover wait was waited");
        const needMs = timing.takeoverWaitMs / (1 + timing.driftPpm / 1e6);
        for (const owner of site?.hosts ?? []) {
          const sinceMs =
            nowMs - (givenMs.get(`${host} ${owner.name}`) ?? Number.NEGATIVE_INFINITY);
          if (!owner.beacon && sinceMs < needMs - 1) {
            report(
              `${host} takes over ${Math.round(sinceMs)} ms after it saw ${owner.name}; the wait is ${Math.round(needMs)} ms`,
            );
          }
        }
      }
      const witness = sites.find(({ role }) => role === "witness")?.hosts[0];
      if (policy !== "witness" || !witness) return;
      count(applied, "witness's grant is durable");
      const { grantedTerm, grantedSite } = world.host(witness.name).memory;
      if (grantedTerm !== before.term || grantedSite !== siteIds.get(world.host(host).site)) {
        report(
          `${host} takes over, and the witness's disk says that it granted ${grantedTerm} to ${grantedSite}`,
        );
      }
    };

    const steps = (step: Step, nowMs: number): void => {
      const { host, before, after, actions } = step;
      sees(step, nowMs);
      const { takeover, handover } = after;
      if (takeover !== before.takeover && takeover?.by === "agent" && before.takeover === null)
        takesByRight(step, nowMs);
      for (const action of actions) {
        if (action.kind !== "store-term" || raisedBy.has(action.durable.term)) continue;
        const { term } = action.durable;
        if (takeover?.term === term || handover?.term === term) {
          raisedBy.set(term, host);
          raisedMs.set(term, nowMs);
        }
      }
      if (
        before.takeover?.phase === "hook" &&
        after.role === "active" &&
        before.role !== "active"
      ) {
        count(applied, "active after the hook");
        if (!world.host(host).service.runs)
          report(`${host} is active, and its service does not run`);
      }
    };

    const wrote = ({ write }: Extract<Watched, { kind: "write" }>): void => {
      const { host, disk, bytes } = write;
      if (host === null || bytes.toString("latin1", 0, 8) !== "MBRECORD") return;
      if (writerOf.get(disk.name) !== world.host(host).site) return;
      const { term } = decodeSector("record", bytes.subarray(0, sectorBytes));
      if (term <= (onVolume.get(host) ?? 0n)) return;
      onVolume.set(host, term);
      if (raisedBy.get(term) !== host) return;
      count(applied, "record in an own new term");
      if ((world.host(host).memory.term ?? 0n) < term)
        report(`${host} publishes the term ${term} before it is on its disk`);
    };

    /** Whether what it wrote since then, and was told is durable, is that. */
    const wroteWell = (host: string, fromMs: number, nowMs: number): boolean =>
      mirrors.every(({ name }) =>
        faults.isQuiet([{ kind: "volume", host, mirror: name }], fromMs, nowMs),
      );

    const serves = (name: string, nowMs: number): void => {
      const host = world.host(name);
      const { memory, state, site } = host;
      count(applied, "service begins");
      if (state === null) return report(`the service of ${name} begins without its agent`);
      const term = memory.term ?? 0n;
      if (ownerOf(term) !== siteIds.get(site)) {
        return report(
          `the service of ${name} begins, and its disk says the term ${term}, of another site`,
        );
      }
      if (term !== state.term)
        report(
          `the service of ${name} begins in the term ${state.term}, and ${term} is on its disk`,
        );
      if (isArmed && !memory.serving && !memory.halfDone)
        report(`the service of ${name} begins before its disk says that it may run`);
      if (host.selfHost.beacon) report(`the service of ${name} begins, which is a beacon`);
      const fromMs = raisedMs.get(term) ?? nowMs;
      if (
        raisedBy.get(term) === name &&
        state.takeover !== null &&
        wroteWell(name, fromMs, nowMs)
      ) {
        count(applied, "service begins in a term that was taken");
        if ((onVolume.get(name) ?? 0n) < term)
          report(
            `the service of ${name} begins in the term ${term}, which is on no volume of its site`,
          );
      }
      for (const group of dataGroups) {
        count(applied, "service begins with data");
        const end = group.writer === site ? "writer" : "reader";
        if (!world.pair(group.name).isWritable(end))
          report(`the service of ${name} begins, and ${group.name} is not writable there`);
      }
    };

    return {
      applied,
      watch(watched, nowMs) {
        if (watched.kind === "step") steps(watched, nowMs);
        else if (watched.kind === "write") wrote(watched);
        else if (watched.kind === "service" && watched.runs) serves(watched.host, nowMs);
      },
    };
  },
};
