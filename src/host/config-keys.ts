/**
 * Every key that a configuration may hold, by table, and the search for the one that was meant
 * where a key is none of them.
 */
import type { Timing } from "../core/base/config.ts";
import { commonSettings, pairSettings } from "../core/base/pair-settings.ts";

/** Of any provider; which of them belong to which is checked when the provider is known. */
const pairKeys: readonly string[] = [
  ...new Set([commonSettings, ...Object.values(pairSettings)].flatMap((keys) => Object.keys(keys))),
];

export const timingKeys = {
  interval_ms: "intervalMs",
  poll_ms: "pollMs",
  margin_ms: "marginMs",
  latency_ms: "latencyMs",
  read_limit_ms: "readLimitMs",
  write_limit_ms: "writeLimitMs",
  scheduling_ms: "schedulingMs",
  detector: "detector",
  pair_poll_ms: "pairPollMs",
  pair_age_limit_ms: "pairAgeLimitMs",
  lease_ms: "leaseMs",
  watchdog_ms: "watchdogMs",
  stop_ms: "stopMs",
  late_write_ms: "lateWriteMs",
  hang_ms: "hangMs",
  lost_rounds: "lostRounds",
  drift_ppm: "driftPpm",
  takeover_wait_ms: "takeoverWaitMs",
  lock_ms: "lockMs",
} as const satisfies Readonly<Record<string, keyof Timing>>;

export type TimingKey = keyof typeof timingKeys;

/** By the table's header as it is written; "" is the top of the file. */
export const knownKeys = {
  "": [
    "cluster",
    "host",
    "key_file",
    "run_folder",
    "state_folder",
    "policy",
    "network",
    "generation",
    "data_devices",
    "journal_bytes_max",
    "timing",
    "hooks",
    "takeover",
    "fencing",
    "sites",
    "mirrors",
    "data",
  ],
  "[timing]": Object.keys(timingKeys) as readonly TimingKey[],
  "[hooks]": ["takeover", "superseded", "verdict", "limit_ms"],
  "[takeover]": [
    "rpo_max_ms",
    "local",
    "reservation_devices",
    "booth_ticket",
    "booth_client",
    "fence_command",
    "arbiter_limit_ms",
  ],
  "[fencing]": ["watchdog", "watchdog_limit_ms", "systemd"],
  "[[sites]]": ["name", "id", "role", "quorum", "hosts"],
  "[[sites.hosts]]": ["name", "slot", "address", "beacon", "enabled"],
  "[[mirrors]]": [
    "name",
    "writer",
    "reader",
    "pvol",
    "svol",
    "pvol_wwid",
    "svol_wwid",
    "enabled",
    "installed",
    "answer_signals",
    "witness",
    "pair",
  ],
  "[mirrors.pair]": ["provider", "writer", "reader", ...pairKeys],
  "[mirrors.pair.writer]": pairKeys,
  "[mirrors.pair.reader]": pairKeys,
  "[[data]]": ["name", "id", "writer", "reader", "pvol", "svol", "pair"],
  "[data.pair]": ["provider", "writer", "reader", ...pairKeys],
  "[data.pair.writer]": pairKeys,
  "[data.pair.reader]": pairKeys,
} as const satisfies Readonly<Record<string, readonly string[]>>;

export type TableHeader = keyof typeof knownKeys;

/** Letters to insert, remove, replace or swap with their neighbour to make one word the other. */
export function editDistance(from: string, to: string): number {
  let before: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= to.length; column += 1) {
      const same = from[row - 1] === to[column - 1];
      let best = Math.min(
        (last[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (last[column - 1] ?? 0) + (same ? 0 : 1),
      );
      const swapped = from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      if (row > 1 && column > 1 && swapped) best = Math.min(best, (before[column - 2] ?? 0) + 1);
      current.push(best);
    }
    before = last;
    last = current;
  }
  return last[to.length] ?? 0;
}

/** The known words nearest to `word`; none where even the nearest is a different word. */
export function nearest(word: string, known: readonly string[]): readonly string[] {
  const folded = word.slice(0, 64).toLowerCase();
  const near = known.flatMap((candidate) => {
    const distance = editDistance(folded, candidate);
    const allowed = Math.max(1, Math.floor(Math.max(folded.length, candidate.length) / 3));
    return distance <= allowed ? [{ candidate, distance }] : [];
  });
  const least = Math.min(...near.map(({ distance }) => distance));
  return near.filter(({ distance }) => distance === least).map(({ candidate }) => candidate);
}

function homeOf(key: string, header: TableHeader): string | null {
  // The top comes last: what is a table there may be a plain key of another table.
  const [top = "", ...others] = Object.keys(knownKeys) as TableHeader[];
  const home = [...others, top].find(
    (other) => other !== header && (knownKeys[other] as readonly string[]).includes(key),
  );
  if (home === undefined) return null;
  return home === "" ? "above the first [table] of the file" : `in ${home}`;
}

export type UnknownKey = {
  /** For people: what was probably meant. */
  readonly remedy: string;
  /** Keys of this table that it was probably meant to be. */
  readonly meant: readonly string[];
};

export function explainUnknownKey(key: string, header: TableHeader): UnknownKey {
  const known: readonly string[] = knownKeys[header];
  const home = homeOf(key, header);
  if (home !== null) return { remedy: `it belongs ${home}`, meant: [] };
  const meant = nearest(key, known);
  if (meant.length > 0) return { remedy: `did you mean ${meant.join(" or ")}?`, meant };
  const where = header === "" ? "at the top" : `in ${header}`;
  return { remedy: `known ${where}: ${known.join(", ")}`, meant: [] };
}
