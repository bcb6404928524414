/** The tables [timing] and [hooks], and the list of data devices. */
import type { HooksConfig, Timing } from "../core/base/config.ts";
import { completeTiming, timingFaults } from "../core/base/timing.ts";
import { type TimingKey, timingKeys } from "./config-keys.ts";
import { pathFault, type Reading, Section } from "./config-read.ts";
import type { Draft } from "./config-sites.ts";
import { shown } from "./config-text.ts";
import type { TableNode } from "./config-tree.ts";

const emptyTable = (from: TableNode): TableNode => ({ ...from, entries: new Map() });
const timeMaxMs = 3_600_000;
const hookLimitDefaultMs = 30_000;
const hookLimitMinMs = 100;
const hookWordMax = 64;

function readGiven(section: Section): Partial<Timing> {
  const given: Partial<Record<keyof Timing, number | string>> = {};
  for (const [key, name] of Object.entries(timingKeys) as [TimingKey, keyof Timing][]) {
    if (!section.has(key)) continue;
    const value =
      name === "detector"
        ? section.choice(key, ["fixed", "adaptive"], null)
        : section.whole(key, 0, timeMaxMs, null);
    if (value !== null) given[name] = value;
  }
  return given as Partial<Timing>;
}

export function timingKeyOf(name: keyof Timing): TimingKey {
  const found = Object.entries(timingKeys).find(([, value]) => value === name);
  return (found?.[0] ?? "interval_ms") as TimingKey;
}

function refuseLease(section: Section, given: Partial<Timing>): void {
  for (const name of ["leaseMs", "watchdogMs"] as const) {
    if ((given[name] ?? 0) === 0) continue;
    const why = "only an automatic policy has a lease, and none is available yet; write 0";
    section.fault(timingKeyOf(name), `${given[name]} is refused: ${why}`);
  }
}

/** What a change of the timings may start from: the key left out gives a value that fits. */
function remedyFor(name: keyof Timing, given: Partial<Timing>): string {
  const { [name]: _, ...others } = given;
  const without = completeTiming(others);
  const isHelp = !timingFaults(without).some((fault) => fault.field === name);
  const key = timingKeyOf(name);
  return isHelp ? `leave ${key} out for ${without[name]}, or change it` : `change ${key}`;
}

export function readTiming(reading: Reading, root: Section, rootTable: TableNode): Timing {
  const table = root.tableOf("timing") ?? emptyTable(rootTable);
  const section = new Section(reading, table, "timing", "[timing]");
  const given = readGiven(section);
  const timing = completeTiming(given);
  for (const [key, name] of Object.entries(timingKeys) as [TimingKey, keyof Timing][]) {
    if (given[name] !== undefined) continue;
    const isScaled = timing[name] !== completeTiming({})[name];
    const from = given.intervalMs === undefined ? "other timings" : "interval_ms";
    reading.origins.set(
      `timing.${key}`,
      isScaled ? { kind: "derived", from } : { kind: "default" },
    );
  }
  refuseLease(section, given);
  // A fault in a derived time follows from one in a given time, which is told.
  const faults = timingFaults(timing);
  const inGiven = faults.filter(({ field }) => given[field] !== undefined);
  for (const { field, message } of inGiven.length > 0 ? inGiven : faults) {
    section.fault(timingKeyOf(field), `must be ${message}; ${remedyFor(field, given)}`);
  }
  return timing;
}

function readCommand(section: Section, key: "takeover" | "superseded" | "verdict") {
  const example = `["/usr/local/sbin/${key}"]`;
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

export function readHooks(
  reading: Reading,
  root: Section,
  rootTable: TableNode,
): Draft<HooksConfig> {
  const table = root.tableOf("hooks") ?? emptyTable(rootTable);
  const section = new Section(reading, table, "hooks", "[hooks]");
  return {
    takeover: readCommand(section, "takeover"),
    superseded: readCommand(section, "superseded"),
    verdict: readCommand(section, "verdict"),
    limitMs: section.whole("limit_ms", hookLimitMinMs, timeMaxMs, hookLimitDefaultMs),
  };
}

export function readDataDevices(root: Section): readonly string[] {
  const devices = root.texts("data_devices", '["/dev/sdb"]') ?? [];
  for (const [index, device] of devices.entries()) {
    const fault = pathFault(device, 1024);
    if (fault !== null) root.fault("data_devices", fault);
    if (devices.indexOf(device) < index) {
      root.fault("data_devices", `${shown(device)} is listed twice; remove one`);
    }
  }
  return devices;
}
