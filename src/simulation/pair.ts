/**
 * A simulated pair of two volumes: an array copies what is written to its primary over a link of
 * its own. Writes arrive in their order while it is paired, in any order while it is copying. What
 * cannot be sent is remembered; when that lasts, the pair is suspended, and made whole again later.
 */
import type { PairState } from "../remotecopy/provider.ts";
import type { Block, Disk } from "./disk.ts";
import type { Random } from "./random.ts";
import type { VirtualTime } from "./virtual-time.ts";

/** "writer": the site that wrote it when it was set up. */
export type End = "writer" | "reader";
export const otherEnd = (end: End): End => (end === "writer" ? "reader" : "writer");

export type PairTimes = {
  /** From a write's landing to its arrival. */
  lagMs: number;
  /** On top of that, drawn anew for each write. */
  jitterMs: number;
  /** What cannot be sent for so long suspends the pair. */
  suspendAfterMs: number;
  /** A suspended pair resynchronises by itself so long after its link is back; null: it does not. */
  resyncAfterMs: number | null;
  /** One block of a resynchronisation. */
  copyMs: number;
};

export class Pair {
  readonly name: string;
  readonly disks: Readonly<Record<End, Disk>>;
  /** Site at each end. */
  readonly sites: Readonly<Record<End, string>>;
  times: PairTimes = {
    lagMs: 20,
    jitterMs: 5,
    suspendAfterMs: 20_000,
    resyncAfterMs: 3000,
    copyMs: 10,
  };
  state: PairState = "paired";
  primary: End = "writer";
  /** Several writes to one block before it is sent: only the last one is. */
  coalesces = false;
  /** The array answers nothing but refusals where this pair is concerned. */
  isFailing = false;
  private isLinkUp = true;
  private isStalled = false;
  private readonly time: VirtualTime;
  private readonly random: Random;
  /** Blocks that the secondary lacks, in the order in which they were written. */
  private readonly behind = new Map<number, Block>();
  private queue: { readonly block: number; readonly bytes: Block }[] = [];
  private arrivedMs = 0;
  /** Raised by whatever makes things on their way void. */
  private epoch = 0;
  private suspending: (() => void) | null = null;
  /** Told of each change of the state or of the link. */
  onChange: () => void = () => undefined;
  /** What comes on top of `lagMs` for each write, in place of the jitter. */
  lagSource: (() => number) | null = null;

  constructor(
    name: string,
    disks: Record<End, Disk>,
    sites: Record<End, string>,
    time: VirtualTime,
    random: Random,
  ) {
    this.name = name;
    this.disks = disks;
    this.sites = sites;
    this.time = time;
    this.random = random;
    for (const end of ["writer", "reader"] as const) {
      disks[end].isWritable = () => this.isWritable(end);
      disks[end].onWrite(({ block, bytes }) => {
        if (this.primary === end) this.wrote(block, bytes);
      });
    }
  }

  get linkUp(): boolean {
    return this.isLinkUp;
  }

  isWritable(end: End): boolean {
    return end === this.primary || this.state === "takeover" || this.state === "simplex";
  }

  get secondary(): Disk {
    return this.disks[otherEnd(this.primary)];
  }

  private get isCopying(): boolean {
    return this.state === "paired" || this.state === "copying";
  }

  private get flows(): boolean {
    return this.isLinkUp && !this.isStalled && this.isCopying;
  }

  // ---- Faults of the link

  link(up: boolean): void {
    if (this.isLinkUp === up) return;
    this.isLinkUp = up;
    if (!up) this.holdBack();
    else this.flowAgain();
    this.onChange();
  }

  /** The link is there and carries nothing; what is on its way stays so, in its order. */
  stall(isStalled: boolean): void {
    if (this.isStalled === isStalled) return;
    this.isStalled = isStalled;
    if (isStalled) this.holdBack();
    else this.flowAgain();
  }

  private flowAgain(): void {
    if (!this.isLinkUp || this.isStalled) return;
    const { epoch } = this;
    const { resyncAfterMs } = this.times;
    if (this.state === "suspended-by-error" && resyncAfterMs !== null) {
      this.time.after(resyncAfterMs, () => {
        if (this.epoch === epoch && this.state === "suspended-by-error") this.resync();
      });
    }
    if (this.state === "copying") return this.copyNext(this.nextEpoch());
    if (!this.flows) return;
    this.suspending?.();
    this.suspending = null;
    const waiting = this.queue;
    this.queue = [];
    for (const write of waiting) this.send(write.block, write.bytes);
  }

  /** What is on its way at a cut is lost there, and sent again later. */
  private holdBack(): void {
    this.nextEpoch();
    if (this.state !== "paired") return;
    this.queue = [...this.behind].map(([block, bytes]) => ({ block, bytes }));
    this.watchForSuspension();
  }

  private nextEpoch(): number {
    this.epoch += 1;
    this.arrivedMs = this.time.nowMs;
    return this.epoch;
  }

  private watchForSuspension(): void {
    if (this.suspending || this.queue.length === 0) return;
    this.suspending = this.time.after(this.times.suspendAfterMs, () => {
      this.suspending = null;
      if (this.flows || !this.isCopying) return;
      this.become("suspended-by-error");
    });
  }

  private become(state: PairState): void {
    if (this.state === state) return;
    this.state = state;
    this.onChange();
  }

  // ---- Copying

  private wrote(block: number, bytes: Block): void {
    if (this.state === "simplex") return;
    this.behind.delete(block);
    this.behind.set(block, bytes);
    if (this.state !== "paired") return;
    if (this.flows) return this.send(block, bytes);
    if (this.coalesces) this.queue = this.queue.filter((write) => write.block !== block);
    this.queue.push({ block, bytes });
    this.watchForSuspension();
  }

  private send(block: number, bytes: Block): void {
    const { epoch } = this;
    const { lagMs, jitterMs } = this.times;
    const drawnMs = (): number => (jitterMs > 0 ? this.random.around(jitterMs) : 0);
    const dueMs = this.time.nowMs + lagMs + (this.lagSource ? this.lagSource() : drawnMs());
    // A remote copy keeps the order of writes.
    this.arrivedMs = Math.max(this.arrivedMs, dueMs);
    this.time.at(this.arrivedMs, () => {
      if (this.epoch !== epoch) return;
      this.arrive(block, this.coalesces ? this.disks[this.primary].read(block) : bytes);
    });
  }

  private arrive(block: number, bytes: Block): void {
    if (this.behind.get(block) === bytes) this.behind.delete(block);
    this.secondary.write(block, bytes, null);
  }

  /** One block after the other, in any order: records may be seen mixed meanwhile. */
  private copyNext(epoch: number): void {
    const blocks = [...this.behind.keys()];
    if (blocks.length === 0) return this.become("paired");
    const block = this.random.pick(blocks);
    this.time.after(this.times.copyMs, () => {
      if (this.epoch !== epoch || !this.flows) return;
      const bytes = this.behind.get(block);
      if (bytes) this.arrive(block, bytes);
      this.copyNext(epoch);
    });
  }

  /** The array suspends it by itself, for a fault that is not the link's. */
  fail(): boolean {
    return this.suspend("suspended-by-error");
  }

  /** All of it is copied anew, block by block in any order. */
  copyAnew(): boolean {
    if (this.state !== "paired" || !this.isLinkUp) return false;
    this.copyAll(this.primary);
    return true;
  }

  private copyAll(from: End): void {
    const source = this.disks[from];
    for (const block of source.written()) this.behind.set(block, source.read(block));
    this.queue = [];
    this.become("copying");
    this.copyNext(this.nextEpoch());
  }

  private suspend(as: "suspended-by-error" | "suspended-by-operator"): boolean {
    if (!this.isCopying) return false;
    this.nextEpoch();
    this.queue = [];
    this.become(as);
    return true;
  }

  // ---- Commands of the array; false where it refuses

  split(): boolean {
    return this.suspend("suspended-by-operator");
  }

  resync(): boolean {
    const isSplit = this.state.startsWith("suspended");
    if (!isSplit || !this.isLinkUp) return false;
    this.queue = [];
    this.become("copying");
    this.copyNext(this.nextEpoch());
    return true;
  }

  /** The secondary becomes writable, whatever the link does. */
  takeOver(end: End): boolean {
    if (end === this.primary || this.state === "simplex" || this.state === "copying") return false;
    // Asked for while all is well, an array exchanges the roles.
    if (this.state === "paired" && this.isLinkUp && this.behind.size === 0) return this.exchange();
    this.nextEpoch();
    this.queue = [];
    this.become("takeover");
    return true;
  }

  /** Exchanges the roles; where `end` was taken over, its content is copied back. */
  swap(end: End): boolean {
    if (this.state === "paired") return this.behind.size === 0 && this.isLinkUp && this.exchange();
    if (this.state !== "takeover" || !this.isLinkUp || end === this.primary) return false;
    this.primary = end;
    this.behind.clear();
    this.copyAll(end);
    return true;
  }

  private exchange(): boolean {
    this.primary = otherEnd(this.primary);
    this.onChange();
    return true;
  }

  remove(): boolean {
    this.nextEpoch();
    this.queue = [];
    this.behind.clear();
    this.become("simplex");
    return true;
  }

  create(): boolean {
    if (this.state !== "simplex" || !this.isLinkUp) return false;
    this.copyAll(this.primary);
    return true;
  }
}
