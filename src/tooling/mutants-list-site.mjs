// Mistakes in what several hosts of a site, and third parties, do (docs/safety.md, 6.6 and 6.9).
import { edit } from "./mutants-search.mjs";

const lock = "core/step/lock.ts";
const standby = "core/step/standby.ts";
const witness = "core/step/witness.ts";
const volume = "core/step/witness-volume.ts";
const cuts = ["way-cut", "link-cut", "sites-cut"];

export const siteMutants = [
  {
    name: "a second decider grants",
    breaks: "of several hosts one decides, and only its echoes are grants",
    edits: [
      edit(standby, 'state.role === "standby" && lockHeld(state)', 'state.role === "standby"'),
    ],
    setups: ["four"],
    faults: ["reads-stale", "host-cut", "link-cut", "line-cut"],
  },
  {
    name: "lock claimed beside a living claim",
    breaks: "another host claims only when the old claim stood still",
    edits: [
      edit(
        lock,
        "claims && state.clocks.shortMs - seenMs <",
        "claims && state.clocks.shortMs < 0 && seenMs <",
      ),
    ],
    setups: ["four-local"],
  },
  {
    name: "lock without an end",
    breaks: "a lock holds for its time from the last write that a clean look followed",
    edits: [
      edit(
        lock,
        '=== "held" && state.clocks.longMs - anchorMs < state.config.timing.lockMs',
        '=== "held" && Number.isFinite(anchorMs)',
      ),
    ],
    setups: ["four-local"],
    faults: ["io-hang", "write-hang", "agent-stop"],
  },
  {
    name: "claim of another host not looked at",
    breaks: "of two that claim at once at least one sees the other, and withdraws",
    edits: [edit(lock, "if (others.length > 0) {", "if (others.length > 9) {")],
    setups: ["four-local"],
  },
  {
    name: "next holder does not wait for watchdogs",
    breaks: "within a site the next holder waits for the lock and two watchdogs",
    edits: [
      edit(
        lock,
        "takeover.local ? localTakeoverWaitMs(timing) : lockWaitMs(timing)",
        "takeover.local ? timing.intervalMs * 2 : lockWaitMs(timing)",
      ),
    ],
    setups: ["four-local"],
    scenarios: ["holder-that-cannot-stop"],
  },
  {
    name: "served without the site's lock",
    breaks: "within a site the service belongs to the holder of the lock",
    edits: [
      edit(
        "core/step/lease.ts",
        "return !state.config.takeover.local || lockHeld(state);",
        "return !state.config.takeover.local || !lockHeld(state) || true;",
      ),
    ],
    setups: ["four-local"],
    faults: cuts,
  },
  {
    name: "taken over without the witness",
    breaks: "the standby needs the witness's grant too",
    edits: [
      edit(
        standby,
        'if (state.config.policy === "witness") needed.push(',
        'if (state.config.policy === "booth") needed.push(',
      ),
    ],
    setups: ["pair-witness"],
    faults: cuts,
  },
  {
    name: "the witness grants the owner after all",
    breaks: "a witness that granted takeover never grants the owner in that term",
    edits: [
      edit(
        standby,
        "return !state.isBlank && state.granted.term !== state.term;",
        "return !state.isBlank;",
      ),
    ],
    setups: ["pair-witness"],
    scenarios: ["witness-hears-late"],
  },
  {
    name: "the witness does not wait",
    breaks: "the witness grants takeover only after a wait of its own",
    edits: [edit(witness, "if (waitLeftMs(state) > 0) return nothing(state);", "")],
    setups: ["pair-witness"],
    faults: cuts,
  },
  {
    name: "grant told before it is durable",
    breaks: "a witness stores its grant before it tells it",
    edits: [
      edit(
        witness,
        "granted.term !== 0n && grantStored === granted.term ?",
        "granted.term !== 0n ?",
      ),
    ],
    setups: ["pair-witness"],
    scenarios: ["witness-disk-full"],
  },
  {
    name: "no wait after a claim on the volume",
    breaks: "a standby takes over a whole wait after its claim was durable",
    edits: [
      edit(
        standby,
        'return { id: "witness", met: leftMs <= 0, say };\n}\n\nfunction neededOf',
        'return { id: "witness", met: true, say };\n}\n\nfunction neededOf',
      ),
    ],
    setups: ["pair-volumes"],
    scenarios: ["claim-that-never-lands"],
  },
  {
    name: "owner renews in spite of a claim",
    breaks: "an owner renews by a read that shows no claim",
    edits: [
      edit(
        volume,
        "if (possibleHolders(state).some((peer) => mayClaim(state, peer, mirror))) return state;",
        "",
      ),
    ],
    setups: ["pair-volumes"],
    scenarios: ["third-volume-not-watched"],
  },
];
