/**
 * `examine`: reads a heartbeat volume as it is, with the agent running, dead or not installed.
 * Opens it read-only and never writes. What is damaged is decoded as far as it goes.
 */
import type { Config } from "../core/base/config.ts";
import { type ExitCode, exitCodes, type Refusal } from "../core/base/exit-codes.ts";
import { plainText } from "../console/examine-sizes.ts";
import { type BlockDevice, type BlockIo, openBlockIo } from "../device/block.ts";
import { realClock } from "../host/clock.ts";
import { faultLine, loadConfig } from "../host/config-file.ts";
import { keyIdText, type KeySet, loadKeys, macWith } from "../host/key-file.ts";
import { closeDevice, openRefusal, Transfers } from "../volume/device-io.ts";
import { type Examined, examineVolume } from "./examine-volume.ts";
import { slotDetailLines, slotDetailView } from "./examine-slot.ts";
import { deviceLines, findingLines, slotLines, superblockLines } from "./examine-text.ts";
import { deviceView, slotView, superblocksView, toJson } from "./examine-view.ts";
import { parseVerbArgs, usageError } from "./verb-args.ts";
import type { VerbIo } from "./verb-io.ts";

const help = `mirrorbeat examine DEVICE [--key FILE] [--slot N] [--json]

  Reads a heartbeat volume, PVOL or SVOL, as it is. Needs no agent, and never
  writes. Reads the records twice, to tell which hosts beat.

  --key FILE      check signatures; without it they are not checked
  --config FILE   compare with this configuration; also gives the key file
  --slot N        one host in full: bytes, fields, checks, echoes
  --watch-ms MS   how long to wait for an advance; default: twice the interval
                  that the slots promise, at most 2000
  --json          one JSON object

  A and B are the two copies of a record: ok, - never written, CRC or MAC
  wrong, KEY not held, I/O not readable, BAD otherwise (see the !! lines).
  2ND is the second read: +N records, SILENT, left (in order), BACK (older).
  AGE is by the writer's wall clock; it decides nothing.

examples
  mirrorbeat examine /dev/mapper/hb-osaka --key /etc/mirrorbeat/authkey
  mirrorbeat examine /dev/mapper/hb-osaka --slot 1
exit codes
  0 good    64 wrong command line    65 something is damaged: checksum,
  signature, a superblock (though its backup is good), or no volume at all
  66 no such device    74 I/O error    75 the slot asked for does not advance
  77 not permitted     78 configuration    124 the device does not answer
`;

const options = {
  key: { type: "string" },
  config: { type: "string" },
  slot: { type: "string" },
  "watch-ms": { type: "string" },
  json: { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const;

const deadlineMs = 10_000;
const watchMsMax = 3_600_000;

function refusal(io: VerbIo, json: boolean, { code, message }: Refusal): ExitCode {
  if (json) io.out(`${JSON.stringify({ schema: 1, ok: false, code, message })}\n`);
  else io.err(`mirrorbeat examine: ${plainText(message)}\n`);
  return code;
}

/** null where it is none. */
function wholeNumber(text: string | undefined, most: number): number | null {
  const value = text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  return value <= most ? value : null;
}

type Run = {
  readonly io: VerbIo;
  readonly path: string;
  readonly json: boolean;
  readonly keys: KeySet | null;
  readonly keyFile: string | null;
  readonly config: Config | null;
  readonly slot: number | null;
  readonly watchMs: number | null;
};

function verdictOf({ superblock, slots, findings, code }: Examined, asked: number | null): string {
  if (!superblock) return "BAD  no heartbeat volume can be made out here";
  const { clusterName, writerSite, readerSite } = superblock;
  const bad = findings.filter((finding) => finding.is !== "note").length;
  if (code === exitCodes.ioError) return `BAD  I/O errors: ${bad} of the device's blocks`;
  if (bad > 0) return `BAD  ${bad === 1 ? "one thing is" : `${bad} things are`} damaged or wrong`;
  const [one] = slots;
  if (asked !== null && one) {
    const { reading } = one.after;
    const who = reading.kind === "record" ? ` ${reading.record.hostName}` : "";
    const words = { advanced: "LIVE", left: "LEFT", still: "SILENT", backward: "BACK" } as const;
    const kind = one.movement.kind;
    if (kind !== "unknown") return `${words[kind]}  slot ${asked}${who}, site ${writerSite}`;
    return `OK  slot ${asked}${who}: never written`;
  }
  const live = slots.filter(({ movement }) => movement.kind === "advanced").length;
  const beating = slots.length === 0 ? "no slot in use" : `${live} of ${slots.length} slots beat`;
  return `OK  ${beating}; cluster ${clusterName}, ${writerSite} to ${readerSite}`;
}

function nextOf(run: Run, examined: Examined): string {
  const { volume, superblock, slots, findings } = examined;
  const path = plainText(run.path);
  const key = run.keyFile === null ? "" : ` --key ${run.keyFile}`;
  const states = [volume.primary.look?.kind, volume.backup.look?.kind];
  if (states.filter((state) => state === "good").length === 1) {
    return `mirrorbeat format --repair ${path}${key || " --key FILE"}`;
  }
  if (!superblock) return `is the name right? if it is: mirrorbeat format --help`;
  const first = findings.find((finding) => finding.slot !== null)?.slot;
  const silent = slots.find(({ movement }) => movement.kind === "still")?.after.slot;
  const slot = first ?? silent ?? slots[0]?.after.slot;
  if (run.slot !== null || slot === undefined) return "mirrorbeat status";
  return `mirrorbeat examine ${path}${key} --slot ${slot}`;
}

function keyLine(keys: KeySet | null): string {
  if (!keys) return "key     MAC not checked: give --key FILE";
  const ids = [keys.signing, ...keys.accepted].map(({ id }) => keyIdText(id));
  return `key     MAC checked with ${ids.join(" and ")}`;
}

function print(run: Run, blockIo: BlockIo, examined: Examined, nowMs: number): string {
  const { volume, superblock, slots, echoes, findings, afterMs } = examined;
  const [one] = slots;
  const detail =
    run.slot !== null && superblock && one
      ? slotDetailLines({ volume, superblock, evidence: one, echoes })
      : slotLines(slots.map((evidence) => slotView(evidence, nowMs)));
  const isTable = run.slot === null && slots.length > 0;
  const second = isTable && afterMs !== null ? [`2ND     after ${Math.round(afterMs)} ms`] : [];
  const lines = [
    verdictOf(examined, run.slot),
    ...findingLines(findings),
    ...deviceLines(deviceView(volume.device, blockIo.engine)),
    keyLine(run.keys),
    ...superblockLines(superblocksView(volume)),
    ...(run.slot !== null || isTable ? detail : []),
    ...second,
    `next: ${nextOf(run, examined)}`,
  ];
  return `${lines.join("\n")}\n`;
}

function asJson(run: Run, blockIo: BlockIo, examined: Examined, nowMs: number): string {
  const { volume, superblock, slots, echoes, findings, afterMs, code } = examined;
  const [one] = slots;
  const slot =
    run.slot !== null && superblock && one
      ? slotDetailView({ volume, superblock, evidence: one, echoes }, nowMs)
      : null;
  return `${toJson({
    schema: 1,
    ok: code === exitCodes.ok,
    code,
    verdict: verdictOf(examined, run.slot),
    findings,
    device: deviceView(volume.device, blockIo.engine),
    signatures: run.keys ? "checked" : "not checked",
    superblocks: superblocksView(volume),
    slots: slots.map((evidence) => slotView(evidence, nowMs)),
    slot,
    secondReadAfterMs: afterMs === null ? null : Math.round(afterMs),
    next: nextOf(run, examined),
  })}\n`;
}

async function examineOn(run: Run, blockIo: BlockIo, device: BlockDevice): Promise<ExitCode> {
  const { io, json, keys, slot, watchMs, config } = run;
  const transfers = Transfers.on(device, deadlineMs);
  if ("refusal" in transfers) return refusal(io, json, transfers.refusal);
  const checkKeys = {
    mac: keys ? macWith(keys) : null,
    crc32c: (bytes: Uint8Array) => blockIo.crc32c(bytes),
  };
  const examined = await examineVolume(transfers, { keys: checkKeys, slot, watchMs, config });
  if (!examined.ok) return refusal(io, json, examined.refusal);
  const nowMs = Number(realClock.wallNs() / 1_000_000n);
  io.out((json ? asJson : print)(run, blockIo, examined, nowMs));
  return examined.code;
}

async function examine(run: Run, blockIo: BlockIo): Promise<ExitCode> {
  const opened = await blockIo.open(run.path, "read", deadlineMs);
  if (!opened.ok) return refusal(run.io, run.json, openRefusal(opened).refusal);
  const code = await examineOn(run, blockIo, opened.device);
  await closeDevice(opened.device);
  return code;
}

type Prepared =
  | { readonly ok: true; readonly config: Config | null; readonly keyFile: string | null }
  | { readonly ok: false; readonly refusal: Refusal };

function prepare(key: string | undefined, configFile: string | undefined): Prepared {
  if (configFile === undefined) return { ok: true, config: null, keyFile: key ?? null };
  const loaded = loadConfig({ file: configFile, host: null, anyHost: true });
  if (loaded.ok) {
    return { ok: true, config: loaded.config, keyFile: key ?? loaded.config.keyFile };
  }
  const [first] = loaded.faults;
  const message = `${first ? faultLine(first) : configFile}; see: mirrorbeat config check`;
  return { ok: false, refusal: { code: loaded.code, message } };
}

export async function examineVerb(args: readonly string[], io: VerbIo): Promise<ExitCode> {
  const parsed = parseVerbArgs(args, options);
  if (!parsed.ok) return usageError(io, "examine", parsed.message);
  const { values, positionals } = parsed;
  if (values.help) {
    io.out(help);
    return exitCodes.ok;
  }
  const [path, ...rest] = positionals;
  if (path === undefined) return usageError(io, "examine", "which DEVICE?");
  if (rest.length > 0) return usageError(io, "examine", `one DEVICE, not also ${rest.join(" ")}`);
  const slot = wholeNumber(values.slot, 65535);
  const watchMs = wholeNumber(values["watch-ms"], watchMsMax);
  if (values.slot !== undefined && slot === null) {
    return usageError(io, "examine", `--slot ${values.slot}: not the number of a slot`);
  }
  if (values["watch-ms"] !== undefined && watchMs === null) {
    const text = `--watch-ms ${values["watch-ms"]}: not a whole number up to ${watchMsMax}`;
    return usageError(io, "examine", text);
  }
  const json = values.json ?? false;
  const prepared = prepare(values.key, values.config);
  if (!prepared.ok) return refusal(io, json, prepared.refusal);
  const { config, keyFile } = prepared;
  const loaded = keyFile === null ? null : loadKeys(keyFile);
  if (loaded && !loaded.ok) {
    const { code, message } = loaded.refusal;
    const also = "without --key signatures are not checked";
    return refusal(io, json, { code, message: `${message}; ${also}` });
  }
  const opened = openBlockIo();
  if (!opened.ok) {
    return refusal(io, json, { code: exitCodes.unavailable, message: opened.message });
  }
  try {
    const keys = loaded?.keys ?? null;
    return await examine({ io, path, json, keys, keyFile, config, slot, watchMs }, opened.io);
  } finally {
    opened.io.close();
  }
}
