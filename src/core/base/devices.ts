/**
 * The device address file as values: the heartbeat volumes that are registered at this host, and
 * the commands that it has given and taken. src/host/device-file.ts writes it and reads it.
 */
import type { Config, MirrorConfig } from "./config.ts";

/** How far a mirror is installed at this host; absent where it is not. */
export type RegistrationState =
  /** Known, and not in use. */
  | "registered"
  | "enabled"
  /** On its way out: silence on it means nothing any more. */
  | "draining";

export type Registration = {
  readonly end: "pvol" | "svol";
  readonly device: string;
  /** The volume that was found there at the registration; null where it was not looked at. */
  readonly volumeId: string | null;
  readonly state: RegistrationState;
  /** Wall clock of the last change, Unix; for people. */
  readonly sinceNs: bigint;
};

export type CommandKind = "activate" | "deactivate" | "reconfigure";

/** What one host tells all others to do; the highest number counts. */
export type Command = {
  /** Counter x 2^24 + site id x 2^16 + slot: unique, and above every number seen before. */
  readonly number: bigint;
  readonly kind: CommandKind;
  readonly mirror: string;
};

export type Devices = {
  /** By the mirror's name. */
  readonly registrations: Readonly<Record<string, Registration>>;
  /** Given by this host, and not yet carried out by all. */
  readonly command: Command | null;
  readonly commandSeen: bigint;
  readonly commandDone: bigint;
  /** The one before: whoever gave it may not have seen the receipt yet. */
  readonly commandDoneBefore: bigint;
  /** Mirrors whose pair this host has split for a signal, or is about to. */
  readonly splitForSignal: readonly string[];
  /** The highest generation of the configuration that was ever in use here. */
  readonly generation: number;
};

export const noDevices: Devices = {
  registrations: {},
  command: null,
  commandSeen: 0n,
  commandDone: 0n,
  commandDoneBefore: 0n,
  splitForSignal: [],
  generation: 0,
};

/** The volume of a mirror at this host's site; null where the mirror does not touch the site. */
export function ownEnd(
  config: Config,
  mirror: MirrorConfig,
): { readonly end: Registration["end"]; readonly device: string } | null {
  const { site } = config.self;
  if (mirror.writer === site) return { end: "pvol", device: mirror.pvol };
  if (mirror.reader === site) return { end: "svol", device: mirror.svol };
  return null;
}

/** What a host that has no device address file begins with: what its configuration calls installed. */
export function devicesOf(config: Config, nowNs: bigint): Devices {
  const registrations: Record<string, Registration> = {};
  for (const mirror of config.mirrors) {
    const own = ownEnd(config, mirror);
    if (!own || !mirror.installed) continue;
    registrations[mirror.name] = { ...own, volumeId: null, state: "enabled", sinceNs: nowNs };
  }
  return { ...noDevices, registrations, generation: config.generation };
}

/** With one more command carried out. */
export function withDone(devices: Devices, number: bigint): Devices {
  if (devices.commandDone === number) return devices;
  return { ...devices, commandDone: number, commandDoneBefore: devices.commandDone };
}

/**
 * Whether beats go over the mirror, or are looked for on it. What drains at its writing end still
 * beats: the command to deactivate it may have no other way.
 */
export function takesPart(registration: Registration | undefined): boolean {
  if (!registration) return false;
  const { state, end } = registration;
  return state === "enabled" || (state === "draining" && end === "pvol");
}

const counterShift = 24n;

/**
 * Above all that is known; counted in seconds of the wall clock where that is more, so that a host
 * whose file was lost does not give a number a second time.
 */
export function nextCommandNumber(
  highest: bigint,
  siteId: number,
  slot: number,
  wallNs: bigint,
): bigint {
  const next = (highest >> counterShift) + 1n;
  const seconds = wallNs / 1_000_000_000n;
  const counter = seconds > next ? seconds : next;
  return (counter << counterShift) | (BigInt(siteId) << 16n) | BigInt(slot);
}
