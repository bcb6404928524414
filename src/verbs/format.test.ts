/** format and format --repair: what they refuse, with which code, and that nothing is changed. */
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
} from "node:fs";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { blockBytes } from "../core/sector/layout.ts";
import { needProgram, needRoot, testWhere } from "../testing/where.ts";
import { patch, superblockOf, withLoop } from "../volume/testing/volumes.ts";
import {
  asked,
  digestOf,
  folder,
  keyFile,
  names,
  newFile,
  newVolume,
  otherKeyFile,
  type Ran,
  run,
} from "../volume/testing/volumes.ts";
import { formatVerb } from "./format.ts";

const format = (...args: readonly string[]): Promise<Ran> => run(formatVerb, ...args);
const mebibyte = 1 << 20;

/** Refused with this code and one line that says this, and not a byte of the file changed. */
async function refused(
  file: string,
  args: readonly string[],
  code: number,
  ...words: readonly string[]
): Promise<void> {
  const before = existsSync(file) ? digestOf(file) : "";
  const ran = await format(...args);
  assert.is(ran.code, code, ran.err + ran.out);
  assert.is(ran.out, "");
  assert.match(ran.err, /^mirrorbeat format: [^\n]*\n$/);
  for (const word of words) assert.ok(ran.err.includes(word), ran.err);
  if (before !== "") assert.is(digestOf(file), before);
}

function assertScreen(text: string): void {
  for (const line of text.split("\n")) {
    assert.match(line, /^[\x20-\x7e]*$/);
    // A path may be long, and a command must not be broken.
    assert.ok(line.length <= 80 || line.includes(folder), line);
  }
}

test("without --yes it tells what it would do, changes nothing, exit 64", async () => {
  const file = newFile();
  const before = digestOf(file);
  const ran = await format(file, ...asked);
  assert.is(ran.code, 64);
  assert.match(ran.out, /^would format\n/);
  for (const word of ["cluster  bank", "written by tokyo, read by osaka", "8 slots", "add --yes"]) {
    assert.ok(ran.out.includes(word), word);
  }
  assertScreen(ran.out);
  assert.is(digestOf(file), before);
});

test("with --yes a file becomes a volume", async () => {
  const file = newFile();
  const ran = await format(file, ...asked, "--slots", "3", "--yes");
  assert.is(ran.code, 0, ran.err);
  assert.match(ran.out, /^formatted: volume [0-9a-f-]{36}/);
  assert.match(ran.out, /next: mirrorbeat examine/);
  assertScreen(ran.out);
  const superblock = superblockOf(file);
  assert.is(superblock.clusterName, "bank");
  assert.is(superblock.writerSite, "tokyo");
  assert.is(superblock.readerSite, "osaka");
  assert.is(superblock.slots, 3);
  assert.is(superblock.echoPeers, 3);
  assert.is(superblock.intervalMs, 0);
  assert.is(superblock.backupBlock, 511);
});

test("the options for room", async () => {
  const file = newFile(4 * mebibyte);
  const more = ["--slots", "2", "--echo-peers", "100", "--mailbox-blocks", "4", "--yes"];
  assert.is((await format(file, ...asked, ...more)).code, 0);
  const { echoPeers, echoBlocksPerCopy, mailboxBlocksPerSlot } = superblockOf(file);
  assert.equal([echoPeers, echoBlocksPerCopy, mailboxBlocksPerSlot], [100, 1, 4]);
});

test("two formattings give two volume ids", async () => {
  const [one, other] = [superblockOf(await newVolume()), superblockOf(await newVolume())];
  assert.is.not(one.volumeId, other.volumeId);
  assert.is(one.clusterId, other.clusterId);
});

test("a command line that is wrong: exit 64, and what is wrong", async () => {
  const file = newFile();
  const without = (option: string) => {
    const at = asked.indexOf(option as "--key");
    return [...asked.slice(0, at), ...asked.slice(at + 2)];
  };
  const cases: readonly (readonly [readonly string[], string])[] = [
    [asked, "which DEVICE?"],
    [[file, "other", ...asked], "one DEVICE"],
    [[file, ...without("--cluster")], "--cluster NAME is missing"],
    [[file, ...without("--writer")], "--writer SITE is missing"],
    [[file, ...without("--reader")], "--reader SITE is missing"],
    [[file, ...without("--key")], "--key FILE is missing"],
    [[file, ...asked, "--writer", "osaka"], "both osaka"],
    [[file, ...asked, "--cluster", "Bank"], "--cluster"],
    [[file, ...asked, "--writer", "a-name-that-is-too-long"], "at most 15"],
    [[file, ...asked, "--slots", "0"], "--slots 0: not a whole number from 1 to 4096"],
    [[file, ...asked, "--slots", "4097"], "from 1 to 4096"],
    [[file, ...asked, "--slots", "8x"], "--slots 8x"],
    [[file, ...asked, "--echo-peers", "-1"], "echo-peers"],
    [[file, ...asked, "--mailbox-blocks", "9999"], "from 1 to 1024"],
    [[file, ...asked, "--nonsense"], "nonsense"],
    [["--repair", file], "--repair needs DEVICE and --key FILE"],
    [["--repair", "--key", keyFile], "--repair needs DEVICE"],
  ];
  for (const [args, message] of cases) await refused(file, [...args, "--yes"], 64, message);
});

test("no device, no key, a key that others may read", async () => {
  const missing = path.join(folder, "missing");
  await refused(missing, [missing, ...asked, "--yes"], 66, `truncate -s 626688 ${missing}`);
  assert.not(existsSync(missing));
  const file = newFile();
  const withKey = (key: string) => [file, ...names, "--key", key, "--yes"];
  await refused(file, withKey(missing), 66, "no key file");
  const loose = path.join(folder, "loose");
  writeFileSync(loose, readFileSync(keyFile));
  chmodSync(loose, 0o644);
  await refused(file, withKey(loose), 77, "chmod 600");
  const aFolder = path.join(folder, "folder");
  mkdirSync(aFolder);
  const ran = await format(aFolder, ...asked, "--yes");
  assert.is(ran.code, 66);
  assert.match(ran.err, /is a folder/);
});

test("too small: what is needed, and what would fit", async () => {
  const file = newFile(400 * 1024);
  await refused(
    file,
    [file, ...asked, "--yes"],
    65,
    "626688 bytes",
    "5 slots would fit (--slots 5)",
  );
  const tiny = newFile(8192);
  await refused(tiny, [tiny, ...asked, "--yes"], 65, "not even one slot fits");
});

test("whatever is on it is refused, and named", async () => {
  for (const [at, bytes, name] of [
    [1080, [0x53, 0xef], "ext2 file system"],
    [4086, [...Buffer.from("SWAPSPACE2")], "Linux swap space"],
    [0, [...Buffer.from("XFSB")], "XFS file system"],
    [512, [...Buffer.from("LABELONE")], "LVM2 volume manager member"],
    [2 * mebibyte - 4096 + 60, [0x83, 0x74, 0x02, 0x6d], "DRBD 9 replicated volume"],
    [700_000, [1], "unknown data (at byte 700000)"],
  ] as const) {
    const file = newFile();
    patch(file, at, Uint8Array.from(bytes));
    await refused(file, [file, ...asked, "--yes"], 77, name, "nothing was changed", "--force");
    await refused(file, [file, ...asked], 77, name);
  }
});

test("a heartbeat volume is refused like anything else, ours and another cluster's", async () => {
  const file = await newVolume();
  await refused(file, [file, ...asked, "--yes"], 77, "mirrorbeat volume of cluster bank");
  const other = [...asked, "--cluster", "mill", "--yes"];
  await refused(file, [file, ...other], 77, "cluster bank");
});

test("--force says what will be lost, and needs --yes as well", async () => {
  const file = newFile(8 * mebibyte);
  patch(file, 1080, Uint8Array.from([0x53, 0xef]));
  patch(file, 8 * mebibyte - 4096 + 60, Uint8Array.from([0x83, 0x74, 0x02, 0x6d]));
  const before = digestOf(file);
  const ran = await format(file, ...asked, "--force");
  assert.is(ran.code, 64);
  assert.match(ran.out, /LOST {5}ext2 file system/);
  assert.match(ran.out, /LOST {5}DRBD 9 replicated volume/);
  assert.is(digestOf(file), before);
  assert.is((await format(file, ...asked, "--force", "--yes")).code, 0);
  const bytes = readFileSync(file);
  assert.is(bytes[1080], 0);
  assert.ok(bytes.subarray(7 * mebibyte, 8 * mebibyte - 4096).every((byte) => byte === 0));
  const again = await format(file, ...asked, "--yes");
  assert.is(again.code, 77);
  assert.not.match(again.err, /ext2|DRBD/);
});

const configText = (pvol: string) => `
cluster = "bank"
key_file = "${keyFile}"
data_devices = ["/dev/data-of-the-bank"]
[timing]
interval_ms = 400
[[sites]]
name = "tokyo"
id = 1
role = "production"
[[sites.hosts]]
name = "ctl-a1"
slot = 0
[[sites.hosts]]
name = "ctl-a2"
slot = 11
[[sites]]
name = "osaka"
id = 2
role = "standby"
[[sites.hosts]]
name = "ctl-b1"
slot = 0
[[mirrors]]
name = "a-b"
writer = "tokyo"
reader = "osaka"
pvol = "${pvol}"
svol = "/dev/svol-of-the-bank"
`;

function newConfig(pvol: string): string {
  const home = path.join(folder, `config-${path.basename(pvol)}`);
  mkdirSync(home);
  const file = path.join(home, "mirrorbeat.toml");
  writeFileSync(file, configText(pvol));
  return file;
}

test("all from the configuration: device, names, room, key, timings", async () => {
  const file = newFile();
  const config = newConfig(file);
  const ran = await format("--config", config, "--mirror", "a-b", "--yes");
  assert.is(ran.code, 0, ran.err);
  const superblock = superblockOf(file);
  assert.is(superblock.clusterName, "bank");
  assert.is(superblock.readerSite, "osaka");
  assert.is(superblock.slots, 12); // the highest slot, and those below
  assert.is(superblock.intervalMs, 400);
  assert.is(superblock.marginMs, 800);
});

test("a configuration that does not fit the command line", async () => {
  const file = newFile();
  const config = newConfig(file);
  const given = ["--config", config, "--yes"];
  await refused(file, given, 64, "--mirror NAME is missing", "a-b");
  await refused(file, [...given, "--mirror", "b-a"], 64, "no such mirror", "a-b");
  const mirror = [...given, "--mirror", "a-b"];
  await refused(file, [...mirror, "--cluster", "x"], 64, "--cluster stands in the configuration");
  await refused(file, [...mirror, "/dev/svol-of-the-bank"], 64, "is the SVOL of mirror a-b");
  await refused(file, [...mirror, "/dev/other"], 64, "is not the pvol of mirror a-b");
  await refused(file, [...mirror, "--slots", "4"], 64, "the configured hosts need 12");
  await refused(
    file,
    ["--config", path.join(folder, "none.toml"), "--mirror", "a-b"],
    66,
    "no such",
  );
  writeFileSync(config, "nonsense = 1\n");
  await refused(file, mirror, 78, "mirrorbeat config check");
});

test("--json: one object, for success, preview and refusal", async () => {
  const file = newFile();
  const preview = JSON.parse((await format(file, ...asked, "--json")).out);
  assert.equal([preview.schema, preview.ok, preview.formatted], [1, true, false]);
  const done = JSON.parse((await format(file, ...asked, "--json", "--yes")).out);
  assert.equal([done.ok, done.formatted, done.cluster], [true, true, "bank"]);
  assert.is(done.volumeId, superblockOf(file).volumeId);
  const ran = await format(file, ...asked, "--json", "--yes");
  const refusal = JSON.parse(ran.out);
  assert.equal([refusal.ok, refusal.code, ran.code], [false, 77, 77]);
});

const repair = (file: string, ...more: readonly string[]) =>
  format("--repair", file, "--key", keyFile, ...more);

test("repair: the primary from the backup", async () => {
  const file = await newVolume();
  const good = readFileSync(file);
  for (const damage of [Buffer.alloc(512), Buffer.from("MBVOLUMX"), Buffer.from([0])]) {
    patch(file, 0, damage);
    const damaged = digestOf(file);
    const preview = await repair(file);
    assert.is(preview.code, 64);
    assert.match(preview.out, /^would repair: primary superblock, from the backup\n/);
    assert.is(digestOf(file), damaged);
    const ran = await repair(file, "--yes");
    assert.is(ran.code, 0, ran.err);
    assert.match(ran.out, /^repaired: primary superblock/);
    assertScreen(ran.out);
    assert.ok(readFileSync(file).equals(good));
  }
});

test("repair: the backup from the primary", async () => {
  const file = await newVolume();
  const good = readFileSync(file);
  patch(file, 511 * blockBytes + 0x40, Buffer.from("X"));
  const ran = await repair(file, "--yes", "--json");
  assert.is(ran.code, 0, ran.err);
  assert.is(JSON.parse(ran.out).restores, "backup");
  assert.ok(readFileSync(file).equals(good));
});

test("repair: nothing to do where both are good", async () => {
  const file = await newVolume();
  const before = digestOf(file);
  const ran = await repair(file, "--yes");
  assert.is(ran.code, 0);
  assert.match(ran.out, /nothing to repair/);
  assert.is(digestOf(file), before);
});

test("repair: refused where neither is good, the key is another's, or the two differ", async () => {
  const file = await newVolume();
  const args = ["--repair", file, "--key", keyFile, "--yes"];
  const wrongKey = ["--repair", file, "--key", otherKeyFile, "--yes"];
  await refused(file, wrongKey, 77, "signed with key");
  patch(file, 0, Buffer.alloc(512));
  await refused(file, wrongKey, 77, "signed with key");
  patch(file, 511 * blockBytes, Buffer.alloc(512));
  await refused(file, args, 65, "nothing to repair from");
  const [one, other] = [await newVolume(), await newVolume()];
  patch(one, 511 * blockBytes, readFileSync(other).subarray(511 * blockBytes, 512 * blockBytes));
  await refused(one, ["--repair", one, "--key", keyFile, "--yes"], 65, "both superblocks are good");
});

test("repair: not over somebody's mark, unless forced", async () => {
  const file = await newVolume();
  patch(file, 0, Buffer.alloc(512));
  patch(file, 1080, Uint8Array.from([0x53, 0xef]));
  const args = ["--repair", file, "--key", keyFile, "--yes"];
  await refused(file, args, 77, "ext2 file system", "--force");
  assert.is((await format(...args, "--force")).code, 0);
});

test("--help fits the screen", async () => {
  const { code, out } = await format("--help");
  assert.is(code, 0);
  assertScreen(out);
});

for (const logicalBytes of [512, 4096] as const) {
  testWhere(test, [needRoot], `a loop device of ${logicalBytes}-byte sectors`, async () => {
    await withLoop(logicalBytes, 2 * mebibyte, async (device, file) => {
      const ran = await format(device, ...asked, "--yes");
      assert.is(ran.code, 0, ran.err);
      const superblock = superblockOf(file);
      assert.is(superblock.sectorBytes, logicalBytes);
      await refused(file, [device, ...asked, "--yes"], 77, "mirrorbeat volume of cluster bank");
      await refused(file, [file, ...asked, "--yes", "--force"], 75, `in use as ${device}`);
      const holder = openSync(device, constants.O_RDWR | constants.O_EXCL);
      await refused(file, [device, ...asked, "--yes", "--force"], 75, "in use");
      await refused(file, [device, ...asked], 75, "in use");
      await refused(file, ["--repair", device, "--key", keyFile, "--yes"], 75, "in use");
      closeSync(holder);
      assert.is((await format(device, ...asked, "--yes", "--force")).code, 0);
      execFileSync("blockdev", ["--setro", device]);
      await refused(file, [device, ...asked, "--yes", "--force"], 73, "read-only");
      await refused(file, [device, ...asked, "--force"], 73, "read-only");
      execFileSync("blockdev", ["--setrw", device]);
    });
  });

  const needs = [needRoot, needProgram("mkfs.ext4", "e2fsprogs")];
  testWhere(test, needs, `a mounted ext4 on ${logicalBytes}-byte sectors`, async () => {
    await withLoop(logicalBytes, 16 * mebibyte, async (device, file) => {
      execFileSync("mkfs.ext4", ["-q", device]);
      await refused(file, [device, ...asked, "--yes"], 77, "ext4 file system");
      const mount = path.join(folder, `mount-${logicalBytes}`);
      mkdirSync(mount);
      execFileSync("mount", [device, mount]);
      try {
        await refused(file, [device, ...asked, "--yes", "--force"], 75, "mounted");
      } finally {
        execFileSync("umount", [mount]);
      }
    });
  });
}

test.run();
