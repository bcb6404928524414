// test-limit-seconds: 120
/** One-way faults: both ends name the direction, after the bound and not before; else nothing. */
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type Agent, World } from "../../testing/core-world.ts";
import type { SitesWish } from "../../testing/core-config.ts";
import {
  echoHeardBeats,
  echoLostBeats,
  oneWayBoundMs,
  oneWayHoldMs,
  timingDefaults,
} from "../base/timing.ts";
import { lagFar, lagNever, lagOff } from "../sector/layout.ts";
import { echoView, oneWayFaults, watchOneWay } from "./one-way.ts";
import type { EchoOfUs, OneWayWatch, Peer } from "./state.ts";
import { statusObject } from "./status.ts";

const seed = Number(process.env["TEST_SEED"] ?? 20_261_122);
const one: SitesWish = { tokyo: ["tokyo-1"], osaka: ["osaka-1"] };
const holdMs = oneWayHoldMs(timingDefaults);
const boundMs = oneWayBoundMs(timingDefaults);
/** Long enough for every path to be watched and for every wait to be over. */
const settledMs = 2 * boundMs;

function settled(wish: SitesWish = one, light = true): World {
  const world = new World(wish, light);
  world.run(settledMs);
  assert.equal(said(world.agent("tokyo-1")), []);
  assert.equal(said(world.agent("osaka-1")), []);
  return world;
}

function said(agent: Agent): string[] {
  return agent
    .events("one-way")
    .map(({ fields: f }) => `${f["host"]} ${f["path"]} ${f["direction"]} ${f["state"]}`);
}

const saidBy = (world: World) => [said(world.agent("tokyo-1")), said(world.agent("osaka-1"))];
const rowsOf = (world: World) => [
  world.agent("tokyo-1").row("osaka-1"),
  world.agent("osaka-1").row("tokyo-1"),
];

test("the network's one way cut: each end names the right direction, and takes it back", () => {
  for (const [way, heard, unheard] of [
    ["tokyo>osaka", "tokyo-1", "osaka-1"],
    ["osaka>tokyo", "osaka-1", "tokyo-1"],
  ] as const) {
    const world = settled();
    world.cutNetwork.add(way);
    world.run(boundMs);
    assert.equal(said(world.agent(heard)), [`${unheard} network to lost`], way);
    assert.equal(said(world.agent(unheard)), [`${heard} network from lost`], way);
    assert.is(
      world.agent(unheard).events("one-way")[0]?.fields["hears"],
      "network," + mirrorOf(unheard),
    );
    world.run(10 * boundMs);
    assert.equal(
      saidBy(world).map((texts) => texts.length),
      [1, 1],
      "told once",
    );
    world.cutNetwork.clear();
    world.run(boundMs);
    assert.is(said(world.agent(heard))[1], `${unheard} network to ok`);
    assert.is(said(world.agent(unheard))[1], `${heard} network from ok`);
    assert.equal(world.agent(heard).state.oneWay, {}, "nothing is left to remember");
  }
});

/** The mirror that a host's site writes. */
function mirrorOf(host: string): string {
  return host.startsWith("tokyo") ? "east" : "west";
}

test("a mirror's link lost: the writer names it, and the reader, who says that it is heard", () => {
  const world = settled();
  world.link("east", false);
  world.run(boundMs);
  assert.equal(saidBy(world), [["osaka-1 east to lost"], ["tokyo-1 east from lost"]]);
  const [told] = world.agent("osaka-1").events("one-way");
  assert.equal(
    [told?.level, told?.fields["seen"], told?.fields["hears"]],
    ["warning", "stale", "network,west"],
  );
  world.link("east", true);
  world.run(boundMs + timingDefaults.writeLimitMs);
  assert.equal(saidBy(world), [
    ["osaka-1 east to lost", "osaka-1 east to ok"],
    ["tokyo-1 east from lost", "tokyo-1 east from ok"],
  ]);
});

test("an SVOL that cannot be read is named at the writer's end", () => {
  const world = settled();
  world.agent("osaka-1").failingReads.add("east");
  world.run(boundMs);
  assert.equal(saidBy(world), [["osaka-1 east to lost"], []]);
  assert.match(world.agent("osaka-1").texts("path").join("\n"), "state=io-error");
});

test("a PVOL that takes no writes is no one-way fault at its writer", () => {
  const world = settled();
  world.agent("tokyo-1").writesHang = true;
  world.run(3 * boundMs);
  assert.equal(said(world.agent("tokyo-1")), []);
});

test("both ways of the network cut: a network fault, and no one-way one", () => {
  const world = settled();
  world.cut(true);
  world.run(3 * boundMs);
  assert.equal(saidBy(world), [[], []]);
  assert.equal(rowsOf(world), ["2", "2"]);
  world.cut(false);
  world.run(boundMs);
  assert.equal(saidBy(world), [[], []]);
});

test("first one way, then both: what can no longer be told is unknown, not well", () => {
  const world = settled();
  world.cutNetwork.add("tokyo>osaka");
  world.run(boundMs);
  world.cut(true);
  world.run(boundMs);
  assert.is(said(world.agent("tokyo-1")).at(-1), "osaka-1 network to unknown");
  assert.is(said(world.agent("osaka-1")).at(-1), "tokyo-1 network from unknown");
});

test("lost for less than the bound: nothing is said", () => {
  for (const lostMs of [500, 3000, holdMs - 1000, holdMs]) {
    const world = settled();
    world.cutNetwork.add("osaka>tokyo");
    world.link("east", false);
    world.run(lostMs);
    world.cutNetwork.clear();
    world.link("east", true);
    world.run(2 * boundMs);
    assert.equal(saidBy(world), [[], []], `${lostMs} ms`);
  }
});

test("a link that comes and goes faster than the bound is never stated", () => {
  const world = settled();
  for (let round = 0; round < 20; round++) {
    world.cutNetwork.add("tokyo>osaka");
    world.run(holdMs - 1000);
    world.cutNetwork.clear();
    world.run(2500);
  }
  assert.equal(saidBy(world), [[], []]);
});

test("restarts, kills, stalls and planned stops of one side say nothing", () => {
  for (const name of ["tokyo-1", "osaka-1"]) {
    const world = settled();
    world.kill(name);
    world.run(400);
    world.start(name);
    world.run(2 * boundMs);
    world.kill(name);
    world.run(2 * boundMs);
    world.start(name, { blank: true });
    world.run(2 * boundMs);
    for (const pausedMs of [700, 2500, holdMs + 500]) {
      world.pause(name);
      world.run(pausedMs);
      world.resume(name);
      world.run(boundMs);
    }
    world.input(name, { kind: "stop" } as never);
    world.run(2 * boundMs);
    assert.equal(saidBy(world), [[], []], name);
  }
});

test("a restart of either side while a way is lost: the other's statement stands", () => {
  const world = settled();
  world.cutNetwork.add("tokyo>osaka");
  world.run(boundMs);
  world.kill("osaka-1");
  world.run(300);
  world.start("osaka-1");
  world.run(holdMs);
  assert.equal(said(world.agent("tokyo-1")), ["osaka-1 network to lost"]);
  world.run(2 * boundMs);
  const fromLost = "tokyo-1 network from lost";
  assert.equal(said(world.agent("osaka-1")), [fromLost, fromLost], "told anew by the new run");
  assert.equal(said(world.agent("tokyo-1")), ["osaka-1 network to lost"]);
});

test("what either side has switched off is not stated, and stated no more", () => {
  const network = { kind: "network" } as const;
  const east = { kind: "mirror", name: "east" } as const;
  for (const name of ["tokyo-1", "osaka-1"]) {
    for (const target of [network, east]) {
      const world = settled();
      world.switch(name, target, false);
      world.run(3 * boundMs);
      assert.equal(saidBy(world), [[], []], `${name} ${target.kind} off`);
      world.switch(name, target, true);
      world.run(2 * boundMs);
      assert.equal(saidBy(world), [[], []], `${name} ${target.kind} on again`);
    }
    const world = settled();
    world.link("east", false);
    world.run(boundMs);
    world.switch(name, east, false);
    world.run(2 * boundMs);
    const texts = saidBy(world).map((all) => all.map((text) => text.split(" ").at(-1)));
    assert.equal(
      texts,
      [
        ["lost", "unknown"],
        ["lost", "unknown"],
      ],
      name,
    );
  }
});

test("hosts that are switched off, here or there, are not spoken of", () => {
  for (const name of ["tokyo-1", "osaka-1"]) {
    for (const host of ["tokyo-1", "osaka-1"]) {
      const world = settled();
      world.switch(name, { kind: "host", name: host }, false);
      world.run(3 * boundMs);
      assert.equal(saidBy(world), [[], []], `${host} off at ${name}`);
    }
  }
});

test("no verdict, group, role or hook hangs on it", () => {
  const world = settled();
  const before = rowsOf(world);
  world.link("east", false);
  world.volume("east").pair = "paired";
  world.run(5000);
  const rows = rowsOf(world);
  for (const agent of world.agents.values()) agent.forget();
  world.run(2 * boundMs);
  assert.equal(
    saidBy(world).map((texts) => texts.length),
    [1, 1],
  );
  assert.equal(rowsOf(world), rows);
  for (const agent of world.agents.values()) {
    assert.equal(agent.events("verdict", "group", "role", "takeover", "path"), []);
  }
  assert.equal(before, ["1", "1"]);
});

test("the status names it, at both ends and by the right path", () => {
  const world = settled({
    ...one,
    mirrors: { east: "tokyo>osaka", east2: "tokyo>osaka", west: "osaka>tokyo" },
  });
  world.link("east2", false);
  world.run(boundMs);
  const extras = {
    version: "0", pid: 1, engine: "test", wallNs: 0n, journalFault: null, devices: {}, droppedDatagrams: 0,
  }; // biome-ignore format: one list
  const hostOf = (name: string) => statusObject(world.agent(name).state, extras).sites[0]?.hosts[0];
  const [tokyo, osaka] = [hostOf("tokyo-1"), hostOf("osaka-1")];
  assert.equal(
    tokyo?.oneWay.map(({ path, direction }) => [path, direction]),
    [["east2", "to"]],
  );
  assert.equal(
    osaka?.oneWay.map(({ path, direction }) => [path, direction]),
    [["east2", "from"]],
  );
  assert.equal(
    tokyo?.sees.map(({ path, lagBeats }) => [path, lagBeats === null]),
    [
      ["network", false],
      ["east", false],
      ["east2", true],
    ],
  );
  assert.equal(
    osaka?.sees.map(({ path }) => path),
    ["network", "west"],
  );
  const peer = world.agent("tokyo-1").peer("osaka-1");
  assert.ok((oneWayFaults(world.agent("tokyo-1").state, peer)[0]?.forMs ?? 0) >= holdMs);
});

test("the bounds of the defaults, as docs/tuning.md tells them", () => {
  assert.equal([holdMs, boundMs], [10_600, 19_800]);
});

test("what an echo's lag means", () => {
  const { state } = settled().agent("tokyo-1");
  const [heard, lost] = [echoHeardBeats(timingDefaults), echoLostBeats(timingDefaults)];
  const lags = [undefined, 0, heard, heard + 1, lost, lost + 1, lagOff, lagFar, lagNever];
  assert.equal(
    lags.map((lag) => echoView(state, lag)),
    ["unknown", "ok", "ok", "unknown", "unknown", "lost", "off", "lost", "lost"],
  );
});

test("an old echo, an earlier run and a gap of our own each begin the wait anew", () => {
  const world = settled();
  world.cutNetwork.add("tokyo>osaka");
  world.run(boundMs / 2);
  const { state } = world.agent("tokyo-1");
  const key = "osaka-1 network to";
  const pending = state.oneWay[key];
  if (!pending) throw new Error("the loss is being watched");
  const judged = (change: Partial<OneWayWatch>, peer: (p: Peer) => Partial<Peer> = () => ({})) => {
    const oneWay = { [key]: { ...pending, sinceMs: state.nowMs - holdMs, ...change } };
    const peers = state.peers.map((each) => ({ ...each, ...peer(each) }));
    return watchOneWay({ ...state, oneWay, peers });
  };
  const stated = (result: ReturnType<typeof judged>) => result.events.length;
  assert.is(stated(judged({})), 1);
  assert.is(stated(judged({ sinceMs: state.nowMs - holdMs + 1 })), 0);
  assert.is(stated(judged({ incarnation: 99n })), 0);
  assert.is(stated(judged({ sinceMs: -1 })), 0, "before our own first look");
  const echo = (change: Partial<EchoOfUs>) => (peer: Peer) =>
    peer.echo ? { echo: { ...peer.echo, ...change } } : {};
  assert.is(stated(judged({}, echo({ writtenSerial: 1n }))), 0, "not of its newest record");
  assert.is(stated(judged({}, echo({ incarnation: 99n }))), 0, "not of this run of ours");
  assert.is(stated(judged({}, () => ({ echo: null }))), 0);
});

test("never stated while nothing is lost, whatever the latencies within their budget", () => {
  const { latencyMs } = timingDefaults;
  const latency = fc.array(fc.integer({ min: 0, max: latencyMs }), { minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(latency, latency, fc.boolean(), (mirrors, network, restart) => {
      const world = new World({}, true);
      let turn = 0;
      world.onStep = () => {
        turn += 1;
        world.latencyMs = mirrors[turn % mirrors.length] ?? 0;
        world.networkMs = network[turn % network.length] ?? 0;
      };
      world.run(boundMs);
      if (restart) {
        world.kill("osaka-2");
        world.run(1000);
        world.start("osaka-2");
      }
      world.run(3 * boundMs);
      for (const agent of world.agents.values()) assert.equal(said(agent), []);
    }),
    { numRuns: 25, seed },
  );
});

test.run();
