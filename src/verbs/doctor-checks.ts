/**
 * What `doctor` looks at: one function a check, in one list. A check reads, and never changes or
 * opens anything that reacts to being opened: no watchdog, no device but read-only.
 */
import { type Config, isLeased, ownHost } from "../core/base/config.ts";
import type { ConfigFault } from "../host/config-file.ts";

/** By rising weight: what a monitoring system makes of it. */
export const levels = ["ok", "unknown", "warning", "fail"] as const;
export type Level = (typeof levels)[number];

export type Finding = {
  readonly id: string;
  readonly level: Level;
  /** One clear line, ASCII. */
  readonly finding: string;
  /** The command or the edit that helps; null where nothing is to be done. */
  readonly next: string | null;
};

/** Where the host is looked at; other roots in tests. */
export type Roots = {
  readonly sysfs: string;
  readonly proc: string;
  readonly etc: string;
  readonly run: string;
};
export const realRoots: Roots = { sysfs: "/sys", proc: "/proc", etc: "/etc", run: "/run" };

export type Host = {
  readonly config: Config;
  readonly roots: Roots;
  readonly searchPath: string;
  /** The process of this host's agent; null where none runs. */
  readonly agentPid: number | null;
};

/** This host's service rests on a lease, and so on being fenced; a beacon or a witness holds none. */
export const restsOnLease = (config: Config): boolean =>
  isLeased(config.policy) && !ownHost(config).beacon;

export type Check = {
  readonly id: string;
  readonly look: (host: Host) => Promise<readonly Finding[]> | readonly Finding[];
};

/** A check's own way to say what it found. */
export function sayer(id: string) {
  const at =
    (level: Level) =>
    (finding: string, next: string | null = null): Finding => ({ id, level, finding, next });
  return { ok: at("ok"), unknown: at("unknown"), warning: at("warning"), fail: at("fail") };
}

/** A check that hangs or breaks is itself a finding. */
const checkLimitMs = 8000;

async function lookAt(check: Check, host: Host): Promise<readonly Finding[]> {
  const { unknown } = sayer(check.id);
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<readonly Finding[]>((resolve) => {
    const late = unknown(`no answer within ${checkLimitMs} ms`, "mirrorbeat doctor, once more");
    timer = setTimeout(() => resolve([late]), checkLimitMs);
  });
  try {
    return await Promise.race([check.look(host), limit]);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return [unknown(`could not be looked at: ${why}`)];
  } finally {
    clearTimeout(timer);
  }
}

/** Every check at once; findings in the order of the list. */
export async function runChecks(checks: readonly Check[], host: Host): Promise<readonly Finding[]> {
  const found = await Promise.all(checks.map((check) => lookAt(check, host)));
  return found.flat();
}

export function configFindings(
  file: string,
  faults: readonly ConfigFault[],
  line: (fault: ConfigFault) => string,
): readonly Finding[] {
  const { ok, fail } = sayer("config");
  const [first] = faults;
  if (!first) return [ok(`${file} is good`)];
  const more = faults.length > 1 ? `, and ${faults.length - 1} more` : "";
  return [fail(`${line(first)}${more}`, `mirrorbeat config check --config ${file}`)];
}

/** The weightiest of all; "ok" for none. */
export function worstOf(findings: readonly Finding[]): Level {
  const weights = findings.map(({ level }) => levels.indexOf(level));
  return levels[Math.max(0, ...weights)] ?? "unknown";
}
