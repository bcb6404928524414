/** What the writer of a slot says that it saw of its peers: the echo sectors of one copy. */
import { type Opened, openSector } from "../core/record.ts";
import {
  type Echo,
  type EchoSector,
  type HeartbeatRecord,
  sectorBytes,
  sectorsPerBlock,
  type Superblock,
} from "../core/sector/layout.ts";
import { type Copy, echoBlockOf } from "../core/sector/volume.ts";
import type { Refused, Transfers } from "./device-io.ts";
import { acceptAnyMac, type CheckKeys } from "./sector-checks.ts";
import { planOf } from "./superblock.ts";
import { type CopySurvey, readBlocks } from "./survey.ts";

export type EchoSurvey = {
  readonly block: number;
  /** Of the sector within its block. */
  readonly index: number;
  readonly opened: Opened<"echo">;
};

export type EchoOfPeer = {
  readonly site: number;
  readonly slot: number;
  readonly echo: Echo;
  /** Serial of the writer's record with which this was written. */
  readonly writtenSerial: bigint;
};

type EchoPlace = { readonly slot: number; readonly copy: Copy; readonly block: number };

function openEcho(
  superblock: Superblock,
  bytes: Buffer,
  index: number,
  { slot, copy, block }: EchoPlace,
  keys: CheckKeys,
): EchoSurvey {
  const { clusterId, volumeId } = superblock;
  const sector = bytes.subarray(index * sectorBytes, (index + 1) * sectorBytes);
  const place = { medium: "volume", clusterId, volumeId, block, copy, slot, siteId: null } as const;
  const checks = { mac: keys.mac ?? acceptAnyMac, crc32c: keys.crc32c };
  return { block, index, opened: openSector("echo", sector, place, checks) };
}

/** The echo sectors that ride in the record block itself. */
export function echoesBeside(
  superblock: Superblock,
  slot: number,
  { copy, block, read, opened }: CopySurvey,
  keys: CheckKeys,
): readonly EchoSurvey[] {
  if (read.kind !== "read" || opened.kind !== "valid") return [];
  const count = Math.min(sectorsPerBlock - 1, opened.record.echoSectors);
  return Array.from({ length: count }, (_, at) =>
    openEcho(superblock, read.bytes, at + 1, { slot, copy, block }, keys),
  );
}

export type EchoesSurveyed =
  | { readonly ok: true; readonly sectors: readonly EchoSurvey[] }
  | Refused;

/** All of a copy's echo sectors, those in echo blocks too. */
export async function surveyEchoes(
  transfers: Transfers,
  superblock: Superblock,
  slot: number,
  newest: CopySurvey,
  keys: CheckKeys,
): Promise<EchoesSurveyed> {
  const beside = echoesBeside(superblock, slot, newest, keys);
  const plan = planOf(superblock);
  if (plan.echoBlocksPerCopy === 0) return { ok: true, sectors: beside };
  const first = echoBlockOf(plan, slot, newest.copy);
  const read = await readBlocks(transfers, first, plan.echoBlocksPerCopy);
  if (!read.ok) return read;
  const apart = read.blocks.flatMap((blockRead, at) => {
    if (blockRead.kind !== "read") return [];
    const place = { slot, copy: newest.copy, block: first + at };
    return Array.from({ length: sectorsPerBlock }, (_, index) =>
      openEcho(superblock, blockRead.bytes, index, place, keys),
    );
  });
  return { ok: true, sectors: [...beside, ...apart] };
}

function echoesIn(sector: EchoSector): readonly EchoOfPeer[] {
  return sector.echoes.slice(0, sector.count).flatMap((echo, at) => {
    if (echo.incarnation === 0n) return [];
    const { peerSite: site, firstPeer, serial: writtenSerial } = sector;
    return [{ site, slot: firstPeer + at, echo, writtenSerial }];
  });
}

/** The peers that were seen, in the order of their slots. */
export function echoesOf(sectors: readonly EchoSurvey[]): readonly EchoOfPeer[] {
  return sectors.flatMap(({ opened }) => (opened.kind === "valid" ? echoesIn(opened.record) : []));
}

export function lagsOf({ lag0, lag1, lag2, lag3, lag4, lag5, lag6, lag7 }: Echo): number[] {
  return [lag0, lag1, lag2, lag3, lag4, lag5, lag6, lag7];
}

/** The copy that holds the newest believable record; null where there is none. */
export function newestOf(
  copies: readonly [CopySurvey, CopySurvey],
  record: HeartbeatRecord | null,
): CopySurvey | null {
  return record ? (copies[record.copy === 1 ? 1 : 0] ?? null) : null;
}
