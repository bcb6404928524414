/** Absolute deadlines: no drift, no catching up, one-time tasks, and an end. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { runSchedule } from "./schedule.ts";

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const real = (): number => Number(process.hrtime.bigint()) / 1e6;

test("a task that takes its time does not shift its own deadlines", async () => {
  const startMs = real();
  const at: number[] = [];
  const schedule = runSchedule(real, [
    {
      periodMs: 20,
      run: () => {
        at.push(real() - startMs);
        for (const end = real() + 7; real() < end; );
      },
    },
  ]);
  await pause(600);
  schedule.stop();
  assert.ok(at.length >= 15, `${at.length} runs`);
  // Late by whatever the machine is late, but never by what has gone before.
  const phases = at.slice(1).map((ms) => ms - 20 * Math.round((ms - 5) / 20));
  const median = [...phases].sort((a, b) => a - b)[phases.length >> 1] ?? 99;
  assert.ok(median < 8, `median lateness ${median} ms`);
});

test("missed periods are skipped, not made up for; the phase stays", async () => {
  let now = 1000;
  const ran: number[] = [];
  const schedule = runSchedule(() => now, [{ periodMs: 100, run: () => ran.push(now) }]);
  const until = async (count: number): Promise<void> => {
    for (const end = real() + 5000; ran.length < count; await pause(1))
      assert.ok(real() < end, `${ran}`);
  };
  await until(1);
  now = 1555; // five periods gone in one gap
  await until(2);
  await pause(30);
  assert.equal(ran, [1000, 1555], "once for the gap");
  now = 1600;
  await until(3);
  schedule.stop();
  assert.equal(ran, [1000, 1555, 1600], "and then at its own time again");
});

test("a clock that jumps far ahead costs one run", async () => {
  let now = 0;
  let runs = 0;
  const schedule = runSchedule(() => now, [{ periodMs: 50, run: () => runs++ }]);
  await pause(20);
  now = 86_400_000;
  for (const end = real() + 5000; runs < 2; await pause(1)) assert.ok(real() < end);
  await pause(30);
  schedule.stop();
  assert.is(runs, 2);
});

test("the first round runs at once, before any period", async () => {
  let runs = 0;
  const schedule = runSchedule(real, [{ periodMs: 60_000, run: () => runs++ }]);
  assert.is(runs, 0, "not within the call");
  await pause(20);
  schedule.stop();
  assert.is(runs, 1);
});

test("once: the earlier moment under a name wins, each runs once", async () => {
  const began = real();
  const ran: string[] = [];
  const schedule = runSchedule(real, [{ periodMs: 60_000, run: () => undefined }]);
  await pause(5);
  schedule.once("x", began + 80, () => ran.push("late"));
  schedule.once("x", began + 40, () => ran.push("early"));
  schedule.once("x", began + 60, () => ran.push("refused"));
  schedule.once("y", began - 10, () => ran.push("past"));
  await pause(200);
  assert.equal(ran, ["past", "early"]);
  schedule.once("x", real() + 5, () => ran.push("again"));
  await pause(60);
  schedule.stop();
  assert.equal(ran, ["past", "early", "again"]);
});

test("after stop nothing runs, not even what was due in this round", async () => {
  const ran: string[] = [];
  const schedule = runSchedule(real, [
    { periodMs: 10, run: () => (ran.push("one"), schedule.stop()) },
    { periodMs: 10, run: () => ran.push("two") },
  ]);
  schedule.once("late", real() + 20, () => ran.push("late"));
  await pause(100);
  assert.equal(ran, ["one"]);
});

test.run();
