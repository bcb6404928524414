// Mistakes in the rows of the verdict table, one by one, and in what they rest on (safety.md, 4).
import { edit } from "./mutants-search.mjs";

const verdict = "core/verdict.ts";
const judge = "core/step/judge.ts";

export const rowMutants = [
  {
    name: "row 2 taken for row 9",
    breaks: "a lost network beside a live mirror is a network partition",
    edits: [edit(verdict, 'row: "2",\n    verdict: "network', 'row: "9",\n    verdict: "network')],
    setups: ["pair", "four"],
    faults: ["way-cut"],
  },
  {
    name: "row 3 whatever the pair is",
    breaks: "a suspended pair is told from one that was split",
    edits: [edit(verdict, 'stale(e) && e.pair === "suspended"', 'stale(e) && e.pair !== "paired"')],
    setups: ["pair"],
    faults: ["pair-split", "pair-copying"],
  },
  {
    name: "row 5: an unfit observer judges",
    breaks: "an observer's own trouble is not evidence",
    edits: [edit(verdict, 'e.mirror !== "ok" && e.observer === "unfit"', "false")],
    setups: ["pair", "four"],
    faults: ["sites-cut", "agent-stall", "io-slow", "read-error"],
  },
  {
    name: "row 6 eligible",
    breaks: "what cannot be read here is no silence",
    edits: [
      edit(
        verdict,
        'when: (e) => noNetwork(e) && unreadable(e),\n    action: always("hold"),',
        'when: (e) => noNetwork(e) && unreadable(e),\n    action: always("eligible"),',
      ),
    ],
    setups: ["pair", "pair-no-network"],
    faults: ["write-torn", "bit-flip", "strangers-svol", "way-cut"],
  },
  {
    name: "row 7: pair state ignored",
    breaks: "of a pair that is split or copying no silence tells",
    edits: [
      edit(
        verdict,
        "noNetwork(e) && stale(e) && notCopied(e)",
        "noNetwork(e) && e.mirror === null",
      ),
    ],
    setups: ["pair"],
    faults: ["pair-split", "pair-suspend", "line-cut", "sites-cut"],
  },
  {
    name: "row 8 without a proof of the link",
    breaks: "paired does not prove the link; a beacon's beats do",
    edits: [edit(verdict, 'e.pair === "paired" && e.linkProven', 'e.pair === "paired"')],
    setups: ["four-beacon"],
    faults: ["site-power-cut", "power-cut", "line-cut", "sites-cut"],
  },
  {
    name: "row 8: one beat of a beacon proves the link",
    breaks: "a beacon beats twice within the silence before the link is proven",
    edits: [
      edit(judge, "const second = later[beaconAdvancesMin - 1];", "const second = later[0];"),
    ],
    setups: ["four-beacon"],
    faults: ["power-cut", "machine-crash"],
  },
  {
    name: "row 8: the pair is not asked again",
    breaks: "the link is proven once the pair was found paired after the beacon's beats",
    edits: [
      edit(
        judge,
        "provenMs !== undefined && view !== undefined && view.observedMs >= provenMs;",
        "provenMs !== undefined && view !== undefined;",
      ),
    ],
    setups: ["four-beacon"],
    faults: ["power-cut", "machine-crash"],
  },
  {
    name: "row 9 eligible without a grant",
    breaks: "only an arbiter tells link from site",
    edits: [edit(verdict, 'evidence.arbiter === "grant" ?', 'evidence.arbiter !== "deny" ?')],
    setups: ["pair", "pair-operator"],
    faults: ["sites-cut", "power-cut"],
  },
  {
    name: "row 10 eligible",
    breaks: "with the mirror off, a lost network is a lost network",
    edits: [
      edit(
        verdict,
        'when: (e) => e.network === "lost" && e.mirror === "disabled",\n    action: always("hold"),',
        'when: (e) => e.network === "lost" && e.mirror === "disabled",\n    action: always("eligible"),',
      ),
    ],
    setups: ["pair"],
    faults: ["mirror-off", "mirror-removed", "way-cut", "power-cut"],
  },
  {
    name: "the best of several mirrors that are silent",
    breaks: "of several silent mirrors the most cautious row stands",
    edits: [
      edit(
        verdict,
        "(living.length > 0 ? living.at(-1) : byDoubt[0])",
        "(living.length > 0 ? living.at(-1) : byDoubt.at(-1))",
      ),
    ],
    setups: ["pair-two-mirrors"],
    faults: ["pair-split", "sites-cut", "way-cut", "read-error"],
  },
  {
    name: "a group eligible while one of its hosts lives",
    breaks: "a group is eligible only if every one of its hosts is",
    edits: [
      edit(verdict, 'verdict.action === "eligible" && !all ?', 'verdict.row === "" && !all ?'),
    ],
    setups: ["four-quorum", "four"],
    faults: ["switchover"],
  },
  {
    name: "a group's best host speaks for it",
    breaks: "a group takes the row of its k-th best host",
    edits: [edit(verdict, "byDoubt[Math.min(quorum, byDoubt.length) - 1]", "byDoubt[quorum * 0]")],
    setups: ["four-quorum"],
    faults: ["power-cut"],
  },
];
