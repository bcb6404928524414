/** The poller on an area that others write to, and its speed where nothing changes. */
import { mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from "node:fs";
import path from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type AreaShape, type BlockIo, type IoOutcome, openBlockIo } from "./block.ts";
import { createAreaPoller } from "./poller.ts";

const limitMs = 5000;
const folder = mkdtempSync("/var/tmp/mirrorbeat-poller-");
const opened = openBlockIo();
if (!opened.ok) throw new Error(opened.message);
const { io } = opened;

const shapeOf = (blockCount: number): AreaShape => ({
  blockCount,
  strideBytes: 4096,
  liveBytes: 512,
  checksumOffset: 508,
});

function block(io: BlockIo, fill: number): Buffer {
  const bytes = Buffer.alloc(512, fill);
  bytes.writeUInt32LE(io.crc32c(bytes.subarray(0, 508)), 508);
  return bytes;
}

async function openArea(blockCount: number) {
  const file = path.join(folder, "area");
  writeFileSync(file, Buffer.alloc((blockCount + 1) * 4096));
  const device = await io.open(file, "read", limitMs);
  if (!device.ok) throw new Error(device.message);
  const poller = createAreaPoller(io, device.device, 4096, shapeOf(blockCount));
  if (!poller) throw new Error("no lanes");
  const descriptor = openSync(file, "r+");
  const write = (index: number, bytes: Buffer) =>
    writeSync(descriptor, bytes, 0, bytes.length, (index + 1) * 4096);
  return { device: device.device, poller, write };
}

test("the first reading shows every block, the next ones what changed", async () => {
  const { device, poller, write } = await openArea(10);
  const first = await poller.poll(limitMs);
  assert.ok(first.kind === "read" && first.changed.length === 10);
  const second = await poller.poll(limitMs);
  assert.ok(second.kind === "read" && second.changed.length === 0);
  write(3, block(io, 1));
  write(9, Buffer.alloc(512, 2)); // a wrong checksum
  const third = await poller.poll(limitMs);
  assert.ok(third.kind === "read");
  if (third.kind !== "read") return;
  assert.equal(third.changed, [
    { index: 3, checksumAgrees: true },
    { index: 9, checksumAgrees: false },
  ]);
  assert.is(third.bytes[3 * 4096], 1);
  const fourth = await poller.poll(limitMs);
  assert.ok(fourth.kind === "read" && fourth.changed.length === 0);
  await device.close();
});

test("a poll that fails loses no change", async () => {
  const interval = { beganNs: 0n, endedNs: 0n };
  const outcomes: IoOutcome[] = [
    { kind: "done", ...interval },
    { kind: "failed", code: "EIO", ...interval },
    { kind: "expired", ...interval },
    { kind: "done", ...interval },
  ];
  // Lanes of the real device, whose reads are answered by the script above.
  const { device, write } = await openArea(4);
  const scripted = {
    ...device,
    memory: (lengthBytes: number) => device.memory(lengthBytes),
    lane: (lengthBytes: number) => {
      const lane = device.lane(lengthBytes);
      if (!lane) return null;
      const read = async (...args: readonly [number, number, number]) => {
        const outcome = outcomes.shift() ?? { kind: "busy" as const };
        const real = await lane.read(...args);
        if (outcome.kind !== "done") lane.bytes.fill(0xff); // whatever such a read may leave
        return outcome.kind === "done" ? real : outcome;
      };
      return {
        bytes: lane.bytes,
        ownedByKernel: false,
        read,
        write: lane.write,
        settled: async () => null,
      };
    },
  };
  const poller = createAreaPoller(io, scripted, 4096, shapeOf(4));
  if (!poller) throw new Error("no lanes");
  assert.is((await poller.poll(limitMs)).kind, "read");
  write(2, block(io, 7));
  assert.is((await poller.poll(limitMs)).kind, "failed");
  assert.is((await poller.poll(limitMs)).kind, "expired");
  const last = await poller.poll(limitMs);
  assert.ok(last.kind === "read");
  if (last.kind === "read") assert.equal(last.changed, [{ index: 2, checksumAgrees: true }]);
  await device.close();
});

test("4,000 blocks are scanned in a fraction of a millisecond", async () => {
  const { device, poller } = await openArea(4000);
  const reading = await poller.poll(limitMs);
  const remembered = device.memory(4000 * 512);
  if (!remembered || reading.kind !== "read") throw new Error("no memory");
  assert.is(io.scan(reading.bytes, remembered, shapeOf(4000), true).length, 4000);
  const times: number[] = [];
  for (let round = 0; round < 200; round++) {
    const began = performance.now();
    const changed = io.scan(reading.bytes, remembered, shapeOf(4000), false);
    times.push((performance.now() - began) * 1000);
    assert.is(changed.length, 0);
  }
  const median = times.sort((a, b) => a - b)[100] ?? Infinity;
  console.log(`scan of 4,000 unchanged blocks: median ${median.toFixed(0)} us`);
  assert.ok(median < 1000, `${median} us`);
  await device.close();
});

test.after(() => {
  io.close();
  rmSync(folder, { recursive: true, force: true });
});
test.run();
