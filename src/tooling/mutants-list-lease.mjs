// Mistakes in the owner's lease and the standby's wait (docs/safety.md, section 6).
import { edit } from "./mutants-search.mjs";

const lease = "core/step/lease.ts";
const standby = "core/step/standby.ts";
const cuts = ["way-cut", "link-cut", "sites-cut"];

export const leaseMutants = [
  {
    name: "own write renews the lease",
    breaks: "only a grant renews a lease",
    edits: [
      edit(
        "core/step/issued.ts",
        "return withLease(state, { issued });",
        "return withLease(state, { issued, anchors: { own: clocks.longMs } });",
      ),
    ],
    setups: ["pair"],
    faults: cuts,
  },
  {
    name: "lease counted from the grant's arrival",
    breaks: "a lease counts from the start of the beat that is granted",
    edits: [edit(lease, "Math.max(beat.atMs,", "Math.max(state.clocks.longMs,")],
    setups: ["pair"],
    faults: ["lag-long", "datagrams-late", "sites-cut", "line-cut"],
  },
  {
    name: "any echo is a grant",
    breaks: "only the echoes of the site's decider are grants",
    edits: [edit(lease, "!isArmed(state) || !isDecider ||", "!isArmed(state) || !word ||")],
    setups: ["four"],
    faults: ["reads-stale", "host-cut", "link-cut", "line-cut"],
  },
  {
    name: "echo of an old run, any nonce",
    breaks: "a grant echoes this very incarnation, serial and nonce",
    edits: [
      edit(lease, "    echo.incarnation === state.incarnation &&\n", ""),
      edit(lease, "serial === echo?.serial && nonce === echo.nonce", "serial === echo?.serial"),
    ],
    setups: ["pair"],
    faults: ["agent-crash-loop", "way-cut", "link-cut", "agent-kill"],
  },
  {
    name: "lease three times as long",
    breaks: "the service may run only until the end of the lease",
    edits: [edit(lease, "anchorMs + lease.limitMs -", "anchorMs + 3 * lease.limitMs -")],
    setups: ["pair"],
    faults: cuts,
  },
  {
    name: "service goes on at the end of the lease",
    breaks: "the service is stopped before its lease ends",
    edits: [
      edit(lease, "leaseLeftMs(state) <= state.config.timing.stopMs;", "leaseLeftMs(state) > 1e9;"),
      edit(lease, 'return hasRight(state) ? "feed" : "starve";', 'return "feed";'),
    ],
    setups: ["pair"],
    faults: cuts,
  },
  {
    name: "watchdog fed without a right",
    breaks: "after the end of the lease nothing is fed before a verified stop",
    edits: [edit(lease, 'return hasRight(state) ? "feed" : "starve";', 'return "feed";')],
    setups: ["pair"],
    faults: ["stop-fails", "stop-hangs", "sites-cut"],
  },
  {
    name: "failed stop believed",
    breaks: "a service is stopped when its hook says so, and not before",
    edits: [
      edit(
        "core/step/role.ts",
        "if (ok) return serviceStopped(state);",
        "if (!ok) return serviceStopped(state);\n  if (ok) return serviceStopped(state);",
      ),
    ],
    setups: ["pair"],
    faults: ["stop-fails", "sites-cut"],
  },
  {
    name: "takeover wait of half the lease",
    breaks: "takeover wait >= (1+rho) ((lease + 2 watchdog)/(1-rho) + late write)",
    edits: [
      edit(
        "core/base/lease-timing.ts",
        "(leaseMs + 2 * watchdogMs) / (1 - r) + lateWriteMs",
        "leaseMs / 2",
      ),
    ],
    setups: ["pair"],
    faults: cuts,
  },
  {
    name: "wait not begun anew by a beat",
    breaks: "the wait counts from the newest record that was seen",
    edits: [
      edit(
        standby,
        "withWaiting(state, { sinceMs: clocks.shortMs });",
        "withWaiting(state, { sinceMs: Math.min(waiting.sinceMs, clocks.shortMs) });",
      ),
    ],
    setups: ["pair"],
    faults: cuts,
  },
  {
    name: "no guard",
    breaks: "a standby takes over only from an owner that goes by the lease",
    edits: [edit(standby, "met: hosts.length > 0 && unguarded.length === 0", "met: true")],
    scenarios: ["alone-and-cut-off"],
    setups: ["pair"],
  },
  {
    name: "guard of a former run of the standby",
    breaks: "a guard is proven by a record that echoes this very run",
    edits: [
      edit(
        standby,
        "const proves =\n    echo?.incarnation === state.incarnation &&\n    echo.writtenSerial === word.serial &&\n    echo.serial > waiting.floorSerial &&",
        "const proves =\n    echo !== null &&",
      ),
    ],
    scenarios: ["renounced-unheard"],
    setups: ["pair-data"],
  },
  {
    name: "guard of before the renouncing",
    breaks: "after renouncing a guard counts only by a later echo",
    edits: [
      edit(
        standby,
        "const floorSerial = on ? waiting.floorSerial : state.serial;",
        "const { floorSerial } = waiting;",
      ),
      edit(standby, "const guards = on ? waiting.guards : {};", "const { guards } = waiting;"),
    ],
    setups: ["pair-data"],
    scenarios: ["renounced-and-cut-off"],
  },
  {
    name: "stale gate: active without a grant",
    breaks: "after a start the owner of the term waits for a grant to this start",
    edits: [
      edit(
        "core/step/role.ts",
        "return leased && hasLocalRight(state)",
        "return hasLocalRight(state)",
      ),
    ],
    setups: ["pair"],
    faults: ["sites-cut", "power-cut"],
  },
];
