/**
 * The operator's takeover, step by step, and what it may never lead to. Virtual time, two sites,
 * the real codec; osaka takes over from tokyo.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { configFor, type SitesWish } from "../../testing/core-config.ts";
import { recordOf } from "../../testing/core-watch.ts";
import { type Agent, World } from "../../testing/core-world.ts";
import { detectionBoundMs, takeoverPublishLimitMs, timingDefaults } from "../base/timing.ts";
import { step } from "../step.ts";
import { allOn, begin } from "./begin.ts";
import { durableOf } from "./term.ts";

const boundMs = detectionBoundMs(timingDefaults, 0);
const one: SitesWish = { tokyo: ["tokyo-1"], osaka: ["osaka-1"], takeoverHook: true };
const two: SitesWish = { takeoverHook: true };

function well(wish: SitesWish = one): World {
  const world = new World(wish);
  world.run(8000);
  assert.equal(world.activeSites(), ["tokyo"], "production is active to begin with");
  for (const agent of world.agents.values()) agent.forget();
  return world;
}

function tokyoDead(wish: SitesWish = one): World {
  const world = well(wish);
  world.kill(...world.site("tokyo").map(({ name }) => name));
  world.run(boundMs);
  return world;
}

const steps = (agent: Agent) => agent.events("takeover").map(({ fields }) => fields["step"]);
const roles = (agent: Agent) => agent.events("role").map(({ fields }) => fields["role"]);
const term = (world: World, host: string) => Number(world.agent(host).state.term);

test("while one host of the other site beats on any path it is refused: 107", () => {
  const world = well();
  assert.is(world.takeover("osaka-1"), 107);
  assert.match(world.agent("osaka-1").answers.at(-1)?.message ?? "", /tokyo-1 \(row 1\)/);
  world.cut(true);
  world.run(boundMs);
  assert.is(world.takeover("osaka-1"), 107);
  assert.match(world.agent("osaka-1").answers.at(-1)?.message ?? "", /tokyo-1 \(row 2\)/);
  assert.is(term(world, "osaka-1"), 257, "nothing was raised");
  assert.equal(world.activeSites(), ["tokyo"]);
});

test("right after the start it is refused, before the first read too", () => {
  const world = new World(one);
  world.kill("tokyo-1");
  assert.is(world.takeover("osaka-1", { waitMs: 0 }), 107);
  world.run(1000);
  assert.is(world.takeover("osaka-1", { waitMs: 0 }), 107);
  assert.match(world.agent("osaka-1").answers.at(-1)?.message ?? "", /not watched long enough/);
});

test("a path that was only just switched on is no ground to take over on", () => {
  const world = well();
  world.run(120_000);
  for (const on of [false, true]) {
    world.switch("osaka-1", { kind: "network" }, on);
    world.switch("osaka-1", { kind: "mirror", name: "east" }, on);
  }
  assert.is(world.takeover("osaka-1", { waitMs: 0 }), 107);
  world.run(10_000);
  assert.equal(world.activeSites(), ["tokyo"]);
});

test("a host that comes back after its failure is seen before its row has changed", () => {
  const world = tokyoDead();
  world.run(120_000);
  world.start("tokyo-1");
  for (let i = 0; i < 40; i++) {
    world.run(100);
    const osaka = world.agent("osaka-1");
    const seen = Object.values(osaka.peer("tokyo-1").sightings).some(
      ({ status }) => status === "ok",
    );
    if (!seen) continue;
    assert.is(world.takeover("osaka-1", { waitMs: 0 }), 107, `row ${osaka.row("tokyo-1")}`);
  }
});

test("where no path is switched on nothing can be told: refused", () => {
  const world = tokyoDead();
  world.switch("osaka-1", { kind: "network" }, false);
  world.switch("osaka-1", { kind: "mirror", name: "east" }, false);
  assert.is(world.takeover("osaka-1"), 107);
});

test("a beacon cannot take over; an active site has nothing to take", () => {
  const world = tokyoDead({ ...one, osaka: ["osaka-1", "osaka-b"], beacons: ["osaka-b"] });
  assert.is(world.takeover("osaka-b"), 77);
  assert.is(world.takeover("osaka-1"), 0);
  assert.is(world.takeover("osaka-1"), 0);
  assert.match(world.agent("osaka-1").answers.at(-1)?.message ?? "", /already active/);
  assert.is(term(world, "osaka-1"), 514, "the term was raised once");
});

test("done: stored, published, hook, active -- in this order", () => {
  const world = tokyoDead();
  const osaka = world.agent("osaka-1");
  osaka.forget();
  assert.is(world.takeover("osaka-1"), 0);
  assert.equal(steps(osaka), [
    "begin",
    "term stored",
    "term published",
    "service hook started",
    "done",
  ]);
  assert.equal(roles(osaka), ["transitioning", "active"]);
  assert.equal(
    osaka.hooks.filter((hook) => hook === "takeover"),
    ["takeover"],
  );
  assert.is(osaka.memory.term, 514n);
  assert.equal(world.activeSites(), ["osaka"]);
  // The record that had to be durable first carried the new term.
  const kinds = osaka.outputs
    .flatMap(({ actions }) => actions)
    .filter((action) => action.kind !== "query-pair")
    .map((action) =>
      action.kind === "publish"
        ? `publish ${action.body.term}`
        : action.kind === "run-hook"
          ? `hook ${action.hook}`
          : action.kind,
    );
  const stored = kinds.indexOf("store-term");
  const published = kinds.indexOf("publish 514");
  const hook = kinds.indexOf("hook takeover");
  assert.ok(stored >= 0 && stored < published && published < hook, kinds.slice(stored).join(", "));
});

test("without a hook and without a mirror of its own the stored term is enough", () => {
  const world = new World({ ...one, takeoverHook: false, mirrors: {} });
  world.run(8000);
  world.kill("tokyo-1");
  world.run(boundMs);
  assert.is(world.takeover("osaka-1"), 0);
  assert.equal(steps(world.agent("osaka-1")), ["begin", "term stored", "done"]);
});

test("during a takeover a second command is put off, and the role is not active", () => {
  const world = tokyoDead();
  world.agent("osaka-1").hookMs = 5000;
  assert.is(world.takeover("osaka-1", { waitMs: 3000 }), null);
  assert.is(world.agent("osaka-1").state.role, "transitioning");
  assert.equal(world.activeSites(), []);
  assert.is(world.takeover("osaka-1", { waitMs: 0 }), 75);
  world.run(5000);
  assert.equal(world.activeSites(), ["osaka"]);
});

test("the term cannot be stored: not taken over, and nothing becomes active by itself", () => {
  const world = tokyoDead();
  world.agent("osaka-1").storeOk = false;
  assert.is(world.takeover("osaka-1"), 73);
  world.start("tokyo-1");
  world.run(30_000);
  assert.not(world.activeSites().includes("osaka"));
  assert.equal(
    world.agent("osaka-1").hooks.filter((hook) => hook === "takeover"),
    [],
  );
});

test("no volume takes the record in time: 112, not active, and it can be run again", () => {
  const world = tokyoDead();
  const osaka = world.agent("osaka-1");
  osaka.writesHang = true;
  const limitMs = takeoverPublishLimitMs(timingDefaults);
  assert.is(world.takeover("osaka-1", { waitMs: limitMs - 100 }), null);
  world.run(2000);
  assert.is(osaka.answers.at(-1)?.code, 112);
  assert.equal(world.activeSites(), []);
  assert.equal(
    osaka.hooks.filter((hook) => hook === "takeover"),
    [],
  );
  osaka.writesHang = false;
  assert.is(world.takeover("osaka-1"), 0);
  assert.is(term(world, "osaka-1"), 770, "each attempt raises the term");
});

test("the service hook fails: 112, the term is ours, and only the operator goes on", () => {
  const world = tokyoDead();
  const osaka = world.agent("osaka-1");
  osaka.hookOk = false;
  assert.is(world.takeover("osaka-1"), 112);
  assert.is(term(world, "osaka-1"), 514);
  assert.is.not(osaka.state.role, "active");
  // A fresh peer in our term is no reason to call the service active: it never started.
  world.start("tokyo-1");
  world.run(20_000);
  assert.equal(world.activeSites(), []);
  assert.is(world.agent("tokyo-1").state.role, "standby");
  osaka.hookOk = true;
  assert.is(world.takeover("osaka-1", { force: true }), 0);
  assert.equal(world.activeSites(), ["osaka"]);
  assert.equal(
    osaka.hooks.filter((hook) => hook === "takeover"),
    ["takeover", "takeover"],
  );
});

test("the hook fails under force while the peer is fresh: not active either, and rerun runs it", () => {
  const world = well();
  const osaka = world.agent("osaka-1");
  osaka.hookOk = false;
  assert.is(world.takeover("osaka-1", { force: true }), 112);
  world.run(5000);
  assert.not(world.activeSites().includes("osaka"));
  osaka.hookOk = true;
  assert.is(world.takeover("osaka-1", { force: true }), 0);
  assert.is(osaka.hooks.filter((hook) => hook === "takeover").length, 2);
});

test("by force against a living site: it learns the term, steps down, runs its hook", () => {
  const world = well(two);
  assert.is(world.takeover("osaka-1", { force: true }), 0);
  world.run(3000);
  assert.equal(world.activeSites(), ["osaka"]);
  for (const name of ["tokyo-1", "tokyo-2"]) {
    const tokyo = world.agent(name);
    assert.is(tokyo.state.role, "standby", name);
    assert.equal(
      tokyo.hooks.filter((hook) => hook === "superseded"),
      ["superseded"],
      name,
    );
    assert.ok(tokyo.texts("term").some((text) => /term=514 was=257 owner=osaka/.test(text)));
    assert.is(tokyo.memory.term, 514n, "durable");
  }
});

test("a stop hook that fails keeps the host fenced, and is run again every 5 s until it succeeds", () => {
  const world = well(one);
  const tokyo = world.agent("tokyo-1");
  const stops = () => tokyo.hooks.filter((hook) => hook === "superseded").length;
  tokyo.stopOk = false;
  assert.is(world.takeover("osaka-1", { force: true }), 0);
  world.run(7000);
  assert.is(tokyo.state.role, "fenced");
  assert.ok(stops() >= 2, `${stops()} runs`);
  const before = stops();
  world.run(10_000);
  assert.ok(stops() === before + 1 || stops() === before + 2, `${stops() - before} runs in 10 s`);
  assert.is(world.takeover("tokyo-1", { force: true, waitMs: 0 }), 75, "not before it is stopped");
  tokyo.stopOk = true;
  world.run(8000);
  assert.is(tokyo.state.role, "standby");
  assert.is(tokyo.serviceRuns, false);
  const after = stops();
  world.run(20_000);
  assert.is(stops(), after, "and not again");
});

test("a term that comes back while the service is being stopped is no right to go on", () => {
  const world = well(one);
  const tokyo = world.agent("tokyo-1");
  tokyo.hookMs = 12_000;
  assert.is(world.takeover("osaka-1", { force: true, waitMs: 2500 }), 0);
  assert.is(tokyo.state.role, "fenced");
  world.kill("osaka-1");
  const record = recordOf(9n, { site: 1, slot: 1, hostName: "tokyo-2", term: 769n, role: 2 });
  world.input("tokyo-1", { kind: "probe", wallNs: 0n, mirror: "east", records: [record] } as never);
  world.run(30_000);
  assert.is(tokyo.state.role, "stopped", "osaka-1 is silent, so nothing confirms the term");
  world.start("osaka-1");
  world.run(20_000);
  assert.is(tokyo.state.role, "active");
});

test("a sibling host joins its site once the other one is active", () => {
  const world = tokyoDead(two);
  assert.is(world.takeover("osaka-1"), 0);
  world.run(3000);
  const sibling = world.agent("osaka-2");
  assert.is(sibling.state.role, "active");
  assert.is(sibling.state.term, 514n);
  assert.equal(
    sibling.hooks.filter((hook) => hook === "takeover"),
    [],
    "the hook ran on one host",
  );
});

/** Takeovers at both hosts of osaka, the second one that much later; what they were answered. */
function bothCommanded(laterMs: number, first: string, change: (world: World) => void) {
  const world = new World(two, true);
  world.run(8000);
  world.kill("tokyo-1", "tokyo-2");
  world.run(boundMs);
  const second = first === "osaka-1" ? "osaka-2" : "osaka-1";
  change(world);
  world.input(first, { kind: "takeover", id: 9001, force: false } as never);
  world.run(laterMs);
  world.input(second, { kind: "takeover", id: 9002, force: false } as never);
  world.run(13_000);
  const answers = ["osaka-1", "osaka-2"].flatMap((name) => world.agent(name).answers);
  const served = ["osaka-1", "osaka-2"].filter((name) =>
    world.agent(name).hooks.includes("takeover"),
  );
  return { world, served, codes: answers.map(({ code }) => code).sort((a, b) => a - b) };
}

test("two hosts of one site that are commanded within one interval: one goes on, one gives way", () => {
  const seen = new Set<string>();
  for (const first of ["osaka-1", "osaka-2"]) {
    for (let laterMs = 0; laterMs <= 1100; laterMs += 100) {
      const what = `${first} first, the other ${laterMs} ms later`;
      const { world, served, codes } = bothCommanded(laterMs, first, () => undefined);
      assert.equal(codes, [0, 75], what);
      assert.is(served.length, 1, `${what}: ${served.join(" and ")} ran the hook`);
      assert.is(world.agent(served[0] ?? "").state.servesHere, true, what);
      seen.add(served[0] ?? "");
    }
  }
  assert.equal([...seen].sort(), ["osaka-1", "osaka-2"], "whoever looked first went on");
});

test("and if one of the two falls silent half-way, the other one does not wait for ever", () => {
  for (const fallen of ["osaka-1", "osaka-2"]) {
    const { world, served } = bothCommanded(10, "osaka-1", (w) => {
      const before = w.onStep;
      w.onStep = (agent, ...rest) => {
        before(agent, ...rest);
        if (agent.name === fallen && agent.state.takeover?.phase === "locking") w.kill(fallen);
      };
    });
    assert.not.ok(world.agent(fallen).alive, "it came so far");
    assert.ok(served.length <= 1);
    const other = world.agent(fallen === "osaka-1" ? "osaka-2" : "osaka-1");
    const [answer] = other.answers;
    assert.ok(answer && [0, 75, 112].includes(answer.code), `answered: ${answer?.message}`);
    assert.is(world.takeover(other.name), 0, "the command may be given again");
  }
});

test("a returning production finds the higher term and stays down", () => {
  const world = tokyoDead(two);
  world.takeover("osaka-1");
  world.run(5000);
  for (const name of ["tokyo-1", "tokyo-2"]) world.start(name);
  world.run(20_000);
  assert.equal(world.activeSites(), ["osaka"]);
  for (const name of ["tokyo-1", "tokyo-2"]) {
    assert.equal(roles(world.agent(name)).at(-1), "standby");
    assert.not(roles(world.agent(name)).includes("active"));
  }
});

test("a returning production that sees nobody waits, however long, and silence never ends it", () => {
  const world = tokyoDead(two);
  world.cut(true);
  world.link("west", false);
  world.takeover("osaka-1");
  world.run(5000);
  for (const name of ["tokyo-1", "tokyo-2"]) world.start(name);
  world.run(200_000);
  for (const name of ["tokyo-1", "tokyo-2"]) assert.is(world.agent(name).state.role, "starting");
  assert.equal(world.activeSites(), ["osaka"]);
});

test("what a mended link brings late proves nothing: the backlog of the time before", () => {
  const world = well(two);
  // osaka's records wait in the link for a while, still in the first term; then it takes over.
  world.link("west", false);
  world.cut(true);
  world.run(20_000);
  world.kill("tokyo-1", "tokyo-2");
  world.run(boundMs);
  assert.is(world.takeover("osaka-1"), 0);
  world.run(1000);
  for (const name of ["tokyo-1", "tokyo-2"]) world.start(name);
  world.run(3000);
  world.link("west", true);
  for (let i = 0; i < 200; i++) {
    world.run(100);
    assert.equal(world.activeSites(), ["osaka"], `${i / 10} s after the link was mended`);
  }
  assert.is(world.agent("tokyo-1").state.role, "standby");
});

test("the last records of a dead sibling do not make a host active", () => {
  // Both hosts of tokyo die while active, osaka takes over, one host of tokyo returns, cut off.
  const world = tokyoDead(two);
  world.cut(true);
  world.link("west", false);
  world.takeover("osaka-1");
  world.run(5000);
  world.start("tokyo-1");
  world.run(30_000);
  assert.is(world.agent("tokyo-1").state.role, "starting");
  assert.equal(world.activeSites(), ["osaka"]);
});

test("the same with two mirrors, whose last records differ", () => {
  const mirrors = { east: "tokyo>osaka", east2: "tokyo>osaka", west: "osaka>tokyo" } as const;
  const world = well({ ...two, mirrors });
  // The last write of tokyo-2 to the second mirror is older than that to the first.
  const old = new Map(world.volume("east2").pvol);
  world.run(5000);
  world.kill("tokyo-1", "tokyo-2");
  for (const [block, bytes] of old) world.volume("east").pvol.set(block, bytes);
  world.run(boundMs);
  world.cut(true);
  world.link("west", false);
  world.takeover("osaka-1");
  world.run(5000);
  world.start("tokyo-1");
  world.run(30_000);
  assert.is(world.agent("tokyo-1").state.role, "starting");
});

test("both sites start cold: the owner of the highest term becomes active, the other does not", () => {
  const world = tokyoDead(two);
  world.takeover("osaka-1");
  world.run(3000);
  world.kill("osaka-1", "osaka-2");
  world.run(5000);
  for (const name of world.agents.keys()) world.start(name);
  world.run(20_000);
  assert.equal(world.activeSites(), ["osaka"]);
});

test("a site whose memory was lost finds the term on the other side", () => {
  const world = tokyoDead(two);
  world.takeover("osaka-1");
  world.run(3000);
  for (const name of ["tokyo-1", "tokyo-2"]) world.start(name, { blank: true });
  world.run(20_000);
  assert.equal(world.activeSites(), ["osaka"]);
  assert.is(world.agent("tokyo-1").state.term, 514n);
});

test("both sites take over at once, blind to each other: the higher term wins, the other undoes", () => {
  const world = well(one);
  world.cut(true);
  world.link("east", false);
  world.link("west", false);
  world.run(boundMs);
  assert.is(world.takeover("osaka-1"), 0);
  assert.equal(world.activeSites(), ["tokyo", "osaka"], "the operator's word was wrong");
  world.cut(false);
  world.run(5000);
  assert.equal(world.activeSites(), ["osaka"]);
  assert.equal(
    world.agent("tokyo-1").hooks.filter((hook) => hook === "superseded"),
    ["superseded"],
  );
});

test("a higher term that is found before the hook began ends the takeover: no hook", () => {
  const world = well(one);
  const [tokyo, osaka] = [world.agent("tokyo-1"), world.agent("osaka-1")];
  // tokyo was superseded, wants back, and cannot write; meanwhile osaka raises the term again.
  assert.is(world.takeover("osaka-1", { force: true }), 0);
  world.run(3000);
  tokyo.writesHang = true;
  world.input("tokyo-1", { kind: "takeover", id: 9001, force: true } as never);
  world.run(1500);
  assert.is(tokyo.state.role, "transitioning");
  assert.is(osaka.state.role, "standby", "osaka saw the term that tokyo raised");
  assert.is(world.takeover("osaka-1", { force: true }), 0);
  world.run(2000);
  tokyo.writesHang = false;
  world.run(20_000);
  assert.equal(
    tokyo.hooks.filter((hook) => hook === "takeover"),
    [],
  );
  const answer = tokyo.answers.find(({ id }) => id === 9001);
  assert.is(answer?.code, 107);
  assert.match(answer?.message ?? "", /osaka took the term/);
  assert.equal(world.activeSites(), ["osaka"]);
});

test("a higher term that is found while the hook runs: it is undone, and not called done", () => {
  const world = well(one);
  const tokyo = world.agent("tokyo-1");
  assert.is(world.takeover("osaka-1", { force: true }), 0);
  world.run(3000);
  const superseded = tokyo.hooks.filter((hook) => hook === "superseded").length;
  tokyo.hookMs = 20_000;
  world.input("tokyo-1", { kind: "takeover", id: 9001, force: true } as never);
  world.run(4000);
  assert.is(tokyo.state.takeover?.phase, "hook");
  assert.is(world.takeover("osaka-1", { force: true }), 0);
  world.run(20_000);
  assert.is(tokyo.state.role, "fenced", "what was started is being stopped");
  world.run(20_000);
  assert.is(tokyo.answers.find(({ id }) => id === 9001)?.code, 107);
  assert.is(tokyo.hooks.filter((hook) => hook === "superseded").length, superseded + 1);
  assert.is(tokyo.state.role, "standby");
  assert.equal(world.activeSites(), ["osaka"]);
});

test("an active word of a sibling counts in its own term only", () => {
  const world = tokyoDead(two);
  assert.is(world.takeover("osaka-1"), 0);
  world.run(3000);
  assert.is(world.agent("osaka-2").state.role, "active");
  // tokyo comes back and is given the service again, by force.
  for (const name of ["tokyo-1", "tokyo-2"]) world.start(name);
  world.run(5000);
  assert.is(world.takeover("tokyo-1", { force: true }), 0);
  world.run(3000);
  assert.is(world.agent("osaka-2").state.role, "standby");
  // osaka-2 tries, its hook fails: its old knowledge of osaka-1 must not make it active.
  world.kill("osaka-1");
  world.agent("osaka-2").hookOk = false;
  assert.is(world.takeover("osaka-2", { force: true }), 112);
  world.run(5000);
  assert.is.not(world.agent("osaka-2").state.role, "active");
});

test("a sibling's active word ends with its term, though the term comes back to this site", () => {
  let state = begin({
    config: configFor("osaka-2"),
    timingDigest: 0,
    incarnation: 1n,
    bootId: "b0070000-0000-4000-8000-000000000001",
    term: 514n,
    halfDone: false,
    nowMs: 0,
    marks: {},
    switches: allOn,
  });
  const sibling = (serial: bigint, term: bigint, role: number) => {
    const record = recordOf(serial, { site: 2, slot: 0, hostName: "osaka-1", term, role });
    state = step(state, { kind: "sibling", nowMs: Number(serial), record }).state;
  };
  const peer = (serial: bigint, term: bigint) => {
    const [beganMs, endedMs] = [500 + Number(serial), 500 + Number(serial)];
    const records = [{ record: recordOf(serial, { term }), echoes: [] }];
    const read = { kind: "good", beganMs, endedMs } as const;
    state = step(state, { kind: "network-read", nowMs: endedMs, read, records }).state;
  };
  sibling(1n, 514n, 1);
  assert.is(state.role, "starting", "one record may be old");
  sibling(2n, 514n, 1);
  assert.is(state.role, "active");
  peer(1n, 769n);
  assert.is(state.role, "fenced");
  state = step(state, {
    kind: "hook-ended",
    nowMs: 600,
    hook: "superseded",
    ok: true,
    detail: "",
  }).state;
  assert.is(state.role, "standby");
  // tokyo tells that osaka owns the term again; nobody of osaka has said that it is active.
  peer(2n, 1026n);
  assert.equal([state.term, state.role], [1026n, "standby"]);
  sibling(3n, 1026n, 3);
  assert.is(state.role, "standby", "it is still taking over");
  sibling(4n, 1026n, 1);
  assert.is(state.role, "active");
});

test("a record from before the term was stored does not count as published", () => {
  const world = tokyoDead();
  const osaka = world.agent("osaka-1");
  osaka.writesHang = true;
  world.input("osaka-1", { kind: "takeover", id: 9001, force: false } as never);
  world.run(20);
  assert.is(osaka.state.takeover?.phase, "publishing");
  const { serial } = osaka.state;
  world.input("osaka-1", { kind: "published", mirror: "west", serial } as never);
  assert.is(osaka.state.takeover?.phase, "publishing", "it was written before");
  world.input("osaka-1", { kind: "published", mirror: "west", serial: serial + 1n } as never);
  assert.is(osaka.state.takeover?.phase, "hook");
});

test("planned departure of all hosts needs no force", () => {
  const world = well(one);
  world.input("tokyo-1", { kind: "stop" } as never);
  world.run(1500);
  world.kill("tokyo-1");
  world.run(3000);
  assert.is(world.agent("osaka-1").row("tokyo-1"), "0c");
  assert.is(world.takeover("osaka-1"), 0);
});

test("hook ends and late confirmations that nobody waits for change nothing", () => {
  const world = well(one);
  const osaka = world.agent("osaka-1");
  const before = osaka.state;
  world.input("osaka-1", {
    kind: "hook-ended",
    hook: "takeover",
    ok: true,
    detail: "exit 0",
  } as never);
  world.input("osaka-1", { kind: "published", mirror: "west", serial: 99n } as never);
  const durable = { ...durableOf(before), term: 999n };
  world.input("osaka-1", { kind: "term-stored", durable, ok: true } as never);
  assert.is(osaka.state.role, "standby");
  assert.equal(osaka.state.takeover, before.takeover);
  assert.is(osaka.state.term, before.term);
});

test("the same term, stored for another reason, is not taken for the takeover's own store", () => {
  const world = new World({ takeoverHook: true });
  world.run(8000);
  world.kill("tokyo-1", "tokyo-2");
  world.run(20_000);
  const osaka = world.agent("osaka-1");
  world.input("osaka-1", { kind: "takeover", id: 77, force: false } as never);
  const { takeover, term } = osaka.state;
  assert.is(takeover?.phase, "storing");
  const durable = {
    term: takeover?.term ?? 0n, halfDone: false, serving: false, grantedTerm: 0n, grantedSite: 0,
    givenSite: 0, blank: false,
  }; // biome-ignore format: one list
  world.input("osaka-1", { kind: "term-stored", durable, ok: true } as never);
  assert.equal([osaka.state.takeover?.phase, osaka.state.term], ["storing", term]);
  world.input("osaka-1", {
    kind: "term-stored",
    durable: { ...durable, halfDone: true },
    ok: true,
  } as never);
  assert.is(osaka.state.takeover?.phase, "publishing");
});

test.run();
