// test-limit-seconds: 240
// test-alone
/**
 * The shipped agent on devices that hang, fail, crawl, lose, tear and lie. PVOL and SVOL of a-b
 * are two fault devices over one medium, so the second is a perfect mirror of the first; b-a is
 * copied by a copier and must not notice.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { decodeSector } from "../core/sector/codec.ts";
import { type HeartbeatRecord, sectorBytes } from "../core/sector/layout.ts";
import { type FaultDevice, startFaultDevice } from "../device/testing/fault-device.ts";
import { pause, withWorld, type World } from "../testing/agent-world.ts";
import { needProgram, needRoot, testWhere } from "../testing/where.ts";

const needs = [
  needRoot,
  needProgram("losetup", "mount"),
  needProgram("qemu-storage-daemon", "qemu-system-common"),
];
const volumeBytes = 1 << 20;

type Bench = { readonly world: World; readonly pvol: FaultDevice; readonly svol: FaultDevice };

async function withBench(
  logicalBytes: 512 | 4096,
  engine: "io_uring" | "aio",
  body: (bench: Bench) => Promise<void>,
): Promise<void> {
  const medium = Buffer.alloc(volumeBytes);
  const pvol = await startFaultDevice({ logicalBytes, medium, limitSeconds: 150 });
  let svol: FaultDevice | null = null;
  try {
    svol = await startFaultDevice({ logicalBytes, medium, readOnly: true, limitSeconds: 150 });
    const volumes = { "a-b.pvol": pvol.path, "a-b.svol": svol.path };
    const both = { pvol, svol };
    await withWorld({ volumes, copied: ["b-a"], timing: { marginMs: 1000 } }, async (world) => {
      try {
        await Promise.all(["a1", "b1"].map((name) => world.startWith(name, { engine })));
        await world.untilRow("b1", "a", "1");
        await world.untilRow("a1", "b", "1");
        await body({ world, ...both });
      } finally {
        pvol.mode("ok");
        svol?.mode("ok");
      }
    });
  } finally {
    await pvol.stop();
    await svol?.stop();
  }
}

/** The slowest answer of the control socket while the condition is awaited. */
async function slowestStatusMs(world: World, host: string, forMs: number): Promise<number> {
  const endMs = performance.now() + forMs;
  let slowestMs = 0;
  while (performance.now() < endMs) {
    const beganMs = performance.now();
    await world.status(host, 10_000);
    slowestMs = Math.max(slowestMs, performance.now() - beganMs);
    await pause(20);
  }
  return slowestMs;
}

async function pathOf(world: World, observer: string, of: string, path: string) {
  const status = await world.status(observer);
  const host = status.sites.flatMap((site) => site.hosts).find((each) => each.host === of);
  return host?.paths.find((each) => each.path === path);
}

/** The paths to these hosts advance while `during` runs, and raise no alarm. */
async function unaffected(
  world: World,
  watched: readonly (readonly [observer: string, of: string, path: string])[],
  during: () => Promise<void>,
): Promise<void> {
  const serials = () =>
    Promise.all(
      watched.map(async ([observer, of, path]) =>
        BigInt((await pathOf(world, observer, of, path))?.serial ?? 0),
      ),
    );
  const fromMs = performance.now();
  const before = await serials();
  await during();
  await world.until("the other paths go on", async () =>
    (await serials()).every((serial, index) => serial > (before[index] ?? 0n) + 3n),
  );
  for (const [observer, of, path] of watched) {
    const lost = world
      .events(observer, "path", fromMs)
      .filter((e) => e.fields["host"] === of && e.fields["path"] === path);
    assert.equal(lost, [], `${path} at ${observer}`);
  }
}

async function killMs(world: World, host: string): Promise<number> {
  const died = await world.killHost(host);
  return performance.now() - died;
}

for (const engine of ["io_uring", "aio"] as const) {
  testWhere(test, needs, `${engine}: the PVOL hangs: other paths, status and end go on`, () =>
    withBench(512, engine, async ({ world, pvol }) => {
      const others = [["b1", "a1", "network"], ["a1", "b1", "network"], ["a1", "b1", "b-a"]] as const; // biome-ignore format: one list
      await unaffected(world, others, async () => {
        pvol.mode("hang");
        const slowestMs = await slowestStatusMs(world, "a1", 3000);
        console.log(`# ${engine}: PVOL hung: slowest status answer ${slowestMs.toFixed(0)} ms`);
        assert.ok(slowestMs < 1000, `${slowestMs} ms`);
        await world.untilRow("b1", "a", "3c");
      });
      const fault = world.events("a1", "device").at(-1)?.fields;
      assert.is(fault?.["reason"], "write hung");
      assert.is(
        (await world.status("a1")).paths.find((p) => p.path === "a-b")?.fault,
        "write hung",
      );
      pvol.mode("ok");
      await world.untilRow("b1", "a", "1");
      await world.until("told as mended", () =>
        world.events("a1", "device").some((e) => e.fields["ok"] === "true"),
      );

      pvol.mode("hang");
      await world.untilRow("b1", "a", "3c");
      const alive = world.host("a1").process;
      const began = performance.now();
      alive?.kill("SIGKILL");
      await Promise.race([alive?.ended, pause(3000)]);
      const tookMs = performance.now() - began;
      console.log(
        `# ${engine}: SIGKILL while the PVOL hangs: ${alive?.alive ? "still there after" : "gone in"} ${tookMs.toFixed(0)} ms`,
      );
      if (engine === "io_uring") assert.ok(tookMs < 1500, `${tookMs} ms`);
      // Linux AIO holds an ending process until the device answers; it beats no more all the same.
      pvol.mode("ok");
      await alive?.ended;
      await world.untilRow("b1", "a", "9");
    }),
  );

  testWhere(test, needs, `${engine}: the SVOL's server is stopped: its reader lives on`, () =>
    withBench(4096, engine, async ({ world, svol }) => {
      const others = [["b1", "a1", "network"], ["a1", "b1", "network"], ["a1", "b1", "b-a"]] as const; // biome-ignore format: one list
      await unaffected(world, others, async () => {
        svol.freeze();
        const slowestMs = await slowestStatusMs(world, "b1", 3000);
        console.log(`# ${engine}: SVOL stopped: slowest status answer ${slowestMs.toFixed(0)} ms`);
        assert.ok(slowestMs < 1000, `${slowestMs} ms`);
        await world.untilRow("b1", "a", "4");
      });
      assert.is((await pathOf(world, "b1", "a1", "a-b"))?.status, "io-error");
      const told = () => world.events("b1", "device").at(-1)?.fields;
      await world.until("the loss is told", () => told()?.["reason"] === "read hung");
      assert.is(told()?.["device"], svol.path);
      assert.ok((await world.status("b1")).paths.some((p) => p.path === "a-b" && !p.fit));
      if (engine === "io_uring") {
        const tookMs = await killMs(world, "b1");
        console.log(
          `# ${engine}: SIGKILL while the SVOL is stopped: gone in ${tookMs.toFixed(0)} ms`,
        );
        assert.ok(tookMs < 1500, `${tookMs} ms`);
        svol.thaw();
        await world.startWith("b1", { engine });
      } else svol.thaw();
      await world.untilStatus("b1", "reads again, and is fit", (status) =>
        status.paths.every((path) => path.fit && path.failure === null),
      );
      await world.until("row 1", () => world.row("b1", "a") === "1");
    }),
  );
}

testWhere(test, needs, "an orderly end is not held up by a hung PVOL", () =>
  withBench(512, "io_uring", async ({ world, pvol }) => {
    pvol.mode("hang");
    await world.untilRow("b1", "a", "3c");
    const beganMs = performance.now();
    assert.is(await world.stop("a1"), 0);
    const tookMs = performance.now() - beganMs;
    assert.ok(tookMs < 6000, `${tookMs} ms`);
    await world.untilRow("b1", "a", "0c");
    pvol.mode("ok");
  }),
);

testWhere(test, needs, "EIO on writes and reads: named, other paths go on, mended by itself", () =>
  withBench(512, "io_uring", async ({ world, pvol, svol }) => {
    const others = [
      ["b1", "a1", "network"],
      ["a1", "b1", "b-a"],
    ] as const;
    await unaffected(world, others, async () => {
      pvol.mode("eio");
      await world.untilRow("b1", "a", "3c");
    });
    const told = world.events("a1", "device").map((event) => event.fields["reason"]);
    assert.ok(told.includes("write EIO"), JSON.stringify(told));
    pvol.mode("ok");
    await world.untilRow("b1", "a", "1");
    await unaffected(world, others, async () => {
      svol.mode("eio-read");
      await world.untilRow("b1", "a", "4");
    });
    const path = world.events("b1", "path").at(-1)?.fields;
    assert.equal([path?.["state"], path?.["reason"]], ["io-error", "EIO"]);
    svol.mode("ok");
    await world.untilRow("b1", "a", "1");
  }),
);

testWhere(test, needs, "writes of 300 ms: beats arrive all the same, no verdict changes", () =>
  withBench(512, "io_uring", async ({ world, pvol }) => {
    const fromMs = performance.now();
    pvol.mode({ delayWriteMs: 300 });
    const serial = async () => BigInt((await pathOf(world, "b1", "a1", "a-b"))?.serial ?? 0);
    const before = await serial();
    await world.until("slow beats", async () => (await serial()) > before + 15n);
    assert.equal(world.alarms("b1", fromMs), []);
    const out = (await world.status("a1")).paths.find((path) => path.path === "a-b");
    assert.ok((out?.lastWriteMs ?? 0) >= 290, `${out?.lastWriteMs} ms`);
  }),
);

testWhere(test, needs, "lost writes and stale reads: silence on that mirror, and no more", () =>
  withBench(4096, "io_uring", async ({ world, pvol, svol }) => {
    const others = [
      ["b1", "a1", "network"],
      ["a1", "b1", "b-a"],
    ] as const;
    await unaffected(world, others, async () => {
      pvol.mode("drop");
      await world.untilRow("b1", "a", "3c");
    });
    pvol.mode("ok");
    await world.untilRow("b1", "a", "1");
    await unaffected(world, others, async () => {
      svol.mode("stale");
      await world.untilRow("b1", "a", "3c");
      assert.is((await pathOf(world, "b1", "a1", "a-b"))?.status, "stale");
    });
    svol.mode("ok");
    await world.untilRow("b1", "a", "1");
    assert.equal(world.events("b1", "rejected"), [], "the newest record is no regression");
  }),
);

testWhere(test, needs, "torn and corrupted writes are never believed, nor hide a good one", () =>
  withBench(512, "io_uring", async ({ world, pvol }) => {
    const record = (block: number): HeartbeatRecord =>
      decodeSector("record", pvol.medium.subarray(block * 4096, block * 4096 + sectorBytes));
    const fromMs = performance.now();
    // Half of each block arrives: the record's own sector is whole, its echoes may be old.
    pvol.mode("torn");
    const torn = record(8).serial;
    await world.until("torn beats", () => record(8).serial > torn + 8n);
    assert.equal(world.alarms("b1", fromMs), [], "a whole record sector is enough");
    pvol.mode("ok");
    await world.untilRow("b1", "a", "1");
    // Bytes go bad in one copy, then in the other; the good one serves.
    for (let round = 0; round < 12; round++) {
      const at = (8 + (round & 1)) * 4096 + 0x100;
      pvol.medium[at] = (pvol.medium[at] ?? 0) ^ 0xff;
      const before = record(8).serial;
      await world.until("beats go on", () => record(8).serial > before + 1n);
    }
    const { rejected } = await world.status("b1");
    assert.ok((rejected["a-b checksum"] ?? 0) > 0, JSON.stringify(rejected));
    assert.equal(world.alarms("b1", fromMs), []);
  }),
);

test.run();
