// test-limit-seconds: 120
/**
 * What `run` is given that it must refuse: one clear line, the right exit code, and not a byte of
 * the device changed.
 */
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import dgram from "node:dgram";
import path from "node:path";
import { suite, test } from "uvu";
import * as assert from "uvu/assert";
import { encodeSector, type Unsealed } from "../core/sector/codec.ts";
import { readBlocks, sealingOf, superblockOf, writeBlocks } from "../testing/agent-sectors.ts";
import { runProgram } from "../testing/agent-process.ts";
import { withWorld, World } from "../testing/agent-world.ts";
import { needProgram, needRoot, testWhere } from "../testing/where.ts";

const refusals = suite<{ world: World }>("refusals");
refusals.before(async (context) => {
  context.world = await World.open({ copied: [] });
  for (const mirror of ["a-b", "b-a"]) {
    copyFileSync(context.world.volume(mirror, "pvol"), context.world.volume(mirror, "svol"));
  }
});
refusals.after(async ({ world }) => world.close());

type Case = {
  readonly name: string;
  readonly code: number;
  readonly says: RegExp;
  /** Returns the device whose bytes must not change. */
  readonly make: (world: World) => string | null;
};

const named = (world: World, end: string, to: string): void =>
  world.writeConfig("a1", (text) =>
    text.replaceAll(`"${world.volume("a-b", "pvol")}"`, `"${to}"`).replace(end, end),
  );

/** A copy of the PVOL of a-b with this done to it, named as the PVOL. */
function changedVolume(world: World, change: (file: string) => void): string {
  const file = path.join(world.folder, "changed");
  copyFileSync(world.volume("a-b", "pvol"), file);
  change(file);
  named(world, "pvol", file);
  return file;
}

function reversion(file: string, keyFile: string, version: number): void {
  const block = readBlocks(file, 0);
  const values = { ...superblockOf(file), version } as unknown as Unsealed<"superblock">;
  encodeSector("superblock", values, sealingOf(keyFile), block);
  writeBlocks(file, 0, block);
}

const cases: readonly Case[] = [
  {
    name: "a device that is missing",
    code: 66,
    says: /does not exist/,
    make: (world) => (named(world, "pvol", "/dev/mapper/no-such-volume"), null),
  },
  {
    name: "neither a block device nor a file",
    code: 66,
    says: /not a block device or a plain file/,
    make: (world) => (named(world, "pvol", "/dev/null"), null),
  },
  {
    name: "a folder",
    code: 66,
    says: /is a folder/,
    make: (world) => (named(world, "pvol", world.folder), null),
  },
  {
    name: "a device that is too small",
    code: 65,
    says: /too small|not formatted/,
    make: (world) => changedVolume(world, (file) => truncateSync(file, 512)),
  },
  {
    name: "a volume that was cut short",
    code: 65,
    says: /superblock/,
    make: (world) => changedVolume(world, (file) => truncateSync(file, 40960)),
  },
  {
    name: "an unformatted device",
    code: 65,
    says: /not formatted/,
    make: (world) => changedVolume(world, (file) => writeFileSync(file, Buffer.alloc(1 << 20))),
  },
  {
    name: "a torn superblock whose backup is good",
    code: 65,
    says: /checksum.*backup is good.*--repair/,
    make: (world) =>
      changedVolume(world, (file) =>
        writeBlocks(
          file,
          0,
          Buffer.concat([readBlocks(file, 0).subarray(0, 256), Buffer.alloc(256)]),
        ),
      ),
  },
  {
    name: "a device that holds something else",
    code: 77,
    says: /no heartbeat volume; holds/,
    make: (world) =>
      changedVolume(world, (file) => {
        const bytes = Buffer.alloc(1 << 20);
        bytes.writeUInt16LE(0xef53, 1024 + 56); // ext4
        bytes.writeUInt32LE(1, 1024);
        bytes.writeUInt32LE(256, 1024 + 4);
        bytes.writeUInt32LE(1, 1024 + 76);
        writeFileSync(file, bytes);
      }),
  },
  {
    name: "a newer version",
    code: 65,
    says: /version/,
    make: (world) => changedVolume(world, (file) => reversion(file, world.keyFile, 1)),
  },
  {
    name: "our own site's volume as the peer's",
    code: 78,
    says: /swapped/,
    make: (world) => {
      const [own, peer] = [world.volume("a-b", "pvol"), world.volume("b-a", "svol")];
      world.writeConfig("a1", (text) =>
        text.replace(`svol = "${peer}"`, `svol = "${path.join(world.folder, "a-b.svol")}2"`),
      );
      copyFileSync(own, `${path.join(world.folder, "a-b.svol")}2`);
      return own;
    },
  },
  {
    name: "a configuration that is missing",
    code: 66,
    says: /mirrorbeat\.toml/,
    make: (world) => (rmSync(world.host("a1").configFile), null),
  },
  {
    name: "a key of the configuration that nobody knows",
    code: 78,
    says: /:\d+: .*interval_msec.*interval_ms/,
    make: (world) => (
      world.writeConfig("a1", (text) => text.replace("interval_ms =", "interval_msec =")), null
    ),
  },
  {
    name: "text that is no TOML",
    code: 78,
    says: /mirrorbeat\.toml:\d+/,
    make: (world) => (world.writeConfig("a1", (text) => `${text}\nthis is no toml`), null),
  },
  {
    name: "a slot beyond the volume",
    code: 78,
    says: /8 slots, but slot 9 is configured; format it with --slots 10/,
    make: (world) => {
      world.writeConfig("a1", (text) =>
        text.replace('name = "a1"\nslot = 0', 'name = "a1"\nslot = 9'),
      );
      return world.volume("a-b", "pvol");
    },
  },
  {
    name: "a key file that others may read",
    code: 77,
    says: /mode 0644.*chmod 600/,
    make: (world) => {
      const file = path.join(world.folder, "open-key");
      copyFileSync(world.keyFile, file);
      chmodSync(file, 0o644);
      world.writeConfig("a1", (text) => text.replace(`"${world.keyFile}"`, `"${file}"`));
      return null;
    },
  },
  {
    name: "a key file that is missing",
    code: 66,
    says: /no key file/,
    make: (world) => {
      world.writeConfig("a1", (text) => text.replace(`"${world.keyFile}"`, '"/nowhere/authkey"'));
      return null;
    },
  },
  {
    name: "a damaged key file",
    code: 65,
    says: /copy the file again/,
    make: (world) => {
      const file = path.join(world.folder, "bad-key");
      writeFileSync(file, readFileSync(world.keyFile, "utf8").replace(/.$/m, "#"), { mode: 0o600 });
      const text = readFileSync(world.keyFile, "utf8");
      const at = text.trimEnd().length - 1;
      writeFileSync(file, `${text.slice(0, at)}${text[at] === "0" ? "1" : "0"}\n`, { mode: 0o600 });
      world.writeConfig("a1", (config) => config.replace(`"${world.keyFile}"`, `"${file}"`));
      return null;
    },
  },
  {
    name: "a state folder that cannot be made",
    code: 73,
    says: /cannot be made/,
    make: (world) => {
      world.writeConfig("a1", (text) =>
        text.replace(/state_folder = ".*"/, `state_folder = "${world.keyFile}/state"`),
      );
      return null;
    },
  },
  {
    name: "a damaged memory file",
    code: 65,
    says: /damaged, so the last term is not known/,
    make: (world) => {
      const { stateFolder } = world.host("a1");
      mkdirSync(stateFolder, { recursive: true, mode: 0o700 });
      writeFileSync(path.join(stateFolder, "memory.json"), '{"checksum":1,"body":"{}"}\n');
      return world.volume("a-b", "pvol");
    },
  },
];

for (const { name, code, says, make } of cases) {
  refusals(name, async ({ world }) => {
    world.writeConfig("a1");
    const device = make(world);
    const before = device === null ? null : readFileSync(device);
    const ended = await runProgram(["run", "--config", world.host("a1").configFile]);
    rmSync(world.host("a1").stateFolder, { recursive: true, force: true });
    assert.is(ended.code, code, ended.err);
    const lines = ended.err.trimEnd().split("\n");
    assert.is(lines.length, 1, ended.err);
    assert.match(lines[0] ?? "", /^mirrorbeat run: /);
    assert.match(lines[0] ?? "", says);
    assert.not.match(lines[0] ?? "", /undefined|\[object|NaN/);
    assert.is(ended.out, "");
    if (device !== null && before)
      assert.ok(readFileSync(device).equals(before), "bytes unchanged");
  });
}

refusals("another cluster's volume, and another key", async ({ world }) => {
  const other = await World.open({ cluster: "elsewhere", copied: [] });
  try {
    for (const [keyFile, code, says] of [
      [other.keyFile, 65, /belongs to cluster elsewhere, not to world/],
      [world.keyFile, 77, /key/],
    ] as const) {
      world.writeConfig("a1", (text) =>
        text
          .replaceAll(world.volume("a-b", "pvol"), other.volume("a-b", "pvol"))
          .replace(`"${world.keyFile}"`, `"${keyFile}"`),
      );
      const before = readFileSync(other.volume("a-b", "pvol"));
      const ended = await runProgram(["run", "--config", world.host("a1").configFile]);
      assert.is(ended.code, code, ended.err);
      assert.match(ended.err, says);
      assert.is(ended.err.trimEnd().split("\n").length, 1, ended.err);
      assert.ok(readFileSync(other.volume("a-b", "pvol")).equals(before));
    }
  } finally {
    await other.close();
  }
});

refusals("a wrong command line", async ({ world }) => {
  const { configFile } = world.host("a1");
  for (const args of [["--engine", "sync"], ["more"], ["--frobnicate"], ["--host"]]) {
    const ended = await runProgram(["run", "--config", configFile, ...args]);
    assert.is(ended.code, 64, ended.err);
  }
  world.writeConfig("a1");
  const nobody = await runProgram(["run", "--config", configFile, "--host", "zz"]);
  assert.is(nobody.code, 78, nobody.err);
  const help = await runProgram(["run", "--help"]);
  assert.is(help.code, 0);
  assert.ok(help.out.split("\n").every((line) => line.length <= 80));
});

refusals("the help names each exit code", async () => {
  const codes = {
    run: [0, 64, 65, 66, 69, 70, 71, 73, 74, 75, 77, 78],
    takeover: [0, 64, 66, 69, 73, 74, 75, 77, 78, 107, 112, 124],
  };
  for (const [verb, wanted] of Object.entries(codes)) {
    const { out } = await runProgram([verb, "--help"]);
    const [, table = ""] = out.split("exit codes\n");
    for (const code of wanted) assert.match(table, new RegExp(`(^|  )${code} [a-z-]`, "m"), verb);
    assert.ok(out.split("\n").every((line) => line.length <= 80));
  }
});
refusals.run();

testWhere(
  test,
  [needRoot, needProgram("losetup", "mount")],
  "a volume formatted for sectors of 512 bytes, on a device of 4096",
  () =>
    withWorld({ device: 4096, copied: [] }, async (world) => {
      const small = await World.open({ device: 512, copied: [], cluster: world.cluster });
      try {
        const bytes = readFileSync(path.join(small.folder, "a-b.pvol"));
        const { openLoops } = await import("../testing/agent-loops.ts");
        const folder = path.join(world.folder, "moved");
        mkdirSync(folder);
        writeFileSync(path.join(folder, "volume"), bytes);
        const loops = openLoops(folder);
        try {
          const device = await loops.attach(path.join(folder, "volume"), 4096);
          world.writeConfig("a1", (text) =>
            text
              .replaceAll(world.volume("a-b", "pvol"), device)
              .replace(`"${world.keyFile}"`, `"${small.keyFile}"`),
          );
          const ended = await runProgram(["run", "--config", world.host("a1").configFile]);
          assert.is(ended.code, 65, ended.err);
          assert.match(
            ended.err,
            /formatted on sectors of 512 bytes, the device has 4096/,
            ended.err,
          );
        } finally {
          await loops.detach();
        }
      } finally {
        await small.close();
      }
    }),
);

test("a slot in live use by another host is refused; one whose user is gone is taken", () =>
  withWorld({}, async (world) => {
    await world.beating();
    const { configFile, folder } = world.host("a1");
    const twin = path.join(folder, "twin.toml");
    const text = readFileSync(configFile, "utf8")
      .replace(/run_folder = ".*"/, `run_folder = "${folder}/run2"`)
      .replace(/state_folder = ".*"/, `state_folder = "${folder}/state2"`);
    writeFileSync(twin, text);
    const fromMs = performance.now();
    const ended = await runProgram(["run", "--config", twin]);
    assert.is(ended.code, 77, ended.err);
    assert.match(ended.err, /slot 0 is in live use by host 'a1' \(serial \d+, advancing\)/);
    assert.is(ended.err.trimEnd().split("\n").length, 1);
    assert.ok(world.host("a1").process?.alive, "the rightful one beats on");
    assert.equal(world.alarms("b1", fromMs), []);
  }));

test("a second agent on the same state folder, and an address in use", () =>
  withWorld({}, async (world) => {
    await world.start("a1");
    const second = await world.verb("a1", "run");
    assert.is(second.code, 75, second.err);
    assert.match(second.err, /another agent runs here/);
    assert.is(second.err.trimEnd().split("\n").length, 1);
    assert.ok(world.host("a1").process?.alive);
    const socket = dgram.createSocket("udp4");
    const { address, port } = world.host("b1");
    await new Promise<void>((resolve) => socket.bind(port, address, () => resolve()));
    const taken = await world.verb("b1", "run");
    socket.close();
    assert.is(taken.code, 69, taken.err);
    assert.match(taken.err, /already in use by another program/);
    assert.is(taken.err.trimEnd().split("\n").length, 1);
  }));

test.run();
