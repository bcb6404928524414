/** Multipath maps in a sysfs of our own making; dmsetup's tables as the kernel prints them. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { isKernelName, lastingNameOf } from "./kernel-names.ts";
import {
  findMultipath,
  mapOver,
  mapsUnder,
  queueingIn,
  queueingNote,
  queueingOf,
  queueingWarning,
} from "./multipath.ts";

type Node = {
  readonly number: string;
  readonly uuid?: string;
  readonly on?: readonly string[];
  /** It is a partition of that disk. */
  readonly partOf?: string;
};

/** sda and sdb are the paths of mpatha; its first partition and a logical volume stand on it. */
const nodes: Readonly<Record<string, Node>> = {
  sda: { number: "8:0" },
  sda1: { number: "8:1", partOf: "sda" },
  sdb: { number: "8:16" },
  sdc: { number: "8:32" },
  "dm-0": { number: "253:0", uuid: "mpath-3600508b4000a1b2a", on: ["sda", "sdb"] },
  "dm-1": { number: "253:1", uuid: "part1-mpath-3600508b4000a1b2a", on: ["dm-0"] },
  "dm-2": { number: "253:2", uuid: "LVM-abc", on: ["dm-1", "sdc"] },
  "dm-3": { number: "253:3", uuid: "LVM-def", on: ["sdc"] },
  // What no kernel makes: it stands on itself.
  "dm-4": { number: "253:4", uuid: "LVM-ghi", on: ["dm-4"] },
};

function withSysfs(body: (sysfs: string) => Promise<void> | void): () => Promise<void> {
  return async () => {
    const sysfs = mkdtempSync(path.join(os.tmpdir(), "mirrorbeat-sysfs-"));
    const folderOf = (name: string): string =>
      path.join(sysfs, "block", nodes[name]?.partOf ?? "", name);
    try {
      mkdirSync(path.join(sysfs, "dev/block"), { recursive: true });
      for (const [name, { number, uuid, partOf }] of Object.entries(nodes)) {
        for (const sub of ["slaves", "holders"])
          mkdirSync(path.join(folderOf(name), sub), { recursive: true });
        writeFileSync(path.join(folderOf(name), "dev"), `${number}\n`);
        if (partOf) writeFileSync(path.join(folderOf(name), "partition"), "1\n");
        symlinkSync(folderOf(name), path.join(sysfs, "dev/block", number));
        if (uuid === undefined) continue;
        mkdirSync(path.join(folderOf(name), "dm"));
        writeFileSync(path.join(folderOf(name), "dm/uuid"), `${uuid}\n`);
        writeFileSync(path.join(folderOf(name), "dm/name"), `${name.replace("dm-", "map")}\n`);
      }
      for (const [name, { on = [] }] of Object.entries(nodes)) {
        for (const below of on) {
          symlinkSync(folderOf(below), path.join(folderOf(name), "slaves", below));
          symlinkSync(folderOf(name), path.join(folderOf(below), "holders", name));
        }
      }
      await body(sysfs);
    } finally {
      rmSync(sysfs, { recursive: true });
    }
  };
}

const map = { name: "map0", deviceNumber: "253:0" };
const queueing =
  "0 2097152 multipath 1 queue_if_no_path 1 alua 1 1 service-time 0 2 2 8:0 1 1 8:16 1 1 \n";
const failing = "0 2097152 multipath 0 1 alua 1 1 service-time 0 2 2 8:0 1 1 8:16 1 1 \n";

test(
  "a map is found under itself, its partitions and what stands on those",
  withSysfs((sysfs) => {
    for (const number of ["253:0", "253:1", "253:2"]) {
      assert.equal(mapsUnder(number, sysfs), [map], number);
    }
    for (const number of ["8:0", "8:1", "8:32", "253:3", "253:4", "9:9", "../..", ""]) {
      assert.equal(mapsUnder(number, sysfs), [], number);
    }
  }),
);

test(
  "one path of a map is known as such, also by its partition",
  withSysfs((sysfs) => {
    assert.equal(mapOver("8:0", sysfs), map);
    assert.equal(mapOver("8:1", sysfs), map);
    assert.is(mapOver("8:32", sysfs), null);
    assert.is(mapOver("253:0", sysfs), null, "what stands on a map is no map");
  }),
);

test("a table tells whether it queues, whatever other features there are", () => {
  assert.is(queueingIn(queueing), "on");
  assert.is(queueingIn(failing), "off");
  const features = "4 queue_mode bio queue_if_no_path retain_attached_hw_handler";
  assert.is(queueingIn(`0 8 multipath ${features} 0 1 1 round-robin 0 1 1 8:0 1\n`), "on");
  assert.is(queueingIn("0 8 multipath 2 pg_init_retries 50 0 1 1 round-robin 0 1 1 8:0 1"), "off");
  // As Linux 6.1 prints them, before and after `dmsetup message hb 0 fail_if_no_path`.
  const groups = "1 1 round-robin 0 2 1 254:0 1 254:16 1 \n";
  assert.is(queueingIn(`0 8192 multipath 1 queue_if_no_path 0 ${groups}`), "on");
  assert.is(queueingIn(`0 8192 multipath 0 0 ${groups}`), "off");
  // Without any path there are no groups; the map still is one.
  assert.is(queueingIn("0 8 multipath 1 queue_if_no_path 0 0 0\n"), "on");
});

test("what is not understood is unknown", () => {
  const texts = [
    "", "\n", "0 8 linear 8:0 0", "0 8 multipath", "0 8 multipath 1", "0 8 multipath x y 0",
    "0 8 multipath 1 queue_if_no_path", "0 8 multipath 3 queue_if_no_path 0 0",
    "0 8 multipath 1 queue_if_no 0 0",
    `${queueing}${failing}`, "Command failed.",
  ]; // biome-ignore format: a list
  for (const text of texts) assert.is(queueingIn(text), "unknown", JSON.stringify(text));
});

test("10,000 tables cut short: never the opposite of what the whole one said", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(queueing, failing),
      fc.nat(),
      fc.constantFrom("", "\n", " 0", "\0"),
      (whole, at, end) => {
        const found = queueingIn(whole.slice(0, at % whole.length) + end);
        assert.ok(found === "unknown" || found === queueingIn(whole), `${at}`);
      },
    ),
    { numRuns: 10_000, seed: 20_260 },
  );
});

test(
  "the map is asked by its number; no map, nothing is run",
  withSysfs(async (sysfs) => {
    const asked: string[] = [];
    const read = async (command: readonly string[]) => {
      asked.push(command.join(" "));
      return queueing;
    };
    assert.equal(await findMultipath("253:1", sysfs, read), [{ ...map, queueing: "on" }]);
    assert.equal(asked, ["dmsetup table -j 253 -m 0"]);
    assert.equal(await findMultipath("8:32", sysfs, read), []);
    assert.is(asked.length, 1);
  }),
);

test("a dmsetup that fails or hangs is no answer, in time", async () => {
  assert.is(await queueingOf(map, async () => null), "unknown");
  const folder = mkdtempSync(path.join(os.tmpdir(), "mirrorbeat-dmsetup-"));
  const before = process.env["PATH"];
  process.env["PATH"] = `${folder}:${before}`;
  const program = (script: string) =>
    writeFileSync(path.join(folder, "dmsetup"), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  try {
    program(`[ "$*" = "table -j 253 -m 0" ] && printf '%s' '${queueing}'`);
    assert.is(await queueingOf(map), "on");
    program(`printf '%s' '${queueing}'; exit 1`);
    assert.is(await queueingOf(map), "unknown");
    program("exec sleep 60");
    const beganMs = performance.now();
    assert.is(await queueingOf(map), "unknown");
    assert.ok(performance.now() - beganMs < 10_000);
  } finally {
    process.env["PATH"] = before;
    rmSync(folder, { recursive: true });
  }
});

test("the warning names the map and the remedy; a map that fails at once is not spoken of", () => {
  const finding = (queueing: "on" | "off" | "unknown") => ({ ...map, queueing });
  assert.match(queueingWarning(finding("on")) ?? "", /multipathd disablequeueing map map0$/);
  assert.match(queueingWarning(finding("unknown")) ?? "", /dmsetup table map0$/);
  assert.match(queueingNote(finding("on")) ?? "", /no_path_retry fail/);
  assert.match(queueingNote(finding("unknown")) ?? "", /not known/);
  assert.is(queueingWarning(finding("off")), null);
  assert.is(queueingNote(finding("off")), null);
});

test("names that the kernel gives in order, and others", () => {
  const given = [
    "sda", "sdaa12", "dm-0", "vdb", "xvda1", "nvme0n1", "nvme10n2p3", "rbd0", "nbd3p1", "dasda1",
  ]; // biome-ignore format: a list
  for (const name of given) assert.ok(isKernelName(`/dev/${name}`), name);
  assert.ok(isKernelName("/dev//./sda"));
  const others = [
    "/dev/loop0", "/dev/drbd0", "/dev/mapper/sda", "/dev/disk/by-id/wwn-0x6", "/srv/sda",
    "/dev/dm-name", "/dev/sd", "/dev/rbd/pool/image", "/dev/md0",
  ]; // biome-ignore format: a list
  for (const name of others) assert.not.ok(isKernelName(name), name);
});

test("the lasting name is the best of those that lead to the same device now", () => {
  const dev = mkdtempSync(path.join(os.tmpdir(), "mirrorbeat-dev-"));
  try {
    for (const folder of ["disk/by-id", "mapper"])
      mkdirSync(path.join(dev, folder), { recursive: true });
    for (const name of ["sda", "sdb", "sdc", "dm-0"]) writeFileSync(path.join(dev, name), "");
    const link = (name: string, target: string) => symlinkSync(target, path.join(dev, name));
    link("disk/by-id/ata-disk_1", "../../sda");
    link("disk/by-id/scsi-3600508b4", "../../sda");
    link("disk/by-id/wwn-0x600508b4", "../../sda");
    link("disk/by-id/wwn-0x1", "../../gone");
    link("disk/by-id/virtio-two", "../../sdb");
    link("disk/by-id/dm-uuid-mpath-36", "../../dm-0");
    link("mapper/hb-tokyo", "../dm-0");
    const lasting = (name: string) => lastingNameOf(path.join(dev, name), dev);
    assert.is(lasting("sda"), path.join(dev, "disk/by-id/wwn-0x600508b4"));
    assert.is(lasting("sdb"), path.join(dev, "disk/by-id/virtio-two"));
    assert.is(lasting("dm-0"), path.join(dev, "mapper/hb-tokyo"));
    assert.is(lasting("sdc"), null);
    assert.is(lasting("sdz"), null);
    assert.is(lastingNameOf(path.join(dev, "sda"), path.join(dev, "nowhere")), null);
  } finally {
    rmSync(dev, { recursive: true });
  }
});

test.run();
