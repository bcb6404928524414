// test-limit-seconds: 240
// test-alone
/**
 * A budget of seeds without a violation: as many as fit into its time, or MIRRORBEAT_SEEDS of them.
 * One that fails here fails everywhere: `mirrorbeat simulate --seeds N..N --trace` replays it.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { everything, historyOf, type Result, runHistory, runSeed, Tally } from "./campaign.ts";
import { setupNamed } from "./setups.ts";

const budgetMs = 45_000;
/** Below these nothing is seen, however slow the machine is. */
const seedsMin = 12;
const wanted = Number(process.env["MIRRORBEAT_SEEDS"] ?? 0);
const onlyOperator = { ...everything, setups: ["pair-operator"] };

test("seeds, one after the other: no promise is broken", async () => {
  const tally = new Tally(everything);
  const startMs = performance.now();
  const isEnough = (seeds: number): boolean =>
    wanted > 0 ? seeds >= wanted : seeds >= seedsMin && performance.now() - startMs > budgetMs;
  for (let seed = 1; !isEnough(tally.seeds); seed++) {
    const result = await runSeed(seed, everything);
    tally.add(result);
    assert.equal(result.violations, [], `mirrorbeat simulate --seeds ${seed}..${seed} --trace`);
  }
  const rate = tally.virtualMs / (performance.now() - startMs);
  console.log(`${tally.seeds} seeds, ${rate.toFixed(0)} times real time, ${tally.traceHash}`);
});

test("the same seed comes to the same end, whatever ran before it", async () => {
  const first = await runSeed(901, onlyOperator);
  await runSeed(902, onlyOperator);
  assert.equal(await runSeed(901, onlyOperator), first);
  assert.is.not((await runSeed(903, onlyOperator)).traceHash, first.traceHash);
});

test("a result is plain data: it can come from another process", async () => {
  const result = await runSeed(901, onlyOperator);
  assert.equal(JSON.parse(JSON.stringify(result)), result);
});

test("what is drawn is what was asked for", () => {
  const wish = { ...everything, setups: ["four", "pair"], faults: [["way-cut", 1]] as const };
  for (let seed = 1; seed <= 20; seed++) {
    const { setup, steps } = historyOf(seed, wish);
    assert.ok(["four", "pair"].includes(setup));
    assert.ok(steps.length > 0);
    assert.ok(steps.every(({ fault }) => fault === "way-cut"));
  }
});

test("of one's own configuration every other seed is a drill", () => {
  const own = setupNamed("pair")?.config ?? null;
  const wish = { ...everything, own };
  assert.equal(historyOf(1, wish).setup, "own");
  assert.equal(new Set(historyOf(1, wish).steps.map(({ fault }) => fault)), new Set(["power-cut"]));
  assert.is.not(historyOf(2, wish).steps.length, historyOf(1, wish).steps.length);
});

test("a sum depends on the order of the seeds alone, and on each of them", () => {
  const of = (seed: number, traceHash: string): Result => ({
    seed, setup: "pair", virtualMs: 10, traceHash, violations: [], figures: null,
    coverage: new Tally(everything).coverage,
  }); // biome-ignore format: one record
  const hashOf = (...results: readonly Result[]): string => {
    const tally = new Tally(everything);
    for (const result of results) tally.add(result);
    return tally.traceHash;
  };
  assert.is(hashOf(of(1, "a"), of(2, "b")), hashOf(of(1, "a"), of(2, "b")));
  assert.is.not(hashOf(of(1, "a"), of(2, "b")), hashOf(of(1, "a"), of(2, "c")));
});

test("what is thrown, and what is rejected unheard, is a violation", async () => {
  const scenario = { setup: "pair", seed: 1, rates: {}, steps: [], runMs: 1000 };
  const config = setupNamed("pair")?.config;
  if (!config) throw new Error("no set-up");
  let isFirst = true;
  const thrown = await runHistory(scenario, config, {
    watch: () => (watched) => {
      if (watched.kind === "service" && isFirst) {
        isFirst = false;
        throw new Error("assertion failed: on purpose");
      }
    },
  });
  const rejected = await runHistory(scenario, config, {
    watch: () => (watched) => {
      if (watched.kind === "service") void Promise.reject(new Error("unheard, on purpose"));
    },
  });
  for (const { violations } of [thrown, rejected]) {
    assert.is(violations[0]?.checker, "no-crash");
    assert.match(violations[0]?.text ?? "", /on purpose/);
  }
});

test.run();
