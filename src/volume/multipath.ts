/**
 * Device-mapper multipath under a heartbeat volume, and whether its map queues I/O while it has no
 * path: then I/O fails no more, it hangs, for ever if nothing bounds it. That costs the observer
 * its own path and never a peer its life; but whoever runs the LUN should know.
 *
 * The kernel is asked, not /etc/multipath.conf: what stands there need not be in force. Maps are
 * found in sysfs, which is memory of the kernel; the table is read by dmsetup, a program of its own
 * with a deadline, for it needs the mapper's lock. A kernel without device-mapper has no such map,
 * and then nothing is run.
 */
import { readdirSync, readFileSync, realpathSync } from "node:fs";
import path from "node:path";
import { runProgram } from "../host/program.ts";

export type MultipathMap = {
  readonly name: string;
  /** "major:minor" */
  readonly deviceNumber: string;
};

/** "unknown" where the table could not be read, or not be understood. */
export type Queueing = "on" | "off" | "unknown";

/** Runs dmsetup; its standard output, or null where it did not end well. */
export type TableReader = (command: readonly string[]) => Promise<string | null>;

/** Devices upon devices; more than anybody builds. */
const layersMax = 8;
const tableLimitMs = 2000;
const tableBytesMax = 16 * 1024;

function readText(folder: string, file: string): string | null {
  try {
    return readFileSync(path.join(folder, file), "utf8").trim() || null;
  } catch {
    return null; // this kind of device does not have it
  }
}

function entriesOf(folder: string): readonly string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}

/** The folder of a device, of the whole disk where it is a partition; null where there is none. */
function folderOf(deviceNumber: string, sysfs: string): string | null {
  try {
    const folder = realpathSync(path.join(sysfs, "dev/block", deviceNumber));
    return readText(folder, "partition") === null ? folder : path.dirname(folder);
  } catch {
    return null;
  }
}

function mapAt(folder: string): MultipathMap | null {
  if (!readText(folder, "dm/uuid")?.startsWith("mpath-")) return null;
  const name = readText(folder, "dm/name");
  const deviceNumber = readText(folder, "dev");
  return name !== null && deviceNumber !== null ? { name, deviceNumber } : null;
}

/** The devices that it stands on, or that stand on it. */
function neighbours(folder: string, side: "slaves" | "holders"): readonly string[] {
  return entriesOf(path.join(folder, side)).flatMap((name) => {
    try {
      return [realpathSync(path.join(folder, side, name))];
    } catch {
      return []; // gone meanwhile
    }
  });
}

/** The maps on the way from a device down to its disks; itself, if it is one. */
export function mapsUnder(deviceNumber: string, sysfs = "/sys"): readonly MultipathMap[] {
  const start = folderOf(deviceNumber, sysfs);
  const maps = new Map<string, MultipathMap>();
  let layer = start === null ? [] : [start];
  for (let depth = 0; depth < layersMax && layer.length > 0; depth++) {
    const below = new Set<string>();
    for (const folder of layer) {
      const map = mapAt(folder);
      if (map) maps.set(map.deviceNumber, map);
      else for (const next of neighbours(folder, "slaves")) below.add(next);
    }
    layer = [...below];
  }
  return [...maps.values()];
}

/** The map of which this device is one path; null where it is none. */
export function mapOver(deviceNumber: string, sysfs = "/sys"): MultipathMap | null {
  const folder = folderOf(deviceNumber, sysfs);
  if (folder === null) return null;
  return (
    neighbours(folder, "holders")
      .map(mapAt)
      .find((map) => map !== null) ?? null
  );
}

const knownFeature =
  /^(retain_attached_hw_handler|pg_init_retries|pg_init_delay_msecs|queue_mode|bio|rq|mq|\d+)$/;

/**
 * What a table says: `0 SECTORS multipath COUNT FEATURE... COUNT HANDLER... ...`. A table that is
 * cut off within its features, or is no multipath table, says nothing.
 */
export function queueingIn(table: string): Queueing {
  const lines = table.split("\n").filter((line) => line.trim() !== "");
  const words = (lines.length === 1 ? (lines[0] ?? "") : "").trim().split(/\s+/);
  const [start = "", sectors = "", target, count = "", ...rest] = words;
  const numbers = [start, sectors, count];
  if (target !== "multipath" || !numbers.every((word) => /^\d{1,18}$/.test(word))) return "unknown";
  // Behind the features there is always more: the number of words of the hardware handler.
  if (rest.length <= Number(count) || !/^\d+$/.test(rest[Number(count)] ?? "")) return "unknown";
  const features = rest.slice(0, Number(count));
  if (features.includes("queue_if_no_path")) return "on";
  return features.every((word) => knownFeature.test(word)) ? "off" : "unknown";
}

async function readTable(command: readonly string[]): Promise<string | null> {
  const options = { limitMs: tableLimitMs, keepBytesMax: tableBytesMax };
  const end = await runProgram(command, options);
  return end.kind === "exited" && end.code === 0 && !end.truncated ? end.stdout : null;
}

/** Always ends by its limit, whatever the mapper does. */
export async function queueingOf(
  map: MultipathMap,
  read: TableReader = readTable,
): Promise<Queueing> {
  // By number: a name may need to be escaped.
  const [major = "", minor = ""] = map.deviceNumber.split(":");
  const table = await read(["dmsetup", "table", "-j", major, "-m", minor]);
  return table === null ? "unknown" : queueingIn(table);
}

export type MultipathFinding = MultipathMap & { readonly queueing: Queueing };

export async function findMultipath(
  deviceNumber: string,
  sysfs = "/sys",
  read: TableReader = readTable,
): Promise<readonly MultipathFinding[]> {
  const maps = mapsUnder(deviceNumber, sysfs);
  return Promise.all(maps.map(async (map) => ({ ...map, queueing: await queueingOf(map, read) })));
}

/** For the one line of a status. */
export function queueingNote({ name, queueing }: MultipathFinding): string | null {
  switch (queueing) {
    case "on":
      return `multipath map ${name} queues without a path: no_path_retry fail`;
    case "unknown":
      return `multipath map ${name}: whether it queues is not known`;
    case "off":
      return null;
  }
}

/** What it means, and what helps; null where nothing need be done. */
export function queueingWarning({ name, queueing }: MultipathFinding): string | null {
  switch (queueing) {
    case "on":
      return (
        `multipath map ${name} queues I/O while it has no path (queue_if_no_path): ` +
        "it then hangs, for ever unless no_path_retry is a number, and the agent's end may wait " +
        `for it; set no_path_retry fail for this LUN, or: multipathd disablequeueing map ${name}`
      );
    case "unknown":
      return (
        `multipath map ${name}: whether it queues I/O while it has no path is not known; ` +
        `look for queue_if_no_path in: dmsetup table ${name}`
      );
    case "off":
      return null;
  }
}
