// test-limit-seconds: 60
/** What is looked at before a handover; and pairs that only exist here, on scripted answers. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { realClock } from "../host/clock.ts";
import {
  fault,
  type PairAnswer,
  type PairProvider,
  type PairView,
} from "../remotecopy/provider.ts";
import {
  blockIo,
  dataAgent,
  dataBench,
  dataConfig,
  one,
  withBenches,
} from "../testing/agent-data.ts";
import { dataTools } from "./data-pairs.ts";

withBenches("checked before a handover; what is suspended is mended", ["orders"], async (b) => {
  const bench = one(b);
  bench.set("paired", "paired");
  const tokyo = dataAgent(dataConfig([bench.group()], "tokyo-1"));
  const good = await tokyo.check();
  assert.is(good.ok, true, good.detail);
  const osaka = await dataAgent(dataConfig([bench.group()])).check();
  assert.match(osaka.detail, /the other site's end is the primary/);
  bench.cut(true);
  bench.set("suspended-by-operator", "suspended-by-operator");
  const bad = await tokyo.check();
  assert.is(bad.ok, false);
  assert.match(bad.detail, /it is not whole \(suspended-by-operator, primary/);
  assert.is((await tokyo.check(true)).ok, false, "there is no way to mend it while it is cut");
  bench.cut(false);
  const mended = await tokyo.check(true);
  assert.is(mended.ok, true, mended.detail);
  assert.is(bench.is(), "paired paired writer");
  bench.set("suspended-by-error", "takeover");
  assert.is((await tokyo.check(true)).ok, false, "never over what the other site took over");
  assert.is(bench.is(), "suspended-by-error takeover writer");
});

const primary: PairView = {
  state: "paired", role: "primary", readable: true, writable: true, inSync: true, percent: 100,
  lastCopyAgoMs: null, native: "P-VOL", cause: "",
}; // biome-ignore format: a view

type Script = {
  /** The nth answer's view; the last one stays. */
  readonly views: readonly (PairView | "throws" | "no answer")[];
  readonly verbs?: PairProvider["capabilities"]["verbs"];
  /** How old each answer is. */
  readonly ageMs?: number;
  readonly perform?: () => void;
};

/** An agent of tokyo with one group whose provider is the script. */
function scripted(
  bench: ReturnType<typeof dataBench>,
  script: Script,
  host: "tokyo-1" | "osaka-1" = "tokyo-1",
) {
  let asked = 0;
  let performed = 0;
  const { views, verbs = ["swap", "takeover", "resync"], ageMs = 0 } = script;
  const provider: PairProvider = {
    capabilities: {
      verbs, copying: "either", secondaryRead: "device", remoteQuery: false, atomicSwap: true,
    },
    identify: () => Promise.resolve({ ok: true, identity: { own: "x/1", peer: null } }),
    query: (): Promise<PairAnswer> => {
      const view = views[Math.min(asked++, views.length - 1)];
      if (view === "throws" || view === undefined) throw new Error("a fault of the provider");
      if (view === "no answer") return Promise.resolve(fault("timeout", "no answer in time"));
      const observedMs = realClock.nowMs() - ageMs;
      return Promise.resolve({ ok: true, observedMs, local: view, remote: null, remoteFault: null });
    },
    commands: () => ["command"],
    perform: () => {
      performed++;
      return Promise.resolve({ kind: "ended", detail: "done" });
    },
  }; // biome-ignore format: a provider
  const io = blockIo();
  const device = bench.files.writer;
  const pair = {
    provider,
    end: "writer",
    expected: "x/1",
    queryLimitMs: 500,
    changeLimitMs: 1500,
  } as const;
  const tools = dataTools(
    io,
    realClock.nowMs,
    () => io.clocks().boottimeNs,
    () => Promise.resolve({ ok: true, pair: { name: "orders", device, pair } }),
  );
  const made = dataAgent(dataConfig([bench.group()], host), tools);
  return { ...made, asked: () => asked, performed: () => performed };
}

withBenches(
  "waits for copying, and for what is on its way, up to its limit",
  ["orders"],
  async (b) => {
    const bench = one(b);
    const copying: PairView = { ...primary, state: "copying", inSync: false, percent: 40 };
    const pending: PairView = { ...primary, inSync: false };
    const { ok, detail } = await scripted(bench, {
      views: [copying, pending, "no answer", primary],
    }).check();
    assert.is(ok, true, detail);
    const never = await scripted(bench, { views: [copying] }).check();
    assert.is(never.ok, false);
    assert.match(never.detail, /it is still copied .*, still after 2 s; mend the pair/);
    const untold: PairView = { ...primary, inSync: null };
    assert.is(
      (await scripted(bench, { views: [untold] }).check()).ok,
      true,
      "its swap waits for it",
    );
    const noSwap = await scripted(bench, { views: [untold], verbs: ["takeover"] }).check();
    assert.match(noSwap.detail, /its array cannot tell whether all has arrived/);
    const neither = await scripted(bench, { views: [{ ...primary, role: "unknown" }] }).check();
    assert.match(neither.detail, /this end is not the primary/);
    const here = await scripted(bench, {
      views: [{ ...primary, state: "takeover", role: "secondary" }],
    }).check();
    assert.match(here.detail, /this site took it over, and nothing is copied/);
  },
);

withBenches("an old answer does not say that it is taken", ["orders"], async (b) => {
  const bench = one(b);
  const old = await scripted(bench, { views: [primary], ageMs: 60_000 }).take("takeover");
  assert.is(old.ok, false);
  assert.match(old.detail, /no answer is young enough/);
});

withBenches("a provider that throws ends nothing but its action", ["orders"], async (b) => {
  const bench = one(b);
  const here = scripted(bench, { views: ["throws"] });
  for (const end of [await here.take("takeover"), await here.check()]) {
    assert.is(end.ok, false);
    assert.match(end.detail, /fault of the program: a fault of the provider/);
  }
  assert.is((await here.poll())[0]?.state, "unknown");
});

withBenches(
  "what is unknown, or a primary that cannot be written, is not taken",
  ["orders"],
  async (b) => {
    const bench = one(b);
    const unknown: PairView = { ...primary, state: "unknown", role: "unknown", cause: "mixed" };
    const first = scripted(bench, { views: [unknown] });
    const { ok, detail } = await first.take("takeover");
    assert.is(ok, false);
    assert.match(detail, /it cannot be taken over \(unknown, unknown/);
    const readOnly: PairView = { ...primary, state: "suspended-by-error", writable: false };
    const second = scripted(bench, { views: [readOnly] });
    assert.is((await second.take("takeover")).ok, false);
    assert.equal([first.performed(), second.performed()], [0, 0]);
  },
);

test.run();
