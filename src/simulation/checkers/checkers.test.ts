/**
 * Each checker bites: in a world with a deliberate wrong, done where an agent or a machine would do
 * it, it speaks; and in a history with faults and no wrong, it had its occasions and is silent.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { encodeDatagram } from "../../agent/seal.ts";
import { decodeSector } from "../../core/sector/codec.ts";
import { sectorBytes } from "../../core/sector/layout.ts";
import { recordBody } from "../../core/step/publish.ts";
import type { State } from "../../core/step/state.ts";
import type { CheckerKind } from "../checker.ts";
import { crc32c, macOf } from "../checksum.ts";
import type { FaultLog } from "../fault-log.ts";
import type { Watched } from "../observation.ts";
import { type Outcome, runScenario } from "../run.ts";
import type { ScenarioStep } from "../scenario.ts";
import { setupNamed } from "../setups.ts";
import type { SimulatedWorld } from "../world.ts";
import { checkers } from "./all.ts";
import { agree } from "./agree.ts";
import { belief } from "./belief.ts";
import { detection } from "./detection.ts";
import { falseAlarm } from "./false-alarm.ts";
import { linkTakeover } from "./link-takeover.ts";
import { noticesOnce } from "./notices-once.ts";
import { order } from "./order.ts";
import { selfFence } from "./self-fence.ts";
import { terms } from "./terms.ts";
import { twoActive } from "./two-active.ts";
import { writes } from "./writes.ts";

type Wrong = (world: SimulatedWorld, faults: FaultLog) => void;

/** When all is well, and has been for longer than any bound. */
const wrongMs = 120_000;

type Wish = {
  readonly setup?: string;
  readonly steps?: readonly ScenarioStep[];
  readonly runMs?: number;
  /** Before anything happens. */
  readonly first?: Wrong;
  readonly wrong?: Wrong;
  readonly watch?: (world: SimulatedWorld, watched: Watched) => void;
};

function run(kinds: readonly CheckerKind[], wish: Wish): Promise<Outcome> {
  const { setup = "pair", steps = [], runMs = wrongMs + 60_000, first, wrong } = wish;
  const config = setupNamed(setup)?.config;
  if (!config) throw new Error(`assertion failed: ${setup} is a set-up`);
  const watch = (world: SimulatedWorld, faults: FaultLog) => {
    first?.(world, faults);
    if (wrong) world.time.after(wrongMs, () => wrong(world, faults));
    return (watched: Watched) => wish.watch?.(world, watched);
  };
  return runScenario({ setup, seed: 1, rates: {}, steps, runMs }, config, {
    checkers: kinds,
    watch,
  });
}

async function bites(kind: CheckerKind, wish: Wish, says: RegExp): Promise<void> {
  const { violations } = await run([kind], wish);
  assert.is(violations.length > 0, true, `${kind.name} is silent`);
  assert.match(violations[0]?.text ?? "", says);
}

/** As if the agent had come to this by itself. */
function patched(
  world: SimulatedWorld,
  host: string,
  change: (state: State) => Partial<State>,
): void {
  const { agent, state } = world.host(host);
  if (!agent || !state) throw new Error(`assertion failed: ${host} runs`);
  Reflect.set(agent, "current", { ...state, ...change(state) });
}

const kill = (forMs: number): readonly ScenarioStep[] => [
  { atMs: wrongMs, forMs, fault: "agent-kill", target: "tokyo-1" },
];

const withMargin =
  (marginMs: number): Wrong =>
  (world) =>
    patched(world, "osaka-1", ({ config }) => ({
      config: { ...config, timing: { ...config.timing, marginMs } },
    }));

test("two-active: a service that is started at the other site", async () => {
  await bites(
    twoActive,
    { wrong: (world) => world.host("osaka-1").service.start() },
    /write at once/,
  );
});

test("two-active: an operator's false word excuses it, and only without a lease", async () => {
  const wrong: Wrong = (world) => {
    void world.host("osaka-1").ask((id, nowMs) => ({ kind: "takeover", nowMs, id, force: true }));
  };
  const { violations, coverage } = await run([twoActive], { setup: "pair-operator", wrong });
  assert.equal(violations, []);
  assert.is((coverage.checkers["two-active: excused: a false word"] ?? 0) > 0, true);
});

test("link-takeover: a takeover from a site that beats", async () => {
  const wrong: Wrong = (world) => {
    const { state } = world.host("osaka-1");
    if (!state) return;
    const takeover = {
      id: 0, term: state.term + 255n, phase: "storing", by: "agent", attested: "", waitUntilMs: null,
      serial: 0n, deadlineMs: 0,
    } as const; // biome-ignore format: one list
    const after: State = { ...state, takeover };
    const input = { kind: "tick", nowMs: state.nowMs } as const;
    world.watch({ kind: "step", host: "osaka-1", before: state, input, after, actions: [] });
  };
  await bites(linkTakeover, { wrong }, /takes over from tokyo-1, which beats/);
});

test("detection: an observer that waits for longer than it may", async () => {
  await bites(
    detection,
    { wrong: withMargin(30_000), steps: kill(50_000) },
    /tokyo-1 failed at .* osaka-1 says row 1 after/,
  );
});

test("detection: in time, and counted", async () => {
  const { violations, coverage } = await run([detection], { steps: kill(50_000) });
  assert.equal(violations, []);
  assert.is(coverage.checkers["detection: found in time"], 1);
});

test("false-alarm: an alarm for nothing, after a stall of the observer too", async () => {
  const fields = { host: "tokyo-1", site: "tokyo", row: "9", action: "hold", was: "1" } as const;
  const event = { level: "warning", ev: "verdict", fields } as const;
  const wrong: Wrong = (world) => world.watch({ kind: "told", host: "osaka-1", event });
  await bites(falseAlarm, { wrong }, /which was in peace/);
  const steps = [{ atMs: wrongMs - 40_000, forMs: 15_000, fault: "agent-stop", target: "osaka-1" }];
  await bites(falseAlarm, { wrong, steps }, /which was in peace/);
  const { violations } = await run([falseAlarm], { steps });
  assert.equal(violations, []);
});

test("false-alarm: a host that is never judged anew", async () => {
  const wrong: Wrong = (world) => {
    const verdict = { row: "9", verdict: "", action: "hold" } as const;
    const { agent, state } = world.host("osaka-1");
    if (!agent || !state) return;
    const doomed = (one: State): State => ({
      ...one,
      peers: one.peers.map((peer) => ({ ...peer, verdict })),
    });
    let current = doomed(state);
    Object.defineProperty(agent, "current", {
      get: () => current,
      set: (next: State) => {
        current = doomed(next);
      },
    });
  };
  await bites(falseAlarm, { wrong, runMs: wrongMs + 120_000 }, /in peace/);
});

/** As tokyo-1 would send it, under that key. */
function forged(world: SimulatedWorld, keyId: number, serial: bigint): Buffer {
  const { state } = world.host("tokyo-1");
  const superblock = world.pair("east").disks.writer.read(0).subarray(0, sectorBytes);
  const { clusterId } = decodeSector("superblock", superblock);
  if (!state) throw new Error("assertion failed: tokyo-1 runs");
  const body = { ...recordBody(state, { wallNs: 0n, bootNs: 0n, nonce: 1n }), serial };
  const writer = { clusterId, siteId: state.ownSiteId, slot: 0 };
  const set = { peerSiteId: 2, echoes: [] };
  return encodeDatagram({ siteId: 2, slot: 0 }, writer, body, set, {
    mac: macOf([keyId]),
    crc32c,
    keyId,
  });
}

test("belief: a forger who has a key that is believed", async () => {
  await bites(
    belief,
    {
      first: (world) => void Reflect.set(world.host("osaka-1"), "keyIds", [0x5eed0001, 7]),
      wrong: (world) => world.network.inject("osaka-1", forged(world, 7, 1_000_000n)),
    },
    /osaka-1 believes tokyo-1 .* never published/,
  );
});

test("belief: the same under a key that nobody holds is not believed", async () => {
  const wrong: Wrong = (world) => world.network.inject("osaka-1", forged(world, 7, 1_000_000n));
  const { violations } = await run([belief], { wrong });
  assert.equal(violations, []);
});

test("belief: an older word", async () => {
  const wrong: Wrong = (world) => {
    const { state } = world.host("osaka-1");
    const [peer] = state?.peers ?? [];
    if (!state || !peer?.word) return;
    const word = { ...peer.word, serial: peer.word.serial - 3n };
    const input = { kind: "tick", nowMs: state.nowMs } as const;
    const after: State = { ...state, peers: [{ ...peer, word }] };
    world.watch({ kind: "step", host: "osaka-1", before: state, input, after, actions: [] });
  };
  await bites(belief, { wrong }, /takes an older word of tokyo-1/);
});

const writing =
  (host: string, device: string, block: number): Wrong =>
  (world) => {
    const port = world.host(host).machine.ports.get(`/dev/mirror/${device}`);
    port?.disk.write(block, Buffer.alloc(4096, 1), host);
  };

test("writes: another slot, an SVOL, a superblock, a reserved block, past the end", async () => {
  await bites(
    writes,
    { setup: "four", wrong: writing("tokyo-1", "east-pvol", 10) },
    /not its slot's/,
  );
  await bites(writes, { wrong: writing("osaka-1", "east-svol", 8) }, /not its own volume/);
  await bites(writes, { wrong: writing("tokyo-1", "east-pvol", 0) }, /another superblock/);
  await bites(writes, { wrong: writing("tokyo-1", "east-pvol", 3) }, /not its slot's/);
  await bites(writes, { wrong: writing("tokyo-1", "east-pvol", 5000) }, /not its slot's/);
});

test("writes: over the newer of the two copies", async () => {
  const wrong: Wrong = (world) => {
    const disk = world.host("tokyo-1").machine.ports.get("/dev/mirror/east-pvol")?.disk;
    const [a, b] = [8, 9].map((block) => disk?.read(block) as Buffer) as [Buffer, Buffer];
    const serialOf = (block: Buffer): bigint => block.readBigUInt64LE(0x060);
    const newer = serialOf(a) > serialOf(b) ? 8 : 9;
    // Twice in one place: the second time the other copy is the older one.
    for (const block of [newer, newer]) disk?.write(block, disk.read(block), "tokyo-1");
  };
  await bites(writes, { wrong }, /over the newer of its two records/);
});

test("notices-once: told twice, and not at all", async () => {
  const told = {
    level: "notice",
    ev: "verdict",
    fields: { host: "tokyo-1", site: "tokyo", row: "1", action: "none", was: "9" },
  } as const;
  await bites(
    noticesOnce,
    { wrong: (world) => world.watch({ kind: "told", host: "osaka-1", event: told }) },
    /did not happen/,
  );
  const verdict = { row: "9", verdict: "", action: "hold" } as const;
  const wrong: Wrong = (world) => {
    const { state } = world.host("osaka-1");
    if (!state) return;
    const input = { kind: "tick", nowMs: state.nowMs } as const;
    const after: State = { ...state, peers: state.peers.map((peer) => ({ ...peer, verdict })) };
    world.watch({ kind: "step", host: "osaka-1", before: state, input, after, actions: [] });
  };
  await bites(noticesOnce, { wrong }, /osaka-1 does not tell verdict tokyo-1/);
});

test("terms: a term from nowhere, one that falls", async () => {
  await bites(
    terms,
    { wrong: (world) => patched(world, "osaka-1", ({ term }) => ({ term: term + 512n })) },
    /which nobody raised/,
  );
  const wrong: Wrong = (world) => {
    const { state } = world.host("osaka-1");
    if (!state) return;
    const input = { kind: "tick", nowMs: state.nowMs } as const;
    world.watch({
      kind: "step",
      host: "osaka-1",
      before: state,
      input,
      after: { ...state, term: 1n },
      actions: [],
    });
  };
  await bites(terms, { wrong }, /back to 1/);
});

test("order: a service at a site that does not own the term; a takeover that did not wait", async () => {
  await bites(
    order,
    { wrong: (world) => world.host("osaka-1").service.start() },
    /of another site/,
  );
  const wrong: Wrong = (world) => {
    const { state } = world.host("osaka-1");
    if (!state) return;
    const takeover = {
      id: 0, term: state.term + 257n, phase: "storing", by: "agent", attested: "", waitUntilMs: null,
      serial: 0n, deadlineMs: 0,
    } as const; // biome-ignore format: one list
    const input = { kind: "tick", nowMs: state.nowMs } as const;
    const after: State = { ...state, takeover };
    world.watch({ kind: "step", host: "osaka-1", before: state, input, after, actions: [] });
  };
  await bites(order, { wrong }, /takes over \d+ ms after it saw tokyo-1/);
});

test("order: a term on no disk", async () => {
  const forgets = (world: SimulatedWorld, watched: Watched): void => {
    if (watched.kind !== "told" || watched.event.fields["step"] !== "service hook started") return;
    const host = world.host(watched.host);
    Object.defineProperty(host, "memory", { value: { ...host.memory, term: 257n } });
  };
  const steps: readonly ScenarioStep[] = [
    { atMs: 20_000, forMs: 60_000, fault: "power-cut", target: "tokyo-1" },
  ];
  await bites(order, { steps, watch: forgets }, /257/);
});

test("self-fence: a watchdog that is none, and one that is fed for nothing", async () => {
  const wrong: Wrong = (world) => {
    world.host("tokyo-1").kill();
    world.host("tokyo-1").watchdog.off();
  };
  await bites(selfFence, { wrong }, /the service of tokyo-1 still runs/);
  // A lease that is longer than was agreed: granted no more, its service runs on.
  const cut = (fault: string, target: string): ScenarioStep => ({
    atMs: wrongMs,
    forMs: 60_000,
    fault,
    target,
  });
  const limitMs = 1e9;
  await bites(
    selfFence,
    {
      steps: [cut("way-cut", "osaka>tokyo"), cut("link-cut", "west")],
      wrong: (world) =>
        patched(world, "tokyo-1", ({ lease, config }) => ({
          lease: { ...lease, limitMs },
          config: { ...config, timing: { ...config.timing, leaseMs: limitMs } },
        })),
    },
    /the service of tokyo-1 still runs, and its newest granted beat/,
  );
});

test("agree: an agent that does not come back", async () => {
  const wrong: Wrong = (world) => {
    const host = world.host("osaka-1");
    host.isHeldBack = true;
    host.kill();
  };
  await bites(agree, { wrong }, /not one term|does not run|serve/);
});

test("all are silent in a good history, and had their occasions", async () => {
  const at = (atMs: number, fault: string, target: string, forMs: number): ScenarioStep => ({
    atMs,
    forMs,
    fault,
    target,
  });
  const steps = [
    at(70_000, "way-cut", "tokyo>osaka", 20_000),
    at(110_000, "link-cut", "east", 30_000),
    at(240_000, "power-cut", "tokyo-1", 60_000),
    at(420_000, "agent-kill", "osaka-1", 1500),
  ];
  const { violations, coverage } = await run(checkers, {
    setup: "pair-data",
    steps,
    runMs: 480_000,
  });
  assert.equal(violations, []);
  const silent = checkers.filter(({ name, cases = [] }) =>
    cases.every((one) => (coverage.checkers[`${name}: ${one}`] ?? 0) === 0),
  );
  // Nobody gave a command here, and no record was met that is not believed.
  assert.equal(silent.map(({ name }) => name).sort(), ["commanded", "reasons"]);
  assert.is((coverage.roles["transitioning->active"] ?? 0) > 0, true);
  assert.equal(coverage.faults, { "way-cut": 1, "link-cut": 1, "power-cut": 1, "agent-kill": 1 });
});

test.run();
