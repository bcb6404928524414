/** Fencing programs that say what they should, and programs that do not. */
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Arbiter } from "./arbiter.ts";
import { openArbiter } from "./arbiter.ts";

const request = { site: "tokyo", peer: "osaka", term: 513n, limitMs: 10_000 };

async function withProgram(
  body: string,
  check: (arbiter: Arbiter, folder: string) => Promise<void>,
  limitMs = 10_000,
): Promise<void> {
  const folder = mkdtempSync(path.join(os.tmpdir(), "mirrorbeat-fence-"));
  try {
    const file = path.join(folder, "fence");
    writeFileSync(file, `#!/bin/sh\n${body}\n`);
    chmodSync(file, 0o755);
    await check(openArbiter({ kind: "command", command: [file, "now"], limitMs }), folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("exit code 0 and the last line are a grant; the program is told who and when", () =>
  withProgram('env | sort >"$0.env"; echo working; echo "down osaka"', async (arbiter, folder) => {
    const answer = await arbiter.ask(request);
    assert.is(answer.kind, "granted", answer.detail);
    const told = readFileSync(path.join(folder, "fence.env"), "utf8").split("\n");
    for (const line of ["MIRRORBEAT_PEER=osaka", "MIRRORBEAT_SITE=tokyo", "MIRRORBEAT_TERM=513"])
      assert.ok(told.includes(line), line);
  }));

for (const [what, body, kind] of [
  ["only the exit code", "exit 0", "unknown"],
  ["only the line", "echo 'down osaka'; exit 3", "unknown"],
  ["the line and a denial", "echo 'down osaka'; exit 1", "denied"],
  ["a denial", "echo 'power supply does not answer' >&2; exit 1", "denied"],
  ["another site", "echo 'down tokyo'", "unknown"],
  ["not the last line", "echo 'down osaka'; echo 'but not sure'", "unknown"],
  ["more words", "echo 'down osaka maybe'", "unknown"],
  ["the line on standard error", "echo 'down osaka' >&2", "unknown"],
  ["a signal", "kill -9 $$", "unknown"],
  [
    "more than is kept, and what is kept ends well",
    "head -c 65526 /dev/zero | tr '\\0' '\\n'; printf 'down osaka'; echo ' maybe'; exit 0",
    "unknown",
  ],
  ["too much output", "head -c 100000 /dev/zero | tr '\\0' x; echo; echo 'down osaka'", "unknown"],
] as const) {
  test(`${what}: ${kind}`, () =>
    withProgram(body, async (arbiter) => {
      const answer = await arbiter.ask(request);
      assert.is(answer.kind, kind, answer.detail);
      assert.is(await arbiter.holds(request).then((held) => held.kind), "unknown");
    }));
}

test("one that hangs is ended by the limit, the request's if it is the shorter one", () =>
  withProgram("echo 'down osaka'; sleep 60", async (arbiter) => {
    const began = performance.now();
    const answer = await arbiter.ask({ ...request, limitMs: 300 });
    assert.is(answer.kind, "unknown");
    assert.match(answer.detail, "did not end in time");
    assert.ok(performance.now() - began < 5000);
  }));

test("a program that is not there is unknown", async () => {
  const none = openArbiter({ kind: "command", command: ["/nowhere/fence"], limitMs: 1000 });
  assert.is((await none.ask(request)).kind, "unknown");
  const empty = openArbiter({ kind: "command", command: [], limitMs: 1000 });
  assert.is((await empty.ask(request)).kind, "unknown");
});

test("the grant stands in its term, until it is released or a later question fails", () =>
  withProgram('[ -e "$0.no" ] && exit 1; echo "down $MIRRORBEAT_PEER"', async (arbiter, folder) => {
    const held = async (term: bigint) => (await arbiter.holds({ ...request, term })).kind;
    assert.is(await held(513n), "unknown");
    await arbiter.ask(request);
    assert.equal([await held(513n), await held(769n)], ["granted", "unknown"]);
    await arbiter.release(request);
    assert.is(await held(513n), "unknown");
    await arbiter.ask(request);
    writeFileSync(path.join(folder, "fence.no"), "");
    assert.is((await arbiter.ask(request)).kind, "denied");
    assert.is(await held(513n), "unknown");
  }));

test.run();
