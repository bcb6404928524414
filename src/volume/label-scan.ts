/** Reads the ends of a device and names what stands there. */
import { blockBytes } from "../core/sector/layout.ts";
import type { BlockDevice } from "../device/block.ts";
import { type Refused, Transfers } from "./device-io.ts";
import { findLabels, headBytes, type Label, labelText, tailBytes } from "./labels.ts";

export type LabelsFound = { readonly ok: true; readonly labels: readonly Label[] } | Refused;

/**
 * A rest of the device that is smaller than a block cannot be read directly and is left out; of
 * the known owners only a partition table's second copy may stand there.
 */
export async function labelsOn(device: BlockDevice, deadlineMs: number): Promise<LabelsFound> {
  const transfers = Transfers.on(device, deadlineMs);
  if ("refusal" in transfers) return transfers;
  const { sizeBytes } = device.geometry;
  const blocks = Math.floor(sizeBytes / blockBytes);
  const headBlocks = Math.min(blocks, headBytes / blockBytes);
  const tailBlocks = Math.min(blocks, tailBytes / blockBytes);
  const head = await transfers.read(0, headBlocks);
  if (!head.ok) return head;
  const tail = await transfers.read(blocks - tailBlocks, tailBlocks);
  if (!tail.ok) return tail;
  const tailAtBytes = (blocks - tailBlocks) * blockBytes;
  return {
    ok: true,
    labels: findLabels({ sizeBytes, head: head.bytes, tail: tail.bytes, tailAtBytes }),
  };
}

const shownMax = 3;

export function labelsText(labels: readonly Label[]): string {
  const texts = labels.slice(0, shownMax).map(labelText);
  const more = labels.length - texts.length;
  return more > 0 ? `${texts.join(", ")} and ${more} more` : texts.join(", ");
}
