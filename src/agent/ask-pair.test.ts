/** The agent's question to a provider that only exists here, on a clock that only it moves. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { OpenPair } from "../remotecopy/open-provider.ts";
import {
  fault,
  type IdentityAnswer,
  type PairAnswer,
  type PairView,
} from "../remotecopy/provider.ts";
import { identityEveryMs, pairAsker } from "./ask-pair.ts";

const own = "411001/1a01";
const [known, foreign] = [own, "411001/9999"].map(
  (name): IdentityAnswer => ({ ok: true, identity: { own: name, peer: null } }),
) as [IdentityAnswer, IdentityAnswer];
const late = fault("timeout", "no answer in time");

const paired: PairView = {
  state: "paired",
  role: "primary",
  readable: true,
  writable: true,
  inSync: true,
  percent: 100,
  lastCopyAgoMs: null,
  native: "P-VOL PAIR",
  cause: "",
};

function bench(expected: string | null = own) {
  const world = {
    nowMs: 1000,
    identity: known,
    answer: null as PairAnswer | null,
    limits: [] as number[],
    looks: 0,
  };
  const pair: OpenPair = {
    end: "writer",
    expected,
    queryLimitMs: 250,
    changeLimitMs: 1000,
    provider: {
      capabilities: {
        verbs: [],
        copying: "either",
        secondaryRead: "device",
        remoteQuery: false,
        atomicSwap: false,
      },
      identify: async (limitMs) => {
        world.looks++;
        world.limits.push(limitMs);
        return world.identity;
      },
      query: async (scope, limitMs) => {
        assert.is(scope, "local");
        world.limits.push(limitMs);
        const { nowMs: observedMs, answer } = world;
        return answer ?? { ok: true, observedMs, local: paired, remote: null, remoteFault: null };
      },
      commands: () => [],
      perform: () => Promise.reject(new Error("perform was called")),
    },
  };
  return { world, ask: pairAsker(pair, () => world.nowMs) };
}

test("another volume's pair is no evidence, and the cause names both", async () => {
  const { world, ask } = bench();
  world.identity = foreign;
  for (const looks of [1, 2]) {
    const { state, facts } = await ask();
    assert.is(state, "unknown");
    assert.is(facts.cause, `identity: this is volume 411001/9999, but ${own} is configured`);
    assert.is(world.looks, looks, "looked at until it is the right one");
  }
  world.answer = fault("timeout", "busy");
  assert.match((await ask()).facts.cause, /^identity: /);
  world.answer = null;
  world.identity = known;
  assert.is((await ask()).state, "paired");
  assert.ok(world.limits.every((limitMs) => limitMs === 250));
});

test("the identity is looked at first, after each fault, and once a minute", async () => {
  const { world, ask } = bench();
  const looksAfter = async (ms: number) => {
    world.nowMs += ms;
    const { state } = await ask();
    return `${state} ${world.looks}`;
  };
  assert.is(await looksAfter(0), "paired 1");
  assert.is(await looksAfter(1000), "paired 1");
  world.answer = late;
  assert.is(await looksAfter(1000), "unknown 1");
  world.answer = null;
  assert.is(await looksAfter(1000), "paired 2");
  assert.is(await looksAfter(identityEveryMs - 1), "paired 2");
  world.identity = foreign;
  assert.is(await looksAfter(1), "unknown 3");
  world.identity = known;
  assert.is(await looksAfter(1), "paired 4");
});

test("an identity that cannot be told leaves nothing known", async () => {
  const { world, ask } = bench();
  world.identity = late;
  assert.equal((await ask()).facts.cause, "timeout: no answer in time");
  world.identity = known;
  const { state, observedMs } = await ask();
  assert.equal([state, observedMs, world.looks], ["paired", 1000, 2]);
});

test("a split by command is told as one, unless the pair copies the other way round", async () => {
  const { world, ask } = bench();
  for (const [state, role, wanted] of [
    ["suspended-by-operator", "primary", true],
    ["suspended-by-operator", "secondary", false],
    ["suspended-by-error", "primary", false],
  ] as const) {
    const local = { ...paired, state, role };
    world.answer = { ok: true, observedMs: 1000, local, remote: null, remoteFault: null };
    assert.is((await ask()).facts.byCommand, wanted, `${state} ${role}`);
  }
});

test("where none is configured nothing is looked at", async () => {
  const { world, ask } = bench(null);
  world.identity = foreign;
  assert.is((await ask()).state, "paired");
  assert.is(world.looks, 0);
});

test.run();
