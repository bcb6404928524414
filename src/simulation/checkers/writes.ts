/**
 * An agent writes nothing but its own blocks (docs/safety.md 7; ARCHITECTURE.md, "Invariants"): on
 * the PVOL of a mirror that its site writes, or on its site's witness volume, the two copies of its
 * own slot's record and echoes; and a superblock that says what it said before. Never an SVOL, a
 * data volume, another slot, or a block past the end.
 *
 * What it writes says where it stands; and a record goes over the older one of its two copies
 * (section 2), so that the last good one is never at risk. That last rule is looked at where nothing
 * meddled with this host's way to the volume since it last wrote there undisturbed, for a write that
 * was lost leaves another copy than its writer thinks; and of records under keys that this host holds,
 * for it knows no others.
 *
 * The places are those of the superblock that the volume was set up with. Swapped cables are looked
 * at by the host's own idea of the path: a write that was on its way is the cable's fault.
 */
import { decodeSector } from "../../core/sector/codec.ts";
import { blockBytes, type HeartbeatRecord, sectorBytes } from "../../core/sector/layout.ts";
import { comparePositions } from "../../core/record.ts";
import {
  type Copy,
  echoBlockOf,
  recordBlockOf,
  type VolumePlan,
} from "../../core/sector/volume.ts";
import type { CheckerKind } from "../checker.ts";
import type { Watched } from "../observation.ts";
import { Judge } from "./judge.ts";
import type { LandedWrite } from "../disk.ts";
import type { SimulatedWorld } from "../world.ts";

type Place =
  | { readonly kind: "record"; readonly slot: number; readonly copy: Copy }
  | { readonly kind: "echo"; readonly slot: number }
  | { readonly kind: "superblock" };

type Volume = {
  readonly mirror: string;
  readonly writer: string;
  readonly places: ReadonlyMap<number, Place>;
  readonly plan: VolumePlan;
  readonly superblock: string;
};

const textOf = (value: object): string =>
  JSON.stringify(value, (_key, one: unknown) => (typeof one === "bigint" ? `${one}n` : one));

/** Without its seal and its place. */
function superblockText(block: Buffer): string {
  const {
    keyId: _,
    mac: _mac,
    crc: _crc,
    block: _block,
    copy: _copy,
    ...rest
  } = decodeSector("superblock", block.subarray(0, sectorBytes));
  return textOf(rest);
}

function placesOf(plan: VolumePlan): Map<number, Place> {
  const places = new Map<number, Place>([
    [0, { kind: "superblock" }],
    [plan.backupBlock, { kind: "superblock" }],
  ]);
  for (let slot = 0; slot < plan.slots; slot++) {
    for (const copy of [0, 1] as const) {
      places.set(recordBlockOf(plan, slot, copy), { kind: "record", slot, copy });
      for (let block = 0; block < plan.echoBlocksPerCopy; block++) {
        places.set(echoBlockOf(plan, slot, copy) + block, { kind: "echo", slot });
      }
    }
  }
  return places;
}

/** By the name of the disk that may be written. */
function volumesOf(world: SimulatedWorld): ReadonlyMap<string, Volume> {
  const volumes = new Map<string, Volume>();
  for (const { name, writer, pvol } of world.config.mirrors) {
    const disk = world.hostsOf(writer)[0]?.machine.ports.get(pvol)?.disk;
    if (!disk) continue;
    const block = disk.read(0);
    const {
      slots,
      echoPeers,
      mailboxBlocksPerSlot,
      recordBlock,
      echoBlock,
      echoBlocksPerCopy,
      mailboxBlock,
      backupBlock,
    } = decodeSector("superblock", block.subarray(0, sectorBytes));
    const blocks = disk.sizeBytes / blockBytes;
    const plan: VolumePlan = {
      blocks,
      slots,
      echoPeers,
      recordBlock,
      echoBlock,
      echoBlocksPerCopy,
      mailboxBlock,
      mailboxBlocksPerSlot,
      backupBlock,
    };
    volumes.set(disk.name, {
      mirror: name,
      writer,
      places: placesOf(plan),
      plan,
      superblock: superblockText(block),
    });
  }
  return volumes;
}

class Writes extends Judge {
  private readonly volumes = volumesOf(this.world);

  /** Newest record of each slot's copies, as it was written; and when, undisturbed. */
  private readonly copies = new Map<
    string,
    { readonly record: HeartbeatRecord; readonly atMs: number }
  >();

  private wroteRecord(
    { disk, bytes, block }: LandedWrite,
    host: string,
    { mirror, plan }: Volume,
    copy: Copy,
    nowMs: number,
  ): void {
    this.count("record");
    const record = decodeSector("record", bytes.subarray(0, sectorBytes));
    const { slot } = this.world.host(host).selfHost;
    if (
      record.hostName !== host ||
      record.slot !== slot ||
      record.copy !== copy ||
      record.block !== block
    ) {
      return this.report(
        `${host} writes a record of ${record.hostName}, slot ${record.slot}, block ${record.block} to ${disk.name} ${block}`,
      );
    }
    const key = (one: Copy): string => `${disk.name} ${recordBlockOf(plan, slot, one)}`;
    const [own, other] = [this.copies.get(key(copy)), this.copies.get(key(copy === 0 ? 1 : 0))];
    this.copies.set(key(copy), { record, atMs: nowMs });
    if (!own || !other) return;
    const touches = [
      { kind: "volume", host, mirror } as const,
      { kind: "mirror", mirror } as const,
    ];
    const sinceMs = Math.min(own.atMs, other.atMs);
    if (!this.faults.isQuiet(touches, sinceMs, nowMs)) return;
    const { keyIds } = this.world.host(host);
    if (!keyIds.includes(own.record.keyId) || !keyIds.includes(other.record.keyId)) return;
    this.count("record over the older copy");
    if (comparePositions(own.record, other.record) > 0) {
      this.report(`${host} writes over the newer of its two records on ${disk.name}`);
    }
  }

  private wrote(write: LandedWrite, host: string, nowMs: number): void {
    const { disk, block, bytes } = write;
    const volume = this.volumes.get(disk.name);
    if (volume?.writer !== this.world.host(host).site)
      return this.report(`${host} writes ${disk.name}, block ${block}: not its own volume`);
    const place = volume.places.get(block);
    const { slot } = this.world.host(host).selfHost;
    if (!place || (place.kind !== "superblock" && place.slot !== slot)) {
      return this.report(`${host} writes block ${block} of ${disk.name}, which is not its slot's`);
    }
    if (place.kind === "record") return this.wroteRecord(write, host, volume, place.copy, nowMs);
    this.count(place.kind === "echo" ? "echoes" : "superblock");
    if (place.kind === "superblock" && superblockText(bytes) !== volume.superblock) {
      this.report(`${host} writes another superblock on ${disk.name}`);
    }
  }

  watch(watched: Watched, nowMs: number): void {
    if (watched.kind === "write" && watched.write.host !== null)
      this.wrote(watched.write, watched.write.host, nowMs);
  }
}

export const writes: CheckerKind = {
  name: "writes",
  words: "an agent writes a block that is not its own",
  cases: ["record", "record over the older copy"],
  make: (world, faults, report) => new Writes(world, faults, report),
};
