/**
 * The reading end of one mirror: polls the record area of the SVOL and tells the core what each
 * poll showed. A device that is missing, hung or failing costs this path and nothing else: it is
 * opened again now and then, and a poll that cannot be done is told as a failed read.
 */
import type { Refusal } from "../core/base/exit-codes.ts";
import type { Read } from "../core/observation.ts";
import type { Rejection } from "../core/record.ts";
import type { HeartbeatRecord } from "../core/sector/layout.ts";
import type { Seen } from "../core/step/state.ts";
import type { AreaPoller, AreaReading } from "../device/poller.ts";
import type { BlockIo } from "../device/block.ts";
import type { Volume } from "../volume/open.ts";
import { FarEchoes } from "./far-echoes.ts";
import type { Keyring } from "./seal.ts";
import { recordAreaPoller, slotOpener, type SlotsReading } from "./slots.ts";

export type Poll = {
  readonly read: Read;
  readonly seen: readonly Seen[];
  readonly rejected: readonly Rejection[];
};

export type VolumeOpener = () => Promise<
  | { readonly ok: true; readonly volume: Volume }
  | {
      readonly ok: false;
      readonly refusal: Refusal;
      /** When the attempt holds nothing any more; not given where it holds nothing. */
      readonly owed?: Promise<void>;
    }
>;

export type ReaderOptions = {
  readonly io: BlockIo;
  readonly open: VolumeOpener;
  readonly first: Volume | null;
  readonly slots: number;
  readonly siteId: number;
  readonly echoSlot: number | null;
  /** Whether this volume is written too: then nothing is done without a whole superblock. */
  readonly writes: boolean;
  /** Whether the core would look at the echo that comes with this record; always, if not given. */
  readonly isNews?: (record: HeartbeatRecord) => boolean;
  readonly keys: Keyring;
  readonly nowMs: () => number;
  readonly readDeadlineMs: number;
  /** A read under way for longer than this hangs; one that is younger is waited for. */
  readonly hungAfterMs: number;
  /** Told when the device cannot be used, and when it can again (null). */
  readonly onFault: (fault: string | null) => void;
};

const reopenMs = 2000;
/** Failed reads, not hung ones, after which the device is opened anew. */
const failuresToReopen = 5;

const readHung = "read hung";
const superblockDamaged =
  "its superblock is damaged: mirrorbeat format --repair at the writing site";

const foreignReasons: ReadonlySet<Rejection> = new Set(["foreign-volume", "foreign-cluster"]);

export const nsToMs = (ns: bigint): number => Number(ns) / 1e6;

const failedRead = (endedMs: number, failure: string): Poll => ({
  read: { kind: "failed", endedMs, failure },
  seen: [],
  rejected: [],
});

type Use = {
  readonly volume: Volume;
  /** As many as were configured when it was taken. */
  readonly slots: number;
  readonly poller: AreaPoller;
  readonly farEchoes: FarEchoes | null;
  readonly openSlots: (reading: Extract<AreaReading, { kind: "read" }>) => SlotsReading;
};

export class Reader {
  private readonly options: ReaderOptions;
  private use: Use | null = null;
  private opening = false;
  private reading: { readonly beganMs: number; readonly end: Promise<Poll> } | null = null;
  private oneWaits = false;
  /** Attempts to open, and devices being closed, that the kernel has not given back. */
  private owed = 0;
  private failures = 0;
  /** What of the open volume is not as it was; "everything": no record stands there either. */
  private damage: "none" | "superblock" | "everything" = "none";
  /** What polls are told while the device is not open: why it was given up. */
  private closedFor = "closed";
  private triedMs = Number.NEGATIVE_INFINITY;
  private told: string | null = null;

  constructor(options: ReaderOptions) {
    this.options = options;
    if (options.first) this.take(options.first);
  }

  get volume(): Volume | null {
    return this.use?.volume ?? null;
  }

  get fault(): string | null {
    return this.told;
  }

  /** Why no volume is open, while none is. */
  get givenUp(): string {
    return this.closedFor;
  }

  /**
   * Resolves when a read ends that began no earlier than this call. One that is under way is waited
   * for, unless it hangs: then at once a failed read "hung". null where a poll waits already: that
   * one's read serves for both.
   */
  async poll(): Promise<Poll | null> {
    const { reading } = this;
    if (!reading) return this.read();
    const nowMs = this.options.nowMs();
    if (nowMs - reading.beganMs > this.options.hungAfterMs) return failedRead(nowMs, "hung");
    if (this.oneWaits) return null;
    this.oneWaits = true;
    await reading.end;
    this.oneWaits = false;
    return this.reading ? null : this.read();
  }

  private read(): Promise<Poll> {
    if (this.use && this.use.slots !== this.options.slots) void this.reopen();
    const { use } = this;
    const beganMs = this.options.nowMs();
    if (!use) {
      void this.reopen();
      return Promise.resolve(failedRead(beganMs, this.closedFor));
    }
    const end = use.poller.poll(this.options.readDeadlineMs).then((result) => {
      this.reading = null;
      return this.settle(result, use);
    });
    this.reading = { beganMs, end };
    return end;
  }

  private withFarEchoes(far: FarEchoes, seen: readonly Seen[]): readonly Seen[] {
    const records = seen.flatMap(({ reading }) =>
      reading.kind === "record" ? [reading.record] : [],
    );
    void far.readNext(records, this.options.readDeadlineMs);
    return seen.map((each) => ({ ...each, echoes: [...each.echoes, ...far.of(each.slot)] }));
  }

  private tell(fault: string | null): void {
    if (this.told === fault) return;
    this.told = fault;
    this.options.onFault(fault);
  }

  private take(volume: Volume): void {
    const { io, slots, siteId, keys, echoSlot, isNews } = this.options;
    const poller = recordAreaPoller(io, volume, Math.min(slots, volume.plan.slots));
    this.failures = 0;
    this.damage = "none";
    this.closedFor = "closed";
    if (!poller) {
      this.owe(volume.device.close());
      return this.tell("no memory left for its lanes");
    }
    this.use = {
      volume,
      slots,
      poller,
      openSlots: slotOpener(volume, siteId, keys, echoSlot, isNews),
      farEchoes: FarEchoes.open(volume, echoSlot, keys),
    };
    this.tell(null);
  }

  /** For good: it is not polled any more. */
  close(): void {
    this.drop();
  }

  private drop(): void {
    if (this.use) this.owe(this.use.volume.device.close());
    this.use = null;
  }

  private owe(late: Promise<void>): void {
    this.owed += 1;
    void late.finally(() => {
      this.owed -= 1;
    });
  }

  /** Opens it now, whatever waited; null when it is open, else why not. Ends with the attempt. */
  async openNow(): Promise<string | null> {
    if (this.use) return null;
    if (this.opening || this.owed > 0) return "an attempt to open it is under way";
    this.triedMs = Number.NEGATIVE_INFINITY;
    await this.reopen();
    return this.use ? null : (this.told ?? this.closedFor);
  }

  /** A device that hangs keeps what each attempt took: the next waits until it has come back. */
  private async reopen(): Promise<void> {
    const { nowMs } = this.options;
    if (this.opening || this.owed > 0 || nowMs() - this.triedMs < reopenMs) return;
    this.opening = true;
    this.triedMs = nowMs();
    const result = await this.options.open();
    this.opening = false;
    if (!result.ok) {
      if (result.owed) this.owe(result.owed);
      return this.tell(result.refusal.message);
    }
    // The same volume, opened while the old one still serves: what its slots hold is their own fault.
    const isSame = this.use?.volume.volumeId === result.volume.volumeId;
    if (isSame && this.use?.slots === this.options.slots) {
      return this.owe(result.volume.device.close());
    }
    this.drop();
    this.take(result.volume);
  }

  /** Another volume stands here now, or none: nothing of it is read or written before it is opened. */
  private giveUp(use: Use): Poll {
    if (this.use === use) this.drop();
    this.closedFor = "superblock changed";
    void this.reopen();
    return failedRead(this.options.nowMs(), this.closedFor);
  }

  /** Records prove themselves: what is only read may be read on without its superblock. */
  private judge(superblock: SlotsReading["superblock"], seen: readonly Seen[]): void {
    const isNews = superblock !== null || this.told === readHung;
    if (superblock !== null) this.damage = superblock === "same" ? "none" : "superblock";
    if (this.damage !== "none" && seen.length > 0) {
      const hasRecord = seen.some(({ reading }) => reading.kind === "record");
      this.damage = hasRecord ? "superblock" : "everything";
    }
    if (isNews) this.tell(this.damage === "none" ? null : superblockDamaged);
    // Something else stands here now: opening it says what.
    if (this.damage === "everything") void this.reopen();
  }

  private settle(result: AreaReading, use: Use): Poll {
    switch (result.kind) {
      case "busy":
      case "expired":
        // Of a volume that is written too, its writes tell.
        if (!this.options.writes) this.tell(readHung);
        return failedRead(this.options.nowMs(), "hung");
      case "failed":
        this.failures += 1;
        if (this.failures >= failuresToReopen && this.use === use) {
          this.closedFor = result.code;
          if (!this.options.writes) this.tell(`read ${result.code}`);
          this.drop();
        }
        return failedRead(this.options.nowMs(), result.code);
      case "read": {
        this.failures = 0;
        const { superblock, seen, rejected } = use.openSlots(result);
        if (superblock === "another") return this.giveUp(use);
        if (superblock === "damaged" && this.options.writes) return this.giveUp(use);
        this.judge(superblock, seen);
        const whole = use.farEchoes ? this.withFarEchoes(use.farEchoes, seen) : seen;
        // Other content under the same name: the superblock is asked again what this volume is.
        if (rejected.some((reason) => foreignReasons.has(reason))) void this.reopen();
        const beganMs = nsToMs(result.beganNs);
        const endedMs = nsToMs(result.endedNs);
        return { read: { kind: "good", beganMs, endedMs }, seen: whole, rejected };
      }
    }
  }
}
