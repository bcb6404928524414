/**
 * Every row of the decision table, reached by what happens in the world: two sites in memory, and
 * a fault. What osaka tells of tokyo is asserted as the sequence of its verdicts.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { SitesWish } from "../../testing/core-config.ts";
import { otherKey, sealingWith } from "../../testing/core-seal.ts";
import { World } from "../../testing/core-world.ts";
import { detectionBoundMs, timingDefaults } from "../base/timing.ts";
import { expectedArrivalMs } from "../observation.ts";
import { recordFlags, states } from "../sector/layout.ts";
import type { PairEvidence } from "../verdict.ts";

const boundMs = detectionBoundMs(timingDefaults, 0);

/** A world in which all is well, and nothing has been told yet. */
function well(wish: SitesWish = {}): World {
  const world = new World(wish);
  world.run(8000);
  for (const agent of world.agents.values()) agent.forget();
  return world;
}

const one: SitesWish = { tokyo: ["tokyo-1"], osaka: ["osaka-1"] };

function actionOf(world: World, host: string): string | undefined {
  return world.agent("osaka-1").peer(host).verdict?.action;
}

function setPair(world: World, pair: PairEvidence, mirror = "east"): void {
  world.volume(mirror).pair = pair;
  world.run(timingDefaults.pairPollMs);
}

test("row 1: at first nothing is said, then that all are alive, and nothing after that", () => {
  const world = new World();
  world.run(30_000);
  for (const [watcher, site] of [
    ["osaka-1", "tokyo"],
    ["tokyo-2", "osaka"],
  ] as const) {
    const agent = world.agent(watcher);
    for (const of of [`${site}-1`, `${site}-2`, site]) assert.equal(agent.rows(of), ["1"], of);
    assert.equal(
      agent.told.filter(({ event }) => event.level === "warning"),
      [],
    );
  }
});

test("row 2: the network is lost, the mirror is not; and back", () => {
  const world = well();
  world.cut(true);
  world.run(boundMs);
  assert.equal(world.agent("osaka-1").rows("tokyo-1"), ["2"]);
  assert.is(actionOf(world, "tokyo-1"), "notify");
  world.cut(false);
  world.run(3000);
  assert.equal(world.agent("osaka-1").rows("tokyo-1"), ["2", "1"]);
  assert.equal(world.agent("osaka-1").rows("tokyo"), ["2", "1"]);
});

test("row 2: one way is cut, and only its receiver loses the network", () => {
  const world = well();
  world.cutNetwork.add("tokyo>osaka");
  world.run(boundMs);
  assert.equal(world.agent("osaka-1").rows("tokyo-1"), ["2"]);
  assert.equal(world.agent("tokyo-1").rows("osaka-1"), []);
  // The echo tells the other side: the network has not brought tokyo's records for long.
  const lags = world.agent("tokyo-1").peer("osaka-1").echo?.lags ?? [];
  assert.is(lags[0], 255, "lag of the network");
  assert.ok((lags[1] ?? 255) <= 2, "lag of the mirror");
});

test("row 2b: a mirror alone is enough", () => {
  const world = new World({ ...one, network: false });
  world.run(20_000);
  assert.equal(world.agent("osaka-1").rows("tokyo-1"), ["2b"]);
  assert.is(actionOf(world, "tokyo-1"), "none");
});

test("row 1 by the network alone, with no mirror at all", () => {
  const world = new World({ ...one, mirrors: {} });
  world.run(20_000);
  assert.equal(world.agent("osaka-1").rows("tokyo-1"), ["1"]);
});

for (const [row, pair] of [
  ["3", "suspended"],
  ["3b", "split"],
  ["3b", "copying"],
  ["3c", "paired"],
  ["3c", "unknown"],
] as const) {
  test(`row ${row}: the mirror is cut while its pair is ${pair}; and back`, () => {
    const world = well();
    setPair(world, pair);
    world.link("east", false);
    world.run(boundMs);
    const osaka = world.agent("osaka-1");
    assert.equal(osaka.rows("tokyo-1"), [row]);
    assert.is(actionOf(world, "tokyo-1"), "notify");
    // The way back is another mirror: nothing is said of it at the other side.
    assert.equal(world.agent("tokyo-1").rows("osaka-1"), []);
    world.link("east", true);
    world.run(5000);
    assert.equal(osaka.rows("tokyo-1"), [row, "1"]);
  });
}

test("a pair state that is too old is unknown: row 3 becomes 3c", () => {
  const world = well();
  setPair(world, "suspended");
  world.link("east", false);
  world.run(boundMs);
  assert.is(world.agent("osaka-1").row("tokyo-1"), "3");
  world.volume("east").pairAnswers = false;
  world.run(timingDefaults.pairAgeLimitMs - timingDefaults.pairPollMs - 1000);
  assert.is(world.agent("osaka-1").row("tokyo-1"), "3", "not yet too old");
  world.run(timingDefaults.pairPollMs + 2000);
  assert.is(world.agent("osaka-1").row("tokyo-1"), "3c");
});

test("row 4: the SVOL answers with errors, the network lives; and back", () => {
  const world = well(one);
  const osaka = world.agent("osaka-1");
  osaka.failingReads.add("east");
  world.run(boundMs);
  assert.equal(osaka.rows("tokyo-1"), ["4"]);
  assert.ok(osaka.texts("path").some((text) => /path=east state=io-error .*reason=EIO/.test(text)));
  osaka.failingReads.clear();
  world.run(20_000);
  assert.equal(osaka.rows("tokyo-1"), ["4", "1"]);
});

test("row 4: the mirror shows what is signed with another key", () => {
  const world = well(one);
  const tokyo = world.agent("tokyo-1");
  // From here on osaka reads, on the mirror, only what it cannot believe.
  tokyo.sealing = sealingWith(otherKey);
  world.run(2 * boundMs);
  const osaka = world.agent("osaka-1");
  assert.is(osaka.row("tokyo-1"), "6", "both paths carry the wrong key");
  const rejected = osaka.texts("rejected");
  assert.ok(
    rejected.some((text) => /path=east reason=unknown-key/.test(text)),
    rejected.join("\n"),
  );
  assert.ok(rejected.some((text) => /path=network reason=unknown-key/.test(text)));
});

test("row 5: the observer's own reads fail, so it cannot tell", () => {
  const world = well(one);
  const osaka = world.agent("osaka-1");
  osaka.failingReads.add("east");
  world.cut(true);
  world.run(20_000);
  assert.is(osaka.row("tokyo-1"), "5");
  assert.is(actionOf(world, "tokyo-1"), "hold");
  assert.ok(osaka.texts("health").some((text) => /path=east fit=false/.test(text)));
  osaka.failingReads.clear();
  world.run(20_000);
  assert.is(osaka.row("tokyo-1"), "2");
  assert.ok(osaka.texts("health").some((text) => /path=east fit=true/.test(text)));
});

test("row 6: the network is lost and the mirror unreadable, by an observer in good health", () => {
  const world = well(one);
  const tokyo = world.agent("tokyo-1");
  world.cut(true);
  tokyo.sealing = sealingWith(otherKey);
  world.run(2 * boundMs);
  assert.equal(world.agent("osaka-1").rows("tokyo-1").at(-1), "6");
  assert.is(actionOf(world, "tokyo-1"), "hold");
});

for (const pair of ["split", "copying"] as const) {
  test(`row 7: all silent while the pair is ${pair} proves nothing, even if the host is dead`, () => {
    const world = well(one);
    setPair(world, pair);
    world.kill("tokyo-1");
    world.run(boundMs);
    assert.is(world.agent("osaka-1").row("tokyo-1"), "7");
    assert.is(actionOf(world, "tokyo-1"), "hold");
  });
}

const withBeacon: SitesWish = {
  tokyo: ["tokyo-1", "tokyo-b"],
  osaka: ["osaka-1"],
  beacons: ["tokyo-b"],
};

test("row 8: a beacon advances within the silence, and the pair is asked anew", () => {
  const world = well(withBeacon);
  const osaka = world.agent("osaka-1");
  world.kill("tokyo-1");
  world.run(boundMs + 5000);
  assert.equal(osaka.rows("tokyo-1").at(-1), "8");
  assert.is(actionOf(world, "tokyo-1"), "eligible");
  assert.equal(osaka.rows("tokyo").at(-1), "8", "the beacon is no member of the group");
  const order = osaka.told
    .map(({ event }) => event)
    .filter(
      ({ ev, fields }) => ev === "link" || (ev === "verdict" && fields["host"] === "tokyo-1"),
    );
  const rows = order.map(({ ev, fields }) => (ev === "link" ? "link" : String(fields["row"])));
  assert.equal(rows.slice(-2), ["link", "8"], "the link is proven first");
  assert.equal(osaka.rows("tokyo-b"), []);
});

test("row 9, not 8: a neighbour that could hold the service proves no link", () => {
  const world = well({ tokyo: ["tokyo-1", "tokyo-2"], osaka: ["osaka-1"] });
  world.kill("tokyo-1");
  world.run(boundMs + 10_000);
  assert.is(world.agent("osaka-1").row("tokyo-1"), "9");
  assert.is(world.agent("osaka-1").row("tokyo-2"), "1");
});

test("row 9, not 8: a beacon proves nothing before the pair was asked again", () => {
  const world = well(withBeacon);
  world.volume("east").pairAnswers = false;
  world.kill("tokyo-1");
  world.run(boundMs + 3000);
  assert.is(world.agent("osaka-1").row("tokyo-1"), "9");
  world.volume("east").pairAnswers = true;
  world.run(timingDefaults.pairPollMs + 1000);
  assert.is(world.agent("osaka-1").row("tokyo-1"), "8");
});

test("row 9, not 8: a beacon that fell silent with the host proves nothing", () => {
  const world = well(withBeacon);
  world.kill("tokyo-1", "tokyo-b");
  world.run(boundMs + 10_000);
  assert.is(world.agent("osaka-1").row("tokyo-1"), "9");
  assert.equal(world.agent("osaka-1").events("link"), []);
});

test("row 8 needs two advances of the beacon after the expected arrival, one is not enough", () => {
  const seen = new Map<number, string | undefined>();
  for (let lifeMs = 0; lifeMs <= 3000; lifeMs += 200) {
    const world = well(withBeacon);
    const osaka = world.agent("osaka-1");
    world.kill("tokyo-1");
    world.run(lifeMs);
    world.kill("tokyo-b");
    world.run(boundMs + 5000 - lifeMs);
    const silent = osaka.peer("tokyo-1").sightings["east"];
    const expectedMs = silent ? expectedArrivalMs(silent, timingDefaults) : null;
    const arrivals = osaka.peer("tokyo-b").sightings["east"]?.arrivals ?? [];
    const advances = arrivals.filter(({ atMs }) => atMs > (expectedMs ?? 0)).length;
    const rows = osaka.told
      .filter(({ event: { ev, fields } }) => ev === "verdict" && fields["host"] === "tokyo-1")
      .map(({ event }) => String(event.fields["row"]));
    const stated = rows.includes("8") ? "8" : "9";
    assert.is(stated, advances >= 2 ? "8" : "9", `${advances} advances`);
    seen.set(advances, stated);
    // The beacon fell silent too: what it proved of the link holds no more.
    assert.is(osaka.row("tokyo-1"), "9");
  }
  assert.equal(
    [0, 1, 2].map((advances) => seen.get(advances)),
    ["9", "9", "8"],
  );
});

test("row 8 ends when the host beats again, and must be proven anew", () => {
  const world = well(withBeacon);
  world.kill("tokyo-1");
  world.run(boundMs + 5000);
  world.start("tokyo-1");
  world.run(5000);
  const osaka = world.agent("osaka-1");
  assert.is(osaka.row("tokyo-1"), "1");
  assert.equal(osaka.peer("tokyo-1").linkProvenMs, {});
});

for (const pair of ["paired", "suspended", "unknown"] as const) {
  test(`row 9: both paths silent, pair ${pair}, no proof of the link`, () => {
    const world = well();
    setPair(world, pair);
    world.kill("tokyo-1", "tokyo-2");
    world.run(boundMs);
    const osaka = world.agent("osaka-1");
    assert.is(osaka.row("tokyo-1"), "9");
    assert.is(actionOf(world, "tokyo-1"), "hold");
    assert.is(osaka.state.groups["tokyo"]?.row, "9");
  });
}

test("row 9: a cut of network and link looks the same as a dead site", () => {
  const world = well();
  world.cut(true);
  world.link("east", false);
  world.run(boundMs);
  assert.is(world.agent("osaka-1").row("tokyo-1"), "9");
});

test("row 10: the only path is the network, and it is lost", () => {
  const world = well({ ...one, mirrors: {} });
  world.cut(true);
  world.run(boundMs);
  assert.equal(world.agent("osaka-1").rows("tokyo-1"), ["10"]);
  assert.is(actionOf(world, "tokyo-1"), "hold");
});

test("row 11: no path is switched on", () => {
  const world = well(one);
  world.switch("osaka-1", { kind: "network" }, false);
  world.switch("osaka-1", { kind: "mirror", name: "east" }, false);
  assert.equal(world.agent("osaka-1").rows("tokyo-1").at(-1), "11");
  assert.is(actionOf(world, "tokyo-1"), "refuse");
});

test("rows 0 and 0b: what the peer says of itself stands above its paths", () => {
  const world = well(one);
  const [tokyo, osaka] = [world.agent("tokyo-1"), world.agent("osaka-1")];
  tokyo.change = (body) => ({ ...body, state: states.failed });
  world.run(2000);
  assert.equal(osaka.rows("tokyo-1"), ["0b"]);
  assert.is(actionOf(world, "tokyo-1"), "notify");
  tokyo.change = (body) => ({ ...body, state: states.failed, flags: recordFlags.quiesced });
  world.run(2000);
  assert.equal(osaka.rows("tokyo-1"), ["0b", "0"]);
  assert.is(actionOf(world, "tokyo-1"), "eligible");
  tokyo.change = (body) => ({ ...body, state: states.handover });
  world.run(2000);
  assert.is(osaka.row("tokyo-1"), "0");
  tokyo.change = (body) => body;
  world.run(2000);
  assert.equal(osaka.rows("tokyo-1"), ["0b", "0", "1"]);
});

test("row 0 for the group needs the word of every host", () => {
  const world = well();
  world.agent("tokyo-1").change = (body) => ({ ...body, state: states.handover });
  world.run(2000);
  const osaka = world.agent("osaka-1");
  assert.is(osaka.row("tokyo-1"), "0");
  assert.is(osaka.state.groups["tokyo"]?.row, "1");
  world.agent("tokyo-2").change = (body) => ({ ...body, state: states.handover });
  world.run(2000);
  assert.is(osaka.state.groups["tokyo"]?.row, "0");
  assert.is(osaka.state.groups["tokyo"]?.action, "eligible");
});

test("row 0c: an orderly stop is told as such, and is never a failure", () => {
  const world = well(one);
  world.input("tokyo-1", { kind: "stop" } as never);
  world.run(1500);
  world.kill("tokyo-1");
  world.run(60_000);
  const osaka = world.agent("osaka-1");
  assert.equal(osaka.rows("tokyo-1"), ["0c"]);
  assert.equal(osaka.texts("left"), [
    'level=notice ev=left host=tokyo-1 site=tokyo how="planned stop"',
  ]);
  const alarms = osaka.events("verdict", "group").filter(({ level }) => level !== "notice");
  assert.equal(alarms, [], "no alarm");
  world.start("tokyo-1");
  world.run(6000);
  assert.equal(osaka.rows("tokyo-1"), ["0c", "1"]);
});

// ---- Hosts and groups

test("one host of a group fails: that host is named, the group lives", () => {
  const world = well();
  world.kill("tokyo-2");
  world.run(boundMs);
  const osaka = world.agent("osaka-1");
  assert.equal(osaka.rows("tokyo-2").at(-1), "9");
  assert.equal(osaka.rows("tokyo-1"), []);
  assert.equal(osaka.rows("tokyo"), [], "nothing is said of the group");
  assert.is(osaka.state.groups["tokyo"]?.row, "1");
});

test("k of n: 2 of 3 hosts must live; one lost is no failure of the group, two are", () => {
  const world = well({ tokyo: ["tokyo-1", "tokyo-2", "tokyo-3"], osaka: ["osaka-1"], quorum: 2 });
  const osaka = world.agent("osaka-1");
  world.kill("tokyo-3");
  world.run(boundMs);
  assert.is(osaka.state.groups["tokyo"]?.row, "1");
  world.kill("tokyo-2");
  world.run(boundMs);
  assert.is(osaka.state.groups["tokyo"]?.row, "9");
  assert.is(osaka.state.groups["tokyo"]?.action, "hold");
  assert.is(osaka.row("tokyo-1"), "1");
  world.start("tokyo-2");
  world.run(8000);
  assert.is(osaka.state.groups["tokyo"]?.row, "1");
});

test("the group is never eligible while one of its hosts lives, even below its quorum", () => {
  const world = well({
    tokyo: ["tokyo-1", "tokyo-2", "tokyo-b"],
    osaka: ["osaka-1"],
    beacons: ["tokyo-b"],
    quorum: 2,
  });
  world.kill("tokyo-2");
  world.run(boundMs + 5000);
  const osaka = world.agent("osaka-1");
  assert.is(osaka.row("tokyo-2"), "8");
  assert.equal(
    [osaka.state.groups["tokyo"]?.row, osaka.state.groups["tokyo"]?.action],
    ["8", "hold"],
  );
  world.kill("tokyo-1");
  world.run(boundMs + 5000);
  assert.equal(
    [osaka.state.groups["tokyo"]?.row, osaka.state.groups["tokyo"]?.action],
    ["8", "eligible"],
  );
});

// ---- Several mirrors

const twoMirrors: SitesWish = {
  ...one,
  mirrors: { east: "tokyo>osaka", east2: "tokyo>osaka", west: "osaka>tokyo" },
};

test("two mirrors: any live one suffices, and the lost one is reported as a path", () => {
  const world = well({ ...twoMirrors, network: false });
  world.link("east", false);
  world.run(boundMs);
  const osaka = world.agent("osaka-1");
  assert.equal(osaka.rows("tokyo-1"), []);
  assert.ok(osaka.texts("path").some((text) => /path=east state=stale/.test(text)));
  assert.is(osaka.row("tokyo-1"), "2b");
});

test("two mirrors, both silent: the more cautious row stands", () => {
  const world = well({ ...twoMirrors, network: false });
  setPair(world, "split", "east2");
  world.kill("tokyo-1");
  world.run(boundMs);
  assert.is(world.agent("osaka-1").row("tokyo-1"), "7");
});

// ---- Restarts

test("a restart is told from a reboot, and neither is an alarm", () => {
  const world = well(one);
  world.kill("tokyo-1");
  world.run(500);
  world.start("tokyo-1");
  world.run(5000);
  world.kill("tokyo-1");
  world.run(500);
  world.start("tokyo-1", { bootId: "b0070000-0000-4000-8000-000000000002" });
  world.run(5000);
  const osaka = world.agent("osaka-1");
  assert.equal(osaka.texts("restart"), [
    "level=notice ev=restart host=tokyo-1 site=tokyo incarnation=2 rebooted=false",
    "level=notice ev=restart host=tokyo-1 site=tokyo incarnation=3 rebooted=true",
  ]);
  assert.equal(osaka.rows("tokyo-1"), []);
  assert.equal(osaka.events("rejected"), []);
});

test("after its own restart a host keeps its marks: old sectors put back are a regression", () => {
  const world = well(one);
  const old = new Map(world.volume("east").svol);
  world.run(10_000);
  world.kill("osaka-1", "tokyo-1");
  const svol = world.volume("east").svol;
  for (const [block, bytes] of old) svol.set(block, bytes);
  world.start("osaka-1");
  world.run(2 * boundMs);
  const osaka = world.agent("osaka-1");
  const text = osaka.texts("path").find((each) => /path=east/.test(each)) ?? "";
  assert.match(text, /state=corrupt .*reason=regression/);
  assert.is(osaka.peer("tokyo-1").word, null, "nothing of it is believed");
});

test("a peer with other timings is noticed at its first record", () => {
  const world = well(one);
  world.agent("tokyo-1").change = (body) => ({ ...body, timingDigest: 1 });
  world.run(5000);
  const texts = world.agent("osaka-1").texts("timing");
  assert.is(texts.length, 1);
  assert.match(texts[0] ?? "", /host=tokyo-1 .*differs=true/);
});

test("a refused sector is told at once, then at most once a minute, and counted meanwhile", () => {
  const world = well(one);
  const osaka = world.agent("osaka-1");
  for (let i = 0; i < 30; i++) {
    world.input("osaka-1", { kind: "rejected", path: "east", reason: "forged" } as never);
    world.run(4100);
  }
  const counts = osaka.events("rejected").map(({ fields }) => fields["count"]);
  assert.equal(counts, [1, 16]);
  assert.is(osaka.state.rejected["east forged"]?.count, 30);
});

test("no wall clock and no boot clock of any host ever matters", () => {
  const runWith = (skewNs: bigint) => {
    const world = new World();
    for (const agent of world.agents.values()) {
      agent.wallSkewNs = skewNs * (agent.name.endsWith("1") ? 1n : -1n) + 7_200_000_000_000n;
      agent.bootSkewNs = skewNs + 7_200_000_000_000n;
    }
    world.run(10_000);
    world.cut(true);
    world.run(10_000);
    world.kill("tokyo-1");
    world.run(20_000);
    return [...world.agents.values()].map(({ name, told }) => ({ name, told }));
  };
  const hour = 3_600_000_000_000n;
  const straight = runWith(0n);
  assert.ok(straight.some(({ told }) => told.length > 10));
  assert.equal(runWith(hour), straight);
  assert.equal(runWith(-hour), straight);
});

test.run();
