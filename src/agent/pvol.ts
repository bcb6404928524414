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
import type { BlockIo, Lane } from "../device/block.ts";
import type { Volume } from "../volume/open.ts";
import {
  encodeEchoBlocks,
  encodeRecordBlock,
  type EchoSet,
  type Keyring,
  type Writer,
} from "./seal.ts";

export type WriteEnd =
  | { readonly kind: "durable"; readonly serial: bigint; readonly tookMs: number }
  | { readonly kind: "skipped"; readonly reason: string }
  | { readonly kind: "failed"; readonly reason: string };

export type SlotWriter = {
  write(body: RecordBody, set: EchoSet): Promise<WriteEnd>;
  /** To both copies, read back and compared. */
  writeFinal(body: RecordBody, set: EchoSet): Promise<WriteEnd>;
  readonly hung: boolean;
};

type Lanes = { readonly record: Lane; readonly echo: Lane | null; readonly check: Lane };

/** null where the device has no memory left for it. */
export function slotWriter(
  volume: Volume,
  writer: Writer,
  keys: Keyring,
  writeLimitMs: number,
  /** The copy that holds the newer record now; the first write goes to the other. */
  newest: Copy,
): SlotWriter | null {
  const { plan } = volume;
  const record = volume.device.lane(blockBytes);
  const check = volume.device.lane(blockBytes);
  const echo =
    plan.echoBlocksPerCopy > 0 ? volume.device.lane(plan.echoBlocksPerCopy * blockBytes) : null;
  if (!record || !check || (plan.echoBlocksPerCopy > 0 && !echo)) return null;
  const lanes: Lanes = { record, echo, check };
  let older: Copy = newest === 0 ? 1 : 0;
  let writing = false;

  const ownedByKernel = (): boolean =>
    lanes.record.ownedByKernel || (lanes.echo?.ownedByKernel ?? false);

  const writeCopy = async (body: RecordBody, set: EchoSet, copy: Copy): Promise<WriteEnd> => {
    const sealing = keys.sealing();
    const place = { volumeId: volume.volumeId, copy };
    if (lanes.echo) {
      const block = echoBlockOf(plan, writer.slot, copy);
      encodeEchoBlocks(
        lanes.echo.bytes,
        { ...place, block },
        plan.echoBlocksPerCopy,
        writer,
        body,
        set,
        sealing,
      );
      const length = plan.echoBlocksPerCopy * blockBytes;
      const end = await lanes.echo.write(block * blockBytes, length, writeLimitMs);
      if (end.kind !== "done") return ended(end, body.serial);
    }
    const block = recordBlockOf(plan, writer.slot, copy);
    encodeRecordBlock(lanes.record.bytes, { ...place, block }, writer, body, set, sealing);
    return ended(
      await lanes.record.write(block * blockBytes, blockBytes, writeLimitMs),
      body.serial,
    );
  };

  const verify = async (copy: Copy): Promise<boolean> => {
    const block = recordBlockOf(plan, writer.slot, copy);
    const end = await lanes.check.read(block * blockBytes, blockBytes, writeLimitMs);
    return end.kind === "done" && lanes.check.bytes.equals(lanes.record.bytes);
  };

  const alone = async (work: () => Promise<WriteEnd>): Promise<WriteEnd> => {
    if (writing || ownedByKernel()) return { kind: "skipped", reason: "hung" };
    writing = true;
    const end = await work();
    writing = false;
    return end;
  };

  return {
    write: (body, set) =>
      alone(async () => {
        const copy = older;
        const end = await writeCopy(body, set, copy);
        // After a failure the copy may be torn: it stays the one to be written over.
        if (end.kind === "durable") older = copy === 0 ? 1 : 0;
        return end;
      }),
    writeFinal: (body, set) =>
      alone(async () => {
        let end: WriteEnd = { kind: "failed", reason: "nothing written" };
        for (const copy of [older, older === 0 ? 1 : 0] as Copy[]) {
          end = await writeCopy(body, set, copy);
          if (end.kind !== "durable") return end;
          if (!(await verify(copy))) return { kind: "failed", reason: "read back differently" };
        }
        return end;
      }),
    get hung() {
      return ownedByKernel();
    },
  };
}

function ended(end: Awaited<ReturnType<Lane["write"]>>, serial: bigint): WriteEnd {
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

/** Memory of one slot's writer and of its readers, for sizing the area. */
export function laneBytes(volumeSlots: number, echoBlocks: number): number {
  return (2 + echoBlocks + 4 * volumeSlots) * blockBytes;
}

export type { BlockIo };
