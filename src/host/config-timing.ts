/** [timing]: what is given, what follows from it, and what must hold under the policy. */
import { isLeased, type Policy, type Timing } from "../core/base/config.ts";
import { leaseFaults, lockFaults } from "../core/base/lease-timing.ts";
import { completeTiming, type TimingFault, timingFaults } from "../core/base/timing.ts";
import { type TimingKey, timingKeys } from "./config-keys.ts";
import { type Origin, type Reading, Section } from "./config-read.ts";
import { emptyTable, timeMaxMs } from "./config-sections.ts";
import { isAutomatic } from "./config-policy.ts";
import type { TableNode } from "./config-tree.ts";

const keysAndNames = Object.entries(timingKeys) as readonly [TimingKey, keyof Timing][];

/** What is derived from long times may be longer than any time that is given on purpose. */
const longestMs = 10 * timeMaxMs;
/** Values above these are slips, not wishes; what is not listed ends at an hour. */
const most: Readonly<Partial<Record<keyof Timing, number>>> = {
  hangMs: 600_000,
  lostRounds: 20,
  driftPpm: 100_000,
  takeoverWaitMs: longestMs,
  lockMs: longestMs,
};

/** Times that only a lease has. */
const leaseOnly = ["leaseMs", "watchdogMs", "stopMs", "takeoverWaitMs"] as const;
const ofLease: readonly string[] = [...leaseOnly, "lockMs"];

/** What the timings depend on besides themselves. */
export type TimingUse = {
  /** null after a fault: then nothing is said of the lease. */
  readonly policy: Policy | null;
  /** A site has more than one host that may hold the service. */
  readonly severalHosts: boolean;
};

function readGiven(section: Section): Partial<Timing> {
  const given: Partial<Record<keyof Timing, number | string>> = {};
  for (const [key, name] of keysAndNames) {
    if (!section.has(key)) continue;
    const value =
      name === "detector"
        ? section.choice(key, ["fixed", "adaptive"], null)
        : section.whole(key, 0, most[name] ?? timeMaxMs, null);
    if (value !== null) given[name] = value;
  }
  return given as Partial<Timing>;
}

export function timingKeyOf(name: keyof Timing): TimingKey {
  return keysAndNames.find(([, value]) => value === name)?.[0] ?? "interval_ms";
}

function refuseLease(section: Section, given: Partial<Timing>, policy: Policy): void {
  for (const name of leaseOnly) {
    if ((given[name] ?? 0) === 0) continue;
    const why = `policy "${policy}" has no lease; write policy = "lease" or "witness"`;
    section.fault(timingKeyOf(name), `${given[name]} is refused: ${why}, or remove this line`);
  }
}

/** Every inequality that does not hold. */
export function faultsOfTiming(timing: Timing, use: TimingUse): readonly TimingFault[] {
  const { policy, severalHosts } = use;
  return [
    ...timingFaults(timing),
    ...(policy !== null && isLeased(policy) ? leaseFaults(timing) : []),
    ...(policy !== null && isAutomatic(policy) && severalHosts ? lockFaults(timing) : []),
  ];
}

/** What a change of the timings may start from: the key left out gives a value that fits. */
function remedyFor(name: keyof Timing, given: Partial<Timing>, use: TimingUse): string {
  const { [name]: _, ...others } = given;
  const without = completeTiming(others, use.policy !== null && isLeased(use.policy));
  const isHelp = !faultsOfTiming(without, use).some((fault) => fault.field === name);
  const key = timingKeyOf(name);
  return isHelp ? `leave ${key} out for ${without[name]}, or change it` : `change ${key}`;
}

function originOf(
  name: keyof Timing,
  timing: Timing,
  given: Partial<Timing>,
  usual: Timing,
): Origin {
  if (timing[name] === usual[name]) return { kind: "default" };
  const isScaled = given.intervalMs !== undefined && !ofLease.includes(name);
  return { kind: "derived", from: isScaled ? "interval_ms" : "other timings" };
}

export function readTiming(
  reading: Reading,
  root: Section,
  rootTable: TableNode,
  use: TimingUse,
): Timing {
  const table = root.tableOf("timing") ?? emptyTable(rootTable);
  const section = new Section(reading, table, "timing", "[timing]");
  const given = readGiven(section);
  const leased = use.policy !== null && isLeased(use.policy);
  const timing = completeTiming(given, leased);
  const usual = completeTiming({}, leased);
  for (const [key, name] of keysAndNames) {
    if (given[name] !== undefined) continue;
    reading.origins.set(`timing.${key}`, originOf(name, timing, given, usual));
  }
  if (use.policy !== null && !leased) refuseLease(section, given, use.policy);
  // A fault in a derived time follows from one in a given time, which is told.
  const faults = faultsOfTiming(timing, use);
  const inGiven = faults.filter(({ field }) => given[field] !== undefined);
  for (const { field, message } of inGiven.length > 0 ? inGiven : faults) {
    section.fault(timingKeyOf(field), `must be ${message}; ${remedyFor(field, given, use)}`);
  }
  return timing;
}
