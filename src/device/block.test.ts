/** Both engines on plain files and, for root, on loop devices of 512 and 4096 bytes a sector. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { type Test, suite, test } from "uvu";
import * as assert from "uvu/assert";
import { type BlockDevice, type BlockIo, openBlockIo } from "./block.ts";

const limitMs = 5000;
const folder = mkdtempSync(path.join("/var/tmp", "mirrorbeat-block-"));

function openIo(engine: "io_uring" | "aio"): BlockIo | null {
  const opened = openBlockIo({ engine });
  if (opened.ok) return opened.io;
  console.log(`skipped: ${engine}: ${opened.message}`);
  return null;
}

async function openGood(io: BlockIo, file: string, access: "read" | "write" = "write") {
  const opened = await io.open(file, access, limitMs);
  if (!opened.ok) throw new Error(opened.message);
  return opened.device;
}

function newLane(device: BlockDevice, lengthBytes: number) {
  const lane = device.lane(lengthBytes);
  if (!lane) throw new Error("no lane");
  return lane;
}

function newFile(name: string, blocks: number): string {
  const file = path.join(folder, name);
  writeFileSync(file, Buffer.alloc(blocks * 4096));
  return file;
}

async function refusal(io: BlockIo, file: string, access: "read" | "write", sizeBytesMin = 4096) {
  const opened = await io.open(file, access, limitMs, { sizeBytesMin });
  if (opened.ok) throw new Error(`${file} was opened`);
  assert.match(opened.message, new RegExp(`^${file}: `));
  assert.not.match(opened.message, /\n/);
  return opened.code;
}

function transferTests(test: Test, io: BlockIo): void {
  test("writes are read back", async () => {
    const device = await openGood(io, newFile("disk", 8));
    const writer = newLane(device, 4096);
    const reader = newLane(device, 3 * 4096);
    writer.bytes.fill(0x5a);
    const written = await writer.write(2 * 4096, 4096, limitMs);
    assert.is(written.kind, "done");
    if (written.kind === "done") assert.ok(written.endedNs > written.beganNs);
    assert.is((await reader.read(4096, 3 * 4096, limitMs)).kind, "done");
    assert.is(reader.bytes[4095], 0);
    assert.is(reader.bytes[4096], 0x5a);
    assert.is(reader.bytes[8192], 0);
    assert.is(await writer.settled(), null);
    await device.close();
  });

  test("one transfer at a time in a lane, many in a device", async () => {
    const device = await openGood(io, newFile("disk", 8));
    const lane = newLane(device, 4096);
    const other = newLane(device, 4096);
    const first = lane.write(0, 4096, limitMs);
    assert.ok(lane.ownedByKernel);
    const second = lane.write(4096, 4096, limitMs);
    const third = other.write(8192, 4096, limitMs);
    assert.equal(await second, { kind: "busy" });
    assert.is((await first).kind, "done");
    assert.is((await third).kind, "done");
    assert.not.ok(lane.ownedByKernel);
    await device.close();
  });

  test("misuse is impossible", async () => {
    const device = await openGood(io, newFile("disk", 8));
    const readOnly = await openGood(io, path.join(folder, "disk"), "read");
    const lane = newLane(device, 5000); // two blocks
    assert.is(lane.bytes.length, 8192);
    assert.throws(() => lane.read(512, 4096, limitMs), /assertion failed/);
    assert.throws(() => lane.read(0, 512, limitMs), /assertion failed/);
    assert.throws(() => lane.read(0, 0, limitMs), /assertion failed/);
    assert.throws(() => lane.read(0, 3 * 4096, limitMs), /assertion failed/);
    assert.throws(() => lane.read(-4096, 4096, limitMs), /assertion failed/);
    assert.throws(() => lane.read(0, 4096, 0), /assertion failed/);
    assert.throws(() => newLane(readOnly, 4096).write(0, 4096, limitMs), /assertion failed/);
    await device.close();
    await readOnly.close();
  });

  test("a file never grows, and its end is an error", async () => {
    const file = newFile("disk", 2);
    const device = await openGood(io, file);
    const lane = newLane(device, 4096);
    const outcome = await lane.write(2 * 4096, 4096, limitMs);
    assert.ok(outcome.kind === "failed" && outcome.code === "RANGE");
    assert.is(statSync(file).size, 8192);
    writeFileSync(file, Buffer.alloc(6000)); // it shrinks under us
    const short = await lane.read(4096, 4096, limitMs);
    assert.ok(short.kind === "failed" && short.code === "SHORT");
    await device.close();
  });

  test("lanes are bounded, and closing gives all back", async () => {
    const device = await openGood(io, newFile("disk", 2));
    let count = 0;
    while (device.lane(4096)) count++;
    assert.ok(count > 64 && count < 128, `${count} lanes`);
    const other = await openGood(io, path.join(folder, "disk"));
    assert.is(other.lane(4096), null);
    await device.close();
    assert.is(device.lane(4096), null);
    assert.ok(other.lane(32 << 20), "memory came back whole");
    assert.is(other.lane((32 << 20) << 1), null);
    await other.close();
    await other.close();
  });

  test("a closed device answers so", async () => {
    const device = await openGood(io, newFile("disk", 2));
    const lane = newLane(device, 4096);
    const closed = device.close();
    const outcome = await lane.read(0, 4096, limitMs);
    assert.ok(outcome.kind === "failed" && outcome.code === "CLOSED");
    await closed;
  });
}

function openTests(test: Test, io: BlockIo): void {
  test("what cannot serve is refused in one line", async () => {
    assert.is(await refusal(io, path.join(folder, "missing"), "write"), "ENOENT");
    assert.throws(() => statSync(path.join(folder, "missing")), /ENOENT/);
    assert.is(await refusal(io, folder, "write"), "EISDIR");
    assert.is(await refusal(io, folder, "read"), "NOTBLOCK");
    assert.is(await refusal(io, "/dev/null", "read"), "NOTBLOCK");
    assert.is(await refusal(io, newFile("small", 1), "read", 8192), "TOOSMALL");
    assert.is(await refusal(io, newFile("empty", 0), "read"), "TOOSMALL");
    assert.is(await refusal(io, `/${"x".repeat(5000)}`, "read"), "ENAMETOOLONG");
  });

  test("an open that hangs misses its deadline and is closed when it comes", async () => {
    const fifo = path.join(folder, "fifo");
    spawnSync("mkfifo", [fifo]);
    const opened = await io.open(fifo, "read", 50);
    assert.ok(!opened.ok && opened.code === "TIMEDOUT");
    const writer = spawnSync("sh", ["-c", `exec 3>${fifo}; sleep 0.1`], { timeout: limitMs });
    assert.is(writer.status, 0, "the late open took place");
    rmSync(fifo);
  });

  test("a plain file's geometry", async () => {
    const device = await openGood(io, newFile("disk", 3));
    const { kind, sizeBytes, wwid, partition, readOnly } = device.geometry;
    assert.equal(
      { kind, sizeBytes, wwid, partition, readOnly },
      { kind: "file", sizeBytes: 12288, wwid: null, partition: null, readOnly: false },
    );
    await device.close();
  });
}

function losetup(...args: readonly string[]): string {
  return execFileSync("losetup", args, { encoding: "utf8" }).trim();
}

function loopTests(test: Test, io: BlockIo): void {
  const probe = spawnSync("losetup", ["-f"]);
  if (process.getuid?.() !== 0 || probe.status !== 0) {
    console.log(`skipped: ${io.engine}: loop devices: needs root and losetup`);
    return;
  }
  for (const logicalBytes of [512, 4096]) {
    test(`a device of ${logicalBytes} bytes a sector`, async () => {
      const backing = newFile("backing", 16);
      const name = losetup("-f", "--show", "-b", String(logicalBytes), "--direct-io=on", backing);
      try {
        const device = await openGood(io, name);
        const { geometry } = device;
        assert.is(geometry.kind, "block");
        assert.is(geometry.sizeBytes, 65536);
        assert.is(geometry.logicalBytes, logicalBytes);
        assert.is(geometry.wwid, `loop.${backing}`);
        assert.ok(geometry.direct && !geometry.readOnly);
        assert.match(geometry.deviceNumber, /^7:\d+$/);
        const lane = newLane(device, 65536);
        lane.bytes.fill(1, 0, 4096);
        assert.is((await lane.write(61440, 4096, limitMs)).kind, "done");
        assert.is((await lane.read(0, 65536, limitMs)).kind, "done");
        assert.is(lane.bytes[61440], 1);
        assert.is(lane.bytes[61439], 0);
        await device.close();
        const exclusive = await io.open(name, "write", limitMs, { exclusive: true });
        assert.ok(exclusive.ok);
        const second = await io.open(name, "write", limitMs, { exclusive: true });
        assert.ok(!second.ok && second.code === "EBUSY");
        if (exclusive.ok) await exclusive.device.close();
      } finally {
        losetup("-d", name);
      }
    });
  }

  test("a read-only device is read and not written", async () => {
    const name = losetup("-f", "--show", "--read-only", newFile("backing", 4));
    try {
      const code = await refusal(io, name, "write");
      assert.ok(["EROFS", "EACCES", "EPERM"].includes(code), code);
      const device = await openGood(io, name, "read");
      assert.ok(device.geometry.readOnly);
      assert.is((await newLane(device, 4096).read(0, 4096, limitMs)).kind, "done");
      await device.close();
    } finally {
      losetup("-d", name);
    }
  });
}

function callTests(test: Test, io: BlockIo): void {
  test("clocks go forward and count alike", () => {
    const first = io.clocks();
    const second = io.clocks();
    assert.ok(second.monotonicNs > first.monotonicNs);
    assert.ok(second.rawNs > first.rawNs);
    assert.ok(first.boottimeNs >= first.monotonicNs);
    const drift = Number(process.hrtime.bigint() - second.monotonicNs);
    assert.ok(drift >= 0 && drift < 1e9, "the run-time's own clock is the same");
  });

  test("CRC32C of any bytes", async () => {
    assert.is(io.crc32c(Buffer.from("123456789")), 0xe3069283);
    assert.is(io.crc32c(new Uint8Array(32)), 0x8a9136aa);
    assert.is(io.crc32c(new Uint8Array(0)), 0);
    const device = await openGood(io, newFile("disk", 2));
    const lane = newLane(device, 200_000);
    for (let i = 0; i < lane.bytes.length; i++) lane.bytes[i] = (i * 7919) >> 3;
    assert.is(
      io.crc32c(lane.bytes),
      io.crc32c(Uint8Array.from(lane.bytes)),
      "in place or by pieces",
    );
    await device.close();
  });

  test("an instance lock is held once", () => {
    const file = path.join(folder, `lock-${io.engine}`);
    assert.equal(io.lockFile(file), { ok: true });
    const again = io.lockFile(file);
    assert.ok(!again.ok && again.code === "LOCKED");
    const elsewhere = io.lockFile(path.join(folder, "nowhere/lock"));
    assert.ok(!elsewhere.ok && elsewhere.code === "ENOENT");
  });
}

for (const engine of ["io_uring", "aio"] as const) {
  const io = openIo(engine);
  if (!io) continue;
  const engineSuite = suite(engine) as unknown as Test;
  assert.is(io.engine, engine);
  transferTests(engineSuite, io);
  openTests(engineSuite, io);
  loopTests(engineSuite, io);
  callTests(engineSuite, io);
  engineSuite("after its end nothing is called", () => {
    io.close();
    io.close();
    assert.throws(() => io.clocks(), /assertion failed/);
  });
  engineSuite.run();
}

test("an open after close is refused", async () => {
  const opened = openBlockIo();
  assert.ok(opened.ok);
  if (!opened.ok) return;
  opened.io.close();
  const device = await opened.io.open(path.join(os.tmpdir(), "any"), "read", limitMs);
  assert.ok(!device.ok && device.code === "CLOSED");
});

test.after(() => rmSync(folder, { recursive: true, force: true }));
test.run();
