// The program as it is shipped: one folder that runs from anywhere, and says what it can do.
import { execFileSync, spawnSync } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import os from "node:os";
import path from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";

const dist = path.join(process.cwd(), "dist");
const program = path.join(dist, "mirrorbeat");
const run = (...args: string[]) => spawnSync(program, args, { encoding: "utf8" });

test("dist/ is the launcher, the bundle, two addons and the library", () => {
  const files = readdirSync(dist).filter((name) => !name.endsWith(".map"));
  assert.equal(files.sort(), [
    "binding.node",
    "ffi_bindings.node",
    "libmirrorbeat.so",
    "mirrorbeat",
    "mirrorbeat.cjs",
  ]);
});

test("copied anywhere, and called by a symbolic link from anywhere, it works", () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), "mirrorbeat-copy-"));
  try {
    const copy = path.join(folder, "some where");
    cpSync(dist, copy, { recursive: true });
    // A package.json above it must not change how its modules are read.
    writeFileSync(path.join(folder, "package.json"), '{"type":"module"}');
    mkdirSync(path.join(folder, "bin"));
    symlinkSync(path.join(copy, "mirrorbeat"), path.join(folder, "bin", "mb"));
    const call = (...args: string[]) =>
      execFileSync(path.join(folder, "bin", "mb"), args, { cwd: "/", encoding: "utf8" });
    assert.match(call("--version"), /^mirrorbeat \d+\.\d+\.\d+, volume format 0\n$/);
    // This one needs both addons and the library.
    const volume = path.join(folder, "volume");
    const key = path.join(folder, "key");
    writeFileSync(volume, Buffer.alloc(1 << 20));
    call("key", "generate", "--out", key);
    call(
      "format",
      volume,
      "--cluster",
      "c",
      "--writer",
      "a",
      "--reader",
      "b",
      "--slots",
      "2",
      "--key",
      key,
      "--yes",
    );
    assert.match(call("examine", volume, "--key", key), /good|ok/i);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("every verb has a help of ASCII lines of at most 80 columns, and refuses what it does not know", () => {
  const usage = run("--help").stdout;
  const verbs = [...usage.matchAll(/^ {2}([a-z]+) +\S/gm)]
    .map((match) => match[1] ?? "")
    .filter((verb) => verb !== "mirrorbeat");
  assert.ok(verbs.length >= 14, usage);
  for (const verb of verbs) {
    const help = run(verb, "--help");
    assert.is(help.status, 0, verb);
    assert.match(help.stdout, "exit codes");
    for (const line of help.stdout.split("\n")) {
      assert.ok(line.length <= 80 && /^[\x20-\x7e]*$/.test(line), `${verb}: ${line}`);
    }
    const unknown = run(verb, "--no-such-option");
    assert.is(unknown.status, 64, verb);
    assert.is(unknown.stderr.trim().split("\n").length, 1, unknown.stderr);
  }
});

test("an unknown verb is one line with the nearest known one", () => {
  const { status, stderr } = run("statsu");
  assert.is(status, 64);
  assert.match(stderr, "did you mean status");
});

test("a Node that is missing is said in one line", () => {
  const { status, stderr } = spawnSync(program, ["--version"], {
    encoding: "utf8",
    env: { ...process.env, MIRRORBEAT_NODE: "/no/such/node" },
  });
  assert.is(status, 69);
  assert.match(stderr, "install Node 20");
});

test.run();
