/** Datagrams that nobody sent so: forged, repeated, or plain garbage. */
import { crcOffset, keyIdOffset, macOffset, sectorBytes } from "../../core/sector/layout.ts";
import { crc32c, macOf } from "../checksum.ts";
import type { End } from "../fault.ts";
import type { Random } from "../random.ts";
import type { SimulatedWorld } from "../world.ts";
import { repeated, wholeMs } from "./setting.ts";

/** Nobody holds it. */
const strangeKeyId = 0x0badbeef;
const queueMax = 4096;

function withChecksum(sector: Buffer): void {
  sector.writeUInt32LE(crc32c(sector.subarray(0, crcOffset)), crcOffset);
}

const sectorsOf = (bytes: Buffer): readonly Buffer[] =>
  Array.from({ length: Math.floor(bytes.length / sectorBytes) }, (_, index) =>
    bytes.subarray(index * sectorBytes, (index + 1) * sectorBytes),
  );

function flip(bytes: Buffer, from: number, to: number, random: Random): void {
  const at = from + random.below(to - from);
  bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << random.below(8)), at);
}

/** Right in all but what a key alone can make right. */
export const forgeries = {
  /** Sealed with another key, under the id of the right one. */
  "other-key": (bytes: Buffer): void => {
    for (const sector of sectorsOf(bytes)) {
      const mac = macOf([strangeKeyId])(strangeKeyId, sector.subarray(0, macOffset));
      if (mac) Buffer.from(mac).copy(sector, macOffset);
      withChecksum(sector);
    }
  },
  /** Sealed rightly with a key that is not ours. */
  "strange-key": (bytes: Buffer): void => {
    for (const sector of sectorsOf(bytes)) {
      sector.writeUInt32LE(strangeKeyId, keyIdOffset);
      const mac = macOf([strangeKeyId])(strangeKeyId, sector.subarray(0, macOffset));
      if (mac) Buffer.from(mac).copy(sector, macOffset);
      withChecksum(sector);
    }
  },
  /** One bit of what is sealed, with the checksum made right again. */
  changed: (bytes: Buffer, random: Random): void => {
    const [record] = sectorsOf(bytes);
    if (!record) return;
    flip(record, 8, macOffset, random);
    withChecksum(record);
  },
  /** One bit anywhere. */
  flipped: (bytes: Buffer, random: Random): void => flip(bytes, 0, bytes.length, random),
} as const;

/** Every few hundred milliseconds one of those that `host` was sent, made into another. */
export function forgeriesFor(world: SimulatedWorld, host: string, random: Random): End | null {
  const { network } = world;
  if (network.recent.length === 0) return null;
  const kinds = Object.values(forgeries);
  return repeated(world, () => {
    const own = network.recent.filter(({ to }) => to === host);
    if (own.length > 0) {
      const bytes = Buffer.from(random.pick(own.slice(-8)).bytes);
      random.pick(kinds)(bytes, random);
      network.inject(host, bytes);
    }
    return wholeMs(random, 20, 400);
  });
}

/** As they were sent, to whomever. */
export function replaysFor(world: SimulatedWorld, host: string, random: Random): End | null {
  const { network } = world;
  if (network.recent.length === 0) return null;
  return repeated(world, () => {
    const from = random.chance(0.3) ? network.eldest : network.recent;
    network.inject(host, random.pick(from).bytes);
    return wholeMs(random, 20, 400);
  });
}

const floodMs = 2000;

function garbage(random: Random): readonly Buffer[] {
  return [0, 100, 1023, 1024, 1025].map((length) =>
    Buffer.from(Array.from({ length }, () => random.below(256))),
  );
}

export function floodOf(world: SimulatedWorld, host: string, random: Random): End | null {
  const { network } = world;
  if (network.recent.length === 0) return null;
  const kinds = garbage(random);
  return repeated(world, () => {
    for (let count = 0; count <= queueMax; count++) {
      network.inject(host, kinds[count % kinds.length] as Buffer);
    }
    return floodMs;
  });
}
