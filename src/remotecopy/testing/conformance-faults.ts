/**
 * Each fault that a bench can cause, at a pair that is paired: so that a provider which takes the
 * wrong thing for an answer would say `paired`, and be caught.
 */
import * as assert from "uvu/assert";
import type { Outcome } from "../change.ts";
import type { FaultClass, PairAnswer } from "../provider.ts";
import type { ConformanceBench, Fault } from "./conformance-bench.ts";
import {
  ask,
  change,
  expectKind,
  freshBlock,
  known,
  makePaired,
  pause,
  reach,
  reachData,
  reachLimitMs,
  reachState,
  timed,
  withPerform,
} from "./conformance-tools.ts";

type FaultName = keyof ConformanceBench["faults"];
type FaultCheck = (bench: ConformanceBench, cause: Fault) => Promise<void>;

/** A command that gets no answer is given up so soon here. */
const hungLimitMs = 1500;
/** Arrays notice a dead link after tens of seconds at most. */
const noticeLimitMs = reachLimitMs;

const describe = (answer: PairAnswer): string =>
  answer.ok
    ? `${answer.local.state} (${answer.local.native})`
    : `${answer.class}: ${answer.message}`;

/** No answer, for one of these reasons; or that the state is unknown. */
function expectNothingKnown(answer: PairAnswer, classes: readonly FaultClass[]): void {
  const text = describe(answer);
  if (answer.ok) assert.is(answer.local.state, "unknown", text);
  else assert.ok(classes.includes(answer.class), `${text}; wanted: ${classes.join(" or ")}`);
}

async function withFault(cause: Fault, body: () => Promise<void>): Promise<void> {
  const undo = await cause();
  try {
    await body();
  } finally {
    await undo();
  }
}

const mayBe = (outcome: Outcome, kinds: readonly Outcome["kind"][]) =>
  expectKind(outcome, kinds, "split under the fault");

/** Asked under a fault that lets nothing be known: every question, and a change. */
const blind =
  (...classes: readonly FaultClass[]): FaultCheck =>
  async (bench, cause) => {
    await makePaired(bench);
    await withFault(cause, async () => {
      expectNothingKnown(await ask(bench, "writer"), classes);
      expectNothingKnown(await ask(bench, "writer", "both"), classes);
      const { provider, queryLimitMs } = bench.ends.writer;
      await timed("identify", queryLimitMs, provider.identify(queryLimitMs));
      mayBe(await change(bench, "writer", "split"), ["refused", "indeterminate"]);
    });
    await reachState(bench, "writer", "paired");
  };

/** The array falls silent once the command is on its way. */
const hangInMidCommand: FaultCheck = async (bench, cause) => {
  await makePaired(bench);
  const { provider, queryLimitMs } = bench.ends.writer;
  let undo: () => Promise<void> = () => Promise.resolve();
  const falling = withPerform(provider, async (wanted) => {
    undo = await cause();
    const limitMs = hungLimitMs;
    return timed("split", limitMs, provider.perform(wanted, limitMs));
  });
  try {
    const outcome = await change(bench, "writer", "split", { provider: falling });
    mayBe(outcome, ["indeterminate", "refused"]);
    if (outcome.kind === "refused") assert.is.not(outcome.class, "array-rejected", outcome.message);
    expectNothingKnown(await timed("query", queryLimitMs, provider.query("local", queryLimitMs)), [
      "timeout",
      "daemon-down",
      "peer-unreachable",
    ]);
  } finally {
    await undo();
  }
  await reach(bench, "writer", "known again", ({ state }) => state !== "unknown");
};

/** It took effect: `done` if the array still answers, else not known; never refused. */
const cutOff: FaultCheck = async (bench, cause) => {
  await makePaired(bench);
  await withFault(cause, async () => {
    const outcome = await change(bench, "writer", "split");
    mayBe(outcome, ["done", "indeterminate"]);
  });
  await reachState(bench, "writer", "suspended-by-operator");
};

const failsAfterEffect: FaultCheck = async (bench, cause) => {
  await makePaired(bench);
  await withFault(cause, async () => mayBe(await change(bench, "writer", "split"), ["done"]));
  assert.is((await known(bench, "writer")).local.state, "suspended-by-operator");
};

const liesOfSuccess: FaultCheck = async (bench, cause) => {
  await makePaired(bench);
  await withFault(cause, async () =>
    mayBe(await change(bench, "writer", "split"), ["refused", "indeterminate"]),
  );
  await reachState(bench, "writer", "paired");
};

const mixedGroup: FaultCheck = async (bench, cause) => {
  await makePaired(bench);
  await withFault(cause, async () => {
    expectNothingKnown(await ask(bench, "writer"), ["mixed-group"]);
    mayBe(await change(bench, "writer", "split"), ["refused"]);
  });
};

const otherVolume: FaultCheck = async (bench, cause) => {
  await makePaired(bench);
  await withFault(cause, async () => {
    const outcome = await change(bench, "writer", "split");
    mayBe(outcome, ["refused"]);
    assert.is(outcome.class, "identity", outcome.message);
  });
  await reachState(bench, "writer", "paired");
};

/** What was written to it, or null where it is not known to be written by the end. */
async function writeAtWriter(bench: ConformanceBench, block: number, bytes: Buffer) {
  await bench.data?.write("writer", block, bytes);
}

/**
 * With a dead link the ends may say paired until something should be copied, but not for ever.
 * A write may wait for the link: it is not waited for until the link is back.
 */
const cutLink: FaultCheck = async (bench, cause) => {
  await makePaired(bench);
  const bytes = freshBlock();
  let written: Promise<string | null> = Promise.resolve(null);
  await withFault(cause, async () => {
    written = writeAtWriter(bench, 1, bytes).then(() => null, String);
    await reach(
      bench,
      "writer",
      "no longer paired",
      (view) => view.state !== "paired",
      noticeLimitMs,
    );
    for (const end of ["writer", "reader"] as const) {
      await ask(bench, end, "local");
      await ask(bench, end, "both");
    }
  });
  await timed("the write that met the cut link", reachLimitMs, written);
  await healed(bench);
  if (!bench.data) return;
  const again = freshBlock();
  await bench.data.write("writer", 2, again);
  await reachData(bench, "reader", 2, again);
};

/** Arrays differ in what a link that is back does by itself, and in whether the pair survived. */
async function healed(bench: ConformanceBench): Promise<void> {
  const view = await reach(bench, "writer", "known", ({ state }) => state !== "unknown");
  if (view.state === "simplex") return makePaired(bench);
  const endMs = performance.now() + reachLimitMs;
  for (;;) {
    const outcome = await change(bench, "writer", "resync");
    if (["done", "in-progress", "noop"].includes(outcome.kind)) break;
    if (performance.now() > endMs) {
      expectKind(outcome, ["done", "in-progress", "noop"], "resync after the link is back");
    }
    await pause(100);
  }
  await reachState(bench, "writer", "paired");
  await reachState(bench, "reader", "paired");
}

const silent = ["timeout", "daemon-down"] as const;

export const faultChecks: Readonly<
  Record<
    FaultName,
    readonly {
      readonly name: string;
      readonly check: FaultCheck;
      /** It is about a split under the fault. */
      readonly splits?: true;
    }[]
  >
> = {
  cutLink: [{ name: "the link is cut: not paired for ever, no query hangs", check: cutLink }],
  hang: [
    { name: "a hung array: each question ends in time", check: blind(...silent) },
    { name: "it hangs in mid-command: never done", check: hangInMidCommand, splits: true },
  ],
  dead: [{ name: "its daemon is gone: daemon-down", check: blind("daemon-down") }],
  garbage: [{ name: "garbage is no state", check: blind("unparseable") }],
  truncated: [{ name: "half an answer is no state", check: blind("unparseable", ...silent) }],
  killedInMidCommand: [
    { name: "cut off after its effect: done or not known", check: cutOff, splits: true },
  ],
  failsAfterEffect: [
    { name: "failed, yet it took effect: done", check: failsAfterEffect, splits: true },
  ],
  liesOfSuccess: [
    { name: "success without effect is no success", check: liesOfSuccess, splits: true },
  ],
  mixedGroup: [{ name: "volumes of one group differ: not one state", check: mixedGroup }],
  otherVolume: [
    { name: "another volume under this name: refused", check: otherVolume, splits: true },
  ],
};
