/** What an operator types at a host, in a scenario file: the words of the program's own verbs. */
import { answerRequest } from "../../agent/control.ts";
import { exitCodes } from "../../core/base/exit-codes.ts";
import type { Touch } from "../fault.ts";
import { commandTouch, hostTouch, mirrorTouch, volumeTouch, waysOf } from "../faults/touch.ts";
import type { Host } from "../host.ts";
import type { SimulatedWorld } from "../world.ts";
import { type Wrong, wrong } from "./command.ts";

type Words = readonly string[];
type Request = Readonly<Record<string, unknown>>;
type Deed = { readonly request: Request } | { readonly act: (host: Host) => void };

const forms = [
  "takeover [--force] [--peer-is-off SITE]", "switchover SITE [--repair]", "gate",
  "enable|disable network", "enable|disable mirror|host NAME", "install|deinstall MIRROR",
  "stop", "start",
].join("; "); // biome-ignore format: one list

const isOneOf = (word: string, ...words: Words): boolean => words.includes(word);

function takeover(words: Words): Deed | null {
  const isAttested = words.includes("--peer-is-off");
  const peerIsOff = isAttested ? (words[words.indexOf("--peer-is-off") + 1] ?? "") : "";
  const known = words.every(
    (word) => isOneOf(word, "--force", "--peer-is-off") || word === peerIsOff,
  );
  if (!known || (isAttested && peerIsOff === "")) return null;
  return {
    request: {
      op: "takeover",
      force: words.includes("--force"),
      peerIsOff,
    },
  };
}

function switching(on: boolean, [kind = "", name]: Words): Deed | null {
  if (kind === "network" && name === undefined) {
    return { request: { op: "switch", on, target: { kind } } };
  }
  if (!isOneOf(kind, "mirror", "host") || name === undefined) return null;
  return { request: { op: "switch", on, target: { kind, name } } };
}

function deedOf([verb = "", ...rest]: Words): Deed | null {
  const [first = "", second] = rest;
  switch (verb) {
    case "takeover":
      return takeover(rest);
    case "switchover":
      if (first === "" || (second !== undefined && second !== "--repair")) return null;
      return { request: { op: "switchover", to: first, repair: second === "--repair" } };
    case "gate":
      return { request: { op: "gate" } };
    case "enable":
    case "disable":
      return switching(verb === "enable", rest);
    case "install":
    case "deinstall":
      return { request: { op: "install", what: verb, mirror: first, force: second === "--force" } };
    case "stop":
      return { act: (host) => host.leave() };
    case "start":
      return { act: (host) => host.startAgent() };
    default:
      return null;
  }
}

/** null: these words are a command. */
export function commandFault(words: Words): Wrong | null {
  return deedOf(words)
    ? null
    : wrong("command", words.join(" "), `an operator's commands: ${forms}`);
}

/** Of an answer to a request, or of the gate. */
function codeAndWords(answer: unknown): { readonly code: number; readonly message: string } {
  const { code, message, reason } = answer as Readonly<Record<string, unknown>>;
  return { code: Number(code), message: String(message ?? reason ?? "") };
}

/** What the command disturbs, as checkers ask for it. */
export function touchesOf(world: SimulatedWorld, name: string, words: Words): readonly Touch[] {
  const [verb = "", kind = "", target = ""] = words;
  switch (verb) {
    case "stop":
      return [...hostTouch(name), { kind: "service", host: name }, ...commandTouch];
    case "disable":
      if (kind === "network") return [...waysOf(world, world.host(name).site), ...commandTouch];
      if (kind === "host") return [...hostTouch(target), ...commandTouch];
      return [...volumeTouch(world, `${name}:${target}`), ...mirrorTouch(target), ...commandTouch];
    case "deinstall":
      return [...mirrorTouch(kind), ...commandTouch];
    default:
      return commandTouch;
  }
}

const opposites: Readonly<Record<string, string>> = {
  stop: "start",
  disable: "enable",
  deinstall: "install",
};

/** The command after which all is as before; null for one that is over once it is answered. */
export function undoneBy([verb = "", ...rest]: Words): string | null {
  const opposite = opposites[verb];
  return opposite === undefined ? null : [opposite, ...rest].join(" ");
}

/** Its answer comes when it comes. */
export function operate(world: SimulatedWorld, name: string, words: Words): void {
  const host = world.host(name);
  const deed = deedOf(words);
  if (!deed) throw new Error("assertion failed: the command was checked");
  if ("act" in deed) return deed.act(host);
  const none = (): never[] => [];
  const stager = () => ({ code: exitCodes.usage, message: "no file is here" });
  void host
    .withAgent((agent) => answerRequest(deed.request, agent, none, none, stager))
    .then((answer) => {
      const unanswered = { code: exitCodes.unavailable, message: "no agent answers" };
      const { code, message } = codeAndWords(answer ?? unanswered);
      world.watch({ kind: "command", host: name, text: words.join(" "), code, message });
    });
}
