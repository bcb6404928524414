/**
 * Superblocks under the key that signs now. A volume is opened only if its superblock is signed
 * with a key that is held; so when another key becomes active, the writing site signs its own
 * superblocks anew, before the old key is retired. Nothing in them changes but the signature, so
 * hosts that do it at the same time write the same bytes. The backup goes first: whatever is torn,
 * one of the two is whole.
 */
import { judgeSuperblock, sameVolume, superblockBytes } from "../volume/superblock.ts";
import { blockBytes } from "../core/sector/layout.ts";
import type { Lane } from "../device/block.ts";
import type { Volume } from "../volume/open.ts";
import type { Keyring } from "./seal.ts";

export type Resigned = "not needed" | "done" | { readonly fault: string };

/** One lane a volume: keys change again and again, and lanes go back only with their device. */
const lanes = new WeakMap<Volume, Lane>();

function laneOn(volume: Volume): Lane | null {
  const lane = lanes.get(volume) ?? volume.device.lane(blockBytes);
  if (lane) lanes.set(volume, lane);
  return lane;
}

/** What the disk says counts: other hosts of this site sign it as well, and may be further on. */
export async function resignSuperblock(
  volume: Volume,
  keys: Keyring,
  writeLimitMs: number,
): Promise<Resigned> {
  const { superblock, device } = volume;
  const lane = laneOn(volume);
  if (!lane) return { fault: "no memory left for it" };
  const now = await lane.read(0, blockBytes, writeLimitMs);
  if (now.kind !== "done") return { fault: "it cannot be read" };
  const look = judgeSuperblock(lane.bytes, 0, device.geometry.sizeBytes, keys);
  if (look.kind !== "good" || !sameVolume(look.superblock, superblock)) {
    return { fault: "another one stands there now" };
  }
  // A key that is merely accepted here is the next one, and another host signs with it already.
  if (!keys.isRetiring(look.superblock.keyId)) return "not needed";
  const { keyId } = keys.sealing();
  for (const which of ["backup", "primary"] as const) {
    superblockBytes(superblock, which, keyId, keys).copy(lane.bytes);
    const block = which === "backup" ? superblock.backupBlock : 0;
    const end = await lane.write(block * blockBytes, blockBytes, writeLimitMs);
    if (end.kind === "failed") return { fault: end.code };
    if (end.kind !== "done") return { fault: "hung" };
  }
  return "done";
}
