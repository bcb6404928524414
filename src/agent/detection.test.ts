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
import { withWorld, type WorldOptions } from "../testing/agent-world.ts";
import { needProgram, needRoot, testWhere } from "../testing/where.ts";

const kinds = ["file", 512, 4096] as const;
const killsEach = Math.ceil(Number(process.env["MIRRORBEAT_KILLS"] ?? 54) / kinds.length);
const victims = ["a1", "a2", "a3", "a4"];

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
