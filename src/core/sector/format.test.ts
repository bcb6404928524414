/** The published format: golden vectors in both directions, and the document that describes it. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  clusterId,
  clusterName,
  echoValues,
  goldenDatagram,
  goldens,
  recordValues,
  samplePlan,
  sectorOf,
  volumeId,
} from "../../testing/core-samples.ts";
import { checks, crc32c, sha256, testKey, testKeyId } from "../../testing/core-seal.ts";
import {
  everyVector,
  formatFolder,
  goldenVectors,
  hexText,
  howToUpdate,
  plain,
  storedVector,
  storeVector,
  updating,
  type Vector,
} from "../../testing/core-vectors.ts";
import { needProgram, testWhere } from "../../testing/where.ts";
import { policies } from "../base/config.ts";
import { sharedTimings, timingDefaults } from "../base/timing.ts";
import { openSector } from "../record.ts";
import { clusterIdOf } from "./cluster-id.ts";
import { decodeSector } from "./codec.ts";
import { formatTables, layoutTable, withTables } from "./document.ts";
import { blockBytes, sectorBytes } from "./layout.ts";
import { timingDigestOf } from "./timing-digest.ts";

const keyHex = Buffer.from(testKey).toString("hex");
const document = "docs/format.md";

if (updating) {
  for (const vector of everyVector()) storeVector(vector);
  writeFileSync(`${formatFolder}/datagram.hex`, hexText(goldenDatagram()));
  const text = withTables(readFileSync(document, "utf8"));
  if (text !== null) writeFileSync(document, text);
}

test("every vector has its two files, and there are no others", () => {
  const files = readdirSync(formatFolder).filter((file) => /\.(hex|json)$/.test(file));
  const wanted = everyVector().flatMap(({ name }) => [`${name}.hex`, `${name}.json`]);
  assert.equal(files.sort(), [...wanted, "datagram.hex"].sort(), howToUpdate);
});

for (const golden of goldens) {
  test(`encode ${golden.name}`, () => {
    const stored = storedVector(golden.name);
    assert.is(hexText(sectorOf(golden.kind, golden.values)), hexText(stored.bytes), howToUpdate);
  });
  test(`decode ${golden.name}`, () => {
    const { bytes, file } = storedVector(golden.name);
    const opened = openSector(golden.kind, bytes, file.place, checks);
    assert.is(opened.kind, "valid");
    if (opened.kind === "valid") assert.equal(plain(opened.record), file.values, howToUpdate);
  });
  test(`what ${golden.name} decodes to encodes to the same bytes`, () => {
    const { bytes } = storedVector(golden.name);
    const again = sectorOf(golden.kind, decodeSector(golden.kind, bytes));
    assert.is(hexText(again), hexText(bytes));
  });
}

test("the values that were encoded come back, list entries filled up with zeros", () => {
  for (const { name, kind, values } of goldens) {
    const decoded = storedVector(name).file.values as Record<string, unknown>;
    for (const [key, value] of Object.entries(plain(values) as Record<string, unknown>)) {
      const got = decoded[key];
      if (!Array.isArray(value)) assert.equal(got, value, `${name}.${key}`);
      else assert.equal((got as unknown[]).slice(0, value.length), value, `${kind}.${key}`);
    }
  }
});

test("the datagram is its record and its echo sector", () => {
  const stored = readFileSync(`${formatFolder}/datagram.hex`, "utf8");
  assert.is(hexText(goldenDatagram()), stored, howToUpdate);
});

test("every broken vector is refused for the reason in its name", () => {
  for (const { name, bytes, file } of everyVector()) {
    if (!name.startsWith("broken-")) continue;
    const stored = storedVector(name);
    assert.is(hexText(bytes), hexText(stored.bytes), howToUpdate);
    assert.is(file.opened, stored.file.opened, name);
    const aliases: Record<string, string> = { "features-newer": "version-newer" };
    const reason = aliases[name.slice(7)] ?? name.slice(7);
    const same =
      reason.startsWith(file.opened) ||
      (/^reserved/.test(reason) && file.opened === "reserved-not-zero");
    assert.ok(same, `${name} opened as ${file.opened}`);
  }
});

test("CRC32C has the check value of its definition", () => {
  assert.is(crc32c(new TextEncoder().encode("123456789")), 0xe3069283);
});

test("the cluster id is a UUID of version 8 made from the name", () => {
  assert.is(clusterIdOf("alpha", sha256), clusterId);
  // By hand: printf 'mirrorbeat cluster alpha' | sha256sum, first 16 bytes, nibbles set.
  assert.is(clusterId, "d3954382-47d9-8855-9737-5ddba26e9f4e");
  assert.match(
    clusterIdOf("beta", sha256),
    /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-/,
  );
  assert.is.not(clusterIdOf("beta", sha256), clusterId);
  assert.throws(() => clusterIdOf("kyōto", sha256), /ASCII/);
});

test("the timing digest covers each shared timing, in order, the policy, and no other", () => {
  // interval, poll, margin, latency, read limit, lease, watchdog; stop, late write, hang, drift,
  // takeover wait, lock; and the number of the policy "operator".
  const numbers = [1000, 500, 2000, 500, 500, 0, 0, 0, 2000, 13_200, 1000, 0, 18_320, 1];
  const bytes = Buffer.alloc(4 * numbers.length);
  numbers.forEach((value, index) => bytes.writeUInt32LE(value, 4 * index));
  const digest = timingDigestOf({ timing: timingDefaults, policy: "operator" }, crc32c);
  assert.is(digest, crc32c(bytes));
  const others = new Set(Object.keys(timingDefaults) as (keyof typeof timingDefaults)[]);
  for (const name of sharedTimings) {
    const other = { ...timingDefaults, [name]: timingDefaults[name] + 1 };
    assert.is.not(timingDigestOf({ timing: other, policy: "operator" }, crc32c), digest, name);
    others.delete(name);
  }
  assert.equal([...others], [
    "writeLimitMs", "schedulingMs", "detector", "pairPollMs", "pairAgeLimitMs", "lostRounds",
  ]); // biome-ignore format: one list
  for (const name of others) {
    const other = { ...timingDefaults, [name]: 7 };
    assert.is(timingDigestOf({ timing: other, policy: "operator" }, crc32c), digest, name);
  }
  const digests = policies.map((policy) =>
    timingDigestOf({ timing: timingDefaults, policy }, crc32c),
  );
  assert.is(new Set(digests).size, policies.length);
});

test("docs/format.md shows the tables of the layout", () => {
  const text = readFileSync(document, "utf8");
  const rendered = withTables(text);
  assert.ok(rendered !== null, "every table has its markers");
  for (const [name, table] of Object.entries(formatTables)) {
    assert.ok(text.includes(table()), `table ${name}; ${howToUpdate}`);
  }
  assert.is(rendered, text, howToUpdate);
});

test("a document without markers is not touched", () => {
  assert.is(withTables("# nothing here"), null);
  assert.match(
    layoutTable([{ name: "zero", at: 0, kind: "zero", length: 4, note: "reserved" }]),
    /\| 00 \| 4 \| zero \| zero \| reserved \|/,
  );
});

test("docs/format.md quotes numbers that are true", () => {
  const text = readFileSync(document, "utf8");
  const quoted: Record<string, string> = {
    "key of the examples": keyHex,
    "its key id": testKeyId.toString(16).padStart(8, "0"),
    "cluster id of alpha": clusterId,
    "timing digest of the defaults": timingDigestOf(
      { timing: timingDefaults, policy: "operator" },
      crc32c,
    )
      .toString(16)
      .padStart(8, "0"),
    "check value": "E3069283",
  };
  for (const [what, value] of Object.entries(quoted))
    assert.ok(text.includes(value), `${what}: ${value}`);
  const example = hexText(storedVector("record-copy-a").bytes).trim().split("\n");
  example.forEach((line, index) => {
    if (/^0+$/.test(line)) return;
    const spaced = (line.match(/../g) ?? []).join(" ");
    const at = (16 * index).toString(16).padStart(3, "0");
    assert.ok(text.includes(`${at}  ${spaced}`), `worked example, line ${at}  ${spaced}`);
  });
});

// The second reader of the format: written from the document alone, in another language.
const decoder = `${formatFolder}/decode.py`;
const needPython = needProgram("python3", "python3");

function python(...args: readonly string[]): unknown {
  const result = spawnSync("python3", [decoder, "--key", keyHex, ...args], {
    encoding: "utf8",
    timeout: 20_000,
  });
  assert.is(result.status, 0, result.stderr);
  return JSON.parse(result.stdout);
}

testWhere(test, [needPython], "the Python decoder reads every vector alike", () => {
  for (const { name } of everyVector()) {
    const { file } = storedVector(name);
    const args = ["--sector", file.sector, "--place", JSON.stringify(file.place)];
    const got = python(...args, `${formatFolder}/${name}.hex`);
    const values = file.opened === "empty" ? null : file.values;
    assert.equal(got, { opened: file.opened, values }, name);
  }
});

testWhere(test, [needPython], "the Python decoder reads a datagram alike", () => {
  const to = ["--cluster", clusterName, "--to", "2:3"];
  const got = python(...to, `${formatFolder}/datagram.hex`);
  const parts = ["datagram-record", "datagram-echo"].map((name) => {
    const { opened, values } = storedVector(name).file;
    return { opened, values };
  });
  assert.equal(got, { record: parts[0], echo: parts[1] });
});

const at = (block: number, index = 0) => block * blockBytes + index * sectorBytes;
const bytesOf = (name: string): Uint8Array => storedVector(name).bytes;

const echoBlock = samplePlan.echoBlock + 5 * samplePlan.echoBlocksPerCopy;

/** A volume: slot 0 with one copy, slot 2 with copy A torn, an echo block, an echo that is old. */
function image(): Uint8Array {
  const bytes = new Uint8Array(samplePlan.blocks * blockBytes);
  bytes.set(bytesOf("superblock"), at(0));
  bytes.set(bytesOf("superblock-backup"), at(samplePlan.backupBlock));
  bytes.set(sectorOf("record", recordValues({ serial: 1000n, echoSectors: 2 })), at(8));
  bytes.set(bytesOf("echo-beside-record"), at(8, 1));
  bytes.set(sectorOf("echo", echoValues({ index: 2, firstPeer: 9, serial: 999n })), at(8, 2));
  bytes.set(bytesOf("record-copy-a").subarray(0, 100), at(12));
  bytes.set(bytesOf("record-copy-b"), at(13));
  const far = { copy: 1, slot: 2, block: echoBlock, index: 3, firstPeer: 90, count: 0, echoes: [] };
  bytes.set(sectorOf("echo", echoValues({ ...far, serial: 1002n })), at(echoBlock, 3));
  return bytes;
}

type Listed = {
  superblock: { copy: number; opened: string };
  plan: Record<string, number>;
  slots: {
    slot: number;
    newest: { copy: number; serial: string } | null;
    copies: { opened: string }[];
    echoes: { block: number; index: number; opened: string }[];
  }[];
};

testWhere(test, [needPython], "the Python decoder reads a whole volume", () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), "mirrorbeat-format-"));
  try {
    const file = path.join(folder, "volume.img");
    const bytes = image();
    writeFileSync(file, bytes);
    const whole = python("--cluster", clusterName, file) as Listed;
    assert.equal(whole.superblock, { copy: 0, opened: "valid", volumeId });
    assert.equal(whole.plan, { ...samplePlan });
    const [first, second, third, fourth] = whole.slots;
    assert.equal(first?.newest, { copy: 0, incarnation: "7", serial: "1000" });
    assert.equal(
      first?.copies.map(({ opened }) => opened),
      ["valid", "empty"],
    );
    assert.equal(
      first?.echoes.map(({ block, index, opened }) => [block, index, opened]),
      [[8, 1, "valid"]],
    );
    assert.is(second?.newest, null);
    assert.equal(third?.newest, { copy: 1, incarnation: "7", serial: "1002" });
    assert.equal(
      third?.copies.map(({ opened }) => opened),
      ["checksum", "valid"],
    );
    assert.equal(
      third?.echoes.map(({ block, index, opened }) => [block, index, opened]),
      [[echoBlock, 3, "valid"]],
    );
    assert.is(fourth?.newest, null);

    bytes.fill(0xff, 0, blockBytes);
    writeFileSync(file, bytes);
    const damaged = python("--cluster", clusterName, file) as Listed;
    assert.equal(damaged.superblock, { copy: 1, opened: "valid", volumeId });
    assert.equal(damaged.slots, whole.slots);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("the golden vectors open as valid, the broken ones do not", () => {
  const valid = everyVector().filter((vector: Vector) => vector.file.opened === "valid");
  assert.equal(
    valid.map(({ name }) => name),
    goldenVectors().map(({ name }) => name),
  );
});

test.run();
