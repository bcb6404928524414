// test-limit-seconds: 150
// test-alone
/** Volumes that fail, hang and come back: a state of the pair each time, and equal at the end. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  type FaultDevice,
  faultDeviceMissing,
  startFaultDevice,
} from "../../device/testing/fault-device.ts";
import { testWhere } from "../../testing/where.ts";
import {
  type Bench,
  type BenchOptions,
  block,
  Folder,
  pause,
  startBench,
  until,
} from "./testing/bench.ts";

const limitMs = 300;

type Which = "pvol" | "svol";

async function withFault(
  which: Which,
  options: BenchOptions,
  body: (bench: Bench, fault: FaultDevice) => Promise<void>,
): Promise<void> {
  const folder = new Folder();
  const fault = await startFaultDevice({ logicalBytes: 4096, sizeBytes: 1 << 20 });
  try {
    const other = folder.file(256);
    const paths =
      which === "pvol" ? ([fault.path, other] as const) : ([other, fault.path] as const);
    const bench = await startBench(...paths, { limitMs, deaf: true, ...options });
    try {
      await bench.obey("create");
      await bench.reach("paired");
      await body(bench, fault);
    } finally {
      fault.mode("ok");
      await bench.end();
    }
  } finally {
    await fault.stop();
    folder.remove();
  }
}

/** Tries until the kernel owes nothing any more. */
const resync = (bench: Bench) => until("a resync", async () => (await bench.order("resync")).ok);

async function comesBack(bench: Bench): Promise<void> {
  await resync(bench);
  await bench.settle();
}

function register(missing: string | null): void {
  const faultTest = (name: string, body: () => Promise<void>) =>
    testWhere(test, [missing], name, body);

  faultTest("an SVOL that fails writes: suspended by error, then a resync", () =>
    withFault("svol", {}, async (bench, fault) => {
      fault.mode("eio");
      await bench.pvol.write(1, block(1));
      await bench.reach("suspended-by-error");
      const view = bench.engine.view();
      assert.is(view.evidence, "suspended");
      assert.match(view.cause, /SVOL write at block 1: EIO/);
      assert.is(view.pending, 1);
      await resync(bench);
      await bench.reach("suspended-by-error");
      fault.mode("ok");
      await comesBack(bench);
    }),
  );

  faultTest("a PVOL that cannot be read: suspended by error, then a resync", () =>
    withFault("pvol", {}, async (bench, fault) => {
      fault.mode("eio-read");
      await bench.reach("suspended-by-error");
      assert.match(bench.engine.view().cause, /PVOL read at block 0: EIO/);
      fault.mode("ok");
      await bench.pvol.write(1, block(1));
      await comesBack(bench);
    }),
  );

  for (const which of ["pvol", "svol"] as const) {
    faultTest(
      `a ${which.toUpperCase()} that hangs: suspended in time, questions answered meanwhile`,
      () =>
        withFault(which, {}, async (bench, fault) => {
          if (which === "svol") await bench.pvol.write(1, block(1));
          await bench.settle();
          fault.mode("hang");
          if (which === "svol") await bench.pvol.write(1, block(2));
          await bench.reach("suspended-by-error");
          assert.match(bench.engine.view().cause, "no answer in 300 ms");
          const refused = await bench.order("resync");
          assert.is(refused.ok ? "" : refused.code, "owed");
          await pause(50);
          assert.is(bench.engine.view().state, "suspended-by-error");
          fault.mode("ok");
          await bench.pvol.write(2, block(3));
          await comesBack(bench);
        }),
    );
  }

  faultTest("automatic resync waits for a hung write to come back, which then harms nothing", () =>
    withFault("svol", { autoResync: true }, async (bench, fault) => {
      fault.mode("hang-write");
      await bench.pvol.write(1, block(1));
      await bench.reach("suspended-by-error");
      await bench.pvol.write(1, block(2));
      await pause(1500);
      assert.is(bench.engine.view().state, "suspended-by-error");
      fault.mode("ok");
      await bench.settle();
      assert.ok((await bench.svol.readBlock(1)).equals(block(2)));
    }),
  );

  faultTest("an SVOL that tears a write behind our back is made whole by the next resync", () =>
    withFault("svol", {}, async (bench, fault) => {
      await bench.pvol.write(1, block(1));
      await bench.settle();
      fault.mode("torn");
      await bench.pvol.write(1, block(2));
      await until("half of it", async () => (await bench.svol.readBlock(1)).includes(2));
      fault.mode("ok");
      assert.not(await bench.equal());
      await bench.obey("split");
      await comesBack(bench);
    }),
  );

  faultTest("an SVOL that is gone for good: an error, no crash, and it ends", () =>
    withFault("svol", {}, async (bench, fault) => {
      fault.cut();
      await bench.pvol.write(1, block(1));
      await bench.reach("suspended-by-error");
    }),
  );
}

void faultDeviceMissing().then((missing) => {
  register(missing);
  test.run();
});
