/** The tables [hooks], [takeover] and [fencing]. */
import {
  type FencingConfig,
  fencingDefaults,
  type HookCommand,
  type HooksConfig,
  type Policy,
  takeoverDefaults,
  type TakeoverConfig,
  type Timing,
} from "../core/base/config.ts";
import { feedPeriodMs, watchdogLimitMaxMs } from "../core/base/lease-timing.ts";
import { pathFault, type Reading, Section } from "./config-read.ts";
import { type Draft, refuseRepeats } from "./config-sites.ts";
import { shown } from "./config-text.ts";
import type { TableNode } from "./config-tree.ts";

export const emptyTable = (from: TableNode): TableNode => ({ ...from, entries: new Map() });
export const timeMaxMs = 3_600_000;
const dayMs = 86_400_000;
const hookLimitDefaultMs = 30_000;
const limitMinMs = 100;
const hookWordMax = 64;
const reservationDevicesMax = 8;

/** null where the command is absent, or after a fault. */
function readCommand(section: Section, key: string, example: string): HookCommand | null {
  const words = section.texts(key, example);
  if (words === null) return null;
  const program = words[0];
  if (program === undefined) return section.fault(key, "empty; remove this line for no command");
  const fault = pathFault(program, 1024);
  if (fault !== null) return section.fault(key, `program ${fault}`);
  if (words.length > hookWordMax || words.some((word) => word.includes("\0"))) {
    return section.fault(key, `holds a NUL or more than ${hookWordMax} words; use a script`);
  }
  return words;
}

const hookExamples = {
  takeover: '["/usr/local/sbin/takeover"]',
  superseded: '["/usr/local/sbin/stop-service"]',
  verdict: '["/usr/local/sbin/verdict"]',
} as const;

/** `neededBy`: the leased policy of a host that may hold the service; null for no need. */
export function readHooks(
  reading: Reading,
  root: Section,
  rootTable: TableNode,
  neededBy: Policy | null,
): Draft<HooksConfig> {
  const table = root.tableOf("hooks") ?? emptyTable(rootTable);
  const section = new Section(reading, table, "hooks", "[hooks]");
  const read = (key: "takeover" | "superseded" | "verdict", why: string | null) => {
    const example = hookExamples[key];
    if (neededBy !== null && why !== null && !section.has(key)) {
      const message = `missing; under policy "${neededBy}" ${why}: add ${key} = ${example} to [hooks]`;
      section.fault(key, message);
    }
    return readCommand(section, key, example);
  };
  return {
    takeover: read("takeover", "it starts the service after a takeover"),
    superseded: read("superseded", "it is the stop hook, run before the lease ends"),
    verdict: read("verdict", null),
    limitMs: section.whole("limit_ms", limitMinMs, timeMaxMs, hookLimitDefaultMs),
  };
}

function readReservationDevices(reading: Reading, section: Section): readonly string[] {
  const key = "reservation_devices";
  const devices = section.texts(key, '["/dev/disk/by-id/..."]') ?? [];
  for (const device of devices) {
    const fault = pathFault(device, 1024);
    if (fault !== null) section.fault(key, fault);
  }
  if (devices.length > reservationDevicesMax) {
    section.fault(key, `${devices.length} devices; name at most ${reservationDevicesMax}`);
  }
  const entries = devices.map((value) => ({ field: section.field(key), value }));
  refuseRepeats(reading, entries, "remove one");
  return devices;
}

function ticketFault(ticket: string): string | null {
  if (/^[A-Za-z0-9_.-]{1,63}$/.test(ticket)) return null;
  return `${shown(ticket)} is no ticket; write its name as in booth.conf, at most 63 letters`;
}

/** A program by its path, or by its name where PATH finds it. */
function readClient(section: Section): HookCommand {
  const words = section.texts("booth_client", '["booth"]');
  if (words === null) return takeoverDefaults.boothClient;
  const program = words[0] ?? "";
  if (!/^(\/|[a-z])/.test(program)) {
    section.fault("booth_client", 'names no program; write ["booth"], or its whole path');
  }
  if (words.length > hookWordMax || words.some((word) => word.includes("\0"))) {
    section.fault("booth_client", `holds a NUL or more than ${hookWordMax} words; use a script`);
  }
  return words;
}

export function readTakeover(
  reading: Reading,
  root: Section,
  rootTable: TableNode,
): Draft<TakeoverConfig> {
  const table = root.tableOf("takeover") ?? emptyTable(rootTable);
  const section = new Section(reading, table, "takeover", "[takeover]");
  const { rpoMaxMs, local, arbiterLimitMs } = takeoverDefaults;
  return {
    rpoMaxMs: section.whole("rpo_max_ms", 0, dayMs, rpoMaxMs),
    local: section.flag("local", local),
    reservationDevices: readReservationDevices(reading, section),
    boothTicket: section.has("booth_ticket")
      ? section.checkedText("booth_ticket", "service", null, ticketFault)
      : null,
    boothClient: readClient(section),
    fenceCommand: readCommand(section, "fence_command", '["/usr/local/sbin/fence"]'),
    arbiterLimitMs: section.whole("arbiter_limit_ms", limitMinMs, timeMaxMs, arbiterLimitMs),
  };
}

const deviceStepMs = 1000;
const isDevice = (path: string): boolean => path.startsWith("/dev/");

/** The longest time-out that a watchdog of this whole time may be set to; 0 for none. */
function limitOf(path: string, watchdogMs: number): number {
  if (!isDevice(path)) return watchdogMs;
  return watchdogLimitMaxMs(watchdogMs);
}

/** What is wrong with the time-out of a watchdog that is fed; null where it fits. */
function limitFault(path: string, limitMs: number, timing: Timing): string | null {
  const { watchdogMs } = timing;
  const mostMs = limitOf(path, watchdogMs);
  const leastMs = 2 * feedPeriodMs(timing);
  if (limitMs > mostMs) {
    const rule = isDevice(path)
      ? `3 (it + 1000) / 2 must be at most watchdog_ms = ${watchdogMs}`
      : `at most watchdog_ms = ${watchdogMs}`;
    return `${limitMs} is too long: ${rule}; write at most ${mostMs}`;
  }
  if (isDevice(path) && limitMs % deviceStepMs !== 0) {
    return `${limitMs} is no whole second, and the device counts in them; write ${limitMs - (limitMs % deviceStepMs)}`;
  }
  if (limitMs < leastMs || limitMs === 0) {
    const range = mostMs >= leastMs ? `write ${leastMs} to ${mostMs}` : "raise timing.watchdog_ms";
    return `${limitMs} is too short: two feedings take ${leastMs} ms; ${range}`;
  }
  return null;
}

export function readFencing(
  reading: Reading,
  root: Section,
  rootTable: TableNode,
  timing: Timing,
  neededBy: Policy | null,
): Draft<FencingConfig> {
  const table = root.tableOf("fencing") ?? emptyTable(rootTable);
  const section = new Section(reading, table, "fencing", "[fencing]");
  const key = "watchdog_limit_ms";
  const watchdog = section.has("watchdog")
    ? section.path("watchdog", "/dev/watchdog0", null)
    : fencingDefaults.watchdog;
  if (neededBy !== null && !section.has("watchdog")) {
    const why = `under policy "${neededBy}" a host that stalls must be reset, else two sites may be active`;
    const remedy = 'add watchdog = "/dev/watchdog0" to [fencing], or write policy = "operator"';
    section.fault("watchdog", `missing; ${why}: ${remedy}`);
  }
  const derived = watchdog === null ? 0 : limitOf(watchdog, timing.watchdogMs);
  const watchdogLimitMs = section.has(key) ? section.whole(key, 0, timeMaxMs, null) : derived;
  if (!section.has(key)) {
    reading.origins.set(
      section.field(key),
      watchdog === null ? { kind: "default" } : { kind: "derived", from: "watchdog_ms" },
    );
  }
  if (
    watchdog === null &&
    watchdogLimitMs !== null &&
    watchdogLimitMs > 0 &&
    !section.has("watchdog")
  ) {
    section.fault(key, `${watchdogLimitMs} of no watchdog; add watchdog = "/dev/watchdog0"`);
  }
  if (watchdog !== null && watchdogLimitMs !== null && timing.watchdogMs > 0) {
    const fault = limitFault(watchdog, watchdogLimitMs, timing);
    if (fault !== null) section.fault(key, fault);
  }
  return { watchdog, watchdogLimitMs, systemd: section.flag("systemd", fencingDefaults.systemd) };
}
