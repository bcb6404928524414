/** What formatting and repairing share: the claimed device, and how a refusal is told. */
import { type ExitCode, exitCodes, type Refusal } from "../core/base/exit-codes.ts";
import { plainText } from "../console/examine-sizes.ts";
import type { BlockDevice, BlockIo } from "../device/block.ts";
import type { KeySet } from "../host/key-file.ts";
import { loopDeviceOver } from "../volume/device-names.ts";
import { closeDevice, openRefusal, type Refused, refuse } from "../volume/device-io.ts";
import type { VerbIo } from "./verb-io.ts";

/** For each transfer. */
export const deadlineMs = 10_000;

/** What the steps share. */
export type Run = {
  readonly io: VerbIo;
  readonly blockIo: BlockIo;
  readonly keys: KeySet;
  readonly yes: boolean;
  readonly force: boolean;
  readonly json: boolean;
};

export function tellRefusal(io: VerbIo, json: boolean, { code, message }: Refusal): ExitCode {
  if (json) io.out(`${JSON.stringify({ schema: 1, ok: false, code, message })}\n`);
  else io.err(`mirrorbeat format: ${plainText(message)}\n`);
  return code;
}

/** Opens for writing only where something is to be written; claims the device either way. */
export async function openClaimed(
  run: Run,
  path: string,
): Promise<{ readonly ok: true; readonly device: BlockDevice } | Refused> {
  const access = run.yes ? "write" : "read";
  const opened = await run.blockIo.open(path, access, deadlineMs, { exclusive: true });
  if (!opened.ok) return openRefusal(opened);
  const { device } = opened;
  const loop = device.geometry.kind === "file" ? loopDeviceOver(path) : null;
  if (loop !== null || device.geometry.readOnly) {
    await closeDevice(device);
    if (loop === null)
      return refuse(exitCodes.cannotCreate, `${path}: is read-only; name the PVOL`);
    return refuse(exitCodes.tryLater, `${path}: is in use as ${loop}; format that, or detach it`);
  }
  return opened;
}
