// Mistakes in what is concluded: the detector, and the guards of the verdict table.
import { edit } from "./mutants-search.mjs";

const verdict = "core/verdict.ts";
const judge = "core/step/judge.ts";
const observation = "core/observation.ts";

export const verdictMutants = [
  {
    name: "a live network is not looked at",
    breaks: "one live path is life",
    edits: [edit(judge, '=== "ok" ? "ok" : "lost";', '=== "unseen" ? "ok" : "lost";')],
    setups: ["pair", "four"],
    faults: ["link-cut", "link-stall"],
  },
  {
    name: "silence without a margin",
    breaks: "a beat that is late within the budget is no silence",
    edits: [edit(observation, "fromMs + marginMs(timing, watch.health)", "fromMs")],
    setups: ["pair"],
    faults: ["datagrams-lost", "lag-long", "agent-stall"],
  },
  {
    name: "a margin four times as long",
    breaks: "a failure is found within the bound that is printed",
    edits: [
      edit(
        observation,
        "fromMs + marginMs(timing, watch.health)",
        "fromMs + 4 * marginMs(timing, watch.health)",
      ),
    ],
    setups: ["pair"],
    faults: ["agent-kill", "power-cut"],
  },
  {
    name: "a verdict told again and again",
    breaks: "each change is told once",
    edits: [
      edit(
        judge,
        "if (was && was.row === verdict.row && was.action === verdict.action) return peer;",
        'if (was && was.row === verdict.row && was.row === "1") return peer;',
      ),
    ],
    setups: ["pair"],
    faults: ["agent-kill", "power-cut"],
  },
];
