/** Every code, what it may and may not contradict, and damaged texts. */
import { readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { compareOpinion, parsePairvolchk, readVolumeCode } from "./pairvolchk.ts";
import { damaged, seededRandom } from "./testing/damage.ts";

const golden = (name: string) => readFileSync(`fixtures/remotecopy/horcm/${name}.txt`, "utf8");

test("every exit code of -ss", () => {
  const names = ["COPY", "PAIR", "PSUS", "PSUE", "PDUB"];
  const expected = new Map<number, string>([[11, "SMPL SMPL false"]]);
  names.forEach((name, at) => {
    expected.set(22 + at, `P-VOL ${name} false`);
    expected.set(32 + at, `S-VOL ${name} false`);
    expected.set(42 + at, `P-VOL ${name} true`);
    expected.set(52 + at, `S-VOL ${name} true`);
  });
  expected.set(47, "P-VOL PFUL true").set(57, "S-VOL PFUL true");
  expected.set(48, "P-VOL PFUS true").set(58, "S-VOL PFUS true");
  for (let code = 0; code < 256; code++) {
    const found = readVolumeCode(code);
    const text = found && `${found.role} ${found.status} ${found.asynchronous}`;
    assert.is(text, expected.get(code) ?? null, `code ${code}`);
  }
});

test("its line, as documented and no other way", () => {
  assert.equal(parsePairvolchk(golden("volchk-pair")), {
    role: "P-VOL",
    status: "PAIR",
    fence: "NEVER",
  });
  assert.is(parsePairvolchk(golden("volchk-smpl"))?.role, "SMPL");
  for (const text of ["", "\n", "pairvolchk : Volstat is P-VOL.", golden("volchk-pair").trim()]) {
    assert.is(parsePairvolchk(text), null);
  }
});

const line = (role: string, status: string) =>
  `pairvolchk : Volstat is ${role}.[status = ${status} fence = NEVER ]\n`;

test("trap: it shows SSWS as SVOL_PSUS, which is no contradiction and no proof", () => {
  const end = { code: 34, text: line("S-VOL", "PSUS") };
  assert.is(compareOpinion("S-VOL", ["SSWS"], end).kind, "agrees");
  assert.is(compareOpinion("S-VOL", ["SSUS"], end).kind, "agrees");
  assert.is(compareOpinion("S-VOL", ["PAIR"], end).kind, "contradicts");
  assert.is(compareOpinion("P-VOL", ["PSUS"], end).kind, "contradicts");
});

test("trap: PFUL and PFUS are shown as PAIR and PSUS by older versions", () => {
  for (const [shown, code, called] of [
    ["PFUL", 43, "PAIR"],
    ["PFUL", 47, "PFUL"],
    ["PFUS", 44, "PSUS"],
    ["PFUS", 48, "PFUS"],
    ["RCPY", 22, "COPY"],
  ] as const) {
    const end = { code, text: line("P-VOL", called) };
    assert.is(compareOpinion("P-VOL", [shown], end).kind, "agrees", `${shown} ${code}`);
  }
  assert.is(
    compareOpinion("P-VOL", ["PFUS"], { code: 43, text: line("P-VOL", "PAIR") }).kind,
    "contradicts",
  );
});

test("code and text that differ, an error, or no text: no agreement", () => {
  const kind = (code: number, text: string) =>
    compareOpinion("S-VOL", ["PAIR"], { code, text }).kind;
  assert.is(kind(33, line("S-VOL", "PAIR")), "agrees");
  assert.is(kind(33, line("P-VOL", "PAIR")), "contradicts");
  assert.is(kind(33, line("S-VOL", "PSUS")), "contradicts");
  assert.is(kind(33, ""), "none");
  assert.is(kind(242, line("S-VOL", "PAIR")), "none");
  assert.is(kind(0, line("S-VOL", "PAIR")), "none");
  assert.is(kind(11, golden("volchk-smpl")), "contradicts");
  assert.is(
    compareOpinion("SMPL", ["SMPL"], { code: 11, text: golden("volchk-smpl") }).kind,
    "agrees",
  );
});

test("10,000 damaged answers: no exception, and no agreement with another state", () => {
  const random = seededRandom(1);
  for (let round = 0; round < 10_000; round++) {
    const text = damaged(line("S-VOL", "PAIR"), random);
    const end = { code: 33, text };
    if (compareOpinion("S-VOL", ["PAIR"], end).kind === "agrees") {
      assert.match(text, /S-VOL\.\[status = PAIR /);
    }
    for (const shown of ["PSUS", "PSUE", "COPY", "SSWS", "SSUS", "SMPL"]) {
      assert.is.not(compareOpinion("S-VOL", [shown], end).kind, "agrees", text);
    }
  }
});

test.run();
