/** Shrinking, on histories whose failing is a rule that is known. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Scenario, ScenarioStep } from "./scenario.ts";
import { type ShrinkOptions, shrink } from "./shrink.ts";

const warmUpMs = 1000;
const step = (atMs: number, forMs: number | null, fault: string, target: string): ScenarioStep => ({
  atMs,
  forMs,
  fault,
  target,
});

/** Many steps, of which two do it. */
function history(): Scenario {
  const noise = Array.from({ length: 60 }, (_, at) =>
    step(1000 * at + 17, 5003, at % 2 === 0 ? "way-cut" : "agent-kill", "tokyo-1"),
  );
  const culprits = [
    step(20_123, 9000, "link-cut", "east"),
    step(21_456, 7000, "power-cut", "osaka-1"),
  ];
  const steps = [...noise, ...culprits].sort((a, b) => a.atMs - b.atMs);
  return { setup: "pair", seed: 5, rates: { "tokyo-1": 1.01 }, steps, runMs: 100_000 };
}

type Fails = (scenario: Scenario) => boolean;
const violation = { checker: "two-active", atMs: warmUpMs + 30_000, text: "both write" };

function options(fails: Fails, more: Partial<ShrinkOptions> = {}): ShrinkOptions {
  const violationOf = (scenario: Scenario) => Promise.resolve(fails(scenario) ? violation : null);
  return { violationOf, warmUpMs, ...more };
}

/** A link is cut while, and a machine is dead for at least a second of that. */
const bothAtOnce: Fails = ({ steps, runMs }) =>
  steps.some(
    (link) =>
      link.fault === "link-cut" &&
      steps.some(
        ({ fault, atMs, forMs }) =>
          fault === "power-cut" &&
          atMs >= link.atMs &&
          atMs + 1000 <= link.atMs + (link.forMs ?? 0) &&
          (forMs ?? 0) >= 1000 &&
          runMs > atMs,
      ),
  );

test("only the two steps that do it are left, short, early and round", async () => {
  assert.ok(bothAtOnce(history()));
  const { scenario, runs } = await shrink(history(), violation, options(bothAtOnce));
  assert.ok(bothAtOnce(scenario));
  assert.equal(
    scenario.steps.map(({ fault }) => fault),
    ["link-cut", "power-cut"],
  );
  assert.equal(scenario.rates, {}, "clocks are true");
  assert.is(scenario.steps[0]?.atMs, 0, "the quiet before is cut off");
  const [link, power] = scenario.steps;
  assert.ok((power?.forMs ?? 0) < 2000, "spans are halved while it fails");
  assert.ok((link?.forMs ?? 0) < 9000);
  assert.ok(scenario.runMs < 20_000);
  assert.ok(runs < 400, `${runs} runs`);
});

test("a clock's rate that matters stays, and only that", async () => {
  const fails: Fails = ({ rates }) => rates["osaka-1"] !== undefined;
  const first = { ...history(), rates: { "tokyo-1": 1.01, "osaka-1": 0.99 } };
  const { scenario } = await shrink(first, violation, options(fails));
  assert.equal(scenario.rates, { "osaka-1": 0.99 });
  assert.is(scenario.steps.length, 0);
});

test("fewer kinds: one kind takes the place of another that does the same", async () => {
  const dies = ({ fault }: ScenarioStep) => fault === "agent-kill" || fault === "power-cut";
  const fails: Fails = ({ steps }) => steps.filter(dies).length >= 2;
  const steps = [step(100, 1000, "agent-kill", "tokyo-1"), step(200, 1000, "power-cut", "osaka-1")];
  const { scenario } = await shrink({ ...history(), steps }, violation, options(fails));
  assert.is(new Set(scenario.steps.map(({ fault }) => fault)).size, 1);
});

test("it ends within its runs, and when it is told to", async () => {
  const bounded = await shrink(history(), violation, options(bothAtOnce, { runsMax: 7 }));
  assert.is(bounded.runs, 7);
  assert.ok(bothAtOnce(bounded.scenario), "what is left still fails");
  const ended = await shrink(history(), violation, options(bothAtOnce, { isOver: () => true }));
  assert.equal([ended.runs, ended.scenario.steps.length], [0, history().steps.length]);
});

test("each step that is left draws as it drew before", async () => {
  const { scenario } = await shrink(history(), violation, options(bothAtOnce));
  for (const { draw, fault } of scenario.steps) {
    assert.is(history().steps[draw ?? -1]?.fault, fault);
  }
});

test("no step is moved past the end of the run", async () => {
  const { scenario } = await shrink(history(), violation, options(bothAtOnce));
  for (const { atMs } of scenario.steps) assert.ok(atMs < scenario.runMs);
});

test.run();
