/**
 * Repairing a superblock from its other copy: only where exactly one of the two is good, its
 * signature holds, and no other owner's mark stands on the device.
 */
import { exitCodes } from "../core/base/exit-codes.ts";
import type { Superblock } from "../core/sector/layout.ts";
import { type Refused, refuse, type Transfers } from "./device-io.ts";
import { labelsOn, labelsText } from "./label-scan.ts";
import {
  type Authenticity,
  judgeSuperblock,
  lastBlockOf,
  sameVolume,
  superblockBytes,
  type SuperblockLook,
} from "./superblock.ts";
import { faultText, foreignRefusal } from "./superblock-faults.ts";

export type Repair = {
  readonly restores: "primary" | "backup";
  readonly superblock: Superblock;
  /** What is wrong with the copy that is replaced. */
  readonly fault: string;
};

export type RepairPlanned =
  /** `repair` is null where both are good. */
  { readonly ok: true; readonly repair: Repair | null; readonly superblock: Superblock } | Refused;

export type RepairRequest = Authenticity & {
  readonly keyIds: readonly number[];
  /** Also over another owner's mark. */
  readonly force: boolean;
};

type Looks = {
  readonly ok: true;
  readonly primary: SuperblockLook;
  readonly backup: SuperblockLook;
};

async function lookAtBoth(transfers: Transfers, request: RepairRequest): Promise<Looks | Refused> {
  const { sizeBytes } = transfers.device.geometry;
  const first = await transfers.read(0, 1);
  if (!first.ok) return first;
  const primary = judgeSuperblock(first.bytes, 0, sizeBytes, request);
  const good = primary.kind === "good" ? primary.superblock : null;
  const backupBlock = good?.backupBlock ?? lastBlockOf(sizeBytes);
  const second = await transfers.read(backupBlock, 1);
  if (!second.ok) return second;
  return {
    ok: true,
    primary,
    backup: judgeSuperblock(second.bytes, backupBlock, sizeBytes, request),
  };
}

function choose(path: string, { primary, backup }: Looks, keyIds: readonly number[]) {
  if (primary.kind === "good" && backup.kind === "good") {
    if (sameVolume(primary.superblock, backup.superblock)) {
      return { ok: true, repair: null, superblock: primary.superblock } as const;
    }
    const remedy = "nothing tells which is right: format it anew";
    return refuse(exitCodes.dataError, `${path}: both superblocks are good, but differ; ${remedy}`);
  }
  if (primary.kind === "good") {
    const { superblock } = primary;
    const repair: Repair = { restores: "backup", superblock, fault: faultText(backup) };
    return { ok: true, repair, superblock } as const;
  }
  if (backup.kind === "good") {
    const { superblock } = backup;
    const repair: Repair = { restores: "primary", superblock, fault: faultText(primary) };
    return { ok: true, repair, superblock } as const;
  }
  const foreign = foreignRefusal(path, primary, keyIds) ?? foreignRefusal(path, backup, keyIds);
  if (foreign) return foreign;
  const both = `primary: ${faultText(primary)}; backup: ${faultText(backup)}`;
  return refuse(exitCodes.dataError, `${path}: nothing to repair from: ${both}; format it anew`);
}

/** What a repair would do; changes nothing. */
export async function planRepair(
  transfers: Transfers,
  request: RepairRequest,
): Promise<RepairPlanned> {
  const { device, deadlineMs } = transfers;
  const looks = await lookAtBoth(transfers, request);
  if (!looks.ok) return looks;
  const chosen = choose(device.path, looks, request.keyIds);
  if (!chosen.ok || chosen.repair === null || request.force) return chosen;
  const labels = await labelsOn(device, deadlineMs);
  if (!labels.ok) return labels;
  const foreign = labels.labels.filter((label) => label.kind !== "heartbeat volume");
  if (foreign.length === 0) return chosen;
  const holds = `also holds ${labelsText(foreign)}`;
  const remedy = "is it in use for that? Add --force to overwrite";
  return refuse(exitCodes.noPermission, `${device.path}: ${holds}; ${remedy}`);
}

/** Writes the one block and reads it back. */
export async function repairVolume(
  transfers: Transfers,
  { restores, superblock }: Repair,
  seal: Authenticity & { readonly keyId: number },
): Promise<Refused | null> {
  const block = restores === "primary" ? 0 : superblock.backupBlock;
  const bytes = superblockBytes(superblock, restores, seal.keyId, seal);
  return transfers.writeAndVerify(block, bytes);
}
