import { test } from "uvu";
import * as assert from "uvu/assert";
import { Memory } from "./memory.ts";

test("takes the first fit and joins what comes back", () => {
  const memory = new Memory(1000, 100);
  assert.is(memory.take(10, 1), 1000);
  assert.is(memory.take(10, 1), 1010);
  assert.is(memory.take(80, 1), 1020);
  assert.is(memory.take(1, 1), null);
  memory.give(1000, 10);
  memory.give(1020, 80);
  assert.is(memory.take(11, 1), 1020);
  memory.give(1020, 11);
  memory.give(1010, 10); // joins both sides
  assert.is(memory.take(100, 1), 1000);
});

test("keeps to the boundary and loses nothing around it", () => {
  const memory = new Memory(4096, 4 * 4096);
  assert.is(memory.take(4096, 8192), 8192);
  assert.is(memory.freeBytes, 3 * 4096);
  assert.is(memory.take(4096, 4096), 4096);
  assert.is(memory.take(2 * 4096, 4096), 12288);
  assert.is(memory.freeBytes, 0);
});

test("giving back twice is a bug, not an event", () => {
  const memory = new Memory(0, 100);
  memory.take(50, 1);
  memory.give(0, 50);
  assert.throws(() => memory.give(0, 50), /given back once/);
});

test.run();
