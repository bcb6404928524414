/**
 * Each of these checkers bites: in a world with a deliberate wrong, done where an agent would do it,
 * it speaks; and in a history with faults and no wrong, it had its occasions and is silent.
 */
import { readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Input, State } from "../../core/step/state.ts";
import type { CheckerKind } from "../checker.ts";
import { faultNamed } from "../faults/all.ts";
import type { Watched } from "../observation.ts";
import { type Outcome, runScenario } from "../run.ts";
import type { ScenarioStep } from "../scenario.ts";
import { setupNamed } from "../setups.ts";
import type { SimulatedWorld } from "../world.ts";
import { commanded } from "./commanded.ts";
import { installed } from "./installed.ts";
import { marks } from "./marks.ts";
import { leftBy, reasons } from "./reasons.ts";
import { groupBy, lookedUp, row, table } from "./row.ts";

type Wrong = (world: SimulatedWorld) => void;
type Wish = {
  readonly setup?: string;
  readonly steps?: readonly ScenarioStep[];
  readonly wrong?: Wrong;
};

/** When all is well, and has been for longer than any bound. */
const wrongMs = 120_000;
const kinds = [row, reasons, marks, commanded, installed];

function run(checkers: readonly CheckerKind[], wish: Wish): Promise<Outcome> {
  const { setup = "pair", steps = [], wrong } = wish;
  const config = setupNamed(setup)?.config;
  if (!config) throw new Error(`assertion failed: ${setup} is a set-up`);
  const watch = (world: SimulatedWorld) => {
    if (wrong) world.time.after(wrongMs, () => wrong(world));
    return () => undefined;
  };
  const scenario = { setup, seed: 1, rates: {}, steps, runMs: wrongMs + 60_000 };
  return runScenario(scenario, config, { checkers, watch });
}

async function bites(kind: CheckerKind, wish: Wish, says: RegExp): Promise<void> {
  const { violations } = await run([kind], wish);
  assert.is(violations.length > 0, true, `${kind.name} is silent`);
  assert.match(violations[0]?.text ?? "", says);
}

type Step = Extract<Watched, { kind: "step" }>;

/** As if osaka-1 had made that step. */
const stepping =
  (change: (state: State) => Partial<Omit<Step, "kind" | "host">>): Wrong =>
  (world) => {
    const { state } = world.host("osaka-1");
    if (!state) throw new Error("assertion failed: osaka-1 runs");
    const input: Input = { kind: "tick", nowMs: state.nowMs };
    const rest = { before: state, input, after: state, actions: [], ...change(state) };
    world.watch({ kind: "step", host: "osaka-1", ...rest });
  };

const fault = (name: string, target: string, atMs: number, forMs: number): ScenarioStep => ({
  atMs,
  forMs,
  fault: name,
  target,
});

test("row: the table here is that of docs/safety.md", () => {
  const text = readFileSync("docs/safety.md", "utf8").split("<!-- end of table -->")[0] ?? "";
  const shown = text
    .split("\n")
    .filter((line) => /^\| \d+[a-c]? \|/.test(line))
    .map((line) => line.slice(2, -2).split(" | "))
    .map((cells) => [...cells.slice(0, 6), cells[7]].join(" | "));
  assert.equal(shown, [...table]);
});

test("row: looked up, and of a group", () => {
  const silent = {
    network: "lost",
    mirror: "stale",
    pair: "paired",
    observer: "fit",
    link: "open",
    word: "running",
  } as const;
  const one = (change: object, arbiter = "none") => lookedUp({ ...silent, ...change }, arbiter);
  assert.equal(one({}), { row: "9", action: "hold" });
  assert.equal(one({}, "grant"), { row: "9", action: "eligible" });
  assert.equal(one({ link: "proven" }), { row: "8", action: "eligible" });
  assert.equal(one({ link: "proven" }, "deny"), { row: "8", action: "hold" });
  assert.equal(one({ pair: "copying" }), { row: "7", action: "hold" });
  assert.equal(one({ observer: "unfit", pair: "copying" }), { row: "5", action: "hold" });
  assert.equal(one({ mirror: "ok" }), { row: "2", action: "notify" });
  assert.equal(one({ word: "failed" }), { row: "9", action: "hold" });
  assert.equal(one({ word: "failed", network: "ok" }), { row: "0b", action: "notify" });
  assert.equal(one({ word: "given-away" }), { row: "0", action: "eligible" });
  const [alive, gone] = [one({ network: "ok", mirror: "ok" }), one({ link: "proven" })];
  assert.equal(groupBy([gone, alive], 1), alive);
  assert.equal(groupBy([gone, alive], 2), { row: "8", action: "hold" });
  assert.equal(groupBy([gone, gone], 1), gone);
});

test("row: a verdict and a group's verdict that are not the table's", async () => {
  const verdict = { row: "9", verdict: "", action: "eligible" } as const;
  const host = stepping((state) => ({
    after: { ...state, peers: state.peers.map((peer) => ({ ...peer, verdict })) },
  }));
  await bites(row, { wrong: host }, /says row 9 .eligible. of tokyo-1, and the table row 1/);
  const group = stepping((state) => ({ after: { ...state, groups: { tokyo: verdict } } }));
  await bites(row, { wrong: group }, /says row 9 .eligible. of tokyo, and the rule row 1/);
});

test("row: a verdict that outlives its evidence", async () => {
  const silent = (state: State, laterMs: number): State => ({
    ...state,
    nowMs: state.nowMs + laterMs,
    peers: state.peers.map((peer) => ({
      ...peer,
      sightings: Object.fromEntries(
        Object.entries(peer.sightings).map(([path, one]) => [path, { ...one, status: "stale" }]),
      ),
    })),
  });
  const read = (laterMs: number): Wrong =>
    stepping((state) => {
      const after = silent(state, laterMs);
      const read = { kind: "failed", endedMs: after.nowMs, failure: "" } as const;
      return { after, input: { kind: "network-read", nowMs: after.nowMs, read, records: [] } };
    });
  const kept =
    (...timesMs: readonly number[]): Wrong =>
    (world) => {
      for (const laterMs of timesMs) read(laterMs)(world);
    };
  await bites(row, { wrong: kept(0, 60_000) }, /keeps row 1 .none. of tokyo-1 for 60000 ms/);
  const { violations } = await run([row], { wrong: kept(0, 1000) });
  assert.equal(violations, []);
});

test("reasons: a reason that nothing gave, and one that a fault did", async () => {
  const rejected = (reason: "forged" | "checksum"): Wrong =>
    stepping(({ nowMs }) => ({ input: { kind: "rejected", nowMs, path: "east", reason } }));
  await bites(reasons, { wrong: rejected("forged") }, /calls a record on east forged/);
  const torn = [fault("write-torn", "tokyo-1:east", 30_000, 20_000)];
  await bites(reasons, { wrong: rejected("forged"), steps: torn }, /calls a record on east forged/);
  const { violations, coverage } = await run([reasons], {
    wrong: rejected("checksum"),
    steps: torn,
  });
  assert.equal(violations, []);
  assert.is((coverage.checkers["reasons: reason told"] ?? 0) > 1, true);
});

test("reasons: every fault that it names is one", () => {
  const unknown = Object.keys(leftBy).filter((name) => faultNamed(name) === null);
  assert.equal(unknown, []);
});

test("marks: a first sight below what was stored", async () => {
  const wrong: Wrong = (world) => {
    const one = world.host("osaka-1");
    const at = { incarnation: 1_000n, serial: 1n };
    const stored = { ...one.memory, marks: { "tokyo-1 east": at, "tokyo-1 network": at } };
    Object.defineProperty(one, "memory", { value: stored });
    world.watch({ kind: "agent", host: "osaka-1", what: "begins", reason: "" });
    stepping((state) => {
      const peers = state.peers.map((peer) => ({
        ...peer,
        sightings: Object.fromEntries(
          Object.entries(peer.sightings).map(([path, one]) => [path, { ...one, position: null }]),
        ),
      }));
      return { before: { ...state, peers } };
    })(world);
  };
  await bites(marks, { wrong }, /osaka-1 begins anew with tokyo-1 .* though it had stored 1000\/1/);
});

test("commanded: a takeover without force beside a host that beats", async () => {
  const taking = (force: boolean): Wrong =>
    stepping((state) => ({
      input: { kind: "takeover", nowMs: state.nowMs, id: 1, force },
      after: {
        ...state,
        takeover: {
          id: 1, term: state.term + 257n, phase: "storing", by: "operator", attested: "",
          waitUntilMs: null, serial: 0n, deadlineMs: 0,
        }, // biome-ignore format: one list
      },
    }));
  await bites(commanded, { wrong: taking(false) }, /takes over at an operator's word/);
  const { violations } = await run([commanded], { wrong: taking(true) });
  assert.equal(violations, []);
});

test("installed: what is not in the file; removed at one end alone", async () => {
  const removed = ({ devices }: State) => ({
    ...devices,
    registrations: Object.fromEntries(
      Object.entries(devices.registrations).filter(([mirror]) => mirror !== "west"),
    ),
  });
  const command = { number: 77n, kind: "deactivate", mirror: "west" } as const;
  const issuing = (state: State): State => ({
    ...state,
    installation: {
      command, issuer: true, phase: "announcing", waiting: null, fault: null, retryMs: 0,
      acknowledged: [], volumeId: null,
    },
  }); // biome-ignore format: one list
  const forgets = stepping((state) => ({
    before: issuing(state),
    after: { ...issuing(state), storing: removed(state) },
    actions: [{ kind: "store-devices", devices: removed(state) }],
  }));
  await bites(installed, { wrong: forgets }, /removes west, which no host of tokyo has removed/);
  const gone: Wrong = (world) => {
    const { agent, state } = world.host("osaka-1");
    if (agent && state) Reflect.set(agent, "current", { ...state, devices: removed(state) });
    if (agent) Reflect.set(agent, "install", () => Promise.resolve({ code: 69, message: "no" }));
  };
  await bites(installed, { wrong: gone }, /west is removed at osaka-1, after all faults/);
});

test("all are silent in a good history, and had their occasions", async () => {
  const steps = [
    fault("write-torn", "tokyo-1:east", 20_000, 10_000),
    fault("agent-kill", "osaka-1", 40_000, 2000),
    fault("mirror-removed", "east-2", 60_000, 20_000),
    fault("takeover-living", "osaka-1", 100_000, 1),
    fault("power-cut", "tokyo-1", 110_000, 30_000),
  ];
  const { violations, coverage } = await run(kinds, { setup: "pair-two-mirrors", steps });
  assert.equal(violations, []);
  const beacons = [fault("power-cut", "tokyo-1", 30_000, 100_000)];
  const row8 = await run(kinds, { setup: "four-beacon", steps: beacons });
  assert.equal(row8.violations, []);
  const met = { ...row8.coverage.checkers, ...coverage.checkers };
  const missed = kinds.flatMap(({ name, cases = [] }) =>
    cases.map((one) => `${name}: ${one}`).filter((key) => (met[key] ?? 0) === 0),
  );
  assert.equal(
    missed,
    ["row: row 8 told"].filter((key) => (row8.coverage.checkers[key] ?? 0) === 0),
  );
});

test.run();
