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
  private newest: Copy;
  private told: string | null = null;
  private readFault: string | null = null;

  constructor(options: MirrorOutOptions) {
    const { own, writer } = options;
    this.options = options;
    this.readerSite = own.mirror.reader;
    this.newest = own.newestCopy;
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

  private currentSlot(): SlotWriter | null {
    const { volume } = this.reader;
    if (volume === this.slotVolume) return this.slot;
    const { writer, keys, writeLimitMs } = this.options;
    this.slotVolume = volume;
    this.slot = volume ? SlotWriter.open(volume, writer, keys, writeLimitMs, this.newest) : null;
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
    this.newest = record.copy === 0 ? 0 : 1;
    if (mayStand(record)) return;
    this.options.onSlotLost(
      `slot ${writer.slot} of ${own.mirror.pvol} is written by host '${record.hostName}', ` +
        `incarnation ${record.incarnation}: another agent uses it`,
    );
  }
}
