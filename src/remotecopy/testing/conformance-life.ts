/**
 * The life of a pair as it should be, and what must be refused. Create, split, resync and remove
 * are asked for at the writer's end, a swap at the end that is secondary until then, a takeover at
 * the reader's.
 */
import * as assert from "uvu/assert";
import { pairVerbs, type PairVerb } from "../../core/base/pair-settings.ts";
import { realClock } from "../../host/clock.ts";
import type { MirrorEnd } from "../evidence.ts";
import type { PairState } from "../provider.ts";
import type { ConformanceBench } from "./conformance-bench.ts";
import {
  ask,
  change,
  type Check,
  expectKind,
  freshBlock,
  known,
  makePaired,
  makeSimplex,
  pause,
  reach,
  reachData,
  reachState,
  refusesToPerform,
} from "./conformance-tools.ts";

/** For what must not happen: long beside the time a copy takes. */
const absenceMs = 600;
/** No bench tells of knowledge as old as this. */
const oldestMs = 120_000;
const other = (end: MirrorEnd): MirrorEnd => (end === "writer" ? "reader" : "writer");
const can = ({ ends }: ConformanceBench, end: MirrorEnd, verb: PairVerb): boolean =>
  ends[end].provider.capabilities.verbs.includes(verb);

async function expectState(bench: ConformanceBench, end: MirrorEnd, state: PairState) {
  assert.is((await known(bench, end)).local.state, state, `state at the ${end}`);
}

/** Both ends of a paired pair, `primary` being the end whose writes are copied. */
async function expectPairedViews(bench: ConformanceBench, primary: MirrorEnd): Promise<void> {
  for (const end of ["writer", "reader"] as const) {
    const role = end === primary ? "primary" : "secondary";
    const view = await reach(
      bench,
      end,
      `paired as ${role} and in sync`,
      (seen) => seen.state === "paired" && seen.role === role && seen.inSync !== false,
    );
    assert.ok(view.percent === null || view.percent === 100, `percent ${view.percent} when paired`);
    if (role === "primary") assert.is.not(view.writable, false, "the primary is writable");
    assert.is(view.cause, "", "nothing to explain");
    const { remoteQuery } = bench.ends[end].provider.capabilities;
    const { remote, remoteFault } = await known(bench, end, "both");
    if (remoteQuery) {
      assert.is(remote?.state, "paired", remoteFault?.message);
      assert.is(remote?.role, role === "primary" ? "secondary" : "primary", "the other end's role");
    }
    assert.is((await known(bench, end, "local")).remote, null, "local does not tell of the other");
  }
}

/** Whoever asks gets an answer that is not younger than it says. */
const observed: Check = async (bench) => {
  await makePaired(bench);
  for (const end of ["writer", "reader"] as const) {
    const { provider, queryLimitMs } = bench.ends[end];
    const asked = provider.query("local", queryLimitMs);
    const sentMs = realClock.nowMs();
    const answer = await asked;
    assert.ok(answer.ok, "an answer");
    assert.ok(answer.observedMs <= sentMs, "observedMs is taken before anything is awaited");
    assert.ok(answer.observedMs > sentMs - oldestMs, "observedMs is of the program's own clock");
  }
};

const created: Check = async (bench) => {
  await expectState(bench, "writer", "simplex");
  await makePaired(bench);
  await expectPairedViews(bench, "writer");
  expectKind(await change(bench, "writer", "create"), ["noop"], "create again");
  if (can(bench, "writer", "resync")) {
    expectKind(await change(bench, "writer", "resync"), ["noop"], "resync while paired");
  }
  if (!bench.data) return;
  const bytes = freshBlock();
  await bench.data.write("writer", 1, bytes);
  await reachData(bench, "reader", 1, bytes);
};

const splitAndResync: Check = async (bench) => {
  await makePaired(bench);
  expectKind(await change(bench, "writer", "split"), ["done"], "split");
  await expectState(bench, "writer", "suspended-by-operator");
  expectKind(await change(bench, "writer", "split"), ["noop"], "split again");
  const bytes = freshBlock();
  if (bench.data) {
    await bench.data.write("writer", 2, bytes);
    await pause(absenceMs);
    const found = await bench.data.read("reader", 2);
    assert.not(found.subarray(0, bytes.length).equals(bytes), "nothing is copied after a split");
  }
  expectKind(await change(bench, "writer", "resync"), ["done", "in-progress"], "resync");
  await reachState(bench, "writer", "paired");
  await expectPairedViews(bench, "writer");
  if (bench.data) await reachData(bench, "reader", 2, bytes);
};

const swapAndBack: Check = async (bench) => {
  await makePaired(bench);
  for (const [at, block] of [["reader", 1], ["writer", 2]] as const) {
    expectKind(await change(bench, at, "swap"), ["done", "in-progress"], `swap to the ${at}`);
    await reachState(bench, at, "paired");
    await expectPairedViews(bench, at);
    if (!bench.data) continue;
    const bytes = freshBlock();
    await bench.data.write(at, block, bytes);
    await reachData(bench, other(at), block, bytes);
  } // biome-ignore format: two rows
};

const takenOver: Check = async (bench) => {
  await makePaired(bench);
  const bytes = freshBlock();
  if (bench.data) {
    await bench.data.write("writer", 1, bytes);
    await reachData(bench, "reader", 1, bytes);
  }
  expectKind(await change(bench, "reader", "takeover"), ["done"], "takeover");
  const { local } = await known(bench, "reader");
  assert.is(local.writable, true, "writable after a takeover");
  assert.ok(local.state === "takeover" || local.role === "primary", `${local.state} ${local.role}`);
  const again = local.role === "primary" ? "refused" : "noop";
  expectKind(await change(bench, "reader", "takeover"), [again], "takeover again");
  if (bench.data) {
    await reachData(bench, "reader", 1, bytes);
    const own = freshBlock();
    await bench.data.write("reader", 2, own);
    await reachData(bench, "reader", 2, own);
  }
  // Where it became no exchange of roles, the old primary must not overwrite what was taken over.
  const after = await known(bench, "writer", "both");
  if (local.state !== "takeover" || after.remote?.state !== "takeover") return;
  const refused = await change(bench, "writer", "resync");
  expectKind(refused, ["refused"], "resync of what was taken over");
  await expectState(bench, "reader", "takeover");
};

/**
 * Where a takeover was no exchange of roles, what was written after it is copied back, or the array
 * refuses that and nothing has changed.
 */
const backFromTakeover: Check = async (bench) => {
  await makePaired(bench);
  expectKind(await change(bench, "reader", "takeover"), ["done"], "takeover");
  if ((await known(bench, "reader")).local.state !== "takeover") return;
  const bytes = freshBlock();
  if (bench.data) await bench.data.write("reader", 2, bytes);
  if (can(bench, "reader", "resync")) {
    const refused = await change(bench, "reader", "resync");
    expectKind(refused, ["refused"], "resync after a takeover");
    assert.match(refused.message, "pair swap --force");
  }
  expectKind(await change(bench, "reader", "swap"), ["refused"], "swap without force");
  const back = await change(bench, "reader", "swap", { force: true });
  expectKind(back, ["done", "in-progress", "refused"], "swap by force");
  if (back.kind === "refused") {
    assert.is(back.class, "wrong-state", back.message);
    return expectState(bench, "reader", "takeover");
  }
  await reachState(bench, "reader", "paired");
  await expectPairedViews(bench, "reader");
  if (bench.data) await reachData(bench, "writer", 2, bytes);
};

const removed: Check = async (bench) => {
  await makePaired(bench);
  await makeSimplex(bench);
  expectKind(await change(bench, "writer", "remove"), ["noop"], "remove again");
  const { local } = await known(bench, "writer");
  assert.is(local.role, "none", "no pair, no role");
};

const wrongIdentity: Check = async (bench) => {
  await makePaired(bench);
  const provider = refusesToPerform(bench.ends.writer.provider);
  for (const [expected, wanted] of [
    ["another/volume", /another\/volume is configured/],
    [null, /identity = "/],
  ] as const) {
    const outcome = await change(bench, "writer", "split", { expected, provider });
    expectKind(outcome, ["refused"], `identity ${expected}`);
    assert.is(outcome.class, "identity");
    assert.match(outcome.message, wanted);
    await expectState(bench, "writer", "paired");
  }
};

async function expectWrongState(bench: ConformanceBench, end: MirrorEnd, verb: PairVerb) {
  if (!can(bench, end, verb)) return;
  const provider = refusesToPerform(bench.ends[end].provider);
  const outcome = await change(bench, end, verb, { provider });
  expectKind(outcome, ["refused"], `${verb} at the ${end}`);
  assert.is(outcome.class, "wrong-state", outcome.message);
}

const wrongState: Check = async (bench) => {
  for (const verb of ["split", "resync", "swap"] as const) {
    await expectWrongState(bench, "writer", verb);
  }
  await expectWrongState(bench, "reader", "takeover");
  await makePaired(bench);
  const provider = refusesToPerform(bench.ends.writer.provider);
  const taken = await change(bench, "writer", "takeover", { provider });
  expectKind(taken, ["refused"], "takeover where it is primary");
  expectKind(await change(bench, "writer", "split"), ["done"], "split");
  await expectWrongState(bench, "writer", "create");
  await expectWrongState(bench, "writer", "swap");
  await expectState(bench, "writer", "suspended-by-operator");
};

/** What the writer has written since is not at the reader: only who forces it gets such a volume. */
const takeoverOfOld: Check = async (bench) => {
  await makePaired(bench);
  expectKind(await change(bench, "writer", "split"), ["done"], "split");
  await reach(bench, "reader", "suspended", (view) => view.state !== "paired");
  const before = await known(bench, "reader");
  await expectWrongState(bench, "reader", "takeover");
  assert.is((await known(bench, "reader")).local.state, before.local.state, "nothing was changed");
};

const takeoverWhileCopying: Check = async (bench) => {
  expectKind(await change(bench, "writer", "create"), ["done", "in-progress"], "create");
  const { provider } = bench.ends.reader;
  const outcome = await change(bench, "reader", "takeover", { provider, dryRun: true });
  const before = outcome.before?.ok ? outcome.before.local.state : "unknown";
  if (before === "copying") expectKind(outcome, ["refused"], "takeover of half a copy");
  await reachState(bench, "writer", "paired");
};

const unsupported: Check = async (bench) => {
  for (const end of ["writer", "reader"] as const) {
    for (const verb of pairVerbs.filter((each) => !can(bench, end, each))) {
      const provider = refusesToPerform(bench.ends[end].provider);
      const outcome = await change(bench, end, verb, { provider });
      expectKind(outcome, ["refused"], verb);
      assert.is(outcome.class, "unsupported");
    }
  }
};

const dryRun: Check = async (bench) => {
  const dry = async (end: MirrorEnd, verb: PairVerb, state: PairState) => {
    if (!can(bench, end, verb)) return;
    const provider = refusesToPerform(bench.ends[end].provider);
    const outcome = await change(bench, end, verb, { provider, dryRun: true });
    expectKind(outcome, ["noop"], `dry run of ${verb}`);
    assert.ok(outcome.commands.length > 0, `${verb} names its commands`);
    for (const command of outcome.commands) assert.match(command, /^[\x20-\x7e]+$/);
    const after = await ask(bench, end);
    assert.is(after.ok && after.local.state, state, `${verb} changed nothing`);
  };
  await dry("writer", "create", "simplex");
  await makePaired(bench);
  await dry("writer", "split", "paired");
  await dry("reader", "swap", "paired");
  await dry("reader", "takeover", "paired");
  await dry("writer", "remove", "paired");
  expectKind(await change(bench, "writer", "split"), ["done"], "split");
  await dry("writer", "resync", "suspended-by-operator");
};

/** In order; `verbs` are those that a check is about, and that must exist at the end named. */
export const lifeChecks: readonly {
  readonly name: string;
  readonly needs: readonly (readonly [MirrorEnd, PairVerb])[];
  readonly check: Check;
}[] = [
  {
    name: "create: paired, both ends agree, data arrives",
    needs: [["writer", "create"]],
    check: created,
  },
  { name: "no answer is younger than it says", needs: [], check: observed },
  {
    name: "split stops the copying, resync catches up",
    needs: [["writer", "split"], ["writer", "resync"]],
    check: splitAndResync,
  },
  {
    name: "swap and back",
    needs: [["reader", "swap"], ["writer", "swap"]],
    check: swapAndBack,
  },
  { name: "takeover at the reader", needs: [["reader", "takeover"]], check: takenOver },
  {
    name: "swap by force: the way back from a takeover",
    needs: [["reader", "takeover"], ["reader", "swap"]],
    check: backFromTakeover,
  },
  { name: "remove: simplex at both ends", needs: [["writer", "remove"]], check: removed },
  { name: "wrong or no identity: refused", needs: [["writer", "split"]], check: wrongIdentity },
  { name: "wrong state: refused", needs: [["writer", "split"]], check: wrongState },
  {
    name: "takeover of a suspended pair: refused without force",
    needs: [["reader", "takeover"], ["writer", "split"]],
    check: takeoverOfOld,
  },
  {
    name: "takeover of a copying pair: refused without force",
    needs: [["writer", "create"], ["reader", "takeover"]],
    check: takeoverWhileCopying,
  },
  { name: "what it cannot do: refused", needs: [], check: unsupported },
  { name: "a dry run names commands and sends none", needs: [["writer", "split"]], check: dryRun },
]; // biome-ignore format: a table
