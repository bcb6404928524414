import os from "node:os";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { changePair } from "../change.ts";
import type { MirrorEnd } from "../evidence.ts";
import type { OpenPair } from "../open-provider.ts";
import { StandIn, type StandInState, type Version } from "./testing/bench.ts";

const queryLimitMs = 5000;

async function withStandIn(
  version: Version,
  body: (standIn: StandIn) => Promise<void>,
): Promise<void> {
  const standIn = new StandIn(version);
  try {
    await body(standIn);
  } finally {
    standIn.end();
  }
}

const paired = (state: StandInState) => {
  Object.assign(state.hosts.tokyo, { up: true, connects: true, role: "Primary" });
  Object.assign(state, { connected: true, syncedAtMs: 0 });
};

async function stateOf({ provider }: OpenPair, limitMs = queryLimitMs): Promise<string> {
  const answer = await provider.query("local", limitMs);
  return answer.ok ? answer.local.state : answer.class;
}

function change({ provider }: OpenPair, verb: "create" | "split" | "resync" | "takeover") {
  const limits = { queryLimitMs, changeLimitMs: 20_000 };
  const expected = `${os.hostname()}/hba/0:/dev/vda`;
  return changePair(provider, verb, {
    ...{ expected, force: false, dryRun: false, ...limits },
    nowMs: () => performance.now(),
    pause: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  });
}

const both = (standIn: StandIn): Record<MirrorEnd, OpenPair> => ({
  writer: standIn.open("writer"),
  reader: standIn.open("reader"),
});

test("the form that was understood is asked for first, and found again after an upgrade", () =>
  withStandIn(8, async (standIn) => {
    standIn.alter(paired);
    const { writer } = both(standIn);
    assert.is(await stateOf(writer), "paired");
    const before = standIn.asked();
    assert.is(await stateOf(writer), "paired");
    assert.equal(standIn.asked().slice(before.length), [
      "drbdsetup events2 --now --statistics hba",
    ]);
    standIn.alter((state) => void (state.version = 9));
    assert.is(await stateOf(writer), "paired", "9 prints events too");
    standIn.alter(({ hosts }) => void (hosts.tokyo.faults.answers = "garbage"));
    assert.is(await stateOf(writer), "unparseable");
    standIn.alter(({ hosts }) => void (hosts.tokyo.faults.answers = null));
    assert.is(await stateOf(writer), "paired");
    assert.is(standIn.asked().at(-1), "drbdsetup status hba --json");
  }));

test("a program that hangs is given up at the deadline, and not asked in another form", () =>
  withStandIn(8, async (standIn) => {
    standIn.alter(({ hosts }) => void (hosts.tokyo.faults.answers = "hang"));
    const beganMs = performance.now();
    assert.is(await stateOf(both(standIn).writer, 700), "timeout");
    assert.ok(performance.now() - beganMs < 2500);
    assert.is(standIn.asked().length, 1);
  }));

test("a resource that is down is simplex, one that nobody configured a fault", () =>
  withStandIn(8, async (standIn) => {
    const { writer } = both(standIn);
    assert.is(await stateOf(writer), "simplex");
    standIn.alter(({ hosts }) => void (hosts.tokyo.configured = ""));
    assert.is(await stateOf(writer), "config");
  }));

test("standing alone: by our split it is an operator's, by another's hand unknown", () =>
  withStandIn(9, async (standIn) => {
    standIn.alter(paired);
    const { writer, reader } = both(standIn);
    assert.is((await change(writer, "split")).kind, "done");
    assert.is(await stateOf(standIn.open("writer")), "suspended-by-operator", "another process");
    assert.is(await stateOf(reader), "suspended-by-error");
    assert.ok(["done", "in-progress"].includes((await change(writer, "resync")).kind));
    standIn.alter(({ hosts }) => void (hosts.tokyo.connects = false));
    assert.is(await stateOf(writer), "unknown");
  }));

test("the writer's end is not made Primary against one that was taken over", () =>
  withStandIn(8, async (standIn) => {
    standIn.alter(paired);
    const { writer, reader } = both(standIn);
    assert.is((await change(reader, "takeover")).kind, "done");
    standIn.alter(({ hosts }) => {
      Object.assign(hosts.tokyo, { up: false, connects: false, role: "Secondary", written: false });
      hosts.osaka.connects = true;
    });
    await change(writer, "create");
    const after = await writer.provider.query("local", queryLimitMs);
    assert.is(after.ok && after.local.role, "secondary");
    assert.not(standIn.asked().includes("drbdadm primary hba at tokyo"));
  }));

test.run();
