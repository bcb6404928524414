/** Terms, roles, and why a takeover is refused. */
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { exitCodes } from "./base/exit-codes.ts";
import {
  nextRole,
  nextTerm,
  ownerOf,
  type Role,
  type RoleFacts,
  takeoverRefusal,
  termOf,
} from "./decision.ts";
import { everyEvidence, judgeEvidence, type Verdict } from "./verdict.ts";

const site = fc.integer({ min: 1, max: 255 });
const counter = fc.bigInt({ min: 0n, max: 2n ** 48n });

test("the next term is higher than any of the same counter, and its owner's own", () => {
  fc.assert(
    fc.property(counter, site, site, site, (count, a, b, c) => {
      const term = termOf(count, a);
      assert.is(ownerOf(term), a);
      const next = nextTerm(term, b);
      assert.is(ownerOf(next), b);
      assert.ok(next > term);
      assert.ok(next > termOf(count, c));
    }),
    { numRuns: 500 },
  );
  assert.is(termOf(1n, 1), 257n);
  assert.is(nextTerm(257n, 2), 514n);
  assert.is(nextTerm(767n, 1), 769n);
});

const roles: readonly Role[] = [
  "starting", "active", "standby", "transitioning", "fenced", "stopped",
]; // biome-ignore format: one list
const both = [false, true] as const;
const facts: readonly RoleFacts[] = roles.flatMap((role) =>
  both.flatMap((ownsTerm) =>
    both.flatMap((mayServe) =>
      both.flatMap((serviceMayRun) =>
        both.flatMap((halfDone) =>
          [null, "no lease"].flatMap((mustStop) =>
            [null, "takeover commanded"].map((underWay) => ({
              role, ownsTerm, mayServe, serviceMayRun, halfDone, mustStop, underWay,
              whyServe: "granted",
            })),
          ),
        ),
      ),
    ),
  ),
); // biome-ignore format: one list of facts

/** From each role, what follows where nothing is under way. */
function expectedRole(fact: RoleFacts): Role {
  const { role, ownsTerm, mayServe, mustStop, serviceMayRun, halfDone } = fact;
  if (role === "standby" || (role === "fenced" && serviceMayRun)) return role;
  if (!ownsTerm) return serviceMayRun && role !== "stopped" ? "fenced" : "standby";
  if (role === "active") return mustStop === null ? "active" : "fenced";
  if (role === "fenced") return halfDone ? "transitioning" : "stopped";
  if (role === "transitioning") return mustStop !== null && serviceMayRun ? "fenced" : role;
  return mayServe ? "active" : role;
}

test("the role after every combination of facts", () => {
  assert.is(facts.length, 6 * 2 ** 6);
  for (const fact of facts) {
    const expected = fact.underWay === null ? expectedRole(fact) : "transitioning";
    assert.is(nextRole(fact)?.role ?? fact.role, expected, JSON.stringify(fact));
  }
});

test("a change of the role is a change, and says why", () => {
  for (const fact of facts) {
    const change = nextRole(fact);
    if (!change) continue;
    assert.is.not(change.role, fact.role);
    assert.ok(change.reason.length > 0);
  }
});

test("nobody becomes active but from starting or stopped, owning the term, with the right", () => {
  let count = 0;
  for (const fact of facts) {
    if (nextRole(fact)?.role !== "active") continue;
    count++;
    assert.ok(fact.role === "starting" || fact.role === "stopped", fact.role);
    assert.ok(fact.ownsTerm && fact.mayServe && fact.underWay === null);
  }
  assert.ok(count > 0);
});

test("no host stands by, or waits for the right, while its service may run", () => {
  for (const fact of facts) {
    // That one is stopped is verified: there the service runs no more.
    if (!fact.serviceMayRun || fact.role === "stopped") continue;
    const next = nextRole(fact)?.role;
    assert.ok(next !== "standby" && next !== "stopped", JSON.stringify(fact));
  }
});

const verdicts = new Map<string, Verdict>();
for (const evidence of everyEvidence()) {
  for (const lastWord of ["running", "given-away", "failed", "leaving"] as const) {
    const verdict = judgeEvidence({ ...evidence, lastWord });
    verdicts.set(verdict.row, verdict);
  }
}
const host = (row: string, settled = true) => ({
  name: `h${row}`,
  watched: true,
  verdict: verdicts.get(row) as Verdict,
  settled,
  standsBy: false,
});
const base = {
  force: false,
  peerIsOff: false,
  newerConfigurations: [],
  busySiblings: [],
  siblingsWouldLearn: true,
} as const;

test("a host that went by a newer configuration stands in the way, and is named", () => {
  const refused = takeoverRefusal({ ...base, newerConfigurations: ["h8"], hosts: [host("8")] });
  assert.is(refused?.code, 107);
  assert.match(refused?.message ?? "", "h8 went by a newer configuration");
});

test("one host that beats on any path is enough to refuse, and is named", () => {
  for (const row of ["1", "2", "2b", "3", "3b", "3c", "4", "0b"]) {
    const refusal = takeoverRefusal({ ...base, hosts: [host("9"), host(row)] });
    assert.is(refusal?.code, exitCodes.unsafe, row);
    assert.match(refusal?.message ?? "", new RegExp(`h${row} \\(row ${row}\\)`));
  }
});

test("silent or departed hosts do not stand in the operator's way", () => {
  for (const row of ["0", "0c", "5", "6", "7", "8", "9", "10"]) {
    assert.is(takeoverRefusal({ ...base, hosts: [host(row)] }), null, row);
  }
});

test("a host not watched long enough refuses, whatever its row", () => {
  for (const row of ["5", "9", "10"]) {
    const refusal = takeoverRefusal({ ...base, hosts: [host(row, false)] });
    assert.is(refusal?.code, exitCodes.unsafe);
    assert.match(refusal?.message ?? "", /not watched long enough/);
  }
});

test("where no path leads to a host nothing can be told of it: refused", () => {
  const refusal = takeoverRefusal({ ...base, hosts: [host("11")] });
  assert.is(refusal?.code, exitCodes.unsafe);
  assert.match(refusal?.message ?? "", /h11/);
});

test("a word that the other site is off spares the watch, and not the look at who beats", () => {
  const attested = { ...base, peerIsOff: true };
  for (const row of ["5", "9", "10", "11"]) {
    assert.is(takeoverRefusal({ ...attested, hosts: [host(row, false)] }), null, row);
  }
  for (const row of ["1", "2", "3", "4"]) {
    const refusal = takeoverRefusal({ ...attested, hosts: [host("9"), host(row)] });
    assert.match(refusal?.message ?? "", "still beats", row);
  }
  assert.is(takeoverRefusal({ ...attested, hosts: [] })?.code, exitCodes.unsafe);
});

test("a host that is switched off here is not watched: refused", () => {
  const refusal = takeoverRefusal({
    ...base,
    hosts: [host("9"), { ...host("1"), watched: false }],
  });
  assert.is(refusal?.code, exitCodes.unsafe);
  assert.match(refusal?.message ?? "", /h1 is switched off here/);
});

test("a host that stands by under our own term may live", () => {
  assert.is(takeoverRefusal({ ...base, hosts: [{ ...host("1"), standsBy: true }] }), null);
});

test("a sibling that serves, or siblings that would not learn of it, stand in the way", () => {
  const busy = takeoverRefusal({ ...base, hosts: [host("9")], busySiblings: ["b2"] });
  assert.is(busy?.code, exitCodes.tryLater);
  assert.match(busy?.message ?? "", /b2 of this site/);
  const unheard = takeoverRefusal({ ...base, hosts: [host("9")], siblingsWouldLearn: false });
  assert.is(unheard?.code, exitCodes.unsafe);
});

test("force is the operator's own answer to all of it", () => {
  for (const row of verdicts.keys()) {
    assert.is(takeoverRefusal({ ...base, force: true, hosts: [host(row, false)] }), null);
  }
});

test.run();
