/**
 * Whether two names lead to one device. Names lie: a link, a partition and its disk, a second path.
 * Numbers do not, so they are compared as well. Only /dev and /sys are asked, never a device.
 */
import { readdirSync, readFileSync, realpathSync, statSync } from "node:fs";
import path from "node:path";
import type { Geometry } from "../device/block.ts";

function realPath(name: string): string {
  try {
    return realpathSync(name);
  } catch {
    return path.resolve(name);
  }
}

/** "major:minor" of the block device of that name; null where there is none. */
export function deviceNumberOf(name: string): string | null {
  try {
    const stats = statSync(name, { bigint: true });
    if (!stats.isBlockDevice()) return null;
    const { rdev } = stats;
    const major = ((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & ~0xfffn);
    const minor = (rdev & 0xffn) | ((rdev >> 12n) & ~0xffn);
    return `${major}:${minor}`;
  } catch {
    return null;
  }
}

/** The whole disk of a partition; null for what is no partition. */
function diskOf(deviceNumber: string): string | null {
  try {
    const folder = realpathSync(`/sys/dev/block/${deviceNumber}`);
    readFileSync(path.join(folder, "partition"));
    return readFileSync(path.join(path.dirname(folder), "dev"), "ascii").trim();
  } catch {
    return null;
  }
}

/** The same device or file, or one a partition of the other. */
export function sameDevice(name: string, opened: string, geometry: Geometry): boolean {
  if (realPath(name) === realPath(opened)) return true;
  if (geometry.kind !== "block") return false;
  const number = deviceNumberOf(name);
  if (number === null) return false;
  const own = geometry.deviceNumber;
  return number === own || diskOf(number) === own || diskOf(own) === number;
}

/** The loop device that shows this plain file as a disk; null where there is none. */
export function loopDeviceOver(file: string): string | null {
  const real = realPath(file);
  try {
    for (const name of readdirSync("/sys/block")) {
      if (!name.startsWith("loop")) continue;
      const backing = backingFileOf(name);
      if (backing !== null && realPath(backing) === real) return `/dev/${name}`;
    }
  } catch {
    // no /sys: nothing is known, and loop devices are then out of reach as well
  }
  return null;
}

function backingFileOf(loop: string): string | null {
  try {
    return readFileSync(`/sys/block/${loop}/loop/backing_file`, "utf8").trim();
  } catch {
    return null; // not attached
  }
}
