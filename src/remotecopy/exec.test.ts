/** The provider with programs that fail in each way a program can. */
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { execEnd, sample } from "./exec/testing/bench.ts";
import type { Change, PairProvider } from "./provider.ts";
import { twoFiles } from "./vendor/testing/bench.ts";

async function withProgram(
  body: string,
  check: (provider: PairProvider) => Promise<void>,
): Promise<void> {
  const two = twoFiles("exec");
  try {
    const file = path.join(two.folder, "program");
    writeFileSync(file, `#!/bin/sh\n${body}\n`);
    chmodSync(file, 0o755);
    await check(execEnd(two, "writer", [file]));
  } finally {
    two.end();
  }
}

const paired =
  '{"version":1,"ok":true,"ageMs":5,"local":{"state":"paired","role":"primary","readable":null,' +
  '"writable":null,"inSync":null,"percent":null,"lastCopyAgoMs":null,"native":"","cause":""}}';

const limitMs = 10_000;
const change = (provider: PairProvider): Promise<Change> =>
  provider.query("local", limitMs).then((before) => {
    assert.ok(before.ok);
    return { verb: "split", before, force: false } as Change;
  });

test("the request is the documented object", () =>
  withProgram(`cat >"$0.in"; echo '${paired}'`, async (provider) => {
    assert.is((await provider.query("local", 1000)).ok, true);
    const [line = ""] = provider.commands(await change(provider));
    const input = JSON.parse(/'(\{.*\})'/.exec(line)?.[1] ?? "");
    assert.equal(Object.keys(input), [
      "version", "call", "verb", "force", "end", "settings", "device", "peerDevice", "deadlineMs",
    ]);
    const file = /\| (.*)$/.exec(line)?.[1] ?? "";
    const sent = JSON.parse(readFileSync(`${file}.in`, "utf8"));
    assert.is(sent.call, "query");
    assert.is(sent.scope, "local");
    assert.is(sent.end, "writer");
    assert.is(sent.version, 1);
    assert.ok(sent.deadlineMs > 0 && sent.deadlineMs <= limitMs);
  })); // biome-ignore format: a list

test("the age that it tells makes the knowledge older", () =>
  withProgram(`echo '${paired}'`, async (provider) => {
    const answer = await provider.query("local", limitMs);
    assert.is(answer.ok && answer.local.state, "paired");
  }));

for (const [what, body, faultClass] of [
  ["an answer with a failing exit code", `echo '${paired}'; exit 3`, "unparseable"],
  ["nothing at all", "exit 0", "unparseable"],
  ["half an answer", `printf '%s' '${paired.slice(0, 60)}'`, "unparseable"],
  ["an answer and more", `echo '${paired}'; echo done`, "unparseable"],
  ["far too much", `head -c 200000 /dev/zero | tr '\\0' ' '; echo '${paired}'`, "unparseable"],
  ["its own death", "kill -9 $$", "daemon-down"],
  ["a fault", `echo '{"version":1,"ok":false,"class":"auth","message":"not you"}'`, "auth"],
] as const) {
  test(`${what}: ${faultClass}`, () =>
    withProgram(body, async (provider) => {
      const answer = await provider.query("local", limitMs);
      assert.is(answer.ok ? "ok" : answer.class, faultClass);
      if (!answer.ok) assert.match(answer.message, /^[\x20-\x7e]+$/);
    }));
}

test("a program that is not there is down; one that hangs is timed out", async () => {
  const two = twoFiles("exec");
  const none = await execEnd(two, "writer", ["/nonexistent/program"]).query("local", limitMs);
  assert.is(none.ok ? "ok" : none.class, "daemon-down");
  const hung = await execEnd(two, "writer", ["sleep", "60"]).query("local", 300);
  assert.is(hung.ok ? "ok" : hung.class, "timeout");
  two.end();
});

test("what became of a change is told by what it said, never by its exit code", async () => {
  const performed = async (said: string): Promise<string> => {
    let kind = "";
    const script = `case $(cat) in *query*) echo '${paired}' ;; *) ${said} ;; esac`;
    await withProgram(script, async (provider) => {
      kind = (await provider.perform(await change(provider), 2000)).kind;
    });
    return kind;
  };
  assert.is(await performed("exit 1"), "ended");
  assert.is(await performed(`echo '{"version":1,"ok":true}'; exit 7`), "ended");
  assert.is(await performed("kill -9 $$"), "cut-short");
  assert.is(await performed("sleep 60"), "cut-short");
  const refusal = '{"version":1,"ok":false,"class":"wrong-state","message":"no"';
  assert.is(await performed(`echo '${refusal},"begun":false}'`), "not-begun");
  assert.is(await performed(`echo '${refusal}}'`), "ended");
});

test("a change that the program has not is refused once that is known", () =>
  withProgram(
    `case $(cat) in *capabilities*) echo '{"version":1,"ok":true,"verbs":[],"copying":"either","secondaryRead":"none","remoteQuery":false,"atomicSwap":false}' ;;
     *identify*) echo '{"version":1,"ok":true,"own":"x","peer":null}' ;; *) echo '${paired}' ;; esac`,
    async (provider) => {
      assert.ok(provider.capabilities.verbs.includes("split"), "held possible until asked");
      assert.is((await provider.identify(limitMs)).ok, true);
      assert.equal(provider.capabilities.verbs, []);
      const { kind } = await provider.perform(await change(provider), limitMs);
      assert.is(kind, "not-begun");
      const both = await provider.query("both", limitMs);
      assert.is(both.ok && both.remoteFault?.class, "unsupported");
    },
  ));

test("the sample is short enough to be read", () => {
  const lines = readFileSync(sample, "utf8").trimEnd().split("\n");
  assert.ok(lines.length < 60, `${lines.length} lines`);
});

test.run();
