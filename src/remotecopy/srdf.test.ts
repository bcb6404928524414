/** The provider against a stand-in for Solutions Enabler: what the conformance suite does not ask. */
// test-limit-seconds: 240
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Change, PairAnswer } from "./provider.ts";
import { StandIn } from "./srdf/testing/bench.ts";

const standIn = new StandIn();
const limitMs = 3000;
const [writer, reader] = [standIn.open("writer").provider, standIn.open("reader").provider];

test.before.each(() => standIn.reset());
test.after(() => standIn.end());

type Known = Extract<PairAnswer, { ok: true }>;
async function known(provider = writer): Promise<Known> {
  const answer = await provider.query("local", limitMs);
  if (!answer.ok) throw new Error(answer.message);
  return answer;
}

test("verify takes paired away, and never gives it", async () => {
  standIn.set("Synchronized");
  assert.is((await known()).local.state, "paired");
  await standIn.switched("contradicts")();
  const { local } = await known();
  assert.is(local.state, "unknown");
  assert.is(local.inSync, null);
  assert.match(local.cause, "verify does not");
});

test("asynchronous: consistent is paired; synchronized is not a word of that mode", async () => {
  standIn.edit((state) => {
    Object.assign(state, { mode: "Asynchronous", pairState: "Consistent" });
  });
  const { local } = await known();
  assert.is(local.state, "paired");
  assert.is(local.inSync, null);
  standIn.set("Synchronized");
  assert.is((await known()).local.state, "unknown");
});

test("each change is one command, as a person would type it", async () => {
  const expected = {
    split: ["Synchronized", "suspend"],
    resync: ["Suspended", "resume"],
    takeover: ["Partitioned", "failover"],
  } as const;
  const tools = standIn.tools("east");
  const typed = (name: string) => [`${tools}/symrdf -g HB_DG -rdfg 7 -noprompt ${name} -i 15 -c 4`];
  for (const verb of ["split", "resync", "takeover"] as const) {
    const [pairState, name] = expected[verb];
    standIn.set(pairState);
    const change: Change = { verb, before: await known(reader), force: false };
    assert.equal(reader.commands(change), typed(name), verb);
  }
  standIn.set("Split");
  const change: Change = { verb: "resync", before: await known(reader), force: false };
  assert.equal(reader.commands(change), typed("establish"));
});

test("no failover at the R1, whatever is forced; nothing that it has no command for", async () => {
  standIn.set("Partitioned");
  const before = await known();
  for (const [verb, wanted] of [["takeover", "wrong-state"], ["create", "unsupported"]] as const) {
    const change: Change = { verb, before, force: true };
    assert.equal(writer.commands(change), []);
    const performed = await writer.perform(change, limitMs);
    assert.is(performed.kind === "not-begun" ? performed.fault.class : "", wanted);
  } // biome-ignore format: a table
  assert.is((await known()).local.state, "unknown", "partitioned");
});

test("the identity is the array's id and the group's devices", async () => {
  const answer = await writer.identify(limitMs);
  assert.equal(answer, { ok: true, identity: { own: "000197900001/001A1+001A2", peer: null } });
});

test("the other end is asked at its own site", async () => {
  standIn.set("Suspended");
  const answer = await reader.query("both", limitMs);
  assert.ok(answer.ok);
  assert.is(answer.remote, null);
  assert.is(answer.remoteFault?.class, "unsupported");
});

test("wrong settings, a hung and a missing program: each by its class", async () => {
  const classOf = async (more: Readonly<Record<string, string | number>>, ms = limitMs) => {
    const answer = await standIn.open("writer", more).provider.query("local", ms);
    return answer.ok ? answer.local.state : answer.class;
  };
  assert.is(await classOf({ group: "-x" }), "config");
  assert.is(await classOf({ group: "OTHER" }), "config");
  assert.is(await classOf({ rdfg: 8 }), "config");
  assert.is(await classOf({ folder: "/nonexistent" }), "daemon-down");
  await standIn.switched("hang", "west")();
  assert.is(await classOf({}, 300), "timeout");
});

test.run();
