/**
 * One mirror that our site writes: this host's slot, and a look at the whole record area of our own
 * PVOL. The look serves two ends: sibling hosts tell their term there, and a slot that two hosts
 * write is found. A device that fails is opened again now and then.
 */
import type { HeartbeatRecord } from "../core/sector/layout.ts";
import type { Copy } from "../core/sector/volume.ts";
import type { RecordBody } from "../core/step/state.ts";
import type { BlockIo } from "../device/block.ts";
import type { Volume } from "../volume/open.ts";
import { SlotWriter, type WriteEnd } from "./pvol.ts";
import type { EchoSet, Keyring, Writer } from "./seal.ts";
import type { OwnVolume } from "./startup.ts";
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
  readonly onSlotLost: (detail: string) => void;
};

/** What became of the beats of this mirror. */
export type WriteCounts = { done: number; skipped: number; failed: number; lastMs: number | null };

export class MirrorOut {
  readonly readerSite: string;
  readonly counts: WriteCounts = { done: 0, skipped: 0, failed: 0, lastMs: null };
  private readonly options: MirrorOutOptions;
  /** Reads share the device that was opened for writing; the reader opens it anew when it fails. */
  private readonly reader: Reader;
  private slot: SlotWriter | null = null;
  private slotVolume: Volume | null = null;
  private writtenVolumeId: string | null = null;
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
      slots: options.slots,
      siteId: writer.siteId,
      echoSlot: null,
      keys: options.keys,
      nowMs: options.nowMs,
      readDeadlineMs: options.writeLimitMs,
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

  async write(body: RecordBody, set: EchoSet, final: boolean): Promise<WriteEnd> {
    const slot = this.currentSlot();
    if (!slot) return this.account({ kind: "skipped", reason: "not open" });
    return this.account(await (final ? slot.writeFinal(body, set) : slot.write(body, set)));
  }

  async watchSiblings(): Promise<void> {
    const { seen } = await this.reader.poll();
    for (const { reading } of seen) if (reading.kind === "record") this.check(reading.record);
  }

  private tell(fault: string | null): void {
    if (this.told === fault) return;
    this.told = fault;
    this.options.onFault(fault);
  }

  /** The slot on the volume that is open now; on the same one, opened anew, it goes on as it was. */
  private currentSlot(): SlotWriter | null {
    const { volume } = this.reader;
    if (volume === this.slotVolume) return this.slot;
    const { own, writer, keys, writeLimitMs } = this.options;
    const same = volume !== null && volume.volumeId === this.writtenVolumeId;
    const newest: Copy = same && this.slot ? this.slot.newest : own.newestCopy;
    this.slotVolume = volume;
    if (!volume) return null;
    this.writtenVolumeId = volume.volumeId;
    this.slot = SlotWriter.open(volume, writer, keys, writeLimitMs, newest);
    return this.slot;
  }

  private account(end: WriteEnd): WriteEnd {
    const { counts } = this;
    switch (end.kind) {
      case "durable":
        counts.done += 1;
        counts.lastMs = end.tookMs;
        this.tell(this.readFault);
        return end;
      case "skipped":
        counts.skipped += 1;
        this.tell(`write ${end.reason}`);
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
    if (mayStand(record)) return;
    this.options.onSlotLost(
      `slot ${writer.slot} of ${own.mirror.pvol} is written by host '${record.hostName}', ` +
        `incarnation ${record.incarnation}: another agent uses it`,
    );
  }
}
