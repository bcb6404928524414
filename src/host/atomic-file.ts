/**
 * Writing small files so that a reader, a crash or a full disk never meets half of one.
 *
 *   write a temporary file in the same folder -> fsync it -> rename it over the old one
 *   -> fsync the folder
 *
 * Until the rename the old file stands untouched; after the last step the new one survives a loss
 * of power. A temporary file that a killed process left behind is removed by the next write.
 */
import { constants } from "node:fs";
import { open, readdir, rename, unlink } from "node:fs/promises";
import path from "node:path";
import { type ExitCode, exitCodes } from "../core/base/exit-codes.ts";

export type WriteResult =
  | { readonly ok: true }
  | { readonly ok: false; readonly code: ExitCode; readonly message: string };

let written = 0;
/** Files whose leftovers were looked for already by this process. */
const swept = new Set<string>();

const errorCodeOf = (error: unknown): string =>
  error instanceof Error && "code" in error ? String(error.code) : String(error);

function failure(file: string, error: unknown): WriteResult {
  const code = errorCodeOf(error);
  const fail = (exit: ExitCode, reason: string): WriteResult => {
    return { ok: false, code: exit, message: `${file}: not written: ${reason}` };
  };
  switch (code) {
    case "ENOSPC":
    case "EDQUOT":
      return fail(exitCodes.cannotCreate, "the disk is full; free some space");
    case "EROFS":
      return fail(exitCodes.cannotCreate, "the file system is read-only; remount it");
    case "ENOENT":
    case "ENOTDIR":
      return fail(exitCodes.cannotCreate, `no folder ${path.dirname(file)}; create it`);
    case "EEXIST":
      return fail(exitCodes.cannotCreate, "it exists; it is never overwritten");
    case "EISDIR":
      return fail(exitCodes.cannotCreate, "it is a folder; name a file");
    case "EACCES":
    case "EPERM":
      return fail(exitCodes.noPermission, "not permitted; run as the owner of its folder");
    case "EIO":
      return fail(exitCodes.ioError, "the disk answered with an I/O error");
    default:
      return fail(exitCodes.cannotCreate, code);
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errorCodeOf(error) === "EPERM";
  }
}

async function sweepLeftovers(file: string): Promise<void> {
  if (swept.has(file)) return;
  swept.add(file);
  const folder = path.dirname(file);
  const prefix = `.${path.basename(file)}.`;
  for (const name of await readdir(folder)) {
    const pid = name.startsWith(prefix)
      ? /^(\d+)\.\d+\.tmp$/.exec(name.slice(prefix.length))
      : null;
    if (pid && !isAlive(Number(pid[1]))) await unlink(path.join(folder, name));
  }
}

/** The file appears at `target`, complete and durable, or not at all. */
async function writeNew(target: string, bytes: Uint8Array | string, mode: number): Promise<void> {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  const handle = await open(target, flags, mode);
  try {
    try {
      await handle.chmod(mode); // the umask does not decide
      await handle.writeFile(bytes);
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (error) {
    await unlink(target).catch(() => undefined);
    throw error;
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Replaces a file, or creates it. */
export async function writeFileAtomically(
  file: string,
  bytes: Uint8Array | string,
  mode: number,
): Promise<WriteResult> {
  written += 1;
  const temporary = path.join(
    path.dirname(file),
    `.${path.basename(file)}.${process.pid}.${written}.tmp`,
  );
  try {
    await sweepLeftovers(file).catch(() => undefined);
    await writeNew(temporary, bytes, mode);
    try {
      await rename(temporary, file);
    } catch (error) {
      await unlink(temporary).catch(() => undefined);
      throw error;
    }
    await syncFolder(path.dirname(file));
    return { ok: true };
  } catch (error) {
    return failure(file, error);
  }
}

/** Creates a file that does not exist yet; one that exists is left as it is. */
export async function createFile(
  file: string,
  bytes: Uint8Array | string,
  mode: number,
): Promise<WriteResult> {
  try {
    await writeNew(file, bytes, mode);
    await syncFolder(path.dirname(file));
    return { ok: true };
  } catch (error) {
    return failure(file, error);
  }
}
