/** The mirrors of the configuration as pairs: at which end this host stands, and its provider. */
import path from "node:path";
import type { Config, MirrorConfig } from "../core/base/config.ts";
import { devicesOf, ownEnd, takesPart } from "../core/base/devices.ts";
import { type ExitCode, exitCodes, type Refusal } from "../core/base/exit-codes.ts";
import { realClock } from "../host/clock.ts";
import { loadDeviceFile } from "../host/device-file.ts";
import type { Outcome } from "../remotecopy/change.ts";
import type { MirrorEnd } from "../remotecopy/evidence.ts";
import { type OpenPair, openProvider } from "../remotecopy/open-provider.ts";
import type { FaultClass, PairAnswer } from "../remotecopy/provider.ts";

export type Mirror = {
  readonly config: MirrorConfig;
  readonly end: MirrorEnd;
  /** The heartbeat volume at this end. */
  readonly device: string;
  readonly pair: OpenPair;
};

export type MirrorFound =
  | { readonly ok: true; readonly mirror: Mirror }
  | { readonly ok: false; readonly refusal: Refusal };

export async function openMirror(config: Config, mirror: MirrorConfig): Promise<MirrorFound> {
  const refuse = (code: ExitCode, message: string): MirrorFound => ({
    ok: false,
    refusal: { code, message },
  });
  const { site } = config.self;
  const own = ownEnd(config, mirror);
  if (!own) {
    return refuse(exitCodes.usage, `mirror ${mirror.name} has no end at site ${site}`);
  }
  const end = own.end === "pvol" ? "writer" : "reader";
  const pair = await openProvider(mirror, end, realClock.nowMs);
  if (!pair) {
    const remedy = "add provider = ... to its [mirrors.pair]";
    return refuse(exitCodes.config, `mirror ${mirror.name} has no provider; ${remedy}`);
  }
  return { ok: true, mirror: { config: mirror, end, device: own.device, pair } };
}

export async function mirrorNamed(config: Config, name: string): Promise<MirrorFound> {
  const found = config.mirrors.find((mirror) => mirror.name === name);
  if (found) return openMirror(config, found);
  const names = config.mirrors.map((mirror) => mirror.name).join(", ") || "none";
  const message = `no mirror ${JSON.stringify(name)}; there are: ${names}`;
  return { ok: false, refusal: { code: exitCodes.usage, message } };
}

/**
 * In doubt it is: a device address file that cannot be read proves nothing. Where there is none,
 * the agent's first start makes one of what the configuration calls installed.
 */
export function isInstalled(config: Config, { config: { name } }: Mirror): boolean {
  const filed = loadDeviceFile(config.stateFolder);
  if (!filed.ok) return true;
  const { registrations } = filed.devices ?? devicesOf(config, 0n);
  return takesPart(registrations[name]);
}

export const lockPath = (config: Config, name: string): string =>
  path.join(config.runFolder, `pair-${name}.lock`);

const faultCodes: Readonly<Record<FaultClass, ExitCode>> = {
  "daemon-down": exitCodes.unavailable,
  "peer-unreachable": exitCodes.unavailable,
  "wrong-state": exitCodes.tryLater,
  "array-rejected": exitCodes.tryLater,
  "mixed-group": exitCodes.dataError,
  timeout: exitCodes.timeout,
  auth: exitCodes.noPermission,
  config: exitCodes.config,
  unparseable: exitCodes.dataError,
  identity: exitCodes.noPermission,
  unsupported: exitCodes.usage,
};

export const codeOfFault = (faultClass: FaultClass): ExitCode => faultCodes[faultClass];

export function codeOfOutcome({ kind, class: faultClass }: Outcome): ExitCode {
  switch (kind) {
    case "done":
    case "noop":
      return exitCodes.ok;
    case "in-progress":
      return exitCodes.tryLater;
    case "indeterminate":
      return exitCodes.indeterminate;
    case "refused":
      return codeOfFault(faultClass ?? "array-rejected");
  }
}

/** For programs: ages instead of this host's monotonic clock. */
export function answerObject(answer: PairAnswer) {
  if (!answer.ok) return answer;
  const { observedMs, ...rest } = answer;
  return { ...rest, ageMs: Math.max(0, Math.round(realClock.nowMs() - observedMs)) };
}
