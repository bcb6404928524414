import { test } from "uvu";
import * as assert from "uvu/assert";
import { type CopyState, copyStates, type PairEvent, transition } from "./pair-state.ts";

/** All of them: "=" is no change, "-" is refused. */
const table: Readonly<Record<CopyState, Readonly<Record<PairEvent, CopyState | "=" | "-">>>> = {
  simplex: {
    create: "copying", delete: "=", split: "-", resync: "-", copied: "-", failed: "-",
    swap: "-", takeover: "-",
  }, // biome-ignore format: one row
  copying: {
    create: "-", delete: "simplex", split: "suspended-by-operator", resync: "=",
    copied: "paired", failed: "suspended-by-error",
    swap: "-", takeover: "-",
  }, // biome-ignore format: one row
  paired: {
    create: "-", delete: "simplex", split: "suspended-by-operator", resync: "=",
    copied: "-", failed: "suspended-by-error",
    swap: "paired", takeover: "takeover",
  }, // biome-ignore format: one row
  "suspended-by-operator": {
    create: "-", delete: "simplex", split: "=", resync: "copying", copied: "-", failed: "-",
    swap: "-", takeover: "takeover",
  }, // biome-ignore format: one row
  "suspended-by-error": {
    create: "-", delete: "simplex", split: "-", resync: "copying", copied: "-", failed: "-",
    swap: "-", takeover: "takeover",
  }, // biome-ignore format: one row
  takeover: {
    create: "-", delete: "simplex", split: "-", resync: "-", copied: "-", failed: "-",
    swap: "copying", takeover: "=",
  }, // biome-ignore format: one row
};

test("every transition", () => {
  for (const state of copyStates) {
    for (const [event, wanted] of Object.entries(table[state])) {
      const found = transition(state, event as PairEvent);
      const text = found.kind === "to" ? found.state : found.kind === "same" ? "=" : "-";
      assert.is(text, wanted, `${state} ${event}`);
    }
  }
});

test.run();
