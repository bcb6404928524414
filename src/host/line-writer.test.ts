/** Lines to a descriptor that takes them slowly, not at all, or no more. */
import { execFileSync } from "node:child_process";
import {
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
} from "node:fs";
import os from "node:os";
import path from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { lineWriter } from "./line-writer.ts";

const { O_RDONLY, O_WRONLY, O_NONBLOCK } = constants;

async function withPipe(body: (reading: number, writing: number) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(path.join(os.tmpdir(), "mirrorbeat-lines-"));
  const fifo = path.join(folder, "fifo");
  execFileSync("mkfifo", [fifo]);
  const reading = openSync(fifo, O_RDONLY | O_NONBLOCK);
  const writing = openSync(fifo, O_WRONLY | O_NONBLOCK);
  try {
    await body(reading, writing);
  } finally {
    closeSync(writing);
    try {
      closeSync(reading);
    } catch {
      // closed by the test
    }
    rmSync(folder, { recursive: true });
  }
}

/** What is in the pipe now. */
function drained(reading: number): string {
  const bytes = Buffer.alloc(1 << 20);
  let text = "";
  try {
    for (let got = 1; got > 0; ) {
      got = readSync(reading, bytes, 0, bytes.length, null);
      text += bytes.toString("latin1", 0, got);
    }
  } catch {
    // EAGAIN: empty
  }
  return text;
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

test("lines arrive whole and in order", async () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), "mirrorbeat-lines-"));
  const file = path.join(folder, "out");
  const writing = openSync(file, "w");
  const writer = lineWriter(writing, 5000);
  const wanted = Array.from({ length: 3000 }, (_, n) => `line ${n} ${"x".repeat(n % 90)}`);
  for (const [n, line] of wanted.entries()) {
    writer.line(line);
    if (n % 500 === 0) await pause(1);
  }
  await writer.flushed(5000);
  assert.equal(readFileSync(file, "latin1").trimEnd().split("\n"), wanted);
  assert.is(writer.droppedLines, 0);
  closeSync(writing);
  rmSync(folder, { recursive: true });
});

test("a pipe that nobody reads: no wait, a bounded ring, the oldest go, their number is told", () =>
  withPipe(async (reading, writing) => {
    const writer = lineWriter(writing, 50);
    const total = 4000;
    const began = performance.now();
    for (let n = 0; n < total; n++) {
      writer.line(`line ${String(n).padStart(5, "0")} ${"x".repeat(100)}`);
      if (n % 100 === 0) await pause(1);
    }
    assert.ok(performance.now() - began < 5000, "never waits for the reader");
    assert.ok(writer.droppedLines > 1000, `${writer.droppedLines}`);
    const flushing = performance.now();
    await writer.flushed(300);
    const tookMs = performance.now() - flushing;
    assert.ok(tookMs >= 290 && tookMs < 3000, `the deadline holds: ${tookMs} ms`);
    let text = "";
    for (const end = performance.now() + 10_000; performance.now() < end; await pause(20)) {
      text += drained(reading);
      if (text.includes(`line 0${total - 1}`)) break;
    }
    const lines = text.trimEnd().split("\n");
    const numbers = lines
      .flatMap((line) => /^line (\d{5}) x{100}$/.exec(line)?.[1] ?? [])
      .map(Number);
    assert.is(numbers.at(-1), total - 1, "the newest are kept");
    assert.ok(
      numbers.every((n, i) => i === 0 || n > (numbers[i - 1] ?? -1)),
      "in order",
    );
    assert.is(numbers.length, total - writer.droppedLines);
    const notes = lines.filter((line) => !line.startsWith("line "));
    const told = notes.map((line) => Number(/(\d+) lines/.exec(line)?.[1]));
    assert.is(
      told.reduce((sum, n) => sum + n, 0),
      writer.droppedLines,
      notes.join("\n"),
    );
  }));

test("a reader that goes away costs lines and nothing else", () =>
  withPipe(async (reading, writing) => {
    const writer = lineWriter(writing, 50);
    writer.line("first");
    await writer.flushed(2000);
    closeSync(reading);
    for (let n = 0; n < 200; n++) writer.line(`lost ${n}`);
    await writer.flushed(2000);
    await pause(20);
    writer.line("still no throw");
    await writer.flushed(2000);
  }));

test("a descriptor that is none", async () => {
  const writer = lineWriter(987_654, 10);
  writer.line("nowhere");
  await writer.flushed(2000);
  assert.is(writer.droppedLines, 0);
});

test.run();
