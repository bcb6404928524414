/** A takeover whose agent is killed at any moment: never two, and the command given again ends it. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  command,
  cutAll,
  leased,
  noBreach,
  oradata,
  pair,
  type Scene,
  toldAt,
} from "../../testing/lease-world.ts";

const every = 97;
const data = { ...pair, dataGroups: [oradata] };

/** How long after production's end the standby begins, and how long it takes. */
function undisturbed(): { readonly beganMs: number; readonly endedMs: number } {
  const { world } = leased(data);
  world.reset("tokyo-1");
  world.run(60_000);
  const osaka = world.agent("osaka-1");
  const at = (step: string): number => toldAt(osaka, "takeover", "step", step) ?? 0;
  return { beganMs: at("begin"), endedMs: at("done") };
}

const { beganMs, endedMs } = undisturbed();

/** The standby's agent is killed at that moment, and started again. */
function killedAt(atMs: number, after: (scene: Scene) => void): Scene {
  const scene = leased(data);
  const { world } = scene;
  world.reset("tokyo-1");
  world.run(atMs - world.nowMs);
  world.kill("osaka-1");
  world.run(700);
  world.start("osaka-1");
  after(scene);
  world.run(30_000);
  return scene;
}

test("killed at every moment, production gone: the operator's word brings the same end", () => {
  assert.ok(endedMs > beganMs);
  let taken = 0;
  for (let atMs = beganMs - every; atMs < endedMs + every; atMs += every) {
    const scene = killedAt(atMs, () => undefined);
    const { world } = scene;
    if (scene.judge.hosts().length === 0) {
      const said = command(world, "osaka-1", { kind: "takeover", peerIsOff: "tokyo" }, 20_000);
      assert.is(said?.code, 0, `${atMs - beganMs} ms: ${said?.message}`);
      taken += 1;
    }
    assert.equal(scene.judge.hosts(), ["osaka-1"], `${atMs - beganMs} ms`);
    noBreach(scene);
  }
  assert.ok(taken > 5);
});

test("killed at every moment, production back: it stands by, or goes on if nothing was taken", () => {
  const terms = new Set<bigint>();
  for (let atMs = beganMs - every; atMs < endedMs + every; atMs += every) {
    const scene = killedAt(atMs, ({ world }) => world.start("tokyo-1"));
    const { world } = scene;
    const { term, role } = world.agent("osaka-1").state;
    terms.add(term);
    if (term !== 257n && role !== "active") {
      const said = command(world, "osaka-1", { kind: "takeover" }, 20_000);
      assert.is(said?.code, 0, `${atMs - beganMs} ms: ${said?.message}`);
    }
    assert.equal(
      scene.judge.hosts(),
      [term === 257n ? "tokyo-1" : "osaka-1"],
      `${atMs - beganMs} ms`,
    );
    noBreach(scene, `${atMs - beganMs} ms`);
  }
  assert.is(terms.size, 2, "some were killed before the term was stored, some after");
});

test("killed at every moment while the sites are parted, and they find together again", () => {
  for (let atMs = beganMs - every; atMs < endedMs + every; atMs += 3 * every) {
    const scene = leased(data);
    const { world } = scene;
    cutAll(world, true);
    world.run(atMs - world.nowMs);
    world.kill("osaka-1");
    world.run(700);
    cutAll(world, false);
    world.run(2000);
    world.start("osaka-1");
    world.run(90_000);
    noBreach(scene, `${atMs - beganMs} ms`);
  }
});

test("the machine that takes over resets at any moment: the same", () => {
  for (let atMs = beganMs; atMs < endedMs + every; atMs += 3 * every) {
    const scene = leased(data);
    const { world } = scene;
    world.reset("tokyo-1");
    world.run(atMs - world.nowMs);
    world.reset("osaka-1");
    world.run(5000);
    world.start("osaka-1");
    world.start("tokyo-1");
    world.run(30_000);
    const { term, role } = world.agent("osaka-1").state;
    if (term !== 257n && role === "transitioning") {
      assert.is(command(world, "osaka-1", { kind: "takeover" }, 20_000)?.code, 0);
    }
    assert.equal(
      scene.judge.hosts(),
      [term === 257n ? "tokyo-1" : "osaka-1"],
      `${atMs - beganMs} ms`,
    );
    noBreach(scene);
  }
});

test.run();
