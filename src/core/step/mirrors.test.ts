/** Several mirrors side by side: one that is lost is named, and changes no verdict. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { statusText } from "../../console/status-text.ts";
import { World } from "../../testing/core-world.ts";
import type { SitesWish } from "../../testing/core-config.ts";
import { pairEvidence } from "./judge.ts";
import { statusObject } from "./status.ts";

const sideBySide: SitesWish = {
  tokyo: ["tokyo-1"],
  osaka: ["osaka-1"],
  mirrors: { east: "tokyo>osaka", east2: "tokyo>osaka", west: "osaka>tokyo" },
};
const extras = {
  version: "0", pid: 1, engine: "test", wallNs: 0n, journalFault: null, devices: {}, droppedDatagrams: 0,
}; // biome-ignore format: one list

function begun(wish: SitesWish = sideBySide): World {
  const world = new World(wish);
  world.run(15_000);
  for (const agent of world.agents.values()) agent.forget();
  return world;
}

const textOf = (world: World, name: string) =>
  statusText(statusObject(world.agent(name).state, extras));

for (const [lost, kept] of [
  ["east", "east2"],
  ["east2", "east"],
] as const) {
  test(`${lost} lost, ${kept} beats: row 1 stays; path event and NOTE name ${lost}`, () => {
    const world = begun();
    const osaka = world.agent("osaka-1");
    world.volume(lost).pair = "suspended";
    world.link(lost, false);
    world.run(20_000);
    assert.equal(osaka.events("verdict", "group"), []);
    assert.is(osaka.row("tokyo-1"), "1");
    const told = osaka
      .events("path")
      .map(({ fields: f }) => `${f["host"]} ${f["path"]} ${f["state"]}`);
    assert.equal(told, [`tokyo-1 ${lost} stale`]);
    assert.match(
      textOf(world, "osaka-1"),
      `NOTE     ${lost}: stale, for tokyo-1, seen on another path`,
    );
    assert.equal(
      [pairEvidence(osaka.state, lost), pairEvidence(osaka.state, kept)],
      ["suspended", "paired"],
      "each mirror has its own pair",
    );
    const pairs = osaka.events("pair").map(({ fields: f }) => `${f["mirror"]} ${f["state"]}`);
    assert.equal(pairs, [`${lost} suspended`]);

    world.cut(true);
    world.run(10_000);
    assert.is(osaka.row("tokyo-1"), "2", "the one that is left proves life");
    world.link(lost, true);
    world.volume(lost).pair = "paired";
    world.cut(false);
    world.run(20_000);
    assert.is(osaka.row("tokyo-1"), "1");
    assert.not.match(textOf(world, "osaka-1"), "NOTE");
  });
}

test("an unreadable, a corrupt and a switched-off mirror beside a live one change no verdict", () => {
  const world = begun();
  const osaka = world.agent("osaka-1");
  osaka.failingReads.add("east");
  world.run(20_000);
  assert.equal([osaka.row("tokyo-1"), osaka.rows("tokyo-1")], ["1", []]);
  osaka.failingReads.clear();
  world.run(20_000);
  for (const block of world.volume("east").svol.keys())
    world.volume("east").svol.set(block, new Uint8Array(4096).fill(7));
  world.link("east", false);
  world.run(20_000);
  assert.equal([osaka.row("tokyo-1"), osaka.rows("tokyo-1")], ["1", []]);
  assert.match(textOf(world, "osaka-1"), /NOTE {5}east: corrupt \(.*\), for tokyo-1/);
  world.switch("osaka-1", { kind: "mirror", name: "east" }, false);
  world.run(20_000);
  assert.equal([osaka.row("tokyo-1"), osaka.rows("tokyo-1")], ["1", []]);
  assert.not.match(textOf(world, "osaka-1"), "NOTE     east");
});

test("both lost: the worst of their verdicts, by each one's own pair", () => {
  const world = begun();
  const osaka = world.agent("osaka-1");
  world.volume("east").pair = "split";
  world.volume("east2").pair = "suspended";
  world.link("east", false);
  world.link("east2", false);
  world.run(20_000);
  assert.ok(["3", "3b"].includes(osaka.row("tokyo-1") ?? ""), osaka.row("tokyo-1"));
  world.cut(true);
  world.run(20_000);
  assert.is(osaka.row("tokyo-1"), "7", "one that is split tells nothing, so nothing is told");
  assert.is(osaka.state.groups["tokyo"]?.action, "hold");
});

test("a host that dies with two mirrors is judged as with one", () => {
  const world = begun();
  world.kill("tokyo-1");
  world.run(20_000);
  assert.is(world.agent("osaka-1").row("tokyo-1"), "9");
});

test("a mirror lost for many hosts is one line", () => {
  const tokyo = Array.from({ length: 6 }, (_, n) => `tokyo-${n + 1}`);
  const world = begun({ ...sideBySide, tokyo });
  world.link("east2", false);
  world.run(20_000);
  const notes = textOf(world, "osaka-1")
    .split("\n")
    .filter((line) => line.includes("east2: stale"));
  assert.equal(notes, ["NOTE     east2: stale, for tokyo-1 and 5 more, seen on another path"]);
});

test.run();
