/**
 * The decision table, against a second transcription of docs/safety.md: row by row, as data, in
 * the order of the document. It shares nothing with verdict.ts but the words.
 */
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  type Action,
  doubtOf,
  type Evidence,
  everyEvidence,
  isAlive,
  judgeEvidence,
  judgeGroup,
  type LastWord,
  type NamedEvidence,
  type Row,
  rowsByDoubt,
  rules,
  type Verdict,
  worstOf,
} from "./verdict.ts";

/** Words of the document; "any" matches all. */
type Line = {
  row: Row;
  network: "ok" | "lost" | "disabled" | "lost or disabled" | "any";
  mirror: string;
  pair: string;
  only?: "unfit" | "LINK";
  action: "none" | "notify" | "hold" | "refuse" | "eligible unless denied" | "eligible if granted";
};
const table: readonly Line[] = [
  { row: "11", network: "disabled", mirror: "disabled", pair: "any", action: "refuse" },
  { row: "1", network: "ok", mirror: "ok or disabled", pair: "any", action: "none" },
  { row: "2", network: "lost", mirror: "ok", pair: "any", action: "notify" },
  { row: "2b", network: "disabled", mirror: "ok", pair: "any", action: "none" },
  { row: "3", network: "ok", mirror: "stale", pair: "suspended", action: "notify" },
  { row: "3b", network: "ok", mirror: "stale", pair: "split or copying", action: "notify" },
  { row: "3c", network: "ok", mirror: "stale", pair: "paired or unknown", action: "notify" },
  { row: "4", network: "ok", mirror: "corrupt or io-error", pair: "any", action: "notify" },
  // "mirror not ok", read literally: a disabled mirror is not ok either.
  { row: "5", network: "lost or disabled", mirror: "stale or corrupt or io-error or disabled", pair: "any", only: "unfit", action: "hold" },
  { row: "6", network: "lost or disabled", mirror: "corrupt or io-error", pair: "any", action: "hold" },
  { row: "7", network: "lost or disabled", mirror: "stale", pair: "copying or split", action: "hold" },
  { row: "8", network: "lost or disabled", mirror: "stale", pair: "paired", only: "LINK", action: "eligible unless denied" },
  { row: "9", network: "lost or disabled", mirror: "stale", pair: "paired or suspended or unknown", action: "eligible if granted" },
  { row: "10", network: "lost", mirror: "disabled", pair: "any", action: "hold" },
]; // biome-ignore format: one line a row

const says = (words: string, value: string) =>
  words === "any" || words.split(" or ").includes(value);

function expected(e: NamedEvidence): { row: Row; action: Action } {
  const line = table.find(
    ({ network, mirror, pair, only }) =>
      says(network, e.network) &&
      says(mirror, e.mirror) &&
      says(pair, e.pair) &&
      (only !== "unfit" || e.observer === "unfit") &&
      (only !== "LINK" || e.linkProven),
  );
  if (!line) throw new Error(`no row for ${JSON.stringify(e)}`);
  switch (line.action) {
    case "eligible unless denied":
      return { row: line.row, action: e.arbiter === "deny" ? "hold" : "eligible" };
    case "eligible if granted":
      return { row: line.row, action: e.arbiter === "grant" ? "eligible" : "hold" };
    default:
      return { row: line.row, action: line.action };
  }
}

const all = everyEvidence();
const verdictOn = (evidence: NamedEvidence, lastWord: LastWord = "running"): Verdict =>
  judgeEvidence({ ...evidence, lastWord });

test("there are 900 combinations, all different", () => {
  assert.is(all.length, 900);
  assert.is(new Set(all.map((evidence) => JSON.stringify(evidence))).size, 900);
});

test("every one of them is judged as the document says", () => {
  const seen = new Map<Row, number>();
  for (const evidence of all) {
    const { row, action } = verdictOn(evidence);
    assert.equal({ row, action }, expected(evidence), JSON.stringify(evidence));
    seen.set(row, (seen.get(row) ?? 0) + 1);
  }
  // Every row of the transcription was reached; how often shows a shift of precedence.
  assert.equal(Object.fromEntries(seen), {
    "1": 120, "2": 60, "2b": 60, "3": 12, "3b": 24, "3c": 24, "4": 120,
    "5": 210, "6": 120, "7": 24, "8": 6, "9": 30, "10": 30, "11": 60,
  }); // biome-ignore format: counts
});

test("the peer's last word stands above everything but a configuration without paths; failed, only while it beats", () => {
  for (const evidence of all) {
    const noPath = evidence.network === "disabled" && evidence.mirror === "disabled";
    const word = (lastWord: LastWord) => {
      const judged = verdictOn(evidence, lastWord);
      return `${judged.row} ${judged.action}`;
    };
    const denied = evidence.arbiter === "deny";
    assert.is(word("given-away"), noPath ? "11 refuse" : denied ? "0 hold" : "0 eligible");
    const beats = evidence.network === "ok" || evidence.mirror === "ok";
    const { row, action } = verdictOn(evidence, "running");
    assert.is(word("failed"), beats ? "0b notify" : `${row} ${action}`);
    assert.is(word("leaving"), noPath ? "11 refuse" : "0c none");
  }
});

test("eligible is said of rows 0, 8 and 9 alone, never where a path is ok, never against a denial", () => {
  for (const evidence of all) {
    for (const lastWord of ["running", "given-away", "failed", "leaving"] as const) {
      const { row, action } = verdictOn(evidence, lastWord);
      if (action !== "eligible") continue;
      assert.ok(["0", "8", "9"].includes(row));
      assert.is.not(evidence.arbiter, "deny");
      if (row === "0") continue;
      assert.is.not(evidence.network, "ok");
      assert.is(evidence.mirror, "stale");
      assert.is(evidence.observer, "fit");
    }
  }
});

test("refuse is row 11 alone", () => {
  for (const evidence of all) {
    const { row, action } = verdictOn(evidence);
    assert.is(action === "refuse", row === "11");
  }
});

test("row 9 says what it means once an arbiter granted", () => {
  const evidence = {
    network: "lost",
    mirror: "stale",
    pair: "paired",
    observer: "fit",
    linkProven: false,
  } as const;
  assert.match(verdictOn({ ...evidence, arbiter: "grant" }).verdict, /fenced/);
  assert.match(verdictOn({ ...evidence, arbiter: "none" }).verdict, /cannot tell/);
});

test("rows, rules and the order of doubt name the same rows", () => {
  const rows = rules.map(({ row }) => row);
  assert.is(new Set(rows).size, rows.length);
  assert.equal([...rowsByDoubt].sort(), [...rows].sort());
  const alive = rowsByDoubt.filter(isAlive);
  assert.equal(alive, rowsByDoubt.slice(0, alive.length), "the living come first");
  assert.equal([...alive].sort(), ["0b", "1", "2", "2b", "3", "3b", "3c", "4"]);
});

// ---- Groups: verdicts as they can really come out.
const possible: readonly Verdict[] = [
  ...new Map(
    all
      .flatMap((evidence) =>
        (["running", "given-away", "failed", "leaving"] as const).map((word) =>
          verdictOn(evidence, word),
        ),
      )
      .map((verdict) => [`${verdict.row} ${verdict.action}`, verdict] as const),
  ).values(),
];
const someVerdict = fc.constantFrom(...possible);
const someHosts = fc.array(someVerdict, { minLength: 1, maxLength: 6 });
const quorum = fc.integer({ min: 1, max: 6 });

test("k of n: with k hosts alive the group is alive, with fewer it is not", () => {
  fc.assert(
    fc.property(someHosts, quorum, (hosts, k) => {
      const alive = hosts.filter((host) => isAlive(host.row)).length;
      const group = judgeGroup(hosts, k);
      assert.is(isAlive(group.row), alive >= Math.min(k, hosts.length));
    }),
    { numRuns: 2000 },
  );
});

test("the group's row is that of its k-th best host", () => {
  const verdict = (row: Row): Verdict =>
    possible.find((candidate) => candidate.row === row) as Verdict;
  const rowOf = (rows: readonly Row[], k: number) => judgeGroup(rows.map(verdict), k).row;
  assert.is(rowOf(["9", "1", "9"], 1), "1");
  assert.is(rowOf(["9", "1", "9"], 2), "9");
  assert.is(rowOf(["1", "8", "1"], 2), "1");
  assert.is(rowOf(["8", "7", "9"], 1), "7");
  assert.is(rowOf(["8", "7", "9"], 3), "8");
  assert.is(rowOf(["0c", "1"], 2), "0c");
  assert.is(rowOf(["1"], 3), "1");
});

test("never eligible while one host is alive or not eligible, whatever k says", () => {
  fc.assert(
    fc.property(someHosts, quorum, (hosts, k) => {
      const eligible = judgeGroup(hosts, k).action === "eligible";
      if (hosts.some((host) => isAlive(host.row) || host.action !== "eligible"))
        assert.not(eligible);
      else assert.ok(eligible);
    }),
    { numRuns: 2000 },
  );
});

test("the order in which hosts are given does not matter", () => {
  const shuffled = someHosts.chain((hosts) =>
    fc.tuple(fc.constant(hosts), fc.shuffledSubarray(hosts, { minLength: hosts.length })),
  );
  fc.assert(
    fc.property(shuffled, quorum, ([hosts, other], k) => {
      const [a, b] = [judgeGroup(hosts, k), judgeGroup(other, k)];
      assert.equal([a.row, a.action], [b.row, b.action]);
      const [c, d] = [worstOf(hosts), worstOf(other)];
      assert.is(c.row, d.row);
    }),
    { numRuns: 1000 },
  );
});

test("a host that turns out more alive never makes its group more eligible, or more doubtful", () => {
  fc.assert(
    fc.property(someHosts, fc.nat(5), someVerdict, quorum, (hosts, at, better, k) => {
      const index = at % hosts.length;
      if (doubtOf(better.row) > doubtOf((hosts[index] as Verdict).row)) return;
      // Less doubt and less right to act: a host is not made more eligible by this change.
      if (better.action === "eligible" && hosts[index]?.action !== "eligible") return;
      const changed = hosts.with(index, better);
      const [before, after] = [judgeGroup(hosts, k), judgeGroup(changed, k)];
      assert.ok(doubtOf(after.row) <= doubtOf(before.row));
      if (before.action !== "eligible") assert.is.not(after.action, "eligible");
    }),
    { numRuns: 2000 },
  );
});

test("several mirrors: a living row stands over the rest; of the others the most cautious", () => {
  fc.assert(
    fc.property(someHosts, (verdicts) => {
      const worst = worstOf(verdicts);
      const living = verdicts.filter(({ row }) => isAlive(row));
      assert.is(isAlive(worst.row), living.length > 0);
      const doubts = (living.length > 0 ? living : verdicts).map(({ row }) => doubtOf(row));
      assert.is(doubtOf(worst.row), living.length > 0 ? Math.max(...doubts) : Math.min(...doubts));
      if (worst.action === "eligible")
        assert.ok(verdicts.every(({ row }) => doubtOf(row) >= doubtOf(worst.row)));
    }),
    { numRuns: 1000 },
  );
});

test("a table without an answer stops the program", () => {
  const odd = {
    ...(all[0] as NamedEvidence),
    network: "?",
    lastWord: "running",
  } as unknown as Evidence;
  assert.throws(
    () => judgeEvidence({ ...odd, mirror: "?" } as unknown as Evidence),
    /covers every/,
  );
  assert.throws(() => judgeGroup([], 1), /has hosts/);
  assert.throws(() => worstOf([]), /at least one/);
});

test.run();
