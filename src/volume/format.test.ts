/** Formatting under power loss at every sector, on devices that lie, and the room it needs. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { blockBytes } from "../core/sector/layout.ts";
import { planVolume } from "../core/sector/volume.ts";
import { macWith, sealing, testKey, testKeyId } from "../testing/core-seal.ts";
import { Transfers } from "./device-io.ts";
import {
  extentsToZero,
  formatVolume,
  type FormatWish,
  planFormat,
  slotsThatFit,
} from "./format.ts";
import { openVolume } from "./open.ts";
import { planRepair, repairVolume } from "./repair.ts";
import { memoryDevice, memoryIo, type MemoryFaults } from "./testing/memory-device.ts";

const wish: FormatWish = {
  cluster: "bank",
  writerSite: "tokyo",
  readerSite: "osaka",
  slots: 2,
  echoPeers: 2,
  mailboxBlocksPerSlot: 1,
  timings: null,
};
const blocks = 32;
const sizeBytes = blocks * blockBytes;
const oldId = "aaaaaaaa-0000-4000-8000-000000000001";
const newId = "bbbbbbbb-0000-4000-8000-000000000002";

function transfersOn(medium: Buffer, faults: MemoryFaults = {}): Transfers {
  const transfers = Transfers.on(memoryDevice(medium, faults), 1000);
  if ("refusal" in transfers) throw new Error(transfers.refusal.message);
  return transfers;
}

async function formatOn(medium: Buffer, volumeId: string, faults: MemoryFaults = {}) {
  const planned = planVolume(sizeBytes, wish);
  if (!planned.ok) throw new Error("it fits");
  const seal = { ...sealing, keyId: testKeyId, volumeId, wallNs: 1n };
  return formatVolume(transfersOn(medium, faults), wish, planned.plan, seal, true);
}

const request = {
  path: "/dev/memory",
  access: "read",
  deadlineMs: 1000,
  mac: macWith(testKey),
  keyIds: [testKeyId],
  cluster: "bank",
  writerSite: "tokyo",
  readerSite: "osaka",
  wwid: null,
  dataDevices: [],
} as const;

const open = (medium: Buffer) => openVolume(memoryIo(memoryDevice(medium)), request);

const isZero = (bytes: Buffer) => bytes.every((byte) => byte === 0);

/** What a volume of that id must look like once it opens. */
function assertWhole(medium: Buffer, volumeId: string, areas: Buffer): void {
  const inUse = medium.subarray(blockBytes, 14 * blockBytes);
  if (volumeId === oldId) assert.ok(inUse.equals(areas), "the old volume keeps its areas");
  else assert.ok(isZero(inUse), "the new volume begins with empty areas");
}

test("power loss at any sector: the old volume, none, or the new one", async () => {
  const before = Buffer.alloc(sizeBytes);
  const formatted = await formatOn(before, oldId);
  assert.ok(formatted.ok);
  before.fill(0xee, 8 * blockBytes, 14 * blockBytes); // records and mailboxes in use
  const areas = Buffer.from(before.subarray(blockBytes, 14 * blockBytes));
  const seen = { old: 0, none: 0, repairable: 0, fresh: 0 };
  for (let sectors = 0; ; sectors++) {
    const medium = Buffer.from(before);
    const result = await formatOn(medium, newId, { sectorsUntilPowerLoss: sectors });
    const opened = await open(medium);
    if (opened.ok) {
      assertWhole(medium, opened.volume.volumeId, areas);
      if (opened.volume.volumeId === oldId) seen.old += 1;
      else seen.fresh += 1;
    } else {
      assert.is(result.ok, false);
      const transfers = transfersOn(medium);
      const planned = await planRepair(transfers, {
        ...sealing,
        keyIds: [testKeyId],
        force: false,
      });
      if (!planned.ok || !planned.repair) seen.none += 1;
      else {
        assert.is(await repairVolume(transfers, planned.repair, sealing), null);
        const again = await open(medium);
        assert.ok(again.ok);
        assertWhole(medium, again.volume.volumeId, areas);
        seen.repairable += 1;
      }
    }
    if (result.ok) break;
  }
  for (const [kind, times] of Object.entries(seen)) assert.ok(times > 0, `${kind}: ${times}`);
});

test("a device that loses what is written is found out", async () => {
  const medium = Buffer.alloc(sizeBytes, 1);
  const result = await formatOn(medium, newId, { liesOnWrite: true });
  assert.is(result.ok, false);
  if (!result.ok) {
    assert.is(result.refusal.code, 74);
    assert.match(result.refusal.message, /reads back differently/);
  }
});

test("a device that hangs answers by the deadline", async () => {
  const result = await formatOn(Buffer.alloc(sizeBytes), newId, { hangs: true });
  assert.is(result.ok, false);
  if (!result.ok) assert.is(result.refusal.code, 124);
});

test("what is zeroed: the old primary first, the backup's block next, all that is used", () => {
  const planned = planVolume(64 << 20, { ...wish, slots: 8, mailboxBlocksPerSlot: 16 });
  if (!planned.ok) throw new Error("it fits");
  const used = 8 + 16 + 8 * 16;
  assert.equal(extentsToZero(planned.plan, 64 << 20, false), [
    { first: 0, count: 1 },
    { first: 16383, count: 1 },
    { first: 1, count: used - 1 },
    { first: 16383, count: 1 },
  ]);
  assert.equal(extentsToZero(planned.plan, 64 << 20, true).slice(2), [
    { first: 1, count: 527 },
    { first: 16384 - 256, count: 256 },
  ]);
});

test("zeroing never leaves the device, however small it is", () => {
  for (let count = 15; count < 700; count += 7) {
    const planned = planVolume(count * blockBytes + 512, wish);
    if (!planned.ok) throw new Error("it fits");
    for (const wipes of [false, true]) {
      for (const { first, count: length } of extentsToZero(
        planned.plan,
        count * blockBytes,
        wipes,
      )) {
        assert.ok(length > 0 && first >= 0 && first + length <= count);
      }
    }
  }
});

test("too small: the bytes that are needed, and the slots that would fit", () => {
  const geometry = { ...memoryDevice(Buffer.alloc(100 * blockBytes)).geometry };
  const planned = planFormat(
    "/dev/x",
    geometry,
    { ...wish, slots: 8, mailboxBlocksPerSlot: 16 },
    2,
  );
  assert.is(planned.ok, false);
  if (!planned.ok) {
    assert.is(planned.refusal.code, 65);
    assert.match(planned.refusal.message, /8 slots need 626688 bytes; 5 slots would fit/);
  }
  assert.is(slotsThatFit(100 * blockBytes, 16, 2), 5);
  assert.is(slotsThatFit(8 * blockBytes, 16, 2), 0);
  assert.is(slotsThatFit(2 ** 40, 16, null), 4096);
});

test.run();
