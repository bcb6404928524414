/**
 * Polling an area of a device: read it whole, and tell which blocks changed since the last good
 * reading.
 *
 * One lane holds the area as read; the live bytes of each block as last seen well are remembered
 * beside it, packed, so that memory is little more than the area once. A read that fails or expires
 * may leave anything in the lane, and changes nothing that is remembered: the next good reading is
 * compared with the last good one, and no change is lost. While the kernel owns the lane (a hung
 * read) polls answer "busy".
 */
import { assert } from "../core/base/assert.ts";
import type { AreaShape, BlockDevice, BlockIo, ChangedBlock, IoOutcome } from "./block.ts";

export type AreaReading =
  | {
      readonly kind: "read";
      readonly beganNs: bigint;
      readonly endedNs: bigint;
      /** The area, valid until the next poll begins. */
      readonly bytes: Buffer;
      /** In ascending order; every block at the first good reading. */
      readonly changed: readonly ChangedBlock[];
    }
  | Exclude<IoOutcome, { kind: "done" }>;

export type AreaPoller = {
  poll(deadlineMs: number): Promise<AreaReading>;
  /** After an expired poll: when the kernel gives the lane back. Its bytes are not used. */
  settled(): Promise<IoOutcome | null>;
};

/** Null when there is no memory left for it. `offsetBytes`: where the area begins on the device. */
export function createAreaPoller(
  io: Pick<BlockIo, "scan">,
  device: BlockDevice,
  offsetBytes: number,
  shape: AreaShape,
): AreaPoller | null {
  const lengthBytes = shape.blockCount * shape.strideBytes;
  const remembered = device.memory(shape.blockCount * shape.liveBytes);
  const lane = device.lane(lengthBytes);
  if (remembered === null || lane === null) return null;
  assert(lane.bytes.length === lengthBytes, "an area of whole blocks");
  let isFirst = true;

  return {
    async poll(deadlineMs) {
      const outcome = await lane.read(offsetBytes, lengthBytes, deadlineMs);
      if (outcome.kind !== "done") return outcome;
      const changed = io.scan(lane.bytes, remembered, shape, isFirst);
      isFirst = false;
      const { beganNs, endedNs } = outcome;
      return { kind: "read", beganNs, endedNs, bytes: lane.bytes, changed };
    },
    settled: () => lane.settled(),
  };
}
