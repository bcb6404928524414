/**
 * Evidence to verdict: the table of docs/safety.md, first matching row. A total function of six
 * inputs and of the sender's last word; 900 combinations without that word.
 *
 * "Eligible" means: may ask for the exclusive right to take over. It never means "execute".
 */
import { assert } from "./base/assert.ts";

export type NetworkEvidence = "ok" | "lost" | "disabled";
export type MirrorEvidence = "ok" | "stale" | "corrupt" | "io-error" | "disabled";
export type PairEvidence = "paired" | "copying" | "suspended" | "split" | "unknown";
export type ObserverEvidence = "fit" | "unfit";
export type ArbiterEvidence = "none" | "grant" | "deny";
/** What the newest authenticated record of the peer says of itself. */
export type LastWord = "running" | "given-away" | "failed" | "leaving";

export const networkValues = ["ok", "lost", "disabled"] as const;
export const mirrorValues = ["ok", "stale", "corrupt", "io-error", "disabled"] as const;
export const pairValues = ["paired", "copying", "suspended", "split", "unknown"] as const;
export const observerValues = ["fit", "unfit"] as const;
export const arbiterValues = ["none", "grant", "deny"] as const;

export type Evidence = {
  readonly network: NetworkEvidence;
  readonly mirror: MirrorEvidence;
  readonly pair: PairEvidence;
  readonly observer: ObserverEvidence;
  readonly linkProven: boolean;
  readonly arbiter: ArbiterEvidence;
  readonly lastWord: LastWord;
};

export type Row =
  | "0" | "0b" | "0c" | "1" | "2" | "2b" | "3" | "3b" | "3c" | "4" | "5" | "6" | "7" | "8" | "9"
  | "10" | "11"; // biome-ignore format: one line a decade
export type Action = "none" | "notify" | "hold" | "eligible" | "refuse";
export type Verdict = { readonly row: Row; readonly verdict: string; readonly action: Action };

type Rule = {
  readonly row: Row;
  readonly verdict: string;
  readonly when: (evidence: Evidence) => boolean;
  readonly action: (evidence: Evidence) => Action;
};

const always = (action: Action) => () => action;
/** An arbiter's denial makes any eligible row hold. */
const unlessDenied = (evidence: Evidence): Action =>
  evidence.arbiter === "deny" ? "hold" : "eligible";
const onlyIfGranted = (evidence: Evidence): Action =>
  evidence.arbiter === "grant" ? "eligible" : "hold";
const noNetwork = (evidence: Evidence) => evidence.network !== "ok";
const unreadable = (evidence: Evidence) =>
  evidence.mirror === "corrupt" || evidence.mirror === "io-error";
const stale = (evidence: Evidence) => evidence.mirror === "stale";
const notCopied = (evidence: Evidence) => evidence.pair === "split" || evidence.pair === "copying";

/** In the order of matching. */
export const rules: readonly Rule[] = [
  {
    row: "11",
    verdict: "configuration error: no enabled path",
    when: (e) => e.network === "disabled" && e.mirror === "disabled",
    action: always("refuse"),
  },
  {
    row: "0",
    verdict: "given away by the peer's own word",
    when: (e) => e.lastWord === "given-away",
    action: unlessDenied,
  },
  {
    row: "0b",
    verdict: "alive but failed",
    when: (e) => e.lastWord === "failed" && (e.network === "ok" || e.mirror === "ok"),
    action: always("notify"),
  },
  {
    row: "0c",
    verdict: "left as planned",
    when: (e) => e.lastWord === "leaving",
    action: always("none"),
  },
  {
    row: "1",
    verdict: "alive",
    when: (e) => e.network === "ok" && (e.mirror === "ok" || e.mirror === "disabled"),
    action: always("none"),
  },
  {
    row: "2",
    verdict: "network partition",
    when: (e) => e.network === "lost" && e.mirror === "ok",
    action: always("notify"),
  },
  {
    row: "2b",
    verdict: "alive",
    when: (e) => e.network === "disabled" && e.mirror === "ok",
    action: always("none"),
  },
  {
    row: "3",
    verdict: "alive, remote link failure",
    when: (e) => e.network === "ok" && stale(e) && e.pair === "suspended",
    action: always("notify"),
  },
  {
    row: "3b",
    verdict: "alive, split or resync",
    when: (e) => e.network === "ok" && stale(e) && notCopied(e),
    action: always("notify"),
  },
  {
    row: "3c",
    verdict: "alive, link or PVOL I/O fault",
    when: (e) => e.network === "ok" && stale(e),
    action: always("notify"),
  },
  {
    row: "4",
    verdict: "alive, format or local storage fault",
    when: (e) => e.network === "ok" && unreadable(e),
    action: always("notify"),
  },
  {
    row: "5",
    verdict: "cannot tell: this observer is not fit",
    when: (e) => noNetwork(e) && e.mirror !== "ok" && e.observer === "unfit",
    action: always("hold"),
  },
  {
    row: "6",
    verdict: "cannot tell: mirror not readable here",
    when: (e) => noNetwork(e) && unreadable(e),
    action: always("hold"),
  },
  {
    row: "7",
    verdict: "cannot tell: pair not in copy",
    when: (e) => noNetwork(e) && stale(e) && notCopied(e),
    action: always("hold"),
  },
  {
    row: "8",
    verdict: "host or host-group failure",
    when: (e) => noNetwork(e) && stale(e) && e.pair === "paired" && e.linkProven,
    action: unlessDenied,
  },
  {
    row: "9",
    verdict: "cannot tell link from site",
    when: (e) => noNetwork(e) && stale(e),
    action: onlyIfGranted,
  },
  {
    row: "10",
    verdict: "cannot tell: one path only",
    when: (e) => e.network === "lost" && e.mirror === "disabled",
    action: always("hold"),
  },
];

export function judgeEvidence(evidence: Evidence): Verdict {
  const rule = rules.find((candidate) => candidate.when(evidence));
  assert(rule !== undefined, "the table covers every evidence");
  const action = rule.action(evidence);
  const granted = rule.row === "9" && action === "eligible";
  return {
    row: rule.row,
    verdict: granted ? "site failed or isolated, and fenced" : rule.verdict,
    action,
  };
}

/** Rows from "surely alive" to "surely gone": what a host group's rule counts along. */
export const rowsByDoubt: readonly Row[] = [
  "1", "2b", "2", "3b", "3", "3c", "4", "0b", "0c", "11", "5", "6", "7", "10", "9", "8", "0",
]; // biome-ignore format: one line

export function doubtOf(row: Row): number {
  return rowsByDoubt.indexOf(row);
}

const aliveRows: ReadonlySet<Row> = new Set(["1", "2", "2b", "3", "3b", "3c", "4", "0b"]);

/** Whether a row says that the host beats on some path. */
export function isAlive(row: Row): boolean {
  return aliveRows.has(row);
}

/**
 * Several mirrors of one host. One that is ok makes the host's mirror evidence ok (any live one
 * suffices). Else the worst row stands: of living rows the gravest, of the others the most
 * cautious.
 */
export function worstOf(verdicts: readonly Verdict[]): Verdict {
  assert(verdicts.length > 0, "at least one verdict");
  const byDoubt = [...verdicts].sort((a, b) => doubtOf(a.row) - doubtOf(b.row));
  const living = byDoubt.filter((verdict) => isAlive(verdict.row));
  return (living.length > 0 ? living.at(-1) : byDoubt[0]) as Verdict;
}

/**
 * The group's verdict: that of its k-th best host. Fewer than k hosts alive, and the k-th best is
 * a host that is not. The group is eligible only if every one of its hosts is, whatever k says:
 * k of n only alarms, for any host that lives may hold the service.
 */
export function judgeGroup(hosts: readonly Verdict[], quorum: number): Verdict {
  assert(hosts.length >= 1, "a group has hosts");
  const byDoubt = [...hosts].sort((a, b) => doubtOf(a.row) - doubtOf(b.row));
  const verdict = byDoubt[Math.min(quorum, byDoubt.length) - 1] as Verdict;
  const all = hosts.every((host) => host.action === "eligible");
  return verdict.action === "eligible" && !all ? { ...verdict, action: "hold" } : verdict;
}

export type NamedEvidence = Omit<Evidence, "lastWord">;

/** All 900 combinations of the table's inputs, in a fixed order. */
export function everyEvidence(): readonly NamedEvidence[] {
  return networkValues.flatMap((network) =>
    mirrorValues.flatMap((mirror) =>
      pairValues.flatMap((pair) =>
        observerValues.flatMap((observer) =>
          [false, true].flatMap((linkProven) =>
            arbiterValues.map((arbiter) => ({
              network,
              mirror,
              pair,
              observer,
              linkProven,
              arbiter,
            })),
          ),
        ),
      ),
    ),
  );
}
