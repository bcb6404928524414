// test-limit-seconds: 120
/** Taking data groups over, through a program that can be made to fail, lie, hang and die. */
import { spawn } from "node:child_process";
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Config } from "../core/base/config.ts";
import {
  dataAgent,
  type DataBench,
  dataConfig,
  one,
  pause,
  until,
  withBenches,
} from "../testing/agent-data.ts";
import { dataTakeLimitMs } from "./data-pairs.ts";

const childWord = "data-take-child";
withBenches("a group is asked once at a time, and says what it is", ["orders"], async (first) => {
  const bench = one(first);
  bench.set("paired", "paired");
  const here = dataAgent(dataConfig([bench.group()]));
  const beforeNs = here.tools.bootNs();
  const [input] = await here.poll();
  assert.equal(
    [input?.group, input?.state, input?.role, input?.inSync],
    ["orders", "paired", "secondary", true],
  );
  assert.ok((input?.bootNs ?? 0n) >= beforeNs && (input?.bootNs ?? 0n) <= here.tools.bootNs());
  bench.fault("slow");
  const asked = bench.log().filter((line) => line === "query").length;
  for (let times = 0; times < 5; times++) here.pairs.queryAll();
  await until("the answer", () => here.news.length === 2);
  assert.is(bench.log().filter((line) => line === "query").length, asked + 1);
  bench.fault("other-volume");
  const there = dataAgent(dataConfig([bench.group()], "tokyo-1"));
  assert.is((await there.poll())[0]?.state, "unknown", "another volume's state is no evidence");
  bench.fault(null);
  assert.is((await there.poll())[0]?.role, "primary");
  here.pairs.stop();
  here.pairs.queryAll();
  await pause(300);
  assert.is(here.news.length, 2, "nothing is asked after a stop");
});

withBenches("a failure: taken over, shown by a fresh look; again: done", ["orders"], async (b) => {
  const bench = one(b);
  bench.set("paired", "paired");
  bench.cut(true);
  const here = dataAgent(dataConfig([bench.group()]));
  const first = await here.take("takeover");
  assert.is(first.ok, true, first.detail);
  assert.match(first.detail, /data group orders taken over: takeover, secondary/);
  assert.ok(first.detail.includes(`${bench.files.reader} writable`), first.detail);
  assert.equal(bench.changes(), ["change takeover"]);
  const again = await dataAgent(dataConfig([bench.group()])).take("takeover");
  assert.is(again.ok, true, again.detail);
  assert.match(again.detail, /this site's already/);
  const planned = await here.take("swap");
  assert.is(planned.ok, true, planned.detail);
  assert.is(bench.changes().length, 1, "nothing was sent again");
});

withBenches("planned: swapped once, however often it is given", ["orders"], async (b) => {
  const bench = one(b);
  bench.set("paired", "paired");
  const here = dataAgent(dataConfig([bench.group()]));
  for (const wanted of [/swapped: paired, primary/, /already: paired, primary/]) {
    const { ok, detail } = await here.take("swap");
    assert.is(ok, true, detail);
    assert.match(detail, wanted);
  }
  assert.equal(bench.changes(), ["change swap"]);
  assert.is(bench.is(), "paired paired reader");
  const failure = await here.take("takeover");
  assert.is(failure.ok, true, failure.detail);
  assert.is(bench.changes().length, 1);
});

withBenches("planned, without a swap: a takeover, and it is said", ["orders"], async (b) => {
  const bench = one(b);
  bench.set("paired", "paired");
  bench.fault("no-swap");
  const { ok, detail } = await dataAgent(dataConfig([bench.group()])).take("swap");
  assert.is(ok, true, detail);
  assert.match(detail, /taken over at this end, as this remote copy has no swap/);
  assert.equal(bench.changes(), ["change takeover"]);
});

withBenches("planned: a pair that is not whole is not switched over", ["orders"], async (b) => {
  const bench = one(b);
  bench.cut(true);
  for (const state of ["suspended-by-operator", "suspended-by-error", "copying", "simplex"]) {
    bench.set(state, state);
    const { ok, detail } = await dataAgent(dataConfig([bench.group()])).take("swap");
    assert.is(ok, false, `${state}: ${detail}`);
    assert.match(detail, /not taken: orders; data group orders: it is not whole/);
  }
  assert.equal(bench.changes(), []);
});

withBenches("a copy that is not complete is never taken", ["orders"], async (b) => {
  const bench = one(b);
  bench.set("copying", "copying");
  bench.cut(true);
  const here = dataAgent(dataConfig([bench.group()]));
  assert.is((await here.poll())[0]?.state, "suspended", "the sample suspends it when it is cut");
  // Not seen copying: suspended is all that is known of it, and the array judges.
  const blind = await here.take("takeover");
  assert.is(blind.ok, true, blind.detail);
  assert.equal(bench.changes(), ["change takeover"], "the array itself is never forced");

  const told = dataAgent(dataConfig([bench.group()]));
  told.tools.history.saw("orders", {
    state: "copying", role: "secondary", readable: true, writable: false, inSync: false,
    percent: 40, lastCopyAgoMs: null, native: "", cause: "",
  }); // biome-ignore format: a view
  bench.set("suspended-by-error", "suspended-by-error");
  assert.is(
    (await told.poll())[0]?.state,
    "copying",
    "cut off half-way it is not merely suspended",
  );
  const refused = await told.take("takeover");
  assert.is(refused.ok, false);
  assert.match(refused.detail, /its copy was cut off half-way/);
  bench.cut(false);
  bench.set("paired", "paired");
  assert.is((await told.poll())[0]?.state, "paired");
  bench.cut(true);
  bench.set("suspended-by-error", "suspended-by-error");
  assert.is((await told.poll())[0]?.state, "suspended", "whole again, and then cut");
  const { ok, detail } = await told.take("takeover");
  assert.is(ok, true, detail);
});

withBenches("a command that fails, and one that lies, take nothing", ["orders"], async (b) => {
  const bench = one(b);
  bench.set("paired", "paired");
  bench.cut(true);
  const here = dataAgent(dataConfig([bench.group()]));
  for (const [fault, wanted] of [
    ["fail", /takeover refused: the array left it .*exit 5/],
    ["lie", /takeover refused: the array left it .*all is well/],
  ] as const) {
    bench.fault(fault);
    const { ok, detail } = await here.take("takeover");
    assert.is(ok, false, detail);
    assert.match(detail, wanted);
    assert.match(detail, /^taken: none; not taken: orders;/);
  }
  bench.fault(null);
  const { ok, detail } = await here.take("takeover");
  assert.is(ok, true, detail);
});

withBenches("hung commands and hung questions end at their limits", ["orders"], async (b) => {
  const bench = one(b);
  bench.set("paired", "paired");
  bench.cut(true);
  const config = dataConfig([bench.group()]);
  const limitMs = dataTakeLimitMs(config);
  for (const fault of ["hang-before", "hang"] as const) {
    bench.fault(fault);
    const beganMs = performance.now();
    const { ok, detail } = await dataAgent(config).take("takeover");
    assert.is(ok, false, detail);
    assert.ok(performance.now() - beganMs < limitMs, detail);
    assert.match(detail, /no end within \d+ ms|timeout/);
  }
  bench.fault("hang-after");
  const late = await dataAgent(config).take("takeover");
  assert.is(late.ok, true, `its state is told, not its end: ${late.detail}`);
});

withBenches("several: stops at the first failure, and ends when given again", ["east", "west", "north"], async (...all) => {
  const [east, west, north] = all.map(one) as [DataBench, DataBench, DataBench];
  for (const bench of all) {
    bench.set("paired", "paired");
    bench.cut(true);
  }
  west.fault("fail");
  const config = dataConfig(all.map((bench) => bench.group()));
  const first = await dataAgent(config).take("takeover");
  assert.is(first.ok, false);
  assert.match(first.detail, /^taken: east; not taken: west, north; data group west: takeover ref/);
  assert.equal([east.changes().length, west.changes().length, north.changes().length], [1, 1, 0]);
  west.fault(null);
  const { ok, detail } = await dataAgent(config).take("takeover");
  assert.is(ok, true, detail);
  assert.equal([east.changes().length, west.changes().length, north.changes().length], [1, 2, 1]);
  const order = ["east", "west", "north"].map((name) => detail.indexOf(`data group ${name}`));
  assert.equal(order, [...order].sort((a, z) => a - z), "in the configuration's order");
}); // biome-ignore format: one test

withBenches("another volume under that name is left alone", ["orders"], async (b) => {
  const bench = one(b);
  bench.set("paired", "paired");
  bench.fault("other-volume");
  const { ok, detail } = await dataAgent(dataConfig([bench.group()])).take("takeover");
  assert.is(ok, false);
  assert.match(detail, /this is volume files\/another, but files\/reader is configured/);
  assert.equal(bench.changes(), []);
});

withBenches("a device that is not there: refused, with what to do", ["orders"], async (b) => {
  const bench = one(b);
  bench.set("paired", "paired");
  bench.cut(true);
  const hidden = `${bench.files.reader}.hidden`;
  renameSync(bench.files.reader, hidden);
  const here = dataAgent(dataConfig([bench.group()]));
  const { ok, detail } = await here.take("takeover");
  assert.is(ok, false);
  assert.match(detail, /taken over, but .*svol: is not there: the array does not present/);
  assert.match(detail, /give the command again$/);
  renameSync(hidden, bench.files.reader);
  const bytes = readFileSync(bench.files.reader);
  const again = await here.take("takeover");
  assert.is(again.ok, true, again.detail);
  assert.ok(readFileSync(bench.files.reader).equals(bytes), "nothing was written to it");
});

withBenches("this end is the primary, but the other took over: refused", ["orders"], async (b) => {
  const bench = one(b);
  bench.set("suspended-by-error", "takeover");
  const here = dataAgent(dataConfig([bench.group()], "tokyo-1"));
  const { ok, detail } = await here.take("takeover");
  assert.is(ok, false);
  assert.match(detail, /the other site took its volume over: the newer data is there/);
  bench.set("suspended-by-error", "suspended-by-error");
  const alone = await here.take("takeover");
  assert.is(alone.ok, true, alone.detail);
  assert.equal(bench.changes(), []);
});

withBenches("one action at a time; the same one is answered once", ["orders"], async (b) => {
  const bench = one(b);
  bench.set("paired", "paired");
  bench.fault("slow");
  const here = dataAgent(dataConfig([bench.group()]));
  const action = { kind: "take-data", term: 514n, verb: "swap" } as const;
  here.pairs.take(action);
  here.pairs.take(action);
  // After another configuration it is the same agent.
  const next = dataAgent(dataConfig([bench.group()]), here.tools);
  const refused = await next.take("takeover");
  assert.is(refused.ok, false);
  assert.match(refused.detail, /not begun: swap of orders in term 514 is under way/);
  here.pairs.stop();
  await until("its answer, also after a stop", () => here.news.length === 1);
  assert.is(here.news[0]?.kind, "data-taken");
  await pause(50);
  assert.is(here.news.length, 1);
  assert.equal(bench.changes(), ["change swap"]);
});

/** `childWord CONFIG`: an agent that takes over, and is killed meanwhile. */
async function takeChild(file: string): Promise<void> {
  const config = JSON.parse(readFileSync(file, "utf8")) as Config;
  await dataAgent(config).take("takeover");
}

for (const fault of ["hang-before", "hang-after"] as const) {
  withBenches(`killed in the middle of a command (${fault}), then again`, ["orders"], async (b) => {
    const bench = one(b);
    bench.set("paired", "paired");
    bench.cut(true);
    bench.fault(fault);
    const group = bench.group();
    if (group.pair.provider === "none") throw new Error("it has a provider");
    const patient = { ...group.pair.reader, change_limit_ms: 60_000 };
    const config = dataConfig([{ ...group, pair: { ...group.pair, reader: patient } }]);
    const file = `${bench.state}.config`;
    writeFileSync(file, JSON.stringify(config));
    const child = spawn(process.execPath, [process.argv[1] ?? "", childWord, file], {
      stdio: "inherit",
    });
    const ended = new Promise((resolve) => child.on("exit", resolve));
    const isIn = (): boolean =>
      fault === "hang-after" ? bench.log().includes("done") : existsSync(`${bench.state}.pids`);
    await until("it is in the middle", isIn);
    child.kill("SIGKILL");
    await ended;
    assert.is(bench.is().split(" ")[1], fault === "hang-after" ? "takeover" : "suspended-by-error");
    bench.fault(null);
    const { ok, detail } = await dataAgent(config).take("takeover");
    assert.is(ok, true, detail);
    assert.is(bench.is().split(" ")[1], "takeover");
    assert.is(bench.changes().length, fault === "hang-after" ? 1 : 2);
  });
}

test("no data groups: nothing to do is done", async () => {
  const here = dataAgent(dataConfig([]));
  assert.is((await here.take("takeover")).ok, true);
  assert.is((await here.check()).ok, true);
  assert.is(dataTakeLimitMs(dataConfig([])), 0);
});

if (process.argv[2] === childWord) void takeChild(process.argv[3] ?? "");
else test.run();
