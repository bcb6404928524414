/**
 * Opens PVOL and SVOL, and refuses every pair that could do harm: the same volume twice, an SVOL
 * that is too small or in use, that another copy writes, or that holds something which is not
 * evidently a copy of a heartbeat volume.
 */
import { readFile, realpath, stat } from "node:fs/promises";
import { type ExitCode, exitCodes, type Refusal } from "../../core/base/exit-codes.ts";
import { type BlockDevice, blockBytes, type BlockIo, type OpenFault } from "../../device/block.ts";
import { type Run, runBlocksMax } from "./scan-plan.ts";
import { Volume } from "./volume.ts";

export type PairPaths = { readonly pvol: string; readonly svol: string };
export type PairOptions = {
  readonly limitMs: number;
  readonly force: boolean;
  /** Keep other copies from the SVOL until this process ends, which also keeps it open so long. */
  readonly lock: boolean;
};

export type PairOpened =
  | {
      readonly ok: true;
      readonly pvol: Volume;
      readonly svol: Volume;
      /** The PVOL as one that may be written, for a copy in the other direction. */
      readonly claimPvol: () => Promise<Claimed>;
    }
  | { readonly ok: false; readonly refusal: Refusal };

export type Claimed =
  | { readonly ok: true; readonly volume: Volume }
  | { readonly ok: false; readonly message: string };

const openMs = 5000;
const blocksMax = (256 << 20) / blockBytes;
const volumeMagic = Buffer.from("MBVOLUME", "ascii");
const zeroes = Buffer.alloc(blockBytes);

const codes: Readonly<Record<string, ExitCode>> = {
  EACCES: exitCodes.noPermission,
  EPERM: exitCodes.noPermission,
  EROFS: exitCodes.cannotCreate,
  EBUSY: exitCodes.tryLater,
  LOCKED: exitCodes.tryLater,
  EIO: exitCodes.ioError,
  TIMEDOUT: exitCodes.timeout,
  TOOSMALL: exitCodes.dataError,
  SECTORSIZE: exitCodes.dataError,
};

const refuse = (code: ExitCode, message: string) =>
  ({ ok: false, refusal: { code, message } }) as const;
const refuseOpen = ({ code, message }: OpenFault) =>
  refuse(codes[code] ?? exitCodes.noInput, message);

export async function openPair(
  io: BlockIo,
  paths: PairPaths,
  options: PairOptions,
): Promise<PairOpened> {
  const source = await io.open(paths.pvol, "read", openMs);
  if (!source.ok) return refuseOpen(source);
  const present = await io.open(paths.svol, "read", openMs);
  if (!present.ok) return refuseOpen(present);
  await present.device.close();
  const same = await sameVolume(paths);
  if (same) return refuse(exitCodes.usage, same);
  const target = await openTarget(io, paths.svol, options.lock);
  if (!target.ok) return refuseOpen(target);
  const sizeFault = sizesFault(source.device, target.device);
  if (sizeFault) return refuse(exitCodes.dataError, sizeFault);
  const pvol = Volume.open("PVOL", source.device, "read", options.limitMs);
  const svol = Volume.open("SVOL", target.device, "write", options.limitMs);
  if (!pvol || !svol) return refuse(exitCodes.osError, "no memory for block I/O");
  const refusal = await contentFault(pvol, svol, options.force);
  if (refusal) return { ok: false, refusal };
  return { ok: true, pvol, svol, claimPvol: () => claimPvol(io, paths.pvol, options) };
}

/** Under the same conditions as the SVOL was opened: not in use, and no other copy writes it. */
async function claimPvol(io: BlockIo, path: string, options: PairOptions): Promise<Claimed> {
  const opened = await openTarget(io, path, options.lock);
  if (!opened.ok) return opened;
  const volume = Volume.open("PVOL", opened.device, "write", options.limitMs);
  if (volume) return { ok: true, volume };
  await opened.device.close();
  return { ok: false, message: "no memory for block I/O" };
}

/**
 * Exclusively first, which fails while it is mounted or claimed; then not, because an array does
 * not keep the readers of its SVOL from opening it in whichever way they like. Another copy is kept
 * out by a lock on the volume itself.
 */
async function openTarget(io: BlockIo, path: string, lock: boolean) {
  const claimed = await io.open(path, "write", openMs, { exclusive: true });
  if (!claimed.ok) return claimed;
  await claimed.device.close();
  const locked = lock ? io.lockFile(await realpath(path)) : ({ ok: true } as const);
  if (!locked.ok) {
    const message = `${path}: another remote copy writes to it, or it cannot be locked (${locked.code})`;
    return { ok: false, code: locked.code, message } as const;
  }
  return io.open(path, "write", openMs);
}

async function sameVolume({ pvol, svol }: PairPaths): Promise<string | null> {
  const [ofPvol, ofSvol] = await Promise.all([volumeNames(pvol), volumeNames(svol)]);
  if (!ofPvol.some((name) => ofSvol.includes(name))) return null;
  return `${svol}: is the same volume as ${pvol}; the SVOL must be another one`;
}

/** What identifies a volume: its number, or its file; and the file behind a loop device. */
async function volumeNames(path: string): Promise<readonly string[]> {
  try {
    const { dev, ino, rdev, mode } = await stat(path);
    const isBlock = (mode & 0o170000) === 0o060000;
    if (!isBlock) return [`file ${dev} ${ino}`];
    const number = `${Math.floor(rdev / 256) & 0xfff}:${(rdev & 0xff) | (Math.floor(rdev / 4096) & 0xfff00)}`;
    const backing = await readFile(`/sys/dev/block/${number}/loop/backing_file`, "utf8").catch(
      () => null,
    );
    return [`block ${rdev}`, ...(backing ? await volumeNames(backing.trim()) : [])];
  } catch {
    return []; // it was opened a moment ago: whatever this is, it is not the other one's name
  }
}

function sizesFault(pvol: BlockDevice, svol: BlockDevice): string | null {
  const [from, to] = [pvol.geometry.sizeBytes, svol.geometry.sizeBytes];
  if (to < from) return `${svol.path}: has ${to} bytes, fewer than the PVOL's ${from}`;
  if (Math.floor(from / blockBytes) <= blocksMax) return null;
  const limit = `${(blocksMax * blockBytes) >> 20} MiB`;
  return `${pvol.path}: more than ${limit}; this stand-in is for heartbeat volumes`;
}

/** Null if the SVOL may be overwritten. */
async function contentFault(pvol: Volume, svol: Volume, force: boolean): Promise<Refusal | null> {
  if (force) return null;
  const [from, to] = [await readFirst(pvol), await readFirst(svol)];
  if ("refusal" in from) return from.refusal;
  if ("refusal" in to) return to.refusal;
  const [isFormatted, holdsVolume] = [hasMagic(from.block), hasMagic(to.block)];
  if (holdsVolume && isFormatted) return null;
  if (holdsVolume) {
    const remedy = "are they the wrong way round? --force copies all the same";
    return unsafe(
      `${svol.device.path}: holds a heartbeat volume, and the PVOL does not; ${remedy}`,
    );
  }
  if (!to.block.equals(zeroes) && to.block.equals(from.block)) return null;
  return firstForeignBlock(pvol, svol);
}

const unsafe = (message: string): Refusal => ({ code: exitCodes.noPermission, message });
const hasMagic = (block: Buffer) => block.subarray(0, volumeMagic.length).equals(volumeMagic);

type FirstBlock = { readonly block: Buffer } | { readonly refusal: Refusal };

async function readFirst(volume: Volume): Promise<FirstBlock> {
  const read = await volume.read({ first: 0, count: 1 });
  if ("bytes" in read) return { block: Buffer.from(read.bytes) };
  return { refusal: ioRefusal(volume, read.fault.code, read.fault.text) };
}

function ioRefusal(volume: Volume, code: string, text: string): Refusal {
  return { code: codes[code] ?? exitCodes.ioError, message: `${volume.device.path}: ${text}` };
}

/** Every block of the SVOL must be zero or equal to the PVOL's. */
async function firstForeignBlock(pvol: Volume, svol: Volume): Promise<Refusal | null> {
  for (let first = 0; first < pvol.blockCount; first += runBlocksMax) {
    const run: Run = { first, count: Math.min(runBlocksMax, pvol.blockCount - first) };
    const found = await svol.read(run);
    if ("fault" in found) return ioRefusal(svol, found.fault.code, found.fault.text);
    const wanted = await pvol.read(run);
    if ("fault" in wanted) return ioRefusal(pvol, wanted.fault.code, wanted.fault.text);
    if (found.bytes.equals(wanted.bytes)) continue;
    for (let at = 0; at < found.bytes.length; at += blockBytes) {
      const block = found.bytes.subarray(at, at + blockBytes);
      if (block.equals(zeroes) || block.equals(wanted.bytes.subarray(at, at + blockBytes)))
        continue;
      const text = `block ${first + at / blockBytes} holds something that is no copy of the PVOL`;
      return unsafe(`${svol.device.path}: ${text}; --force overwrites it`);
    }
  }
  return null;
}
