/** The rate at which the kernel's clock is run, as adjtimex(2) tells it. Reads alone. */
import path from "node:path";
import { loadLibrary, pointerTo } from "./foreign.ts";
import { errorCode, libraryName } from "./native.ts";

export type ClockRate = {
  /** How much faster than its crystal the clock is run, in parts per million. */
  readonly correctionPpm: number;
  readonly synchronised: boolean;
};

/** struct mirrorbeat_clock_rate of native/include/mirrorbeat_fence.h. */
const structureBytes = 24;
const at = { correctionPpb: 0, synchronised: 16 } as const;

export type ClockRateRead =
  | { readonly ok: true; readonly rate: ClockRate }
  | { readonly ok: false; readonly message: string };

export function readClockRate(): ClockRateRead {
  const file = path.join(__dirname, libraryName);
  const loaded = loadLibrary(file);
  if (!loaded.ok) return { ok: false, message: `${file}: ${loaded.message}` };
  const structure = Buffer.alloc(structureBytes);
  const result = loaded.library.prepare("mirrorbeat_clock_rate_read", pointerTo(structure))();
  if (result < 0) return { ok: false, message: `adjtimex: ${errorCode(result)}` };
  const correctionPpm = Number(structure.readBigInt64LE(at.correctionPpb)) / 1000;
  const synchronised = structure.readUInt32LE(at.synchronised) === 1;
  return { ok: true, rate: { correctionPpm, synchronised } };
}
