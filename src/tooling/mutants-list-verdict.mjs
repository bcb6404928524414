// Mistakes in what is concluded: the detector, and the guards of the verdict table.
import { edit } from "./mutants-search.mjs";

const verdict = "core/verdict.ts";
const judge = "core/step/judge.ts";
const observation = "core/observation.ts";

export const verdictMutants = [
  {
    name: "row 5: an unfit observer judges",
    breaks: "an observer's own trouble is not evidence",
    edits: [edit(verdict, 'e.mirror !== "ok" && e.observer === "unfit"', "false")],
    setups: ["pair", "four"],
    faults: ["sites-cut", "agent-stall", "io-slow", "read-error"],
  },
  {
    name: "row 2 taken for row 9",
    breaks: "a lost network beside a live mirror is a network partition",
    edits: [edit(verdict, 'row: "2",\n    verdict: "network', 'row: "9",\n    verdict: "network')],
    setups: ["pair", "four"],
    faults: ["way-cut"],
  },
  {
    name: "row 7: pair state ignored",
    breaks: "of a pair that is split or copying no silence tells",
    edits: [edit(verdict, 'evidence.pair === "split" || evidence.pair === "copying"', "false")],
    setups: ["pair"],
    faults: ["pair-split", "pair-suspend", "line-cut", "sites-cut"],
  },
  {
    name: "a live network is not looked at",
    breaks: "one live path is life",
    edits: [edit(judge, '=== "ok" ? "ok" : "lost";', '=== "unseen" ? "ok" : "lost";')],
    setups: ["pair", "four"],
    faults: ["link-cut", "link-stall"],
  },
  {
    name: "row 9 eligible without a grant",
    breaks: "only an arbiter tells link from site",
    edits: [edit(verdict, 'evidence.arbiter === "grant" ?', 'evidence.arbiter !== "deny" ?')],
    setups: ["pair", "pair-operator"],
    faults: ["sites-cut", "power-cut"],
  },
  {
    name: "old pair states believed",
    breaks: "an answer that is older than its limit is none",
    edits: [edit(judge, "!view || isPairOld(state, mirror)", "!view")],
    setups: ["pair"],
    faults: ["array-silent", "sites-cut", "pair-split"],
  },
  {
    name: "silence without a margin",
    breaks: "a beat that is late within the budget is no silence",
    edits: [edit(observation, "fromMs + marginMs(timing, watch.health)", "fromMs")],
    setups: ["pair"],
    faults: ["datagrams-lost", "lag-long", "agent-stall"],
  },
  {
    name: "the gap of an observer counted as silence",
    breaks: "after a gap of its own an observer begins anew",
    edits: [
      edit(observation, "const gap = sinceMs > gapLimitMs(timing);", "const gap = sinceMs < 0;"),
      edit(observation, "unchanged >= unchangedReadsMin &&", "unchanged >= 1 &&"),
    ],
    setups: ["pair", "pair-no-network"],
    faults: ["agent-stop", "machine-suspend", "agent-stall"],
  },
];
