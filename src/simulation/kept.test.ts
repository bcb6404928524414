// test-limit-seconds: 240
/**
 * Histories that once found a fault, run again for ever: none of them may find one now. And the
 * files that they are kept in.
 */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { configOf, runHistory } from "./campaign.ts";
import { type Kept, keptText, parseKept } from "./kept.ts";

const folder = "fixtures/simulation/seeds";
const files = readdirSync(folder)
  .filter((name) => name.endsWith(".json"))
  .sort();

function read(name: string): Kept {
  const file = path.join(folder, name);
  const parsed = parseKept(readFileSync(file, "utf8"), file, null);
  if (!parsed.ok) throw new Error(parsed.message);
  return parsed.kept;
}

for (const name of files) {
  test(`${name}: what it found is mended`, async () => {
    const { comment, scenario } = read(name);
    assert.ok(comment.length > 20, "it says what it found");
    const config = configOf(scenario, null);
    if (!config) throw new Error(`no set-up ${scenario.setup}`);
    const { violations } = await runHistory(scenario, config);
    assert.equal(violations, [], `mirrorbeat simulate --scenario ${folder}/${name} --trace`);
  });
}

const kept: Kept = {
  comment: 'said "why"',
  scenario: {
    setup: "pair",
    seed: 77,
    rates: { "tokyo-1": 1.001 },
    steps: [
      { atMs: 0, forMs: 2500, fault: "way-cut", target: "tokyo>osaka" },
      { atMs: 10.5, forMs: null, fault: "agent-kill", target: "osaka-1" },
    ],
    runMs: 20_000,
  },
};

test("a file is read back as it was written, one step a line", () => {
  const text = keptText(kept);
  assert.equal(parseKept(text, "it.json", null), { ok: true, kept });
  assert.is(text.split("\n").filter((line) => line.includes('"fault"')).length, 2);
  const none = { ...kept, scenario: { ...kept.scenario, steps: [] } };
  assert.equal(parseKept(keptText(none), "it.json", null), { ok: true, kept: none });
});

test("a bad file is told in one line: field, value, remedy", () => {
  const told = (change: object): string => {
    const text = JSON.stringify({ ...kept.scenario, comment: "", ...change });
    const parsed = parseKept(text, "it.json", null);
    assert.not(parsed.ok);
    return parsed.ok ? "" : parsed.message;
  };
  const step = { atMs: 0, forMs: 1, fault: "way-cut", target: "tokyo>osaka" };
  assert.match(
    told({ setup: "pears" }),
    /^it\.json: setup: "pears": no such set-up; set-ups: pair,/,
  );
  assert.match(told({ setup: "own" }), /needs --config FILE/);
  assert.match(told({ seed: -1 }), /^it\.json: seed: -1: give a whole number/);
  assert.match(told({ runMs: "long" }), /runMs: "long": give milliseconds/);
  assert.match(told({ rates: { a: 1 } }), /rates: "a": no such host; hosts: tokyo-1, osaka-1/);
  assert.match(told({ rates: { "tokyo-1": 9 } }), /rates\.tokyo-1: 9/);
  assert.match(told({ steps: {} }), /steps: "object"/);
  assert.match(told({ steps: [3] }), /steps\[0\]: 3: give atMs, forMs, fault, target/);
  assert.match(
    told({ steps: [{ ...step, fault: "rain" }] }),
    /steps\[0\]\.fault: "rain": no such fault/,
  );
  assert.match(
    told({ steps: [{ ...step, target: "east" }] }),
    /no target of way-cut; targets: tokyo>osaka/,
  );
  assert.match(told({ steps: [step, { ...step, atMs: -5 }] }), /steps\[1\]\.atMs: -5/);
  const broken = parseKept("{", "it.json", null);
  assert.ok(!broken.ok && /^it\.json: no JSON: [\x20-\x7e]*$/.test(broken.message));
});

test.run();
