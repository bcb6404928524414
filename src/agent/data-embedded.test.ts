// test-limit-seconds: 90
/** Data groups on the embedded copy: a real copier, plain files or loop devices, real roles. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { DataGroupConfig } from "../core/base/config.ts";
import { realClock } from "../host/clock.ts";
import {
  childWord,
  copyChild,
  makeBench,
  makeLoopBench,
} from "../remotecopy/embedded/testing/conformance.ts";
import type { BenchMade, ConformanceBench } from "../remotecopy/testing/conformance-bench.ts";
import {
  freshBlock,
  makePaired,
  reachData,
  reachState,
} from "../remotecopy/testing/conformance-tools.ts";
import { blockIo, dataAgent, dataConfig } from "../testing/agent-data.ts";
import { dataTools } from "./data-pairs.ts";

const block = 3;

/** Both sites' agents, each with its end of the bench's pair. */
function sites(bench: ConformanceBench) {
  const none = { provider: "none" } as const;
  const group: DataGroupConfig = {
    name: "orders", id: 1, writer: "tokyo", reader: "osaka", pvol: "/p", svol: "/s", pair: none,
  }; // biome-ignore format: a group
  const agentAt = (host: "tokyo-1" | "osaka-1") => {
    const pair = bench.ends[host === "tokyo-1" ? "writer" : "reader"];
    const io = blockIo();
    const found = {
      ok: true,
      pair: { name: group.name, device: pair.expected ?? "", pair },
    } as const;
    const tools = dataTools(
      io,
      realClock.nowMs,
      () => io.clocks().boottimeNs,
      () => Promise.resolve(found),
    );
    return dataAgent(dataConfig([group], host), tools);
  };
  return { tokyo: agentAt("tokyo-1"), osaka: agentAt("osaka-1") };
}

async function onBench(
  make: () => Promise<BenchMade>,
  body: (bench: ConformanceBench) => Promise<void>,
) {
  const made = await make();
  if (!made.ok) return void console.log(`skipped: data on loop devices: ${made.reason}`);
  const { bench } = made;
  try {
    await makePaired(bench);
    await body(bench);
  } finally {
    await bench.reset();
    await bench.end();
  }
}

async function thereAndBack(bench: ConformanceBench): Promise<void> {
  const { tokyo, osaka } = sites(bench);
  assert.equal(
    (await tokyo.poll()).map(({ state, role }) => [state, role]),
    [["paired", "primary"]],
  );
  assert.equal(
    (await osaka.poll()).map(({ state, role }) => [state, role]),
    [["paired", "secondary"]],
  );
  const last = freshBlock();
  await bench.data?.write("writer", block, last);
  const checked = await tokyo.check();
  assert.is(checked.ok, true, checked.detail);
  assert.ok((await bench.data?.read("reader", block))?.equals(last), "in sync: all has arrived");
  assert.is((await osaka.check()).ok, false);
  const planned = await osaka.take("swap");
  assert.is(planned.ok, true, planned.detail);
  assert.match(planned.detail, /data group orders swapped: paired, primary/);
  assert.is((await tokyo.poll())[0]?.role, "secondary");
  const newer = freshBlock();
  await bench.data?.write("reader", block, newer);
  await reachData(bench, "writer", block, newer);
  const back = await tokyo.take("swap");
  assert.is(back.ok, true, back.detail);

  // Production's copier is cut off: the failure, taken over, and given twice.
  const heal = await bench.faults.cutLink?.();
  const kept = freshBlock();
  await bench.data?.write("writer", block, kept);
  await reachState(bench, "reader", "suspended-by-error");
  assert.is((await osaka.poll())[0]?.state, "suspended");
  assert.is((await osaka.take("swap")).ok, false, "not whole: no switch-over");
  for (const wanted of [/taken over.*: takeover, secondary/, /this site's already/]) {
    const taken = await osaka.take("takeover");
    assert.is(taken.ok, true, taken.detail);
    assert.match(taken.detail, wanted);
  }
  const there = await tokyo.take("takeover");
  assert.is(there.ok, false, "the newer data is at the other site");
  assert.match(there.detail, /the other site took its volume over/);
  assert.ok((await bench.data?.read("reader", block))?.equals(newer), "nothing was written here");
  await heal?.();

  // Fail-back: copied back first, then switched over as planned.
  assert.is((await osaka.check()).ok, false);
  const mended = await osaka.check(true);
  assert.is(mended.ok, true, mended.detail);
  assert.ok((await bench.data?.read("writer", block))?.equals(newer));
  const home = await tokyo.take("swap");
  assert.is(home.ok, true, home.detail);
  assert.is((await osaka.poll())[0]?.role, "secondary");
}

async function copierDead(bench: ConformanceBench): Promise<void> {
  const { osaka } = sites(bench);
  for (const fault of [bench.faults.dead, bench.faults.hang] as const) {
    const heal = await fault?.();
    assert.is((await osaka.poll())[0]?.state, "unknown");
    const { ok, detail } = await osaka.take("takeover");
    assert.is(ok, false, detail);
    assert.match(detail, /^taken: none; not taken: orders; data group orders: /);
    await heal?.();
  }
  const { ok, detail } = await osaka.take("takeover");
  assert.is(ok, true, detail);
}

if (process.argv[2] === childWord) {
  void copyChild(process.argv.slice(3));
} else {
  test("plain files: switched over, taken over, failed back", () =>
    onBench(makeBench, thereAndBack));
  test("loop devices: the same", () => onBench(makeLoopBench, thereAndBack));
  test("a copier that is dead or hangs", () => onBench(makeBench, copierDead));
  test.run();
}
