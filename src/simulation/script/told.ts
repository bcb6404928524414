/** What is watched in a world as lines for people: only what matters in a story, one line each. */
import type { CoreEvent, EventValue } from "../../core/base/event.ts";
import type { Watched } from "../observation.ts";
import type { SimulatedWorld } from "../world.ts";

export const columnsMax = 80;

type Fields = Readonly<Record<string, EventValue>>;

/** Given last and bare: sentences. */
const sentences = ["reason", "detail", "verdict", "cause"];

const isEmpty = (value: EventValue | undefined): boolean => value === undefined || value === "";

/** "takeover term published: term 514, mirror west" */
function plainText(ev: string, { step, ...fields }: Fields): string {
  const pairs = Object.entries(fields).filter(([, value]) => !isEmpty(value));
  const facts = pairs
    .filter(([key]) => !sentences.includes(key))
    .map(([key, value]) => `${key} ${value}`);
  const said = pairs.filter(([key]) => sentences.includes(key)).map(([, value]) => String(value));
  const head = step === undefined ? ev : `${ev} ${step}`;
  const rest = [facts.join(", "), ...said].filter((text) => text !== "").join(": ");
  if (rest === "" || rest.startsWith(head)) return rest === "" ? head : rest;
  return `${head}: ${rest}`;
}

const texts: Readonly<Record<string, (fields: Fields) => string>> = {
  path: ({ path, host, was, state, reason }) =>
    `path ${path} of ${host}: ${was} -> ${state}${isEmpty(reason) ? "" : ` (${reason})`}`,
  verdict: ({ host, row, action, verdict }) => `verdict ${host}: row ${row}, ${action}: ${verdict}`,
  group: ({ site, row, action, verdict }) => `group ${site}: row ${row}, ${action}: ${verdict}`,
  role: ({ was, role, reason }) => `role ${was} -> ${role}: ${reason}`,
  term: ({ term, was, from }) => `term ${was} -> ${term}, from ${from}`,
  guard: ({ on, reason }) => `guard ${on === true ? "on" : "off"}: ${reason}`,
  lock: ({ phase, reason }) => `lock ${phase}: ${reason}`,
  restart: ({ host, rebooted }) =>
    `restart of ${host}: ${rebooted === true ? "its machine" : "its agent"}`,
  left: ({ host, how }) => `left ${host}: ${how}`,
  pair: ({ mirror, state, was, cause }) =>
    `pair ${mirror}: ${was} -> ${state}${isEmpty(cause) ? "" : ` (${cause})`}`,
  "one-way": ({ host, path, direction, state }) =>
    `one-way ${path}, ${direction} ${host}: ${state}`,
  switch: ({ kind, name, on }) =>
    `switch ${kind === "network" ? "" : `${kind} `}${name}: ${on === true ? "on" : "off"}`,
  rejected: ({ path, reason }) => `rejected on ${path}: ${reason}`,
  device: ({ device, ok, reason }) => `device ${device}: ${ok === true ? "ok" : reason}`,
  health: ({ path, fit }) => `health on ${path}: ${fit === true ? "fit" : "not fit"}`,
};

/** Where one host is all there is to judge, its group says the same again. */
function isOneHost(world: SimulatedWorld, site: EventValue | undefined): boolean {
  const hosts = world.config.sites.find(({ name }) => name === site)?.hosts ?? [];
  return hosts.filter(({ beacon }) => !beacon).length === 1;
}

function isDull(world: SimulatedWorld, { ev, level, fields }: CoreEvent): boolean {
  switch (ev) {
    case "path":
      return fields["state"] === "starting";
    case "group":
      return isOneHost(world, fields["site"]);
    case "pair":
      return fields["was"] === "unknown" && fields["state"] === "paired";
    case "start":
    case "stop":
    case "journal":
    case "network":
      return true;
    case "hook":
      return fields["ok"] === true;
    case "watchdog":
    case "device":
      return level === "notice" || level === "info";
    default:
      return false;
  }
}

function eventText(world: SimulatedWorld, event: CoreEvent): string | null {
  if (isDull(world, event)) return null;
  const text = texts[event.ev];
  return text ? text(event.fields) : plainText(event.ev, event.fields);
}

/** As the array knows it, whatever it tells. */
function pairText(world: SimulatedWorld, name: string): string {
  const pair = world.pair(name);
  const link = pair.linkUp ? "" : ", its link is down";
  return `pair ${name}: ${pair.state}, written at ${pair.sites[pair.primary]}${link}`;
}

/** Who tells, and what; null for what no story needs. */
export function toldOf(
  world: SimulatedWorld,
  watched: Watched,
): { readonly who: string; readonly text: string } | null {
  switch (watched.kind) {
    case "step":
    case "write":
    case "fault":
      return null;
    case "told": {
      const text = eventText(world, watched.event);
      return text === null ? null : { who: watched.host, text };
    }
    case "service":
      return { who: watched.host, text: watched.runs ? "service writes" : "service ended" };
    case "agent":
    case "machine": {
      const { kind, host, what, reason } = watched;
      return { who: host, text: `${kind} ${what}${reason === "" ? "" : `: ${reason}`}` };
    }
    case "pair":
      return { who: "array", text: pairText(world, watched.pair) };
    case "command": {
      const { host, text, code, message } = watched;
      return { who: host, text: `command ${text}: ${code ?? "nobody answers"}: ${message}` };
    }
  }
}

/** In lines of at most so many columns, the later ones indented; ASCII only. */
export function wrapped(text: string, indent: number): readonly string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.replaceAll(/[^\x20-\x7e]/g, "?").split(" ")) {
    if (line.trim() !== "" && line.length + 1 + word.length > columnsMax) {
      lines.push(line);
      line = `${" ".repeat(indent)}${word}`;
    } else {
      line = lines.length === 0 && line === "" ? word : `${line} ${word}`;
    }
  }
  return [...lines, line].map((each) => each.trimEnd());
}
