/**
 * One mirror that our site writes: this host's slot, and a look at the whole record area of our own
 * PVOL before each write. The look serves three ends: nothing is written under another superblock
 * than ours, sibling hosts tell their term there, and a slot that two hosts write is found. A device
 * that fails is opened again now and then.
 */
import type { HeartbeatRecord } from "../core/sector/layout.ts";
import type { Copy } from "../core/sector/volume.ts";
import type { RecordBody } from "../core/step/state.ts";
import type { BlockIo } from "../device/block.ts";
import type { Volume } from "../volume/open.ts";
import { SlotWriter, underWay, type WriteEnd } from "./pvol.ts";
import type { EchoSet, Keyring, Writer } from "./seal.ts";
import type { OwnVolume } from "./gather.ts";
import { Reader } from "./svol.ts";

export type MirrorOutOptions = {
  readonly io: BlockIo;
  readonly own: OwnVolume;
  readonly writer: Writer;
  readonly keys: Keyring;
  readonly writeLimitMs: number;
  readonly slots: number;
  /** Whether a record in our slot may stand there: ours, or older than we are. */
  readonly mayStand: (record: HeartbeatRecord) => boolean;
  readonly nowMs: () => number;
  readonly onFault: (fault: string | null) => void;
  readonly onSibling: (record: HeartbeatRecord) => void;
  /** A good look at all slots, begun after that serial of ours was durable here; 0 before any. */
  readonly onLook: (afterSerial: bigint) => void;
  /** Whether this mirror is in use here: else it is only looked at. */
  readonly inUse: () => boolean;
  /** A record of ours from before this start, before anything is written over it. */
  readonly onOwnRecord: (record: HeartbeatRecord) => void;
  readonly onSlotLost: (detail: string) => void;
};

/** What became of the beats of this mirror. */
export type WriteCounts = { done: number; skipped: number; failed: number; lastMs: number | null };

/** A look under way, and one that waits: a beat beyond these is skipped. */
const looksMax = 2;

export class MirrorOut {
  readonly readerSite: string;
  readonly counts: WriteCounts = { done: 0, skipped: 0, failed: 0, lastMs: null };
  private readonly options: MirrorOutOptions;
  /** Reads share the device that was opened for writing; the reader opens it anew when it fails. */
  private readonly reader: Reader;
  private slot: SlotWriter | null = null;
  private slotVolume: Volume | null = null;
  /** The volume that a good look has shown, and the copy of our slot that was the newer one then. */
  private looked: { readonly volume: Volume; readonly newest: Copy | null } | null = null;
  private looks: Promise<unknown> = Promise.resolve();
  private looksAsked = 0;
  private slotLost = false;
  private writtenVolumeId: string | null = null;
  /** Newest record of ours that is durable, and where. */
  private durableSerial = 0n;
  private durableVolumeId: string | null = null;
  private told: string | null = null;
  private readFault: string | null = null;

  constructor(options: MirrorOutOptions) {
    const { own, writer } = options;
    this.options = options;
    this.readerSite = own.mirror.reader;
    this.reader = new Reader({
      io: options.io,
      open: own.open,
      first: own.volume,
      get slots() {
        return options.slots;
      },
      siteId: writer.siteId,
      echoSlot: null,
      writes: true,
      keys: options.keys,
      nowMs: options.nowMs,
      get readDeadlineMs() {
        return options.writeLimitMs;
      },
      get hungAfterMs() {
        return options.writeLimitMs;
      },
      onFault: (fault) => {
        this.readFault = fault;
        this.tell(fault);
      },
    });
  }

  get fault(): string | null {
    return this.told;
  }

  /** null while it is not open. */
  get volume(): Volume | null {
    return this.reader.volume;
  }

  close(): void {
    this.reader.close();
  }

  /** null when it is open, else why not. */
  openNow(): Promise<string | null> {
    return this.reader.openNow();
  }

  /** Looks first, then writes. A look that fails does not forbid to write where one did not. */
  async write(body: RecordBody, set: EchoSet, final: boolean): Promise<WriteEnd> {
    if (this.looksAsked >= looksMax && !final) {
      return this.account({ kind: "skipped", reason: "hung" });
    }
    const term = await this.look();
    // Made before that term was known: the next beat is in it.
    if (term !== null && term > body.term) return this.withhold("a higher term stands in our slot");
    const slot = this.currentSlot();
    if (typeof slot === "string") return this.withhold(slot);
    return this.account(await (final ? slot.writeFinal(body, set) : slot.write(body, set)));
  }

  /** For beats that are not written here; each write looks by itself. */
  async watchSiblings(): Promise<void> {
    if (this.looksAsked === 0) await this.look();
  }

  /** One after the other, so that writes keep their order. The term of an old record of ours. */
  private look(): Promise<bigint | null> {
    this.looksAsked += 1;
    const look = this.looks.then(async () => {
      const term = await this.lookNow();
      this.looksAsked -= 1;
      return term;
    });
    this.looks = look;
    return look;
  }

  private async lookNow(): Promise<bigint | null> {
    const { volume } = this.reader;
    const afterSerial = this.durableSerial;
    const poll = await this.reader.poll();
    if (poll?.read.kind !== "good") return null;
    let own: HeartbeatRecord | null = null;
    for (const { reading } of poll.seen) {
      if (reading.kind !== "record") continue;
      if (reading.record.slot === this.options.writer.slot) own = reading.record;
      this.check(reading.record);
    }
    // A look at another volume than the one that was written proves nothing of that one.
    if (volume !== null && volume === this.reader.volume) {
      this.options.onLook(volume.volumeId === this.durableVolumeId ? afterSerial : 0n);
    }
    // What is known of another device that was opened meanwhile is not known of this one.
    if (!volume || volume !== this.reader.volume || volume === this.looked?.volume) return null;
    this.looked = { volume, newest: own ? (own.copy === 0 ? 0 : 1) : null };
    if (!own || this.slotLost) return null;
    this.options.onOwnRecord(own);
    return own.term;
  }

  private tell(fault: string | null): void {
    if (this.told === fault) return;
    this.told = fault;
    this.options.onFault(fault);
  }

  /**
   * The slot on the volume that is open now, or why nothing may be written. On the same volume,
   * opened anew, it goes on as it was, except that what stands there is known better.
   */
  private currentSlot(): SlotWriter | string {
    const { volume } = this.reader;
    if (this.slotLost) return "another agent uses our slot";
    if (!volume) return this.readFault ?? `not open: ${this.reader.givenUp}`;
    if (volume !== this.looked?.volume) return "not read yet, so not written";
    const { own, writer, keys } = this.options;
    const { slots } = volume.plan;
    if (writer.slot >= slots) {
      return `${slots} slots, but ours is ${writer.slot}; format it with --slots ${writer.slot + 1}`;
    }
    if (volume !== this.slotVolume) {
      const same = volume.volumeId === this.writtenVolumeId;
      const known = same && this.slot ? this.slot.newest : own.newestCopy;
      const newest = this.looked.newest ?? known;
      this.slotVolume = volume;
      this.writtenVolumeId = volume.volumeId;
      this.slot = SlotWriter.open(volume, writer, keys, () => this.options.writeLimitMs, newest);
    }
    return this.slot ?? "no memory left for its lanes";
  }

  private withhold(reason: string): WriteEnd {
    this.counts.skipped += 1;
    this.tell(reason);
    return { kind: "skipped", reason };
  }

  private account(end: WriteEnd): WriteEnd {
    const { counts } = this;
    switch (end.kind) {
      case "durable":
        counts.done += 1;
        this.durableSerial = end.serial;
        this.durableVolumeId = this.slotVolume?.volumeId ?? null;
        counts.lastMs = end.tookMs;
        this.tell(this.readFault);
        return end;
      case "skipped":
        counts.skipped += 1;
        if (end.reason !== underWay) this.tell(`write ${end.reason}`);
        return end;
      case "failed":
        counts.failed += 1;
        this.tell(`write ${end.reason}`);
        return end;
    }
  }

  private check(record: HeartbeatRecord): void {
    const { writer, mayStand, own } = this.options;
    if (record.slot !== writer.slot) return this.options.onSibling(record);
    // What is not in use is not written: whoever beats in our slot there is found at the install.
    if (mayStand(record) || !this.options.inUse()) return;
    this.slotLost = true;
    this.options.onSlotLost(
      `slot ${writer.slot} of ${own.mirror.pvol} is written by host '${record.hostName}', ` +
        `incarnation ${record.incarnation}: another agent uses it`,
    );
  }
}
