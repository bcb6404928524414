/**
 * The device address file: which heartbeat volumes are registered at this host, in TOML that a
 * person can read. It is replaced whole, so that a crash or a full disk leaves the old one.
 */
import { readFileSync } from "node:fs";
import path from "node:path";
import { parse } from "smol-toml";
import type { Command, CommandKind, Devices, Registration } from "../core/base/devices.ts";
import { exitCodes, type Refusal } from "../core/base/exit-codes.ts";
import { writeFileAtomically } from "./atomic-file.ts";
import { tomlString } from "./config-text.ts";

export const deviceFileName = "devices.toml";

const head = `# mirrorbeat device address file: the heartbeat volumes registered at this host.
# The agent writes it; change it by \`mirrorbeat install\` and \`mirrorbeat deinstall\`.
`;

const ends = ["pvol", "svol"] as const;
const registrationStates = ["registered", "enabled", "draining"] as const;
const commandKinds: readonly CommandKind[] = ["activate", "deactivate", "reconfigure"];

export function deviceFileText(devices: Devices): string {
  const { command, commandSeen, commandDone, commandDoneBefore, registrations, splitForSignal } =
    devices;
  const lines = [
    `${head}version = 1`,
    // Pairs that this host has split for a signal, and is to resynchronise.
    `split_for_signal = [${splitForSignal.map(tomlString).join(", ")}]`,
    `entries = ${Object.keys(registrations).length}`,
    `command_seen = "${commandSeen}"`,
    `command_done = "${commandDone}"`,
    `command_done_before = "${commandDoneBefore}"`,
    "# The highest that was in use here; an older configuration is refused.",
    `generation = ${devices.generation}`,
  ];
  if (command) {
    lines.push("", "# Given to the other hosts, and not yet carried out by all.", "[command]");
    lines.push(`number = "${command.number}"`, `kind = "${command.kind}"`);
    lines.push(`mirror = ${tomlString(command.mirror)}`);
  }
  for (const [mirror, registration] of Object.entries(registrations)) {
    const { end, device, volumeId, state, sinceNs } = registration;
    lines.push("", "[[devices]]", `mirror = ${tomlString(mirror)}`, `end = "${end}"`);
    lines.push(`device = ${tomlString(device)}`);
    if (volumeId !== null) lines.push(`volume = "${volumeId}"`);
    lines.push(
      `state = "${state}"`,
      `since = ${new Date(Number(sinceNs / 1_000_000n)).toISOString()}`,
    );
  }
  return `${lines.join("\n")}\n`;
}

type Table = Readonly<Record<string, unknown>>;

const isTable = (value: unknown): value is Table => typeof value === "object" && value !== null;

const isTextList = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((each) => typeof each === "string");

function wholeOf(value: unknown): bigint | null {
  return typeof value === "string" && /^\d{1,20}$/.test(value) ? BigInt(value) : null;
}

function registrationOf(table: Table): Registration | null {
  const { device, volume, since } = table;
  const end = ends.find((known) => known === table["end"]);
  const state = registrationStates.find((known) => known === table["state"]);
  if (!end || !state || typeof device !== "string" || !(since instanceof Date)) return null;
  const sinceMs = since.getTime();
  if (Number.isNaN(sinceMs) || (volume !== undefined && typeof volume !== "string")) return null;
  return { end, state, device, volumeId: volume ?? null, sinceNs: BigInt(sinceMs) * 1_000_000n };
}

function commandOf(value: unknown): Command | null {
  if (!isTable(value)) return null;
  const kind = commandKinds.find((known) => known === value["kind"]);
  const number = wholeOf(value["number"]);
  const { mirror } = value;
  return kind && number !== null && typeof mirror === "string" ? { number, kind, mirror } : null;
}

/** null where the text is no device address file. */
export function parseDeviceFile(text: string): Devices | null {
  let root: unknown;
  try {
    root = parse(text);
  } catch {
    return null;
  }
  if (!isTable(root) || root["version"] !== 1) return null;
  const commandSeen = wholeOf(root["command_seen"]);
  const commandDone = wholeOf(root["command_done"]);
  const commandDoneBefore = wholeOf(root["command_done_before"]);
  if (commandSeen === null || commandDone === null || commandDoneBefore === null) return null;
  const { generation } = root;
  if (typeof generation !== "number" || !Number.isSafeInteger(generation)) return null;
  const command = root["command"] === undefined ? null : commandOf(root["command"]);
  if (root["command"] !== undefined && command === null) return null;
  const splitForSignal = root["split_for_signal"] ?? [];
  if (!isTextList(splitForSignal)) return null;
  const list = root["devices"] ?? [];
  if (!Array.isArray(list)) return null;
  const registrations: Record<string, Registration> = {};
  for (const table of list as readonly unknown[]) {
    if (!isTable(table)) return null;
    const { mirror } = table;
    const registration = registrationOf(table);
    if (typeof mirror !== "string" || !registration || mirror in registrations) return null;
    registrations[mirror] = registration;
  }
  // A file that lost its end names fewer than it says.
  if (root["entries"] !== list.length) return null;
  return {
    registrations,
    command,
    commandSeen,
    commandDone,
    commandDoneBefore,
    generation,
    splitForSignal,
  };
}

export type DevicesLoaded =
  /** null where there is no file yet. */
  | { readonly ok: true; readonly devices: Devices | null }
  | { readonly ok: false; readonly refusal: Refusal };

export function loadDeviceFile(folder: string): DevicesLoaded {
  const file = path.join(folder, deviceFileName);
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "unknown";
    if (code === "ENOENT") return { ok: true, devices: null };
    const message = `${file}: cannot be read (${code}); make it readable for this user`;
    return { ok: false, refusal: { code: exitCodes.ioError, message } };
  }
  const devices = parseDeviceFile(text);
  if (devices) return { ok: true, devices };
  const message =
    `${file}: damaged; move it away, and the mirrors that the configuration calls installed are ` +
    "registered again";
  return { ok: false, refusal: { code: exitCodes.dataError, message } };
}

const storeLimitMs = 5000;

/**
 * Writes the file of one folder, one write at a time: a write that was given up must not land
 * after a later one. Empty when it is durable, else one line; always ends in time.
 */
export function deviceFileStore(
  folder: string,
  write: typeof writeFileAtomically = writeFileAtomically,
  limitMs = storeLimitMs,
): (devices: Devices) => Promise<string> {
  const file = path.join(folder, deviceFileName);
  let hangs = false;
  return async (devices) => {
    if (hangs) return `${file}: an earlier write has not ended; does its disk answer?`;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<string>((resolve) => {
      const message = `${file}: not written within ${limitMs} ms; does its disk answer?`;
      timer = setTimeout(() => resolve(message), limitMs);
    });
    hangs = true;
    const written = write(file, deviceFileText(devices), 0o600).then((result) => {
      hangs = false;
      return result.ok ? "" : result.message;
    });
    const fault = await Promise.race([written, late]);
    clearTimeout(timer);
    return fault;
  };
}
