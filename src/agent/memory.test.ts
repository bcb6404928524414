/** The memory file: both ways, each byte of it damaged, and writes that fail or overlap. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { crc32c } from "../testing/core-seal.ts";
import {
  emptyMemory,
  loadMemory,
  type Memory,
  memoryFile,
  memoryStore,
  memoryText,
  parseMemory,
  rightOf,
} from "./memory.ts";

const sample: Memory = {
  incarnation: 18_446_744_073_709_551_615n,
  term: 131_074n,
  halfDone: true,
  serving: true,
  grantedTerm: 131_073n,
  grantedSite: 2,
  givenSite: 1,
  blank: false,
  bootId: "b0070000-0000-4000-8000-000000000001",
  marks: {
    "a1 network": { incarnation: 7n, serial: 1_000_000_000_001n },
    "a1 a-b": { incarnation: 6n, serial: 5n },
  },
  switches: { network: false, mirrors: { "a-b": true, "b-a": false }, hosts: { a1: false } },
};

const same = (a: Memory, b: Memory): boolean => memoryText(a, crc32c) === memoryText(b, crc32c);

test("what is written is read back", () => {
  for (const memory of [sample, emptyMemory, { ...sample, term: null }]) {
    const again = parseMemory(memoryText(memory, crc32c), crc32c);
    assert.ok(again && same(again, memory));
    assert.is(again.incarnation, memory.incarnation);
    assert.is(again.term, memory.term);
    assert.is(again.halfDone, memory.halfDone);
    assert.equal(rightOf(again), rightOf(memory));
    assert.is(again.bootId, memory.bootId);
  }
});

test("each byte changed, removed or doubled, and each cut: found, or harmless", () => {
  const bytes = Buffer.from(memoryText(sample, crc32c));
  const harmless: number[] = [];
  const check = (changed: Buffer, at: number): void => {
    const read = parseMemory(changed.toString("utf8"), crc32c);
    if (read === null) return;
    assert.ok(same(read, sample), `a false memory from a change at ${at}: ${changed}`);
    harmless.push(at);
  };
  for (let at = 0; at < bytes.length; at++) {
    for (const mask of [0x01, 0x08, 0x20, 0x80, 0xff]) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ mask;
      check(changed, at);
    }
    check(Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1)]), at);
    check(Buffer.concat([bytes.subarray(0, at), bytes.subarray(at - 1 < 0 ? 0 : at - 1)]), at);
    check(bytes.subarray(0, at), at);
  }
  assert.ok(harmless.length < 20, `harmless at ${harmless}`);
});

test("text that is no memory", () => {
  const sealed = (body: string): string =>
    JSON.stringify({ checksum: crc32c(Buffer.from(body)), body });
  for (const text of [
    "", "null", "{}", "[]", "0", '{"checksum":0,"body":""}', sealed("null"), sealed("{}"), sealed("[]"),
    sealed('{"schema":2}'), sealed('{"schema":1}'), sealed('{"schema":1,"incarnation":"x"}'),
    sealed('{"schema":1,"incarnation":"1","term":"1.5","marks":{},"switches":{}}'),
  ]) assert.is(parseMemory(text, crc32c), null, text); // biome-ignore format: a list
});

test("a missing file is an empty memory; one that cannot be read or believed is refused", () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), "mirrorbeat-memory-"));
  const file = path.join(folder, memoryFile);
  const missing = loadMemory(folder, crc32c);
  assert.ok(missing.ok && missing.memory === emptyMemory);
  writeFileSync(file, "garbage");
  const damaged = loadMemory(folder, crc32c);
  assert.ok(!damaged.ok && damaged.refusal.code === 65);
  rmSync(file);
  const notFile = loadMemory(path.join(folder, "..", path.basename(folder)), crc32c);
  assert.ok(notFile.ok);
  rmSync(folder, { recursive: true });
});

test("writes overlap: every one is answered, the newest is on disk", async () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), "mirrorbeat-memory-"));
  const { store } = memoryStore(folder, crc32c);
  const all = Array.from({ length: 50 }, (_, n) => store({ ...sample, incarnation: BigInt(n) }));
  assert.ok((await Promise.all(all)).every((ok) => ok));
  const loaded = loadMemory(folder, crc32c);
  assert.ok(loaded.ok && loaded.memory.incarnation === 49n);
  assert.match(readFileSync(path.join(folder, memoryFile), "utf8"), /\n$/);
  rmSync(folder, { recursive: true });
  assert.is(await store(sample), false, "a folder that is gone is a value");
});

test.run();
