// test-limit-seconds: 120
/** Figures of drills: found and taken over within the printed bounds; what makes false alarms. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Config } from "../core/base/config.ts";
import { takeoverBoundMs } from "../core/base/lease-timing.ts";
import { detectionBoundMs } from "../core/base/timing.ts";
import { ownSetup, runHistory } from "./campaign.ts";
import { drillOf } from "./drill.ts";
import { type Figures, figuresTogether, noFigures } from "./measure.ts";
import { addOne, countOf, quantileOf } from "./quantiles.ts";
import { setupNamed } from "./setups.ts";

function configOf(name: string): Config {
  const setup = setupNamed(name);
  if (!setup) throw new Error(`no set-up ${name}`);
  return setup.config;
}

async function drilled(config: Config, latenciesMs: readonly number[] | null): Promise<Figures> {
  let figures = noFigures;
  for (const seed of [1, 3]) {
    const scenario = drillOf(config, ownSetup, seed);
    const result = await runHistory(scenario, config, {
      latenciesMs,
      measures: true,
      checkers: [],
    });
    figures = figuresTogether(figures, result.figures ?? noFigures);
  }
  return figures;
}

test("under a lease: found and taken over within the bounds, nothing alarmed of in peace", async () => {
  const config = configOf("pair");
  const { foundMs, decidedMs, servedMs, missed, quietMs, alarms } = await drilled(config, null);
  assert.equal([countOf(foundMs), countOf(decidedMs), countOf(servedMs), missed], [4, 2, 2, 0]);
  const mostMs = (counted: Readonly<Record<string, number>>) => quantileOf(counted, 1) ?? 0;
  assert.ok(mostMs(foundMs) > 0 && mostMs(foundMs) <= detectionBoundMs(config.timing, 0));
  assert.ok(mostMs(decidedMs) <= takeoverBoundMs(config.timing));
  assert.ok(mostMs(decidedMs) >= config.timing.takeoverWaitMs / 1.02, "it is waited for");
  assert.ok(mostMs(servedMs) >= mostMs(decidedMs));
  assert.ok(quietMs > 2 * 1_800_000, "the quiet before, and after");
  assert.equal(alarms, { path: 0, verdict: 0, dead: 0, takeover: 0, stop: 0 });
});

test("with an operator nothing is taken over by itself", async () => {
  const figures = await drilled(configOf("pair-operator"), null);
  assert.ok(countOf(figures.foundMs) > 0);
  assert.equal([countOf(figures.decidedMs), countOf(figures.servedMs)], [0, 0]);
});

test("a link that is slower than the margin makes false alarms, and they are counted", async () => {
  const latenciesMs = Array.from({ length: 400 }, (_, at) => (at === 200 ? 30_000 : 20));
  const { alarms, quietMs } = await drilled(configOf("pair"), latenciesMs);
  assert.ok(quietMs > 0);
  assert.ok(alarms.path > 0);
  assert.ok(alarms.verdict > 0, "the network is well: the mirror is spoken of");
  assert.is(alarms.takeover, 0);
});

test("quantiles: the smallest value that so large a part is not above", () => {
  const counted: Record<string, number> = {};
  for (let ms = 1; ms <= 100; ms++) addOne(counted, ms);
  assert.equal(
    [0.5, 0.95, 1].map((part) => quantileOf(counted, part)),
    [50, 95, 100],
  );
  assert.is(quantileOf({}, 0.5), null);
});

test.run();
