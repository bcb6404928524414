// test-limit-seconds: 120
/**
 * Properties of step() as a whole: it is pure, terms only rise, and who may be active.
 *
 * What this first form holds, and what it does not:
 *  - A site is active only in a term of its own, and becomes so only (a) by a command, (b) from
 *    `starting`, when a peer's record answers this very start in no higher term, or (c) after a
 *    host of the same site that beats. Silence alone never makes anybody active.
 *  - Two sites are never active at once while each takeover is commanded truly: no host of the
 *    other site runs at that moment.
 *  - A takeover of a site that lives but cannot be seen (or by force) may make two. That is the
 *    operator's word; it ends once a record of the higher term arrives: one site is active then.
 */
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { configFor } from "../testing/core-config.ts";
import { clusterId, recordValues, sectorOf, volumeId } from "../testing/core-samples.ts";
import { deepFreeze, World } from "../testing/core-world.ts";
import { ownerOf } from "./decision.ts";
import { decodeSector } from "./sector/codec.ts";
import type { HeartbeatRecord } from "./sector/layout.ts";
import { step } from "./step.ts";
import { allOn, begin, type Setup } from "./step/begin.ts";
import { nextDeadlineMs } from "./step/judge.ts";
import type { Input, State } from "./step/state.ts";

const seed = Number(process.env["TEST_SEED"] ?? 20_261_122);

// ---- Random inputs, sensible and not

const small = fc.bigInt({ min: 1n, max: 6n });
const record = fc
  .record(
    {
      site: fc.constantFrom(1, 2),
      slot: fc.constantFrom(0, 1),
      incarnation: small,
      serial: small,
      term: fc.constantFrom(257n, 513n, 514n, 769n, 770n, 1025n),
      state: fc.constantFrom(1, 1, 1, 2, 3, 4, 5),
      role: fc.constantFrom(0, 1, 2, 3, 4, 5),
      flags: fc.constantFrom(0, 2, 4, 32, 1 + 64, 128),
      lockEpoch: fc.constantFrom(0, 1, 2),
      handoverTerm: fc.constantFrom(0n, 0n, 0n, 514n, 770n, 769n),
      handoverSite: fc.constantFrom(0, 1, 2),
    },
    { noNullPrototype: true },
  )
  .map((changes) => {
    const hostName = `${changes.site === 1 ? "tokyo" : "osaka"}-${changes.slot + 1}`;
    const values = recordValues({ clusterId, volumeId, ...changes, hostName });
    return decodeSector("record", sectorOf("record", values));
  });

const echoOf = (of: HeartbeatRecord, peerSite: number, incarnation: bigint) => {
  const entry = { incarnation, serial: 1n, nonce: 1n, receipt: 0 };
  const lags = {
    lag0: 0,
    lag1: 0,
    lag2: 255,
    lag3: 255,
    lag4: 255,
    lag5: 255,
    lag6: 255,
    lag7: 255,
  };
  const place = { version: 0, medium: 1, copy: 0, features: 0, clusterId, volumeId, block: 8 };
  return decodeSector("echo", sectorOf("echo", {
    ...place, slot: of.slot, site: of.site, index: 1, incarnation: of.incarnation,
    serial: of.serial, term: of.term, firstPeer: 0, count: 1, peerSite, echoes: [{ ...entry, ...lags }],
  })); // biome-ignore format: one sector
};

/** All hosts beat, in one term, and answer that start of the host of the other site. */
function allBeat(serial: bigint, term: bigint, incarnation: bigint): object {
  const records = [1, 1, 2, 2].map((site, index) => {
    const slot = index % 2;
    const hostName = `${site === 1 ? "tokyo" : "osaka"}-${slot + 1}`;
    const changes = { site, slot, hostName, serial, term, incarnation: 6n, role: 2 };
    const values = recordValues({ clusterId, volumeId, ...changes });
    const each = decodeSector("record", sectorOf("record", values));
    return { record: each, echoes: [echoOf(each, 3 - site, incarnation)] };
  });
  return { kind: "network-read", records };
}

const peersBeat = fc
  .tuple(
    fc.bigInt({ min: 1n, max: 30n }),
    fc.constantFrom(257n, 257n, 257n, 514n, 769n),
    fc.constantFrom(3n, 3n, 3n, 2n),
  )
  .map(([serial, term, incarnation]) => ({ ...allBeat(serial, term, incarnation) }));

const ourSite = fc.constantFrom(1, 1, 2);
/** Incarnation of the host in `setupOf`, more often than not. */
const ourStart = fc.constantFrom(3n, 3n, 3n, 2n, 4n);

/** An input without its time; `gap` is how long after the one before. */
const partial: fc.Arbitrary<Record<string, unknown>> = fc.oneof(
  fc.constant({ kind: "beat", wallNs: 0n, bootNs: 0n, nonce: 1n }),
  fc.tuple(fc.array(record, { maxLength: 2 }), ourSite, ourStart).map(([records, peerSite, incarnation]) => ({
    kind: "network-read",
    records: records.map((each) => ({ record: each, echoes: [echoOf(each, peerSite, incarnation)] })),
  })),
  fc.tuple(fc.constantFrom("east", "west"), fc.option(record), ourSite, ourStart).map(([mirror, each, peerSite, incarnation]) => ({
    kind: "mirror-read",
    mirror,
    seen: each ? [{ slot: each.slot, reading: { kind: "record", record: each, damaged: null }, echoes: [echoOf(each, peerSite, incarnation)] }] : [],
  })),
  fc.constantFrom("east", "west").map((mirror) => ({ kind: "mirror-read", mirror, seen: [{ slot: 0, reading: { kind: "rejected", reason: "forged" }, echoes: [] }] })),
  fc.constantFrom("east", "west").map((mirror) => ({ kind: "failed-read", mirror })),
  record.map((each) => ({ kind: "sibling", record: each })),
  fc.tuple(fc.boolean(), fc.nat(3)).map(([force, id]) => ({ kind: "takeover", id, force })),
  fc.tuple(fc.constantFrom(257n, 514n, 770n, 1026n), fc.boolean(), fc.boolean(), fc.boolean()).map(([term, ok, halfDone, serving]) => ({ kind: "term-stored", durable: { term, halfDone, serving, grantedTerm: 0n, grantedSite: 0, givenSite: 0, blank: false }, ok })),
  peersBeat, peersBeat, peersBeat,
  fc.constant({ kind: "tick" }),
  fc.bigInt({ min: 0n, max: 40n }).map((afterSerial) => ({ kind: "looked", mirror: "west", afterSerial })),
  fc.nat(3).map((id) => ({ kind: "switchover", id, to: "osaka", repair: false })),
  fc.tuple(fc.constantFrom("data-taken", "data-checked"), fc.constantFrom(257n, 514n), fc.boolean()).map(([kind, term, ok]) => ({ kind, term, ok, detail: "x" })),
  fc.bigInt({ min: 0n, max: 40n }).map((serial) => ({ kind: "published", mirror: "west", serial })),
  fc.tuple(fc.constantFrom("takeover", "superseded", "verdict"), fc.boolean()).map(([hook, ok]) => ({ kind: "hook-ended", hook, ok, detail: "x" })),
  fc.tuple(fc.constantFrom({ kind: "network" }, { kind: "mirror", name: "east" }, { kind: "host", name: "tokyo-1" }, { kind: "host", name: "osaka-1" }), fc.boolean()).map(([target, on]) => ({ kind: "switch", target, on })),
  fc.constantFrom("paired", "split", "suspended", "unknown").map((state) => ({ kind: "pair", mirror: "east", state })),
  fc.constant({ kind: "rejected", path: "east", reason: "checksum" }),
  fc.constant({ kind: "farewell", wallNs: 0n, bootNs: 0n, nonce: 1n, paths: ["network"], onlyTo: null }),
); // biome-ignore format: one kind a line

const inputs: fc.Arbitrary<Input[]> = fc
  .array(fc.tuple(fc.constantFrom(0, 5, 100, 500, 1000, 9000), partial), {
    minLength: 1,
    maxLength: 60,
  })
  .map((some) => {
    let nowMs = 1000;
    return some.map(([gap, given]) => {
      nowMs += gap;
      if (given["kind"] === "failed-read") {
        const read = { kind: "failed", endedMs: nowMs, failure: "EIO" };
        return { kind: "mirror-read", mirror: given["mirror"], nowMs, read, seen: [] };
      }
      const read = { kind: "good", beganMs: nowMs - 1, endedMs: nowMs };
      return { nowMs, read, ...given };
    }) as unknown as Input[];
  });

const setupOf = (host: string): Setup => ({
  config: configFor(host, { takeoverHook: true }),
  timingDigest: 1,
  incarnation: 3n,
  bootId: "b0070000-0000-4000-8000-000000000001",
  term: null,
  halfDone: false,
  nowMs: 1000,
  marks: {},
  switches: allOn,
});
const setups = ["tokyo-1", "osaka-1"].map((host) => deepFreeze(setupOf(host)));
const someSetup = fc.constantFrom(...setups);

/** Steps through the inputs, with a look at each step. */
function walk(
  setup: Setup,
  some: readonly Input[],
  look: (before: State, input: Input, after: State) => void,
): void {
  let state = deepFreeze(begin(setup));
  for (const input of some) {
    const after = deepFreeze(step(state, deepFreeze(input)).state);
    look(state, input, after);
    state = after;
  }
}

test("terms, the clock, our serial and the marks of peers never fall, whatever comes in", () => {
  fc.assert(
    fc.property(someSetup, inputs, (setup, some) => {
      walk(setup, some, (before, _input, after) => {
        assert.ok(after.term >= before.term, "term");
        assert.ok(after.nowMs >= before.nowMs, "clock");
        assert.ok(after.serial >= before.serial, "serial");
      });
    }),
    { numRuns: 1500, seed },
  );
});

test("active means: in a term of our own", () => {
  fc.assert(
    fc.property(someSetup, inputs, (setup, some) => {
      walk(setup, some, (_before, input, after) => {
        if (after.role === "active") assert.is(ownerOf(after.term), after.ownSiteId, input.kind);
      });
    }),
    { numRuns: 1500, seed },
  );
});

test("nobody becomes active by silence, by a beat, a pair state, a switch or a refused sector", () => {
  let seen = 0;
  fc.assert(
    fc.property(someSetup, inputs, (setup, some) => {
      walk(setup, some, (before, input, after) => {
        if (before.role === "active" || after.role !== "active") return;
        seen += 1;
        switch (input.kind) {
          case "mirror-read":
            assert.ok(input.seen.some(({ reading }) => reading.kind === "record"));
            return assert.is(before.role, "starting");
          case "network-read":
            assert.ok(input.records.length > 0);
            return assert.is(before.role, "starting");
          case "sibling":
            return assert.is(input.record.role, 1);
          case "published":
          case "term-stored":
          case "hook-ended":
            return assert.ok(before.takeover !== null);
          default:
            throw new Error(`active by ${input.kind}`);
        }
      });
    }),
    { numRuns: 4000, seed },
  );
  assert.ok(seen >= 20, `the property was put to the test (${seen} times)`);
});

test("a standby begins by a command, after a sibling, or by a term given to it, and by nothing else", () => {
  const withoutCommand = inputs.map((some) =>
    some.filter(({ kind }) => kind !== "takeover" && kind !== "sibling"),
  );
  fc.assert(
    fc.property(withoutCommand, (some) => {
      walk(setups[1] as Setup, some, (before, input, after) => {
        if (before.role !== "standby" || after.role === "standby") return;
        assert.is(after.role, "transitioning", input.kind);
        assert.is(after.takeover?.by, "handover", "a term that was given to us");
      });
    }),
    { numRuns: 1000, seed },
  );
});

test("every command is answered once, or still under way", () => {
  fc.assert(
    fc.property(someSetup, inputs, (setup, some) => {
      let state = begin(setup);
      let asked = 0;
      let answered = 0;
      for (const input of some) {
        const result = step(state, input);
        state = result.state;
        if (input.kind === "takeover" || input.kind === "switchover") asked += 1;
        answered += result.actions.filter(({ kind }) => kind === "answer").length;
      }
      const underWay = state.takeover?.by === "operator" || state.handover !== null;
      assert.is(asked, answered + (underWay ? 1 : 0));
    }),
    { numRuns: 1000, seed },
  );
});

test("the same inputs give the same steps, and no step changes what it was given", () => {
  fc.assert(
    fc.property(someSetup, inputs, (setup, some) => {
      const run = () => {
        let state = deepFreeze(begin(setup));
        return some.map((input) => {
          const result = step(state, deepFreeze(input));
          state = deepFreeze(result.state);
          return result;
        });
      };
      assert.equal(run(), run());
    }),
    { numRuns: 300, seed },
  );
});

test("a whole world replays from its inputs", () => {
  const world = new World({ takeoverHook: true });
  world.run(9000);
  world.link("east", false);
  world.run(9000);
  world.kill("tokyo-1", "tokyo-2");
  world.run(9000);
  world.takeover("osaka-1");
  world.start("tokyo-1");
  world.run(9000);
  for (const [name, agent] of world.agents) {
    const { state, outputs } = world.replay(name);
    assert.equal(outputs, agent.outputs, name);
    assert.equal(state, agent.state, name);
    assert.ok(outputs.length > 20, name);
  }
});

test("time that goes backward is not believed", () => {
  const state = begin(setups[0] as Setup);
  const later = step(state, {
    kind: "pair",
    nowMs: 5000,
    mirror: "east",
    state: "paired",
    facts: null,
  }).state;
  const back = step(later, {
    kind: "pair",
    nowMs: 10,
    mirror: "east",
    state: "split",
    facts: null,
  }).state;
  assert.is(back.nowMs, 5000);
});

test("no deadline is due on a path that nobody watches", () => {
  assert.is(nextDeadlineMs(begin(setups[0] as Setup), "south"), null);
  assert.is(nextDeadlineMs(begin(setups[0] as Setup), "west"), null, "before the first reads");
});

// ---- Random histories of the world

const hosts = ["tokyo-1", "tokyo-2", "osaka-1", "osaka-2"] as const;
type Act = (world: World) => void;
const someHost = fc.constantFrom(...hosts);
const acts: fc.Arbitrary<[string, Act]> = fc.oneof(
  fc.boolean().map((up): [string, Act] => [`network ${up}`, (w) => w.cut(!up)]),
  fc.constantFrom("tokyo>osaka", "osaka>tokyo").map((way): [string, Act] => [`no ${way}`, (w) => void w.cutNetwork.add(way)]),
  fc.tuple(fc.constantFrom("east", "west"), fc.boolean()).map(([name, up]): [string, Act] => [`link ${name} ${up}`, (w) => w.link(name, up)]),
  someHost.map((name): [string, Act] => [`kill ${name}`, (w) => w.agent(name).alive && w.kill(name)]),
  someHost.map((name): [string, Act] => [`start ${name}`, (w) => w.agent(name).alive || void w.start(name)]),
  fc.constantFrom("tokyo", "osaka").map((site): [string, Act] => [`kill ${site}`, (w) => w.kill(...w.site(site).map(({ name }) => name))]),
  someHost.map((name): [string, Act] => [`pause ${name}`, (w) => w.agent(name).alive && w.agent(name).pausedSince === null && w.pause(name)]),
  fc.constant<[string, Act]>(["cut all", (w) => {
    w.cut(true);
    for (const name of w.volumes.keys()) w.link(name, false);
  }]),
  someHost.map((name): [string, Act] => [`resume ${name}`, (w) => w.agent(name).pausedSince !== null && w.resume(name)]),
); // biome-ignore format: one act a line

const other = (site: string) => (site === "tokyo" ? "osaka" : "tokyo");
const truly = (name: string): [string, Act] => [
  `takeover ${name}`,
  (w) => {
    const site = name.slice(0, 5);
    const agent = w.agent(name);
    if (!agent.alive || agent.pausedSince !== null) return;
    // The operator sees to it that the word is true, most often by switching the other site off.
    if (w.nowMs % 3 < 2) w.kill(...w.site(other(site)).map((each) => each.name));
    if (w.site(other(site)).length > 0) return;
    w.run(7000);
    agent.hookMs = w.nowMs % 2 === 0 ? 200 : 6000;
    w.takeover(name, { waitMs: 400 });
  },
];
const blindly = (name: string): [string, Act] => [
  `takeover ${name} blindly`,
  (w) =>
    w.agent(name).alive &&
    w.agent(name).pausedSince === null &&
    void w.takeover(name, { waitMs: 400 }),
];
const histories = (takeover: (name: string) => [string, Act]) =>
  fc.array(
    fc.tuple(
      fc.oneof({ arbitrary: acts, weight: 3 }, { arbitrary: someHost.map(takeover), weight: 1 }),
      fc.constantFrom(100, 900, 3000, 12_000),
    ),
    { minLength: 4, maxLength: 14 },
  );

function heal(world: World): void {
  world.cut(false);
  for (const name of world.volumes.keys()) world.link(name, true);
  for (const agent of [...world.agents.values()]) {
    if (agent.pausedSince !== null) world.resume(agent.name);
    if (!agent.alive) world.start(agent.name);
  }
  world.run(30_000);
}

function live(history: readonly [[string, Act], number][], check: (world: World) => void): World {
  const world = new World({ takeoverHook: true }, true);
  world.onStep = (_agent, before, input) => {
    assert.ok(_agent.state.term >= before.term, `term at ${input.kind}`);
    check(world);
  };
  world.run(8000);
  for (const [[, act], thenMs] of history) {
    act(world);
    world.run(thenMs);
  }
  heal(world);
  return world;
}

const text = (history: readonly [[string, Act], number][]) =>
  history.map(([[name], ms]) => `${name}, ${ms} ms`).join("; ");

function checkHealed(world: World, what: string): void {
  const terms = new Set([...world.agents.values()].map(({ state }) => state.term));
  assert.is(terms.size, 1, `one term: ${what}`);
  const [term = 0n] = terms;
  const owner = ownerOf(term) === 1 ? "tokyo" : "osaka";
  assert.equal(world.activeSites(), [owner], what);
}

let takeovers = 0;
test("takeovers commanded truly: never two active sites, through any faults; and one in the end", () => {
  fc.assert(
    fc.property(histories(truly), (history) => {
      const world = live(history, (w) => {
        assert.ok(w.activeSites().length <= 1, `two active: ${text(history)}`);
      });
      takeovers += [...world.agents.values()]
        .flatMap(({ answers }) => answers)
        .filter(({ code }) => code === 0).length;
      checkHealed(world, text(history));
    }),
    { numRuns: Number(process.env["TEST_RUNS"] ?? 14), seed },
  );
  assert.ok(takeovers >= 8, `takeovers happened: ${takeovers}`);
});

test("takeovers commanded blindly: each term has one owner, and one site is active once all is mended", () => {
  let [two, done] = [0, 0];
  fc.assert(
    fc.property(histories(blindly), (history) => {
      const world = live(history, (w) => {
        if (w.activeSites().length > 1) two += 1;
        for (const agent of w.agents.values()) {
          if (agent.state.role === "active")
            assert.is(ownerOf(agent.state.term), agent.state.ownSiteId);
        }
      });
      done += [...world.agents.values()]
        .flatMap(({ answers }) => answers)
        .filter(({ code }) => code === 0).length;
      checkHealed(world, text(history));
    }),
    { numRuns: Number(process.env["TEST_RUNS"] ?? 20), seed },
  );
  assert.ok(two > 0, `a wrong word made two sites active at least once (${done} takeovers)`);
});

test.run();
