// test-limit-seconds: 120
/** The engine on plain files, and on loop devices of both sector sizes. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { needProgram, needRoot, testWhere } from "../../testing/where.ts";
import {
  type Bench,
  type BenchOptions,
  block,
  Folder,
  nowMs,
  pause,
  startBench,
  until,
} from "./testing/bench.ts";

const blocks = 64;
const linkTimeoutMs = 100;

async function withBench(
  options: BenchOptions,
  body: (bench: Bench) => Promise<void>,
): Promise<void> {
  const folder = new Folder();
  const bench = await startBench(folder.file(blocks), folder.file(blocks), options);
  try {
    await body(bench);
  } finally {
    await bench.end();
    folder.remove();
  }
}

const shows = (bench: Bench, number: number, fill: number) =>
  until(`block ${number} shows ${fill}`, async () =>
    (await bench.svol.readBlock(number)).equals(block(fill)),
  );

test("simplex copies nothing; create copies everything, then says paired", () =>
  withBench({}, async (bench) => {
    await bench.pvol.write(3, block(1));
    assert.is(bench.engine.view().state, "simplex");
    assert.is(bench.engine.view().evidence, "split");
    await pause(50);
    assert.not(await bench.equal());
    await bench.obey("create");
    await bench.reach("paired");
    assert.ok(await bench.equal());
    assert.equal(bench.states, ["copying", "paired"]);
    const view = bench.engine.view();
    assert.is(view.percent, 100);
    assert.is(view.copiedBlocks, 1);
    assert.is(view.direction, "pvol-to-svol");
    assert.not((await bench.order("create")).ok);
  }));

test("a change shows at the SVOL, byte for byte, each block whole", () =>
  withBench({}, async (bench) => {
    await bench.obey("create");
    await bench.reach("paired");
    for (let fill = 1; fill <= 20; fill++) {
      await bench.pvol.write(fill % 7, block(fill));
      await shows(bench, fill % 7, fill);
    }
    await bench.settle();
    assert.is(bench.engine.view().copiedBlocks, 20);
    assert.ok((bench.engine.view().lastCopyAgoMs ?? 1e9) < 5000);
  }));

test("without the kernel's news it is found all the same", () =>
  withBench({ deaf: true }, async (bench) => {
    await bench.obey("create");
    await bench.reach("paired");
    for (let fill = 1; fill <= 10; fill++) {
      await bench.pvol.write(fill, block(fill));
      await shows(bench, fill, fill);
    }
    assert.not(bench.engine.view().newsTrusted);
  }));

test("a large volume: changes far apart, one in a region that was always still", async () => {
  const folder = new Folder();
  const bench = await startBench(folder.file(4100), folder.file(4200), {});
  try {
    await bench.obey("create");
    await bench.reach("paired");
    for (const number of [0, 4099, 2000, 17, 4099]) {
      await bench.pvol.write(number, block(number & 0xff || 1));
      await shows(bench, number, number & 0xff || 1);
    }
    await bench.settle();
  } finally {
    await bench.end();
    folder.remove();
  }
});

test("split: what was written before is copied, nothing after, until a resync copies all", () =>
  withBench({ deaf: true, scanMs: 1000 }, async (bench) => {
    await bench.obey("create");
    await bench.reach("paired");
    await bench.pvol.write(5, block(1));
    await bench.obey("split");
    assert.is(bench.engine.view().state, "suspended-by-operator");
    assert.is(bench.engine.view().evidence, "split");
    assert.ok(await bench.equal(), "what was written before the split is there");
    const frozen = await bench.svol.read();
    await bench.pvol.write(5, block(2));
    await bench.pvol.write(6, block(3));
    await pause(100);
    assert.ok(frozen.equals(await bench.svol.read()));
    await bench.obey("split");
    await bench.obey("resync");
    await bench.reach("paired");
    assert.ok(await bench.equal());
    assert.equal(bench.states.slice(2), ["suspended-by-operator", "copying", "paired"]);
  }));

test("split flushes what waits for its lag", () =>
  withBench({ lagMs: 60_000 }, async (bench) => {
    await bench.obey("create");
    await bench.reach("paired");
    await bench.pvol.write(1, block(1));
    await until("the change waits", () => bench.engine.view().pending === 1);
    await bench.obey("split");
    assert.ok(await bench.equal());
    assert.is(bench.engine.view().pending, 0);
  }));

test("cut without a change: the pair goes on saying paired", () =>
  withBench({ linkTimeoutMs }, async (bench) => {
    await bench.obey("create");
    await bench.reach("paired");
    await bench.obey("cut");
    await pause(3 * linkTimeoutMs);
    const view = bench.engine.view();
    assert.is(view.state, "paired");
    assert.is(view.evidence, "paired");
    assert.is(view.link, "cut");
    await bench.obey("heal");
    await bench.pvol.write(1, block(1));
    await shows(bench, 1, 1);
  }));

test("cut, then a change: paired for the link time-out, then suspended by error", () =>
  withBench({ linkTimeoutMs: 1000 }, async (bench) => {
    await bench.obey("create");
    await bench.reach("paired");
    await bench.obey("cut");
    const wroteMs = nowMs();
    await bench.pvol.write(1, block(1));
    await until("the change waits", () => bench.engine.view().pending === 1);
    assert.is(bench.engine.view().state, "paired");
    await bench.reach("suspended-by-error");
    assert.ok(nowMs() - wroteMs >= 1000, "not before the link time-out");
    const view = bench.engine.view();
    assert.is(view.evidence, "suspended");
    assert.match(view.cause, "link down");
    assert.is(view.pending, 1);
    assert.not((await bench.order("resync")).ok, "no resync over a cut link");
    assert.not((await bench.order("split")).ok);
    await bench.obey("heal");
    await pause(50);
    assert.is(bench.engine.view().state, "suspended-by-error");
    assert.not(await bench.equal());
    await bench.obey("resync");
    await bench.reach("paired");
    assert.ok(await bench.equal());
    assert.is(bench.engine.view().cause, "");
  }));

test("healed within the link time-out: what waited is copied, the pair was always paired", () =>
  withBench({ linkTimeoutMs: 5000 }, async (bench) => {
    await bench.obey("create");
    await bench.reach("paired");
    await bench.obey("cut");
    await bench.pvol.write(1, block(1));
    await bench.pvol.write(2, block(2));
    await until("the changes wait", () => bench.engine.view().pending === 2);
    assert.not(await bench.equal());
    await bench.obey("heal");
    await bench.settle();
    assert.equal(bench.states, ["copying", "paired"]);
  }));

test("a change before the cut is at the SVOL, one after it is not", () =>
  withBench({ linkTimeoutMs: 5000 }, async (bench) => {
    await bench.obey("create");
    await bench.reach("paired");
    await bench.pvol.write(1, block(1));
    await shows(bench, 1, 1);
    await bench.obey("cut");
    await bench.pvol.write(1, block(2));
    await until("the change waits", () => bench.engine.view().pending === 1);
    await shows(bench, 1, 1);
  }));

test("with automatic resync the pair comes back when the link does", () =>
  withBench({ linkTimeoutMs, autoResync: true }, async (bench) => {
    await bench.obey("create");
    await bench.reach("paired");
    await bench.obey("cut");
    await bench.pvol.write(1, block(1));
    await bench.reach("suspended-by-error");
    await pause(50);
    assert.is(bench.engine.view().state, "suspended-by-error");
    await bench.obey("heal");
    await bench.reach("paired");
    assert.ok(await bench.equal());
  }));

test("cut during the initial copy: it stalls, then is an error; delete ends the pair", () =>
  withBench({ linkTimeoutMs }, async (bench) => {
    assert.not((await bench.order("resync")).ok, "a simplex pair has nothing to resync");
    await bench.obey("cut");
    assert.not((await bench.order("create")).ok);
    await bench.obey("heal");
    for (let number = 0; number < blocks; number++) await bench.pvol.write(number, block(7));
    await bench.obey("tear", 5);
    await bench.obey("create");
    const cut = bench.obey("cut");
    await until("copying", () => bench.states.includes("copying"));
    await cut;
    await bench.reach("suspended-by-error");
    await bench.obey("delete");
    assert.is(bench.engine.view().state, "simplex");
    await bench.obey("tear", 0);
    await bench.obey("heal");
    await bench.obey("create");
    await bench.reach("paired");
    assert.ok(await bench.equal());
  }));

test("lag: not before it, in order, and what was is a state that was", () =>
  withBench({ lagMs: 250 }, async (bench) => {
    await bench.obey("create");
    await bench.reach("paired");
    const wroteMs = new Map<number, number>();
    const writing = (async () => {
      for (let fill = 1; fill <= 20; fill++) {
        wroteMs.set(fill, nowMs());
        await bench.pvol.write(fill % 2, block(fill));
        await pause(20);
      }
    })();
    let newest = 0;
    while (newest < 20) {
      const volume = await bench.svol.read();
      const readMs = nowMs();
      const [even = 0, odd = 0] = [volume[0], volume[4096]];
      assert.ok(Math.max(even, odd) >= newest, "never back");
      newest = Math.max(even, odd);
      assert.ok(newest === 0 || Math.abs(even - odd) === 1, `a state that was: ${even} ${odd}`);
      if (newest > 0) assert.ok(readMs - (wroteMs.get(newest) ?? 0) >= 250, "not before the lag");
      await pause(3);
    }
    await writing;
    await bench.settle();
    await bench.pvol.write(9, block(9));
    await bench.obey("lag", 0);
    const changedMs = nowMs();
    await shows(bench, 9, 9);
    assert.ok(nowMs() - changedMs < 5000);
  }));

test("torn copying shows every piece, old before new, and ends whole", () =>
  withBench({}, async (bench) => {
    await bench.obey("create");
    await bench.reach("paired");
    await bench.pvol.write(1, block(1));
    await shows(bench, 1, 1);
    await bench.obey("tear", 40);
    await bench.pvol.write(1, block(2));
    const pieces = new Set<number>();
    await until("whole", async () => {
      const found = await bench.svol.readBlock(1);
      const torn = found.indexOf(1);
      const newBytes = torn < 0 ? found.length : torn;
      assert.is(newBytes % 512, 0);
      assert.ok(found.subarray(newBytes).every((byte) => byte === 1));
      pieces.add(newBytes / 512);
      return newBytes === found.length;
    });
    assert.ok(pieces.size >= 3, `torn states were seen: ${[...pieces].join(" ")}`);
    await bench.settle();
  }));

test("commands between two torn blocks lose none of them", () =>
  withBench({ deaf: true, scanMs: 300 }, async (bench) => {
    await bench.obey("create");
    await bench.reach("paired");
    await bench.obey("tear", 2);
    for (const number of [1, 2, 5, 6]) await bench.pvol.write(number, block(number));
    await until("the first arrives", async () => (await bench.svol.readBlock(1)).includes(1));
    await bench.obey("lag", 0);
    const { pending } = bench.engine.view();
    assert.ok(pending > 0 && pending < 4, `stopped between two: ${pending} left`);
    await bench.settle();
  }));

test("commands after a stop are refused, and it ends", async () => {
  const folder = new Folder();
  const bench = await startBench(folder.file(blocks), folder.file(blocks), {});
  await bench.obey("create");
  await bench.end();
  const refused = await bench.order("split");
  assert.is(refused.ok ? "" : refused.code, "stopping");
  folder.remove();
});

for (const logicalBytes of [512, 4096] as const) {
  const needs = [needRoot, needProgram("losetup", "mount")];
  testWhere(
    test,
    needs,
    `loop devices of ${logicalBytes}: copy, split, cut, resync, tear`,
    async () => {
      const folder = new Folder();
      try {
        const pvol = folder.loop(logicalBytes, blocks);
        const bench = await startBench(pvol, folder.loop(logicalBytes, blocks + 3), {
          linkTimeoutMs,
        });
        await bench.obey("create");
        await bench.reach("paired");
        await bench.pvol.write(0, block(1));
        await bench.pvol.write(63, block(2));
        await shows(bench, 63, 2);
        await bench.obey("split");
        await bench.pvol.write(1, block(3));
        assert.not(await bench.equal());
        await bench.obey("resync");
        await bench.settle();
        await bench.obey("tear", 1);
        await bench.pvol.write(1, block(4));
        await bench.settle();
        await bench.obey("cut");
        await bench.pvol.write(2, block(5));
        await bench.reach("suspended-by-error");
        await bench.obey("heal");
        await bench.obey("resync");
        await bench.settle();
        await bench.end();
      } finally {
        folder.remove();
      }
    },
  );
}

test.run();
