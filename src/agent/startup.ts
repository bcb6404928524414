/**
 * What an agent finds out before its first beat: its lock, its keys, its memory; then its volumes
 * (gather.ts). Bad input ends here, in one clear line, before anything was written.
 */
import { mkdirSync } from "node:fs";
import path from "node:path";
import { type Config, siteNamed } from "../core/base/config.ts";
import { exitCodes, type Refusal } from "../core/base/exit-codes.ts";
import { blockBytes } from "../core/sector/layout.ts";
import { type BlockIo, openBlockIo } from "../device/block.ts";
import { realClock } from "../host/clock.ts";
import { loadDeviceFile } from "../host/device-file.ts";
import { loadKeys } from "../host/key-file.ts";
import { readyFrom, type Startup } from "./gather.ts";
import { loadMemory } from "./memory.ts";
import { keyring } from "./seal.ts";
import { slotsOf } from "./slot-survey.ts";
import { pauseBy, realTimers } from "./timers.ts";

const refuse = (code: Refusal["code"], message: string): Startup => ({
  ok: false,
  refusal: { code, message },
});

function prepareFolders(config: Config): Refusal | null {
  for (const folder of [config.runFolder, config.stateFolder]) {
    try {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      const message = `${folder}: cannot be made (${code}); make it, owned by the user that runs the agent`;
      return { code: exitCodes.cannotCreate, message };
    }
  }
  return null;
}

export const lockFileName = "lock";

function takeLock(io: BlockIo, config: Config): Refusal | null {
  const locked = io.lockFile(path.join(config.stateFolder, lockFileName));
  if (locked.ok) return null;
  if (locked.code !== "LOCKED") return { code: exitCodes.cannotCreate, message: locked.message };
  const message = `${config.stateFolder}: another agent runs here; look at \`mirrorbeat status\`, or stop it first`;
  return { code: exitCodes.tryLater, message };
}

/** Address space for the lanes of all volumes; memory is taken only as lanes are used. */
function areaBytesFor(config: Config): number {
  const readersPerVolume = 2;
  const lanesPerReader = 2;
  const areas = config.mirrors.map((mirror) => {
    const hosts = siteNamed(config, mirror.writer)?.hosts ?? [];
    return 2 * blockBytes * slotsOf(hosts);
  });
  const reading = areas.reduce((sum, bytes) => sum + readersPerVolume * lanesPerReader * bytes, 0);
  return 2 * reading + (64 << 20);
}

/** Opens all that the agent needs, or says in one line why it cannot begin. */
export async function startUp(
  config: Config,
  engine: "io_uring" | "aio" | "any",
): Promise<Startup> {
  const folders = prepareFolders(config);
  if (folders) return { ok: false, refusal: folders };
  const loaded = loadKeys(config.keyFile);
  if (!loaded.ok) return loaded;
  const opened = openBlockIo({ engine, areaBytes: areaBytesFor(config) });
  if (!opened.ok) return refuse(exitCodes.unavailable, opened.message);
  const { io } = opened;
  const locked = takeLock(io, config);
  if (locked) return { ok: false, refusal: locked };
  const remembered = loadMemory(config.stateFolder, (bytes) => io.crc32c(bytes));
  if (!remembered.ok) return remembered;
  const filed = loadDeviceFile(config.stateFolder);
  if (!filed.ok) return filed;
  const keys = keyring(loaded.keys, io);
  const pause = pauseBy(realTimers);
  const wallNs = realClock.wallNs();
  return readyFrom(config, { io, keys, pause, wallNs }, remembered.memory, filed.devices);
}
