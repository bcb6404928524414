/** The provider against good, bad and missing copies. */
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type Answer, serveUnix } from "../host/unix-server.ts";
import { commandNames, parseCommand, parseView } from "./embedded/command.ts";
import { copyStates } from "./embedded/pair-state.ts";
import { askCopy, embeddedProvider } from "./embedded.ts";
import { directedEvidence } from "./evidence.ts";
import { answer } from "./embedded/serve.ts";
import { Folder, startBench } from "./embedded/testing/bench.ts";

const folder = mkdtempSync(path.join(os.tmpdir(), "mirrorbeat-provider-"));
const file = path.join(folder, "s");

const providerAt = (control: string, nowMs = () => performance.now()) =>
  embeddedProvider({
    mirror: "m",
    end: "writer",
    own: { control },
    peer: { control },
    device: "/p",
    peerDevice: "/s",
    nowMs,
  });

async function withAnswers(handler: () => Answer | Promise<Answer>, body: () => Promise<void>) {
  const served = await serveUnix({ path: file, handler });
  if (!served.ok) throw new Error(served.message);
  await body();
  await served.server.close(100);
}

test("nobody there, too late, or not the answer of a copy: not ok, with a reason", async () => {
  const provider = providerAt(file);
  const unasked = await provider.query("local", 1000);
  assert.match(unasked.ok ? "" : unasked.message, "nobody answers");
  await withAnswers(
    () => new Promise<Answer>(() => {}),
    async () => {
      const late = await provider.query("local", 50);
      assert.match(late.ok ? "" : late.message, "no answer in time");
    },
  );
  for (const value of [null, 1, {}, { schema: 1, state: "fine", percent: 1, cause: "" }]) {
    await withAnswers(
      () => ({ ok: true, value }),
      async () => assert.not((await provider.query("local", 1000)).ok),
    );
  }
});

test("a running copy is asked and commanded; the time of the answer is that of the question", async () => {
  const volumes = new Folder();
  const bench = await startBench(volumes.file(16), volumes.file(16), {});
  const handler = (request: Parameters<typeof parseCommand>[0]) => answer(bench.engine, request);
  const served = await serveUnix({ path: file, handler });
  assert.ok(served.ok);
  let clockMs = 1000;
  const provider = providerAt(file, () => clockMs++);
  const simplex = await provider.query("local", 1000);
  assert.is(simplex.ok && directedEvidence(simplex.local, "writer"), "split");
  assert.is(simplex.ok && simplex.observedMs, 1000);
  assert.ok((await askCopy(file, { name: "create", ms: 0 }, 1000)).ok);
  await bench.reach("paired");
  const paired = await provider.query("local", 1000);
  assert.is(paired.ok && paired.local.state, "paired");
  assert.is(paired.ok && paired.local.percent, 100);
  const lag = await askCopy(file, { name: "lag", ms: 70 }, 1000);
  assert.is(lag.ok && parseView(lag.value)?.lagMs, 70);
  const refused = await askCopy(file, { name: "create", ms: 0 }, 1000);
  assert.is(refused.ok ? "" : refused.code, "wrong-state");
  await served.server.close(100);
  await bench.end();
  volumes.remove();
});

/** Damage by a seeded generator: cut, flip, drop and double a piece, or put junk in. */
function damaged(text: string, random: () => number): string {
  const at = random() % text.length;
  const end = at + 1 + (random() % 12);
  const byte = String.fromCharCode(random() % 256);
  switch (random() % 5) {
    case 0:
      return text.slice(0, at);
    case 1:
      return text.slice(0, at) + byte + text.slice(at + 1);
    case 2:
      return text.slice(0, at) + text.slice(end);
    case 3:
      return text.slice(0, end) + text.slice(at);
    default:
      return text.slice(0, at) + byte + text.slice(at);
  }
}

test("10,000 damaged answers: no exception, and none says paired that did not", () => {
  let seed = 1;
  const random = () => (seed = (seed * 48_271) % 0x7fff_ffff);
  const states = copyStates.filter((state) => state !== "paired");
  for (let round = 0; round < 10_000; round++) {
    const view = {
      schema: 1, state: states[round % states.length], cause: "", percent: 12, pending: 3,
      lastCopyAgoMs: null, direction: "pvol-to-svol", pvol: "/p", svol: "/s",
    }; // biome-ignore format: one list
    let value: unknown = null;
    try {
      value = JSON.parse(damaged(JSON.stringify(view), random));
    } catch {
      continue; // the socket's own parser refuses it
    }
    const parsed = parseView(value);
    assert.is.not(parsed?.state, "paired");
    if (parsed) assert.ok(copyStates.includes(parsed.state));
  }
});

test("only exact requests are commands", () => {
  for (const name of commandNames) {
    const takes = name === "lag" || name === "tear";
    assert.is(typeof parseCommand({ command: name }), takes ? "string" : "object");
    assert.is(typeof parseCommand({ command: name, ms: 5 }), takes ? "object" : "string");
  }
  for (const ms of [-1, 0.5, 60_001, "5", null, Number.NaN]) {
    assert.type(parseCommand({ command: "lag", ms }), "string");
  }
  for (const request of [{}, { command: 1 }, { command: "cuts" }, { command: "cut", more: 1 }]) {
    assert.type(parseCommand(request), "string");
  }
});

test.after(() => rmSync(folder, { recursive: true, force: true }));
test.run();
