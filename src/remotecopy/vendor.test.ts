// test-limit-seconds: 120
/** The provider with a library that fails in each way a library can. */
import { existsSync, writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Change, PairAnswer, PairProvider } from "./provider.ts";
import { twoFiles, type TwoFiles, vendorEnd } from "./vendor/testing/bench.ts";
import type { VendorSession } from "./vendor/session.ts";

/** To start the library's process on a busy machine. */
const startLimitMs = 20_000;
const hangLimitMs = 1500;
const endLimitMs = 10_000;

type Bench = TwoFiles & { readonly provider: PairProvider; readonly session: VendorSession };

async function withBench(body: (bench: Bench) => Promise<void>, library?: string): Promise<void> {
  const two = twoFiles("vendor");
  const { provider, session } = vendorEnd(two, "writer", library);
  assert.ok(session);
  try {
    await body({ ...two, provider, session });
  } finally {
    two.end();
  }
}

const isAlive = (pid: number): boolean => existsSync(`/proc/${pid}`);

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const endMs = performance.now() + endLimitMs;
  while (!(await holds())) {
    if (performance.now() > endMs) throw new Error(`not within ${endLimitMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const classOf = (answer: PairAnswer): string => (answer.ok ? answer.local.state : answer.class);

/** Asks until its process, which is started again at a distance, answers. */
async function known(provider: PairProvider): Promise<Extract<PairAnswer, { ok: true }>> {
  let answer: PairAnswer | null = null;
  await until("an answer", async () => {
    answer = await provider.query("local", startLimitMs);
    return answer.ok;
  });
  return answer as unknown as Extract<PairAnswer, { ok: true }>;
}

async function pidOf({ provider, session }: Bench): Promise<number> {
  await known(provider);
  assert.ok(session.pid);
  return session.pid ?? 0;
}

for (const [word, classes] of [
  ["crash", ["daemon-down"]],
  ["garbage", ["unparseable"]],
  ["unterminated", ["unparseable"]],
  ["overrun", ["unparseable"]],
  ["lie", ["unknown"]],
] as const) {
  test(`a library that does "${word}": ${classes.join(" or ")}, then works again`, () =>
    withBench(async (bench) => {
      const { provider, fault } = bench;
      const pid = await pidOf(bench);
      const undo = await fault(word)();
      assert.ok(classes.includes(classOf(await provider.query("local", startLimitMs)) as never));
      if (word === "crash" || word === "overrun") {
        await until("its process is gone", () => !isAlive(pid));
      }
      await undo();
      assert.is((await known(provider)).local.state, "simplex");
    }));
}

test("a crash is told with the signal and the library's last words", () =>
  withBench(async (bench) => {
    await pidOf(bench);
    await bench.fault("crash")();
    const answer = await bench.provider.query("local", startLimitMs);
    assert.match(answer.ok ? "" : answer.message, /died of SIGSEGV; it said: sample: about to/);
    const again = await bench.provider.query("local", startLimitMs);
    assert.match(answer.ok ? "" : classOf(again), /daemon-down/);
  }));

test("a library that hangs: timed out and killed, while this event loop goes on", () =>
  withBench(async (bench) => {
    const { provider, fault } = bench;
    const pid = await pidOf(bench);
    await fault("hang")();
    let lastMs = performance.now();
    let longestMs = 0;
    const tick = setInterval(() => {
      longestMs = Math.max(longestMs, performance.now() - lastMs);
      lastMs = performance.now();
    }, 5);
    const beganMs = performance.now();
    assert.is(classOf(await provider.query("local", hangLimitMs)), "timeout");
    const tookMs = performance.now() - beganMs;
    clearInterval(tick);
    assert.ok(tookMs > hangLimitMs - 50 && tookMs < hangLimitMs + 2500, `${tookMs} ms`);
    assert.ok(longestMs < hangLimitMs / 2, `the event loop stood for ${longestMs} ms`);
    await until("its process is gone", () => !isAlive(pid));
  }));

test("a library that answers late is cut off as one that hangs", () =>
  withBench(async (bench) => {
    await pidOf(bench);
    await bench.fault("late")();
    assert.is(classOf(await bench.provider.query("local", hangLimitMs)), "timeout");
  }));

test("a library that prints, even what looks like an answer, disturbs nothing", () =>
  withBench(async ({ provider, fault }) => {
    await fault("noisy")();
    for (let index = 0; index < 50; index++) {
      assert.is((await known(provider)).local.state, "simplex");
    }
  }));

test("a change that hangs or crashes is cut short; one that is refused was not begun", () =>
  withBench(async (bench) => {
    const { provider, fault } = bench;
    const before = await known(provider);
    const create: Change = { verb: "create", before, force: false };
    const refused = await provider.perform({ ...create, verb: "split" }, startLimitMs);
    assert.is(refused.kind, "not-begun");
    const undo = await fault("crash-after-effect")();
    assert.is((await provider.perform(create, startLimitMs)).kind, "cut-short");
    await undo();
    assert.is((await known(provider)).local.state, "paired");
    await fault("hang")();
    assert.is(
      (await provider.perform({ ...create, verb: "split" }, hangLimitMs)).kind,
      "cut-short",
    );
    // Its process is not yet back: nothing can be sent.
    assert.is((await provider.perform(create, 50)).kind, "not-begun");
  }));

test("calls that wait for another one end in their own time", () =>
  withBench(async (bench) => {
    await pidOf(bench);
    await bench.fault("hang")();
    const first = bench.provider.query("local", 4 * hangLimitMs);
    const beganMs = performance.now();
    const many = Array.from({ length: 12 }, () => bench.provider.query("local", 300));
    for (const answer of await Promise.all(many)) assert.is(classOf(answer), "timeout");
    assert.ok(performance.now() - beganMs < 3 * hangLimitMs, "none waited for the first");
    assert.is(classOf(await first), "timeout");
  }));

test("what cannot be loaded is told as a fault of the settings", async () => {
  for (const [library, wanted] of [
    ["/nonexistent/library.so", /nonexistent/],
    [path.resolve("package.json"), /package\.json/],
    [path.resolve(".build/native/libmirrorbeat.so"), /it has no mbv_about/],
  ] as const) {
    await withBench(async ({ provider }) => {
      const answer = await provider.query("local", startLimitMs);
      assert.is(classOf(answer), "config", answer.ok ? "" : answer.message);
      assert.match(answer.ok ? "" : answer.message, wanted);
      assert.match(answer.ok ? "" : answer.message, /^[\x20-\x7e]+$/);
    }, library);
  }
});

test("settings that the library refuses are its words", async () => {
  const two = twoFiles("vendor");
  const { provider } = vendorEnd({ ...two, state: ";state" }, "writer");
  const answer = await provider.query("local", startLimitMs);
  assert.is(classOf(answer), "config");
  assert.match(answer.ok ? "" : answer.message, /state=\/path is missing/);
  two.end();
});

test("a state file of other words is no state", () =>
  withBench(async ({ provider, state }) => {
    for (const words of ["paired paired", "paired pair writer", "paired paired nobody", ""]) {
      writeFileSync(state, words);
      assert.is(classOf(await provider.query("local", startLimitMs)), "unparseable", words);
    }
  }));

test.run();
