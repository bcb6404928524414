/**
 * Two sites in memory, in virtual time: agents that are nothing but the core, volumes and
 * datagrams that go through the real codec, a remote copy and a network that can be cut. It
 * drives step() the way an agent does, and keeps everything that it told.
 *
 * After every step the state is frozen in depth, so a step that changes its input throws.
 */
import { type Devices, devicesOf, takesPart } from "../core/base/devices.ts";
import type { CoreEvent } from "../core/base/event.ts";
import { eventText } from "../core/base/event.ts";
import {
  comparePositions,
  datagramPlace,
  newestCopy,
  type Opened,
  openSector,
  type Place,
} from "../core/record.ts";
import { encodeSector, type Sealing } from "../core/sector/codec.ts";
import {
  blockBytes,
  type Echo,
  type EchoSector,
  echoesPerSector,
  formatVersion,
  type HeartbeatRecord,
  media,
  nilUuid,
  sectorBytes,
} from "../core/sector/layout.ts";
import { step } from "../core/step.ts";
import { allOn, begin, type Setup, type Switches } from "../core/step/begin.ts";
import { nextDeadlineMs } from "../core/step/judge.ts";
import { sharedConfigBytes } from "../core/step/reconfigure.ts";
import { highWaterMarks } from "../core/step/marks.ts";
import { echoesFor } from "../core/step/publish.ts";
import type { Durable } from "../core/step/right-state.ts";
import {
  type Action,
  type Input,
  type InstallWish,
  networkPath,
  type RecordBody,
  type State,
  type Step,
  type SwitchTarget,
} from "../core/step/state.ts";
import { timingDigestOf } from "../core/sector/timing-digest.ts";
import type { PairEvidence } from "../core/verdict.ts";
import { isLeased } from "../core/base/config.ts";
import { feedPeriodMs } from "../core/base/lease-timing.ts";
import { watchdogWish } from "../core/step/lease.ts";
import { configFor, type SitesWish } from "./core-config.ts";
import { clusterId, volumeId } from "./core-samples.ts";
import { checks, crc32c, sealing } from "./core-seal.ts";

export function deepFreeze<T>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  if (value instanceof Uint8Array) return value;
  Object.freeze(value);
  for (const part of Object.values(value)) deepFreeze(part);
  return value;
}

/** What the codec puts in the place of these. */
const seal = { magic: "", keyId: 0, mac: new Uint8Array(0), crc: 0 };

/** How often the agent looks at volumes that are not installed. */
const probeMs = 2000;

/** What an agent's disk keeps across its restarts. */
type Memory = {
  term: bigint | null;
  halfDone: boolean;
  /** All that was stored with the term; null before anything was. */
  durable: Durable | null;
  bootId: string;
  marks: Setup["marks"];
  incarnation: bigint;
  /** The device address file; null before the first start. */
  devices: Devices | null;
};
type Told = { readonly atMs: number; readonly event: CoreEvent };
type Block = Uint8Array;
/** What stands before the body of a record, and of an echo sector. */
type Head = Pick<
  EchoSector,
  "version" | "medium" | "copy" | "features" | "clusterId" | "volumeId" | "block" | "slot" | "site"
>;
type Volume = {
  readonly writer: string;
  readonly reader: string;
  readonly pvol: Map<number, Block>;
  readonly svol: Map<number, Block>;
  /** When the last write under way arrives. */
  arrivedMs: number;
  backlog: { readonly block: number; readonly bytes: Block }[];
  linkUp: boolean;
  pair: PairEvidence;
  pairAnswers: boolean;
  /** What a change of the pair becomes; "lost": it lands, and nobody knows. */
  changes: "obeyed" | "refused" | "lost";
  changeMs: number;
};

export class Agent {
  readonly name: string;
  readonly wish: SitesWish;
  state: State;
  setup: Setup;
  memory: Memory;
  alive = true;
  pausedSince: number | null = null;
  readonly atResume: (() => void)[] = [];
  inbox: Uint8Array[] = [];
  readonly told: Told[] = [];
  readonly answers: { readonly id: number; readonly code: number; readonly message: string }[] = [];
  readonly hooks: string[] = [];
  inputs: Input[] = [];
  outputs: Pick<Step, "actions" | "events">[] = [];
  life = 0;
  /** Faults that a test sets. */
  readonly failingReads = new Set<string>();
  readMs = 2;
  storeOk = true;
  hookOk = true;
  stopOk = true;
  hookMs = 200;
  writesHang = false;
  /** How long its writes take until they are durable, and seen at its own site. */
  writeMs = 4;
  /** Why its device address file cannot be written; empty where it can. */
  filesFault = "";
  /** Volumes that cannot be opened here, by mirror. */
  readonly missingVolumes = new Set<string>();
  wallSkewNs = 0n;
  bootSkewNs = 0n;
  sealing: Sealing = sealing;
  change: (body: RecordBody) => RecordBody = (body) => body;
  /** What an arbiter outside answers. */
  arbiter: (
    op: string,
    term: bigint,
  ) => { answer: "granted" | "denied" | "unknown"; detail: string } = () => ({
    answer: "unknown",
    detail: "no arbiter here",
  });
  arbiterMs = 20;
  /** Why the data pairs cannot be taken or are not whole; empty where they are. */
  dataFault = "";
  readonly dataAsked: Action[] = [];
  dataTakesMs = 50;
  /** State and lag that this host's array tells of each data group. */
  data: { state: PairEvidence; role: "primary" | "secondary"; lastCopyAgoMs: number } | null = null;
  /** Whether its service runs, and writes. */
  serviceRuns = false;
  /** Told of each change: who watches for two that write. */
  onService: (runs: boolean) => void = () => undefined;
  /** How fast its clocks run against true time, as a factor. */
  rate = 1;
  /** Newest serial of ours that is durable, by mirror. */
  readonly lastWritten = new Map<string, bigint>();
  /** How long its agent stalls between a check of the lease and the feeding that follows. */
  feedStallMs = 0;
  /** When its watchdog was fed last, in true time; null while it is not armed. */
  fedMs: number | null = null;

  constructor(name: string, wish: SitesWish, setup: Setup, memory: Memory) {
    this.name = name;
    this.wish = wish;
    this.setup = setup;
    this.memory = memory;
    this.state = deepFreeze(begin(setup));
  }

  serves(runs: boolean): void {
    if (this.serviceRuns === runs) return;
    this.serviceRuns = runs;
    this.onService(runs);
  }

  /** Rows of the verdicts that were told on that host or site, in order. */
  rows(of: string): string[] {
    return this.events("verdict", "group")
      .filter(
        ({ fields }) => fields["host"] === of || (fields["site"] === of && !("host" in fields)),
      )
      .map(({ fields }) => String(fields["row"]));
  }

  events(...kinds: readonly string[]): CoreEvent[] {
    return this.told.map(({ event }) => event).filter(({ ev }) => kinds.includes(ev));
  }

  texts(...kinds: readonly string[]): string[] {
    return this.events(...kinds).map(eventText);
  }

  /** Everything told so far is forgotten, so that a test sees what comes next. */
  forget(): void {
    this.told.length = 0;
  }

  peer(host: string) {
    const peer = this.state.peers.find((candidate) => candidate.host.name === host);
    if (!peer) throw new Error(`no peer ${host}`);
    return peer;
  }

  row(host: string): string | undefined {
    return this.peer(host).verdict?.row;
  }
}

const recordBlock = (slot: number, copy: number) => 8 + 2 * slot + copy;
const isPublish = (action: Action) => action.kind === "publish";

export class World {
  nowMs = 0;
  readonly agents = new Map<string, Agent>();
  readonly volumes = new Map<string, Volume>();
  /** Ways that carry no datagrams, as "tokyo>osaka". */
  readonly cutNetwork = new Set<string>();
  /** What was asked about data pairs, over all starts of the agents. */
  readonly allAsked: { readonly host: string; readonly action: Action }[] = [];
  latencyMs = 20;
  /** How long a datagram is on its way. */
  networkMs = 3;
  wish: SitesWish;
  #queue: { atMs: number; order: number; run: () => void }[] = [];
  #order = 0;
  readonly #light: boolean;
  /** What a light world's blocks and datagrams hold, unencoded. */
  readonly #plain = new WeakMap<Block, { record: HeartbeatRecord; echo: EchoSector }>();
  #nonce = 1n;

  /** `light`: nothing is frozen, encoded or kept for a replay; for many histories of one world. */
  constructor(wish: SitesWish = {}, light = false) {
    this.wish = wish;
    this.#light = light;
    const { sites, mirrors } = configFor((wish.tokyo ?? ["tokyo-1"])[0] ?? "", wish);
    for (const { name, writer, reader, witness } of mirrors) {
      const pvol = new Map<number, Block>();
      const fresh = {
        pvol,
        // One volume that both sites reach.
        svol: witness ? pvol : new Map<number, Block>(),
        backlog: [],
        arrivedMs: 0,
        linkUp: true,
        pairAnswers: true,
        changes: "obeyed" as const,
        changeMs: 30,
      };
      this.volumes.set(name, { writer, reader, pair: "paired", ...fresh });
    }
    for (const { name } of sites.flatMap(({ hosts }) => hosts)) this.start(name);
  }

  agent(name: string): Agent {
    const agent = this.agents.get(name);
    if (!agent) throw new Error(`no agent ${name}`);
    return agent;
  }

  volume(name: string): Volume {
    const volume = this.volumes.get(name);
    if (!volume) throw new Error(`no volume ${name}`);
    return volume;
  }

  /** The agents of one site that run. */
  site(name: string): Agent[] {
    return [...this.agents.values()].filter((a) => a.alive && a.state.config.self.site === name);
  }

  // ---- Agents

  start(name: string, how: { bootId?: string; switches?: Switches; blank?: boolean } = {}): Agent {
    const old = this.agents.get(name);
    const empty: Memory = {
      term: null,
      halfDone: false,
      durable: null,
      bootId: "",
      marks: {},
      incarnation: 0n,
      devices: null,
    };
    const memory = old && !how.blank ? old.memory : empty;
    memory.incarnation += 1n;
    const config = configFor(name, this.wish);
    const bootId = how.bootId ?? old?.setup.bootId ?? "b0070000-0000-4000-8000-000000000001";
    const sameBoot = memory.bootId === "" || memory.bootId === bootId;
    memory.bootId = bootId;
    const {
      serving = false,
      grantedTerm = 0n,
      grantedSite = 0,
      givenSite = 0,
    } = memory.durable ?? {};
    const setup: Setup = {
      config,
      timingDigest: timingDigestOf(config, crc32c),
      configDigest: crc32c(sharedConfigBytes(config)),
      incarnation: memory.incarnation,
      bootId,
      sameBoot,
      serving,
      granted: { term: grantedTerm, site: grantedSite },
      givenSite,
      blank: memory.durable?.blank ?? true,
      term: memory.term,
      halfDone: memory.halfDone,
      nowMs: this.nowMs,
      ...(old && old.rate !== 1
        ? { clocks: { longMs: this.nowMs * old.rate, shortMs: this.nowMs * old.rate } }
        : {}),
      marks: memory.marks,
      switches: how.switches ?? allOn,
      devices: (memory.devices ??= devicesOf(config, 0n)),
    };
    const agent = new Agent(name, this.wish, deepFreeze(setup), memory);
    if (old) {
      agent.told.push(...old.told);
      agent.hooks.push(...old.hooks);
      agent.answers.push(...old.answers);
      // A service and a watchdog outlive the agent, and end with the machine.
      agent.serviceRuns = old.serviceRuns;
      agent.fedMs = old.fedMs;
      agent.rate = old.rate;
      agent.data = old.data;
      agent.onService = old.onService;
    }
    this.agents.set(name, agent);
    if (isLeased(config.policy)) this.#readOwnSlot(agent);
    const phaseMs = 1 + 37 * [...this.agents.keys()].indexOf(name);
    this.#loops(agent, phaseMs);
    return agent;
  }

  kill(...names: readonly string[]): void {
    for (const name of names) {
      const agent = this.agent(name);
      agent.alive = false;
      agent.memory.marks = highWaterMarks(agent.state);
    }
  }

  /** Stops an agent in order: its service first, then a last beat; the watchdog is disarmed then. */
  leave(name: string, looks = 20): void {
    const agent = this.agent(name);
    if (!agent.alive) return;
    if (!agent.state.stopping) this.input(name, { kind: "stop" });
    if (isLeased(agent.state.config.policy) && agent.state.serviceMayRun && looks > 0) {
      return this.#for(agent, this.nowMs + 500, () => this.leave(name, looks - 1));
    }
    if (!agent.state.serviceMayRun) agent.fedMs = null;
    this.#beat(agent);
    this.kill(name);
  }

  pause(name: string): void {
    this.agent(name).pausedSince = this.nowMs;
  }

  resume(name: string): void {
    const agent = this.agent(name);
    agent.pausedSince = null;
    for (const run of agent.atResume.splice(0)) this.#at(this.nowMs, run);
  }

  input(name: string, input: Omit<Input, "nowMs"> & { nowMs?: number }): Step {
    return this.apply(this.agent(name), { nowMs: this.nowMs, ...input } as Input);
  }

  /** Commands a takeover and returns the exit code, once it is answered within that time. */
  takeover(name: string, how: { force?: boolean; waitMs?: number } = {}): number | null {
    const agent = this.agent(name);
    const id = this.#order++;
    this.input(name, { kind: "takeover", id, force: how.force ?? false } as never);
    this.run(how.waitMs ?? 5000);
    return agent.answers.find((answer) => answer.id === id)?.code ?? null;
  }

  /** Installs or removes a mirror; resolves to how it ended within that time, if it did. */
  install(
    name: string,
    what: InstallWish,
    mirror: string,
    how: { force?: boolean; waitMs?: number } = {},
  ): { readonly code: number; readonly message: string } | null {
    const agent = this.agent(name);
    const id = this.#order++;
    const force = how.force ?? false;
    const wallNs = BigInt(Math.round(this.nowMs)) * 1_000_000n;
    this.input(name, { kind: "install", wallNs, id, what, mirror, force } as never);
    const answer = agent.answers.find((each) => each.id === id);
    if (answer?.code !== 0) return answer ?? null;
    this.run(how.waitMs ?? 10_000);
    const { lastInstallation } = this.agent(name).state;
    const isAsked = what === "reconfigure" || lastInstallation?.command.mirror === mirror;
    return isAsked ? lastInstallation : null;
  }

  /** Stages a configuration; gives the answer. */
  stage(name: string, wish: SitesWish): { readonly code: number; readonly message: string } {
    const agent = this.agent(name);
    const id = this.#order++;
    const config = configFor(name, wish);
    const digest = crc32c(sharedConfigBytes(config));
    const staged = { config, digest, timingDigest: timingDigestOf(config, crc32c) };
    this.input(name, { kind: "stage", id, staged } as never);
    return agent.answers.find((each) => each.id === id) ?? { code: -1, message: "no answer" };
  }

  /** Switches as an agent does: a path or its own host is left with a farewell. */
  switch(name: string, target: SwitchTarget, on: boolean): void {
    const agent = this.agent(name);
    const path = target.kind === "network" ? networkPath : target.name;
    const self = target.kind === "host" && target.name === name;
    const beat = { nowMs: this.nowMs, wallNs: 0n, bootNs: 0n, nonce: this.#nonce++ };
    if (self && !on) {
      this.input(name, { kind: "switch", target, on } as never);
      const paths = Object.values(agent.state.paths).filter(({ enabled }) => enabled);
      const written = paths.map((each) => each.name).filter((each) => this.#writes(agent, each));
      this.input(name, { kind: "farewell", ...beat, paths: written, onlyTo: null } as never);
      return;
    }
    const said = !on && target.kind !== "host" && this.#writes(agent, path);
    this.input(name, { kind: "switch", target, on } as never);
    if (said) this.input(name, { kind: "farewell", ...beat, paths: [path], onlyTo: null } as never);
  }

  #writes(agent: Agent, path: string): boolean {
    const mirror = agent.state.config.mirrors.find((each) => each.name === path);
    return path === networkPath || mirror?.writer === agent.state.config.self.site;
  }

  /** Called after every step of every agent, with the state before it. */
  onStep: (agent: Agent, before: State, input: Input) => void = () => {};

  /** Called before each action is carried out. */
  onAction: (agent: Agent, action: Action) => void = () => {};

  #clocked(agent: Agent, input: Input): Input {
    if (agent.rate === 1) return input;
    const ms = this.nowMs * agent.rate;
    return { ...input, clocks: { longMs: ms, shortMs: ms } };
  }

  apply(agent: Agent, told: Input): Step {
    const before = agent.state;
    const input = this.#clocked(agent, told);
    const result = step(before, this.#light ? input : deepFreeze(input));
    agent.state = this.#light ? result.state : deepFreeze(result.state);
    if (!this.#light) {
      agent.inputs.push(input);
      agent.outputs.push({ actions: result.actions, events: result.events });
    }
    for (const event of result.events) agent.told.push({ atMs: this.nowMs, event });
    // The watchdog runs before anything can start the service, or a crash would leave it unfenced.
    if (agent.fedMs === null && this.#feeds(agent)) this.#arm(agent);
    this.onStep(agent, before, input);
    for (const action of result.actions) this.#perform(agent, action);
    return result;
  }

  // ---- Time

  #at(atMs: number, run: () => void): void {
    const entry = { atMs: Math.max(atMs, this.nowMs), order: this.#order++, run };
    let low = 0;
    let high = this.#queue.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const other = this.#queue[middle] as typeof entry;
      if (other.atMs > entry.atMs) high = middle;
      else low = middle + 1;
    }
    this.#queue.splice(low, 0, entry);
  }

  /** For one agent: nothing happens once it was killed or started anew; a paused one is late. */
  #for(agent: Agent, atMs: number, run: () => void): void {
    this.#at(atMs, () => {
      if (!agent.alive || this.agents.get(agent.name) !== agent) return;
      if (agent.pausedSince !== null) agent.atResume.push(run);
      else run();
    });
  }

  later(inMs: number, run: () => void): void {
    this.#at(this.nowMs + inMs, run);
  }

  run(forMs: number): void {
    const untilMs = this.nowMs + forMs;
    for (let next = this.#queue[0]; next && next.atMs <= untilMs; next = this.#queue[0]) {
      this.#queue.shift();
      this.nowMs = next.atMs;
      next.run();
    }
    this.nowMs = untilMs;
  }

  #loops(agent: Agent, phaseMs: number): void {
    const { timing, mirrors, self } = agent.state.config;
    const every = (periodMs: number, firstMs: number, run: () => void) => {
      const { life } = agent;
      const turn = (dueMs: number) => {
        if (agent.life !== life) return;
        run();
        const missed = Math.max(1, Math.ceil((this.nowMs - dueMs) / periodMs));
        this.#for(agent, dueMs + missed * periodMs, () => turn(dueMs + missed * periodMs));
      };
      this.#for(agent, firstMs, () => turn(firstMs));
    };
    every(timing.intervalMs, this.nowMs + phaseMs, () => this.#beat(agent));
    every(timing.intervalMs, this.nowMs + phaseMs + 11, () => this.#readSiblings(agent));
    for (const group of agent.state.config.dataGroups) {
      every(timing.pairPollMs, this.nowMs + phaseMs + 15, () => this.#tellData(agent, group.name));
    }
    if (isLeased(agent.state.config.policy)) {
      every(feedPeriodMs(timing), this.nowMs + phaseMs + 3, () => this.#feed(agent));
    }
    for (const mirror of mirrors.filter(({ reader }) => reader === self.site)) {
      const pollers = this.#poller(agent, mirror.name, timing.pollMs);
      every(timing.pollMs, this.nowMs + phaseMs + 5, pollers);
      every(timing.pairPollMs, this.nowMs + phaseMs + 7, () => this.#queryPair(agent, mirror.name));
    }
    const written = mirrors.filter(({ writer }) => writer === self.site && this.wish.answering);
    for (const mirror of written) {
      every(timing.pairPollMs, this.nowMs + phaseMs + 8, () => this.#queryPair(agent, mirror.name));
    }
    for (const mirror of mirrors) {
      if (mirror.reader !== self.site && mirror.writer !== self.site) continue;
      every(probeMs, this.nowMs + phaseMs + 13, () => this.#probe(agent, mirror.name));
    }
    const drain = this.#drainer(agent, timing.pollMs);
    every(timing.pollMs, this.nowMs + phaseMs + 9, drain);
  }

  #beat(agent: Agent): void {
    const nowNs = BigInt(Math.round(this.nowMs)) * 1_000_000n;
    this.apply(agent, {
      kind: "beat",
      nowMs: this.nowMs,
      wallNs: nowNs + agent.wallSkewNs,
      bootNs: nowNs + agent.bootSkewNs,
      nonce: this.#nonce++,
    });
  }

  /** One more read at the moment from which silence could be stated, if that comes first. */
  #readAtDeadline(agent: Agent, path: string, pollMs: number, read: () => void): void {
    const dueMs = nextDeadlineMs(agent.state, path);
    if (dueMs === null || dueMs >= this.nowMs + pollMs) return;
    this.#for(agent, Math.max(dueMs, this.nowMs + 1), read);
  }

  // ---- Mirrors

  #poller(agent: Agent, name: string, pollMs: number): () => void {
    const volume = this.volume(name);
    const known = new Map<number, Block>();
    const opened = new Map<number, Opened<"record">>();
    let reading = false;
    const { sites } = agent.state.config;
    const writer = sites.find((site) => site.name === volume.writer);
    const poll = () => {
      if (reading || !agent.state.paths[name]?.enabled) return;
      reading = true;
      const beganMs = this.nowMs;
      const blocks = new Map(volume.svol);
      this.#for(agent, beganMs + agent.readMs, () => {
        reading = false;
        const endedMs = this.nowMs;
        const failed = agent.failingReads.has(name);
        const seen = failed
          ? []
          : (writer?.hosts ?? []).flatMap(({ slot }) => {
              const copies = [0, 1].map((copy) => {
                const block = recordBlock(slot, copy);
                const bytes = blocks.get(block) ?? new Uint8Array(blockBytes);
                const changed =
                  known.get(block) !== bytes && (blocks.has(block) || !known.has(block));
                if (changed) {
                  known.set(block, bytes);
                  const place = {
                    medium: "volume",
                    clusterId,
                    volumeId,
                    block,
                    copy,
                    slot,
                    siteId: writer?.id ?? 0,
                  } as const;
                  const result = this.#openRecord(bytes, place, agent.sealing);
                  opened.set(block, result);
                  if (result.kind === "rejected")
                    this.apply(agent, {
                      kind: "rejected",
                      nowMs: endedMs,
                      path: name,
                      reason: result.reason,
                    });
                }
                return {
                  changed,
                  bytes,
                  block,
                  opened: opened.get(block) ?? { kind: "empty" as const },
                };
              });
              const [a, b] = copies;
              if (!a || !b || (!a.changed && !b.changed)) return [];
              const reading = newestCopy(a.opened, b.opened);
              const from =
                reading.kind === "record" &&
                b.opened.kind === "valid" &&
                b.opened.record === reading.record
                  ? b
                  : a;
              return [{ slot, reading, echoes: this.#echoesIn(from.bytes, from.block) }];
            });
        const read = failed
          ? ({ kind: "failed", endedMs, failure: "EIO" } as const)
          : ({ kind: "good", beganMs, endedMs } as const);
        this.apply(agent, { kind: "mirror-read", mirror: name, nowMs: endedMs, read, seen });
        this.#readAtDeadline(agent, name, pollMs, poll);
      });
    };
    return poll;
  }

  #openRecord(bytes: Block, place: Place, { mac }: Sealing): Opened<"record"> {
    const plain = this.#plain.get(bytes);
    if (plain) return { kind: "valid", record: plain.record };
    return openSector("record", bytes.subarray(0, sectorBytes), place, { ...checks, mac });
  }

  #echoesIn(bytes: Block, block: number): EchoSector[] {
    const plain = this.#plain.get(bytes);
    if (plain) return [plain.echo];
    const place = {
      medium: "volume",
      clusterId,
      volumeId,
      block,
      copy: block & 1,
      slot: null,
      siteId: null,
    } as const;
    const opened = openSector("echo", bytes.subarray(sectorBytes, 2 * sectorBytes), place, checks);
    return opened.kind === "valid" ? [opened.record] : [];
  }

  /** Looks at a volume that is not installed, for the command that it be. */
  #probe(agent: Agent, name: string): void {
    const { devices, config } = agent.state;
    const volume = this.volume(name);
    const own = volume.writer === config.self.site;
    if (takesPart(devices.registrations[name]) || agent.missingVolumes.has(name)) return;
    const writer = config.sites.find((site) => site.name === volume.writer);
    const records = (writer?.hosts ?? []).flatMap(({ slot }) => {
      const copies = ([0, 1] as const).map((copy) => {
        const block = recordBlock(slot, copy);
        const bytes = (own ? volume.pvol : volume.svol).get(block);
        if (!bytes) return { kind: "empty" } as const;
        const at = { clusterId, volumeId, block, copy, slot, siteId: writer?.id ?? 0 };
        const place = { medium: "volume", ...at } as const;
        return openSector("record", bytes.subarray(0, sectorBytes), place, checks);
      });
      const reading = newestCopy(copies[0] as Opened<"record">, copies[1] as Opened<"record">);
      return reading.kind === "record" ? [reading.record] : [];
    });
    const times = { nowMs: this.nowMs, wallNs: 0n };
    if (!own) return void this.apply(agent, { kind: "probe", ...times, mirror: name, records });
    for (const record of records) {
      if (record.hostName === agent.name) continue;
      this.apply(agent, { kind: "sibling", nowMs: this.nowMs, record });
    }
  }

  /** What stands in its own slot, before it writes there: as an agent opens its volumes. */
  #readOwnSlot(agent: Agent): void {
    const { site, slot } = this.#self(agent);
    const { mirrors } = agent.state.config;
    for (const { name } of mirrors.filter(({ writer }) => writer === site.name)) {
      const record = this.#slotOf(name, slot, site.id);
      if (record) this.apply(agent, { kind: "sibling", nowMs: this.nowMs, record });
    }
  }

  /** The newest record in that slot of our own PVOL. */
  #slotOf(mirror: string, slot: number, siteId: number): HeartbeatRecord | null {
    const copies = ([0, 1] as const).map((copy) => {
      const block = recordBlock(slot, copy);
      const bytes = this.volume(mirror).pvol.get(block);
      if (!bytes) return { kind: "empty" } as const;
      const at = { clusterId, volumeId, block, copy, slot, siteId };
      return this.#openRecord(bytes, { medium: "volume", ...at }, sealing);
    });
    const reading = newestCopy(copies[0] as Opened<"record">, copies[1] as Opened<"record">);
    return reading.kind === "record" ? reading.record : null;
  }

  #readSiblings(agent: Agent): void {
    const { self, mirrors, sites } = agent.state.config;
    const site = sites.find(({ name }) => name === self.site);
    const { registrations } = agent.state.devices;
    const installed = mirrors.filter(({ name }) => takesPart(registrations[name]));
    for (const mirror of installed.filter(({ writer }) => writer === self.site)) {
      const afterSerial = agent.lastWritten.get(mirror.name) ?? 0n;
      for (const host of site?.hosts ?? []) {
        if (host.name === agent.name) continue;
        const record = this.#slotOf(mirror.name, host.slot, site?.id ?? 0);
        if (!record) continue;
        const was = agent.state.siblings[host.name]?.at;
        if (was && comparePositions(record, was) === 0) continue;
        this.apply(agent, { kind: "sibling", nowMs: this.nowMs, record });
      }
      this.apply(agent, { kind: "looked", nowMs: this.nowMs, mirror: mirror.name, afterSerial });
    }
  }

  #tellData(agent: Agent, group: string): void {
    if (!agent.data) return;
    const bootNs = BigInt(Math.round(this.nowMs)) * 1_000_000n + agent.bootSkewNs;
    const told = { ...agent.data, inSync: agent.data.state === "paired", bootNs, group };
    this.apply(agent, { kind: "data", nowMs: this.nowMs, ...told });
  }

  /** Check and feeding, with the watchdog's whole time between the last one and the reset. */
  #feed(agent: Agent): void {
    this.apply(agent, { kind: "tick", nowMs: this.nowMs });
    if (watchdogWish(agent.state) === "off") agent.fedMs = null;
    if (!this.#feeds(agent)) return;
    if (agent.feedStallMs === 0) return this.#arm(agent);
    this.#for(agent, this.nowMs + agent.feedStallMs, () => {
      if (agent.fedMs !== null) this.#arm(agent);
    });
  }

  #feeds(agent: Agent): boolean {
    return isLeased(agent.state.config.policy) && watchdogWish(agent.state) === "feed";
  }

  #arm(agent: Agent): void {
    agent.fedMs = this.nowMs;
    const { watchdogMs } = agent.state.config.timing;
    const fedMs = this.nowMs;
    this.#at(fedMs + watchdogMs, () => {
      if (this.agent(agent.name).fedMs === fedMs) this.reset(agent.name);
    });
  }

  /** The machine starts anew: nothing of before runs any more. */
  reset(name: string): void {
    const agent = this.agent(name);
    if (agent.alive) this.kill(name);
    agent.fedMs = null;
    agent.serves(false);
    agent.memory.bootId = "reset";
  }

  #queryPair(agent: Agent, mirror: string): void {
    const { pair: state, pairAnswers } = this.volume(mirror);
    const facts = { role: "unknown", native: "", percent: null, cause: "", byCommand: true };
    if (pairAnswers) {
      const told = state === "split" ? facts : null;
      this.apply(agent, { kind: "pair", nowMs: this.nowMs, mirror, state, facts: told });
    }
  }

  /** What was sent to an array lands, even where nobody waits for it any more. */
  #changePair(agent: Agent, action: Extract<Action, { kind: "change-pair" }>): void {
    const { mirror, verb } = action;
    const volume = this.volume(mirror);
    const { changes, changeMs } = volume;
    const doneMs = this.nowMs + changeMs;
    let outcome: "done" | "noop" | "refused" | "indeterminate" = "refused";
    this.#at(doneMs, () => {
      if (changes === "refused") return;
      outcome = this.setPair(mirror, verb) ? "done" : "noop";
      if (changes === "lost") outcome = "indeterminate";
    });
    this.#for(agent, doneMs + 1, () => {
      const nowMs = this.nowMs;
      const told = { mirror, verb, outcome, gone: volume.pair === "unknown", message: "so it was" };
      this.apply(agent, { kind: "pair-changed", nowMs, ...told });
    });
  }

  /** Splits or resynchronises a pair, as by hand; false where that is done already. */
  setPair(mirror: string, verb: "split" | "resync"): boolean {
    const volume = this.volume(mirror);
    const wanted = verb === "split" ? "split" : "paired";
    if (volume.pair === wanted) return false;
    volume.pair = wanted;
    this.link(mirror, verb === "resync");
    return true;
  }

  /** Cuts or mends the remote link. What was written meanwhile arrives after it, in its order. */
  link(name: string, up: boolean): void {
    const volume = this.volume(name);
    volume.linkUp = up;
    if (!up) return;
    const waiting = volume.backlog;
    volume.backlog = [];
    // Writes of meanwhile queue behind them: a remote copy keeps the order.
    for (const write of waiting) this.#replicate(volume, write, 60);
  }

  #replicate(volume: Volume, write: { block: number; bytes: Block }, delayMs: number): void {
    if (volume.pvol === volume.svol) return;
    volume.arrivedMs = Math.max(volume.arrivedMs, this.nowMs) + delayMs;
    this.#at(volume.arrivedMs, () => volume.svol.set(write.block, write.bytes));
  }

  #write(agent: Agent, name: string, body: RecordBody, copy: 0 | 1, echoes: readonly Echo[]): void {
    const volume = this.volume(name);
    const { slot, site } = this.#self(agent);
    const block = recordBlock(slot, copy);
    const head = {
      version: formatVersion,
      medium: media.volume,
      copy,
      features: 0,
      clusterId,
      volumeId,
      block,
      slot,
      site: site.id,
    };
    const bytes = this.#encode(agent, blockBytes, head, body, volume.reader, echoes, 0);
    if (agent.writeMs > 4) {
      this.#at(this.nowMs + agent.writeMs, () => this.#land(volume, block, bytes));
      return;
    }
    this.#land(volume, block, bytes);
  }

  #land(volume: Volume, block: number, bytes: Block): void {
    volume.pvol.set(block, bytes);
    if (volume.linkUp) this.#replicate(volume, { block, bytes }, this.latencyMs);
    else volume.backlog.push({ block, bytes });
  }

  /** A record and, in the next sector, the echoes that it carries. */
  #encode(
    agent: Agent,
    length: number,
    head: Head,
    body: RecordBody,
    peerSite: string,
    echoes: readonly Echo[],
    first: number,
  ): Block {
    const record = { ...head, ...body, ...seal, echoSectors: 1, echoPeers: echoes.length };
    const echo = this.#echoValues(agent, head, body, peerSite, echoes, first);
    const bytes = new Uint8Array(this.#light ? 0 : length);
    if (this.#light) {
      this.#plain.set(bytes, { record, echo: { ...echo, ...seal } });
      return bytes;
    }
    encodeSector("record", record, agent.sealing, bytes);
    encodeSector("echo", echo, agent.sealing, bytes, sectorBytes);
    return bytes;
  }

  #echoValues(
    agent: Agent,
    head: Head,
    body: RecordBody,
    peerSite: string,
    echoes: readonly Echo[],
    first: number,
  ) {
    const some = echoes.slice(first, first + echoesPerSector);
    const site = agent.state.config.sites.find(({ name }) => name === peerSite);
    const { incarnation, serial, term } = body;
    return {
      ...head,
      index: 1,
      incarnation,
      serial,
      term,
      firstPeer: first,
      count: some.length,
      peerSite: site?.id ?? 0,
      echoes: some,
    };
  }

  #self(agent: Agent) {
    const { sites, self } = agent.state.config;
    const site = sites.find(({ name }) => name === self.site);
    const host = site?.hosts.find(({ name }) => name === self.host);
    if (!site || !host) throw new Error("an agent is configured");
    return { site, slot: host.slot };
  }

  // ---- Network

  #drainer(agent: Agent, pollMs: number): () => void {
    const drain = () => {
      if (!agent.state.paths[networkPath]?.enabled) return;
      const { site, slot } = this.#self(agent);
      const place = datagramPlace(clusterId, site.id, slot);
      const records = agent.inbox.flatMap((bytes) => {
        const mac = agent.sealing.mac;
        const plain = this.#plain.get(bytes);
        if (plain) return [{ record: plain.record, echoes: [plain.echo] }];
        const record = openSector("record", bytes.subarray(0, sectorBytes), place, {
          ...checks,
          mac,
        });
        const echo = openSector("echo", bytes.subarray(sectorBytes), place, { ...checks, mac });
        if (record.kind === "valid" && echo.kind === "valid")
          return [{ record: record.record, echoes: [echo.record] }];
        if (record.kind === "rejected")
          this.apply(agent, {
            kind: "rejected",
            nowMs: this.nowMs,
            path: networkPath,
            reason: record.reason,
          });
        return [];
      });
      agent.inbox = [];
      const read = { kind: "good", beganMs: this.nowMs, endedMs: this.nowMs } as const;
      this.apply(agent, { kind: "network-read", nowMs: this.nowMs, read, records });
      this.#readAtDeadline(agent, networkPath, pollMs, drain);
    };
    return drain;
  }

  #send(agent: Agent, to: string, body: RecordBody): void {
    const { site, slot } = this.#self(agent);
    const target = this.agents.get(to);
    if (!target?.alive) return;
    const other = this.#self(target);
    if (this.cutNetwork.has(`${site.name}>${other.site.name}`)) return;
    const block = other.site.id * 65536 + other.slot;
    const head = {
      version: formatVersion,
      medium: media.datagram,
      copy: 0,
      features: 0,
      clusterId,
      volumeId: nilUuid,
      block,
      slot,
      site: site.id,
    };
    const echoes = echoesFor(agent.state, other.site.name);
    const first = other.slot - (other.slot % echoesPerSector);
    const bytes = this.#encode(agent, 2 * sectorBytes, head, body, other.site.name, echoes, first);
    this.#at(this.nowMs + this.networkMs, () => {
      if (this.agents.get(to) === target) target.inbox.push(bytes);
    });
  }

  cut(network: boolean): void {
    for (const way of ["tokyo>osaka", "osaka>tokyo"]) {
      if (network) this.cutNetwork.add(way);
      else this.cutNetwork.delete(way);
    }
  }

  // ---- Actions

  #perform(agent: Agent, action: Action): void {
    this.onAction(agent, action);
    switch (action.kind) {
      case "publish":
        return this.#publish(agent, action);
      case "store-term":
        return this.#for(agent, this.nowMs + 5, () => {
          const { durable } = action;
          if (agent.storeOk && durable.term >= (agent.memory.term ?? 0n)) {
            agent.memory.term = durable.term;
            agent.memory.halfDone = durable.halfDone;
            agent.memory.durable = durable;
          }
          this.apply(agent, {
            kind: "term-stored",
            nowMs: this.nowMs,
            durable,
            ok: agent.storeOk,
          });
        });
      case "open-volume":
        return this.#for(agent, this.nowMs + 5, () => {
          const fault = agent.missingVolumes.has(action.mirror) ? "no such device" : "";
          const { mirror } = action;
          const times = { nowMs: this.nowMs, wallNs: 0n };
          this.apply(agent, { kind: "volume-opened", ...times, mirror, volumeId, fault });
        });
      case "store-devices":
        return this.#for(agent, this.nowMs + 5, () => {
          const fault = agent.filesFault;
          if (fault === "") agent.memory.devices = action.devices;
          this.apply(agent, { kind: "devices-stored", nowMs: this.nowMs, wallNs: 0n, fault });
        });
      case "forget-switch":
        return;
      case "reconfigure":
        // A beat at once, as the agent does: it carries the new promise.
        agent.life += 1;
        return this.#loops(agent, 1);
      case "change-pair":
        return this.#changePair(agent, action);
      case "query-pair":
        return this.#for(agent, this.nowMs + 10, () => this.#queryPair(agent, action.mirror));
      case "run-hook":
        agent.hooks.push(action.hook);
        if (action.hook === "takeover") agent.serves(true);
        return this.#for(agent, this.nowMs + agent.hookMs, () => {
          const ok = action.hook === "takeover" ? agent.hookOk : agent.stopOk;
          if (action.hook === "superseded" && ok) agent.serves(false);
          this.apply(agent, {
            kind: "hook-ended",
            nowMs: this.nowMs,
            hook: action.hook,
            ok,
            detail: ok ? "exit 0" : "exit 1",
          });
        });
      case "answer":
        agent.answers.push(action);
        return;
      case "ask-arbiter":
        if (agent.arbiterMs === Number.POSITIVE_INFINITY) return;
        return this.#for(agent, this.nowMs + agent.arbiterMs, () => {
          const { op, term } = action;
          const { answer, detail } = agent.arbiter(op, term);
          this.apply(agent, { kind: "arbiter", nowMs: this.nowMs, term, op, answer, detail });
        });
      case "take-data":
      case "check-data": {
        const kind = action.kind === "take-data" ? "data-taken" : "data-checked";
        const { term } = action;
        agent.dataAsked.push(action);
        this.allAsked.push({ host: agent.name, action });
        return this.#for(agent, this.nowMs + agent.dataTakesMs, () => {
          const ok = agent.dataFault === "";
          const detail = ok ? "all done" : agent.dataFault;
          this.apply(agent, { kind, nowMs: this.nowMs, term, ok, detail });
        });
      }
    }
  }

  #copies = new Map<string, 0 | 1>();

  #publish(agent: Agent, action: Extract<Action, { kind: "publish" }>): void {
    const body = agent.change(action.body);
    const { mirrors, sites, self } = agent.state.config;
    for (const path of action.paths) {
      if (path === networkPath) {
        const hosts = sites.filter(({ name }) => name !== self.site).flatMap(({ hosts }) => hosts);
        for (const host of hosts) {
          const enabled = agent.state.peers.some(
            (peer) => peer.host.name === host.name && peer.enabled,
          );
          if (host.address && (action.onlyTo ? action.onlyTo === host.name : enabled))
            this.#send(agent, host.name, body);
        }
        continue;
      }
      const mirror = mirrors.find(({ name }) => name === path);
      if (!mirror || agent.writesHang) continue;
      const echoes = echoesFor(agent.state, mirror.reader);
      const key = `${agent.name} ${path}`;
      const older = this.#copies.get(key) ?? 0;
      const copies = action.final ? ([older, older === 0 ? 1 : 0] as const) : ([older] as const);
      for (const copy of copies) this.#write(agent, path, body, copy, echoes);
      if (!action.final) this.#copies.set(key, older === 0 ? 1 : 0);
      const { serial } = body;
      this.#for(agent, this.nowMs + agent.writeMs, () => {
        agent.lastWritten.set(path, serial);
        this.apply(agent, { kind: "published", nowMs: this.nowMs, mirror: path, serial });
      });
    }
  }

  /** Replays everything that one agent was told since its start: its outputs, step by step. */
  replay(name: string): { state: State; outputs: Pick<Step, "actions" | "events">[] } {
    const { setup, inputs } = this.agent(name);
    let state = begin(setup);
    const outputs = inputs.map((input) => {
      const result = step(state, input);
      state = result.state;
      return { actions: result.actions, events: result.events };
    });
    return { state, outputs };
  }

  publishes(name: string): number {
    return this.agent(name).outputs.flatMap(({ actions }) => actions.filter(isPublish)).length;
  }

  /** Sites with a host in the role active, that runs. */
  activeSites(): string[] {
    return ["tokyo", "osaka"].filter((site) =>
      this.site(site).some(({ state }) => state.role === "active"),
    );
  }
}
