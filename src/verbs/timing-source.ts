/** Which timings `mirrorbeat timing` speaks of: those of a configuration, or others that are tried. */
import { existsSync } from "node:fs";
import { isLeased, policies, type Policy, type Timing } from "../core/base/config.ts";
import type { ExitCode } from "../core/base/exit-codes.ts";
import { completeTiming } from "../core/base/timing.ts";
import { configFileOf, faultLine, loadConfig, type Origin } from "../host/config-file.ts";
import { type TimingKey, timingKeys } from "../host/config-keys.ts";
import { hasSeveralHosts } from "../host/config-policy.ts";

/** Options that take milliseconds. */
export const timeFlags = {
  interval: "intervalMs",
  poll: "pollMs",
  margin: "marginMs",
  latency: "latencyMs",
  "read-limit": "readLimitMs",
  lease: "leaseMs",
  watchdog: "watchdogMs",
  stop: "stopMs",
  "late-write": "lateWriteMs",
  hang: "hangMs",
  "takeover-wait": "takeoverWaitMs",
  lock: "lockMs",
} as const satisfies Readonly<Record<string, keyof Timing>>;

type TimeFlag = keyof typeof timeFlags;
const leaseFlags: readonly TimeFlag[] = ["lease", "watchdog", "stop", "takeover-wait"];

export type Origins = ReadonlyMap<keyof Timing, Origin>;
export type Source = {
  readonly timing: Timing;
  readonly origins: Origins;
  readonly from: string;
  readonly policy: Policy;
  /** A site has several hosts that may hold the service: then it has a lock. */
  readonly severalHosts: boolean;
  /** Another host of the site takes over when one fails. */
  readonly local: boolean;
};
export type Failure = { readonly code: ExitCode; readonly lines: readonly string[] };

export type Tried = Partial<Record<TimeFlag | "detector" | "policy", string | undefined>>;

export function readBase(config: string | undefined, env: NodeJS.ProcessEnv): Source | Failure {
  const file = configFileOf(config, env);
  const isChosen = config !== undefined || Boolean(env["MIRRORBEAT_CONFIG"]);
  if (!isChosen && !existsSync(file)) {
    const none = { policy: "operator", severalHosts: false, local: false } as const;
    return { timing: completeTiming({}), origins: new Map(), from: "(no configuration)", ...none };
  }
  const loaded = loadConfig({ file, host: null, anyHost: true });
  if (!loaded.ok) return { code: loaded.code, lines: loaded.faults.map(faultLine) };
  const { timing, policy, sites, takeover } = loaded.config;
  const origins = new Map<keyof Timing, Origin>();
  for (const [key, name] of Object.entries(timingKeys) as [TimingKey, keyof Timing][]) {
    origins.set(name, loaded.origins.get(`timing.${key}`) ?? { kind: "default" });
  }
  const severalHosts = hasSeveralHosts(sites);
  return { timing, origins, from: file, policy, severalHosts, local: takeover.local };
}

type Given = Partial<Record<keyof Timing, number | string>>;

/** Values that the file sets; without those of a lease where the policy has none. */
function givenByFile({ origins, timing }: Source, leased: boolean): Given {
  const given: Given = {};
  const ofLease: readonly string[] = leaseFlags.map((flag) => timeFlags[flag]);
  for (const [name, origin] of origins) {
    if (origin.kind === "file" && (leased || !ofLease.includes(name))) given[name] = timing[name];
  }
  return given;
}

/** Values from the command line; those that the file does not set either are derived anew. */
export function tryOthers(base: Source, tried: Tried): Source | string {
  const policy = policies.find((name) => name === (tried.policy ?? base.policy));
  if (!policy) return `--policy takes ${policies.join(", ")}, not "${tried.policy}"`;
  const leased = isLeased(policy);
  const given = givenByFile(base, leased);
  const origins = new Map(base.origins);
  for (const [flag, name] of Object.entries(timeFlags) as [TimeFlag, keyof Timing][]) {
    const text = tried[flag];
    if (text === undefined) continue;
    if (!/^\d{1,7}$/.test(text)) return `--${flag} takes whole milliseconds, not "${text}"`;
    if (!leased && leaseFlags.includes(flag)) return `--${flag} needs --policy lease or witness`;
    given[name] = Number(text);
    origins.set(name, { kind: "command line" });
  }
  if (tried.detector !== undefined) {
    if (!["fixed", "adaptive"].includes(tried.detector))
      return "--detector takes fixed or adaptive";
    given.detector = tried.detector;
    origins.set("detector", { kind: "command line" });
  }
  const timing = completeTiming(given as Partial<Timing>, leased);
  const usual = completeTiming({}, leased);
  for (const name of Object.values(timingKeys)) {
    if (given[name] !== undefined) continue;
    const isUsual = timing[name] === usual[name];
    origins.set(
      name,
      isUsual ? { kind: "default" } : { kind: "derived", from: "the timings given" },
    );
  }
  return { ...base, timing, origins, policy };
}
