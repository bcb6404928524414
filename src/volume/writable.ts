/**
 * Whether a data device of this host can be written now: opened for writing, asked, and closed
 * again. Nothing is read from it and nothing is written to it.
 *
 * The kernel may hold a disk read-only that its array has just made writable, and may not know a
 * volume that was just presented: both are refused with what mends them.
 */
import { exitCodes } from "../core/base/exit-codes.ts";
import type { BlockIo, Opened, OpenFault } from "../device/block.ts";
import { closeDevice, openRefusal, type Refused, refuse } from "./device-io.ts";

export type WritableIo = Pick<BlockIo, "open">;

/** `inUse`: something on this host has claimed it already, as a mount or a device upon it does. */
export type Writable = { readonly ok: true; readonly inUse: boolean } | Refused;

const sectorBytes = 512;
const missing = new Set(["ENOENT", "ENOTDIR", "ENXIO", "ENODEV", "ENOMEDIUM"]);
const forbidden = new Set(["EROFS", "EACCES", "EPERM"]);
const again = "then give the command again";

function missingRefusal(path: string): Refused {
  const what = `${path}: is not there: the array does not present this volume to this host`;
  const remedy = "map it, rescan (rescan-scsi-bus.sh, multipath -r)";
  return refuse(exitCodes.noInput, `${what}; ${remedy}, ${again}`);
}

function readOnlyRefusal(path: string): Refused {
  const what = `${path}: is read-only on this host (blockdev --getro)`;
  const remedy = "rescan the disk, and if it stays so look at its pair and at the array's mapping";
  return refuse(exitCodes.cannotCreate, `${what}; ${remedy}, ${again}`);
}

async function letGo(opened: Opened): Promise<void> {
  if (opened.ok) await closeDevice(opened.device);
}

/** What a refused open for writing comes from, as an open for reading shows it. */
async function judged(
  io: WritableIo,
  path: string,
  fault: OpenFault,
  leftMs: () => number,
): Promise<Writable> {
  // Larger sectors than our own I/O can use are nothing to a file system: all else was looked at.
  if (fault.code === "SECTORSIZE") return { ok: true, inUse: false };
  if (missing.has(fault.code)) return missingRefusal(path);
  if (fault.code !== "EBUSY" && !forbidden.has(fault.code)) return openRefusal(fault);
  const reading = await io.open(path, "read", leftMs(), { sizeBytesMin: sectorBytes });
  await letGo(reading);
  if (!reading.ok) return openRefusal(fault);
  if (reading.device.geometry.readOnly || fault.code === "EROFS") return readOnlyRefusal(path);
  return fault.code === "EBUSY" ? { ok: true, inUse: true } : openRefusal(fault);
}

/** Claims the device while it looks, where nothing else has; ends by the deadline. */
export async function writableNow(
  io: WritableIo,
  path: string,
  deadlineMs: number,
): Promise<Writable> {
  const endMs = performance.now() + deadlineMs;
  const leftMs = () => Math.max(1, endMs - performance.now());
  const options = { sizeBytesMin: sectorBytes };
  const claimed = await io.open(path, "write", leftMs(), { ...options, exclusive: true });
  await letGo(claimed);
  if (claimed.ok) return { ok: true, inUse: false };
  if (claimed.code !== "EBUSY") return judged(io, path, claimed, leftMs);
  const shared = await io.open(path, "write", leftMs(), options);
  await letGo(shared);
  // Some kernels let nobody else open for writing what is mounted.
  return shared.ok ? { ok: true, inUse: true } : judged(io, path, shared, leftMs);
}
