// test-limit-seconds: 300
// test-alone
/**
 * The bound that `mirrorbeat timing` prints, against deaths of the shipped agent: never above.
 * MIRRORBEAT_KILLS sets how many deaths there are in all (default 54).
 * Deaths during which the observer's own reads were slow or late count from its last such trouble.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { distribution, killCampaign } from "../testing/campaign-kills.ts";
import { loadConfig } from "../host/config-file.ts";
import { withWorld, type World, type WorldOptions } from "../testing/agent-world.ts";
import { simulatedDeaths } from "../testing/simulated-deaths.ts";
import { needProgram, needRoot, testWhere } from "../testing/where.ts";

const kinds = ["file", 512, 4096] as const;
const killsEach = Math.ceil(Number(process.env["MIRRORBEAT_KILLS"] ?? 54) / kinds.length);
const victims = ["a1", "a2", "a3", "a4"];

/** Printed beside each other; judged by the bound alone, for a busy machine is later than a virtual one. */
async function likeSimulated(world: World, count: number): Promise<void> {
  const loaded = loadConfig({ file: world.host("b1").configFile, host: "b1" });
  assert.ok(loaded.ok, "the agents run by it");
  if (!loaded.ok) return;
  const tookMs = await simulatedDeaths(loaded.config, "b1", victims, count);
  const sorted = [...tookMs].sort((a, b) => a - b).map(Math.round);
  const at = (share: number): number => sorted[Math.floor(share * (sorted.length - 1))] ?? 0;
  const figures = `median ${at(0.5)} ms, p95 ${at(0.95)} ms, max ${at(1)} ms`;
  console.log(`# the same simulated, ${tookMs.length} deaths: ${figures}`);
  assert.is(tookMs.length, count, "each is found");
  assert.ok(at(1) <= world.boundMs(0), `${at(1)} ms within ${world.boundMs(0)}`);
  assert.ok(at(0) >= world.timing.marginMs, "none before a margin had passed");
}

for (const device of kinds) {
  const needs = device === "file" ? [] : [needRoot, needProgram("losetup", "mount")];
  const name = device === "file" ? "plain files" : `loop devices of ${device}`;
  testWhere(test, needs, `${killsEach} deaths on ${name} are found within the bound`, () => {
    const detector = device === 512 ? "fixed" : "adaptive";
    const options: WorldOptions = { hosts: [...victims, "b1"], device, timing: { detector } };
    return withWorld(options, async (world) => {
      await world.beating();
      const kills = await killCampaign(world, "b1", victims, killsEach);
      console.log(`# ${name}, ${detector}: ${distribution(kills)}`);
      const late = kills.filter(({ undisturbedMs, boundMs }) => undisturbedMs > boundMs);
      assert.equal(late, [], "none later than the bound");
      assert.is(kills.length, killsEach);
      const early = kills.filter(({ tookMs }) => tookMs < world.timing.marginMs);
      assert.equal(early, [], "none called dead before a margin had passed");
      await likeSimulated(world, killsEach);
    });
  });
}

test("the printed bound is the one that is measured against", () =>
  withWorld({}, async (world) => {
    const { out, code } = await world.verb("b1", "timing", "--json");
    assert.is(code, 0);
    assert.ok(out.includes(String(world.boundMs(0))), `${world.boundMs(0)} in ${out}`);
    assert.ok(out.includes(String(world.boundMs(7))), `${world.boundMs(7)} in ${out}`);
  }));

test.run();
