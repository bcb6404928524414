import { test } from "uvu";
import * as assert from "uvu/assert";
import { parseEvents2 } from "./events2.ts";
import type { Parsed } from "./facts.ts";
import { backingDisk } from "./show.ts";
import { parseStatusJson } from "./status-json.ts";
import { parseStatusText } from "./status-text.ts";
import { captures84, commands, json9 } from "./testing/captures.ts";
import { damaged, seededRandom } from "./testing/damage.ts";
import { viewOf } from "./view.ts";

type Parse = (text: string, resource: string) => Parsed;

function judge(parse: Parse, text: string, end: "writer" | "reader"): string {
  const parsed = parse(text, "hba");
  if (!parsed.ok) return `not understood: ${parsed.reason}`;
  const seen = viewOf(parsed.resource, 0, end);
  return seen.ok ? `${seen.view.state} ${seen.view.role}` : seen.class;
}

/** At tokyo, the writer's end, and at osaka. */
const expected: Readonly<Record<string, readonly [string, string]>> = {
  paired: ["paired primary", "paired secondary"],
  "both-secondary": ["paired unknown", "paired unknown"],
  "link-cut": ["suspended-by-error primary", "suspended-by-error secondary"],
  resync: ["copying primary", "copying secondary"],
  "split-by-us": ["suspended-by-operator primary", "suspended-by-error secondary"],
  "split-by-hand": ["unknown primary", "suspended-by-error secondary"],
  "taken-over": ["suspended-by-error primary", "takeover primary"],
  "split-brain": ["unknown primary", "takeover primary"],
  diskless: ["suspended-by-error primary", "suspended-by-error secondary"],
  "io-suspended": ["paired primary", "unknown secondary"],
  down: ["suspended-by-error primary", "simplex none"],
};

const expected84 = Object.entries(expected).flatMap(([moment, states]) =>
  (["tokyo", "osaka"] as const).map((node, index) => ({
    name: `${moment}-${node}`,
    end: index === 0 ? ("writer" as const) : ("reader" as const),
    state: states[index] as string,
  })),
);

const captures = captures84();
const said = (name: string, command: string) => {
  const found = captures.find((capture) => capture.name === name)?.said[command];
  if (!found) throw new Error(`no capture ${name} of ${command}`);
  return found;
};

test("every capture of DRBD 8.4 is expected, and each is what it is", () => {
  assert.equal(captures.map(({ name }) => name).sort(), expected84.map(({ name }) => name).sort());
  for (const { name, end, state } of expected84) {
    assert.is(judge(parseEvents2, said(name, commands.events2).stdout, end), state, name);
  }
});

test("its text says the same, but for the mark of our split", () => {
  for (const { name, end, state } of expected84) {
    const { stdout, stderr } = said(name, commands.text);
    if (name === "down-osaka") {
      assert.is(stderr.trim(), "hba: No such resource");
      continue;
    }
    const inText = name === "split-by-us-tokyo" ? "unknown primary" : state;
    assert.is(judge(parseStatusText, stdout, end), inText, name);
  }
});

test("8.4 knows no JSON, and no other form takes what it prints instead", () => {
  for (const { name, end } of expected84) {
    const { stdout } = said(name, commands.json);
    for (const parse of [parseStatusJson, parseEvents2, parseStatusText]) {
      assert.match(judge(parse, stdout, end), /^not understood/, name);
    }
  }
});

test("the JSON of DRBD 9", () => {
  const states = json9().map(({ name, text }) => [name, judge(parseStatusJson, text, "writer")]);
  assert.equal(Object.fromEntries(states), {
    down: "simplex none",
    "io-suspended": "unknown primary",
    "link-cut": "suspended-by-error primary",
    mixed: "mixed-group",
    "no-quorum": "suspended-by-error primary",
    paired: "paired primary",
    resync: "copying primary",
    secondary: "paired secondary",
    "split-by-hand": "unknown primary",
    "split-by-us": "suspended-by-operator primary",
  });
});

test("the backing disk, and only of a whole answer", () => {
  const { stdout } = said("paired-osaka", commands.show);
  assert.equal(backingDisk(stdout, "hba", 0), { kind: "volume", disk: "/dev/vda" });
  assert.equal(backingDisk(stdout, "hba", 1), { kind: "no-volume" });
  assert.equal(backingDisk(stdout, "hbb", 0), { kind: "no-volume" });
  assert.equal(backingDisk(said("down-osaka", commands.show).stdout, "hba", 0), {
    kind: "no-resource",
  });
  const random = seededRandom(4);
  for (let count = 0; count < 10_000; count++) {
    const text = damaged(stdout, random);
    const shown = backingDisk(text, "hba", 0);
    if (shown.kind === "volume" && shown.disk === "/dev/vda") assert.ok(text.includes("/dev/vda"));
  }
  for (let length = 1; length < stdout.trimEnd().length; length++) {
    assert.is.not(
      backingDisk(stdout.slice(0, length), "hba", 0).kind,
      "volume",
      `cut at ${length}`,
    );
  }
});

/** The cells that tell the state; a damage that leaves them alone may leave a paired pair. */
const cells = {
  text: /(?<=^|\s)(?:role|connection|disk|replication|peer-disk|suspended|resync-suspended):\S*/g,
  json: /"(?:role|peer-role|connection-state|disk-state|peer-disk-state|replication-state|resync-suspended|suspended|quorum)"\s*:\s*[^,\s]*/g,
};

function neverWronglyPaired(
  parse: Parse,
  bases: readonly string[],
  cell: RegExp,
  seed: number,
): Record<string, number> {
  const random = seededRandom(seed);
  const seen: Record<string, number> = {};
  const told = (text: string) => {
    const found = (text.match(cell) ?? []).map((each) => each.replaceAll(/\s/g, ""));
    return [...new Set(found)].sort().join(" ");
  };
  const facts = bases.map((text) => ({
    text,
    told: told(text),
    isPaired: judge(parse, text, "writer").startsWith("paired"),
  }));
  for (let count = 0; count < 10_000; count++) {
    const base = facts[count % facts.length] as (typeof facts)[number];
    const text = damaged(base.text, random);
    const found = judge(parse, text, "writer");
    const kind = found.split(/[ :]/)[0] as string;
    seen[kind] = (seen[kind] ?? 0) + 1;
    if (!found.startsWith("paired")) continue;
    const wrong = `${found} from a damaged text:\n${text}\nwhich was:\n${base.text}`;
    assert.ok(base.isPaired, wrong);
    assert.is(told(text), base.told, wrong);
  }
  return seen;
}

test("10000 damaged events: never paired unless they say so", () => {
  const bases = expected84.map(({ name }) => said(name, commands.events2).stdout);
  const seen = neverWronglyPaired(parseEvents2, bases, cells.text, 1);
  assert.ok((seen["not"] ?? 0) > 5000 && (seen["paired"] ?? 0) > 100, JSON.stringify(seen));
});

test("10000 damaged status texts: never paired unless they say so", () => {
  const bases = expected84.map(({ name }) => said(name, commands.text).stdout).filter(Boolean);
  const seen = neverWronglyPaired(parseStatusText, bases, cells.text, 2);
  assert.ok((seen["not"] ?? 0) > 5000 && (seen["paired"] ?? 0) > 100, JSON.stringify(seen));
});

test("10000 damaged JSON texts: never paired unless they say so", () => {
  const bases = json9().map(({ text }) => text);
  const seen = neverWronglyPaired(parseStatusJson, bases, cells.json, 3);
  assert.ok((seen["not"] ?? 0) > 5000 && (seen["paired"] ?? 0) > 100, JSON.stringify(seen));
});

test.run();
