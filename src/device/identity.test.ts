import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { identify, isScsiDisk } from "./identity.ts";

/** A sysfs with one device, whose files are given. */
function identifyIn(files: Readonly<Record<string, string | Buffer>>, device = "disk") {
  const root = mkdtempSync(path.join(os.tmpdir(), "mirrorbeat-sysfs-"));
  try {
    for (const [name, text] of Object.entries(files)) {
      const file = path.join(root, "devices", name);
      mkdirSync(path.dirname(file), { recursive: true });
      writeFileSync(file, text);
    }
    mkdirSync(path.join(root, "dev/block"), { recursive: true });
    symlinkSync(path.join(root, "devices", device), path.join(root, "dev/block/8:1"));
    return identify("8:1", root);
  } finally {
    rmSync(root, { recursive: true });
  }
}

const naa = "60060e8007c3af000030c3af00000102";
const page = Buffer.from(`008300140103001060060e8007c3af000030c3af00000102`, "hex");

test("one volume has one name, whichever way leads to it", () => {
  const expected = { wwid: `naa.${naa}`, partition: null };
  assert.equal(identifyIn({ "disk/device/wwid": `naa.${naa}\n` }), expected);
  assert.equal(identifyIn({ "disk/dm/uuid": `mpath-3${naa}\n` }), expected);
  assert.equal(identifyIn({ "disk/device/vpd_pg83": page }), expected);
});

test("other devices", () => {
  assert.is(identifyIn({ "disk/wwid": "eui.0025385b71b0\n" }).wwid, "eui.0025385b71b0");
  assert.is(identifyIn({ "disk/dm/uuid": "LVM-abc\n" }).wwid, "dm.LVM-abc");
  assert.is(identifyIn({ "disk/loop/backing_file": "/srv/disk\n" }).wwid, "loop./srv/disk");
  assert.is(identifyIn({ "disk/device/wwid": "t10.ATA     QEMU   1\n" }).wwid, "t10.ATA QEMU 1");
  assert.is(identifyIn({ "disk/serial": "\n" }).wwid, null);
  assert.equal(identify("999:999"), { wwid: null, partition: null });
});

test("a partition is told from its disk", () => {
  const files = { "disk/wwid": "eui.1\n", "disk/disk1/partition": "1\n" };
  assert.equal(identifyIn(files, "disk/disk1"), { wwid: "eui.1-part1", partition: 1 });
});

test("which devices may be asked by SCSI", () => {
  assert.ok(isScsiDisk("8:16"));
  assert.ok(isScsiDisk("65:0"));
  assert.not.ok(isScsiDisk("7:0"));
  assert.not.ok(isScsiDisk("253:0"));
});

test.run();
