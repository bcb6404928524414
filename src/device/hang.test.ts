// test-limit-seconds: 150
// test-alone
/**
 * Real faults on a real block device: what fails, what is late, and what hangs. The device's server
 * lives in this very event loop, so that a loop held up by the device would hang for ever: that
 * these tests end at all is half of what they prove.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { lookup } from "node:dns/promises";
import { mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { type Test, suite } from "uvu";
import * as assert from "uvu/assert";
import { type BlockDevice, type BlockIo, type IoOutcome, type Lane, openBlockIo } from "./block.ts";
import { type FaultDevice, faultDeviceMissing, startFaultDevice } from "./testing/fault-device.ts";

const limitMs = 10_000;
const shortMs = 100;
const hangMs = 1000;
const engines = ["io_uring", "aio"] as const;

type Bench = { readonly io: BlockIo; readonly fault: FaultDevice; readonly device: BlockDevice };

function openIo(engine: "io_uring" | "aio"): BlockIo {
  const opened = openBlockIo({ engine });
  if (!opened.ok) throw new Error(opened.message);
  return opened.io;
}

async function openGood(io: BlockIo, file: string): Promise<BlockDevice> {
  const opened = await io.open(file, "write", limitMs);
  if (!opened.ok) throw new Error(opened.message);
  return opened.device;
}

function newLane(device: BlockDevice, lengthBytes = 4096): Lane {
  const lane = device.lane(lengthBytes);
  if (!lane) throw new Error("no lane");
  return lane;
}

function within<T>(promise: Promise<T>, what: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${what}: not within ${limitMs} ms`)), limitMs);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

async function withBench(engine: "io_uring" | "aio", body: (bench: Bench) => Promise<void>) {
  const fault = await startFaultDevice({ logicalBytes: 4096, limitSeconds: 60 });
  const io = openIo(engine);
  try {
    const device = await openGood(io, fault.path);
    await body({ io, fault, device });
    fault.mode("ok");
    await within(device.close(), "closing");
  } finally {
    io.close();
    await fault.stop();
  }
}

async function until(what: string, condition: () => boolean): Promise<void> {
  const end = performance.now() + limitMs;
  while (!condition()) {
    assert.ok(performance.now() < end, what);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function isOpenHere(file: string): boolean {
  return readdirSync("/proc/self/fd").some((descriptor) => {
    try {
      return readlinkSync(`/proc/self/fd/${descriptor}`) === file;
    } catch {
      return false; // closed since it was listed
    }
  });
}

function isFailed(outcome: IoOutcome, code: string): boolean {
  return outcome.kind === "failed" && outcome.code === code;
}

function lasting(outcome: IoOutcome): number {
  return outcome.kind === "busy" ? 0 : Number(outcome.endedNs - outcome.beganNs) / 1e6;
}

/** How late a 10 ms timer is, while `condition` holds. */
async function lags(durationMs: number): Promise<{ medianMs: number; maxMs: number }> {
  const found: number[] = [];
  const end = performance.now() + durationMs;
  for (let now = performance.now(); now < end; now = performance.now()) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    found.push(performance.now() - now - 10);
  }
  found.sort((a, b) => a - b);
  return { medianMs: found[found.length >> 1] ?? 0, maxMs: found.at(-1) ?? 0 };
}

function faultTests(test: Test, engine: "io_uring" | "aio"): void {
  test("errors, delays and lies come through as they are", () =>
    withBench(engine, async ({ fault, device }) => {
      const lane = newLane(device);
      const other = newLane(device);
      lane.bytes.fill(1);
      assert.is((await lane.write(0, 4096, limitMs)).kind, "done");
      assert.is(fault.medium[0], 1, "durable when done");
      fault.mode("eio");
      assert.ok(isFailed(await lane.write(0, 4096, limitMs), "EIO"));
      fault.mode("eio-read");
      assert.ok(isFailed(await lane.read(0, 4096, limitMs), "EIO"));
      fault.mode({ delayMs: 150 });
      const slow = await lane.read(0, 4096, limitMs);
      // A timer may fire within its millisecond, a little early.
      assert.ok(slow.kind === "done" && lasting(slow) >= 148);
      fault.mode("drop");
      lane.bytes.fill(2);
      assert.is((await lane.write(4096, 4096, limitMs)).kind, "done");
      assert.is(fault.medium[4096], 0);
      fault.mode("torn");
      assert.is((await lane.write(4096, 4096, limitMs)).kind, "done");
      fault.mode("ok");
      assert.is((await other.read(4096, 4096, limitMs)).kind, "done");
      assert.equal([other.bytes[2047], other.bytes[2048]], [2, 0]);
      fault.mode("stale");
      assert.is((await lane.write(8192, 4096, limitMs)).kind, "done");
      assert.is((await other.read(8192, 4096, limitMs)).kind, "done");
      assert.is(other.bytes[0], 0);
      fault.mode("ok");
    }));

  test("a deadline is told in time, the lane comes back late", () =>
    withBench(engine, async ({ fault, device }) => {
      const [hung, failing] = [newLane(device), newLane(device)];
      hung.bytes.fill(3);
      fault.mode("hang");
      const [write, read] = await Promise.all([
        hung.write(0, 4096, shortMs),
        failing.read(4096, 4096, 2 * shortMs),
      ]);
      assert.is(write.kind, "expired");
      assert.is(read.kind, "expired");
      assert.ok(
        lasting(write) >= shortMs && lasting(write) < shortMs + 150,
        `${lasting(write)} ms`,
      );
      assert.ok(lasting(read) >= 2 * shortMs);
      assert.ok(hung.ownedByKernel);
      assert.equal(await hung.write(0, 4096, shortMs), { kind: "busy" });
      assert.is(fault.medium[0], 0);
      const late = hung.settled();
      fault.mode("eio-read");
      const landed = await within(late, "the late end");
      assert.ok(landed?.kind === "done", "what expired was carried out all the same");
      assert.is(fault.medium[0], 3);
      const lateRead = await within(failing.settled(), "the late failure");
      assert.ok(lateRead === null || isFailed(lateRead, "EIO"));
      assert.not.ok(hung.ownedByKernel);
      assert.is(await hung.settled(), null);
      fault.mode("ok");
      assert.is((await hung.write(0, 4096, limitMs)).kind, "done");
    }));

  test("a storage that is gone answers with EIO", () =>
    withBench(engine, async ({ fault, device }) => {
      fault.cut();
      assert.ok(isFailed(await newLane(device).write(0, 4096, limitMs), "EIO"));
    }));
}

function hangTests(test: Test, engine: "io_uring" | "aio"): void {
  test("one hung device holds up nothing else", () =>
    withBench(engine, async ({ io, fault, device }) => {
      const folder = mkdtempSync("/var/tmp/mirrorbeat-hang-");
      const file = path.join(folder, "good");
      writeFileSync(file, Buffer.alloc(65536));
      const good = await openGood(io, file);
      const goodLane = newLane(good);
      const hung = [4096, 4096, 4096, 4096, 4096, 2 << 20].map((bytes) => newLane(device, bytes));
      fault.mode("hang");
      const expired = Promise.all(
        hung.map((lane, i) =>
          i % 2 === 0
            ? lane.write(i * 4096, 4096, shortMs)
            : lane.read(0, lane.bytes.length, shortMs),
        ),
      );
      const lag = lags(hangMs);
      let transfers = 0;
      let slowestMs = 0;
      for (const end = performance.now() + hangMs; performance.now() < end; transfers++) {
        const outcome = await goodLane.write(0, 4096, limitMs);
        assert.is(outcome.kind, "done");
        slowestMs = Math.max(slowestMs, lasting(outcome));
      }
      await within(Promise.all([readFile(file), lookup("localhost")]), "files and names");
      assert.ok((await expired).every((outcome) => outcome.kind === "expired"));
      const { medianMs, maxMs } = await lag;
      console.log(
        `${engine}: 6 requests hung: loop lag median ${medianMs.toFixed(1)} ms, ` +
          `max ${maxMs.toFixed(1)} ms; ${transfers} writes elsewhere, slowest ${slowestMs.toFixed(1)} ms`,
      );
      assert.ok(medianMs < 50, `the event loop lagged ${medianMs} ms`);
      fault.mode("ok");
      await within(Promise.all(hung.map((lane) => lane.settled())), "late ends");
      await good.close();
      rmSync(folder, { recursive: true });
    }));

  test("a device that hangs in open misses the deadline and is closed when it comes", async () => {
    const fault = await startFaultDevice({ limitSeconds: 60 });
    const io = openIo(engine);
    try {
      fault.freeze();
      const began = performance.now();
      const opened = await io.open(fault.filePath, "write", shortMs);
      assert.ok(!opened.ok && opened.code === "TIMEDOUT");
      assert.ok(performance.now() - began < shortMs + 200);
      let isOwed = true;
      assert.ok(opened.owed, "it says when it has come back");
      void opened.owed.then(() => {
        isOwed = false;
      });
      await new Promise((resolve) => setTimeout(resolve, shortMs));
      assert.ok(isOwed, "not while the kernel holds it");
      fault.thaw();
      await within(opened.owed, "the late open comes back");
      const again = await within(io.open(fault.filePath, "read", limitMs), "opening again");
      assert.ok(again.ok);
      if (again.ok) await within(again.device.close(), "closing");
      await until("the late open is closed", () => !isOpenHere(fault.filePath));
    } finally {
      fault.thaw();
      io.close();
      await fault.stop();
    }
  });
}

/** A process of its own that hangs in a write to the device, as this file's child. */
type Hung = { readonly child: ChildProcess; readonly ended: Promise<number> };

async function spawnHung(engine: string, device: string, how: string): Promise<Hung> {
  const args = [process.argv[1] ?? "", "hang", engine, device, how];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise<number>((resolve) => {
    child.on("exit", () => resolve(performance.now()));
  });
  const said = new Promise<void>((resolve) => {
    child.stdout?.on("data", (data) => {
      if (String(data).includes("hung")) resolve();
    });
  });
  await within(said, "the child's hang");
  return { child, ended };
}

async function hangAsChild(engine: string, file: string, how: string): Promise<void> {
  const io = openIo(engine === "aio" ? "aio" : "io_uring");
  const device = await openGood(io, file);
  const lanes = [newLane(device), newLane(device, 2 << 20)];
  const pending = lanes.map((lane) => lane.write(0, lane.bytes.length, shortMs));
  for (const outcome of await Promise.all(pending)) assert.is(outcome.kind, "expired");
  process.stdout.write("hung\n");
  if (how === "stay") setInterval(() => {}, 1000);
  if (how === "exit") process.exit(0);
  // "end": nothing is left to do, and a hung request does not keep the process alive
}

function endTests(test: Test, engine: "io_uring" | "aio"): void {
  for (const how of ["stay", "exit", "end"] as const) {
    const name = how === "stay" ? "SIGKILL" : how === "exit" ? "process.exit" : "its natural end";
    test(`${name} of a process with hung requests`, async () => {
      const fault = await startFaultDevice({ limitSeconds: 60 });
      try {
        // Written to while hanging, but opened while well: the hang begins when it writes.
        fault.mode("hang-write");
        const { child, ended } = await spawnHung(engine, fault.path, how);
        const began = performance.now();
        if (how === "stay") child.kill("SIGKILL");
        const patience = new Promise<null>((resolve) => setTimeout(() => resolve(null), 2000));
        const end = await Promise.race([ended, patience]);
        fault.mode("ok");
        await within(ended, "the end of the process");
        const text =
          end === null ? "stuck until the device came back" : `${(end - began).toFixed(0)} ms`;
        console.log(`${engine}: ${name}: ${text}`);
        if (engine === "io_uring") assert.ok(end !== null, "gone while the device still hung");
      } finally {
        fault.mode("ok");
        await fault.stop();
      }
    });
  }
}

async function main(): Promise<void> {
  const missing = await faultDeviceMissing();
  for (const engine of engines) {
    const test = suite(engine) as unknown as Test;
    const usable = openBlockIo({ engine });
    const reason = missing ?? (usable.ok ? null : usable.message);
    if (usable.ok) usable.io.close();
    if (reason !== null) {
      console.log(`skipped: ${engine}: real faults: ${reason}`);
      test("skipped", () => {});
    } else {
      faultTests(test, engine);
      hangTests(test, engine);
      endTests(test, engine);
    }
    test.run();
  }
}

const [, , verb, engine = "", file = "", how = ""] = process.argv;
void (verb === "hang" ? hangAsChild(engine, file, how) : main());
