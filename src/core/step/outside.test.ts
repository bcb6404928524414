/** Arbiters outside (reservation, booth, command): granted, denied, unknown. Virtual time. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Policy } from "../base/config.ts";
import { exitCodes } from "../base/exit-codes.ts";
import { begun, command, cutAll, noBreach, pair, type Scene } from "../../testing/lease-world.ts";

type Answer = "granted" | "denied" | "unknown";
type Voice = { holder: string | null; unknown: boolean; asked: string[] };

const policies: readonly Policy[] = ["reservation", "booth", "command"];

/** One arbiter for all: it knows who holds the right, and gives it to who asks when told to. */
function judged(policy: Policy): { readonly scene: Scene; readonly voice: Voice } {
  const scene = begun({ ...pair, policy });
  const voice: Voice = { holder: "tokyo", unknown: false, asked: [] };
  for (const [name, agent] of scene.world.agents) {
    const { site } = agent.setup.config.self;
    agent.arbiter = (op) => {
      voice.asked.push(`${name} ${op}`);
      const answer: Answer = voice.unknown
        ? "unknown"
        : voice.holder === site
          ? "granted"
          : "denied";
      return { answer, detail: `the right is ${voice.holder ?? "nobody"}'s` };
    };
  }
  scene.world.run(40_000);
  assert.equal(scene.judge.hosts(), ["tokyo-1"], policy);
  return { scene, voice };
}

for (const policy of policies) {
  test(`${policy}: it is asked when production is silent, and by its grant the standby takes over`, () => {
    const { scene, voice } = judged(policy);
    const { world, judge } = scene;
    assert.not(
      voice.asked.some((each) => each.startsWith("osaka")),
      "not while production beats",
    );
    world.reset("tokyo-1");
    voice.holder = "osaka";
    world.run(60_000);
    assert.ok(voice.asked.includes("osaka-1 ask"));
    assert.equal(judge.hosts(), ["osaka-1"]);
    noBreach(scene);
  });

  test(`${policy}: denied or unknown, nothing is taken, by itself or by an operator's word`, () => {
    for (const unknown of [false, true]) {
      const { scene, voice } = judged(policy);
      const { world, judge } = scene;
      world.reset("tokyo-1");
      voice.unknown = unknown;
      world.run(60_000);
      assert.equal(judge.hosts(), []);
      assert.is(world.agent("osaka-1").state.term, 257n, "no term was raised");
      const said = command(world, "osaka-1", { kind: "takeover" }, 5000);
      assert.is(said?.code, exitCodes.noArbiter, said?.message);
      // What an arbiter that answers says is heeded by the new owner too: it is moved there first.
      voice.holder = unknown ? "tokyo" : "osaka";
      assert.is(command(world, "osaka-1", { kind: "takeover", peerIsOff: "tokyo" }, 9000)?.code, 0);
      world.run(30_000);
      assert.equal(judge.hosts(), ["osaka-1"], "but by the word that the other site is off");
    }
  });
}

for (const policy of ["reservation", "booth"] as const) {
  test(`${policy}: an owner that is told that it lost the right stops; an unknown answer stops nothing`, () => {
    const { scene, voice } = judged(policy);
    const { world, judge } = scene;
    voice.unknown = true;
    world.run(60_000);
    assert.equal(judge.hosts(), ["tokyo-1"]);
    voice.unknown = false;
    voice.holder = "osaka";
    cutAll(world, true);
    world.run(60_000);
    assert.not(judge.hosts().includes("tokyo-1"));
    assert.is(world.agent("tokyo-1").state.role, "stopped");
  });
}

test("an arbiter that never answers keeps nobody waiting for ever", () => {
  const { scene } = judged("booth");
  const { world } = scene;
  world.reset("tokyo-1");
  world.run(5000);
  const osaka = world.agent("osaka-1");
  osaka.arbiterMs = Number.POSITIVE_INFINITY;
  world.run(20_000);
  const said = command(world, "osaka-1", { kind: "takeover" }, 90_000);
  assert.is.not(said, null);
  assert.is.not(said?.code, 0);
});

test.run();
