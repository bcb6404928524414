/**
 * The part of `timing` on taking over: what the right rests on; under a lease, who may do what
 * when by a true clock, and the inequalities that keep two sites from being active, with numbers.
 */
import { isLeased, type Policy, type Timing } from "../core/base/config.ts";
import {
  feedPeriodMs,
  leaseInequalities,
  localTakeoverWaitMs,
  lockWaitMs,
  rho,
  seenWithinMs,
  takeoverBoundMs,
} from "../core/base/lease-timing.ts";
import { detectionBoundMs, healthMax } from "../core/base/timing.ts";
import type { Source } from "./timing-source.ts";

const columns = 80;
const barColumns = 30;

/** What keeps two sites from being active; each line fits a console. */
const restsOn: Readonly<Record<Policy, string>> = {
  notify: "policy notify: nothing is taken over; who runs the service is a person's affair",
  operator: "policy operator: the right rests on a person's word that the other site is down",
  lease: "policy lease: the right rests on a lease, a watchdog, and waiting for both",
  witness: "policy witness: the right rests on a lease, a watchdog, and a third site's grant",
  reservation: "policy reservation: the right rests on volumes that refuse the other's writes",
  booth: "policy booth: the right rests on booth's ticket, which only one site holds",
  command: "policy command: the right rests on a program that says the other site is off",
};

const earliestWait = "wait, at the earliest";
const lateWrite = "late write lands";

/** A stretch of time on the way to a takeover; 0 is the failure of the owner, or of every link. */
export type Stretch = {
  readonly who: "owner" | "standby" | "witness";
  readonly name: string;
  /** How long it is by that host's own clock, from its anchor; null where it is no clock's time. */
  readonly ownMs: number | null;
  /** By a true clock: from, and until; whether that is the earliest or the latest time. */
  readonly fromMs: number;
  readonly untilMs: number;
  readonly at: "earliest" | "latest";
};

function ownerStretches(timing: Timing): readonly Stretch[] {
  const { leaseMs, stopMs, watchdogMs, lateWriteMs } = timing;
  const latest = (ms: number) => Math.ceil(ms / (1 - rho(timing)));
  const ends: readonly (readonly [string, number])[] = [
    ["lease runs", leaseMs - stopMs],
    ["stop hook, lease ends", leaseMs],
    ["watchdog, once", leaseMs + watchdogMs],
    ["watchdog, twice", leaseMs + 2 * watchdogMs],
  ];
  const own = ends.map(([name, ms], index): Stretch => {
    const fromMs = latest(ends[index - 1]?.[1] ?? 0);
    return { who: "owner", name, ownMs: ms, fromMs, untilMs: latest(ms), at: "latest" };
  });
  const resetMs = latest(leaseMs + 2 * watchdogMs);
  const landed = { fromMs: resetMs, untilMs: resetMs + lateWriteMs, at: "latest" } as const;
  return [...own, { who: "owner", name: lateWrite, ownMs: null, ...landed }];
}

function standbyStretches(timing: Timing, withWitness: boolean): readonly Stretch[] {
  const { takeoverWaitMs } = timing;
  const seenMs = seenWithinMs(timing);
  const slowMs = seenMs + Math.ceil(takeoverWaitMs / (1 - rho(timing)));
  const fastMs = Math.floor(takeoverWaitMs / (1 + rho(timing)));
  const boundMs = takeoverBoundMs(timing, withWitness);
  const of = (name: string, ownMs: number | null, fromMs: number, untilMs: number): Stretch => {
    return { who: "standby", name, ownMs, fromMs, untilMs, at: "latest" };
  };
  return [
    { ...of(earliestWait, takeoverWaitMs, 0, fastMs), at: "earliest" },
    of("silent, h=0", null, 0, detectionBoundMs(timing, 0)),
    of(`silent, h=${healthMax}`, null, 0, detectionBoundMs(timing, healthMax)),
    of("wait, at the latest", takeoverWaitMs, seenMs, slowMs),
    of(withWitness ? "granted, decides" : "decides", null, slowMs, Math.max(slowMs, boundMs)),
  ];
}

export function takeoverStretches(timing: Timing, withWitness: boolean): readonly Stretch[] {
  const wait = standbyStretches(timing, withWitness);
  const [fast] = wait;
  const witness = withWitness && fast ? [{ ...fast, who: "witness" as const }] : [];
  return [...ownerStretches(timing), ...witness, ...wait];
}

/** Each stretch as a bar at its place in time; every line at most 80 columns. */
export function takeoverTimeline(stretches: readonly Stretch[]): readonly string[] {
  const totalMs = Math.max(1, ...stretches.map(({ untilMs }) => untilMs));
  const column = (ms: number) => Math.round((ms / totalMs) * barColumns);
  return stretches.map(({ who, name, ownMs, fromMs, untilMs }, index) => {
    const from = Math.min(column(fromMs), barColumns - 1);
    const bar = "=".repeat(Math.max(1, column(untilMs) - from));
    const text = `${" ".repeat(from)}${bar}`.padEnd(barColumns);
    const isFirst = stretches[index - 1]?.who !== who;
    const label = `${(isFirst ? who : "").padEnd(8)}${name}`.padEnd(30);
    return `${label}${String(ownMs ?? "-").padStart(8)} |${text}|${String(untilMs).padStart(9)}`;
  });
}

/** Words laid out in lines of at most 80 columns. */
function wrapped(text: string, indent: string): readonly string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    const longer = last === undefined ? `${indent}${word}` : `${last} ${word}`;
    if (last !== undefined && longer.length <= columns) lines[lines.length - 1] = longer;
    else lines.push(`${indent}${word}`);
  }
  return lines;
}

type Inequality = ReturnType<typeof leaseInequalities>["wait"];

function inequalityLines(name: string, sign: string, rule: Inequality): readonly string[] {
  const { letters, numbers, haveMs, needMs } = rule;
  const slack = `slack ${haveMs - needMs} ms`;
  return [
    ...wrapped(`${name}: ${letters}`, "  "),
    ...wrapped(`${haveMs} ${sign} ${needMs} = ${numbers}; ${slack}`, "      "),
  ];
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

/** Beside the verdict: how soon, and what for. */
export function takeoverVerdict({ timing, policy }: Source): string {
  if (!isLeased(policy)) return restsOn[policy];
  const bound = seconds(takeoverBoundMs(timing, policy === "witness"));
  const gap = seconds(timing.takeoverWaitMs);
  return `taken over within ${bound} of a death; policy ${policy}, takeover wait ${gap}`;
}

function row(name: string, ms: number, formula: string): string {
  return `${name.padEnd(20)}${String(ms).padStart(9)}  ${formula}`.slice(0, columns);
}

function derivedRows({ timing, policy, severalHosts, local }: Source): readonly string[] {
  const bound = takeoverBoundMs(timing, policy === "witness");
  return [
    row("feed period", feedPeriodMs(timing), "min(interval, watchdog/4): lease checked, fed"),
    row("seen within", seenWithinMs(timing), "S = latency + poll + read + scheduling"),
    row("takeover within", bound, "max(S + takeover_wait/(1-rho), B(0))"),
    `${"".padEnd(31)}+ poll + read + scheduling`,
    ...(policy === "witness"
      ? [`${"".padEnd(31)}+ 2 (interval + latency + poll + scheduling)`]
      : []),
    ...(severalHosts
      ? [row("lock wait", lockWaitMs(timing), "(1+rho) lock/(1-rho): a new decider")]
      : []),
    ...(local
      ? [
          row(
            "local takeover wait",
            localTakeoverWaitMs(timing),
            "the same rule, with the lock's time",
          ),
        ]
      : []),
    ...(policy === "witness"
      ? [row("witness, restarted", timing.takeoverWaitMs, "it grants nothing before")]
      : []),
  ];
}

/** Empty where the policy has no lease. */
export function takeoverLines(source: Source): readonly string[] {
  const { timing, policy, severalHosts } = source;
  if (!isLeased(policy)) return [];
  const { wait, liveness, lock } = leaseInequalities(timing);
  const line = "-".repeat(columns);
  const stretches = takeoverStretches(timing, policy === "witness");
  const untilMs = (of: string) => stretches.find(({ name }) => name === of)?.untilMs ?? 0;
  const [startMs, endMs] = [untilMs(earliestWait), untilMs(lateWrite)];
  return [
    "TAKEOVER, WHEN THE OWNER OR EVERY LINK FAILS AT 0 (ms)".padEnd(columns - 9) + "TRUE TIME",
    "OWN CLOCK".padStart(38) + "UNTIL".padStart(columns - 38),
    ...takeoverTimeline(stretches),
    "The owner's clock is slow: each of its times is the latest. The standby's wait",
    `is over at the earliest ${startMs - endMs} ms after the owner's last write could land.`,
    line,
    ...derivedRows(source),
    line,
    "WHAT MUST HOLD (ms), rho = " + `${timing.driftPpm} ppm of clock error`,
    ...inequalityLines("never two active", ">=", wait),
    ...inequalityLines("no stop for nothing", ">", liveness),
    ...(severalHosts ? inequalityLines("no lock lost for nothing", ">", lock) : []),
    line,
  ];
}

/** What the bound of a takeover presumes beside detection's. */
export function takeoverPresumptions({ policy }: Source): readonly string[] {
  if (!isLeased(policy)) {
    return ["A bound is no verdict: silence on every path still asks for the right."];
  }
  const witness = policy === "witness" ? ", the witness answers" : "";
  return [
    "A takeover besides: the owner's guard was seen before, this site's decider",
    `lives, the data groups are in order${witness}. Else none.`,
  ];
}

/** The same for machines. */
export function takeoverJson(source: Source): object {
  const { timing, policy, severalHosts, local } = source;
  const rests = restsOn[policy];
  if (!isLeased(policy)) return { policy, leased: false, rests };
  const withWitness = policy === "witness";
  const { wait, liveness, lock } = leaseInequalities(timing);
  const told = (rule: Inequality) => ({ ...rule, slackMs: rule.haveMs - rule.needMs });
  return {
    policy,
    leased: true,
    rests,
    takeoverBoundMs: {
      healthy: takeoverBoundMs(timing, withWitness),
      leastHealthy: takeoverBoundMs(timing, withWitness, healthMax),
    },
    timeline: takeoverStretches(timing, withWitness),
    inequalities: {
      wait: told(wait),
      liveness: told(liveness),
      ...(severalHosts ? { lock: told(lock) } : {}),
    },
    feedPeriodMs: feedPeriodMs(timing),
    ...(severalHosts ? { lockWaitMs: lockWaitMs(timing) } : {}),
    ...(local ? { localTakeoverWaitMs: localTakeoverWaitMs(timing) } : {}),
    ...(withWitness ? { witnessWaitMs: timing.takeoverWaitMs } : {}),
  };
}
