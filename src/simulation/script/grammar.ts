/** Words of a line to a command. What a name stands for is looked up later, in the world: check.ts. */
import type { Timing } from "../../core/base/config.ts";
import type { Role } from "../../core/decision.ts";
import { type Action, type Row, rowsByDoubt } from "../../core/verdict.ts";
import { timingKeys } from "../../host/config-keys.ts";
import { type Command, type Condition, isWrong, type Wrong, wrong } from "./command.ts";
import { words as saidWords } from "./say.ts";

type Words = readonly string[];

const unitsMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, min: 60_000, h: 3_600_000 };
const roles: readonly Role[] = [
  "starting",
  "active",
  "standby",
  "transitioning",
  "fenced",
  "stopped",
];
const actions: readonly Action[] = ["none", "notify", "hold", "eligible", "refuse"];

const conditionForms = [
  "HOST NAME row ROW [ACTION]", "HOST is ROLE", "HOST answers CODE", "NAME serves", "nobody serves",
  "nobody takes over", "no alarm", "term N", "pair NAME is STATE", "takeover within bound",
  "detection within bound", "told TEXT", "not told TEXT",
].join("; "); // biome-ignore format: one list

function durationMs(text: string | undefined, field: string): { readonly ms: number } | Wrong {
  const [, number = "", unit = ""] = /^(\d+(?:\.\d+)?)(ms|s|min|h)$/.exec(text ?? "") ?? [];
  const factor = unitsMs[unit];
  if (factor === undefined) {
    return wrong(field, text ?? "", "give a number and a unit: 500ms, 20s, 1.5min, 2h");
  }
  return { ms: Number(number) * factor };
}

// ---- Conditions

function rowOf(
  host: string,
  of: string,
  row: string,
  action: string | undefined,
): Condition | Wrong {
  if (!rowsByDoubt.includes(row as Row)) {
    return wrong("row", row, `the verdict table has ${[...rowsByDoubt].sort().join(" ")}`);
  }
  if (action !== undefined && !actions.includes(action as Action)) {
    return wrong("action", action, `actions are ${actions.join(", ")}`);
  }
  return { kind: "row", host, of, row: row as Row, action: (action as Action | undefined) ?? null };
}

function twoWords(text: string): Condition | null {
  switch (text) {
    case "nobody serves":
      return { kind: "serves", who: null };
    case "nobody takes over":
      return { kind: "calm" };
    case "no alarm":
      return { kind: "no-alarm" };
    case "takeover within bound":
    case "detection within bound":
      return { kind: "within-bound", what: text.startsWith("takeover") ? "takeover" : "detection" };
    default:
      return null;
  }
}

export function conditionOf(words: Words): Condition | Wrong {
  const text = words.join(" ");
  const fixed = twoWords(text);
  if (fixed) return fixed;
  const [first = "", second = "", third = "", fourth = "", fifth] = words;
  const isTold = first === "told";
  if (isTold || text.startsWith("not told ")) {
    return { kind: "told", isTold, text: words.slice(isTold ? 1 : 2).join(" ") };
  }
  if (first === "pair" && third === "is" && words.length === 4) {
    return { kind: "pair", pair: second, state: fourth };
  }
  if (first === "term" && words.length === 2) {
    if (/^\d+$/.test(second)) return { kind: "term", term: BigInt(second) };
    return wrong("term", second, "a term is a whole number");
  }
  if (second === "serves" && words.length === 2) return { kind: "serves", who: first };
  if (second === "is" && words.length === 3) {
    if (roles.includes(third as Role)) return { kind: "role", host: first, role: third as Role };
    return wrong("role", third, `roles are ${roles.join(", ")}`);
  }
  if (second === "answers" && words.length === 3) {
    if (/^\d+$/.test(third)) return { kind: "answer", host: first, code: Number(third) };
    return wrong("code", third, "an answer is an exit code: see docs/operations.md");
  }
  if (third === "row" && words.length <= 5) return rowOf(first, second, fourth, fifth);
  return wrong("condition", text, `conditions are: ${conditionForms}`);
}

// ---- Commands

type Wish = {
  isCold: boolean;
  seed: number;
  timing: Record<string, number | string>;
  beacons: string[];
  without: string[];
  rates: Record<string, number>;
};

function wish(into: Wish, word: string): Wrong | null {
  const [key = "", value = ""] = word.split("=");
  if (word === "cold") into.isCold = true;
  else if (key === "seed" && /^\d+$/.test(value)) into.seed = Number(value);
  else if (key === "beacon") into.beacons.push(value);
  else if (key === "without") into.without.push(value);
  else if (key.startsWith("rate.") && /^\d+(\.\d+)?$/.test(value)) {
    into.rates[key.slice("rate.".length)] = Number(value);
  } else if (key.startsWith("timing.")) {
    const name = timingKeys[key.slice("timing.".length) as keyof typeof timingKeys];
    if (name === undefined) {
      return wrong(key, value, `timings are ${Object.keys(timingKeys).join(", ")}`);
    }
    if (name !== "detector" && !/^\d+$/.test(value)) {
      return wrong(key, value, "give a whole number of the unit in the name");
    }
    into.timing[name] = name === "detector" ? value : Number(value);
  } else {
    const remedy =
      "after the name: cold, seed=N, beacon=HOST, without=CHECKER, rate.HOST=1.0001, timing.KEY=VALUE";
    return wrong("setup", word, remedy);
  }
  return null;
}

function setup([name = "", ...rest]: Words): Command | Wrong {
  if (name === "") return wrong("setup", "", "name a set-up, or config for your own configuration");
  const into: Wish = { isCold: false, seed: 1, timing: {}, beacons: [], without: [], rates: {} };
  for (const word of rest) {
    const fault = wish(into, word);
    if (fault) return fault;
  }
  return { kind: "setup", name, ...into, timing: into.timing as Partial<Timing> };
}

function run(words: Words): Command | Wrong {
  const duration = durationMs(words.length === 1 ? words[0] : words.join(" "), "run");
  return isWrong(duration) ? duration : { kind: "run", forMs: duration.ms };
}

function until(words: Words): Command | Wrong {
  const at = words.lastIndexOf("within");
  const limit = at < 0 ? undefined : words.slice(at + 1).join(" ");
  const duration = durationMs(limit, "within");
  if (isWrong(duration)) return duration;
  const condition = conditionOf(words.slice(0, at));
  if (isWrong(condition)) return condition;
  return { kind: "until", condition, withinMs: duration.ms };
}

function begin(words: Words): Command | Wrong {
  const at = words.indexOf("for");
  const [fault = "", target = "-", more] = at < 0 ? words : words.slice(0, at);
  if (fault === "") return wrong("begin", "", "begin FAULT TARGET [for DURATION]");
  if (more !== undefined) return wrong("begin", more, "one target; then nothing, or for DURATION");
  if (at < 0) return { kind: "begin", fault, target, forMs: null };
  const duration = durationMs(words.slice(at + 1).join(" "), "for");
  return isWrong(duration) ? duration : { kind: "begin", fault, target, forMs: duration.ms };
}

function end([fault = "", target, more]: Words): Command | Wrong {
  if (fault === "") return wrong("end", "", "end FAULT [TARGET]");
  if (more !== undefined) return wrong("end", more, "one target at most");
  return { kind: "end", fault, target: target ?? null };
}

function saying([host = "", word = "", more]: Words): Command | Wrong {
  const found = saidWords.find((each) => each === word);
  if (!found || more !== undefined) return wrong("say", word, `say HOST ${saidWords.join("|")}`);
  return { kind: "say", host, word: found };
}

function status(words: Words): Command | Wrong {
  const [host = ""] = words;
  return words.length === 1
    ? { kind: "status", host }
    : wrong("status", words.join(" "), "status HOST");
}

const commands: Readonly<Record<string, (words: Words) => Command | Wrong>> = {
  setup,
  run,
  until,
  begin,
  end,
  status,
  say: saying,
  command: ([host = "", ...words]) => ({ kind: "command", host, words }),
  expect: (words) => {
    const condition = conditionOf(words);
    return isWrong(condition) ? condition : { kind: "expect", condition };
  },
};

export const commandNames = Object.keys(commands);

export function commandOf([name = "", ...rest]: Words): Command | Wrong {
  const parse = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (parse) return parse(rest);
  return wrong("command", name, `commands are ${commandNames.join(", ")}`);
}
