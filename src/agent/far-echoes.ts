/**
 * Echoes of hosts whose slot is too high for the sectors beside the record: they stand in echo
 * blocks of their own. One peer's block is read after each poll, in turn, so that a poll stays one
 * read; what it said is kept until it is read again.
 */
import { openSector } from "../core/record.ts";
import {
  blockBytes,
  echoesPerSector,
  type EchoSector,
  type HeartbeatRecord,
  sectorBytes,
  sectorsPerBlock,
} from "../core/sector/layout.ts";
import { type Copy, echoBlockOf, firstPeerOf } from "../core/sector/volume.ts";
import type { Lane } from "../device/block.ts";
import type { Volume } from "../volume/open.ts";
import type { Keyring } from "./seal.ts";

/** Where the echo of that slot stands within a peer's echo blocks; null if beside its record. */
export function farPlace(slot: number): { readonly block: number; readonly index: number } | null {
  const beyond = slot - firstPeerOf({ echoBlock: 0, index: 0 });
  if (beyond < 0) return null;
  const sector = Math.floor(beyond / echoesPerSector);
  return { block: Math.floor(sector / sectorsPerBlock), index: sector % sectorsPerBlock };
}

export class FarEchoes {
  private readonly volume: Volume;
  private readonly keys: Keyring;
  private readonly place: { readonly block: number; readonly index: number };
  private readonly lane: Lane;
  private readonly echoes = new Map<number, EchoSector>();
  private reading = false;
  private next = 0;

  /** null where nothing is far, or no memory is left. */
  static open(volume: Volume, slot: number | null, keys: Keyring): FarEchoes | null {
    const place = slot === null ? null : farPlace(slot);
    if (!place || place.block >= volume.plan.echoBlocksPerCopy) return null;
    const lane = volume.device.lane(blockBytes);
    return lane ? new FarEchoes(volume, keys, place, lane) : null;
  }

  private constructor(
    volume: Volume,
    keys: Keyring,
    place: { readonly block: number; readonly index: number },
    lane: Lane,
  ) {
    this.volume = volume;
    this.keys = keys;
    this.place = place;
    this.lane = lane;
  }

  /** What the host of that slot was last read to say of us. */
  of(slot: number): readonly EchoSector[] {
    const echo = this.echoes.get(slot);
    return echo ? [echo] : [];
  }

  /** Reads the next of these hosts' echo; one read is under way at most. */
  async readNext(records: readonly HeartbeatRecord[], deadlineMs: number): Promise<void> {
    const record = records[this.next % Math.max(1, records.length)];
    if (!record || this.reading || this.lane.ownedByKernel) return;
    this.reading = true;
    this.next += 1;
    const copy: Copy = record.copy === 0 ? 0 : 1;
    const block = echoBlockOf(this.volume.plan, record.slot, copy) + this.place.block;
    const end = await this.lane.read(block * blockBytes, blockBytes, deadlineMs);
    this.reading = false;
    if (end.kind !== "done") return;
    const at = this.place.index * sectorBytes;
    const { clusterId, volumeId } = this.volume;
    const where = { medium: "volume", clusterId, volumeId, block, copy } as const;
    const who = { slot: record.slot, siteId: record.site };
    const sector = this.lane.bytes.subarray(at, at + sectorBytes);
    const echo = openSector("echo", sector, { ...where, ...who }, this.keys);
    if (echo.kind === "valid" && echo.record.incarnation === record.incarnation) {
      this.echoes.set(record.slot, echo.record);
    }
  }
}
