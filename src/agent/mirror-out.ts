/**
 * One mirror that our site writes: this host's slot, and a look at the whole record area of our own
 * PVOL. The look serves two ends: sibling hosts tell their term there, and a slot that two hosts
 * write is found. A device that fails is opened again now and then.
 */
import type { Copy } from "../core/sector/volume.ts";
import type { HeartbeatRecord } from "../core/sector/layout.ts";
import type { RecordBody } from "../core/step/state.ts";
import type { BlockIo } from "../device/block.ts";
import type { Volume } from "../volume/open.ts";
import { slotWriter, type SlotWriter, type WriteEnd } from "./pvol.ts";
import type { EchoSet, Keyring, Writer } from "./seal.ts";
import type { OwnVolume } from "./startup.ts";
import { volumeReader, type Reader } from "./svol.ts";

export type MirrorOut = {
  readonly readerSite: string;
  write(body: RecordBody, set: EchoSet): Promise<WriteEnd>;
  writeFinal(body: RecordBody, set: EchoSet): Promise<WriteEnd>;
  watchSiblings(): Promise<void>;
  readonly volume: Volume | null;
  readonly fault: string | null;
  readonly writesDone: number;
  readonly writesSkipped: number;
  readonly writesFailed: number;
  readonly lastWriteMs: number | null;
};

export type MirrorOutOptions = {
  readonly io: BlockIo;
  readonly own: OwnVolume;
  readonly writer: Writer;
  readonly keys: Keyring;
  readonly writeLimitMs: number;
  readonly siblingSlots: number;
  readonly incarnation: bigint;
  readonly nowMs: () => number;
  readonly onFault: (fault: string | null) => void;
  readonly onSibling: (record: HeartbeatRecord) => void;
  readonly onSlotLost: (detail: string) => void;
};

export function mirrorOut(options: MirrorOutOptions): MirrorOut {
  const { own, writer } = options;
  let slot: SlotWriter | null = null;
  let slotVolume: Volume | null = null;
  let newest: Copy = own.newestCopy;
  let fault: string | null = null;
  let readFault: string | null = null;
  let writesDone = 0;
  let writesSkipped = 0;
  let writesFailed = 0;
  let lastWriteMs: number | null = null;

  const setFault = (next: string | null): void => {
    if (fault === next) return;
    fault = next;
    options.onFault(next);
  };

  // Reads share the device that was opened for writing; the reader opens it again when it fails.
  const reader: Reader = volumeReader({
    io: options.io,
    open: own.open,
    first: own.volume,
    slots: options.siblingSlots,
    siteId: writer.siteId,
    echoSlot: null,
    keys: options.keys,
    nowMs: options.nowMs,
    readDeadlineMs: options.writeLimitMs,
    onFault: (next) => {
      readFault = next;
      setFault(next);
    },
  });

  const ensureSlot = (): SlotWriter | null => {
    const { volume } = reader;
    if (volume === slotVolume) return slot;
    slotVolume = volume;
    slot = volume ? slotWriter(volume, writer, options.keys, options.writeLimitMs, newest) : null;
    return slot;
  };

  const account = (end: WriteEnd): WriteEnd => {
    switch (end.kind) {
      case "durable":
        writesDone += 1;
        lastWriteMs = end.tookMs;
        setFault(readFault);
        break;
      case "skipped":
        writesSkipped += 1;
        setFault(`write ${end.reason}`);
        break;
      case "failed":
        writesFailed += 1;
        setFault(`write ${end.reason}`);
        break;
    }
    return end;
  };

  const write = async (body: RecordBody, set: EchoSet, final: boolean): Promise<WriteEnd> => {
    const current = ensureSlot();
    if (!current) return account({ kind: "skipped", reason: "not open" });
    return account(await (final ? current.writeFinal(body, set) : current.write(body, set)));
  };

  const check = (record: HeartbeatRecord): void => {
    if (record.slot !== writer.slot) return options.onSibling(record);
    if (record.incarnation > options.incarnation) {
      options.onSlotLost(
        `slot ${writer.slot} of ${own.mirror.pvol} is written by host '${record.hostName}', ` +
          `incarnation ${record.incarnation}: another agent uses it`,
      );
    }
    newest = record.copy === 0 ? 0 : 1;
  };

  return {
    readerSite: own.mirror.reader,
    write: (body, set) => write(body, set, false),
    writeFinal: (body, set) => write(body, set, true),
    async watchSiblings() {
      const { seen } = await reader.poll();
      for (const { reading } of seen) if (reading.kind === "record") check(reading.record);
    },
    get volume() {
      return reader.volume;
    },
    get fault() {
      return fault;
    },
    get writesDone() {
      return writesDone;
    },
    get writesSkipped() {
      return writesSkipped;
    },
    get writesFailed() {
      return writesFailed;
    },
    get lastWriteMs() {
      return lastWriteMs;
    },
  };
}
