/**
 * The copy itself: one loop that obeys commands, then does the next piece of work, then sleeps until
 * something is due. Commands take effect between two pieces of work, so a command that has been
 * answered holds: after a split or a cut nothing is written any more.
 *
 *   copying    runs of blocks are made equal from first to last, then what changed meanwhile
 *   paired     scan -> queue -> (lag) -> target
 *   otherwise  nothing is read or written
 *
 * The source is the PVOL and the target the SVOL, until a swap turns the direction; a pair that is
 * made begins in the first direction again. A swap is between two pieces of work too: all that was
 * found has arrived before it. Nothing keeps a host from writing to what is the target then.
 *
 * The link is a switch. Cut, nothing is copied and the pair still says paired, as arrays do, until
 * a change could not be copied for the link time-out: then it is suspended by an error.
 *
 * Invariants: only `change` sets the state; every transfer has a deadline, and its failure is a
 * state of the pair; a resync begins only when the kernel owes no write.
 */
import { ChangeQueue } from "./change-queue.ts";
import type { Command, CopyView, Direction } from "./command.ts";
import { Copier } from "./copier.ts";
import { Nap } from "./nap.ts";
import { Pace } from "./pace.ts";
import { evidenceOf } from "../evidence.ts";
import type { Claimed } from "./open-pair.ts";
import { type CopyState, type PairEvent, transition } from "./pair-state.ts";
import { pendingOf, percentOf, type Progress } from "./progress.ts";
import { type Run, ScanPlan } from "./scan-plan.ts";
import type { CopyFault, Volume } from "./volume.ts";

export type EngineOptions = {
  readonly scanMs: number;
  readonly lagMs: number;
  readonly linkTimeoutMs: number;
  readonly autoResync: boolean;
  readonly tearMs: number;
  /** Monotonic. */
  readonly nowMs: () => number;
  /** The PVOL as one that may be written; asked for by the first swap. */
  readonly claimPvol: () => Promise<Claimed>;
  readonly onState: (from: CopyState, to: CopyState, cause: string) => void;
};

export type Obeyed =
  | { readonly ok: true }
  | { readonly ok: false; readonly code: string; readonly message: string };

const obeyed: Obeyed = { ok: true };
const copyRunBlocks = 64;
const queueBlocksMin = 4096;
const retryMs = 1000;
const commandsMax = 32;
/** A whole sweep on news takes at most this part of the time. */
const fullSweepShare = 0.1;
const fullSweepGapMs = 100;

type Waiting = { readonly command: Command; readonly resolve: (obeyed: Obeyed) => void };

export class Engine {
  private readonly options: EngineOptions;
  private pvol: Volume;
  private readonly svol: Volume;
  private readonly copier: Copier;
  private readonly queue: ChangeQueue;
  private plan: ScanPlan;
  private pace: Pace;
  private direction: Direction = "pvol-to-svol";
  private state: CopyState = "simplex";
  private cause = "";
  private link: "up" | "cut" = "up";
  private lagMs: number;
  /** Where an initial copy or resync stands. */
  private cursor = 0;
  /** What a suspension left behind. */
  private leftBehind = 0;
  /** Since when a change that is due cannot be copied. */
  private stuckSinceMs: number | null = null;
  private retryAtMs = 0;
  private nextFullSweepMs = 0;
  private stopping = false;
  private readonly commands: Waiting[] = [];
  private readonly nap = new Nap();

  constructor(pvol: Volume, svol: Volume, options: EngineOptions) {
    this.options = options;
    this.pvol = pvol;
    this.svol = svol;
    this.copier = new Copier(pvol, svol, options.nowMs);
    this.copier.tearMs = options.tearMs;
    this.lagMs = options.lagMs;
    this.queue = new ChangeQueue(Math.max(queueBlocksMin, this.copier.blockCount));
    this.plan = new ScanPlan(this.copier.blockCount, options.nowMs());
    this.pace = new Pace(options.scanMs, options.nowMs());
  }

  view(): CopyView {
    const nowMs = this.options.nowMs();
    const { lastCopyMs, copiedBlocks, tearMs } = this.copier;
    return {
      schema: 1,
      state: this.state,
      evidence: this.direction === "pvol-to-svol" ? evidenceOf(this.state) : "split",
      cause: this.cause,
      percent: percentOf(this.progress),
      lastCopyAgoMs: lastCopyMs === null ? null : Math.round(nowMs - lastCopyMs),
      direction: this.direction,
      link: this.link,
      pending: pendingOf(this.progress),
      lagMs: this.lagMs,
      scanMs: this.options.scanMs,
      tearMs,
      pvol: this.pvol.device.path,
      svol: this.svol.device.path,
      blocks: this.copier.blockCount,
      copiedBlocks,
      coalescedSets: this.queue.coalescedSets,
      newsTrusted: this.pace.isTrusted(nowMs),
      pid: process.pid,
    };
  }

  /** Resolves when it has been done, or refused. A query is not a command: see `view`. */
  command(command: Command): Promise<Obeyed> {
    if (this.stopping) return Promise.resolve(refuse("stopping", "the copy is ending"));
    if (this.commands.length >= commandsMax) {
      return Promise.resolve(refuse("busy", "too many commands wait; try again"));
    }
    return new Promise((resolve) => {
      this.commands.push({ command, resolve });
      this.nap.wake();
    });
  }

  /** The kernel says that somebody wrote to that volume; to the target, it was this copy. */
  news(part: Volume["part"]): void {
    if ((part === "PVOL") !== (this.direction === "pvol-to-svol")) return;
    const isFirst = !this.pace.hasNews;
    this.pace.news(this.options.nowMs());
    if (isFirst && this.state === "paired") this.nap.wake();
  }

  /** Until a stop is commanded. */
  async run(): Promise<void> {
    while (!this.stopping) {
      await this.obeyAll();
      if (this.stopping) break;
      const nextMs = await this.step();
      // It ends early for a command or news.
      if (this.commands.length === 0) await this.nap.sleep(nextMs - this.options.nowMs());
    }
    for (const { resolve } of this.commands.splice(0)) {
      resolve(refuse("stopping", "the copy is ending"));
    }
  }

  private get progress(): Progress {
    const { state, cursor, leftBehind } = this;
    const { blockCount } = this.copier;
    return { state, blockCount, cursor, queuedBlocks: this.queue.blocks, leftBehind };
  }

  private change(event: PairEvent, cause = ""): Obeyed {
    const next = transition(this.state, event);
    if (next.kind === "same") return obeyed;
    if (next.kind === "refused") return refuse("wrong-state", `${event}: ${next.message}`);
    const from = this.state;
    this.leftBehind = pendingOf(this.progress);
    this.state = next.state;
    this.cause = event === "failed" ? cause : "";
    this.stuckSinceMs = null;
    this.queue.clear();
    if (next.state === "copying") this.cursor = 0;
    this.options.onState(from, next.state, cause);
    return obeyed;
  }

  private fail(fault: CopyFault): void {
    this.change("failed", fault.text);
    this.retryAtMs = this.options.nowMs() + retryMs;
  }

  private async obeyAll(): Promise<void> {
    for (let next = this.commands.shift(); next; next = this.commands.shift()) {
      next.resolve(await this.obey(next.command));
    }
  }

  private async obey({ name, ms, force }: Command): Promise<Obeyed> {
    switch (name) {
      case "query":
        return obeyed;
      case "create":
      case "resync":
        return this.beginCopying(name);
      case "swap":
        return this.swap(force === true);
      case "takeover":
        return this.takeover();
      case "delete":
        return this.remove();
      case "split":
        return this.split();
      case "cut":
        this.link = "cut";
        return obeyed;
      case "heal":
        this.link = "up";
        this.stuckSinceMs = null;
        this.retryAtMs = 0;
        return obeyed;
      case "lag":
        this.lagMs = ms;
        return obeyed;
      case "tear":
        this.copier.tearMs = ms;
        return obeyed;
      case "stop":
        this.stopping = true;
        return obeyed;
    }
  }

  private beginCopying(event: "create" | "resync"): Obeyed {
    const isSuspended = this.state !== "paired" && this.state !== "copying";
    if (isSuspended && this.link === "cut") return refuse("link-cut", `${event}: the link is cut`);
    if (isSuspended && this.copier.isOwed) {
      return refuse("owed", `${event}: a late request is still with the kernel; try again`);
    }
    return this.change(event);
  }

  private remove(): Obeyed {
    const removed = this.change("delete");
    if (removed.ok) this.turn("pvol-to-svol");
    return removed;
  }

  /** What was written before the split is at the target after it, as with an array. */
  private async split(): Promise<Obeyed> {
    if (this.state !== "paired" || this.link === "cut") return this.change("split");
    const fault = await this.finish();
    if (!fault) return this.change("split");
    this.fail(fault);
    return refuse("failed", `split: ${fault.text}; the pair is suspended by this error`);
  }

  /** The target becomes its site's own volume; what can still be copied is copied first. */
  private async takeover(): Promise<Obeyed> {
    if (this.state === "paired" && this.link === "up") await this.finish();
    if (this.copier.isTargetOwed) {
      return refuse("owed", "takeover: a late write is still with the kernel; try again");
    }
    return this.change("takeover");
  }

  /** The other direction: at once while paired, after a takeover by copying everything back. */
  private async swap(force: boolean): Promise<Obeyed> {
    const next = transition(this.state, "swap");
    if (next.kind !== "to") return this.change("swap");
    const target = this.direction === "pvol-to-svol" ? this.pvol : this.svol;
    if (this.state === "takeover" && !force) {
      const text = `what was written to ${target.device.path} since the takeover would be lost`;
      return refuse("wrong-state", `swap: ${text}; --force does it`);
    }
    if (this.link === "cut") return refuse("link-cut", "swap: the link is cut");
    const fault = this.state === "paired" ? await this.finish() : null;
    if (fault) {
      this.fail(fault);
      return refuse("failed", `swap: ${fault.text}; the pair is suspended by this error`);
    }
    if (this.copier.isOwed) {
      return refuse("owed", "swap: a late request is still with the kernel; try again");
    }
    const claim = await this.claim(target);
    if (claim !== null) return refuse("failed", `swap: ${claim}`);
    this.turn(this.direction === "pvol-to-svol" ? "svol-to-pvol" : "pvol-to-svol");
    return this.change("swap", `copies ${this.direction} now`);
  }

  /** Null when the volume can be written, else why not. */
  private async claim(volume: Volume): Promise<string | null> {
    if (volume.isWritable) return null;
    const claimed = await this.options.claimPvol();
    if (!claimed.ok) return claimed.message;
    await volume.device.close();
    this.pvol = claimed.volume;
    return null;
  }

  private turn(direction: Direction): void {
    if (direction === this.direction) return;
    this.direction = direction;
    const isForward = direction === "pvol-to-svol";
    this.copier.turn(isForward ? this.pvol : this.svol, isForward ? this.svol : this.pvol);
    const nowMs = this.options.nowMs();
    this.plan = new ScanPlan(this.copier.blockCount, nowMs);
    this.pace = new Pace(this.options.scanMs, nowMs);
  }

  /** Brings all that the source holds now to the target. */
  private async finish(): Promise<CopyFault | null> {
    return (await this.scan(this.plan.all())) ?? (await this.drain(0, () => false));
  }

  /** Does what is due; says when something will be. */
  private async step(): Promise<number> {
    switch (this.state) {
      case "copying":
        return this.copyStep();
      case "paired":
        return this.pairStep();
      case "suspended-by-error":
        return this.retryStep();
      case "simplex":
      case "suspended-by-operator":
      case "takeover":
        return Infinity;
    }
  }

  private retryStep(): number {
    if (!this.options.autoResync || this.link === "cut") return Infinity;
    const nowMs = this.options.nowMs();
    if (nowMs < this.retryAtMs) return this.retryAtMs;
    if (!this.copier.isOwed && this.change("resync").ok) return nowMs;
    this.retryAtMs = nowMs + retryMs;
    return this.retryAtMs;
  }

  private async copyStep(): Promise<number> {
    if (this.link === "cut") return this.stuck();
    const count = Math.min(copyRunBlocks, this.copier.blockCount - this.cursor);
    const fault =
      count > 0 ? await this.copier.equalise({ first: this.cursor, count }) : await this.finish();
    if (fault) this.fail(fault);
    else if (count > 0) this.cursor += count;
    else this.change("copied");
    return this.options.nowMs();
  }

  private async pairStep(): Promise<number> {
    const fault =
      (await this.scanIfDue()) ?? (await this.drain(this.lagMs, () => this.commands.length > 0));
    if (fault) this.fail(fault);
    if (this.state !== "paired") return this.options.nowMs();
    const nowMs = this.options.nowMs();
    const stuckEndMs = this.link === "cut" ? this.stuckEndMs(nowMs) : Infinity;
    const dueMs = this.link === "cut" ? Infinity : this.queue.dueMs(this.lagMs);
    return Math.min(this.pace.nextMs(nowMs), dueMs, stuckEndMs);
  }

  private async scanIfDue(): Promise<CopyFault | null> {
    const nowMs = this.options.nowMs();
    if (this.pace.nextMs(nowMs) > nowMs) return null;
    const hasNews = this.pace.hasUnexplainedNews;
    const before = this.queue.blocks;
    const fault = await this.scan(this.plan.next(nowMs, this.pace.isQuiet(nowMs)));
    if (fault) return fault;
    // Somebody wrote, and not where something usually changes: then it is anywhere.
    if (hasNews && this.queue.blocks === before && nowMs >= this.nextFullSweepMs) {
      const sweepFault = await this.scan(this.plan.all());
      if (sweepFault) return sweepFault;
      const endedMs = this.options.nowMs();
      this.nextFullSweepMs = endedMs + Math.max(fullSweepGapMs, (endedMs - nowMs) / fullSweepShare);
    }
    return null;
  }

  private async scan(runs: readonly Run[]): Promise<CopyFault | null> {
    const beganMs = this.options.nowMs();
    const snapshot = await this.copier.snapshot(runs, (changed) => {
      for (const block of changed.keys()) this.plan.note(block, beganMs);
      return this.plan.hot();
    });
    if (!snapshot.ok) return snapshot.fault;
    const { set } = snapshot;
    this.pace.scanned(beganMs, set.blocks.size > 0);
    if (set.blocks.size > 0) this.queue.push(set);
    return null;
  }

  /** Copies every set that is due. */
  private async drain(lagMs: number, isInterrupted: () => boolean): Promise<CopyFault | null> {
    for (;;) {
      const set = this.queue.due(this.options.nowMs(), lagMs);
      if (!set) return null;
      if (this.link === "cut") {
        this.stuck();
        return null;
      }
      const fault = await this.copier.apply(set, isInterrupted);
      if (fault) return fault;
      if (set.blocks.size > 0) return null;
      this.queue.shift();
      if (isInterrupted()) return null;
    }
  }

  /** The link is cut and something should be copied: after the time-out that is an error. */
  private stuck(): number {
    const nowMs = this.options.nowMs();
    this.stuckSinceMs ??= nowMs;
    const endMs = this.stuckSinceMs + this.options.linkTimeoutMs;
    if (nowMs < endMs) return endMs;
    const text = `link down: nothing copied for ${this.options.linkTimeoutMs} ms`;
    this.fail({ part: "link", code: "DOWN", text });
    return nowMs;
  }

  private stuckEndMs(nowMs: number): number {
    if (this.stuckSinceMs !== null) return this.stuckSinceMs + this.options.linkTimeoutMs;
    return Math.max(nowMs, this.queue.dueMs(this.lagMs));
  }
}

function refuse(code: string, message: string): Obeyed {
  return { ok: false, code, message };
}
