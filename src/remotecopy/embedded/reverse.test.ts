/** Copying the other way round, and a volume that was taken over. */
import * as fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { needProgram, needRoot, testWhere } from "../../testing/where.ts";
import {
  type Bench,
  type BenchOptions,
  block,
  Folder,
  startBench,
  until,
} from "./testing/bench.ts";

const blocks = 64;

async function withPaired(
  options: BenchOptions,
  body: (bench: Bench) => Promise<void>,
  makeVolume = (folder: Folder) => folder.file(blocks),
): Promise<void> {
  const folder = new Folder();
  const bench = await startBench(makeVolume(folder), makeVolume(folder), options);
  try {
    await bench.pvol.write(3, block(1));
    await bench.obey("create");
    await bench.reach("paired");
    await body(bench);
  } finally {
    await bench.end();
    folder.remove();
  }
}

const shows = (bench: Bench, at: "pvol" | "svol", number: number, fill: number) =>
  until(`block ${number} of the ${at} shows ${fill}`, async () =>
    (await bench[at].readBlock(number)).equals(block(fill)),
  );

async function refusedWith(bench: Bench, name: "swap" | "resync" | "create", code: string) {
  const refused = await bench.order(name);
  assert.is(refused.ok ? "done" : refused.code, code, name);
}

async function swapThereAndBack(bench: Bench): Promise<void> {
  await bench.pvol.write(5, block(2));
  await bench.obey("swap");
  assert.is(bench.engine.view().direction, "svol-to-pvol");
  assert.is(bench.engine.view().evidence, "split", "the heartbeats of this mirror do not flow");
  assert.ok((await bench.svol.readBlock(5)).equals(block(2)), "all had arrived before");
  for (let fill = 3; fill < 8; fill++) {
    await bench.svol.write(fill, block(fill));
    await shows(bench, "pvol", fill, fill);
  }
  await bench.obey("split");
  await bench.obey("resync");
  await bench.reach("paired");
  await bench.obey("swap");
  assert.is(bench.engine.view().direction, "pvol-to-svol");
  await bench.pvol.write(9, block(9));
  await shows(bench, "svol", 9, 9);
  assert.ok(await bench.equal());
}

test("swap: copied the other way round, and back; nothing that was written before is lost", () =>
  withPaired({}, swapThereAndBack));

test("the same where the kernel tells of no writes", () =>
  withPaired({ deaf: true }, swapThereAndBack));

testWhere(test, [needRoot, needProgram("losetup", "mount")], "the same on loop devices", () =>
  withPaired({}, swapThereAndBack, (folder) => folder.loop(512, blocks)),
);

test("swap is refused unless paired with a living link", () =>
  withPaired({}, async (bench) => {
    await bench.obey("cut");
    await refusedWith(bench, "swap", "link-cut");
    await bench.obey("heal");
    await bench.obey("split");
    await refusedWith(bench, "swap", "wrong-state");
    await bench.obey("delete");
    await refusedWith(bench, "swap", "wrong-state");
    assert.is(bench.engine.view().direction, "pvol-to-svol");
  }));

test("takeover: the copying stops, the content stays; only a forced swap copies back", () =>
  withPaired({}, async (bench) => {
    await bench.pvol.write(5, block(2));
    await bench.obey("takeover");
    await bench.obey("takeover");
    assert.is(bench.engine.view().state, "takeover");
    assert.ok((await bench.svol.readBlock(5)).equals(block(2)), "what could be read was copied");
    await bench.svol.write(6, block(3));
    await bench.pvol.write(6, block(4));
    for (const name of ["resync", "create", "swap"] as const) {
      await refusedWith(bench, name, "wrong-state");
    }
    assert.ok((await bench.svol.readBlock(6)).equals(block(3)), "it is its site's own");
    const forced = await bench.engine.command({ name: "swap", ms: 0, force: true });
    assert.ok(forced.ok);
    await bench.reach("paired");
    assert.is(bench.engine.view().direction, "svol-to-pvol");
    assert.ok((await bench.pvol.readBlock(6)).equals(block(3)), "copied back");
    await bench.obey("swap");
    assert.is(bench.engine.view().direction, "pvol-to-svol");
    await bench.settle();
  }));

test("takeover of what was suspended leaves it as it was; remove turns the direction back", () =>
  withPaired({}, async (bench) => {
    await bench.obey("swap");
    await bench.obey("split");
    await bench.svol.write(5, block(2));
    await bench.obey("takeover");
    assert.not(
      (await bench.pvol.readBlock(5)).equals(block(2)),
      "nothing was copied after the split",
    );
    await bench.obey("delete");
    assert.is(bench.engine.view().direction, "pvol-to-svol");
    await bench.obey("create");
    await bench.reach("paired");
    await bench.settle();
    assert.ok((await bench.svol.readBlock(5)).equals(await bench.pvol.readBlock(5)));
  }));

test("whatever is written and swapped in turn: nothing is lost, both ends are equal", () => {
  const step = fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({ at: fc.nat(blocks - 1), fill: fc.integer({ min: 1, max: 255 }) }),
    },
    { weight: 1, arbitrary: fc.constant("swap" as const) },
  );
  return fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 20 }), (steps) =>
      withPaired({}, async (bench) => {
        const wanted = new Map([[3, 1]]);
        let source: "pvol" | "svol" = "pvol";
        for (const each of steps) {
          if (each === "swap") {
            await bench.obey("swap");
            source = source === "pvol" ? "svol" : "pvol";
          } else {
            await bench[source].write(each.at, block(each.fill));
            wanted.set(each.at, each.fill);
          }
        }
        await bench.settle();
        for (const [at, fill] of wanted) {
          assert.ok((await bench.pvol.readBlock(at)).equals(block(fill)), `block ${at}`);
        }
      }),
    ),
    { numRuns: 12 },
  );
});

test.run();
