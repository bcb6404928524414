/** The journal: order, rotation, a full disk, a folder that goes away. */
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { runTool } from "../testing/agent-process.ts";
import { needProgram, needRoot, testWhere } from "../testing/where.ts";
import { journalFile, journalFileOld, openJournal } from "./journal.ts";

async function withFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(path.join(os.tmpdir(), "mirrorbeat-journal-"));
  try {
    await body(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function linesIn(folder: string): readonly string[] {
  return [journalFileOld, journalFile].flatMap((name) => {
    const file = path.join(folder, name);
    return existsSync(file) ? readFileSync(file, "utf8").split("\n").slice(0, -1) : [];
  });
}

const lineOf = (n: number): string =>
  `2026-11-22T07:31:04.120Z level=info ev=path n=${String(n).padStart(6, "0")}`;
const numberOf = (line: string): number => Number(/n=(\d{6})$/.exec(line)?.[1] ?? Number.NaN);
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

test("lines stand in order, once each, and recent ones are at hand", () =>
  withFolder(async (folder) => {
    const faults: (string | null)[] = [];
    const journal = openJournal({
      folder,
      bytesMax: 1 << 20,
      onFault: (fault) => faults.push(fault),
    });
    for (let n = 0; n < 1500; n++) {
      journal.append(lineOf(n));
      if (n % 300 === 0) await pause(2);
    }
    await journal.flushed(5000);
    assert.equal(
      linesIn(folder).map(numberOf),
      Array.from({ length: 1500 }, (_, n) => n),
    );
    assert.equal(
      journal.recent().map(numberOf),
      Array.from({ length: 200 }, (_, n) => 1300 + n),
    );
    assert.equal(faults, []);
    assert.is(statSync(path.join(folder, journalFile)).mode & 0o777, 0o600);
    const again = openJournal({ folder, bytesMax: 1 << 20, onFault: () => undefined });
    again.append(lineOf(1500));
    await again.flushed(5000);
    assert.is(linesIn(folder).length, 1501, "a restart appends");
  }));

test("two files never exceed the ceiling, and the newest lines are there", () =>
  withFolder(async (folder) => {
    const bytesMax = 64 << 10;
    const journal = openJournal({ folder, bytesMax, onFault: () => undefined });
    let most = 0;
    for (let n = 0; n < 6000; n++) {
      journal.append(lineOf(n));
      if (n % 50 !== 0) continue;
      await journal.flushed(5000);
      const sizes = [journalFile, journalFileOld].map((name) => {
        const file = path.join(folder, name);
        return existsSync(file) ? statSync(file).size : 0;
      });
      most = Math.max(
        most,
        sizes.reduce((sum, size) => sum + size, 0),
      );
    }
    await journal.flushed(5000);
    assert.ok(most <= bytesMax, `${most} of ${bytesMax} bytes`);
    const numbers = linesIn(folder).map(numberOf);
    assert.is(numbers.at(-1), 5999);
    assert.ok(numbers.length > 400);
    assert.ok(
      numbers.every((n, i) => i === 0 || n === (numbers[i - 1] ?? 0) + 1),
      "no line missing",
    );
  }));

test("a file that was over the ceiling already is moved aside first", () =>
  withFolder(async (folder) => {
    writeFileSync(path.join(folder, journalFile), "x".repeat(100_000));
    const journal = openJournal({ folder, bytesMax: 64 << 10, onFault: () => undefined });
    journal.append(lineOf(1));
    await journal.flushed(5000);
    assert.equal(readFileSync(path.join(folder, journalFile), "utf8"), `${lineOf(1)}\n`);
  }));

test("what a crash left of a line is cut off; the lines around it stand", () =>
  withFolder(async (folder) => {
    writeFileSync(path.join(folder, journalFile), `${lineOf(1)}\n${lineOf(2).slice(0, 30)}`);
    const journal = openJournal({ folder, bytesMax: 1 << 20, onFault: () => undefined });
    journal.append(lineOf(3));
    await journal.flushed(5000);
    assert.equal(linesIn(folder), [lineOf(1), lineOf(3)]);
  }));

test("a folder that goes away is made again; a bounded queue waits meanwhile", () =>
  withFolder(async (base) => {
    const folder = path.join(base, "state");
    const faults: (string | null)[] = [];
    const journal = openJournal({
      folder,
      bytesMax: 1 << 20,
      onFault: (fault) => faults.push(fault),
    });
    journal.append(lineOf(0));
    for (const end = performance.now() + 15_000; !existsSync(path.join(folder, journalFile)); ) {
      assert.ok(performance.now() < end, "written in the end");
      await pause(50);
    }
    assert.equal(linesIn(folder).map(numberOf), [0]);
    assert.ok(faults.length === 0 || faults.at(-1) === null, JSON.stringify(faults));
  }));

testWhere(
  test,
  [needRoot, needProgram("mount", "mount")],
  "a full disk is told once; what came meanwhile is written in order, no line torn or twice",
  () =>
    withFolder(async (folder) => {
      const mounted = await runTool("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", folder]);
      assert.is(mounted.code, 0, mounted.err);
      try {
        const faults: (string | null)[] = [];
        const journal = openJournal({ folder, bytesMax: 1 << 20, onFault: (f) => faults.push(f) });
        const filler = path.join(folder, "filler");
        writeFileSync(filler, Buffer.alloc(40_000));
        let next = 0;
        // Lines of no round length: the disk ends in the midst of one.
        for (; faults.length === 0 && next < 2000; next++) {
          journal.append(lineOf(next));
          if (next % 7 === 0) await journal.flushed(2000);
        }
        assert.equal(faults, ["ENOSPC"]);
        assert.is(journal.fault, "ENOSPC");
        for (let n = 0; n < 300; n++) journal.append(lineOf(next++));
        await journal.flushed(100);
        assert.equal(faults, ["ENOSPC"], "told once");
        rmSync(filler);
        for (const end = performance.now() + 20_000; journal.fault !== null; await pause(50))
          assert.ok(performance.now() < end, "written again");
        await journal.flushed(5000);
        assert.equal(faults, ["ENOSPC", null]);
        assert.equal(
          linesIn(folder).map(numberOf),
          Array.from({ length: next }, (_, n) => n),
        );
      } finally {
        await runTool("umount", ["-l", folder]);
      }
    }),
);

test.run();
