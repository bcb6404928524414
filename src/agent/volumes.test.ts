/** One volume under an agent: what is looked at before it is written, and what is asked of it when. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { decodeSector } from "../core/sector/codec.ts";
import { blockBytes, type HeartbeatRecord, sectorBytes } from "../core/sector/layout.ts";
import { type Copy, echoBlockOf, planVolume, recordBlockOf } from "../core/sector/volume.ts";
import type { RecordBody } from "../core/step/state.ts";
import type { BlockDevice, BlockIo, IoOutcome, Lane } from "../device/block.ts";
import type { KeySet } from "../host/key-file.ts";
import { recordValues } from "../testing/core-samples.ts";
import { crc32c, keyIdOf, otherKey, testKey } from "../testing/core-seal.ts";
import { Transfers } from "../volume/device-io.ts";
import { formatVolume, type FormatWish } from "../volume/format.ts";
import { openVolume, type Volume } from "../volume/open.ts";
import { superblockBytes } from "../volume/superblock.ts";
import { memoryDevice, memoryIo } from "../volume/testing/memory-device.ts";
import { MirrorOut } from "./mirror-out.ts";
import { SlotWriter } from "./pvol.ts";
import { resignSuperblock } from "./resign.ts";
import { encodeRecordBlock, keyring, type Keyring } from "./seal.ts";
import { type Poll, Reader, type VolumeOpener } from "./svol.ts";

const blocks = 64;
const limitMs = 100;
const oldId = keyIdOf(testKey);
const newId = keyIdOf(otherKey);
const idOne = "aaaaaaaa-0000-4000-8000-000000000001";
const idTwo = "bbbbbbbb-0000-4000-8000-000000000002";

const keyOf = (secret: Uint8Array) => ({ id: keyIdOf(secret), secret: Buffer.from(secret) });
const before: KeySet = { signing: keyOf(testKey), accepted: [keyOf(otherKey)], retiring: [] };
const promoted: KeySet = {
  signing: keyOf(otherKey),
  accepted: [keyOf(testKey)],
  retiring: [oldId],
};
const oldOnly: KeySet = { signing: keyOf(testKey), accepted: [], retiring: [] };

const keysOf = (keys: KeySet): Keyring => keyring(keys, { crc32c });

const wishOf = (slots: number): FormatWish => ({
  cluster: "bank",
  writerSite: "tokyo",
  readerSite: "osaka",
  slots,
  echoPeers: 2,
  mailboxBlocksPerSlot: 1,
  timings: null,
});

async function format(medium: Buffer, volumeId: string, slots = 2): Promise<void> {
  const transfers = Transfers.on(memoryDevice(medium), limitMs);
  const planned = planVolume(medium.length, wishOf(slots));
  if ("refusal" in transfers || !planned.ok) throw new Error("it fits");
  const { sealing } = keysOf(before);
  const seal = { ...sealing(), volumeId, wallNs: 1n };
  const done = await formatVolume(transfers, wishOf(slots), planned.plan, seal, true);
  assert.ok(done.ok);
}

async function formatted(): Promise<Buffer> {
  const medium = Buffer.alloc(blocks * blockBytes);
  await format(medium, idOne);
  return medium;
}

const request = {
  path: "/dev/memory",
  access: "write",
  deadlineMs: limitMs,
  keyIds: [oldId],
  cluster: "bank",
  writerSite: "tokyo",
  readerSite: "osaka",
  wwid: null,
  dataDevices: [],
} as const;

async function volumeOn(device: BlockDevice): Promise<Volume> {
  const { mac } = keysOf(before);
  const opened = await openVolume(memoryIo(device), { ...request, mac });
  if (!opened.ok) throw new Error(opened.refusal.message);
  return opened.volume;
}

/** The medium's device; each read waits for `gate` first, if there is one. */
type Gated = { readonly device: BlockDevice; gate: (() => Promise<IoOutcome | null>) | null };

function gatedOn(medium: Buffer): Gated {
  const plain = memoryDevice(medium);
  const gateLane = (lane: Lane): Lane => ({
    bytes: lane.bytes,
    ownedByKernel: false,
    read: async (offset, length, deadlineMs) =>
      (await gated.gate?.()) ?? lane.read(offset, length, deadlineMs),
    write: (offset, length, deadlineMs) => lane.write(offset, length, deadlineMs),
    settled: () => lane.settled(),
  });
  const lane = (lengthBytes: number): Lane | null => {
    const made = plain.lane(lengthBytes);
    return made && gateLane(made);
  };
  const gated: Gated = { device: { ...plain, lane }, gate: null };
  return gated;
}

/** What readers ask of block I/O, without the native library. */
const io = {
  crc32c,
  scan(area: Buffer, remembered: Buffer, shape: { blockCount: number }, isFirst: boolean) {
    const changed: { index: number; checksumAgrees: boolean }[] = [];
    for (let index = 0; index < shape.blockCount; index++) {
      const live = area.subarray(index * blockBytes, index * blockBytes + sectorBytes);
      const known = remembered.subarray(index * sectorBytes, (index + 1) * sectorBytes);
      if (!isFirst && live.equals(known)) continue;
      live.copy(known);
      changed.push({ index, checksumAgrees: true });
    }
    return changed;
  },
} as unknown as BlockIo;

const never: VolumeOpener = () => new Promise(() => undefined);
/** Without its place and seal, which are added by who writes it. */
const bodyOf = (changes: Partial<HeartbeatRecord>): RecordBody => {
  const { version, medium, copy, features, clusterId, volumeId, block, ...rest } =
    recordValues(changes);
  const { slot, site, echoSectors, echoPeers, ...body } = rest;
  return body;
};
const noEchoes = { peerSiteId: 2, echoes: [] };

/** As if an earlier start of this host, or another host, had written it. */
function put(
  medium: Buffer,
  volume: Volume,
  slot: number,
  copy: Copy,
  changes: Partial<HeartbeatRecord>,
  keys = before,
): void {
  const { clusterId, volumeId, plan } = volume;
  const block = recordBlockOf(plan, slot, copy);
  const at = medium.subarray(block * blockBytes, (block + 1) * blockBytes);
  const place = { volumeId, block, copy };
  const writer = { clusterId, siteId: 1, slot };
  encodeRecordBlock(at, place, writer, bodyOf(changes), noEchoes, keysOf(keys).sealing());
}

const recordAt = (medium: Buffer, volume: Volume, slot: number, copy: Copy) => {
  const at = recordBlockOf(volume.plan, slot, copy) * blockBytes;
  return decodeSector("record", medium.subarray(at, at + sectorBytes));
};

type Out = {
  readonly out: MirrorOut;
  readonly own: HeartbeatRecord[];
  readonly lost: string[];
};

function outOf(volume: Volume | null, open = never, slot = 0, nowMs = () => 0): Out {
  const own: HeartbeatRecord[] = [];
  const lost: string[] = [];
  const out = new MirrorOut({
    io,
    own: {
      mirror: { name: "a-b", pvol: "/dev/memory", reader: "osaka" },
      open,
      volume,
      newestCopy: 1,
    } as unknown as ConstructorParameters<typeof MirrorOut>[0]["own"],
    writer: { clusterId: volume?.clusterId ?? "", siteId: 1, slot },
    keys: keysOf(before),
    writeLimitMs: limitMs,
    slots: 2,
    inUse: () => true,
    mayStand: (record) => record.incarnation <= 7n,
    nowMs,
    onFault: () => undefined,
    onSibling: () => undefined,
    onLook: () => undefined,
    onOwnRecord: (record) => void own.push(record),
    onSlotLost: (detail) => void lost.push(detail),
  });
  return { out, own, lost };
}

const write = (out: MirrorOut, serial: bigint, term = 257n) =>
  out.write(bodyOf({ incarnation: 7n, serial, term }), noEchoes, false);

test("a superblock is signed anew only where its key is retiring here, and the disk is asked", async () => {
  const medium = await formatted();
  const volume = await volumeOn(memoryDevice(medium));
  const keyOnDisk = () => decodeSector("superblock", medium.subarray(0, sectorBytes)).keyId;
  const signWith = (keyId: number) => {
    for (const which of ["primary", "backup"] as const) {
      const block = which === "primary" ? 0 : volume.superblock.backupBlock;
      superblockBytes(volume.superblock, which, keyId, keysOf(before)).copy(
        medium,
        block * blockBytes,
      );
    }
  };
  const keys = keysOf(before);
  signWith(newId);
  assert.is(await resignSuperblock(volume, keys, limitMs), "not needed");
  assert.is(keyOnDisk(), newId, "another host of this site is one step further");
  // Opened while the new key signed it; then another host put the old key back.
  const later = await volumeOn(memoryDevice(medium));
  signWith(oldId);
  keys.replace(promoted);
  assert.is(await resignSuperblock(later, keys, limitMs), "done");
  assert.is(keyOnDisk(), newId);
  assert.is(await resignSuperblock(later, keys, limitMs), "not needed");
});

function readerOn(
  volume: Volume | null,
  open: VolumeOpener,
  nowMs: () => number,
  keys: Keyring,
  onFault: (fault: string | null) => void = () => undefined,
) {
  return new Reader({
    io,
    open,
    first: volume,
    slots: 2,
    siteId: 1,
    echoSlot: null,
    writes: false,
    keys,
    nowMs,
    readDeadlineMs: 2000,
    hungAfterMs: 100,
    onFault,
  });
}

test("a poll waits for the read under way, one at most, until that read hangs", async () => {
  const gated = gatedOn(await formatted());
  const volume = await volumeOn(gated.device);
  let nowMs = 0;
  let reads = 0;
  let release: (outcome: IoOutcome | null) => void = () => undefined;
  gated.gate = () => {
    reads += 1;
    return new Promise((resolve) => {
      release = resolve;
    });
  };
  const reader = readerOn(volume, never, () => nowMs, keysOf(before));
  const first = reader.poll();
  nowMs = 75;
  const second = reader.poll();
  assert.is(await reader.poll(), null, "one that waits serves for this one too");
  assert.is(reads, 1);
  release(null);
  assert.is((await first)?.read.kind, "good");
  await new Promise((resolve) => setImmediate(resolve));
  assert.is(reads, 2, "the second begins when the first has ended");
  release(null);
  assert.is((await second)?.read.kind, "good");
  const third = reader.poll();
  nowMs += 101;
  const hung = await reader.poll();
  assert.ok(hung?.read.kind === "failed" && hung.read.failure === "hung");
  release(null);
  assert.is((await third)?.read.kind, "good");
});

test("a reader whose device hangs or is lost says so once, and when it reads again", async () => {
  const gated = gatedOn(await formatted());
  const volume = await volumeOn(gated.device);
  let nowMs = 0;
  let opens = 0;
  const told: (string | null)[] = [];
  const open: VolumeOpener = async () => {
    opens += 1;
    if (opens > 1) return { ok: true, volume };
    return { ok: false, refusal: { code: 74, message: "cannot be read" } };
  };
  const reader = readerOn(
    volume,
    open,
    () => nowMs,
    keysOf(before),
    (fault) => told.push(fault),
  );
  const read = async (times: number) => {
    for (let n = 0; n < times; n++) {
      await reader.poll();
      await new Promise((resolve) => setImmediate(resolve));
      nowMs += 500;
    }
  };
  await read(1);
  gated.gate = async () => ({ kind: "expired", beganNs: 0n, endedNs: 0n });
  await read(3);
  gated.gate = null;
  await read(2);
  assert.equal(told.splice(0), ["read hung", null]);
  gated.gate = async () => ({ kind: "failed", code: "EIO", beganNs: 0n, endedNs: 0n });
  await read(4);
  assert.equal(told, [], "a read that fails now and then is the path's own matter");
  await read(4);
  assert.equal(told, ["read EIO", "cannot be read"]);
  gated.gate = null;
  await read(6);
  assert.equal(told, ["read EIO", "cannot be read", null]);
});

test("a reader under which something else appears asks what it is, until that is said", async () => {
  const medium = await formatted();
  const volume = await volumeOn(memoryDevice(medium));
  put(medium, volume, 0, 0, { serial: 5n });
  const right = Buffer.from(medium);
  let nowMs = 0;
  const told: (string | null)[] = [];
  const refused: VolumeOpener = async () => ({
    ok: false,
    refusal: { code: 65, message: "not formatted" },
  });
  const reader = readerOn(
    volume,
    refused,
    () => nowMs,
    keysOf(before),
    (f) => told.push(f),
  );
  const read = async (times: number) => {
    for (let n = 0; n < times; n++) {
      await reader.poll();
      await new Promise((resolve) => setImmediate(resolve));
      nowMs += 500;
    }
  };
  await read(1);
  // Its superblock alone: the records are read on.
  medium.fill(0, 0, blockBytes);
  await read(6);
  assert.equal(told.splice(0).map((fault) => fault?.slice(0, 25)), ["its superblock is damaged"]); // biome-ignore format: one list
  right.copy(medium);
  await read(1);
  assert.equal(told.splice(0), [null]);
  // Everything, in two polls.
  medium.fill(0, 0, blockBytes);
  await read(1);
  medium.fill(0);
  await read(6);
  assert.equal(told.splice(0).slice(1), ["not formatted"]);
  // The same once more, while the attempt to open it was made just now.
  right.copy(medium);
  await read(1);
  medium.fill(0);
  await read(6);
  assert.equal(told.splice(0).at(-1), "not formatted");
  right.copy(medium);
  await read(1);
  assert.equal(told, [null]);
});

test("a device that hangs is asked to open once, until that attempt has come back", async () => {
  let nowMs = 0;
  let tries = 0;
  let back: () => void = () => undefined;
  const owed = new Promise<void>((resolve) => {
    back = resolve;
  });
  const open: VolumeOpener = async () => {
    tries += 1;
    return { ok: false, refusal: { code: 124, message: "hangs" }, owed };
  };
  const reader = readerOn(null, open, () => nowMs, keysOf(before));
  for (; nowMs < 60_000; nowMs += 1000) {
    await reader.poll();
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.is(tries, 1);
  back();
  await new Promise((resolve) => setImmediate(resolve));
  await reader.poll();
  assert.is(tries, 2);
});

test("a volume whose reading hangs says when its device has come back", async () => {
  const medium = await formatted();
  const hanging = memoryDevice(medium, { hangs: true });
  let back: () => void = () => undefined;
  const closed = new Promise<void>((resolve) => {
    back = resolve;
  });
  const { mac } = keysOf(before);
  const device = { ...hanging, close: () => closed };
  const opened = await openVolume(memoryIo(device), { ...request, mac });
  assert.ok(!opened.ok && opened.owed);
  let isBack = false;
  void opened.owed.then(() => {
    isBack = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  assert.is(isBack, false);
  back();
  await opened.owed;
});

test("a slot that the volume does not have is never written", async () => {
  const medium = await formatted();
  const volume = await volumeOn(memoryDevice(medium));
  const keys = keysOf(before);
  const writer = { clusterId: volume.clusterId, siteId: 1, slot: 2 };
  assert.is(
    SlotWriter.open(volume, writer, keys, () => limitMs, 1),
    null,
  );
  assert.throws(() => recordBlockOf(volume.plan, 2, 0));
  assert.throws(() => echoBlockOf(volume.plan, 2, 0));
  const bytes = Buffer.from(medium);
  const { out } = outOf(volume, never, 2);
  assert.is((await write(out, 1n)).kind, "skipped");
  assert.match(out.fault ?? "", /--slots 3/);
  assert.ok(medium.equals(bytes));
});

test("another volume under the name is seen before it is written, and the reason is told", async () => {
  const medium = await formatted();
  const volume = await volumeOn(memoryDevice(medium));
  let nowMs = 0;
  const message = "belongs to somebody else";
  const refused: VolumeOpener = async () => ({ ok: false, refusal: { code: 65, message } });
  const { out } = outOf(volume, refused, 0, () => nowMs);
  assert.is((await write(out, 1n)).kind, "durable");
  await format(medium, idTwo);
  const bytes = Buffer.from(medium);
  for (let serial = 2n; serial < 6n; serial++) {
    assert.is((await write(out, serial)).kind, "skipped");
    nowMs += 3000;
  }
  assert.ok(medium.equals(bytes), "not one write");
  assert.is(out.fault, message);
  assert.is(out.counts.failed, 0);
});

test("a look that fails later forbids no write; before the first good one nothing is written", async () => {
  const medium = await formatted();
  const gated = gatedOn(medium);
  const volume = await volumeOn(gated.device);
  const expired: IoOutcome = { kind: "expired", beganNs: 0n, endedNs: 0n };
  const { out } = outOf(volume);
  gated.gate = async () => expired;
  assert.is((await write(out, 1n)).kind, "skipped");
  gated.gate = null;
  assert.is((await write(out, 2n)).kind, "durable");
  gated.gate = async () => expired;
  assert.is((await write(out, 3n)).kind, "durable");
  assert.is(recordAt(medium, volume, 0, 1).serial, 3n);
});

test("writes keep their order while looks are slow, and the surplus is skipped", async () => {
  const medium = await formatted();
  const gated = gatedOn(medium);
  const volume = await volumeOn(gated.device);
  gated.gate = async () => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    return null;
  };
  const { out } = outOf(volume);
  const ends = await Promise.all([write(out, 1n), write(out, 2n), write(out, 3n)]);
  assert.equal(
    ends.map(({ kind }) => kind),
    ["durable", "durable", "skipped"],
  );
  assert.is(recordAt(medium, volume, 0, 0).serial, 1n);
  assert.is(recordAt(medium, volume, 0, 1).serial, 2n);
});

test("the first write knows what stands in our slot: its newer copy stays, its term is told", async () => {
  const medium = await formatted();
  const volume = await volumeOn(memoryDevice(medium));
  put(medium, volume, 0, 0, { incarnation: 6n, serial: 90n, term: 513n });
  put(medium, volume, 0, 1, { incarnation: 6n, serial: 89n, term: 257n });
  const { out, own, lost } = outOf(volume);
  assert.is((await write(out, 1n, 257n)).kind, "skipped", "made before that term was known");
  assert.equal(
    own.map(({ term }) => term),
    [513n],
  );
  assert.is((await write(out, 2n, 513n)).kind, "durable");
  assert.is(recordAt(medium, volume, 0, 0).serial, 90n);
  assert.is(recordAt(medium, volume, 0, 1).serial, 2n);
  assert.equal(lost, []);
});

test("a record that we cannot have written costs the slot before a write", async () => {
  const medium = await formatted();
  const volume = await volumeOn(memoryDevice(medium));
  put(medium, volume, 0, 0, { incarnation: 8n, serial: 1n });
  const bytes = Buffer.from(medium);
  const { out, own, lost } = outOf(volume);
  assert.is((await write(out, 1n)).kind, "skipped");
  assert.is(lost.length, 1);
  assert.equal(own, []);
  assert.ok(medium.equals(bytes));
});

test("what was signed with a key that came later is believed when it comes, though unchanged", async () => {
  const medium = await formatted();
  const volume = await volumeOn(memoryDevice(medium));
  put(medium, volume, 0, 0, { serial: 5n }, { ...before, signing: keyOf(otherKey) });
  const keys = keysOf(oldOnly);
  const reader = readerOn(volume, never, () => 0, keys);
  const kindOf = (poll: Poll | null) => poll?.seen.find(({ slot }) => slot === 0)?.reading.kind;
  assert.is(kindOf(await reader.poll()), "rejected");
  assert.is(kindOf(await reader.poll()), undefined, "unchanged");
  keys.replace(before);
  assert.is(kindOf(await reader.poll()), "record");
  assert.is(kindOf(await reader.poll()), undefined);
});

test.run();
