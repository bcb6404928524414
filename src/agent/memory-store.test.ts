/** The store of the memory: no term falls, no answer lies, no call waits for ever. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { WriteResult } from "../host/atomic-file.ts";
import { crc32c } from "../testing/core-seal.ts";
import { emptyMemory, type Memory, memoryStore, parseMemory } from "./memory.ts";

const first: Memory = { ...emptyMemory, incarnation: 1n, term: 257n };
const taken: Memory = { ...first, term: 514n, halfDone: true };

/** A disk whose writes end when and as the test says. */
function slowDisk() {
  const begun: { memory: Memory | null; end: (ok: boolean) => void }[] = [];
  const write = (_file: string, bytes: Uint8Array | string): Promise<WriteResult> =>
    new Promise((resolve) => {
      const memory = parseMemory(Buffer.from(bytes).toString(), crc32c);
      const end = (ok: boolean): void =>
        resolve(ok ? { ok } : { ok, code: 73, message: "the disk is full" });
      begun.push({ memory, end });
    });
  const next = async (ok: boolean): Promise<Memory | null> => {
    await new Promise((resolve) => setImmediate(resolve));
    const write = begun.shift();
    assert.ok(write, "a write is under way");
    write.end(ok);
    return write.memory;
  };
  return { write, next, begun };
}

const said = (memory: Memory | null) => [memory?.term, memory?.halfDone, memory?.incarnation];

test("a lower term that comes while the higher one waits does not replace it", async () => {
  const disk = slowDisk();
  const { store } = memoryStore("/nowhere", crc32c, first, disk);
  const busy = store(first);
  const higher = store(taken);
  const later = store({ ...first, incarnation: 2n });
  await disk.next(true);
  assert.equal(said(await disk.next(true)), [514n, true, 2n]);
  assert.equal(await Promise.all([busy, higher, later]), [true, true, true]);
});

test("a lower term that comes afterwards does not replace it; its end is told by its own term", async () => {
  const disk = slowDisk();
  const { store } = memoryStore("/nowhere", crc32c, emptyMemory, disk);
  const higher = store(taken);
  const during = store(first);
  assert.equal(said(await disk.next(true)), [514n, true, 1n]);
  assert.ok(await higher);
  assert.equal(said(await disk.next(true)), [514n, true, 1n]);
  assert.ok(await during);
  const done = store({ ...taken, halfDone: false });
  assert.equal(said(await disk.next(true)), [514n, false, 1n]);
  assert.ok(await done);
  void store({ ...first, halfDone: true });
  assert.equal(said(await disk.next(true)), [514n, false, 1n]);
});

test("the loaded term is never written over by a lower one", async () => {
  const disk = slowDisk();
  const { store } = memoryStore("/nowhere", crc32c, taken, disk);
  void store(first);
  assert.equal(said(await disk.next(true)), [514n, true, 1n]);
});

test("a term that could not be written is not written by a later call", async () => {
  const disk = slowDisk();
  const { store } = memoryStore("/nowhere", crc32c, first, disk);
  const refused = store(taken);
  const later = store(first);
  assert.equal(said(await disk.next(false)), [514n, true, 1n]);
  assert.is(await refused, false);
  assert.equal(said(await disk.next(true)), [257n, false, 1n]);
  assert.ok(await later);
});

test("a call ends by its limit, and what it wanted is not written later", async () => {
  const disk = slowDisk();
  const { store } = memoryStore("/nowhere", crc32c, first, { ...disk, limitMs: 50 });
  const hung = store(first);
  assert.is(await store(taken), false);
  assert.is(await hung, false);
  const later = store({ ...first, incarnation: 3n });
  await disk.next(true);
  assert.equal(said(await disk.next(true)), [257n, false, 3n]);
  assert.ok(await later);
});

test("behind a disk that hangs a bounded number waits", async () => {
  const disk = slowDisk();
  const { store } = memoryStore("/nowhere", crc32c, first, disk);
  const all = Array.from({ length: 1000 }, () => store(first));
  assert.is(await all.at(-1), false, "at once");
  await disk.next(true);
  await disk.next(true);
  const kept = (await Promise.all(all)).filter((ok) => ok).length;
  assert.ok(kept > 1 && kept < 100, `${kept} waited`);
  assert.is(disk.begun.length, 0);
});

test.run();
