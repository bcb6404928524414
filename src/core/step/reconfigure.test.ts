/** Timings and members changed on a live pair: staged, switched everywhere, and nobody alarmed. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { bothWays, type SitesWish } from "../../testing/core-config.ts";
import { World } from "../../testing/core-world.ts";
import { eventText } from "../base/event.ts";

const two: SitesWish = { tokyo: ["t1"], osaka: ["o1"] };
const slower = {
  intervalMs: 3000,
  pollMs: 1500,
  marginMs: 9000,
  latencyMs: 2000,
  readLimitMs: 1500,
} as const;

function alarms(world: World): readonly string[] {
  return [...world.agents.values()].flatMap((agent) =>
    agent
      .events("verdict", "group", "path", "timing", "health", "rejected")
      .filter(({ level }) => level === "warning")
      .map((event) => `${agent.name} ${eventText(event)}`),
  );
}

function begun(wish: SitesWish): World {
  const world = new World(wish);
  world.run(30_000);
  for (const agent of world.agents.values()) agent.told.length = 0;
  return world;
}

for (const [what, timing] of [
  ["slower", slower],
  ["faster", { intervalMs: 300, pollMs: 150, marginMs: 900, latencyMs: 200, readLimitMs: 150 }],
] as const) {
  test(`timings made ${what} on a live pair: no alarm, no gap, the same at both sites`, () => {
    const world = begun(two);
    const next = { ...two, generation: 2, timing };
    for (const name of ["t1", "o1"]) assert.is(world.stage(name, next).code, 0);
    world.run(5000);
    const end = world.install("t1", "reconfigure", "");
    assert.equal([end?.code, end?.message], [0, "generation 2 is in use"]);
    world.run(120_000);
    for (const name of ["t1", "o1"]) {
      const { state } = world.agent(name);
      assert.is(state.config.timing.intervalMs, timing.intervalMs);
      assert.is(state.staged, null);
      assert.is(state.peers[0]?.word?.intervalMs, timing.intervalMs);
      assert.is(state.peers[0]?.verdict?.row, "1");
    }
    assert.equal(alarms(world), []);
    // Judged by the new timings from here on.
    world.kill("t1");
    world.run(200_000);
    assert.is(world.agent("o1").rows("tokyo").at(-1), "9");
  });
}

test("a host is added, and another removed, while all beat", () => {
  const world = begun({ tokyo: ["t1", "t2"], osaka: ["o1"] });
  const next: SitesWish = { tokyo: ["t1", "t2", "t3"], osaka: ["o1"], generation: 2 };
  for (const name of ["t1", "t2", "o1"]) world.stage(name, next);
  world.run(5000);
  // Until it is started, the new host is unseen: it is started at once.
  world.install("o1", "reconfigure", "", { waitMs: 1200 });
  world.wish = next;
  world.start("t3");
  world.run(60_000);
  assert.equal(
    world.agent("o1").state.peers.map(({ verdict }) => verdict?.row),
    ["1", "1", "1"],
  );
  const less: SitesWish = { tokyo: ["t1", "t2"], osaka: ["o1"], generation: 3 };
  world.input("t3", { kind: "stop" } as never);
  world.run(3000);
  world.kill("t3");
  for (const name of ["t1", "t2", "o1"]) assert.is(world.stage(name, less).code, 0);
  world.run(3000);
  const taken = world.install("t1", "reconfigure", "");
  assert.is(taken?.code, 0, taken?.message);
  world.run(120_000);
  assert.equal(
    world.agent("o1").state.peers.map(({ host }) => host.name),
    ["t1", "t2"],
  );
  assert.equal(alarms(world), []);
});

test("not before all have it; a silent host is named, and left behind only by force", () => {
  const world = begun({ tokyo: ["t1"], osaka: ["o1", "o2"] });
  const next = { ...world.wish, generation: 2, timing: slower };
  assert.match(world.install("t1", "reconfigure", "")?.message ?? "", "config stage");
  world.stage("t1", next);
  world.stage("o1", next);
  world.stage("o2", { ...next, timing: {} });
  world.run(5000);
  assert.match(world.install("t1", "reconfigure", "")?.message ?? "", "o2 has not staged the same");
  world.kill("o2");
  world.run(60_000);
  assert.match(world.install("t1", "reconfigure", "")?.message ?? "", "o2 is silent");
  assert.is(world.install("t1", "reconfigure", "", { force: true })?.code, 0);
});

test("a host killed after it was staged, or in the middle of the switch, joins by its file", () => {
  for (let afterMs = 1; afterMs < 2500; afterMs += 83) {
    const world = begun(two);
    const next = { ...two, generation: 2, timing: slower };
    world.stage("t1", next);
    world.stage("o1", next);
    world.run(4000);
    world.install("t1", "reconfigure", "", { waitMs: afterMs });
    world.kill("o1");
    world.run(300);
    world.wish = next; // it is what its file says now
    world.start("o1");
    world.run(60_000);
    assert.is(world.agent("t1").state.config.generation, 2);
    assert.is(world.agent("t1").state.lastInstallation?.code, 0, `after ${afterMs} ms`);
    assert.is(world.agent("o1").rows("tokyo").at(-1), "1");
  }
});

test("what cannot change while it runs is refused, by its key and with the remedy", () => {
  const world = begun(two);
  const refused = (wish: SitesWish, words: string): void => {
    const { code, message } = world.stage("t1", { ...two, generation: 2, ...wish });
    assert.is(code, 78);
    assert.match(message, words);
  };
  refused({ generation: 1 }, "raise it above 1");
  refused({ network: false }, "network has changed");
  refused({ osaka: ["o2"] }, "slot 0 of osaka was o1's");
  refused({ mirrors: { east: "tokyo>osaka" } }, "mirrorbeat deinstall west");
  refused({ mirrors: { spare: "tokyo>osaka", ...bothWays } }, "stand after the others");
  assert.is(
    world.stage("t1", {
      ...two,
      generation: 2,
      mirrors: { ...bothWays, spare: "tokyo>osaka" },
      uninstalled: ["spare"],
    }).code,
    0,
  );
});

test.run();
