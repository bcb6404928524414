/**
 * Random histories of two sites in virtual time, and their judge: faults come and go, commands are
 * given, machines reset; never may two sites serve at once (with local takeover: never two hosts);
 * and once all is mended a site serves again, or an operator's command is named and brings it back.
 *
 * A history is data: a topology, clock rates and a list of faults. So one that fails can be cut
 * down, fault by fault, to the shortest that still does.
 */
import { gateView } from "../core/step/gate.ts";
import { eventText } from "../core/base/event.ts";
import type { SitesWish } from "./core-config.ts";
import { Judge, type JudgeWish } from "./core-judge.ts";
import { type Agent, World } from "./core-world.ts";

export type Topology = {
  readonly name: string;
  readonly wish: SitesWish;
  readonly judge: JudgeWish;
};

/** Short, and of the default proportions. */
const timing = {
  pollMs: 1000,
  leaseMs: 8000,
  watchdogMs: 2000,
  stopMs: 2000,
  lateWriteMs: 500,
  hangMs: 500,
  driftPpm: 20_000,
} as const;

const one = { tokyo: ["tokyo-1"], osaka: ["osaka-1"], takeoverHook: true, timing } as const;
const two = { takeoverHook: true, timing } as const;
const dataGroups = [
  {
    name: "oradata", id: 1, writer: "tokyo", reader: "osaka", pvol: "/dev/d-p", svol: "/dev/d-s",
    pair: { provider: "none" },
  } as const,
]; // biome-ignore format: one group

/** The passive witness: two volumes at a third site, without a remote copy. */
const thirds = {
  mirrors: {
    east: "tokyo>osaka",
    west: "osaka>tokyo",
    "third-a": "tokyo>osaka",
    "third-b": "osaka>tokyo",
  },
  witnessVolumes: ["third-a", "third-b"],
} as const;

export const topologies: readonly Topology[] = [
  { name: "1+1", wish: { ...one, policy: "lease" }, judge: {} },
  { name: "1+1 data", wish: { ...one, policy: "lease", dataGroups }, judge: {} },
  { name: "1+1 witness", wish: { ...one, policy: "witness", witness: "nagoya-1" }, judge: {} },
  { name: "2+2", wish: { ...two, policy: "lease" }, judge: {} },
  {
    name: "2+2 local",
    wish: { ...two, policy: "lease", takeover: { local: true } },
    judge: { local: true },
  },
  { name: "1+1 volumes", wish: { ...one, ...thirds, policy: "witness" }, judge: {} },
  { name: "2+2 volumes", wish: { ...two, ...thirds, policy: "witness" }, judge: {} },
  { name: "2+2 witness", wish: { ...two, policy: "witness", witness: "nagoya-1" }, judge: {} },
];

const kinds = [
  "cut-all", "cut-network", "cut-east", "cut-west", "cut-to-osaka", "cut-to-tokyo", "late",
  "kill", "pause", "reset", "stop", "site-reset", "hang", "no-stop", "no-start", "no-disk",
  "no-read", "no-data", "takeover", "force", "attested", "switchover",
] as const; // biome-ignore format: one list

export type Fault = {
  readonly kind: (typeof kinds)[number];
  /** The host that it befalls, or any of its site. */
  readonly host: string;
  readonly atMs: number;
  readonly forMs: number;
};

export type History = {
  readonly topology: Topology;
  readonly rates: Readonly<Record<string, number>>;
  readonly faults: readonly Fault[];
};

export type Outcome = {
  readonly breaches: readonly string[];
  /** Why nobody serves though all is mended; empty where a site does. */
  readonly unhealthy: string;
  readonly log: readonly string[];
};

/** 0 up to 1, the same for the same seed (mulberry32). */
function randomOf(seed: number): () => number {
  let at = seed >>> 0;
  return () => {
    at = (at + 0x6d2b79f5) >>> 0;
    let bits = Math.imul(at ^ (at >>> 15), at | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return ((bits ^ (bits >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const warmUpMs = 8000;
/** Longest from the end of all faults until a site must serve again. */
const settleMs = 120_000;
/** Whoever serves must go on to. */
const calmMs = 20_000;

const hostsOf = ({ wish }: Topology): readonly string[] => [
  ...(wish.tokyo ?? ["tokyo-1", "tokyo-2"]),
  ...(wish.osaka ?? ["osaka-1", "osaka-2"]),
  ...(wish.witness === undefined ? [] : [wish.witness]),
];

export function historyOf(seed: number, only: readonly Topology[] = topologies): History {
  const random = randomOf(seed);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
  const topology = pick(only);
  const hosts = hostsOf(topology);
  const drift = timing.driftPpm / 1_000_000;
  const rates = Object.fromEntries(
    hosts.map((host) => [host, 1 + pick([-1, 0, 0, 1, 2 * random() - 1]) * drift]),
  );
  const faults: Fault[] = [];
  let atMs = warmUpMs;
  for (let count = 2 + Math.floor(random() * 9); count > 0; count--) {
    // Most things that go wrong go wrong together, or one right after the other.
    atMs += random() < 0.5 ? random() * 3000 : random() * 25_000;
    const forMs = random() < 0.5 ? random() * 8000 : random() * 45_000;
    faults.push({
      kind: pick(kinds),
      host: pick(hosts),
      atMs: Math.round(atMs),
      forMs: Math.round(forMs),
    });
  }
  return { topology, rates, faults };
}

/** Two of one kind on one target must both be over before it is. */
class Faults {
  readonly #world: World;
  readonly #log: string[];
  readonly #held = new Map<string, number>();
  #id = 1000;

  constructor(world: World, log: string[]) {
    this.#world = world;
    this.#log = log;
  }

  /** True where the state of that name changed by it. */
  #hold(name: string, on: boolean): boolean {
    const before = this.#held.get(name) ?? 0;
    const now = before + (on ? 1 : -1);
    this.#held.set(name, now);
    return before > 0 !== now > 0;
  }

  #way(way: string, on: boolean): void {
    if (!this.#hold(way, on)) return;
    if (on) this.#world.cutNetwork.add(way);
    else this.#world.cutNetwork.delete(way);
  }

  #link(name: string, on: boolean): void {
    if (this.#hold(name, on)) this.#world.link(name, !on);
  }

  set(fault: Fault, on: boolean): void {
    const { kind, host } = fault;
    this.#log.push(`${this.#world.nowMs} ${on ? "begin" : "end"} ${kind} ${host}`);
    switch (kind) {
      case "cut-all":
        for (const kind of ["cut-network", "cut-east", "cut-west"] as const) this.#path(kind, on);
        return;
      case "cut-network":
      case "cut-east":
      case "cut-west":
      case "cut-to-osaka":
      case "cut-to-tokyo":
        return this.#path(kind, on);
      case "late":
        this.#world.networkMs = on ? 4000 : 3;
        this.#world.latencyMs = on ? 800 : 20;
        return;
      case "site-reset": {
        const site = this.#world.agent(host).setup.config.self.site;
        for (const agent of this.#world.agents.values()) {
          if (agent.setup.config.self.site === site)
            this.#host({ ...fault, kind: "reset", host: agent.name }, on);
        }
        return;
      }
      default:
        return this.#host(fault, on);
    }
  }

  #path(kind: Fault["kind"], on: boolean): void {
    if (kind === "cut-east" || kind === "cut-west") return this.#link(kind.slice(4), on);
    const ways = kind === "cut-network" ? ["cut-to-osaka", "cut-to-tokyo"] : [kind];
    for (const way of ways) {
      const [from, to] = way === "cut-to-osaka" ? ["tokyo", "osaka"] : ["osaka", "tokyo"];
      this.#way(`${from}>${to}`, on);
      // The third site is cut from the one whose lines fail.
      this.#way(`nagoya>${to}`, on);
      this.#way(`${to}>nagoya`, on);
    }
  }

  #host({ kind, host }: Fault, on: boolean): void {
    const agent = this.#world.agent(host);
    switch (kind) {
      case "kill":
      case "reset":
      case "stop":
        if (!on) return this.up(host);
        if (!agent.alive) return;
        if (kind === "kill") return this.#world.kill(host);
        return kind === "reset" ? this.#world.reset(host) : this.#world.leave(host);
      case "pause":
        if (on) this.#world.pause(host);
        else this.#world.resume(host);
        return;
      case "hang":
        agent.writesHang = on;
        return;
      case "no-stop":
        agent.stopOk = !on;
        return;
      case "no-start":
        agent.hookOk = !on;
        return;
      case "no-disk":
        agent.storeOk = !on;
        return;
      case "no-read":
        if (on) for (const name of this.#world.volumes.keys()) agent.failingReads.add(name);
        else agent.failingReads.clear();
        return;
      case "no-data":
        agent.dataFault = on ? "the pair cannot be taken over" : "";
        agent.data = { ...dataOf(agent), state: on ? "copying" : "paired" };
        return;
      default:
        if (on) this.#command(kind, agent);
    }
  }

  up(host: string): void {
    const old = this.#world.agent(host);
    if (old.alive) return;
    const agent = this.#world.start(host);
    agent.stopOk = old.stopOk;
    agent.hookOk = old.hookOk;
    agent.storeOk = old.storeOk;
    agent.writesHang = old.writesHang;
    agent.dataFault = old.dataFault;
  }

  #command(kind: Fault["kind"], agent: Agent): void {
    if (!agent.alive || agent.pausedSince !== null) return;
    const id = this.#id++;
    const { site } = agent.setup.config.self;
    const other = site === "tokyo" ? "osaka" : "tokyo";
    if (kind === "switchover") {
      this.#world.input(agent.name, { kind, id, to: other, repair: false } as never);
      return;
    }
    // Nobody may attest what is not so.
    const isOff = [...this.#world.agents.values()].every(
      ({ alive, serviceRuns, setup }) =>
        setup.config.self.site !== other || (!alive && !serviceRuns),
    );
    if (kind === "attested" && !isOff) return;
    const peerIsOff = kind === "attested" ? other : "";
    this.#world.input(agent.name, {
      kind: "takeover",
      id,
      force: kind === "force",
      peerIsOff,
    } as never);
  }

  mendAll(): void {
    const world = this.#world;
    for (const agent of [...world.agents.values()]) {
      if (agent.pausedSince !== null) world.resume(agent.name);
      this.up(agent.name);
      const now = world.agent(agent.name);
      now.stopOk = true;
      now.hookOk = true;
      now.storeOk = true;
      now.writesHang = false;
      now.dataFault = "";
      now.failingReads.clear();
      now.data = { ...dataOf(now), state: "paired" };
    }
    world.cutNetwork.clear();
    world.networkMs = 3;
    world.latencyMs = 20;
    for (const name of world.volumes.keys()) world.link(name, true);
    this.#held.clear();
  }
}

function dataOf(agent: Agent): NonNullable<Agent["data"]> {
  const role = agent.setup.config.self.site === "tokyo" ? "primary" : "secondary";
  return { state: "paired", role, lastCopyAgoMs: 0 };
}

/** What the owner's hosts ask an operator to do; the hosts that ask. */
function asking(world: World): readonly Agent[] {
  return [...world.agents.values()].filter(({ alive, state }) => {
    const { role, ownSiteId, term } = state;
    const isOwner = Number(term % 256n) === ownSiteId;
    return (
      alive &&
      isOwner &&
      role === "transitioning" &&
      gateView(state, "").opens.includes("takeover --yes")
    );
  });
}

function stateText({ name, alive, state, serviceRuns }: Agent): string {
  const { role, roleReason, term, lease, lock, serviceMayRun, halfDone } = state;
  return (
    `${name}: ${alive ? "" : "dead, "}${role} (${roleReason}) term ${term} solo ${lease.solo} ` +
    `lock ${lock.phase} halfDone ${halfDone} mayRun ${serviceMayRun} runs ${serviceRuns}`
  );
}

/** A machine that its watchdog resets meanwhile comes up again by itself. */
function settle(world: World, judge: Judge, all: Faults): void {
  const endMs = world.nowMs + settleMs;
  do {
    for (const name of [...world.agents.keys()]) all.up(name);
    world.run(5000);
  } while (judge.sites().length === 0 && world.nowMs < endMs);
  world.run(calmMs);
}

export function runHistory({ topology, rates, faults }: History): Outcome {
  const world = new World(topology.wish, true);
  for (const agent of world.agents.values()) {
    agent.rate = rates[agent.name] ?? 1;
    if (topology.wish.dataGroups) agent.data = dataOf(agent);
  }
  const judge = new Judge(world, topology.judge);
  const log: string[] = [];
  const all = new Faults(world, log);
  const times = faults
    .flatMap((fault) => [
      { atMs: fault.atMs, run: () => all.set(fault, true) },
      { atMs: fault.atMs + fault.forMs, run: () => all.set(fault, false) },
    ])
    .sort((a, b) => a.atMs - b.atMs);
  world.run(warmUpMs);
  for (const { atMs, run } of times) {
    world.run(atMs - world.nowMs);
    run();
  }
  all.mendAll();
  log.push(`${world.nowMs} all is mended`);
  settle(world, judge, all);
  let unhealthy = "";
  if (judge.sites().length === 0) {
    for (const agent of asking(world).slice(0, 1)) {
      log.push(`${world.nowMs} takeover on ${agent.name}, as it asks`);
      world.takeover(agent.name, { waitMs: 1000 });
      settle(world, judge, all);
    }
    if (judge.sites().length === 0) {
      unhealthy = [...world.agents.values()].map(stateText).join("\n");
    }
  }
  return { breaches: judge.breaches, unhealthy, log: [...log, ...judge.log, ...told(world)] };
}

const telling = new Set([
  "role",
  "takeover",
  "switchover",
  "lock",
  "guard",
  "witness",
  "term",
  "hook",
]);

function told(world: World): string[] {
  return [...world.agents.values()].flatMap(({ name, told: events }) =>
    events
      .filter(({ event }) => telling.has(event.ev) && event.fields["hook"] !== "verdict")
      .map(({ atMs, event }) => `${Math.round(atMs)} ${name} ${eventText(event)}`),
  );
}

export const failed = ({ breaches, unhealthy }: Outcome): boolean =>
  breaches.length > 0 || unhealthy !== "";

/** The same history without every fault that it does not need to fail. */
export function shortest(history: History): History {
  let best = history;
  for (let index = best.faults.length - 1; index >= 0; index--) {
    const faults = best.faults.filter((_, other) => other !== index);
    const next = { ...best, faults };
    if (failed(runHistory(next))) best = next;
  }
  return best;
}

/** In the order of time, for whoever must understand it. */
export function reportOf(
  seed: number,
  history: History,
  { breaches, unhealthy, log }: Outcome,
): string {
  const at = (line: string): number => Number(line.split(" ", 1)[0]);
  const lines = [...log].sort((a, b) => at(a) - at(b));
  const head = `seed ${seed}, ${history.topology.name}: ${breaches[0] ?? "nobody serves"}`;
  return [
    head,
    JSON.stringify(history.rates),
    JSON.stringify(history.faults),
    ...lines,
    unhealthy,
  ].join("\n");
}
