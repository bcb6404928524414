/**
 * The writing end of one mirror: this host's slot on the PVOL.
 *
 * A write always goes over the older of the two copies, and one write is under way at most. When
 * a write hangs, the slot is left alone until the kernel gives it back: its late landing must not
 * meet a newer record. Beats are skipped meanwhile; records are state, so nothing is lost.
 */
import type { RecordBody } from "../core/step/state.ts";
import { blockBytes } from "../core/sector/layout.ts";
import { type Copy, echoBlockOf, recordBlockOf } from "../core/sector/volume.ts";
import type { IoOutcome, Lane } from "../device/block.ts";
import type { Volume } from "../volume/open.ts";
import {
  type EchoSet,
  encodeEchoBlocks,
  encodeRecordBlock,
  type Keyring,
  type Writer,
} from "./seal.ts";

export type WriteEnd =
  | { readonly kind: "durable"; readonly serial: bigint; readonly tookMs: number }
  | { readonly kind: "skipped"; readonly reason: string }
  | { readonly kind: "failed"; readonly reason: string };

/** Skipped because others are on their way: no fault of the device. */
export const underWay = "under way";

type Lanes = { readonly record: Lane; readonly echo: Lane | null; readonly check: Lane };
const other = (copy: Copy): Copy => (copy === 0 ? 1 : 0);

export class SlotWriter {
  private readonly volume: Volume;
  private readonly writer: Writer;
  private readonly keys: Keyring;
  private readonly lanes: Lanes;
  private readonly writeLimitMs: () => number;
  private older: Copy;
  private pending: Promise<WriteEnd> | null = null;
  private isAwaited = false;

  /**
   * null where the device has no memory left for it, or the volume no such slot. `newest` is the copy that holds the newer
   * record now; the first write goes to the other.
   */
  static open(
    volume: Volume,
    writer: Writer,
    keys: Keyring,
    writeLimitMs: () => number,
    newest: Copy,
  ): SlotWriter | null {
    if (writer.slot >= volume.plan.slots) return null;
    const echoBlocks = volume.plan.echoBlocksPerCopy;
    const record = volume.device.lane(blockBytes);
    const check = volume.device.lane(blockBytes);
    const echo = echoBlocks > 0 ? volume.device.lane(echoBlocks * blockBytes) : null;
    if (!record || !check || (echoBlocks > 0 && !echo)) return null;
    return new SlotWriter(volume, writer, keys, { record, echo, check }, writeLimitMs, newest);
  }

  private constructor(
    volume: Volume,
    writer: Writer,
    keys: Keyring,
    lanes: Lanes,
    writeLimitMs: () => number,
    newest: Copy,
  ) {
    this.volume = volume;
    this.writer = writer;
    this.keys = keys;
    this.lanes = lanes;
    this.writeLimitMs = writeLimitMs;
    this.older = other(newest);
  }

  /** The copy that holds the newest record that is known to be durable. */
  get newest(): Copy {
    return other(this.older);
  }

  get ownedByKernel(): boolean {
    const { record, echo } = this.lanes;
    return record.ownedByKernel || (echo?.ownedByKernel ?? false);
  }

  /** One beat; skipped while an earlier one waits, or hangs. */
  write(body: RecordBody, set: EchoSet): Promise<WriteEnd> {
    return this.alone("first in line", async () => {
      const copy = this.older;
      const end = await this.writeCopy(body, set, copy);
      // After a failure the copy may be torn: it stays the one to be written over.
      if (end.kind === "durable") this.older = other(copy);
      return end;
    });
  }

  /** A last word: to both copies, read back and compared. Waits for a beat that is under way. */
  writeFinal(body: RecordBody, set: EchoSet): Promise<WriteEnd> {
    return this.alone("always", async () => {
      const first = await this.writeVerified(body, set, this.older);
      if (first.kind !== "durable") return first;
      return this.writeVerified(body, set, other(this.older));
    });
  }

  /** One write is under way, and one may wait for its end: a term must not wait for a beat. */
  private async alone(
    waits: "always" | "first in line",
    work: () => Promise<WriteEnd>,
  ): Promise<WriteEnd> {
    if (this.isAwaited && waits !== "always") return { kind: "skipped", reason: underWay };
    this.isAwaited = true;
    while (this.pending) await this.pending;
    this.isAwaited = false;
    if (this.ownedByKernel) return { kind: "skipped", reason: "hung" };
    const running = work().finally(() => {
      this.pending = null;
    });
    this.pending = running;
    return running;
  }

  private async writeCopy(body: RecordBody, set: EchoSet, copy: Copy): Promise<WriteEnd> {
    const { plan, volumeId } = this.volume;
    const { echo, record } = this.lanes;
    const sealing = this.keys.sealing();
    if (echo) {
      const block = echoBlockOf(plan, this.writer.slot, copy);
      const blocks = plan.echoBlocksPerCopy;
      const place = { volumeId, block, copy };
      encodeEchoBlocks(echo.bytes, place, blocks, this.writer, body, set, sealing);
      const length = blocks * blockBytes;
      const end = await echo.write(block * blockBytes, length, this.writeLimitMs());
      if (end.kind !== "done") return ended(end, body.serial);
    }
    const block = recordBlockOf(plan, this.writer.slot, copy);
    encodeRecordBlock(record.bytes, { volumeId, block, copy }, this.writer, body, set, sealing);
    return ended(
      await record.write(block * blockBytes, blockBytes, this.writeLimitMs()),
      body.serial,
    );
  }

  private async writeVerified(body: RecordBody, set: EchoSet, copy: Copy): Promise<WriteEnd> {
    const end = await this.writeCopy(body, set, copy);
    if (end.kind !== "durable") return end;
    const { check, record } = this.lanes;
    const block = recordBlockOf(this.volume.plan, this.writer.slot, copy);
    const read = await check.read(block * blockBytes, blockBytes, this.writeLimitMs());
    const same = read.kind === "done" && check.bytes.equals(record.bytes);
    return same ? end : { kind: "failed", reason: "read back differently" };
  }
}

function ended(end: IoOutcome, serial: bigint): WriteEnd {
  switch (end.kind) {
    case "done":
      return { kind: "durable", serial, tookMs: Number(end.endedNs - end.beganNs) / 1e6 };
    case "expired":
      return { kind: "failed", reason: "hung" };
    case "failed":
      return { kind: "failed", reason: end.code };
    case "busy":
      return { kind: "skipped", reason: "hung" };
  }
}
