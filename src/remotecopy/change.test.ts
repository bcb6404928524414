/** The driver of changes against a pair that only exists here, on a clock that only it moves. */
import * as fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { pairVerbs, type PairVerb } from "../core/base/pair-settings.ts";
import { changePair, changeRules, type Outcome } from "./change.ts";
import {
  fault,
  type IdentityAnswer,
  type PairAnswer,
  type PairProvider,
  type PairRole,
  pairStates,
  type PairState,
  type PairView,
  type Performed,
} from "./provider.ts";

const own = "411001/1a01";
const queryMs = 10;
const settleMs = 3000;

const viewOf = (state: PairState, role: PairRole, writable: boolean | null = null): PairView => ({
  state,
  role,
  readable: true,
  writable: writable ?? (role === "primary" || state === "simplex" || state === "takeover"),
  inSync: state === "paired",
  percent: null,
  lastCopyAgoMs: null,
  native: `${role} ${state}`,
  cause: "",
});

type Seen = PairView | ReturnType<typeof fault>;

type Script = {
  readonly verbs?: readonly PairVerb[];
  readonly identity?: IdentityAnswer;
  readonly before: Seen;
  /** The other end; "none": it cannot be asked. */
  readonly remote?: PairView | "none";
  readonly remoteQuery?: boolean;
  readonly performed?: Performed;
  /** What each question after the commands finds, by its number from 0; the last one stays. */
  readonly after?: readonly Seen[];
  /** Of which moment the knowledge is that it has now; left out: of now. */
  readonly knowsOfMs?: (nowMs: number) => number;
};

type Wish = {
  readonly force?: boolean;
  readonly dryRun?: boolean;
  readonly expected?: string | null;
  readonly changeLimitMs?: number;
};

/** One change; what it came to, what was asked, and how long it took. */
async function run(verb: PairVerb, script: Script, wish: Wish = {}) {
  let nowMs = 0;
  let performs = 0;
  let performedMs = Number.POSITIVE_INFINITY;
  let questions = 0;
  const answers: PairAnswer[] = [];
  const answerOf = (seen: Seen, isBoth: boolean, observedMs: number): PairAnswer => {
    if ("ok" in seen) return seen;
    const { remote } = script;
    const isKnown = isBoth && remote !== "none" && remote !== undefined;
    const remoteFault = isBoth && remote === "none" ? fault("peer-unreachable", "gone") : null;
    return {
      ok: true,
      observedMs,
      local: seen,
      remote: isKnown ? remote : null,
      remoteFault,
    };
  };
  const provider: PairProvider = {
    capabilities: {
      verbs: script.verbs ?? pairVerbs,
      copying: "either",
      secondaryRead: "device",
      remoteQuery: script.remoteQuery ?? false,
      atomicSwap: true,
    },
    identify: async () => script.identity ?? { ok: true, identity: { own, peer: null } },
    query: async (scope) => {
      nowMs += queryMs;
      const { after = [script.before] } = script;
      const observedMs = script.knowsOfMs?.(nowMs) ?? nowMs;
      const isAfter = observedMs >= performedMs;
      const seen = isAfter ? after[Math.min(questions++, after.length - 1)] : script.before;
      assert.ok(performs === 0 || scope === "local", "after it only this end is asked");
      const answer = answerOf(seen ?? script.before, scope === "both", observedMs);
      answers.push(answer);
      return answer;
    },
    commands: (change) => [`do ${change.verb}${change.force ? " by force" : ""}`],
    perform: async () => {
      performs++;
      performedMs = nowMs;
      return script.performed ?? { kind: "ended", detail: "exit code 0" };
    },
  };
  const outcome = await changePair(provider, verb, {
    expected: wish.expected === undefined ? own : wish.expected,
    force: wish.force ?? false,
    dryRun: wish.dryRun ?? false,
    queryLimitMs: 1000,
    changeLimitMs: wish.changeLimitMs ?? 1000,
    nowMs: () => nowMs,
    pause: async (ms) => {
      nowMs += ms;
    },
  });
  return { outcome, performs, performedMs, questions, answers, tookMs: nowMs };
}

const [simplex, copying, paired, split, failed, taken, unknown] = [
  viewOf("simplex", "none"), viewOf("copying", "primary"), viewOf("paired", "primary"),
  viewOf("suspended-by-operator", "primary"), viewOf("suspended-by-error", "primary"),
  viewOf("takeover", "secondary"), viewOf("unknown", "unknown"),
]; // biome-ignore format: a list
const secondary = viewOf("paired", "secondary");

/** Every verb in every state at both ends: s sent, f sent if forced, n noop, w under way, - refused. */
const begins: Readonly<Record<PairVerb, Readonly<Record<PairState, string>>>> = {
  // primary and secondary; of a pair that is simplex or unknown the role is none or unknown
  create: {
    simplex: "ss", copying: "ww", paired: "nn", "suspended-by-operator": "--",
    "suspended-by-error": "--", takeover: "--", unknown: "--",
  },
  split: {
    simplex: "--", copying: "ss", paired: "ss", "suspended-by-operator": "nn",
    "suspended-by-error": "--", takeover: "--", unknown: "--",
  },
  resync: {
    simplex: "--", copying: "ww", paired: "nn", "suspended-by-operator": "ss",
    "suspended-by-error": "ss", takeover: "--", unknown: "--",
  },
  swap: {
    simplex: "--", copying: "--", paired: "ss", "suspended-by-operator": "--",
    "suspended-by-error": "--", takeover: "ff", unknown: "--",
  },
  takeover: {
    simplex: "--", copying: "-f", paired: "-s", "suspended-by-operator": "-f",
    "suspended-by-error": "-f", takeover: "-n", unknown: "ff",
  },
  remove: {
    simplex: "nn", copying: "ss", paired: "ss", "suspended-by-operator": "ss",
    "suspended-by-error": "ss", takeover: "ss", unknown: "ss",
  },
}; // biome-ignore format: a table

const roleIn = (state: PairState, role: PairRole): PairRole =>
  state === "simplex" ? "none" : state === "unknown" ? "unknown" : role;

test("every verb, in every state, at each end, with and without force", async () => {
  for (const verb of pairVerbs) {
    for (const state of pairStates) {
      for (const [index, role] of (["primary", "secondary"] as const).entries()) {
        for (const force of [false, true]) {
          const before = viewOf(state, roleIn(state, role));
          const { outcome, performs } = await run(verb, { before }, { force });
          const wanted = begins[verb][state][index];
          const where = `${verb} while ${state} as ${role}, force ${force}: ${outcome.message}`;
          const isSent = wanted === "s" || (wanted === "f" && force);
          assert.is(performs, isSent ? 1 : 0, where);
          if (isSent) continue;
          const kind = wanted === "n" ? "noop" : wanted === "w" ? "in-progress" : "refused";
          assert.is(outcome.kind, kind, where);
          assert.is(outcome.class, kind === "refused" ? "wrong-state" : null, where);
          assert.is(/--force overrides/.test(outcome.message), wanted === "f", where);
        }
      }
    }
  }
});

test("identity first: another volume, none configured, none told; nothing is asked or sent", async () => {
  const identities: readonly (readonly [IdentityAnswer, string | null, string, RegExp])[] = [
    [{ ok: true, identity: { own: "999/1", peer: own } }, own, "identity", /999\/1, but 411001/],
    [{ ok: true, identity: { own, peer: null } }, null, "identity", /identity = "411001\/1a01"/],
    [{ ok: true, identity: { own: "", peer: null } }, own, "identity", /configured/],
    [fault("timeout", "too late"), own, "timeout", /cannot be told: too late/],
    [fault("identity", "not this one"), own, "identity", /not this one/],
  ];
  for (const verb of pairVerbs) {
    for (const [identity, expected, faultClass, wanted] of identities) {
      const { outcome, performs, answers } = await run(
        verb,
        { identity, before: paired },
        { expected },
      );
      assert.is(outcome.kind, "refused");
      assert.is(outcome.class, faultClass);
      assert.match(outcome.message, wanted);
      assert.is(performs + answers.length, 0);
    }
  }
});

test("a verb that it has not, or a state that cannot be told: refused with the reason's class", async () => {
  const { outcome } = await run("swap", { verbs: ["create"], before: paired });
  assert.is(outcome.class, "unsupported");
  for (const faultClass of ["daemon-down", "mixed-group", "unparseable", "timeout"] as const) {
    for (const verb of pairVerbs) {
      const told = await run(verb, { before: fault(faultClass, "no") }, { force: true });
      assert.is(told.outcome.kind, "refused");
      assert.is(told.outcome.class, faultClass);
      assert.is(told.performs, 0);
    }
  }
});

test("a dry run sends nothing, and says what it would send", async () => {
  const { outcome, performs } = await run("split", { before: paired }, { dryRun: true });
  assert.is(performs, 0);
  assert.is(outcome.kind, "noop");
  assert.equal(outcome.commands, ["do split"]);
  const refused = await run("split", { before: failed }, { dryRun: true });
  assert.is(refused.outcome.kind, "refused");
});

test("the other end counts where it can be asked", async () => {
  const remoteQuery = true;
  for (const [verb, remote, before, force, wanted] of [
    ["resync", taken, failed, false, /would overwrite/],
    ["resync", taken, failed, true, /would overwrite/],
    ["resync", "none", failed, false, /cannot be asked.*--force/],
    ["swap", "none", paired, true, /cannot be asked/],
    ["swap", failed, paired, true, /other end is suspended-by-error/],
  ] as const) {
    const { outcome, performs } = await run(verb, { remoteQuery, remote, before }, { force });
    assert.is(outcome.class, "wrong-state");
    assert.match(outcome.message, wanted);
    assert.is(performs, 0);
  }
  const after = [paired];
  const forced = await run(
    "resync",
    { remoteQuery, remote: "none", before: failed, after },
    { force: true },
  );
  assert.is(forced.outcome.kind, "done");
  const swapped = await run("swap", {
    remoteQuery,
    remote: secondary,
    before: paired,
    after: [secondary],
  });
  assert.is(swapped.outcome.kind, "done");
});

/** A verb, from where, and how it looks when it is done, and on its way. */
const ways: readonly (readonly [PairVerb, PairView, PairView, PairView | null])[] = [
  ["create", simplex, paired, copying],
  ["split", paired, split, null],
  ["resync", split, paired, copying],
  ["swap", secondary, paired, copying],
  ["takeover", secondary, taken, null],
  ["takeover", secondary, paired, null],
  ["remove", paired, simplex, null],
];
const ended = { kind: "ended", detail: "exit code 1" } as const;
const cut = { kind: "cut-short", detail: "no answer in time" } as const;

test("what became of it is told by the state alone, be it cut short or failed", async () => {
  for (const [verb, before, done, underWay] of ways) {
    for (const performed of [ended, cut]) {
      const reached = await run(verb, { before, after: [done], performed });
      assert.is(reached.outcome.kind, "done", verb);
      const late = [before, fault("timeout", "busy"), before, done];
      const slow = await run(verb, { before, after: late, performed });
      assert.is(slow.outcome.kind, "done", `${verb}, late`);
      assert.is(slow.questions, late.length);
      if (!underWay) continue;
      const begun = await run(verb, { before, after: [underWay], performed });
      assert.is(begun.outcome.kind, "in-progress", `${verb}, under way`);
    }
  }
});

test("left as it was: refused if the commands ended, else not known; within the settle time", async () => {
  for (const [verb, before] of ways) {
    const ran = await run(verb, { before, performed: ended });
    assert.is(ran.outcome.kind, "refused");
    assert.is(ran.outcome.class, "array-rejected");
    assert.match(ran.outcome.message, "exit code 1");
    const cutShort = await run(verb, { before, performed: cut });
    assert.is(cutShort.outcome.kind, "indeterminate");
    assert.match(cutShort.outcome.message, "query it before anything else");
    for (const { tookMs } of [ran, cutShort]) {
      assert.ok(tookMs >= settleMs && tookMs <= settleMs + 500, `${tookMs} ms`);
    }
  }
});

test("somewhere else, unknown, or not to be asked: indeterminate", async () => {
  for (const [verb, before] of ways) {
    for (const performed of [ended, cut]) {
      const broken = { ...failed, role: before.role };
      for (const after of [unknown, broken, fault("daemon-down", "gone")]) {
        const { outcome } = await run(verb, { before, after: [after], performed });
        assert.is(outcome.kind, "indeterminate", `${verb}: ${outcome.message}`);
        assert.is.not(outcome.class, null);
      }
    }
  }
  const notBegun = { kind: "not-begun", fault: fault("auth", "who are you") } as const;
  const { outcome, questions } = await run("split", { before: paired, performed: notBegun });
  assert.is(outcome.kind, "refused");
  assert.is(outcome.class, "auth");
  assert.is(questions, 0);
});

test("a takeover at the primary, or where nothing is known, is no success", async () => {
  for (const state of ["unknown", "paired", "takeover"] as const) {
    const { outcome, performs } = await run("takeover", { before: viewOf(state, "primary") });
    assert.is(`${outcome.kind} ${outcome.class}`, "refused wrong-state", state);
    assert.match(outcome.message, "this end is the primary already");
    assert.is(performs, 0);
  }
  const lost = { ...viewOf("unknown", "secondary"), writable: true };
  assert.is((await run("takeover", { before: lost })).outcome.kind, "refused");
  const after = [viewOf("unknown", "primary")];
  const forced = await run("takeover", { before: lost, after }, { force: true });
  assert.is(forced.outcome.kind, "indeterminate");
  const left = await run("takeover", { before: lost, after: [lost] }, { force: true });
  assert.is(left.outcome.kind, "indeterminate", "unknown before and after: not known to be left");
});

test("a resync after a takeover names the way back, where there is one", async () => {
  const { outcome } = await run("resync", { before: taken });
  assert.match(outcome.message, "`pair swap --force` copies back over the other site");
  const without = await run("resync", { before: taken, verbs: ["resync", "takeover"] });
  assert.is(without.outcome.class, "wrong-state");
  assert.match(without.outcome.message, "has no swap");
});

test("knowledge from before the commands says nothing of what became of them", async () => {
  for (const [verb, before, done] of ways) {
    for (const performed of [ended, cut]) {
      const script = {
        before,
        after: [done],
        performed,
        knowsOfMs: (nowMs: number) => nowMs - 9e4,
      };
      const { outcome, tookMs } = await run(verb, script, { changeLimitMs: 20_000 });
      assert.is(`${outcome.kind} ${outcome.class}`, "indeterminate timeout", verb);
      assert.match(outcome.message, "not known, before that");
      assert.ok(tookMs >= 20_000 && tookMs <= 20_500, `${tookMs} ms`);
    }
  }
});

test("nor does it where it looks done, or on its way", async () => {
  for (const seen of [paired, copying]) {
    const answers = [split, seen];
    let nowMs = 50_000;
    const outcome = await changePair(
      {
        capabilities: {
          verbs: pairVerbs, copying: "either", secondaryRead: "device", remoteQuery: false,
          atomicSwap: true,
        },
        identify: async () => ({ ok: true, identity: { own, peer: null } }),
        query: async () => {
          const local = answers.shift() ?? seen;
          return { ok: true, observedMs: nowMs - 40_000, local, remote: null, remoteFault: null };
        },
        commands: () => [],
        perform: async () => ended,
      },
      "resync",
      {
        expected: own, force: false, dryRun: false, queryLimitMs: 1, changeLimitMs: 1000,
        nowMs: () => nowMs, pause: async (ms) => void (nowMs += ms),
      },
    ); // biome-ignore format: short lists
    assert.is(outcome.kind, "indeterminate", outcome.message);
  }
});

test("who hears every 30 s how it is: looked at until then, and the settle time after it", async () => {
  const everyMs = 30_000;
  const knowsOfMs = (nowMs: number) => Math.floor(nowMs / everyMs) * everyMs;
  const wish = { changeLimitMs: 60_000 };
  for (const [verb, before, done, underWay] of ways) {
    const reached = await run(verb, { before, after: [done], knowsOfMs }, wish);
    assert.is(reached.outcome.kind, "done", verb);
    assert.ok(reached.tookMs >= everyMs && reached.tookMs < everyMs + 500);
    if (underWay) {
      const begun = await run(verb, { before, after: [underWay], knowsOfMs }, wish);
      assert.is(begun.outcome.kind, "in-progress", verb);
    }
    const left = await run(verb, { before, knowsOfMs }, wish);
    assert.is(`${left.outcome.kind} ${left.outcome.class}`, "refused array-rejected", verb);
    assert.ok(left.tookMs >= everyMs + settleMs - 500 && left.tookMs <= everyMs + settleMs + 500);
  }
});

const anyView: fc.Arbitrary<PairView> = fc
  .tuple(
    fc.constantFrom(...pairStates),
    fc.constantFrom<PairRole>("primary", "secondary", "none", "unknown"),
    fc.constantFrom(true, false, null),
  )
  .map(([state, role, writable]) => ({ ...viewOf(state, role), writable }));
const anySeen: fc.Arbitrary<Seen> = fc.oneof(
  { weight: 4, arbitrary: anyView },
  { weight: 1, arbitrary: fc.constantFrom(fault("timeout", "late"), fault("unparseable", "what")) },
);
const anyPerformed = fc.constantFrom<Performed>(ended, cut, {
  kind: "not-begun",
  fault: fault("config", "no"),
});

const lastView = (outcome: Outcome): PairView | null =>
  outcome.after?.ok ? outcome.after.local : null;

test("whatever an array says: done only if its last answer says so, and then it is what was wanted", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...pairVerbs),
      anySeen,
      fc.array(anySeen, { minLength: 1, maxLength: 5 }),
      anyPerformed,
      fc.record({ force: fc.boolean(), dryRun: fc.boolean() }),
      fc.record({
        remoteQuery: fc.boolean(),
        remote: fc.oneof(anyView, fc.constant("none" as const)),
      }),
      fc.constantFrom(0, 0, 300, 60_000),
      async (verb, before, after, performed, wish, other, ageMs) => {
        const knowsOfMs = (nowMs: number) => nowMs - ageMs;
        const script = { before, after, performed, knowsOfMs, ...other };
        const { outcome, performs, performedMs, answers, tookMs } = await run(verb, script, wish);
        const { isDone } = changeRules[verb];
        const last = answers.at(-1);
        assert.is(outcome.after, last ?? null, "it tells the last answer");
        const view = lastView(outcome);
        if (performs > 0 && performed.kind !== "not-begun" && last?.ok) {
          const isOld = last.observedMs < performedMs;
          assert.ok(!isOld || outcome.kind === "indeterminate", "too old to tell");
        }
        if (outcome.kind === "done") {
          assert.ok(view && !("ok" in before) && isDone(view, before));
          assert.is(performs, 1);
        }
        if (wish.dryRun) assert.is(performs, 0);
        if (performs === 0) assert.ok(["noop", "refused", "in-progress"].includes(outcome.kind));
        if (outcome.kind === "refused" || outcome.kind === "indeterminate") {
          assert.is.not(outcome.class, null);
        } else assert.is(outcome.class, null);
        assert.ok(performs <= 1 && tookMs <= settleMs + 1000);
        assert.not.match(outcome.message, "\n");
      },
    ),
    { numRuns: 3000 },
  );
});

test.run();
