// test-limit-seconds: 240
/**
 * The facts of life on a SAN: a device goes away and comes back under another kernel name, with its
 * own content or with somebody else's. The configuration names links, as /dev/disk/by-id has them,
 * which are moved here as udev moves them; the agents are never started anew.
 */
import {
  mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync,
} from "node:fs"; // biome-ignore format: one list
import os from "node:os";
import path from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { blockBytes } from "../core/sector/layout.ts";
import { type FaultDevice, startFaultDevice } from "../device/testing/fault-device.ts";
import { openLoops } from "../testing/agent-loops.ts";
import { runProgram, runTool } from "../testing/agent-process.ts";
import { readBlocks, slotOf, writeBlocks } from "../testing/agent-sectors.ts";
import { withWorld, type World } from "../testing/agent-world.ts";
import { needProgram, needRoot, testWhere } from "../testing/where.ts";

const loopNeeds = [needRoot, needProgram("losetup", "mount"), needProgram("mke2fs", "e2fsprogs")];
const faultNeeds = [...loopNeeds, needProgram("qemu-storage-daemon", "qemu-system-common")];
const volumeBytes = 1 << 20;
/** A busy machine's own stalls are no silence here. */
const timing = { marginMs: 2500 };
/** From the return of a device to beats over it: an attempt to open every 2 s, and a few beats. */
const returnLimitMs = 15_000;

type End = "pvol" | "svol";
const ends = ["pvol", "svol"] as const;
const hostOf = { pvol: "a1", svol: "b1" } as const;

type Other = { readonly name: string; readonly says: RegExp; readonly image: Buffer };

/** What may stand there instead of our volume. */
async function otherContents(world: World): Promise<readonly Other[]> {
  const folder = path.join(world.folder, "others");
  mkdirSync(folder);
  const made = async (name: string, make: (file: string) => Promise<{ code: number | null }>) => {
    const file = path.join(folder, name);
    writeFileSync(file, Buffer.alloc(volumeBytes));
    assert.is((await make(file)).code, 0, name);
    return readFileSync(file);
  };
  const format = (file: string, identity: readonly string[]) =>
    runProgram(["format", file, ...identity, "--yes"]);
  const foreign = world.identity("a-b").map((word) => (word === world.cluster ? "other" : word));
  return [
    { name: "zeroes", says: /not formatted/, image: Buffer.alloc(volumeBytes) },
    {
      name: "the volume of the other direction",
      says: /swapped/,
      image: await made("reverse", (file) => format(file, world.identity("b-a"))),
    },
    {
      name: "another cluster's volume",
      says: /belongs to cluster other, not to world/,
      image: await made("foreign", (file) => format(file, foreign)),
    },
    {
      name: "a file system",
      says: /no heartbeat volume; holds ext/,
      image: await made("ext", (file) => runTool("mke2fs", ["-q", "-F", "-t", "ext4", file])),
    },
  ];
}

const deviceEvents = (world: World, end: End, fromMs: number) =>
  world
    .events(hostOf[end], "device", fromMs)
    .filter((event) => event.fields["device"] === world.volume("a-b", end));

const refusedFor = (world: World, end: End, says: RegExp, fromMs: number): Promise<void> =>
  world.until(`${hostOf[end]} names what stands on its ${end}: ${says}`, () =>
    deviceEvents(world, end, fromMs).some(
      ({ fields }) => fields["ok"] === "false" && says.test(fields["reason"] ?? ""),
    ),
  );

const isMended = (world: World, end: End, fromMs: number): Promise<void> =>
  world.until(`${hostOf[end]} uses its ${end} again`, () =>
    deviceEvents(world, end, fromMs).some(({ fields }) => fields["ok"] === "true"),
  );

async function pathAtB(world: World) {
  const status = await world.status("b1");
  const host = status.sites.flatMap((site) => site.hosts).find((each) => each.host === "a1");
  return host?.paths.find((each) => each.path === "a-b");
}

/** No other path may notice. */
function assertOthersCalm(world: World, fromMs: number): void {
  for (const host of world.hosts) {
    const others = world.events(host, "path", fromMs).filter((e) => e.fields["path"] !== "a-b");
    assert.equal(others, [], host);
    assert.equal(world.events(host, "start", fromMs), [], `${host} was not started anew`);
  }
}

type Bench = {
  readonly world: World;
  /** What both ends of a-b hold while they are well: the second is a perfect mirror. */
  readonly medium: Buffer;
  /** Lets the configured name of one end lead there, as udev does. */
  point(end: End, device: string): void;
  attach(end: End, medium?: Buffer): Promise<FaultDevice>;
  /** A loop device over a file with these bytes. */
  show(bytes: Buffer): Promise<{ readonly device: string; readonly file: string }>;
};

async function withBench(
  logicalBytes: 512 | 4096,
  body: (bench: Bench, first: Record<End, FaultDevice>) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(path.join(os.tmpdir(), "mirrorbeat-san-"));
  const loops = openLoops(folder);
  const medium = Buffer.alloc(volumeBytes);
  const devices: FaultDevice[] = [];
  const linkOf = (end: End): string => path.join(folder, `wwn-${end}`);
  let files = 0;
  const bench = {
    medium,
    point(end: End, device: string) {
      symlinkSync(device, `${linkOf(end)}.new`);
      renameSync(`${linkOf(end)}.new`, linkOf(end));
    },
    async attach(end: End, bytes = medium) {
      const readOnly = end === "svol";
      const options = { logicalBytes, medium: bytes, readOnly, limitSeconds: 200 };
      const device = await startFaultDevice(options);
      devices.push(device);
      return device;
    },
    async show(bytes: Buffer) {
      const file = path.join(folder, `other-${files++}`);
      writeFileSync(file, bytes);
      return { device: await loops.attach(file, logicalBytes), file };
    },
  };
  try {
    const first = { pvol: await bench.attach("pvol"), svol: await bench.attach("svol") };
    for (const end of ends) bench.point(end, first[end].path);
    const volumes = { "a-b.pvol": linkOf("pvol"), "a-b.svol": linkOf("svol") };
    await withWorld({ volumes, copied: ["b-a"], timing }, async (world) => {
      await world.beating();
      await body({ world, ...bench }, first);
    });
  } finally {
    for (const device of devices) await device.stop();
    await loops.detach();
    rmSync(folder, { recursive: true, force: true });
  }
}

for (const logicalBytes of [512, 4096] as const) {
  const what = `sectors of ${logicalBytes} bytes`;

  testWhere(test, faultNeeds, `${what}: both ends lost, wrong devices, then the right ones`, () =>
    withBench(logicalBytes, async ({ world, point, attach, show, medium }, first) => {
      const others = await otherContents(world);
      const old = Buffer.from(medium);
      const beganMs = performance.now();
      first.pvol.cut();
      await refusedFor(world, "pvol", /EIO/, beganMs);
      await world.untilRow("b1", "a", "3c");
      first.svol.cut();
      await refusedFor(world, "svol", /EIO/, beganMs);
      await world.untilRow("b1", "a", "4");
      assert.is((await pathAtB(world))?.status, "io-error");

      const shown: { readonly file: string; readonly image: Buffer; readonly name: string }[] = [];
      for (const { name, says, image } of others) {
        const fromMs = performance.now();
        for (const end of ends) {
          const { device, file } = await show(image);
          shown.push({ file, image, name });
          point(end, device);
        }
        for (const end of ends) await refusedFor(world, end, says, fromMs);
        assert.is((await pathAtB(world))?.status, "io-error", name);
      }

      const backMs = performance.now();
      const second = { pvol: await attach("pvol"), svol: await attach("svol") };
      for (const end of ends) assert.is.not(second[end].path, first[end].path);
      for (const end of ends) point(end, second[end].path);
      await world.untilRow("b1", "a", "1");
      const tookMs = performance.now() - backMs;
      console.log(`# ${what}: beats over the returned devices after ${tookMs.toFixed(0)} ms`);
      assert.ok(tookMs < returnLimitMs, `${tookMs} ms`);
      for (const end of ends) await isMended(world, end, backMs);
      for (const { file, image, name } of shown) {
        assert.ok(readFileSync(file).equals(image), `nothing was written to ${name}`);
      }
      assertOthersCalm(world, beganMs);
      for (const end of ends) {
        const link = world.volume("a-b", end);
        const own = (await world.status(hostOf[end])).paths.find(({ path }) => path === "a-b");
        assert.is(own?.device, link, "the configured name is shown");
        const { stateFolder } = world.host(hostOf[end]);
        const filed = readFileSync(path.join(stateFolder, "devices.toml"), "utf8");
        assert.ok(filed.includes(`device = "${link}"`), filed);
      }

      // The copy comes back as an old backup had it: the right volume, with records of the past.
      second.svol.cut();
      point("svol", (await attach("svol", old)).path);
      await world.until("the old records are a regression", async () => {
        const found = await pathAtB(world);
        return found?.status === "corrupt" && found.reason === "regression";
      });
      await world.untilRow("b1", "a", "4");
      assertOthersCalm(world, beganMs);
    }),
  );

  testWhere(test, loopNeeds, `${what}: other content under the open device, and ours again`, () =>
    withWorld({ device: logicalBytes, timing }, async (world) => {
      await world.beating();
      const beganMs = performance.now();
      const others = await otherContents(world);
      await world.copier("a-b", "split");
      for (const other of others) {
        await Promise.all(ends.map((end) => overwritten(world, end, other)));
      }
      await world.copier("a-b", "resync");
      await world.untilRow("b1", "a", "1");
      assertOthersCalm(world, beganMs);

      // The PVOL as an old backup had it: the same volume. The writer goes on where it was.
      const old = wholeOf(world.volume("a-b", "pvol"));
      const serial = () => slotOf(world.volume("a-b", "svol"), 0).newest().serial;
      const before = serial();
      await world.until("beats", () => serial() > before + 5n);
      writeBlocks(world.volume("a-b", "pvol"), 0, old);
      await world.until("beats go on", () => serial() > before + 12n);
      await world.until("and are believed", async () => {
        const found = await pathAtB(world);
        return found?.status === "ok" && BigInt(found.serial ?? 0) > before + 12n;
      });
      assert.ok(world.host("a1").process?.alive, "its own old record costs no slot");
    }),
  );
}

const wholeOf = (device: string): Buffer => readBlocks(device, 0, volumeBytes / blockBytes);

/** Other content under a device that is open, until it is named; then its own again. */
async function overwritten(world: World, end: End, { name, says, image }: Other): Promise<void> {
  const device = world.volume("a-b", end);
  const right = wholeOf(device);
  const fromMs = performance.now();
  writeBlocks(device, 0, image);
  await refusedFor(world, end, says, fromMs);
  // A beat that was looked at before may have landed in its own slot; none does now.
  const found = wholeOf(device);
  if (end === "pvol") await skips(world, 4);
  else await isBadAtB(world);
  assert.ok(wholeOf(device).equals(found), `${end}: written over ${name}`);
  const mendMs = performance.now();
  writeBlocks(device, 0, right);
  await isMended(world, end, mendMs);
}

/** The writer of a-b leaves out so many beats. */
async function skips(world: World, count: number): Promise<void> {
  const skipped = async () => {
    const own = (await world.status("a1")).paths.find(({ path }) => path === "a-b");
    return own?.writesSkipped ?? 0;
  };
  const before = await skipped();
  await world.until("beats are left out", async () => (await skipped()) >= before + count);
}

const isBadAtB = (world: World): Promise<void> =>
  world.until("b1 does not believe its SVOL", async () =>
    ["corrupt", "io-error"].includes((await pathAtB(world))?.status ?? ""),
  );

test.run();
