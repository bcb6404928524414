/**
 * Under a lease no service outlives its right (docs/safety.md 6.2). Let b be the true moment at which
 * this host issued the newest of its beats that was granted to it; then its service does not run
 * after b + (lease + 2 watchdog) / (1 - rho): by then it was stopped, or its machine was reset.
 *
 * Granted is a beat whose echo, with its nonce, came to this host in a record that grants, in the
 * term of both; or one that had landed on a witness volume of its site before a good read of the
 * other one there. Grants are read off what the shell gave the core, not off the core's own anchors.
 *
 * It need hold no lease while it is alone (6.5): from the storing of a term that it takes itself, or
 * from a record in which the other site renounces; until its own record says that its guard is on.
 * A host that is alone must be fed all the same: once its agent is dead or stopped, its service ends
 * within two of the watchdog's times.
 */
import { isLeased } from "../../core/base/config.ts";
import { decodeSector } from "../../core/sector/codec.ts";
import {
  type EchoSector,
  type HeartbeatRecord,
  recordFlags,
  sectorBytes,
} from "../../core/sector/layout.ts";
import type { CheckerKind } from "../checker.ts";
import { Judge } from "./judge.ts";
import type { Watched } from "../observation.ts";

type Step = Extract<Watched, { kind: "step" }>;
type Issued = { readonly nonce: bigint; readonly atMs: number };

/** What is known of one run of one host's agent, and of its service. */
class Guarded {
  issued = new Map<bigint, Issued>();
  /** Of a former run too: its service may be running still. */
  anchorMs = Number.NEGATIVE_INFINITY;
  incarnation = -1n;
  isAlone = false;
  /** Who was alone and is not any more is fed no more: its watchdog has its time. */
  graceMs = Number.NEGATIVE_INFINITY;
  /** Newest beat of this run that landed on a witness volume. */
  landedMs = Number.NEGATIVE_INFINITY;
  /** Since when nobody feeds; infinite while somebody may. */
  unfedMs = Number.POSITIVE_INFINITY;
  runs = false;
}

/** Beats older than a few leases are granted to nobody. */
const issuedMax = 512;

class SelfFence extends Judge {
  private readonly timing = this.world.config.timing;

  private readonly mirrors = this.world.config.mirrors;

  private readonly rho = this.timing.driftPpm / 1e6;

  private readonly leaseMs = (this.timing.leaseMs + 2 * this.timing.watchdogMs) / (1 - this.rho);

  private readonly fedMs = (2 * this.timing.watchdogMs) / (1 - this.rho);

  private readonly hosts = new Map(
    [...this.world.hosts.keys()].map((name) => [name, new Guarded()]),
  );

  private readonly witnessDisks = new Map(
    this.mirrors
      .filter(({ witness }) => witness)
      .map(({ name, writer }) => [`${name} pvol`, writer]),
  );

  private readonly serving = new Set<string>();

  private of(name: string): Guarded {
    return this.hosts.get(name) as Guarded;
  }

  private dueMs(one: Guarded): number {
    const rightMs = one.isAlone
      ? Number.POSITIVE_INFINITY
      : Math.max(one.anchorMs + this.leaseMs, one.graceMs);
    return Math.min(rightMs, one.unfedMs + this.fedMs);
  }

  private setAlone(one: Guarded, isAlone: boolean, nowMs: number): void {
    if (one.isAlone && !isAlone) one.graceMs = Math.min(nowMs, one.unfedMs) + this.fedMs;
    one.isAlone = isAlone;
  }

  private echoed(
    one: Guarded,
    { after, host }: Step,
    record: HeartbeatRecord,
    echoes: readonly EchoSector[],
  ): void {
    const grants =
      (record.flags & recordFlags.grants) !== 0 && (record.flags & recordFlags.closing) === 0;
    if (!grants || record.site === after.ownSiteId || record.term !== after.term) return;
    const { slot } = this.world.host(host).selfHost;
    for (const {
      peerSite,
      firstPeer,
      count: peers,
      echoes: entries,
      incarnation,
      serial,
    } of echoes) {
      if (peerSite !== after.ownSiteId || slot < firstPeer || slot >= firstPeer + peers) continue;
      if (incarnation !== record.incarnation || serial !== record.serial) continue;
      const echo = entries[slot - firstPeer];
      const beat =
        echo && echo.incarnation === one.incarnation ? one.issued.get(echo.serial) : undefined;
      if (!beat || beat.nonce !== echo?.nonce) continue;
      this.count("grant");
      one.anchorMs = Math.max(one.anchorMs, beat.atMs);
    }
  }

  /** Whether the records of this input say that takeover is renounced in this term. */
  private heeds(one: Guarded, step: Step): boolean {
    const { input, after } = step;
    let isRenounced = false;
    const heed = (record: HeartbeatRecord, echoes: readonly EchoSector[]): void => {
      this.echoed(one, step, record, echoes);
      isRenounced ||=
        (record.flags & recordFlags.renounced) !== 0 &&
        record.term === after.term &&
        record.renouncedTerm === after.term;
    };
    if (input.kind === "network-read")
      for (const { record, echoes } of input.records) heed(record, echoes);
    if (input.kind === "mirror-read") {
      for (const { reading, echoes } of input.seen)
        if (reading.kind === "record") heed(reading.record, echoes);
      const isWitness = this.witnessDisks.has(`${input.mirror} pvol`);
      if (isWitness && input.read.kind === "good")
        one.anchorMs = Math.max(one.anchorMs, one.landedMs);
    }
    return isRenounced;
  }

  private steps(step: Step, nowMs: number): void {
    const { host, before, after, input, actions } = step;
    const one = this.of(host);
    if (one.incarnation !== after.incarnation) {
      one.incarnation = after.incarnation;
      one.issued.clear();
      one.landedMs = Number.NEGATIVE_INFINITY;
    }
    const isRenounced = this.heeds(one, step);
    if (!before.lease.solo && after.lease.solo) {
      const took = input.kind === "term-stored" && before.takeover?.term === after.term;
      if (!took && !isRenounced)
        this.report(
          `${host} is alone in the term ${after.term}: it neither took it nor was it renounced`,
        );
      this.count(took ? "alone by a takeover" : "alone by the other site's word");
    }
    this.setAlone(one, after.lease.solo, nowMs);
    for (const action of actions) {
      if (action.kind !== "publish") continue;
      one.issued.set(action.body.serial, { nonce: action.body.nonce, atMs: nowMs });
      if (one.issued.size > issuedMax) one.issued.delete(one.issued.keys().next().value as bigint);
    }
  }

  private wrote({ write }: Extract<Watched, { kind: "write" }>): void {
    const { host, disk, bytes } = write;
    if (host === null || this.witnessDisks.get(disk.name) !== this.world.host(host).site) return;
    if (bytes.toString("latin1", 0, 8) !== "MBRECORD") return;
    const one = this.of(host);
    const { incarnation, serial } = decodeSector("record", bytes.subarray(0, sectorBytes));
    const beat = incarnation === one.incarnation ? one.issued.get(serial) : undefined;
    if (beat) one.landedMs = Math.max(one.landedMs, beat.atMs);
  }

  private look(nowMs: number): void {
    for (const name of this.serving) {
      const one = this.of(name);
      if (nowMs <= this.dueMs(one) + 1) continue;
      this.serving.delete(name);
      const why = one.isAlone
        ? "its agent does not run"
        : `its newest granted beat is of ${one.anchorMs.toFixed(0)}`;
      this.report(`the service of ${name} still runs, and ${why}`);
    }
  }

  watch(watched: Watched, nowMs: number): void {
    if (this.serving.size > 0) this.look(nowMs);
    switch (watched.kind) {
      case "step":
        return this.steps(watched, nowMs);
      case "write":
        return this.wrote(watched);
      case "agent":
      case "machine": {
        const one = this.of(watched.host);
        const { what } = watched;
        const goesOn = what === "continues" || what === "resumes";
        if (what === "begins" || (goesOn && this.world.host(watched.host).isBeating)) {
          if (what === "begins") this.setAlone(one, false, nowMs);
          one.unfedMs = Number.POSITIVE_INFINITY;
        } else one.unfedMs = Math.min(one.unfedMs, nowMs);
        return;
      }
      case "service": {
        const one = this.of(watched.host);
        if (watched.runs) return void this.serving.add(watched.host);
        if (this.serving.delete(watched.host)) {
          if (!one.isAlone) this.count("service under a lease ends");
          else if (Number.isFinite(one.unfedMs)) this.count("service alone, agent dead");
        }
        return;
      }
      default:
    }
  }
}

export const selfFence: CheckerKind = {
  name: "self-fence",
  words: "a service that outlives its right",
  cases: [
    "service under a lease ends",
    "service alone, agent dead",
    "alone by a takeover",
    "alone by the other site's word",
    "grant",
  ],
  make: (world, faults, report) =>
    isLeased(world.config.policy)
      ? new SelfFence(world, faults, report)
      : { watch: () => undefined },
};
