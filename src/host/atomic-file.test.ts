import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import os from "node:os";
import path from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { exitCodes } from "../core/base/exit-codes.ts";
import { needProgram, needRoot, testWhere } from "../testing/where.ts";
import { createFile, writeFileAtomically } from "./atomic-file.ts";

const newFolder = () => mkdtempSync(path.join(os.tmpdir(), "mb-atomic-"));

test("creates and replaces, with the mode asked for and nothing left beside", async () => {
  const folder = newFolder();
  const file = path.join(folder, "state");
  const umask = process.umask(0o077);
  assert.equal(await writeFileAtomically(file, "one", 0o644), { ok: true });
  process.umask(umask);
  assert.is(statSync(file).mode & 0o777, 0o644);
  const inode = statSync(file).ino;
  assert.equal(await writeFileAtomically(file, new Uint8Array([116, 119, 111]), 0o600), {
    ok: true,
  });
  assert.is(readFileSync(file, "utf8"), "two");
  assert.is(statSync(file).mode & 0o777, 0o600);
  assert.is.not(statSync(file).ino, inode);
  assert.equal(readdirSync(folder), ["state"]);
});

test("writes at the same time do not mix", async () => {
  const folder = newFolder();
  const file = path.join(folder, "state");
  const texts = Array.from({ length: 20 }, (_, index) => String(index).repeat(5000));
  const results = await Promise.all(texts.map((text) => writeFileAtomically(file, text, 0o600)));
  assert.ok(results.every((result) => result.ok));
  assert.ok(texts.includes(readFileSync(file, "utf8")));
  assert.equal(readdirSync(folder), ["state"]);
});

test("what a killed process left is removed, what a live one writes is not", async () => {
  const folder = newFolder();
  const dead = spawnSync(process.execPath, ["-e", ""]).pid;
  const left = path.join(folder, `.state.${dead}.7.tmp`);
  const live = path.join(folder, `.state.${process.ppid}.1.tmp`);
  for (const file of [left, live]) writeFileSync(file, "half");
  await writeFileAtomically(path.join(folder, "state"), "whole", 0o600);
  assert.not.ok(existsSync(left));
  assert.ok(existsSync(live));
});

test("each refusal names the file, the fault and the remedy", async () => {
  const folder = newFolder();
  const absent = await writeFileAtomically(path.join(folder, "no/state"), "x", 0o600);
  assert.equal(absent, {
    ok: false,
    code: exitCodes.cannotCreate,
    message: `${folder}/no/state: not written: no folder ${folder}/no; create it`,
  });
  mkdirSync(path.join(folder, "taken"));
  const taken = await writeFileAtomically(path.join(folder, "taken"), "x", 0o600);
  assert.not.ok(taken.ok);
  assert.equal(readdirSync(folder), ["taken"]);
});

test("createFile never overwrites", async () => {
  const file = path.join(newFolder(), "key");
  assert.ok((await createFile(file, "first", 0o600)).ok);
  const again = await createFile(file, "second", 0o600);
  assert.is(again.ok ? 0 : again.code, exitCodes.cannotCreate);
  assert.is(readFileSync(file, "utf8"), "first");
});

const smallDisk = newFolder();
const mounting = ["-t", "tmpfs", "-o", "size=64k", "tmpfs", smallDisk];
const isMounted = needRoot === null && spawnSync("mount", mounting).status === 0;
const needMount = isMounted ? null : "needs the right to mount a tmpfs";
const needs = [needRoot, needProgram("mount", "mount"), needMount];

testWhere(
  test,
  needs,
  "a full disk leaves the old file as it was, and nothing beside it",
  async () => {
    try {
      const file = path.join(smallDisk, "state");
      assert.ok((await writeFileAtomically(file, "old", 0o600)).ok);
      const large = await writeFileAtomically(file, "n".repeat(100_000), 0o600);
      assert.equal(large, {
        ok: false,
        code: exitCodes.cannotCreate,
        message: `${file}: not written: the disk is full; free some space`,
      });
      assert.is(readFileSync(file, "utf8"), "old");
      assert.equal(readdirSync(smallDisk), ["state"]);
      const created = await createFile(path.join(smallDisk, "key"), "n".repeat(100_000), 0o600);
      assert.is(created.ok ? 0 : created.code, exitCodes.cannotCreate);
      assert.equal(readdirSync(smallDisk), ["state"]);
    } finally {
      spawnSync("umount", [smallDisk]);
    }
  },
);

testWhere(test, needs, "a read-only disk is told as such", async () => {
  const folder = newFolder();
  if (spawnSync("mount", ["-t", "tmpfs", "-o", "ro,size=64k", "tmpfs", folder]).status !== 0)
    return;
  try {
    const result = await writeFileAtomically(path.join(folder, "state"), "x", 0o600);
    assert.is(result.ok ? 0 : result.code, exitCodes.cannotCreate);
    assert.match(result.ok ? "" : result.message, "read-only");
  } finally {
    spawnSync("umount", [folder]);
  }
});

test.run();
