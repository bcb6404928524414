/**
 * What a block device is called, beyond the path that happens to lead to it.
 *
 * Read from sysfs with plain synchronous calls: it is memory of the kernel (the SCSI pages there are
 * those read when the disk was found), so it answers at once however the device hangs. Asking the
 * disk itself is left to the native library, which can wait for it.
 */
import { readFileSync, realpathSync } from "node:fs";
import path from "node:path";
import { worldWideName } from "./vital-product-data.ts";

export type Identity = {
  /** One name for one volume, whichever path leads to it; null if it tells none. */
  readonly wwid: string | null;
  /** The number of the partition; null for a whole device. */
  readonly partition: number | null;
};

function readBytes(folder: string, file: string): Buffer | null {
  try {
    return readFileSync(path.join(folder, file));
  } catch {
    return null; // this kind of device does not have it
  }
}

function readText(folder: string, file: string): string | null {
  const text = readBytes(folder, file)?.toString("utf8").trim().replaceAll(/\s+/g, " ");
  return text ? text : null;
}

/** A multipath map over SCSI disks carries their name after a digit for its scheme. */
function mapperName(uuid: string): string {
  const overScsi = /^mpath-([23])([0-9a-f]+)$/i.exec(uuid);
  if (!overScsi) return `dm.${uuid}`;
  return `${overScsi[1] === "3" ? "naa" : "eui"}.${overScsi[2]?.toLowerCase()}`;
}

function prefixed(prefix: string, text: string | null): string | null {
  return text === null ? null : `${prefix}.${text}`;
}

function nameOfDisk(disk: string): string | null {
  const mapper = readText(disk, "dm/uuid");
  const page = readBytes(disk, "device/vpd_pg83");
  return (
    readText(disk, "device/wwid") ??
    readText(disk, "wwid") ??
    (mapper === null ? null : mapperName(mapper)) ??
    (page === null ? null : worldWideName(page)) ??
    prefixed("loop", readText(disk, "loop/backing_file")) ??
    prefixed("serial", readText(disk, "serial"))
  );
}

/** `deviceNumber` is "major:minor"; `sysfs` is another root in tests. */
export function identify(deviceNumber: string, sysfs = "/sys"): Identity {
  let folder: string;
  try {
    folder = realpathSync(path.join(sysfs, "dev/block", deviceNumber));
  } catch {
    return { wwid: null, partition: null };
  }
  const partition = readText(folder, "partition");
  if (partition === null) return { wwid: nameOfDisk(folder), partition: null };
  const disk = nameOfDisk(path.dirname(folder));
  return { wwid: disk === null ? null : `${disk}-part${partition}`, partition: Number(partition) };
}

/** Major numbers of SCSI disks: only those are worth asking for a page. */
export function isScsiDisk(deviceNumber: string): boolean {
  const major = Number(deviceNumber.split(":")[0]);
  return major === 8 || (major >= 65 && major <= 71) || (major >= 128 && major <= 135);
}
