/**
 * Records that are whole and do not belong where they are found, and old blocks that once did. All
 * but the forged ones are sealed with the cluster's own key, and later than what its host wrote: only
 * what they say of themselves gives them away.
 *
 * What was put on a volume is taken away again at the end, where nobody wrote over it. Volumes of a
 * witness are left out: docs/safety.md 6.9 rests on a claim that is there once it was written.
 */
import { decodeSector, encodeSector, sealSector } from "../../core/sector/codec.ts";
import {
  crcOffset,
  type HeartbeatRecord,
  macOffset,
  magics,
  recordLayout,
  sectorBytes,
} from "../../core/sector/layout.ts";
import { crc32c, macOf } from "../checksum.ts";
import { type Block, type Disk, zeroBlock } from "../disk.ts";
import type { End, FaultKind } from "../fault.ts";
import type { Random } from "../random.ts";
import { simulatedKeyId, type SimulatedWorld } from "../world.ts";
import { heldBack } from "./agent.ts";
import { replaysFor } from "./datagrams.ts";
import { allOf, once, repeated, wholeMs } from "./setting.ts";
import { hostsTouched, hostTouch, mirrorOf, mirrorTouch, type Touches } from "./touch.ts";

const sealing = { mac: macOf([simulatedKeyId]), crc32c, keyId: simulatedKeyId };
const reserved = recordLayout.filter(({ kind }) => kind === "zero");

type Changed = Partial<HeartbeatRecord>;
type Change = (record: HeartbeatRecord, random: Random) => Changed;

const otherId = "0ddba11e-0000-4000-8000-000000000001";

/** By what it does not belong there. */
export const strangers: Readonly<Record<string, Change>> = {
  "other-cluster": () => ({ clusterId: otherId }),
  "other-volume": () => ({ volumeId: otherId }),
  "other-block": ({ block }, random) => ({ block: block + random.pick([1, 2, 65536]) }),
  "other-copy": ({ copy }) => ({ copy: 1 - copy }),
  "other-slot": ({ slot }, random) => ({ slot: slot + 1 + random.below(3) }),
  "other-site": ({ site }) => ({ site: 1 + (site % 3) }),
  "other-medium": ({ medium }) => ({ medium: 1 + (medium % 2) }),
  "other-host": () => ({ hostName: "mallory-1" }),
};

/** Those that are changed after they were encoded. */
export const unsound: Readonly<Record<string, (sector: Buffer, random: Random) => void>> = {
  "wrong-mac": (sector, random) => {
    const at = macOffset + random.below(16);
    sector.writeUInt8(sector.readUInt8(at) ^ (1 + random.below(255)), at);
    sector.writeUInt32LE(crc32c(sector.subarray(0, crcOffset)), crcOffset);
  },
  reserved: (sector, random) => {
    sector.writeUInt8(1 + random.below(255), random.pick(reserved).at);
    sealSector(sector, sealing);
  },
};

const isOf = (kind: "record" | "echo", bytes: Buffer): boolean =>
  bytes.toString("latin1", 0, magics[kind].length) === magics[kind];

/** What was made here: two changes of one record could come to none. */
const made = new WeakSet<Buffer>();

/** Later than the real one, by a beat or by a whole run; its echoes are of that very record. */
function strangeRecord(bytes: Buffer, name: string, random: Random): Buffer {
  const strange = Buffer.from(bytes);
  const record = decodeSector("record", strange.subarray(0, sectorBytes));
  const later: Changed = random.chance(0.5)
    ? { serial: record.serial + BigInt(1 + random.below(1000)) }
    : { incarnation: record.incarnation + 1n, serial: 1n };
  const changed = { ...record, ...later, ...strangers[name]?.(record, random) };
  encodeSector("record", changed, sealing, strange);
  const { incarnation, serial, slot, site } = changed;
  for (let at = sectorBytes; at < strange.length; at += sectorBytes) {
    const sector = strange.subarray(at, at + sectorBytes);
    if (!isOf("echo", sector)) continue;
    const echo = { ...decodeSector("echo", sector), incarnation, serial, slot, site };
    encodeSector("echo", echo, sealing, sector);
  }
  unsound[name]?.(strange.subarray(0, sectorBytes), random);
  made.add(strange);
  return strange;
}

const names = [...Object.keys(strangers), ...Object.keys(unsound)];

/** Puts blocks on a volume, and takes them away again, the newest first. */
class Puts {
  private readonly put: { readonly block: number; readonly was: Block; readonly now: Block }[] = [];
  private readonly disk: Disk;

  constructor(disk: Disk) {
    this.disk = disk;
  }

  write(block: number, now: Block): void {
    this.put.push({ block, was: this.disk.read(block), now });
    this.disk.write(block, now, null);
  }

  takeAway(): void {
    for (const { block, was, now } of this.put.splice(0).reverse()) {
      if (this.disk.read(block) === now) this.disk.write(block, was, null);
    }
  }
}

const recordsOn = (disk: Disk): readonly number[] =>
  disk.written().filter((block) => isOf("record", disk.read(block)));

type Which = "writer" | "reader";

function strangersOn(world: SimulatedWorld, mirror: string, which: Which, random: Random): End {
  const disk = world.pair(mirror).disks[which];
  const puts = new Puts(disk);
  const stop = repeated(world, () => {
    const blocks = recordsOn(disk).filter((block) => !made.has(disk.read(block)));
    if (blocks.length > 0) {
      const block = random.pick(blocks);
      puts.write(block, strangeRecord(disk.read(block), random.pick(names), random));
    }
    return wholeMs(random, 50, 1500);
  });
  return once(allOf([stop, () => puts.takeAway()]));
}

/** Of one slot, or of all; one copy, or both. */
function putOld(disk: Disk, image: ReadonlyMap<number, Block>, puts: Puts, random: Random): void {
  const blocks = recordsOn(disk);
  const kept = random.pick([
    () => true,
    (block: number) => block % 2 === 0,
    () => random.chance(0.5),
  ]);
  for (const block of blocks.filter(kept)) {
    const old = image.get(block) ?? zeroBlock;
    if (isOf("record", old)) puts.write(block, old);
  }
}

/** Images of up to some minutes ago, at times one after the other as if they were beats. */
function oldBlocksOn(
  world: SimulatedWorld,
  mirror: string,
  which: Which,
  random: Random,
): End | null {
  const disk = world.pair(mirror).disks[which];
  const images = [...(world.backups.get(disk) ?? [])];
  if (images.length === 0) return null;
  const puts = new Puts(disk);
  const inOrder = random.chance(0.5);
  let at = 0;
  const stop = repeated(world, () => {
    const image = inOrder ? images[at++ % images.length] : random.pick(images);
    if (image) putOld(disk, image, puts, random);
    return wholeMs(random, 50, 1500);
  });
  return once(allOf([stop, () => puts.takeAway()]));
}

const readBy = ({ config }: SimulatedWorld, site: string): readonly string[] =>
  config.mirrors.filter(({ reader, witness }) => reader === site && !witness).map((m) => m.name);

/** Its agent is killed, and as it begins anew it finds nothing but what is old. */
function replayedAtStart(world: SimulatedWorld, name: string, random: Random): End | null {
  const one = world.host(name);
  if (!one.agent) return null;
  one.kill();
  const back = once(heldBack(world, one));
  const replays = [
    replaysFor(world, name, random),
    ...readBy(world, one.site).map((mirror) => oldBlocksOn(world, mirror, "reader", random)),
  ].filter((end) => end !== null);
  world.time.after(wholeMs(random, 500, 3000), back);
  return once(allOf([...replays, back]));
}

const mirrorBase = { target: "mirror", lasts: true, weight: 2 } as const;
const svolTouch = (_world: unknown, mirror: string): Touches => mirrorTouch(mirror);
/** What stands in its slot keeps a host of the writing site from beginning, and hides its siblings. */
const pvolTouch = (world: SimulatedWorld, mirror: string): Touches => [
  ...mirrorTouch(mirror),
  ...hostsTouched(world, mirrorOf(world, mirror).writer, hostTouch),
];

export const strangerFaults: readonly FaultKind[] = [
  {
    ...mirrorBase,
    name: "strangers-pvol",
    words: "whole records that do not belong there are put in slots of a PVOL, and copied",
    touches: pvolTouch,
    begin: (world, mirror, random) => strangersOn(world, mirror, "writer", random),
  },
  {
    ...mirrorBase,
    name: "strangers-svol",
    words: "whole records that do not belong there are put in slots of an SVOL",
    touches: svolTouch,
    begin: (world, mirror, random) => strangersOn(world, mirror, "reader", random),
  },
  {
    name: "strangers-datagrams",
    words: "a host is sent whole datagrams that are of another cluster, host, site or addressee",
    target: "host",
    lasts: true,
    weight: 2,
    // What is not believed disturbs nothing.
    touches: () => [],
    begin: (world, host, random) =>
      repeated(world, () => {
        const own = world.network.recent.filter(({ to }) => to === host);
        if (own.length > 0) {
          const { bytes } = random.pick(own.slice(-8));
          world.network.inject(host, strangeRecord(bytes, random.pick(names), random));
        }
        return wholeMs(random, 20, 400);
      }),
  },
  {
    ...mirrorBase,
    name: "old-blocks-pvol",
    words: "old records of minutes ago are put back in their slots of a PVOL, and copied",
    touches: pvolTouch,
    begin: (world, mirror, random) => oldBlocksOn(world, mirror, "writer", random),
  },
  {
    ...mirrorBase,
    name: "old-blocks-svol",
    words: "old records of minutes ago are put back in their slots of an SVOL",
    touches: svolTouch,
    begin: (world, mirror, random) => oldBlocksOn(world, mirror, "reader", random),
  },
  {
    name: "replay-at-start",
    words: "an agent is killed, and begins anew among old datagrams and old records",
    target: "host",
    lasts: true,
    weight: 3,
    usualSeconds: [5, 25],
    touches: (world, host) => [
      ...hostTouch(host),
      ...readBy(world, world.host(host).site).flatMap((mirror) => mirrorTouch(mirror)),
    ],
    begin: replayedAtStart,
  },
];
