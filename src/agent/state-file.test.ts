/** The state file: writes that hang are not piled up; a state that cannot be told is no end. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { WriteResult } from "../host/atomic-file.ts";
import { stateFileName } from "./names.ts";
import { stateFile } from "./state-file.ts";

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
const unexpected = (reason: string): void => assert.unreachable(reason);

test("while a write hangs one waits for it, however often the state changes", async () => {
  const ends: (() => void)[] = [];
  const texts: string[] = [];
  const hang = (_file: string, bytes: Uint8Array | string): Promise<WriteResult> => {
    texts.push(Buffer.from(bytes).toString());
    return new Promise((resolve) => ends.push(() => resolve({ ok: true })));
  };
  let made = 0;
  const state = stateFile({ runFolder: "/nowhere" }, () => ({ n: ++made }), unexpected, hang);
  const all = Array.from({ length: 100 }, () => state.last());
  await pause(20);
  assert.is(made, 1);
  ends.shift()?.();
  await pause(20);
  assert.is(made, 2, "one more, with the newest state");
  ends.shift()?.();
  await Promise.all(all);
  await pause(20);
  assert.is(made, 2);
  assert.equal(texts, ['{"n":1}\n', '{"n":2}\n']);
});

test("a status that throws is told once, and a later one is written", async () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), "mirrorbeat-state-"));
  const faults: string[] = [];
  let bad = true;
  const status = (): unknown => {
    if (bad) throw new Error("no status");
    return { fine: true };
  };
  const state = stateFile({ runFolder: folder }, status, (reason) => faults.push(reason));
  await state.last();
  await state.last();
  assert.is(faults.length, 1);
  assert.match(faults[0] ?? "", /state\.json: not written: Error: no status/);
  bad = false;
  await state.last();
  assert.is(readFileSync(path.join(folder, stateFileName), "utf8"), '{"fine":true}\n');
  rmSync(folder, { recursive: true });
});

test.run();
