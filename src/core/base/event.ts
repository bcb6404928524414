/**
 * Events: what the journal, standard error, hooks and the console tell. One line format for all:
 *
 *   2026-11-22T07:31:04.120Z level=warning ev=verdict site=tokyo row=9 action=hold was=1
 *
 * Values with a space, a quote or nothing in them are quoted as JSON strings.
 */
export const levels = { error: 3, warning: 4, notice: 5, info: 6 } as const;
export type Level = keyof typeof levels;

export type EventValue = string | number | boolean | bigint;
export type CoreEvent = {
  readonly level: Level;
  /** Kind of event: one of a closed set, see docs/operations.md. */
  readonly ev: EventKind;
  readonly fields: Readonly<Record<string, EventValue>>;
};

/** Every kind of event, with its meaning in words. */
export const eventKinds = {
  start: "the agent began, with its incarnation and engine",
  stop: "the agent ended in order",
  role: "the role of this site changed",
  term: "a higher term was found or made durable",
  path: "a path to one host changed its state",
  "one-way": "beats to or from a host are lost on a path whose other direction works",
  verdict: "the verdict on one host changed",
  group: "the verdict on a site's host group changed",
  restart: "a peer host began anew",
  left: "a peer host left as planned, or was switched off",
  pair: "the state of a remote-copy pair changed",
  signal: "a step of a signal by a pair's state: the pair is split for it, and resynchronised",
  rejected: "sectors or datagrams were not believed, by reason",
  health: "this observer's own health changed between fit and unfit",
  mirror: "a step of installing or removing a heartbeat mirror",
  config: "a configuration was staged, or is in use now",
  timing: "a peer host works with other timings",
  link: "a beacon's advance proved the remote link",
  takeover: "a step of a takeover",
  switchover: "a step of a planned switch-over",
  guard: "this host may be active without a lease, or only under one again",
  lock: "this host took, or lost, the lock by which one host decides for its site",
  witness: "the witness granted takeover, or was armed",
  watchdog: "the watchdog was opened, fed no more, or cannot be fed",
  switch: "a path or host was enabled or disabled",
  hook: "a hook ended",
  device: "a device could not be opened, or did not answer in time",
  network: "datagrams could not be sent or received",
  journal: "the journal could not be written",
  keys: "the key file was read anew, or could not be",
  slot: "this host's slot was found written by another",
} as const;
export type EventKind = keyof typeof eventKinds;

function valueText(value: EventValue): string {
  const text = String(value);
  return /^[^\s"=\\]+$/.test(text) ? text : JSON.stringify(text);
}

/** The line of an event without its time; ASCII only. */
export function eventText(event: CoreEvent): string {
  const fields = Object.entries(event.fields).map(([key, value]) => `${key}=${valueText(value)}`);
  const text = [`level=${event.level}`, `ev=${event.ev}`, ...fields].join(" ");
  return text.replaceAll(/[^\x20-\x7e]/g, "?");
}

export function eventLine(timestamp: string, event: CoreEvent): string {
  return `${timestamp} ${eventText(event)}`;
}

/** Reads a line back: its time and fields as text; null where it is no event line. */
export function parseEventLine(
  line: string,
): { time: string; fields: Record<string, string> } | null {
  const space = line.indexOf(" ");
  if (space < 0 || !/^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(line.slice(0, space))) return null;
  const fields: Record<string, string> = {};
  const pairs = line.slice(space + 1).matchAll(/(\w+)=("(?:[^"\\]|\\.)*"|\S*)/g);
  for (const [, key = "", value = ""] of pairs) {
    fields[key] = value.startsWith('"') ? unquote(value) : value;
  }
  return { time: line.slice(0, space), fields };
}

function unquote(text: string): string {
  try {
    return String(JSON.parse(text));
  } catch {
    return text;
  }
}
