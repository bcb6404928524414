/**
 * Opening a heartbeat volume: the device, then everything that could make it the wrong one.
 *
 * Each refusal is one line that names the device, the fault and the remedy. Never writes.
 *
 * Exit codes: 66 no such device, 73 read-only, 74 I/O error, 75 in use by another program, 124
 * time-out, 65 the volume is damaged, unformatted, of another format, cluster or mirror, 77 it
 * cannot be proved to be ours (unknown key, other identity than pinned, other data on it), 78 the
 * configuration names it wrongly (swapped ends, a data device).
 */
import { exitCodes } from "../core/base/exit-codes.ts";
import type { Mac } from "../core/sector/codec.ts";
import { blockBytes, type Superblock } from "../core/sector/layout.ts";
import type { VolumePlan } from "../core/sector/volume.ts";
import type { Access, BlockDevice, BlockIo, Geometry } from "../device/block.ts";
import { sameDevice } from "./device-names.ts";
import { closeDevice, openRefusal, type Refused, refuse, Transfers } from "./device-io.ts";
import { labelsOn, labelsText } from "./label-scan.ts";
import { faultText, foreignRefusal } from "./superblock-faults.ts";
import {
  type Authenticity,
  judgeSuperblock,
  lastBlockOf,
  planOf,
  type SuperblockLook,
} from "./superblock.ts";

export type Volume = {
  readonly device: BlockDevice;
  readonly superblock: Superblock;
  readonly plan: VolumePlan;
  readonly clusterId: string;
  readonly volumeId: string;
};

export type VolumeRequest = {
  readonly path: string;
  readonly access: Access;
  /** For the opening and for each transfer. */
  readonly deadlineMs: number;
  readonly mac: Mac;
  /** Ids of the keys that `mac` holds, for messages. */
  readonly keyIds: readonly number[];
  /** What the volume must be; null where anything is accepted. */
  readonly cluster: string | null;
  readonly writerSite: string | null;
  readonly readerSite: string | null;
  readonly wwid: string | null;
  /** Devices that hold data: never accepted, by whatever name. */
  readonly dataDevices: readonly string[];
  /** Refuse a device that is mounted or otherwise claimed, and claim it. */
  readonly exclusive?: boolean;
};

/** What opening needs of block I/O. */
export type VolumeIo = Pick<BlockIo, "open" | "crc32c">;

export type VolumeOpened = { readonly ok: true; readonly volume: Volume } | Refused;

/** What is known of the device before a byte of it is read: pinned identity, data devices. */
export function deviceRefusal(
  request: Pick<VolumeRequest, "path" | "wwid" | "dataDevices">,
  geometry: Geometry,
): Refused | null {
  const { path, wwid, dataDevices } = request;
  const data = dataDevices.find((name) => sameDevice(name, path, geometry));
  if (data !== undefined) {
    const also = data === path ? "" : ` (${path} is the same device)`;
    return refuse(
      exitCodes.config,
      `${path}: data_devices names ${data}${also}; a heartbeat volume is never a data volume`,
    );
  }
  if (wwid !== null && wwid !== geometry.wwid) {
    return refuse(
      exitCodes.noPermission,
      `${path}: its identity is ${geometry.wwid ?? "not known"}, pinned is ${wwid}; ` +
        "another device has taken this name: correct the path, or the pinned wwid",
    );
  }
  return null;
}

/** A primary that is no good: says what there is instead, and what helps. */
async function damagedRefusal(
  request: VolumeRequest,
  transfers: Transfers,
  primary: SuperblockLook,
  authenticity: Authenticity,
): Promise<Refused> {
  const { path } = request;
  const { device } = transfers;
  const { sizeBytes } = device.geometry;
  const last = lastBlockOf(sizeBytes);
  const read = await transfers.read(last, 1);
  const backup = read.ok ? judgeSuperblock(read.bytes, last, sizeBytes, authenticity) : null;
  const reason = faultText(primary);
  if (backup?.kind === "good") {
    const remedy = `mirrorbeat format --repair ${path}`;
    return refuse(
      exitCodes.dataError,
      `${path}: superblock: ${reason}; its backup is good: ${remedy}`,
    );
  }
  const isOurs = primary.kind === "bad" && primary.superblock !== null;
  if (isOurs) {
    const remedy = "its backup is no good either: format it anew, or restore the volume";
    return refuse(exitCodes.dataError, `${path}: superblock: ${reason}; ${remedy}`);
  }
  const labels = await labelsOn(device, request.deadlineMs);
  if (!labels.ok) return labels;
  if (labels.labels.length > 0) {
    const holds = `holds ${labelsText(labels.labels)}`;
    const remedy = "is the name right? It is never overwritten";
    return refuse(exitCodes.noPermission, `${path}: no heartbeat volume; ${holds}; ${remedy}`);
  }
  return refuse(exitCodes.dataError, `${path}: not formatted; use: mirrorbeat format ${path}`);
}

/** A good superblock of a volume that is not the one wanted. */
function mistakenRefusal(
  request: VolumeRequest,
  geometry: Geometry,
  superblock: Superblock,
): Refused | null {
  const { path, cluster, writerSite, readerSite } = request;
  const { writerSite: writer, readerSite: reader } = superblock;
  if (cluster !== null && superblock.clusterName !== cluster) {
    const other = `belongs to cluster ${superblock.clusterName}, not to ${cluster}`;
    return refuse(
      exitCodes.dataError,
      `${path}: ${other}; correct the path, or the cluster's name`,
    );
  }
  const wrongWriter = writerSite !== null && writer !== writerSite;
  const wrongReader = readerSite !== null && reader !== readerSite;
  if (wrongWriter && writer === readerSite && (readerSite === null || reader === writerSite)) {
    const found = `is written by ${writer} for ${reader}, not by ${writerSite} for ${readerSite}`;
    const remedy = "its own site's volume is given as the peer's: are pvol and svol swapped?";
    return refuse(exitCodes.config, `${path}: ${found}; ${remedy}`);
  }
  if (wrongWriter || wrongReader) {
    const found = `belongs to the mirror from ${writer} to ${reader}`;
    const wanted = `not to the one from ${writerSite ?? writer} to ${readerSite ?? reader}`;
    return refuse(exitCodes.dataError, `${path}: ${found}, ${wanted}; correct the path`);
  }
  if (geometry.kind === "block" && superblock.sectorBytes !== geometry.logicalBytes) {
    const found = `formatted on sectors of ${superblock.sectorBytes} bytes`;
    const now = `the device has ${geometry.logicalBytes}`;
    const remedy = "present it as before, or format it anew";
    return refuse(exitCodes.dataError, `${path}: ${found}, ${now}; ${remedy}`);
  }
  return null;
}

async function examineOpened(
  blockIo: VolumeIo,
  device: BlockDevice,
  request: VolumeRequest,
): Promise<VolumeOpened> {
  const { path } = request;
  const { geometry } = device;
  const refused = deviceRefusal(request, geometry);
  if (refused) return refused;
  const transfers = Transfers.on(device, request.deadlineMs, blockBytes);
  if ("refusal" in transfers) return transfers;
  const read = await transfers.read(0, 1);
  if (!read.ok) return read;
  const authenticity = { mac: request.mac, crc32c: (bytes: Uint8Array) => blockIo.crc32c(bytes) };
  const primary = judgeSuperblock(read.bytes, 0, geometry.sizeBytes, authenticity);
  if (primary.kind !== "good") {
    const foreign = foreignRefusal(path, primary, request.keyIds);
    return foreign ?? damagedRefusal(request, transfers, primary, authenticity);
  }
  const { superblock } = primary;
  const mistaken = mistakenRefusal(request, geometry, superblock);
  if (mistaken) return mistaken;
  const { clusterId, volumeId } = superblock;
  return {
    ok: true,
    volume: { device, superblock, plan: planOf(superblock), clusterId, volumeId },
  };
}

/** On a refusal the device is closed again; one that hangs is not waited for. */
export async function openVolume(blockIo: VolumeIo, request: VolumeRequest): Promise<VolumeOpened> {
  const { path, access, deadlineMs, exclusive = false } = request;
  const opened = await blockIo.open(path, access, deadlineMs, { exclusive });
  if (!opened.ok) return openRefusal(opened);
  const result = await examineOpened(blockIo, opened.device, request);
  if (!result.ok) {
    const owed = opened.device.close();
    if (result.refusal.code !== exitCodes.timeout) await closeDevice(opened.device);
    return { ...result, owed };
  }
  return result;
}
