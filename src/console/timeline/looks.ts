/**
 * How each state and each kind of event looks: its letter, its tone, its word. Colour is never the
 * only sign: each state has a letter of its own within its lane, and each tone its own pattern.
 */
import type { EventKind } from "../../core/base/event.ts";
import type { LaneKind, Tone } from "./model.ts";

export type Look = {
  readonly letter: string;
  readonly fill: string;
  readonly tone: Tone;
  readonly label: string;
};

const look = (letter: string, tone: Tone, label: string): Look => ({
  letter,
  fill: letter,
  tone,
  label,
});

type Looks = Readonly<Record<string, Look>>;

const pathLooks: Looks = {
  ok: look("=", "quiet", "ok"),
  starting: look(".", "idle", "starting"),
  stale: look("S", "grave", "stale"),
  lost: look("L", "grave", "lost"),
  corrupt: look("C", "grave", "corrupt"),
  "io-error": look("E", "grave", "I/O error"),
  unseen: look("U", "notice", "unseen"),
  off: look("O", "idle", "off"),
};

const oneWayLooks: Looks = {
  ok: look("=", "quiet", "ok"),
  lost: look("L", "grave", "lost"),
  unknown: look("K", "idle", "not known"),
};

const healthLooks: Looks = {
  fit: look("=", "quiet", "fit"),
  unfit: look("I", "grave", "unfit"),
};

const pairLooks: Looks = {
  paired: look("=", "quiet", "paired"),
  copying: look("C", "notice", "copying"),
  split: look("X", "notice", "split"),
  suspended: look("S", "grave", "suspended"),
  unknown: look("K", "idle", "not known"),
};

const roleLooks: Looks = {
  starting: look(".", "idle", "starting"),
  standby: look("s", "quiet", "standby"),
  active: look("A", "active", "ACTIVE"),
  transitioning: look("T", "change", "transitioning"),
  fenced: look("F", "grave", "FENCED"),
  stopped: look("Z", "notice", "service stopped"),
  "no agent": look("_", "idle", "agent stopped"),
};

const looksOf: Partial<Record<LaneKind, Looks>> = {
  path: pathLooks,
  "one-way": oneWayLooks,
  health: healthLooks,
  pair: pairLooks,
  role: roleLooks,
  service: { runs: look("R", "active", "service runs") },
  fault: { fault: look("#", "fault", "fault") },
};

/** A verdict shows its row first, then what the agent does about it. */
const actionLooks: Readonly<Record<string, { readonly fill: string; readonly tone: Tone }>> = {
  none: { fill: "-", tone: "quiet" },
  notify: { fill: "~", tone: "notice" },
  hold: { fill: "!", tone: "grave" },
  eligible: { fill: "#", tone: "change" },
  refuse: { fill: "x", tone: "grave" },
};

export function verdictLook(row: string, action: string): Look {
  const { fill, tone } = actionLooks[action] ?? { fill: "?", tone: "idle" as const };
  const label = action === "none" ? `row ${row}` : `row ${row} ${action}`;
  return { letter: row.slice(0, 3), fill, tone, label };
}

/** A state that is not known here is shown as it is named. */
export function lookOf(kind: LaneKind, state: string): Look {
  const looks = looksOf[kind];
  const known = looks && Object.hasOwn(looks, state) ? looks[state] : undefined;
  return known ?? { letter: "?", fill: "?", tone: "idle", label: state };
}

/** What the letters of a strip mean, for those that occur. */
export function letterWords(kind: LaneKind, state: string, fill: string): string {
  if (kind !== "verdict" && kind !== "group") {
    const { letter, label } = lookOf(kind, state);
    return `${letter} ${label.toLowerCase()}`;
  }
  const action = Object.entries(actionLooks).find(([, known]) => known.fill === fill)?.[0];
  return `${fill} ${action ?? "other action"}`;
}

/** The mark of each kind of event; kinds that are drawn as states have one for the rest. */
export const markLetters: Readonly<Record<EventKind, string>> = {
  start: "S",
  stop: "Z",
  role: "A",
  term: "N",
  path: "=",
  "one-way": "1",
  verdict: "v",
  group: "g",
  restart: "R",
  left: "Q",
  pair: "p",
  signal: "P",
  rejected: "X",
  health: "h",
  mirror: "M",
  config: "C",
  timing: "I",
  link: "B",
  takeover: "T",
  switchover: "W",
  guard: "G",
  lock: "L",
  witness: "V",
  watchdog: "D",
  switch: "O",
  hook: "H",
  device: "E",
  network: "Y",
  journal: "J",
  keys: "K",
  slot: "U",
};

export const markWords: Readonly<Record<EventKind, string>> = {
  start: "agent starts",
  stop: "agent stops in order",
  role: "role",
  term: "higher term found",
  path: "path",
  "one-way": "one-way fault",
  verdict: "verdict",
  group: "group verdict",
  restart: "peer restarted",
  left: "peer left",
  pair: "pair",
  signal: "signal by a pair",
  rejected: "not believed",
  health: "observer",
  mirror: "mirror in or out",
  config: "configuration",
  timing: "other timings",
  link: "link proven",
  takeover: "takeover step",
  switchover: "switch-over step",
  guard: "guard",
  lock: "site's lock",
  witness: "witness",
  watchdog: "watchdog",
  switch: "switched on or off",
  hook: "hook ended",
  device: "device",
  network: "network",
  journal: "journal",
  keys: "keys",
  slot: "slot",
};

/** How an event is toned by its level, which the agent chose. */
export function markTone(kind: EventKind, level: string): Tone {
  if (level === "error") return "grave";
  const isAct =
    kind === "takeover" || kind === "term" ? level === "warning" : kind === "switchover";
  if (isAct) return "change";
  return level === "warning" ? "notice" : "idle";
}
