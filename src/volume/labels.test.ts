/**
 * Labels: sectors of real programs and hand-made ones (fixtures/labels), what the programs at hand
 * make at this moment, and blkid's opinion on all of them.
 *
 * A fixture holds a device's size, what is to be found and where, and the bytes that are not zero:
 *   # who made it
 *   size BYTES
 *   label OFFSET KIND: NAME
 *   OFFSET HEX
 */
import { execFileSync, spawnSync } from "node:child_process";
import {
  closeSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  writeSync,
} from "node:fs";
import { statSync } from "node:fs";
import path from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { needProgram, needRoot, testWhere } from "../testing/where.ts";
import { marks } from "./label-table.ts";
import { findLabels, headBytes, type Label, labelText, tailBytes } from "./labels.ts";
import { folder, newFile, withLoop } from "./testing/volumes.ts";

const fixtures = "fixtures/labels";

type Fixture = {
  readonly name: string;
  readonly sizeBytes: number;
  readonly labels: readonly Label[];
  readonly parts: readonly { readonly at: number; readonly bytes: Buffer }[];
};

function readFixture(file: string): Fixture {
  const lines = readFileSync(path.join(fixtures, file), "utf8").trim().split("\n");
  const labels: Label[] = [];
  const parts: { at: number; bytes: Buffer }[] = [];
  let sizeBytes = 0;
  for (const line of lines) {
    const label = /^label (\d+) ([^:]+): (.+)$/.exec(line);
    const [first = "", second = ""] = line.split(" ");
    if (line.startsWith("#")) continue;
    if (first === "size") sizeBytes = Number(second);
    else if (label) {
      const [, at, kind, name = ""] = label;
      labels.push({ name, kind: kind as Label["kind"], atBytes: Number(at) });
    } else parts.push({ at: Number(first), bytes: Buffer.from(second, "hex") });
  }
  return { name: file.replace(/\.hex$/, ""), sizeBytes, labels, parts };
}

function materialise(fixture: Fixture): string {
  const file = path.join(folder, `label-${fixture.name}`);
  const descriptor = openSync(file, "w");
  ftruncateSync(descriptor, fixture.sizeBytes);
  for (const { at, bytes } of fixture.parts) writeSync(descriptor, bytes, 0, bytes.length, at);
  closeSync(descriptor);
  return file;
}

function labelsOfFile(file: string): readonly Label[] {
  const sizeBytes = statSync(file).size;
  const descriptor = openSync(file, "r");
  const read = (at: number, length: number) => {
    const bytes = Buffer.alloc(Math.min(length, sizeBytes - at));
    readSync(descriptor, bytes, 0, bytes.length, at);
    return bytes;
  };
  const whole = Math.floor(sizeBytes / 4096) * 4096;
  const tailAtBytes = Math.max(0, whole - tailBytes);
  const ends = {
    sizeBytes,
    head: read(0, headBytes),
    tail: read(tailAtBytes, tailBytes),
    tailAtBytes,
  };
  closeSync(descriptor);
  return findLabels(ends);
}

const all = readdirSync(fixtures)
  .filter((file) => file.endsWith(".hex"))
  .map(readFixture);

test("every fixture is recognised, where it stands", () => {
  assert.ok(all.length >= 40, `${all.length} fixtures`);
  for (const fixture of all) {
    assert.equal(labelsOfFile(materialise(fixture)), fixture.labels, fixture.name);
  }
});

test("every mark of the table is found at each of its places", () => {
  const sizeBytes = 64 * 1024 * 1024;
  for (const { name, magic, at = [], fromEnd = [] } of marks) {
    const places = [
      ...at,
      ...fromEnd.map(({ bytes, cut = 1 }) => Math.floor(sizeBytes / cut) * cut - bytes),
    ];
    assert.ok(places.length > 0, name);
    for (const place of places) {
      const parts = [{ at: place, bytes: Buffer.from(magic, "latin1") }];
      const file = materialise({ name: "mark", sizeBytes, labels: [], parts });
      const found = labelsOfFile(file).map((label) => label.name);
      assert.ok(found.includes(name), `${name} at ${place}: ${found}`);
    }
  }
});

test("a device of zeroes has nothing on it, at any size", () => {
  for (const size of [4096, 5 * 4096, 1024 * 1024, 1024 * 1024 + 512, 4 * 1024 * 1024]) {
    assert.equal(labelsOfFile(newFile(size)), []);
  }
});

test("one byte is enough: in the first and the last MiB, not between", () => {
  const sizeBytes = 8 * 1024 * 1024;
  const withByte = (at: number) => {
    const parts = [{ at, bytes: Buffer.from([1]) }];
    return labelsOfFile(materialise({ name: "byte", sizeBytes, labels: [], parts }));
  };
  for (const at of [0, 4095, 1024 * 1024 - 1, 7 * 1024 * 1024, sizeBytes - 1]) {
    assert.equal(withByte(at), [{ name: "unknown data", kind: "data", atBytes: at }]);
  }
  assert.equal(withByte(4 * 1024 * 1024), []);
});

test("a label reads well", () => {
  assert.is(
    labelText({ name: "ext4", kind: "file system", atBytes: 1080 }),
    "ext4 file system (at byte 1080)",
  );
  assert.is(
    labelText({ name: "unknown data", kind: "data", atBytes: 7 }),
    "unknown data (at byte 7)",
  );
});

/** How blkid calls what we call so. */
const blkidNames: Readonly<Record<string, RegExp>> = {
  crypto_LUKS: /^LUKS/,
  LVM2_member: /^LVM2/,
  linux_raid_member: /^MD RAID/,
  zfs_member: /^ZFS/,
  vfat: /^FAT/,
  iso9660: /^ISO/,
  swsuspend: /^hibernated/,
  swap: /^Linux/,
  drbd: /^DRBD/,
  oracleasm: /^Oracle ASM/,
  ceph_bluestore: /^Ceph/,
  VMFS_volume_member: /^VMFS/,
  // Of NTFS a fixture has the boot sector only.
  dos: /^(MBR|boot sector|NTFS)/,
  gpt: /^GPT/,
};

function blkid(file: string, tag: string): string {
  const args = ["-p", "-s", tag, "-o", "value", file];
  return spawnSync("blkid", args, { encoding: "utf8" }).stdout.trim();
}

testWhere(
  test,
  [needProgram("blkid", "util-linux")],
  "blkid finds nothing that we overlook",
  () => {
    let compared = 0;
    for (const fixture of all) {
      const file = materialise(fixture);
      const found = labelsOfFile(file).map((label) => label.name);
      const type = blkid(file, "TYPE");
      // Of a file system's own boot sector blkid also says "dos".
      const table = type === "" ? blkid(file, "PTTYPE") : "";
      for (const word of [type, table]) {
        if (word === "") continue;
        compared += 1;
        const wanted = blkidNames[word] ?? new RegExp(`^${word}`, "i");
        assert.ok(
          found.some((name) => wanted.test(name)),
          `${fixture.name}: ${word}, we: ${found}`,
        );
      }
    }
    assert.ok(compared >= 20, `blkid named ${compared}`);
  },
);

type Maker = {
  readonly program: string;
  readonly debianPackage: string;
  readonly args: readonly string[];
  readonly input?: string;
  readonly sizeMib: number;
  readonly expect: RegExp;
  /** Only on a real block device. */
  readonly onLoop?: boolean;
};

const makers: readonly Maker[] = [
  {
    program: "mkfs.ext4",
    debianPackage: "e2fsprogs",
    args: ["-q", "-F"],
    sizeMib: 32,
    expect: /^ext4 /,
  },
  { program: "mkfs.xfs", debianPackage: "xfsprogs", args: ["-f"], sizeMib: 320, expect: /^XFS / },
  {
    program: "mkfs.btrfs",
    debianPackage: "btrfs-progs",
    args: ["-f"],
    sizeMib: 128,
    expect: /^Btrfs /,
  },
  { program: "mkfs.vfat", debianPackage: "dosfstools", args: [], sizeMib: 32, expect: /^FAT / },
  { program: "mkfs.exfat", debianPackage: "exfatprogs", args: [], sizeMib: 32, expect: /^exFAT / },
  {
    program: "mkfs.ntfs",
    debianPackage: "ntfs-3g",
    args: ["-F", "-Q"],
    sizeMib: 32,
    expect: /^NTFS /,
  },
  {
    program: "mkfs.gfs2",
    debianPackage: "gfs2-utils",
    args: ["-O", "-j", "1", "-J", "8", "-p", "lock_nolock"],
    sizeMib: 256,
    expect: /^GFS2 /,
  },
  {
    program: "mkfs.ocfs2",
    debianPackage: "ocfs2-tools",
    args: ["-F", "-x", "-M", "local"],
    sizeMib: 256,
    expect: /^OCFS2 /,
  },
  { program: "mkswap", debianPackage: "util-linux", args: [], sizeMib: 16, expect: /^Linux swap/ },
  {
    program: "sfdisk",
    debianPackage: "fdisk",
    args: ["-q"],
    input: ",,83\n",
    sizeMib: 16,
    expect: /^MBR /,
  },
  {
    program: "sfdisk",
    debianPackage: "fdisk",
    args: ["-q"],
    input: "label: gpt\n,,L\n",
    sizeMib: 16,
    expect: /^GPT /,
  },
  {
    program: "cryptsetup",
    debianPackage: "cryptsetup-bin",
    args: [
      "luksFormat",
      "-q",
      "--key-file",
      "/etc/hostname",
      "--pbkdf",
      "pbkdf2",
      "--pbkdf-force-iterations",
      "1000",
    ],
    sizeMib: 32,
    expect: /^LUKS2 /,
  },
  {
    program: "make-bcache",
    debianPackage: "bcache-tools",
    args: ["-B"],
    sizeMib: 32,
    expect: /^bcache /,
  },
  {
    program: "pvcreate",
    debianPackage: "lvm2",
    args: ["-ff", "-y"],
    sizeMib: 32,
    expect: /^LVM2 /,
    onLoop: true,
  },
  { program: "sbd", debianPackage: "sbd", args: ["-d"], sizeMib: 4, expect: /^sbd /, onLoop: true },
  {
    program: "sanlock",
    debianPackage: "sanlock",
    args: ["direct", "init", "-s"],
    sizeMib: 4,
    expect: /^sanlock lockspace/,
  },
];

/** Where a program wants the device elsewhere than last. */
function argsFor({ program, args }: Maker, file: string): readonly string[] {
  if (program === "sbd") return [...args, file, "create"];
  if (program === "sanlock") return [...args, `LS:0:${file}:0`];
  return [...args, file];
}

for (const maker of makers) {
  const { program, debianPackage, sizeMib, input = "", expect, onLoop = false } = maker;
  const what = `what ${program} makes is recognised (${expect.source.slice(1).trim()})`;
  const needs = [needProgram(program, debianPackage), onLoop ? needRoot : null];
  testWhere(test, needs, what, async () => {
    const sizeBytes = sizeMib * 1024 * 1024;
    const make = (target: string) =>
      execFileSync(program, argsFor(maker, target), { input, stdio: "pipe", timeout: 30_000 });
    let file = newFile(sizeBytes);
    if (!onLoop) make(file);
    else {
      await withLoop(512, sizeBytes, async (device, behind) => {
        make(device);
        file = behind;
      });
    }
    const texts = labelsOfFile(file).map(labelText);
    assert.ok(
      texts.some((text) => expect.test(text)),
      texts.join("; ") || "nothing found",
    );
  });
}

test.run();
