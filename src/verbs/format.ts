/**
 * `format`: makes a device or a plain file a heartbeat volume; `format --repair` restores one of
 * its two superblocks from the other. Nothing is changed without --yes, and nothing is overwritten
 * that somebody may need without --force.
 */
import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { type ExitCode, exitCodes } from "../core/base/exit-codes.ts";
import { blockBytes } from "../core/sector/layout.ts";
import { blocksNeeded, type VolumePlan } from "../core/sector/volume.ts";
import { wrapText } from "../console/examine-lines.ts";
import { plainText, sizeText } from "../console/examine-sizes.ts";
import { type BlockDevice, openBlockIo } from "../device/block.ts";
import { realClock } from "../host/clock.ts";
import { keyIdText, loadKeys, macWith } from "../host/key-file.ts";
import { closeDevice, type Refused, refuse, Transfers } from "../volume/device-io.ts";
import { formatVolume, planFormat, type SharedTimings } from "../volume/format.ts";
import { labelsOn, labelsText } from "../volume/label-scan.ts";
import { type Label, labelText } from "../volume/labels.ts";
import { findMultipath, queueingWarning } from "../volume/multipath.ts";
import { deviceRefusal } from "../volume/open.ts";
import { runRepair } from "./format-repair.ts";
import { deadlineMs, openClaimed, type Run, tellRefusal } from "./format-run.ts";
import { type Settled, settleWish, slotsDefault } from "./format-wish.ts";
import { parseVerbArgs, usageError } from "./verb-args.ts";
import type { VerbIo } from "./verb-io.ts";

const help = `mirrorbeat format DEVICE --cluster NAME --writer SITE --reader SITE
                  --key FILE [--slots N] [--yes]
mirrorbeat format --config FILE --mirror NAME [--yes]
mirrorbeat format --repair DEVICE --key FILE [--yes]

  Makes a block device or a plain file a heartbeat volume. Do it once, on the
  PVOL, at the writing site; the array copies it to the SVOL.
  Without --yes it prints what it would do, and changes nothing.

  --cluster NAME      the same at all sites
  --writer SITE       the site whose hosts write here (the PVOL's site)
  --reader SITE       the site that reads the copy (the SVOL's site)
  --key FILE          the key file; it signs the volume's superblock
  --slots N           hosts that have room; default ${slotsDefault}
  --echo-peers N      hosts of the other site that each can answer;
                      default: as many as slots
  --mailbox-blocks N  for commands of each host; default 16
  --config FILE --mirror NAME
                      device, cluster, sites, key and timings of that mirror
  --repair            restores the superblock from its backup, or the backup
                      from it, if exactly one of them is good
  --yes               do it
  --force             overwrite what is on the device; IT IS LOST
  --json              one JSON object

  A device that holds anything is refused: file system, partition table, LVM,
  RAID, DRBD, swap, another heartbeat volume, or unknown data. So is one that
  is mounted or held by a program.

examples
  mirrorbeat format /dev/mapper/hb-tokyo --cluster bank --writer tokyo \\
      --reader osaka --key /etc/mirrorbeat/authkey
  mirrorbeat format --mirror a-b --config /etc/mirrorbeat/mirrorbeat.toml --yes
exit codes
  0 done                        64 wrong command line, or --yes is missing
  65 too small, or not repairable          66 no such device or key file
  73 read-only    74 I/O error    75 the device is mounted or held
  77 holds something (--force), or not permitted    78 configuration
  124 the device does not answer
`;

const options = {
  cluster: { type: "string" },
  writer: { type: "string" },
  reader: { type: "string" },
  slots: { type: "string" },
  "echo-peers": { type: "string" },
  "mailbox-blocks": { type: "string" },
  key: { type: "string" },
  config: { type: "string" },
  mirror: { type: "string" },
  repair: { type: "boolean" },
  yes: { type: "boolean" },
  force: { type: "boolean" },
  json: { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const;

function missingFile(settled: Settled): Refused | null {
  const { device, wish } = settled;
  if (existsSync(device) || device.startsWith("/dev/")) return null;
  const bytes = blocksNeeded(wish) * blockBytes;
  return refuse(
    exitCodes.noInput,
    `${device}: does not exist; for a plain file first: truncate -s ${bytes} ${device}`,
  );
}

type Job = {
  readonly settled: Settled;
  readonly device: BlockDevice;
  readonly plan: VolumePlan;
  readonly labels: readonly Label[];
  /** What is no reason to refuse it, but should be known. */
  readonly notes: readonly string[];
};

async function notesOn({ geometry }: BlockDevice): Promise<readonly string[]> {
  if (geometry.kind !== "block") return [];
  const found = await findMultipath(geometry.deviceNumber);
  return found.flatMap((each) => queueingWarning(each) ?? []);
}

async function survey(
  settled: Settled,
  device: BlockDevice,
): Promise<({ readonly ok: true } & Job) | Refused> {
  const { wish, wwid, dataDevices, echoPeersGiven } = settled;
  const { path, geometry } = device;
  const refused = deviceRefusal({ path, wwid, dataDevices }, geometry);
  if (refused) return refused;
  const labels = await labelsOn(device, deadlineMs);
  if (!labels.ok) return labels;
  const planned = planFormat(path, geometry, wish, echoPeersGiven);
  if (!planned.ok) return planned;
  const notes = await notesOn(device);
  return { ok: true, settled, device, plan: planned.plan, labels: labels.labels, notes };
}

function timingsText(timings: SharedTimings | null): string {
  if (!timings) return "none stated";
  const { intervalMs, pollMs, marginMs } = timings;
  return `interval ${intervalMs} ms, poll ${pollMs} ms, margin ${marginMs} ms`;
}

function describe({ settled, device, plan, labels }: Job, keyId: number): readonly string[] {
  const { wish } = settled;
  const { geometry } = device;
  const { timings } = wish;
  const sectors = geometry.kind === "block" ? `, sectors of ${geometry.logicalBytes} bytes` : "";
  const used = (plan.mailboxBlock + plan.slots * plan.mailboxBlocksPerSlot + 1) * blockBytes;
  const per = `${plan.echoPeers} echo peers and ${plan.mailboxBlocksPerSlot} mailbox blocks each`;
  return [
    `  device   ${plainText(device.path)}`,
    `  size     ${sizeText(geometry.sizeBytes)}${sectors}; ${sizeText(used)} will be in use`,
    `  cluster  ${wish.cluster}`,
    `  mirror   written by ${wish.writerSite}, read by ${wish.readerSite}`,
    `  room     ${plan.slots} slots, ${per}`,
    `  timings  ${timingsText(timings)}`,
    `  key      ${keyIdText(keyId)}`,
    ...(labels.length === 0
      ? ["  on it    nothing"]
      : labels.map((label) => `  LOST     ${plainText(labelText(label))}`)),
  ];
}

function jsonOf(
  { settled, device, plan, labels, notes }: Job,
  more: Record<string, unknown>,
): string {
  const { wish } = settled;
  return `${JSON.stringify({
    schema: 1,
    ok: true,
    ...more,
    device: device.path,
    sizeBytes: device.geometry.sizeBytes,
    cluster: wish.cluster,
    writer: wish.writerSite,
    reader: wish.readerSite,
    plan,
    timings: wish.timings,
    found: labels,
    notes,
  })}\n`;
}

function tellNotes(io: VerbIo, { notes }: Job): void {
  for (const note of notes) io.out(`${wrapText(`note: ${plainText(note)}`, 6).join("\n")}\n`);
}

async function carryOut(run: Run, job: Job): Promise<ExitCode> {
  const { io, blockIo, keys, json } = run;
  const { settled, device, plan, labels } = job;
  const transfers = Transfers.on(device, deadlineMs);
  if ("refusal" in transfers) return tellRefusal(io, json, transfers.refusal);
  const seal = {
    mac: macWith(keys),
    crc32c: (bytes: Uint8Array) => blockIo.crc32c(bytes),
    keyId: keys.signing.id,
    volumeId: randomUUID(),
    wallNs: realClock.wallNs(),
  };
  const done = await formatVolume(transfers, settled.wish, plan, seal, labels.length > 0);
  if (!done.ok) {
    const { code, message } = done.refusal;
    return tellRefusal(io, json, { code, message: `${message}; not formatted: run it again` });
  }
  const { volumeId } = done.superblock;
  if (json) io.out(jsonOf(job, { formatted: true, volumeId }));
  else {
    io.out(`formatted: volume ${volumeId}, written and read back\n`);
    io.out(
      `${describe({ ...job, labels: [] }, seal.keyId)
        .slice(0, -1)
        .join("\n")}\n`,
    );
    tellNotes(io, job);
    io.out(`next: mirrorbeat examine ${plainText(device.path)} --key ${settled.keyFile}\n`);
  }
  return exitCodes.ok;
}

async function formatOn(run: Run, settled: Settled, device: BlockDevice): Promise<ExitCode> {
  const { io, json, yes, force, keys } = run;
  const job = await survey(settled, device);
  if (!job.ok) return tellRefusal(io, json, job.refusal);
  const { labels } = job;
  if (labels.length > 0 && !force) {
    const remedy = "nothing was changed; to lose it, add --force";
    const message = `${device.path}: holds ${labelsText(labels)}; ${remedy}`;
    return tellRefusal(io, json, { code: exitCodes.noPermission, message });
  }
  if (yes) return carryOut(run, job);
  if (json) io.out(jsonOf(job, { formatted: false }));
  else {
    io.out(`would format\n${describe(job, keys.signing.id).join("\n")}\n`);
    tellNotes(io, job);
    io.out("nothing was changed; add --yes to do it\n");
  }
  return exitCodes.usage;
}

async function format(run: Run, settled: Settled): Promise<ExitCode> {
  const opened = await openClaimed(run, settled.device);
  if (!opened.ok) return tellRefusal(run.io, run.json, opened.refusal);
  const code = await formatOn(run, settled, opened.device);
  await closeDevice(opened.device);
  return code;
}

export async function formatVerb(args: readonly string[], io: VerbIo): Promise<ExitCode> {
  const parsed = parseVerbArgs(args, options);
  if (!parsed.ok) return usageError(io, "format", parsed.message);
  const { values, positionals } = parsed;
  if (values.help) {
    io.out(help);
    return exitCodes.ok;
  }
  const [device, ...rest] = positionals;
  if (rest.length > 0) return usageError(io, "format", `one DEVICE, not also ${rest.join(" ")}`);
  const { yes = false, force = false, json = false, repair = false } = values;
  const keyFile = repair ? values.key : undefined;
  if (repair && (device === undefined || keyFile === undefined)) {
    return usageError(io, "format", "--repair needs DEVICE and --key FILE");
  }
  const settled = repair ? null : settleWish(device, values, io.env);
  if (settled && !settled.ok) {
    return settled.code === exitCodes.usage
      ? usageError(io, "format", settled.message)
      : tellRefusal(io, json, settled);
  }
  const missing = settled ? missingFile(settled) : null;
  if (missing) return tellRefusal(io, json, missing.refusal);
  const loaded = loadKeys(settled?.keyFile ?? keyFile ?? "");
  if (!loaded.ok) return tellRefusal(io, json, loaded.refusal);
  const opened = openBlockIo();
  if (!opened.ok) {
    return tellRefusal(io, json, { code: exitCodes.unavailable, message: opened.message });
  }
  const run = { io, blockIo: opened.io, keys: loaded.keys, yes, force, json };
  try {
    return settled ? await format(run, settled) : await runRepair(run, device ?? "");
  } finally {
    opened.io.close();
  }
}
