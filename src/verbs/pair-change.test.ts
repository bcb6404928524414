/** Waiting for what was begun, on answers that only exist here. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { realClock } from "../host/clock.ts";
import type { Outcome } from "../remotecopy/change.ts";
import type { OpenPair } from "../remotecopy/open-provider.ts";
import type { PairAnswer, PairRole, PairState } from "../remotecopy/provider.ts";
import { waitFor } from "./pair-change.ts";

function answerOf(state: PairState, role: PairRole, observedMs: number) {
  const local = {
    state, role, readable: null, writable: null, inSync: null, percent: null, lastCopyAgoMs: null,
    native: "", cause: "",
  }; // biome-ignore format: a list
  return { ok: true, observedMs, local, remote: null, remoteFault: null } as const;
}

/** A pair that gives these answers, the last one for ever; and how many it was asked for. */
function pairThatSays(answers: readonly PairAnswer[]): { pair: OpenPair; asked: () => number } {
  let asked = 0;
  const pair: OpenPair = {
    end: "reader",
    expected: null,
    queryLimitMs: 100,
    changeLimitMs: 1000,
    provider: {
      capabilities: {
        verbs: [], copying: "either", secondaryRead: "device", remoteQuery: false, atomicSwap: true,
      },
      identify: () => Promise.reject(new Error("identify was called")),
      query: async () => answers[Math.min(asked++, answers.length - 1)] as PairAnswer,
      commands: () => [],
      perform: () => Promise.reject(new Error("perform was called")),
    },
  }; // biome-ignore format: short lists
  return { pair, asked: () => asked };
}

const nowMs = realClock.nowMs();
const begun = (before: PairAnswer, after: PairAnswer): Outcome => ({
  kind: "in-progress", class: null, message: "", before, after, commands: ["swap it"],
}); // biome-ignore format: a list

test("a swap is done when it is paired the other way round, and not before", async () => {
  const swap = begun(answerOf("paired", "secondary", nowMs), answerOf("copying", "primary", nowMs));
  const there = pairThatSays([answerOf("paired", "primary", nowMs)]);
  assert.is((await waitFor(there.pair, "swap", swap, 5)).kind, "done");
  for (const role of ["secondary", "none", "unknown"] as const) {
    const { pair } = pairThatSays([answerOf("paired", role, nowMs)]);
    assert.is((await waitFor(pair, "swap", swap, 5)).kind, "indeterminate", role);
  }
});

test("what was known before it began is passed over", async () => {
  const swap = begun(answerOf("paired", "primary", nowMs), answerOf("copying", "secondary", nowMs));
  const { pair, asked } = pairThatSays([
    answerOf("paired", "primary", nowMs - 1),
    answerOf("paired", "secondary", nowMs + 1),
  ]);
  assert.is((await waitFor(pair, "swap", swap, 5)).kind, "done");
  assert.is(asked(), 2);
});

test("a copy that was on its way already is done when it is paired", async () => {
  const copying = answerOf("copying", "primary", nowMs);
  const { pair } = pairThatSays([answerOf("paired", "primary", nowMs)]);
  const outcome = await waitFor(pair, "resync", { ...begun(copying, copying), commands: [] }, 5);
  assert.is(outcome.kind, "done");
});

test.run();
