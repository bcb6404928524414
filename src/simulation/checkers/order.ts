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
import type { CheckerKind } from "../checker.ts";
import { Judge } from "./judge.ts";
import type { Watched } from "../observation.ts";

type Step = Extract<Watched, { kind: "step" }>;

class Order extends Judge {
  private readonly timing = this.world.config.timing;

  private readonly policy = this.world.config.policy;

  private readonly dataGroups = this.world.config.dataGroups;

  private readonly mirrors = this.world.config.mirrors;

  private readonly sites = this.world.config.sites;

  private readonly isArmed = isLeased(this.policy);

  /** Who raised each term. */
  private readonly raisedBy = new Map<bigint, string>();

  private readonly raisedMs = new Map<bigint, number>();

  /** Highest term of a host's records that landed on a volume of its site. */
  private readonly onVolume = new Map<string, bigint>();

  /** When each observer was last given a newer record of each host. */
  private readonly givenMs = new Map<string, number>();

  private readonly newest = new Map<string, Position>();

  private readonly writerOf = new Map(
    this.mirrors.map(({ name, writer }) => [`${name} pvol`, writer]),
  );

  private readonly siteIds = new Map(this.sites.map(({ name, id }) => [name, id]));

  private given(observer: string, record: HeartbeatRecord, nowMs: number): void {
    const key = `${observer} ${record.hostName}`;
    const known = this.newest.get(key);
    if (known && comparePositions(record, known) <= 0) return;
    this.newest.set(key, { incarnation: record.incarnation, serial: record.serial });
    this.givenMs.set(key, nowMs);
  }

  private sees({ host, input }: Step, nowMs: number): void {
    if (input.kind === "mirror-read") {
      for (const { reading } of input.seen)
        if (reading.kind === "record") this.given(host, reading.record, nowMs);
    } else if (input.kind === "network-read") {
      for (const { record } of input.records) this.given(host, record, nowMs);
    }
  }

  private takesByRight({ host, before }: Step, nowMs: number): void {
    const site = this.sites.find(({ id }) => id === ownerOf(before.term));
    if (this.isArmed) {
      this.count("takeover wait was waited");
      const needMs = this.timing.takeoverWaitMs / (1 + this.timing.driftPpm / 1e6);
      for (const owner of site?.hosts ?? []) {
        const sinceMs =
          nowMs - (this.givenMs.get(`${host} ${owner.name}`) ?? Number.NEGATIVE_INFINITY);
        if (!owner.beacon && sinceMs < needMs - 1) {
          this.report(
            `${host} takes over ${Math.round(sinceMs)} ms after it saw ${owner.name}; the wait is ${Math.round(needMs)} ms`,
          );
        }
      }
    }
    const witness = this.sites.find(({ role }) => role === "witness")?.hosts[0];
    if (this.policy !== "witness" || !witness) return;
    this.count("witness's grant is durable");
    const { grantedTerm, grantedSite } = this.world.host(witness.name).memory;
    if (
      grantedTerm !== before.term ||
      grantedSite !== this.siteIds.get(this.world.host(host).site)
    ) {
      this.report(
        `${host} takes over, and the witness's disk says that it granted ${grantedTerm} to ${grantedSite}`,
      );
    }
  }

  private steps(step: Step, nowMs: number): void {
    const { host, before, after, actions } = step;
    this.sees(step, nowMs);
    const { takeover, handover } = after;
    if (takeover !== before.takeover && takeover?.by === "agent" && before.takeover === null)
      this.takesByRight(step, nowMs);
    for (const action of actions) {
      if (action.kind !== "store-term" || this.raisedBy.has(action.durable.term)) continue;
      const { term } = action.durable;
      if (takeover?.term === term || handover?.term === term) {
        this.raisedBy.set(term, host);
        this.raisedMs.set(term, nowMs);
      }
    }
    if (before.takeover?.phase === "hook" && after.role === "active" && before.role !== "active") {
      this.count("active after the hook");
      if (!this.world.host(host).service.runs)
        this.report(`${host} is active, and its service does not run`);
    }
  }

  private wrote({ write }: Extract<Watched, { kind: "write" }>): void {
    const { host, disk, bytes } = write;
    if (host === null || bytes.toString("latin1", 0, 8) !== "MBRECORD") return;
    if (this.writerOf.get(disk.name) !== this.world.host(host).site) return;
    const { term } = decodeSector("record", bytes.subarray(0, sectorBytes));
    if (term <= (this.onVolume.get(host) ?? 0n)) return;
    this.onVolume.set(host, term);
    if (this.raisedBy.get(term) !== host) return;
    this.count("record in an own new term");
    if ((this.world.host(host).memory.term ?? 0n) < term)
      this.report(`${host} publishes the term ${term} before it is on its disk`);
  }

  /** Whether what it wrote since then, and was told is durable, is that. */
  private wroteWell(host: string, fromMs: number, nowMs: number): boolean {
    return this.mirrors.every(({ name }) =>
      this.faults.isQuiet([{ kind: "volume", host, mirror: name }], fromMs, nowMs),
    );
  }

  private serves(name: string, nowMs: number): void {
    const host = this.world.host(name);
    const { memory, state, site } = host;
    this.count("service begins");
    if (state === null) return this.report(`the service of ${name} begins without its agent`);
    const term = memory.term ?? 0n;
    // Without a lease a disk that is full, or was lost, keeps nobody from serving in the first term.
    const wasLost = memory.term === null && state.config.policy === "operator";
    if (ownerOf(term) !== this.siteIds.get(site) && !wasLost) {
      return this.report(
        `the service of ${name} begins, and its disk says the term ${term}, of another site`,
      );
    }
    if (term !== state.term && !wasLost)
      this.report(
        `the service of ${name} begins in the term ${state.term}, and ${term} is on its disk`,
      );
    if (this.isArmed && !memory.serving && !memory.halfDone)
      this.report(`the service of ${name} begins before its disk says that it may run`);
    if (host.selfHost.beacon) this.report(`the service of ${name} begins, which is a beacon`);
    const fromMs = this.raisedMs.get(term) ?? nowMs;
    if (
      this.raisedBy.get(term) === name &&
      state.takeover !== null &&
      // Where it writes to none, and has no siblings, nobody else need learn of it.
      this.mirrors.some((mirror) => mirror.writer === site && state.paths[mirror.name]?.enabled) &&
      this.wroteWell(name, fromMs, nowMs)
    ) {
      this.count("service begins in a term that was taken");
      if ((this.onVolume.get(name) ?? 0n) < term)
        this.report(
          `the service of ${name} begins in the term ${term}, which is on no volume of its site`,
        );
    }
    // Whose disk was lost does not know that its takeover stopped half-way (docs/safety.md 8).
    const kept = this.faults.isQuiet(
      [{ kind: "files", host: name }],
      this.raisedMs.get(term) ?? 0,
      nowMs,
    );
    for (const group of kept ? this.dataGroups : []) {
      this.count("service begins with data");
      const end = group.writer === site ? "writer" : "reader";
      if (!this.world.pair(group.name).isWritable(end))
        this.report(`the service of ${name} begins, and ${group.name} is not writable there`);
    }
  }

  watch(watched: Watched, nowMs: number): void {
    if (watched.kind === "step") this.steps(watched, nowMs);
    else if (watched.kind === "write") this.wrote(watched);
    else if (watched.kind === "service" && watched.runs) this.serves(watched.host, nowMs);
  }
}

export const order: CheckerKind = {
  name: "order",
  words: "a step of a takeover before the one that it rests on",
  cases: [
    "service begins", "service begins in a term that was taken", "service begins with data",
    "takeover wait was waited", "witness's grant is durable", "record in an own new term", "active after the hook",
  ], // biome-ignore format: one list
  make: (world, faults, report) => new Order(world, faults, report),
};
