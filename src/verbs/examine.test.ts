// test-limit-seconds: 120
/** examine: verdicts, exit codes and screens, on volumes in every state; and that it never writes. */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { blockBytes, sectorBytes, states } from "../core/sector/layout.ts";
import { echoEntry } from "../testing/core-samples.ts";
import { needRoot, testWhere } from "../testing/where.ts";
import { faultDeviceMissing, startFaultDevice } from "../device/testing/fault-device.ts";
import {
  digestOf,
  folder,
  keyFile,
  newFile,
  newVolume,
  otherKeyFile,
  patch,
  type Ran,
  run,
  superblockOf,
  withLoop,
  writeRecord,
} from "../volume/testing/volumes.ts";
import { examineVerb } from "./examine.ts";
import { ageText } from "./examine-text.ts";

const quick = ["--watch-ms", "60"] as const;
const withKey = ["--key", keyFile] as const;

function assertScreen(text: string): void {
  for (const line of text.split("\n")) {
    assert.match(line, /^[\x20-\x7e]*$/);
    assert.ok(line.length <= 80 || line.includes(folder), `${line.length}: ${line}`);
  }
}

/** Runs it and proves that the file is untouched. */
async function examine(file: string, ...args: readonly string[]): Promise<Ran> {
  const before = digestOf(file);
  const ran = await run(examineVerb, file, ...args);
  assert.is(digestOf(file), before);
  assertScreen(ran.out);
  return ran;
}

/** A volume on which two hosts have written: slot 0 both copies, slot 2 one. */
async function writtenVolume(): Promise<string> {
  const file = await newVolume();
  const superblock = superblockOf(file);
  const now = BigInt(Date.now()) * 1_000_000n;
  const common = { wallClockNs: now, intervalMs: 100 };
  writeRecord(
    file,
    superblock,
    { slot: 0, copy: 0 },
    { ...common, serial: 10n, hostName: "ctl-a1" },
  );
  writeRecord(
    file,
    superblock,
    { slot: 0, copy: 1 },
    { ...common, serial: 11n, hostName: "ctl-a1" },
    [{}],
  );
  writeRecord(
    file,
    superblock,
    { slot: 2, copy: 0 },
    { ...common, serial: 5n, hostName: "ctl-a3" },
  );
  return file;
}

/** Beats in slot 0 while the body runs. */
async function whileBeating(file: string, body: () => Promise<void>): Promise<void> {
  const superblock = superblockOf(file);
  let serial = 100n;
  const timer = setInterval(() => {
    serial += 1n;
    const copy = serial % 2n === 0n ? 0 : 1;
    const wallClockNs = BigInt(Date.now()) * 1_000_000n;
    const bootClockNs = process.hrtime.bigint();
    const record = { serial, wallClockNs, bootClockNs, intervalMs: 50, hostName: "ctl-a1" };
    writeRecord(file, superblock, { slot: 0, copy }, record, [{ echoes: [echoEntry()], count: 1 }]);
  }, 50);
  try {
    await body();
  } finally {
    clearInterval(timer);
  }
}

test("an empty volume is good", async () => {
  const ran = await examine(await newVolume(), ...withKey);
  assert.is(ran.code, 0, ran.out);
  assert.match(ran.out, /^OK {2}no slot in use; cluster bank, tokyo to osaka\n/);
  assert.match(ran.out, /primary good \(block 0\), backup good \(block 511\)/);
  assert.match(ran.out, /MAC checked with/);
});

test("slots in use, silent ones told; silence alone is no damage", async () => {
  const ran = await examine(await writtenVolume(), ...withKey, ...quick);
  assert.is(ran.code, 0, ran.out);
  assert.match(ran.out, /^OK {2}0 of 2 slots beat/);
  assert.match(ran.out, /!! slot 0 ctl-a1: silent: no new record in/);
  assert.match(ran.out, /^ +0 ctl-a1 +running active +7 +257 +11 .* ok ok SILENT$/m);
  assert.match(ran.out, /^ +2 ctl-a3 .* ok - +SILENT$/m);
  assert.match(ran.out, /next: mirrorbeat examine .* --slot 0$/m);
});

test("a beating slot advances", async () => {
  const file = await writtenVolume();
  await whileBeating(file, async () => {
    const ran = await run(examineVerb, file, ...withKey);
    assert.is(ran.code, 0, ran.out);
    assert.match(ran.out, /^OK {2}1 of 2 slots beat/);
    assert.match(ran.out, /^ +0 ctl-a1 .* \+\d+$/m);
    assert.match(ran.out, /slot 2 ctl-a3: silent/);
    const one = await run(examineVerb, file, ...withKey, "--slot", "0");
    assert.is(one.code, 0, one.out);
    assert.match(one.out, /^LIVE {2}slot 0 ctl-a1, site tokyo\n/);
    assert.match(one.out, /second read \+\d+ ms: serial \+\d+, mono \+\d+ ms => LIVE/);
    assertScreen(one.out);
  });
});

test("one slot in full: bytes, fields, checks, both copies, echoes", async () => {
  const ran = await examine(await writtenVolume(), ...withKey, "--slot", "0", ...quick);
  assert.is(ran.code, 75, ran.out);
  assert.match(ran.out, /^SILENT {2}slot 0 ctl-a1, site tokyo\n/);
  assert.match(ran.out, /^copy B {2}block 9, offset 0x9000: the newest record$/m);
  assert.match(ran.out, /^checks {2}magic ok, checksum ok,/m);
  assert.match(ran.out, /MAC ok/);
  assert.match(ran.out, /tail ok/);
  assert.match(ran.out, /^ 0058 0b 00 00 00 00 00 00 00 serial +11$/m);
  assert.match(ran.out, /^copy A {2}block 8, offset 0x8000: ok; what differs:$/m);
  assert.match(ran.out, /^ 0058 0a 00 00 00 00 00 00 00 serial +10$/m);
  assert.is([...ran.out.matchAll(/^ 0010 /gm)].length, 1, "what is alike is shown once");
  assert.match(ran.out, /^ +PEER SITE SLOT|PEER SITE SLOT/m);
  assert.match(ran.out, /saw +2 +0 +4 +998 +0 +1$/m);
  assert.match(ran.out, /saw +2 +1 +4 +997 +>252 +off$/m);
  assert.match(ran.out, /same record => SILENT/);
});

test("a slot that was never written is no failure", async () => {
  const ran = await examine(await writtenVolume(), ...withKey, "--slot", "5", ...quick);
  assert.is(ran.code, 0);
  assert.match(ran.out, /^OK {2}slot 5: never written\n/);
});

test("a host that left in order is not called silent", async () => {
  const file = await newVolume();
  const left = { state: states.leaving, intervalMs: 100, hostName: "ctl-a1" };
  writeRecord(file, superblockOf(file), { slot: 0, copy: 0 }, left);
  const ran = await examine(file, ...withKey, ...quick);
  assert.is(ran.code, 0);
  assert.match(ran.out, / left$/m);
  const one = await examine(file, ...withKey, "--slot", "0", ...quick);
  assert.is(one.code, 75);
  assert.match(one.out, /^LEFT {2}slot 0/);
});

test("a damaged copy beside a good one: named, exit 65, the good one shown", async () => {
  const file = await writtenVolume();
  patch(file, 9 * blockBytes + 0x58, Buffer.from([99]));
  const ran = await examine(file, ...withKey, ...quick);
  assert.is(ran.code, 65);
  assert.match(ran.out, /^BAD {2}one thing is damaged/);
  assert.match(ran.out, /!! slot 0 copy B \(block 9\): checksum wrong/);
  assert.match(ran.out, /^ +0 ctl-a1 .* 10 .* ok CRC/m);
  const one = await examine(file, ...withKey, "--slot", "0", ...quick);
  assert.is(one.code, 65);
  assert.match(one.out, /checksum WRONG \(stated [0-9a-f]{8}, computed [0-9a-f]{8}\)/);
  assert.match(one.out, /^ 0058 63 00 00 00 00 00 00 00 serial +99$/m, "decoded all the same");
});

test("damage in an echo sector, and beyond the sectors in use", async () => {
  const file = await writtenVolume();
  patch(file, 9 * blockBytes + sectorBytes + 0x60, Buffer.from([99]));
  const ran = await examine(file, ...withKey, ...quick);
  assert.is(ran.code, 65);
  assert.match(ran.out, /slot 0 copy B echo sector 1: checksum wrong/);
  patch(file, 9 * blockBytes + 4000, Buffer.from([1]));
  const one = await examine(file, ...withKey, "--slot", "0", ...quick);
  assert.match(one.out, /tail WRONG \(not zero at byte/);
});

test("a sector of another slot, a foreign volume, a wrong key: each its reason", async () => {
  const file = await writtenVolume();
  const bytes = readFileSync(file);
  patch(file, 14 * blockBytes, bytes.subarray(9 * blockBytes, 10 * blockBytes));
  const misplaced = await examine(file, ...withKey, ...quick);
  assert.is(misplaced.code, 65);
  assert.match(misplaced.out, /slot 3 copy A \(block 14\): written for another place/);
  const other = readFileSync(await writtenVolume());
  patch(file, 14 * blockBytes, other.subarray(8 * blockBytes, 9 * blockBytes));
  const foreign = await examine(file, ...withKey, ...quick);
  assert.match(foreign.out, /slot 3 copy A \(block 14\): of another volume/);
  const wrong = await examine(file, "--key", otherKeyFile, ...quick);
  assert.is(wrong.code, 65);
  assert.match(wrong.out, /primary superblock \(block 0\): its key is not held: MAC key/);
  assert.match(wrong.out, /KEY/);
});

test("without a key all is decoded, and it says so", async () => {
  const ran = await examine(await writtenVolume(), ...quick);
  assert.is(ran.code, 0, ran.out);
  assert.match(ran.out, /MAC not checked: give --key FILE/);
  assert.match(ran.out, /ctl-a1/);
  const one = await examine(await writtenVolume(), "--slot", "0", ...quick);
  assert.match(one.out, /MAC not checked/);
});

test("a bad primary superblock: exit 65, the slots by the backup, the repair", async () => {
  const file = await writtenVolume();
  patch(file, 0x40, Buffer.from("X"));
  const ran = await examine(file, ...withKey, ...quick);
  assert.is(ran.code, 65);
  assert.match(ran.out, /primary superblock \(block 0\): its checksum is wrong/);
  assert.match(ran.out, /primary BAD \(block 0\), backup good/);
  assert.match(ran.out, /ctl-a1/);
  assert.match(ran.out, /next: mirrorbeat format --repair .* --key/);
});

test("a bad backup is told as well", async () => {
  const file = await writtenVolume();
  patch(file, 511 * blockBytes, Buffer.alloc(512));
  const ran = await examine(file, ...withKey, ...quick);
  assert.is(ran.code, 65);
  assert.match(ran.out, /backup superblock \(block 511\): it is empty/);
});

test("both superblocks damaged: read by the damaged one, as far as it goes", async () => {
  const file = await writtenVolume();
  patch(file, 0x40, Buffer.from("X"));
  patch(file, 511 * blockBytes, Buffer.alloc(512));
  const ran = await examine(file, ...withKey, ...quick);
  assert.is(ran.code, 65);
  assert.match(ran.out, /ctl-a1/);
});

test("no volume: zeroes, or something else, which is named", async () => {
  const empty = newFile();
  const ran = await examine(empty, ...withKey);
  assert.is(ran.code, 65);
  assert.match(ran.out, /^BAD {2}no heartbeat volume/);
  patch(empty, 1080, Uint8Array.from([0x53, 0xef]));
  const ext = await examine(empty, ...withKey);
  assert.match(ext.out, /!! it holds ext2 file system/);
});

test("a writer's clock far ahead is told", async () => {
  const file = await newVolume();
  const wallClockNs = BigInt(Date.now() + 3_600_000) * 1_000_000n;
  writeRecord(file, superblockOf(file), { slot: 1, copy: 0 }, { wallClockNs, intervalMs: 100 });
  const ran = await examine(file, ...withKey, ...quick);
  assert.is(ran.code, 0);
  assert.match(ran.out, /wall clock 3\d{3}\.\d s ahead/);
});

test("numbers too wide for one line take two", async () => {
  const file = await newVolume();
  const wide = {
    incarnation: 18_446_744_073_709_551_615n,
    serial: 18_446_744_073_709_551_615n,
    term: 18_446_744_073_709_551_615n,
    intervalMs: 100,
    hostName: "a-very-long-nam",
  };
  writeRecord(file, superblockOf(file), { slot: 7, copy: 0 }, wide);
  const ran = await examine(file, ...withKey, ...quick);
  assert.match(ran.out, /incarnation 18446744073709551615, term 18446744073709551615/);
});

test("--json: one object, bigints as text", async () => {
  const file = await writtenVolume();
  const ran = await examine(file, ...withKey, ...quick, "--json");
  const view = JSON.parse(ran.out);
  assert.equal([view.schema, view.ok, view.code], [1, true, 0]);
  assert.is(view.slots[0].record.serial, "11");
  assert.equal(view.slots[0].copies, { a: "ok", b: "ok" });
  assert.is(view.slots[0].second.state, "still");
  assert.is(view.superblocks.fields.clusterName, "bank");
  const one = JSON.parse((await examine(file, ...withKey, ...quick, "--json", "--slot", "0")).out);
  assert.is(one.slot.copies[1].fields.serial, "11");
  assert.is(one.slot.copies[1].hex.length, 1024);
  assert.is(one.slot.echoes[0].serial, "998");
  assert.is(one.code, 75);
  const refused = JSON.parse((await run(examineVerb, path.join(folder, "none"), "--json")).out);
  assert.equal([refused.ok, refused.code], [false, 66]);
});

test("against the configuration: names, timings, and a device that it does not name", async () => {
  const file = await writtenVolume();
  const config = path.join(folder, "mirrorbeat.toml");
  const text = (cluster: string, writer: string, reader: string, device: string) => `
cluster = "${cluster}"
key_file = "${keyFile}"
[[sites]]
name = "tokyo"
id = 1
role = "production"
[[sites.hosts]]
name = "ctl-a1"
slot = 0
[[sites]]
name = "osaka"
id = 2
role = "standby"
[[sites.hosts]]
name = "ctl-b1"
slot = 0
[[mirrors]]
name = "a-b"
writer = "${writer}"
reader = "${reader}"
pvol = "/dev/nothing"
svol = "${device}"
`;
  const examineWith = async (...args: Parameters<typeof text>) => {
    writeFileSync(config, text(...args));
    return examine(file, "--config", config, ...quick);
  };
  const good = await examineWith("bank", "tokyo", "osaka", file);
  assert.is(good.code, 0, good.err + good.out);
  assert.match(good.out, /MAC checked/);
  const cluster = await examineWith("mill", "tokyo", "osaka", file);
  assert.is(cluster.code, 65);
  assert.match(cluster.out, /of cluster bank; the configuration says mill/);
  const swapped = await examineWith("bank", "osaka", "tokyo", file);
  assert.match(swapped.out.replaceAll(/\s+/g, " "), /are pvol and svol swapped\?/);
  const unnamed = await examineWith("bank", "tokyo", "osaka", "/dev/other");
  assert.is(unnamed.code, 0);
  assert.match(unnamed.out, /no mirror of the configuration names this device/);
});

test("bad input: one line, its code, what is wrong", async () => {
  const file = await newVolume();
  const missing = path.join(folder, "missing");
  const cases: readonly (readonly [readonly string[], number, RegExp])[] = [
    [[], 64, /which DEVICE\?/],
    [[file, "other"], 64, /one DEVICE/],
    [[file, "--slot", "x"], 64, /--slot x: not the number of a slot/],
    [[file, "--slot", "8"], 64, /slots are 0 to 7/],
    [[file, "--watch-ms", "-5"], 64, /watch-ms/],
    [[file, "--watch-ms", "9999999"], 64, /not a whole number up to 3600000/],
    [[file, "--nonsense"], 64, /nonsense/],
    [[missing], 66, /does not exist/],
    [[folder], 66, /not a block device or a plain file/],
    [["/dev/null"], 66, /not a block device or a plain file/],
    [[keyFile], 65, /too small/],
    [[file, "--key", missing], 66, /no key file.*without --key/],
    [[file, "--config", missing], 66, /config check/],
  ];
  for (const [args, code, message] of cases) {
    const ran = await run(examineVerb, ...args);
    assert.is(ran.code, code, args.join(" "));
    assert.is(ran.out, "");
    assert.match(ran.err, /^mirrorbeat examine: [^\n]*\n$/);
    assert.match(ran.err, message);
  }
});

test("--help fits the screen; ages read well", async () => {
  const { code, out } = await run(examineVerb, "--help");
  assert.is(code, 0);
  assertScreen(out);
  const ages = [1100, -200, 1_200_000, 40_000_000, 90_000_000 * 24].map(ageText);
  assert.equal(ages, ["1.1s", "-0.2s", "20min", "11h", "25d"]);
});

for (const logicalBytes of [512, 4096] as const) {
  testWhere(test, [needRoot], `a loop device of ${logicalBytes}-byte sectors`, async () => {
    await withLoop(logicalBytes, 2 << 20, async (device, file) => {
      patch(file, 0, readFileSync(await writtenVolume()));
      execFileSync("blockdev", ["--setro", device]);
      const ran = await run(examineVerb, device, ...withKey, ...quick);
      assert.is(ran.code, 0, ran.out + ran.err);
      assert.match(ran.out, new RegExp(`sectors ${logicalBytes}/`));
      assert.match(ran.out, /read-only/);
      assertScreen(ran.out);
    });
  });
}

async function registerFaults(): Promise<void> {
  testWhere(test, [await faultDeviceMissing()], faultsTest, onFaults);
  test.run();
}

const faultsTest = "I/O errors: exit 74; a hang: exit 124, by its deadline";

async function onFaults(): Promise<void> {
  const medium = readFileSync(await writtenVolume());
  const fault = await startFaultDevice({ medium, logicalBytes: 4096, limitSeconds: 90 });
  try {
    const good = await run(examineVerb, fault.path, ...withKey, ...quick);
    assert.is(good.code, 0, good.out + good.err);
    fault.mode("eio-read");
    const failed = await run(examineVerb, fault.path, ...withKey, ...quick);
    assert.is(failed.code, 74, failed.out + failed.err);
    assert.match(failed.out, /EIO/);
    assertScreen(failed.out);
    fault.mode("hang");
    const began = performance.now();
    const hung = await run(examineVerb, fault.path, ...withKey, ...quick);
    assert.is(hung.code, 124, hung.out + hung.err);
    assert.match(hung.err, /did not (end|open) (within|in time)/);
    assert.ok(performance.now() - began < 15_000);
    fault.mode("ok");
  } finally {
    await fault.stop();
  }
}

void registerFaults();
