// Mistakes in the order of steps: taking the term, giving it away, installing, storing.
import { edit } from "./mutants-search.mjs";

const takeover = "core/step/takeover.ts";
const handover = "core/step/handover.ts";
const install = "core/step/install.ts";

export const stepMutants = [
  {
    name: "a term that falls",
    breaks: "no term falls",
    edits: [
      edit(
        "core/step/term.ts",
        "if (term <= state.term) return null;",
        "if (term === state.term) return null;",
      ),
    ],
    setups: ["pair"],
    faults: ["power-cut"],
  },
  {
    name: "published before it is stored",
    breaks: "a term is stored on the local disk before anything is done in it",
    edits: [
      edit(
        takeover,
        'storing" || !isMeant) return nothing(state);\n  if (!input.ok) {',
        'storing" || !isMeant) return nothing(state);\n  if (takeover.term < 0n) {',
      ),
    ],
    setups: ["pair"],
    faults: ["disk-full", "power-cut"],
  },
  {
    name: "acted in before it is published",
    breaks: "a term is durable on a volume of its site before it is acted in",
    edits: [
      edit(takeover, "onVolume(next) || needsLock(next)", "needsLock(next) && !onVolume(next)"),
    ],
    setups: ["pair"],
    faults: ["power-cut", "write-hang"],
  },
  {
    name: "operator's takeover does not wait",
    breaks: "an operator's word moves nothing sooner than the lease allows",
    edits: [
      edit(
        takeover,
        "if (leftMs <= 0) return takeData(state);",
        "if (leftMs !== 0) return takeData(state);",
      ),
    ],
    setups: ["pair"],
    faults: ["takeover", "sites-cut"],
  },
  {
    name: "service started before the data is taken",
    breaks: "the data pairs are taken over and verified before the service hook",
    edits: [
      edit(
        takeover,
        "if (config.dataGroups.length === 0) return runService(state);",
        "if (config.dataGroups.length >= 0) return runService(state);",
      ),
    ],
    setups: ["pair-data"],
    faults: ["power-cut"],
  },
  {
    name: "the array's word not heeded",
    breaks: "a service starts only on data that was found taken over",
    edits: [
      edit(
        takeover,
        'if (!input.ok) return stopped(state, input.detail, "data pairs failed");',
        "",
      ),
    ],
    setups: ["pair-data"],
    faults: ["site-gone", "command-refused", "command-pretended"],
  },
  {
    name: "serving not stored before the start",
    breaks: "that a service may run is durable before it may",
    edits: [
      edit(
        "core/step/role.ts",
        "(!isArmed(state) || state.servingStored)",
        "(!isArmed(state) || state.serviceMayRun || true)",
      ),
    ],
    setups: ["pair"],
    faults: ["power-cut", "agent-kill"],
  },
  {
    name: "term given before the service is stopped",
    breaks: "a switch-over stops the service first",
    edits: [
      edit(handover, 'if (handover.phase === "checking") {', 'if (handover.phase !== "storing") {'),
    ],
    setups: ["pair"],
    faults: ["switchover"],
  },
  {
    name: "siblings still serve when the term is given",
    breaks: "every host of the giver stops before the term is given",
    edits: [
      edit(
        handover,
        "return runningSiblings(state).length > 0 ?",
        "return runningSiblings(state).length > 9 ?",
      ),
      edit(
        "core/step/takeover-begin.ts",
        "return granted && allStandBy(state) ? go(state)",
        "return granted ? go(state)",
      ),
    ],
    setups: ["four"],
    faults: ["switchover", "stop-slow", "stop-hangs"],
  },
  {
    name: "handover taken back",
    breaks: "what was given is not taken back by the giver alone",
    edits: [
      edit(
        handover,
        "  if (state.nowMs < handover.deadlineMs) return nothing(state);\n  return end(",
        '  if (state.nowMs < handover.deadlineMs) return nothing(state);\n  const back = inTerm(state, nextTerm(term, state.ownSiteId));\n  if (back) return nothing({ ...back, handover: null, given: null, role: "stopped", lease: { ...back.lease, solo: true } });\n  return end(',
      ),
    ],
    setups: ["pair"],
    scenarios: ["term-given-and-cut-off"],
  },
  {
    name: "operator's takeover of a living site",
    breaks: "no takeover beside a host that beats",
    edits: [edit("core/decision.ts", "if (alive.length > 0) {", "if (alive.length > 99) {")],
    setups: ["pair", "pair-operator"],
    faults: ["takeover-living"],
  },
];
