// test-limit-seconds: 120
/**
 * What is this provider's own, on two real daemons: its memory in the arrays, hosts kept from a
 * secondary, ends that know nothing of each other, the way back after a takeover.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { EndSettings, PairVerb } from "../core/base/pair-settings.ts";
import { testWhere } from "../testing/where.ts";
import { realClock } from "../host/clock.ts";
import type { Outcome } from "./change.ts";
import type { MirrorEnd } from "./evidence.ts";
import type { ProviderContext } from "./open-provider.ts";
import type { Capabilities, PairProvider } from "./provider.ts";
import { benchNeeds, makeQemuBench, type QemuBench } from "./qemu/testing/bench.ts";
import { change, known, makePaired, reachState } from "./testing/conformance-tools.ts";
import { qemuProvider } from "./qemu.ts";

const benches = new Map<string, QemuBench>();
function bench(copying = "synchronous"): QemuBench {
  const found = benches.get(copying);
  if (!found) throw new Error(`no ${copying} bench`);
  return found;
}

test.before(async () => {
  for (const copying of ["synchronous", "asynchronous"]) {
    const made = await makeQemuBench({ copying });
    if (made.ok) benches.set(copying, made.bench);
  }
});

function check(name: string, body: (on: QemuBench) => Promise<void>): void {
  testWhere(test, benchNeeds, name, async () => {
    try {
      await body(bench());
    } finally {
      await bench().reset();
    }
  });
}

async function expectChange(
  on: QemuBench,
  end: MirrorEnd,
  verb: PairVerb,
  wish: { force?: boolean; provider?: PairProvider } = {},
): Promise<Outcome> {
  const outcome = await change(on, end, verb, wish);
  assert.ok(["done", "in-progress"].includes(outcome.kind), `${verb}: ${outcome.message}`);
  return outcome;
}

const stateAt = async (on: QemuBench, end: MirrorEnd): Promise<string> =>
  (await known(on, end)).local.state;

/** Whether a host's write is refused. */
async function isRefused(on: QemuBench, end: MirrorEnd): Promise<boolean> {
  try {
    await on.data?.write(end, 3, Buffer.alloc(4096, "w"));
    return false;
  } catch (error) {
    assert.match((error as { stdout: string }).stdout, /not permitted/);
    return true;
  }
}

check("hosts cannot write to a secondary, and can after a takeover", async (on) => {
  assert.is(await isRefused(on, "reader"), false, "simplex");
  await makePaired(on);
  assert.is(await isRefused(on, "reader"), true, "paired");
  assert.is(await isRefused(on, "writer"), false, "the primary");
  await expectChange(on, "writer", "split");
  assert.is(await isRefused(on, "reader"), true, "split");
  await expectChange(on, "reader", "takeover", { force: true });
  assert.is(await isRefused(on, "reader"), false, "taken over");
});

check("a swap turns round who may write", async (on) => {
  await makePaired(on);
  await expectChange(on, "writer", "swap");
  await reachState(on, "reader", "paired");
  assert.is(await isRefused(on, "writer"), true);
  assert.is(await isRefused(on, "reader"), false);
});

check("a split link refuses the swap, and leaves hosts as they were", async (on) => {
  await makePaired(on);
  const undo = await on.faults.cutLink?.();
  const outcome = await change(on, "writer", "swap");
  assert.is(outcome.kind, "refused", outcome.message);
  await undo?.();
  assert.is(await isRefused(on, "writer"), false);
  assert.is(await isRefused(on, "reader"), true);
});

check("a primary's daemon that is killed: nothing is paired any more", async (on) => {
  await makePaired(on);
  await on.daemons.writer.kill();
  const gone = await on.ends.writer.provider.query("local", 2000);
  assert.ok(!gone.ok && gone.class === "daemon-down");
  await reachState(on, "reader", "suspended-by-error");
  await on.daemons.writer.start();
  assert.is(await stateAt(on, "writer"), "simplex", "it has forgotten its pair");
  assert.is(await stateAt(on, "reader"), "suspended-by-error", "for good");
  await makePaired(on);
});

check("a secondary's daemon that is killed: the primary goes on alone", async (on) => {
  await makePaired(on);
  await on.daemons.reader.kill();
  assert.is(await isRefused(on, "writer"), false);
  await reachState(on, "writer", "suspended-by-error");
  await on.daemons.reader.start();
  assert.is(await stateAt(on, "reader"), "simplex");
  await expectChange(on, "writer", "resync");
  await reachState(on, "reader", "paired");
});

check("the way back from a takeover: remove both, create", async (on) => {
  await makePaired(on);
  const kept = Buffer.alloc(4096, "kept");
  await on.data?.write("writer", 5, kept);
  await expectChange(on, "reader", "takeover");
  await on.data?.write("reader", 5, Buffer.alloc(4096, "lost"));
  for (const verb of ["resync", "create"] as const) {
    assert.is((await change(on, "writer", verb)).kind, "refused", verb);
  }
  await expectChange(on, "writer", "remove");
  assert.is(await stateAt(on, "reader"), "simplex");
  await expectChange(on, "reader", "create");
  await reachState(on, "writer", "paired");
  assert.equal(await on.data?.read("reader", 5), kept);
});

check("create, split and resync asked for at the reader", async (on) => {
  await expectChange(on, "reader", "create");
  await reachState(on, "writer", "paired");
  assert.is((await known(on, "writer")).local.role, "primary");
  await expectChange(on, "reader", "split");
  assert.is(await stateAt(on, "writer"), "suspended-by-operator");
  await expectChange(on, "reader", "resync");
  await reachState(on, "writer", "paired");
});

check("many ask at once: a monitor serves one after the other", async (on) => {
  await makePaired(on);
  const { writer, reader } = on.daemons;
  const direct = providerWith(on, "writer", { qmp: writer.qmp }, { monitor: reader.monitor });
  const asked = Array.from({ length: 12 }, () => direct.query("both", 10_000));
  for (const answer of await Promise.all(asked)) {
    assert.ok(answer.ok, answer.ok ? "" : answer.message);
    assert.is(answer.local.state, "paired");
    assert.is(answer.remote?.state, "paired", answer.remoteFault?.message);
  }
});

function providerWith(on: QemuBench, end: MirrorEnd, own: EndSettings, peer: EndSettings) {
  const base = (at: MirrorEnd): EndSettings => on.settings[at];
  const other = end === "writer" ? "reader" : "writer";
  const context: ProviderContext = {
    mirror: "bench",
    end,
    own: { ...base(end), ...own },
    peer: { ...base(other), ...peer },
    device: "",
    peerDevice: "",
    nowMs: realClock.nowMs,
  };
  return qemuProvider(context);
}

check("without a monitor each end knows and changes itself alone", async (on) => {
  const none = { monitor: undefined } as unknown as EndSettings;
  const alone = {
    writer: providerWith(on, "writer", {}, none),
    reader: providerWith(on, "reader", {}, none),
  };
  const { remoteQuery, verbs }: Capabilities = alone.writer.capabilities;
  assert.is(remoteQuery, false);
  assert.not(verbs.includes("swap"));
  const early = await change(on, "writer", "create", { provider: alone.writer });
  assert.is.not(early.kind, "done", "the replica is not open");
  await expectChange(on, "reader", "create", { provider: alone.reader });
  await expectChange(on, "writer", "create", { provider: alone.writer });
  await reachState(on, "writer", "paired");
  const { local } = await known(on, "reader");
  assert.is(`${local.state} ${local.role}`, "copying secondary", "nobody told it more");
  const both = await alone.writer.query("both", 2000);
  assert.ok(both.ok && both.remote === null && both.remoteFault?.class === "peer-unreachable");
  await expectChange(on, "reader", "takeover", { provider: alone.reader, force: true });
  await expectChange(on, "reader", "remove", { provider: alone.reader });
});

check("wrong settings are faults, told to whoever asks", async (on) => {
  const itself = providerWith(on, "writer", {}, { monitor: on.daemons.writer.monitor });
  const both = await itself.query("both", 2000);
  assert.ok(both.ok && both.remote === null && both.remoteFault?.class === "config");
  const refused = await change(on, "writer", "create", { provider: itself });
  assert.is(refused.class, "config", refused.message);
  for (const [own, peer] of [
    [{ address: "nowhere" }, {}],
    [{ job: "not a name" }, {}],
    [{ node: "other" }, {}],
    [{}, { monitor: "nowhere" }],
  ] as const) {
    const provider = providerWith(on, "writer", own, peer);
    const answer = await provider.query("local", 2000);
    assert.ok(!answer.ok && answer.class === "config", JSON.stringify(own));
    assert.is((await change(on, "writer", "create", { provider })).class, "config");
  }
});

testWhere(test, benchNeeds, "asynchronous: split, cut and resynchronised", async () => {
  const on = bench("asynchronous");
  await makePaired(on);
  await on.data?.write("writer", 1, Buffer.alloc(4096, "a"));
  await expectChange(on, "writer", "split");
  assert.equal(await on.data?.read("reader", 1), Buffer.alloc(4096, "a"), "all had arrived");
  await expectChange(on, "writer", "resync");
  await reachState(on, "reader", "paired");
  const undo = await on.faults.cutLink?.();
  assert.is(await isRefused(on, "writer"), false);
  await reachState(on, "writer", "suspended-by-error");
  await undo?.();
  await expectChange(on, "writer", "resync");
  await expectChange(on, "reader", "swap");
  await reachState(on, "writer", "paired");
});

test.after(async () => {
  for (const each of benches.values()) await each.end();
});
test.run();
