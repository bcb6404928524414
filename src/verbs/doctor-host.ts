/** What the agent presumes of its host: key, volumes, clocks, memory, and that it runs. */
import { readdirSync } from "node:fs";
import path from "node:path";
import type { MirrorConfig } from "../core/base/config.ts";
import { ownEnd } from "../core/base/devices.ts";
import { openBlockIo } from "../device/block.ts";
import { readClockRate } from "../device/clock-rate.ts";
import { keyIdText, loadKeys, macWith, readKeyFile } from "../host/key-file.ts";
import { closeDevice } from "../volume/device-io.ts";
import { openVolume, type VolumeIo } from "../volume/open.ts";
import { askAgent } from "./agent-client.ts";
import { type Check, type Finding, type Host, restsOnLease, sayer } from "./doctor-checks.ts";
import { textAt } from "./doctor-fencing.ts";

const deviceLimitMs = 3000;
const agentLimitMs = 3000;

function lookAtKey({ config }: Host): readonly Finding[] {
  const { ok, fail } = sayer("key");
  const read = readKeyFile(config.keyFile);
  if (!read.ok) return [fail(read.refusal.message, "mirrorbeat key --help")];
  const ids = read.keys.map(({ id, state }) => `${keyIdText(id)} (${state})`).join(", ");
  return [ok(`${config.keyFile}: ${ids}, for its owner alone`)];
}

async function lookAtVolume(
  { config }: Host,
  blockIo: VolumeIo,
  mirror: MirrorConfig,
): Promise<readonly Finding[]> {
  const { ok, warning, fail } = sayer("volume");
  const own = ownEnd(config, mirror);
  const keys = loadKeys(config.keyFile);
  if (!own || !keys.ok) return [];
  const opened = await openVolume(blockIo, {
    path: own.device,
    access: "read",
    deadlineMs: deviceLimitMs,
    mac: macWith(keys.keys),
    keyIds: [keys.keys.signing, ...keys.keys.accepted].map(({ id }) => id),
    cluster: config.cluster,
    writerSite: mirror.writer,
    readerSite: mirror.reader,
    wwid: own.end === "pvol" ? mirror.pvolWwid : mirror.svolWwid,
    dataDevices: config.dataDevices,
  });
  if (opened.ok) {
    await closeDevice(opened.volume.device);
    return [ok(`${mirror.name}: ${own.end} ${own.device} is ours and can be read`)];
  }
  const say = mirror.installed ? fail : warning;
  return [say(`${mirror.name}: ${opened.refusal.message}`, `mirrorbeat examine ${own.device}`)];
}

async function lookAtVolumes(host: Host): Promise<readonly Finding[]> {
  const { ok, unknown } = sayer("volume");
  const keys = loadKeys(host.config.keyFile);
  if (!keys.ok) return [unknown("not looked at: no key to check a volume by")];
  const mirrors = host.config.mirrors.filter((mirror) => mirror.enabled);
  if (mirrors.length === 0) return [ok("no mirror is configured")];
  const opened = openBlockIo();
  if (!opened.ok) return [unknown(opened.message)];
  try {
    const looks = mirrors.map((mirror) => lookAtVolume(host, opened.io, mirror));
    return (await Promise.all(looks)).flat();
  } finally {
    opened.io.close();
  }
}

async function lookAtAgent({ config, agentPid }: Host): Promise<readonly Finding[]> {
  const { ok, warning, fail } = sayer("agent");
  const asked = await askAgent(config, { verb: "status" }, agentLimitMs);
  if (!asked.ok) {
    const say = agentPid === null ? warning : fail;
    return [say(asked.message, agentPid === null ? "mirrorbeat run" : "mirrorbeat events")];
  }
  const { role } = asked.value as { role?: unknown };
  const told = typeof role === "string" ? `, role ${role}` : "";
  return [ok(`process ${agentPid ?? "?"} answers${told}`)];
}

/** chrony may slew a clock by this much unless it is told otherwise. */
const chronySlewDefaultPpm = 83_333;

function chronyFiles(etc: string): readonly string[] {
  const folders = ["chrony/conf.d", "chrony.d"].map((name) => path.join(etc, name));
  const parts = folders.flatMap((folder) => {
    try {
      return readdirSync(folder).map((name) => path.join(folder, name));
    } catch {
      return [];
    }
  });
  return [path.join(etc, "chrony/chrony.conf"), path.join(etc, "chrony.conf"), ...parts];
}

/** null where chrony is not configured here. */
function chronySlewPpm(etc: string): number | null {
  const texts = chronyFiles(etc).flatMap((file) => textAt(file) ?? []);
  if (texts.length === 0) return null;
  const given = texts.flatMap((text) => [...text.matchAll(/^\s*maxslewrate\s+([\d.]+)/gim)]);
  return Number(given.at(-1)?.[1] ?? chronySlewDefaultPpm);
}

function lookAtClock({ config, roots }: Host): readonly Finding[] {
  const { ok, unknown, warning } = sayer("clock");
  const { driftPpm } = config.timing;
  const read = readClockRate();
  if (!read.ok) return [unknown(read.message)];
  const { correctionPpm, synchronised } = read.rate;
  const rate = `corrected by ${correctionPpm.toFixed(1)} ppm`;
  if (Math.abs(correctionPpm) > driftPpm) {
    const told = `${rate}, more than drift_ppm ${driftPpm}: slewed now, or its crystal is off`;
    return [warning(told, "wait for the slew to end; else raise drift_ppm at every host")];
  }
  const slewPpm = chronySlewPpm(roots.etc);
  if (slewPpm !== null && slewPpm > driftPpm) {
    const told = `${rate}; chrony may slew it by ${slewPpm} ppm, drift_ppm is ${driftPpm}`;
    return [warning(told, `write maxslewrate ${Math.floor(driftPpm / 2)} in chrony.conf`)];
  }
  const step = synchronised ? "kept in step" : "kept in step by nobody (it need not be)";
  return [ok(`${rate}, within drift_ppm ${driftPpm}; ${step}`)];
}

/** Bytes from a line such as `VmLck:  1024 kB`; null where it is not there. */
function kilobytes(text: string | null, name: string): number | null {
  const found = new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(text ?? "");
  return found ? Number(found[1]) : null;
}

function lookAtMemory({ config, roots, agentPid }: Host): readonly Finding[] {
  const { ok, warning } = sayer("memory");
  const swaps = (textAt(roots.proc, "swaps") ?? "").split("\n").length - 1;
  if (swaps <= 0) return [ok("no swap: the agent is never paged out")];
  const status = agentPid === null ? null : textAt(roots.proc, String(agentPid), "status");
  const lockedKb = kilobytes(status, "VmLck");
  const swappedKb = kilobytes(status, "VmSwap");
  if (lockedKb) return [ok(`the agent holds ${lockedKb} kB in memory`)];
  const told = `swap is on${swappedKb === null ? "" : `, ${swappedKb} kB of the agent are in it`}`;
  const why = restsOnLease(config) ? "a slow disk may stop it until it is fenced" : "it may stall";
  return [warning(`${told}: ${why}`, "set MemorySwapMax=0 in its unit, or swapoff -a")];
}

export const hostChecks: readonly Check[] = [
  { id: "key", look: lookAtKey },
  { id: "volume", look: lookAtVolumes },
  { id: "agent", look: lookAtAgent },
];
export const conditionChecks: readonly Check[] = [
  { id: "clock", look: lookAtClock },
  { id: "memory", look: lookAtMemory },
];
