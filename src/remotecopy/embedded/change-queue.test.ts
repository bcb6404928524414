import * as fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { ChangeQueue, type ChangeSet, setsMax } from "./change-queue.ts";

const setOf = (scannedMs: number, ...blocks: readonly number[]): ChangeSet => ({
  scannedMs,
  blocks: new Map(blocks.map((number) => [number, Buffer.from(`${number}@${scannedMs}`)])),
});

/** Applies what is due, and tells the states that a reader could meet. */
function takeDue(queue: ChangeQueue, nowMs: number, lagMs: number, volume: Map<number, string>) {
  for (let set = queue.due(nowMs, lagMs); set; set = queue.due(nowMs, lagMs)) {
    for (const [number, content] of set.blocks) volume.set(number, content.toString());
    set.blocks.clear();
    queue.shift();
  }
}

test("a set is due when it is as old as the lag, in order", () => {
  const queue = new ChangeQueue(100);
  queue.push(setOf(10, 1));
  queue.push(setOf(20, 2));
  assert.is(queue.blocks, 2);
  assert.is(queue.due(59, 50), null);
  assert.is(queue.dueMs(50), 60);
  assert.is(queue.due(60, 50)?.scannedMs, 10);
  assert.is(queue.due(60, 51), null);
  takeDue(queue, 60, 50, new Map());
  assert.is(queue.dueMs(50), 70);
  takeDue(queue, 1000, 50, new Map());
  assert.is(queue.dueMs(50), Infinity);
  assert.is(queue.coalescedSets, 0);
});

test("a full queue joins neighbours: newest content, older age, ascending blocks", () => {
  const queue = new ChangeQueue(4);
  queue.push(setOf(1, 5, 6));
  queue.push(setOf(2, 2, 6));
  queue.push(setOf(3, 9));
  assert.is(queue.coalescedSets, 1);
  const joined = queue.due(1, 0);
  assert.equal(
    [...(joined?.blocks ?? [])].map(([n, content]) => [n, content.toString()]),
    [
      [2, "2@2"],
      [5, "5@1"],
      [6, "6@2"],
    ],
  );
  joined?.blocks.clear();
  queue.shift();
  assert.is(queue.due(3, 0)?.scannedMs, 3);
});

test("it is bounded in sets, and in blocks down to one set", () => {
  const queue = new ChangeQueue(1_000_000);
  for (let at = 0; at < 3 * setsMax; at++) queue.push(setOf(at, at % 7));
  assert.ok(queue.waitingSets <= setsMax);
  const tight = new ChangeQueue(2);
  for (let at = 0; at < 100; at++) tight.push(setOf(at, at % 5));
  assert.ok(tight.blocks <= 5);
  assert.ok(tight.coalescedSets > 0);
});

test("whatever is pushed and taken: order kept, nothing lost, nothing invented", () => {
  const push = fc.record({ blocks: fc.uniqueArray(fc.nat(9), { minLength: 1, maxLength: 4 }) });
  fc.assert(
    fc.property(
      fc.array(push, { maxLength: 60 }),
      fc.nat(30),
      fc.integer({ min: 1, max: 12 }),
      (pushes, lagMs, blocksMax) => {
        const queue = new ChangeQueue(blocksMax);
        const source = new Map<number, string>();
        const target = new Map<number, string>();
        const seenMs = new Map<number, number>();
        pushes.forEach(({ blocks }, at) => {
          const set = setOf(at, ...[...blocks].sort((a, b) => a - b));
          for (const [number, content] of set.blocks) source.set(number, content.toString());
          queue.push(set);
          takeDue(queue, at, lagMs, target);
          for (const [number, content] of target) {
            const ms = Number(content.split("@")[1]);
            assert.ok(ms >= (seenMs.get(number) ?? 0), "a block never goes back");
            seenMs.set(number, ms);
          }
        });
        takeDue(queue, Infinity, lagMs, target);
        assert.equal(new Map([...target].sort()), new Map([...source].sort()));
        assert.is(queue.blocks, 0);
      },
    ),
  );
});

test.run();
