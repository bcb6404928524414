/**
 * Names of devices that the kernel gives in the order in which it finds them: after a reboot, or
 * after a path was lost, another disk may have that name. Only /dev is asked, never a device.
 */
import { readdirSync, realpathSync } from "node:fs";
import path from "node:path";

/** Loop devices and DRBD's are numbered by whoever sets them up, so those names hold. */
const givenInOrder =
  /^(sd[a-z]+\d*|x?vd[a-z]+\d*|hd[a-z]\d*|dasd[a-z]+\d*|dm-\d+|nvme\d+n\d+(p\d+)?|rbd\d+(p\d+)?|nbd\d+(p\d+)?)$/;

export function isKernelName(name: string, dev = "/dev"): boolean {
  const { dir, base } = path.parse(path.normalize(name));
  return dir === dev && givenInOrder.test(base);
}

/** Which kind of lasting name is best to read and to keep, best first. */
const preferred = [/^dm-uuid-mpath-/, /^dm-name-/, /^wwn-/, /^scsi-/, /^nvme-(eui|nvme|uuid)/];

function rank(name: string): number {
  const index = preferred.findIndex((pattern) => pattern.test(name));
  return index < 0 ? preferred.length : index;
}

function realPath(name: string): string | null {
  try {
    return realpathSync(name);
  } catch {
    return null; // a link to what is gone
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** A name that leads to the same device now and goes with the disk; null where there is none. */
export function lastingNameOf(name: string, dev = "/dev"): string | null {
  const real = realPath(name);
  if (real === null) return null;
  // A map's name is the shortest, and stays as long as the map is called so.
  const folders = [path.join(dev, "mapper"), path.join(dev, "disk/by-id")];
  for (const folder of folders) {
    const found = namesIn(folder)
      .sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1))
      .map((each) => path.join(folder, each))
      .find((each) => realPath(each) === real);
    if (found !== undefined) return found;
  }
  return null;
}
