/** `format --repair`: one superblock restored from the other. */
import { type ExitCode, exitCodes } from "../core/base/exit-codes.ts";
import { plainText } from "../console/examine-sizes.ts";
import { keyIdText, macWith } from "../host/key-file.ts";
import type { BlockDevice } from "../device/block.ts";
import { closeDevice, Transfers } from "../volume/device-io.ts";
import { planRepair, type Repair, repairVolume } from "../volume/repair.ts";
import { deadlineMs, openClaimed, type Run, tellRefusal } from "./format-run.ts";

const others = { primary: "backup", backup: "primary" } as const;

function tell(run: Run, path: string, repair: Repair | null, done: boolean): ExitCode {
  const { io, json } = run;
  const code = repair === null || done ? exitCodes.ok : exitCodes.usage;
  if (json) {
    const { restores = null, fault = null } = repair ?? {};
    const view = { schema: 1, ok: true, repaired: done, restores, fault, device: path };
    io.out(`${JSON.stringify(view)}\n`);
    return code;
  }
  if (repair === null) {
    io.out(`${path}: nothing to repair: superblock and backup are good\n`);
    return code;
  }
  const { restores, superblock, fault } = repair;
  const { clusterName, writerSite, readerSite, volumeId, keyId } = superblock;
  const what = done ? "repaired" : "would repair";
  io.out(
    `${what}: ${restores} superblock, from the ${others[restores]}\n` +
      `  device   ${path}\n` +
      `  fault    ${fault}\n` +
      `  volume   ${volumeId}\n` +
      `  cluster  ${clusterName}, written by ${writerSite}, read by ${readerSite}\n` +
      `  key      ${keyIdText(keyId)} signed the good one\n`,
  );
  io.out(done ? `next: mirrorbeat examine ${path}\n` : "nothing was changed; add --yes to do it\n");
  return code;
}

async function repairOn(run: Run, device: BlockDevice): Promise<ExitCode> {
  const { io, json, blockIo, keys, force } = run;
  const transfers = Transfers.on(device, deadlineMs);
  if ("refusal" in transfers) return tellRefusal(io, json, transfers.refusal);
  const authenticity = { mac: macWith(keys), crc32c: (bytes: Uint8Array) => blockIo.crc32c(bytes) };
  const keyIds = [keys.signing.id, ...keys.accepted.map((key) => key.id)];
  const planned = await planRepair(transfers, { ...authenticity, keyIds, force });
  if (!planned.ok) return tellRefusal(io, json, planned.refusal);
  const { repair } = planned;
  const path = plainText(device.path);
  if (repair === null || !run.yes) return tell(run, path, repair, false);
  const seal = { ...authenticity, keyId: keys.signing.id };
  const refused = await repairVolume(transfers, repair, seal);
  return refused ? tellRefusal(io, json, refused.refusal) : tell(run, path, repair, true);
}

export async function runRepair(run: Run, path: string): Promise<ExitCode> {
  const opened = await openClaimed(run, path);
  if (!opened.ok) return tellRefusal(run.io, run.json, opened.refusal);
  const code = await repairOn(run, opened.device);
  await closeDevice(opened.device);
  return code;
}
