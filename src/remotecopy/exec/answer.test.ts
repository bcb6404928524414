import { test } from "uvu";
import * as assert from "uvu/assert";
import { pairStates } from "../provider.ts";
import { settleViews } from "../told-view.ts";
import { readBody, readCapabilities, readIdentity, readQuery } from "./answer.ts";
import { damage, seeded } from "./testing/damage.ts";

const view = {
  state: "paired",
  role: "primary",
  readable: true,
  writable: true,
  inSync: true,
  percent: 100,
  lastCopyAgoMs: 12,
  native: "PAIR",
  cause: "",
};
const secondary = { ...view, role: "secondary", writable: false };
const answer = (body: object): string => `${JSON.stringify({ version: 1, ok: true, ...body })}\n`;
const queryText = (local: object, remote: object | null = secondary): string =>
  answer({ ageMs: 0, local, remote, remoteFault: null });

function queried(text: string, scope: "local" | "both" = "both") {
  const body = readBody(text);
  if (body?.kind !== "good") return null;
  const read = readQuery(body.value, scope);
  return read.ok ? settleViews(read.value, "synchronous") : null;
}

test("a whole answer is read; what nobody asked for is passed over", () => {
  const told = queried(answer({ ageMs: 3, local: { ...view, extra: [1] }, remote: null, more: {} }), "local");
  assert.equal(told, { local: view, remote: null });
  assert.is(queried(queryText(view))?.remote?.role, "secondary");
}); // biome-ignore format: one line

test("an unknown word for state or role: the state is unknown", () => {
  const told = queried(queryText({ ...view, state: "PAIR" }));
  assert.is(told?.local.state, "unknown");
  assert.match(told?.local.cause ?? "", /unknown word: PAIR/);
  const leader = queried(queryText({ ...view, role: "leader" }))?.local;
  assert.equal([leader?.state, leader?.role], ["unknown", "unknown"]);
});

test("a field that is missing or of another kind: no answer", () => {
  for (const key of Object.keys(view)) {
    const { [key as "state"]: _, ...rest } = view;
    assert.is(queried(queryText(rest)), null, `without ${key}`);
    assert.is(queried(queryText({ ...view, [key]: [] })), null, `a list as ${key}`);
  }
  assert.is(queried(queryText({ ...view, percent: 101 })), null);
  assert.is(queried(queryText({ ...view, lastCopyAgoMs: -1 })), null);
  assert.is(queried(answer({ local: view, remote: null, remoteFault: null })), null, "no age");
  assert.is(queried(answer({ ageMs: 0, local: view, remote: null, remoteFault: null })), null);
  assert.is(readBody(JSON.stringify({ ok: true })), null, "no version");
  assert.is(readBody(JSON.stringify({ version: 2, ok: true })), null);
  assert.is(readBody(`${answer({})}${answer({})}`), null, "two answers");
  assert.is(readBody('{"version":1,"ok":false,"class":"odd","message":"x"}'), null);
});

test("a key twice in one object: no answer, however it is written", () => {
  assert.is(readBody('{"version":1,"ok":true,"a":{"x":1},"b":{"x":1}}')?.kind, "good");
  assert.is(readBody('{"version":1,"ok":true,"a":1,"a":1}'), null);
  assert.is(readBody('{"version":1,"ok":true,"state":1,"st\\u0061te":1}'), null);
  assert.is(readBody('{"version":1,"ok":true,"list":[{"x":":"},{"x":"\\":"}]}')?.kind, "good");
});

test("what contradicts itself is unknown", () => {
  const local = (change: object) => queried(queryText({ ...view, ...change }))?.local.state;
  assert.is(local({}), "paired");
  assert.is(local({ percent: 37 }), "unknown");
  assert.is(local({ role: "none" }), "unknown");
  assert.is(local({ inSync: false }), "unknown");
  assert.is(local({ state: "simplex" }), "unknown");
  assert.is(local({ state: "takeover", writable: false }), "unknown");
  assert.is(local({ state: "copying" }), "unknown");
  const same = queried(queryText(view, view));
  assert.is(same?.local.state, "unknown", "both ends primary");
  assert.is(same?.remote?.state, "unknown");
});

test("identity and capabilities", () => {
  assert.is(readIdentity({ own: "411001/1a01", peer: null }).ok, true);
  for (const own of ["", " a", "a\n", "\u00fc", 7, null]) {
    assert.is(readIdentity({ own, peer: null }).ok, false, String(own));
  }
  const good = { verbs: ["split"], copying: "either", secondaryRead: "none", remoteQuery: false, atomicSwap: false };
  assert.is(readCapabilities(good).ok, true);
  assert.is(readCapabilities({ ...good, verbs: ["explode"] }).ok, false);
  assert.is(readCapabilities({ ...good, remoteQuery: 1 }).ok, false);
}); // biome-ignore format: one line

test("10,000 damaged answers to a query: never a wrong paired, never an exception", () => {
  const random = seeded(7);
  const states = pairStates.filter((state) => state !== "paired");
  let survived = 0;
  for (let index = 0; index < 10_000; index++) {
    const state = states[index % states.length] ?? "unknown";
    const told = { ...view, state, role: state === "simplex" ? "none" : "primary", inSync: null };
    // The other end says paired: its words must not slip into this end's.
    const whole = index % 2 === 0 ? queryText(told) : queryText(view);
    const isPaired = index % 2 === 1;
    const damaged = damage(random() < 0.5 ? whole : damage(whole, random), random);
    const seen = queried(damaged);
    if (seen) survived++;
    if (seen?.local.state !== "paired") continue;
    assert.ok(isPaired, `paired of what was ${state}: ${damaged}`);
    const { state: said, role } = JSON.parse(damaged).local;
    assert.equal([said, role], ["paired", "primary"], "as it stands there still");
  }
  assert.ok(survived > 100, `only ${survived} were still readable`);
});

for (const [name, text, read] of [
  ["identify", answer({ own: "411001/1a01", peer: "422002/2b01" }), readIdentity],
  [
    "capabilities",
    answer({ verbs: ["split"], copying: "either", secondaryRead: "none", remoteQuery: false, atomicSwap: false }),
    readCapabilities,
  ],
] as const) {
  test(`10,000 damaged answers to ${name}: no exception`, () => {
    const random = seeded(11);
    for (let index = 0; index < 10_000; index++) {
      const body = readBody(damage(text, random));
      if (body?.kind === "good") read(body.value);
    }
  });
} // biome-ignore format: one line

test.run();
