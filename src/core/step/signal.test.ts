// test-limit-seconds: 120
/** Pair states as a signal: answered by the living, by nobody else, and always made whole again. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { bothWays, type SitesWish } from "../../testing/core-config.ts";
import { type Agent, World } from "../../testing/core-world.ts";
import { signalEveryMs, signalHoldMs, signalRestMs, timingDefaults } from "../base/timing.ts";

const one = { tokyo: ["t1"], osaka: ["o1"], network: false } as const;
const wish: SitesWish = { ...one, answering: ["east", "west"] };
const waitMs = 30_000;
/** Longest that a pair stays split: the waiting, or the holding; beats, polls and changes. */
const wholeMs = waitMs + signalHoldMs(timingDefaults) + 15_000;

let asked = 0;
/** Asks for a signal; the answer of the agent. */
function ask(world: World, name: string, mirror: string, force = true) {
  const id = 100_000 + asked++;
  world.input(name, { kind: "signal", id, mirror, waitMs, force } as never);
  return world.agent(name).answers.find((answer) => answer.id === id);
}

const steps = (agent: Agent): string[] =>
  agent.events("signal").map(({ fields }) => `${fields["mirror"]} ${fields["step"]}`);
const count = (agent: Agent, step: string): number =>
  steps(agent).filter((each) => each.endsWith(` ${step}`)).length;
const end = (world: World, name: string) => world.agent(name).state.signals.last;

function whole(world: World, why = ""): void {
  for (const [name, volume] of world.volumes) assert.is(volume.pair, "paired", `${name} ${why}`);
  for (const agent of world.agents.values()) {
    if (!agent.alive) continue;
    assert.equal(agent.state.signals.splits, {}, `${agent.name} ${why}`);
    assert.equal(agent.memory.devices?.splitForSignal, [], `${agent.name} ${why}`);
  }
}

/** A split pair is no death: nobody may take over for it, and nobody is told to. */
function never(world: World): void {
  world.onStep = (agent) => {
    for (const { row, action } of Object.values(agent.state.groups)) {
      assert.is.not(action, "eligible", `${agent.name}: row ${row}`);
    }
  };
}

function begun(more: SitesWish = {}, forMs = 20_000): World {
  const world = new World({ ...wish, ...more }, true);
  never(world);
  world.run(forMs);
  return world;
}

test("no network, the peer lives: it answers, and both pairs are whole again", () => {
  const world = begun();
  assert.equal(ask(world, "t1", "east")?.code, 0);
  world.run(waitMs);
  const last = end(world, "t1");
  assert.equal([last?.code, last?.answeredBy], [0, "west"]);
  assert.ok((last?.afterMs ?? Number.NaN) < 2 * timingDefaults.pairPollMs + 5000);
  world.run(wholeMs);
  whole(world);
  assert.equal(steps(world.agent("t1")), [
    "east asked",
    "east split",
    "east answered",
    "east resynchronised",
  ]);
  assert.equal(steps(world.agent("o1")), [
    "east heard",
    "east answering",
    "west split",
    "west resynchronised",
  ]);
  world.run(20_000);
  assert.equal([world.agent("t1").row("o1"), world.agent("o1").row("t1")], ["2b", "2b"]);
});

test("the peer is dead: not answered, which proves nothing and changes no verdict", () => {
  const world = begun();
  world.kill("o1");
  world.run(20_000);
  const t1 = world.agent("t1");
  const row = t1.row("o1");
  assert.equal(ask(world, "t1", "east")?.code, 0);
  world.run(waitMs + 2000);
  assert.is(end(world, "t1")?.code, 124);
  assert.match(end(world, "t1")?.message ?? "", "proves nothing");
  assert.is(t1.row("o1"), row);
  assert.is(t1.state.groups["osaka"]?.action, "hold");
  world.run(wholeMs);
  whole(world);
});

test("answering is off: not answered, and nothing is split there", () => {
  const world = begun({ answering: ["east"] });
  ask(world, "t1", "east");
  world.run(wholeMs);
  assert.is(end(world, "t1")?.code, 124);
  assert.equal(steps(world.agent("o1")), ["east heard", "east left"]);
  whole(world);
});

test("two at once are each other's answers, and nobody answers that", () => {
  for (let apartMs = 0; apartMs < 12_000; apartMs += 890) {
    const world = begun();
    ask(world, "t1", "east");
    world.run(apartMs);
    ask(world, "o1", "west");
    world.run(200_000);
    whole(world, `${apartMs} ms apart`);
    for (const name of ["t1", "o1"]) {
      const splits = count(world.agent(name), "split");
      assert.ok(splits <= 1, `${name} split ${splits} times, ${apartMs} ms apart`);
    }
    assert.is(end(world, "t1")?.code, 0, `${apartMs} ms apart`);
  }
});

test("several hosts, slow arrays, polls at any phase: one answer, by the first host, and no more", () => {
  const hosts = { tokyo: ["t1", "t2", "t3"], osaka: ["o1", "o2", "o3"] };
  for (const [changeMs, asker] of [
    [30, "t2"],
    [4000, "t3"],
    [9900, "t2"],
  ] as const) {
    const world = begun(hosts);
    for (const volume of world.volumes.values()) volume.changeMs = changeMs;
    ask(world, asker, "east");
    world.run(300_000);
    whole(world, `${asker} ${changeMs}`);
    const all = [...world.agents.values()];
    assert.is(
      all.reduce((sum, agent) => sum + count(agent, "split"), 0),
      2,
      `${asker} ${changeMs}`,
    );
    assert.is(count(world.agent("o1"), "split"), 1);
    const [left] = world
      .agent("o2")
      .events("signal")
      .filter(({ fields }) => "reason" in fields);
    assert.is(left?.fields["reason"], "left to o1");
  }
});

test("an answer that comes too late looks like a signal, and is not answered", () => {
  const world = begun();
  world.volume("west").changeMs = 40_000;
  ask(world, "t1", "east");
  world.run(300_000);
  assert.is(end(world, "t1")?.code, 124);
  assert.ok(steps(world.agent("t1")).includes("west left"));
  assert.equal([count(world.agent("t1"), "split"), count(world.agent("o1"), "split")], [1, 1]);
  whole(world);
});

test("a split that lands after the restart of who sent it is made whole all the same", () => {
  const world = begun();
  world.volume("east").changeMs = 3000;
  ask(world, "t1", "east");
  world.run(500);
  world.kill("t1");
  world.volume("east").changeMs = 30;
  world.start("t1");
  world.run(2000);
  assert.is(world.volume("east").pair, "paired");
  world.run(2000);
  assert.is(world.volume("east").pair, "split");
  world.run(wholeMs);
  whole(world);
});

test("a split by hand is answered once, and is never undone by anybody but its maker", () => {
  const world = begun();
  world.setPair("east", "split");
  world.run(300_000);
  assert.is(world.volume("east").pair, "split");
  assert.is(world.volume("west").pair, "paired");
  assert.equal([count(world.agent("o1"), "split"), count(world.agent("t1"), "split")], [1, 0]);
  world.setPair("east", "resync");
  world.run(300_000);
  whole(world);
  assert.equal([count(world.agent("o1"), "split"), count(world.agent("t1"), "split")], [1, 0]);
});

test("splitting by hand again and again is answered only after a rest", () => {
  const world = begun();
  const forMs = 600_000;
  for (let ms = 0; ms < forMs; ms += 20_000) {
    world.setPair("east", (ms / 20_000) % 2 === 0 ? "split" : "resync");
    world.run(20_000);
  }
  const most = 1 + Math.ceil(forMs / signalRestMs(timingDefaults, 10_000));
  const splits = count(world.agent("o1"), "split");
  assert.ok(splits >= 2 && splits <= most, `${splits} answers`);
});

test("killed at any moment, at either side: after the restart both pairs are whole", () => {
  for (const victim of ["t1", "o1"]) {
    for (let afterMs = 1; afterMs < 45_000; afterMs += afterMs < 8000 ? 211 : 1511) {
      const world = begun();
      for (const volume of world.volumes.values()) volume.changeMs = 700;
      ask(world, "t1", "east");
      world.run(afterMs);
      world.kill(victim);
      world.run(2000);
      world.start(victim);
      world.run(wholeMs + 10_000);
      whole(world, `${victim} killed after ${afterMs} ms`);
    }
  }
});

test("a restart makes whole what this host had split, and nothing else", () => {
  const world = begun({ answering: ["east"] });
  ask(world, "t1", "east");
  world.run(3000);
  world.kill("t1", "o1");
  world.setPair("west", "split");
  world.start("t1");
  world.start("o1");
  world.run(wholeMs);
  assert.equal([world.volume("east").pair, world.volume("west").pair], ["paired", "split"]);
});

test("a change whose end nobody knows is made whole, whenever it lands", () => {
  const world = begun();
  world.volume("east").changes = "lost";
  ask(world, "t1", "east");
  world.run(3000);
  world.volume("east").changes = "obeyed";
  world.run(wholeMs);
  assert.is(end(world, "t1")?.code, 112);
  whole(world);
});

test("an array that refuses to resynchronise is asked again, at most once a minute in the end", () => {
  const world = begun();
  ask(world, "t1", "east");
  world.run(3000);
  world.volume("east").changes = "refused";
  world.run(600_000);
  assert.is(world.volume("east").pair, "split");
  const tries = count(world.agent("t1"), "not-resynchronised");
  assert.ok(tries >= 8 && tries <= 16, `${tries} tries in ten minutes`);
  world.volume("east").changes = "obeyed";
  world.run(70_000);
  whole(world);
});

test("no note, no split: with a full disk it is refused, and the pair stays as it is", () => {
  const world = begun();
  world.agent("t1").filesFault = "the disk is full";
  ask(world, "t1", "east");
  world.run(20_000);
  assert.is(end(world, "t1")?.code, 73);
  assert.is(count(world.agent("t1"), "split"), 0);
  world.agent("t1").filesFault = "";
  world.run(10_000);
  whole(world);
});

test("what is refused, and why", () => {
  const world = begun();
  const code = (name: string, mirror: string, force = true) =>
    ask(world, name, mirror, force)?.code;
  assert.equal([code("t1", "none"), code("t1", "west")], [64, 64]);
  assert.is(code("t1", "east", false), 107, "the last path");
  world.volume("west").pair = "copying";
  world.run(6000);
  assert.is(code("t1", "east"), 75, "nobody could answer");
  world.volume("west").pair = "paired";
  world.volume("east").pair = "suspended";
  world.run(6000);
  assert.is(code("t1", "east"), 75, "not paired");
  world.volume("east").pair = "paired";
  world.run(6000);
  assert.is(code("t1", "east"), 0);
  assert.is(code("t1", "east"), 75, "one at a time");
  world.run(signalEveryMs - 1000);
  assert.is(code("t1", "east"), 75, "too soon");
  world.run(2000);
  assert.is(code("t1", "east"), 0);
  const bare = new World({ ...one, mirrors: bothWays }, true);
  bare.run(10_000);
  assert.is(ask(bare, "t1", "east")?.code, 78, "no provider");
  const networked = begun({ network: true });
  assert.is(ask(networked, "t1", "east", false)?.code, 0, "heard on the network");
});

test("while a mirror is brought in nothing is split, asked for or in answer", () => {
  const mirrors = { ...bothWays, spare: "tokyo>osaka" } as const;
  const world = begun({ mirrors, uninstalled: ["spare"] });
  world.agent("o1").missingVolumes.add("spare");
  world.install("t1", "install", "spare");
  assert.is(ask(world, "t1", "east")?.code, 75);
  world.setPair("east", "split");
  world.run(15_000);
  assert.is(count(world.agent("o1"), "split"), 0);
});

test.run();
