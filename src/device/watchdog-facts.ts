/**
 * What the kernel tells of a watchdog without its being opened (Documentation/ABI/testing/
 * sysfs-class-watchdog): opening one starts it. Reads alone.
 */
import { readFileSync, realpathSync, statSync } from "node:fs";
import path from "node:path";

export type WatchdogFacts = {
  /** Such as "watchdog0". */
  readonly name: string;
  /** The driver's own name for it; "" where the kernel tells nothing. */
  readonly identity: string;
  /** "active" while it runs; null where it is not told. */
  readonly state: "active" | "inactive" | null;
  /** It cannot be stopped once it runs; null where it is not told. */
  readonly noWayOut: boolean | null;
  readonly timeoutS: number | null;
  readonly timeoutMinS: number | null;
  readonly timeoutMaxS: number | null;
};

export type WatchdogPath =
  /** `facts` is null where the kernel tells nothing of this device. */
  | { readonly kind: "device"; readonly facts: WatchdogFacts | null }
  | { readonly kind: "fifo" | "socket" }
  | { readonly kind: "missing" | "other"; readonly reason: string };

/** The old name of the first watchdog: a device of its own, minor 130 of the misc devices. */
const firstAlias = "10:130";

function deviceNumber(rdev: number): string {
  const major = Math.floor(rdev / 256) & 0xfff;
  const minor = (rdev & 0xff) | (Math.floor(rdev / 4096) & 0xfff00);
  return `${major}:${minor}`;
}

function text(folder: string, name: string): string | null {
  try {
    return readFileSync(path.join(folder, name), "ascii").trim();
  } catch {
    return null;
  }
}

function whole(folder: string, name: string): number | null {
  const read = text(folder, name);
  return read !== null && /^\d+$/.test(read) ? Number(read) : null;
}

function factsIn(folder: string, name: string): WatchdogFacts {
  const state = text(folder, "state");
  const noWayOut = text(folder, "nowayout");
  return {
    name,
    identity: text(folder, "identity") ?? "",
    state: state === "active" || state === "inactive" ? state : null,
    noWayOut: noWayOut === null ? null : noWayOut !== "0",
    timeoutS: whole(folder, "timeout"),
    timeoutMinS: whole(folder, "min_timeout"),
    timeoutMaxS: whole(folder, "max_timeout"),
  };
}

/** Of a character device: its facts, null where nothing is told; undefined for no watchdog. */
function factsOf(number: string, sysfs: string): WatchdogFacts | null | undefined {
  const folderOf = (name: string) => path.join(sysfs, "class/watchdog", name);
  try {
    const real = realpathSync(path.join(sysfs, "dev/char", number));
    const name = path.basename(real);
    if (/^watchdog\d+$/.test(name)) return factsIn(folderOf(name), name);
  } catch {
    // no such number, or no sysfs
  }
  if (number !== firstAlias) return undefined;
  return text(folderOf("watchdog0"), "identity") === null
    ? null
    : factsIn(folderOf("watchdog0"), "watchdog0");
}

/** What stands at a path; opens nothing. */
export function watchdogAt(file: string, sysfs = "/sys"): WatchdogPath {
  try {
    const stats = statSync(file);
    if (stats.isFIFO()) return { kind: "fifo" };
    if (stats.isSocket()) return { kind: "socket" };
    if (!stats.isCharacterDevice()) return { kind: "other", reason: "no device, pipe or socket" };
    const facts = factsOf(deviceNumber(stats.rdev), sysfs);
    if (facts === undefined) return { kind: "other", reason: "a device, but no watchdog" };
    return { kind: "device", facts };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "error";
    if (code === "ENOENT" || code === "ENOTDIR") return { kind: "missing", reason: "not there" };
    return { kind: "other", reason: `cannot be looked at (${code})` };
  }
}

/** A driver whose watchdog is a timer of the very kernel that it should watch. */
export const isSoftware = (identity: string): boolean => /software/i.test(identity);
