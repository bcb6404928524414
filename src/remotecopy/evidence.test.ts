/** What pair states are worth as evidence. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { directedEvidence, evidenceOf } from "./evidence.ts";
import { pairStates, type PairView } from "./provider.ts";

test("what each state is worth as evidence", () => {
  const evidence = pairStates.map((state) => [state, evidenceOf(state)]);
  assert.equal(Object.fromEntries(evidence), {
    simplex: "split",
    copying: "copying",
    paired: "paired",
    "suspended-by-operator": "split",
    "suspended-by-error": "suspended",
    takeover: "split",
    unknown: "unknown",
  });
});

const paired: PairView = {
  state: "paired",
  role: "primary",
  readable: true,
  writable: true,
  inSync: true,
  percent: 100,
  lastCopyAgoMs: null,
  native: "",
  cause: "",
};

test("a pair that copies the other way round, or in no known direction, carries nothing", () => {
  assert.is(directedEvidence(paired, "writer"), "paired");
  assert.is(directedEvidence(paired, "reader"), "split");
  assert.is(directedEvidence({ ...paired, role: "secondary" }, "reader"), "paired");
  assert.is(directedEvidence({ ...paired, role: "secondary" }, "writer"), "split");
  for (const state of ["paired", "copying"] as const) {
    for (const end of ["writer", "reader"] as const) {
      for (const role of ["none", "unknown"] as const) {
        assert.is(directedEvidence({ ...paired, state, role }, end), "unknown");
      }
    }
    assert.is(directedEvidence({ ...paired, state }, "reader"), "split");
    assert.is(directedEvidence({ ...paired, state }, "writer"), state);
  }
  const simplex = { ...paired, state: "simplex", role: "none" } as const;
  assert.is(directedEvidence(simplex, "reader"), "split", "no role is due where there is no pair");
});

test.run();
