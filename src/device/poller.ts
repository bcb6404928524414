/**
 * Polling an area of a device: read it whole, and tell which blocks differ from the last good read.
 *
 * Two lanes take turns: one keeps the last good reading, the other is read into, so comparing needs
 * no copy. A read that fails or expires changes nothing: the last good reading stays what the next
 * one is compared with. While the kernel owns the other lane (a hung read) polls answer "busy".
 */
import { assert } from "../core/base/assert.ts";
import type { AreaShape, BlockDevice, BlockIo, ChangedBlock, IoOutcome, Lane } from "./block.ts";

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

/** Null when the device has no lanes left for it. */
export function createAreaPoller(
  io: Pick<BlockIo, "scan">,
  device: BlockDevice,
  offsetBytes: number,
  shape: AreaShape,
): AreaPoller | null {
  const lengthBytes = shape.blockCount * shape.strideBytes;
  const first = device.lane(lengthBytes);
  const second = device.lane(lengthBytes);
  if (first === null || second === null) return null;
  assert(first.bytes.length === lengthBytes, "an area of whole blocks");
  let good: Lane = first;
  let next: Lane = second;
  let hasGood = false;

  return {
    async poll(deadlineMs) {
      const lane = next;
      const outcome = await lane.read(offsetBytes, lengthBytes, deadlineMs);
      if (outcome.kind !== "done") return outcome;
      const changed = io.scan(lane.bytes, hasGood ? good.bytes : null, shape);
      next = good;
      good = lane;
      hasGood = true;
      const { beganNs, endedNs } = outcome;
      return { kind: "read", beganNs, endedNs, bytes: lane.bytes, changed };
    },
    settled: () => next.settled(),
  };
}
