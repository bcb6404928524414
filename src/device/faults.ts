/** What went wrong with opening a device, in one line: the path, the fault and the remedy. */

export type OpenFault = {
  readonly ok: false;
  readonly code: string;
  readonly message: string;
  /** When the attempt holds nothing of the program any more; not given where it holds nothing. */
  readonly owed?: Promise<void>;
};

const remedies: Readonly<Record<string, string>> = {
  ENOENT: "does not exist; check the name, and that the array presents the volume to this host",
  ENOTDIR: "does not exist; a part of its path is not a folder",
  EISDIR: "is a folder; name a block device",
  EACCES: "permission denied; run as root or grant access to the device",
  EPERM: "permission denied; run as root or grant access to the device",
  EROFS: "is read-only; a volume to be written must be the primary of its pair (blockdev --getro)",
  EBUSY: "is in use by another program, or mounted; a heartbeat volume is used by nothing else",
  ENXIO: "has no device behind it; check that the disk is still attached",
  ENODEV: "has no device behind it; check that the disk is still attached",
  ENOMEDIUM: "has no medium; a loop or removable device must be set up first",
  EMEDIUMTYPE: "is not readable in its present role (a DRBD secondary); name its backing disk",
  EIO: "cannot be read; the device reports an I/O error",
  ENAMETOOLONG: "is too long a path",
  TIMEDOUT: "did not open in time; the device hangs (check its paths, multipath -ll)",
  LIMIT: "is one device too many; the program has no more request slots",
  CLOSED: "was not opened; the program is ending",
  NOTBLOCK: "is not a block device or a plain file; name the volume's device under /dev",
  NODIRECT: "refuses direct I/O; buffered reads of a copied volume are stale, so it cannot serve",
};

export function openFault(path: string, code: string, detail?: string): OpenFault {
  const text = detail ?? remedies[code] ?? `cannot be opened (${code})`;
  return { ok: false, code, message: `${path}: ${text}` };
}
