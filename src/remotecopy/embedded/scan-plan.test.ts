import { test } from "uvu";
import * as assert from "uvu/assert";
import { regionBlocks, type Run, runBlocksMax, ScanPlan } from "./scan-plan.ts";

const blocksOf = (runs: readonly Run[]) =>
  runs.flatMap(({ first, count }) => Array.from({ length: count }, (_, index) => first + index));
const total = (runs: readonly Run[]) => runs.reduce((sum, run) => sum + run.count, 0);

test("a small volume is read whole, in one read", () => {
  const plan = new ScanPlan(256, 0);
  assert.equal(plan.next(0, false), [{ first: 0, count: 256 }]);
  assert.equal(plan.next(10, true), [{ first: 0, count: 256 }]);
});

test("all blocks come once, in order, in runs that fit a read; a last odd region too", () => {
  for (const blocks of [1, 15, 17, 255, 256, 257, 1000, 15_360]) {
    const runs = new ScanPlan(blocks, 0).all();
    assert.equal(
      blocksOf(runs),
      Array.from({ length: blocks }, (_, index) => index),
    );
    assert.ok(runs.every((run) => run.count <= runBlocksMax));
  }
});

test("what changed is read in every scan, for two minutes", () => {
  const plan = new ScanPlan(4096, 0);
  plan.note(1000, 0);
  for (const nowMs of [10, 1000, 119_000]) {
    assert.ok(blocksOf(plan.next(nowMs, true)).includes(1000));
  }
  assert.equal(plan.hot(), [{ first: 992, count: regionBlocks }]);
  plan.next(121_000, true);
  assert.equal(plan.hot(), []);
});

test("every block is read in a sweep, whatever is hot and however often it is scanned", () => {
  for (const blocks of [1000, 15_360]) {
    for (const everyMs of [1, 10, 100]) {
      const plan = new ScanPlan(blocks, 0);
      const seen = new Set<number>();
      for (let nowMs = 0; nowMs <= 2500; nowMs += everyMs) {
        for (let hot = 0; hot < 64; hot++) plan.note(hot * regionBlocks, nowMs);
        for (const number of blocksOf(plan.next(nowMs, false))) seen.add(number);
      }
      assert.is(seen.size, blocks, `${blocks} blocks every ${everyMs} ms`);
    }
  }
});

test("what one scan reads is bounded, after a long pause and with changes everywhere", () => {
  const plan = new ScanPlan(65_536, 0);
  for (let number = 0; number < 65_536; number += regionBlocks) plan.note(number, 0);
  assert.ok(total(plan.next(0, false)) <= 64 * regionBlocks);
  assert.ok(total(plan.next(100_000, false)) <= 128 * regionBlocks);
});

test("quiet, the sweep is slower", () => {
  const readIn = (isQuiet: boolean) => {
    const plan = new ScanPlan(4096, 0);
    let blocks = 0;
    for (let nowMs = 100; nowMs <= 1000; nowMs += 100) blocks += total(plan.next(nowMs, isQuiet));
    return blocks;
  };
  assert.ok(readIn(false) >= 4096 - regionBlocks);
  assert.ok(readIn(true) <= 4096 / 4);
});

test.run();
