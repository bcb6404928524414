/** Opening: each way in which a device can be the wrong one, its exit code and its one line. */
import { execFileSync } from "node:child_process";
import {
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readFileSync,
  symlinkSync,
  truncateSync,
} from "node:fs";
import path from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { clusterIdOf } from "../core/sector/cluster-id.ts";
import { blockBytes, type Superblock } from "../core/sector/layout.ts";
import { type BlockIo, openBlockIo } from "../device/block.ts";
import {
  keyIdOf,
  macWith,
  otherKey,
  sealing,
  sha256,
  testKey,
  testKeyId,
} from "../testing/core-seal.ts";
import { needRoot, testWhere } from "../testing/where.ts";
import { openVolume, type VolumeIo, type VolumeRequest } from "./open.ts";
import { superblockBytes } from "./superblock.ts";
import { memoryDevice, memoryIo } from "./testing/memory-device.ts";
import {
  digestOf,
  folder,
  newFile,
  newVolume,
  patch,
  superblockOf,
  withLoop,
} from "./testing/volumes.ts";

const native = openBlockIo();
if (!native.ok) throw new Error(native.message);
const blockIo: BlockIo = native.io;
test.after(() => blockIo.close());

const wanted = {
  access: "read",
  deadlineMs: 5000,
  mac: macWith(testKey),
  keyIds: [testKeyId],
  cluster: "bank",
  writerSite: "tokyo",
  readerSite: "osaka",
  wwid: null,
  dataDevices: [],
} as const;

async function refusal(changes: Partial<VolumeRequest> & { path: string }, io: VolumeIo = blockIo) {
  const opened = await openVolume(io, { ...wanted, ...changes });
  if (opened.ok) throw new Error(`${changes.path} was opened`);
  const { code, message } = opened.refusal;
  assert.not.match(message, /\n/);
  assert.ok(message.startsWith(`${changes.path}: `), message);
  return { code, message };
}

/** Refused so, and not a byte changed. */
async function refused(
  changes: Partial<VolumeRequest> & { path: string },
  code: number,
  ...words: readonly (string | RegExp)[]
): Promise<void> {
  const before = digestOf(changes.path);
  const found = await refusal(changes);
  assert.is(found.code, code, found.message);
  for (const word of words) {
    if (typeof word === "string") assert.ok(found.message.includes(word), found.message);
    else assert.match(found.message, word);
  }
  assert.is(digestOf(changes.path), before);
}

test("a volume opens, for reading and for writing", async () => {
  const file = await newVolume();
  for (const access of ["read", "write"] as const) {
    const opened = await openVolume(blockIo, { ...wanted, path: file, access });
    assert.ok(opened.ok);
    const { volume } = opened;
    assert.is(volume.clusterId, clusterIdOf("bank", sha256));
    assert.is(volume.superblock.writerSite, "tokyo");
    assert.is(volume.plan.slots, 8);
    assert.is(volume.plan.backupBlock, 511);
    await volume.device.close();
  }
});

test("whatever is not asked is accepted", async () => {
  const file = await newVolume();
  const open = { ...wanted, path: file, cluster: null, writerSite: null, readerSite: null };
  const opened = await openVolume(blockIo, open);
  assert.ok(opened.ok);
  await opened.volume.device.close();
});

test("no such device, and what is no device", async () => {
  const missing = await refusal({ path: path.join(folder, "missing") });
  assert.is(missing.code, 66);
  assert.match(missing.message, /does not exist/);
  const aFolder = path.join(folder, "a-folder");
  mkdirSync(aFolder);
  assert.is((await refusal({ path: aFolder })).code, 66);
  assert.is((await refusal({ path: "/dev/null" })).code, 66);
});

test("too small", () => refused({ path: newFile(512) }, 65, "too small"));

test("unformatted", async () => {
  await refused({ path: newFile() }, 65, "not formatted", "mirrorbeat format /");
});

test("something else stands there", async () => {
  const file = newFile();
  patch(file, 1080, Buffer.from([0x53, 0xef]));
  await refused({ path: file }, 77, "ext2 file system (at byte 1080)");
});

test("a torn or damaged primary: the backup helps", async () => {
  const file = await newVolume();
  patch(file, 0x40, Buffer.from("BANK"));
  await refused({ path: file }, 65, "checksum is wrong", `mirrorbeat format --repair ${file}`);
  patch(file, 0, Buffer.alloc(512));
  await refused({ path: file }, 65, "it is empty", `mirrorbeat format --repair ${file}`);
  patch(file, 0, Buffer.from("anything"));
  await refused({ path: file }, 65, "overwritten", "--repair");
});

test("primary and backup are damaged", async () => {
  const file = await newVolume();
  patch(file, 0x40, Buffer.from("BANK"));
  patch(file, 511 * blockBytes, Buffer.alloc(512));
  await refused({ path: file }, 65, "checksum is wrong", "its backup is no good either");
});

test("wrong key: both ids are told", async () => {
  const file = await newVolume();
  const keyIds = [0x0badcafe];
  const id = testKeyId.toString(16).padStart(8, "0");
  const mac = macWith(otherKey);
  await refused({ path: file, mac, keyIds }, 77, `key ${id}`, "holds 0badcafe");
});

/** Writes a primary (and the backup) with these changes, signed and whole. */
function rewrite(
  file: string,
  changes: Partial<Superblock>,
  places = ["primary", "backup"] as const,
) {
  const superblock = { ...superblockOf(file), ...changes };
  for (const which of places) {
    const bytes = superblockBytes(superblock, which, testKeyId, sealing);
    patch(file, which === "primary" ? 0 : superblock.backupBlock * blockBytes, bytes);
  }
}

test("forged: whole, but with a signature that does not fit", async () => {
  const file = await newVolume();
  const forger = (_id: number, bytes: Uint8Array) => macWith(otherKey)(keyIdOf(otherKey), bytes);
  const seal = { ...sealing, mac: forger };
  for (const [which, block] of [
    ["primary", 0],
    ["backup", 511],
  ] as const) {
    patch(file, block * blockBytes, superblockBytes(superblockOf(file), which, testKeyId, seal));
  }
  await refused({ path: file }, 65, "signature is wrong");
});

test("older, newer", async () => {
  const file = await newVolume();
  rewrite(file, { version: 1 });
  await refused({ path: file }, 65, "format version 1", "upgrade");
  rewrite(file, { version: 0, features: 4 });
  await refused({ path: file }, 65, "features of a newer version", "upgrade");
});

test("another cluster's: both names are told", async () => {
  const file = await newVolume();
  await refused({ path: file, cluster: "mill" }, 65, "cluster bank, not to mill");
});

test("a cluster's name that does not make its id", async () => {
  const file = await newVolume();
  rewrite(file, { clusterName: "mill" });
  await refused({ path: file, cluster: "mill" }, 65, "cluster id does not fit");
});

test("swapped: the volume of the other direction", async () => {
  const file = await newVolume();
  const swapped = { writerSite: "osaka", readerSite: "tokyo" };
  await refused({ path: file, ...swapped }, 78, "pvol and svol swapped?", "tokyo", "osaka");
});

test("another mirror's", async () => {
  const file = await newVolume();
  await refused({ path: file, readerSite: "kyoto" }, 65, "from tokyo to osaka", "to kyoto");
  await refused({ path: file, writerSite: "kyoto" }, 65, "from tokyo to osaka", "from kyoto");
});

test("a plan that does not fit: the device has shrunk", async () => {
  const file = await newVolume();
  truncateSync(file, 1024 * 1024);
  await refused({ path: file }, 65, "plan does not fit the device");
});

test("a pinned identity: both are shown", async () => {
  const file = await newVolume();
  await refused({ path: file, wwid: "naa.6000" }, 77, "not known", "naa.6000");
});

test("a data device, by any of its names", async () => {
  const file = await newVolume();
  await refused({ path: file, dataDevices: ["/dev/sdz", file] }, 78, "never a data volume");
  const link = path.join(folder, "link-to-data");
  symlinkSync(file, link);
  await refused({ path: file, dataDevices: [link] }, 78, link);
});

test("a block that cannot be read", async () => {
  const device = memoryDevice(Buffer.alloc(1 << 20), { badBlocks: new Set([0]) });
  const found = await refusal({ path: "/dev/memory" }, memoryIo(device));
  assert.is(found.code, 74);
  assert.match(found.message, /EIO/);
});

test("a device that does not answer", async () => {
  const device = memoryDevice(Buffer.alloc(1 << 20), { hangs: true });
  const found = await refusal({ path: "/dev/memory" }, memoryIo(device));
  assert.is(found.code, 124);
  assert.match(found.message, /did not end within 5000 ms/);
});

test("sectors of another size", async () => {
  const medium = readFileSync(await newVolume());
  const device = memoryDevice(medium, {}, { logicalBytes: 4096 });
  const found = await refusal({ path: "/dev/memory" }, memoryIo(device));
  assert.is(found.code, 65);
  assert.match(found.message, /formatted on sectors of 512 bytes, the device has 4096/);
  const plain = memoryDevice(medium, {}, { logicalBytes: 4096, kind: "file" });
  assert.ok((await openVolume(memoryIo(plain), { ...wanted, path: "/dev/memory" })).ok);
});

testWhere(test, [needRoot], "loop devices: identity, numbers, read-only, held", async () => {
  const file = await newVolume();
  const show = (...args: string[]) =>
    execFileSync("losetup", ["-f", "--show", ...args, file], { encoding: "utf8" }).trim();
  const loop = show();
  const readOnly = show("-r");
  try {
    const node = path.join(folder, "another-node");
    const [major, minor] = readFileSync(`/sys/block/${path.basename(loop)}/dev`, "ascii")
      .trim()
      .split(":");
    execFileSync("mknod", [node, "b", major ?? "", minor ?? ""]);
    const data = await refusal({ path: loop, dataDevices: [node] });
    assert.is(data.code, 78);
    assert.match(data.message, /is the same device/);
    const pinned = await refusal({ path: loop, wwid: "naa.1" });
    assert.is(pinned.code, 77);
    assert.match(pinned.message, /identity is loop\./);
    const writing = await refusal({ path: readOnly, access: "write" });
    assert.is(writing.code, 73);
    assert.match(writing.message, /read-only/);
    const holder = openSync(loop, constants.O_RDWR | constants.O_EXCL);
    const held = await refusal({ path: loop, access: "write", exclusive: true });
    closeSync(holder);
    assert.is(held.code, 75);
    assert.match(held.message, /in use/);
  } finally {
    execFileSync("losetup", ["-d", loop]);
    execFileSync("losetup", ["-d", readOnly]);
  }
});

testWhere(test, [needRoot], "a volume of 512-byte sectors shown with 4096", async () => {
  await withLoop(4096, 2 << 20, async (device, file) => {
    const volume = await newVolume();
    patch(file, 0, readFileSync(volume));
    const found = await refusal({ path: device });
    assert.is(found.code, 65);
    assert.match(found.message, /sectors of 512 bytes, the device has 4096/);
  });
});

test.run();
