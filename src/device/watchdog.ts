/**
 * The host's watchdog: once opened it resets the machine unless it is fed, whatever became of this
 * program. Opened at the configuration's word alone.
 *
 * What the kernel does (drivers/watchdog/watchdog_dev.c), and what follows from it:
 *   - opening starts it, and counts as feeding: open it only when it may be fed;
 *   - when its last descriptor is closed without the letter 'V', be it by a signal that killed this
 *     process, it runs on, but is fed once more: a death buys one more time-out;
 *   - a driver without "magic close" is *stopped* by that, unless `nowayout` is set: such a one
 *     fences nobody whose program dies, and is refused.
 *
 * A FIFO or a unix stream socket is taken as well, as kind "pipe": whoever reads it does what a
 * device would, for tests. It gets '+' when fed, and 'V' when disarmed.
 *
 * Nothing here throws or waits for a reader. A write to a device is a register or a timer set, in
 * microseconds; IPMI's waits for its controller, within its driver's limit.
 */
import path from "node:path";
import { type ExitCode, exitCodes, type Refusal } from "../core/base/exit-codes.ts";
import { type ForeignLibrary, loadLibrary, pointerTo } from "./foreign.ts";
import { errorCode, libraryName } from "./native.ts";
import { watchdogAt, type WatchdogFacts } from "./watchdog-facts.ts";

export type Watchdog = {
  readonly kind: "device" | "pipe";
  readonly path: string;
  /** The driver's own name, ASCII; that of the stand-in for a pipe. */
  readonly identity: string;
  /** How long it waits for food, as read back; a pipe is believed what was wished. */
  readonly limitMs: number;
  /** False where its driver has nowayout: once open it runs until the machine resets. */
  readonly canDisarm: boolean;
  /** Why it could not be fed; null when it was. */
  feed(): string | null;
  /** Stops it and gives it back. Why it runs on all the same; null when it is stopped. */
  disarm(): string | null;
};

export type WatchdogOpened =
  | { readonly ok: true; readonly watchdog: Watchdog }
  | { readonly ok: false; readonly refusal: Refusal };

/** struct mirrorbeat_watchdog of native/include/mirrorbeat_fence.h. */
const structureBytes = 320;
const pathBytes = 256;
const at = {
  kind: 0,
  limitS: 4,
  keepsRunning: 8,
  file: 12,
  options: 16,
  step: 20,
  disarm: 24,
  identity: 32,
  path: 64,
} as const;
const kindNumbers = { device: 1, fifo: 2, socket: 3 } as const;
const steps = { open: 1, support: 2, set: 3, readBack: 4 } as const;
/** WDIOF_* of <linux/watchdog.h>. */
const optionMagicClose = 0x100;
const optionAlarmOnly = 0x400;

const refuse = (code: ExitCode, message: string): WatchdogOpened => ({
  ok: false,
  refusal: { code, message },
});

function library(): ForeignLibrary | string {
  const file = path.join(__dirname, libraryName);
  const loaded = loadLibrary(file);
  return loaded.ok ? loaded.library : `${file}: ${loaded.message}`;
}

function openFault(file: string, kind: keyof typeof kindNumbers, code: string): WatchdogOpened {
  if (code === "EBUSY") {
    const holders = "systemd's RuntimeWatchdogSec, watchdogd or sbd hold it";
    return refuse(exitCodes.tryLater, `${file}: in use by another program: ${holders}; end that`);
  }
  if (code === "EACCES" || code === "EPERM") {
    return refuse(exitCodes.noPermission, `${file}: may not be opened; run the agent as root`);
  }
  if (kind !== "device" && (code === "ENXIO" || code === "ECONNREFUSED" || code === "EAGAIN")) {
    return refuse(exitCodes.unavailable, `${file}: nobody reads this pipe; start its reader`);
  }
  return refuse(exitCodes.osError, `${file}: cannot be opened as a watchdog (${code})`);
}

function stepFault(
  file: string,
  wishedS: number,
  facts: WatchdogFacts | null,
  step: number,
  code: string,
): WatchdogOpened {
  if (step === steps.support) {
    return refuse(exitCodes.noPermission, `${file}: no watchdog (${code}); name /dev/watchdogN`);
  }
  const bounds = [facts?.timeoutMinS ?? 1, facts?.timeoutMaxS ?? 0];
  const range = bounds[1] ? `; it takes ${bounds[0]} to ${bounds[1]} s` : "";
  const what = step === steps.set ? `a time-out of ${wishedS} s is refused` : "tells no time-out";
  return refuse(exitCodes.config, `${file}: ${what} (${code})${range}: set watchdog_limit_ms`);
}

/** Why an open device is not to be relied on; null when it is. `options` are WDIOF_* bits. */
export function distrust(
  wishedS: number,
  limitS: number,
  options: number,
  noWayOut: boolean | null,
): string | null {
  if (limitS > wishedS) {
    return `waits ${limitS} s, longer than ${wishedS} s: set watchdog_limit_ms to ${limitS * 1000}`;
  }
  if ((options & optionAlarmOnly) !== 0)
    return "only raises an alarm, resets nothing: name another";
  if ((options & optionMagicClose) === 0 && noWayOut !== true) {
    return "is stopped when the program that holds it dies: load its driver with nowayout=1";
  }
  return null;
}

class Opened implements Watchdog {
  readonly kind: "device" | "pipe";
  readonly path: string;
  readonly identity: string;
  readonly limitMs: number;
  readonly canDisarm: boolean;
  private readonly structure: Buffer;
  private readonly feedCall: () => number;
  private readonly closeCall: () => number;
  private readonly runsOn: string | null;
  private isOpen = true;

  constructor(
    kind: "device" | "pipe",
    file: string,
    limitMs: number,
    structure: Buffer,
    calls: { readonly feed: () => number; readonly close: () => number },
    runsOn: string | null,
  ) {
    this.kind = kind;
    this.path = file;
    this.limitMs = limitMs;
    this.structure = structure;
    this.feedCall = calls.feed;
    this.closeCall = calls.close;
    this.runsOn = runsOn;
    this.canDisarm = runsOn === null;
    this.identity = kind === "pipe" ? "pipe" : identityIn(structure);
  }

  feed(): string | null {
    if (!this.isOpen) return `${this.path}: was given back already`;
    const result = this.feedCall();
    if (result === 0) return null;
    const code = errorCode(result);
    if (code === "EAGAIN") return `${this.path}: its pipe is full: nobody reads it`;
    if (code === "EPIPE") return `${this.path}: its reader is gone`;
    return `${this.path}: cannot be fed (${code})`;
  }

  disarm(): string | null {
    if (!this.isOpen) return null;
    this.isOpen = false;
    this.structure.writeUInt32LE(1, at.disarm);
    const result = this.closeCall();
    if (this.runsOn !== null) return `${this.path}: ${this.runsOn}`;
    return result === 0 ? null : `${this.path}: cannot be disarmed (${errorCode(result)})`;
  }
}

function identityIn(structure: Buffer): string {
  const bytes = structure.subarray(at.identity, at.identity + 32);
  const end = bytes.indexOf(0);
  const text = bytes.subarray(0, end < 0 ? bytes.length : end).toString("latin1");
  return text.replaceAll(/[^\x20-\x7e]/g, "?");
}

/** `limitMs` is the longest that it may wait for food; a device counts whole seconds. */
export function openWatchdog(file: string, limitMs: number, sysfs = "/sys"): WatchdogOpened {
  const found = watchdogAt(file, sysfs);
  if (found.kind === "missing") return refuse(exitCodes.noInput, `${file}: no watchdog is there`);
  if (found.kind === "other") return refuse(exitCodes.config, `${file}: ${found.reason}`);
  const wishedS = Math.floor(limitMs / 1000);
  if (found.kind === "device" && wishedS < 1) {
    const why = "a device counts whole seconds: set it to 1000 or more";
    return refuse(exitCodes.config, `${file}: watchdog_limit_ms ${limitMs}: ${why}`);
  }
  if (Buffer.byteLength(file) >= pathBytes) {
    return refuse(
      exitCodes.config,
      `${file}: a watchdog's name has at most ${pathBytes - 1} bytes`,
    );
  }
  const facts = found.kind === "device" ? found.facts : null;
  const structure = Buffer.alloc(structureBytes);
  structure.writeUInt32LE(kindNumbers[found.kind], at.kind);
  structure.writeUInt32LE(wishedS, at.limitS);
  structure.writeUInt32LE(facts?.state === "active" ? 1 : 0, at.keepsRunning);
  structure.write(file, at.path, "utf8");
  const loaded = library();
  if (typeof loaded === "string") return refuse(exitCodes.software, loaded);
  const pointer = pointerTo(structure);
  const call = (name: string) => loaded.prepare(`mirrorbeat_watchdog_${name}`, pointer);
  const calls = { feed: call("feed"), close: call("close") };
  const result = call("open")();
  if (result !== 0) {
    const step = structure.readUInt32LE(at.step);
    const code = errorCode(result);
    return step > steps.open
      ? stepFault(file, wishedS, facts, step, code)
      : openFault(file, found.kind, code);
  }
  if (found.kind !== "device") {
    return { ok: true, watchdog: new Opened("pipe", file, limitMs, structure, calls, null) };
  }
  const limitS = structure.readUInt32LE(at.limitS);
  const options = structure.readUInt32LE(at.options);
  const noWayOut = facts?.noWayOut ?? null;
  const why = distrust(wishedS, limitS, options, noWayOut);
  if (why !== null) {
    // One that ran before us watches over somebody: it is left running.
    structure.writeUInt32LE(facts?.state === "active" ? 0 : 1, at.disarm);
    calls.close();
    return refuse(exitCodes.config, `${file}: ${why}`);
  }
  const runsOn = noWayOut ? "runs on: its driver has nowayout, so this host resets" : null;
  const watchdog = new Opened("device", file, limitS * 1000, structure, calls, runsOn);
  return { ok: true, watchdog };
}
