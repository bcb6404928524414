/**
 * One host of a simulated world: a machine with its volumes, watchdog and service, and the agent as
 * it is shipped, with ports that lead into the simulation. What survives what: a service and a
 * watchdog outlive the agent, files outlive the machine's boots.
 */
import { Agent } from "../agent/agent.ts";
import { pairAsker } from "../agent/ask-pair.ts";
import { dataHistory } from "../agent/data-history.ts";
import { dataPairs } from "../agent/data-pairs.ts";
import { Fence } from "../agent/fence.ts";
import { readyFrom, type Ready } from "../agent/gather.ts";
import { hookRunner } from "../agent/hooks.ts";
import { leaseClocks } from "../agent/lease-clocks.ts";
import { emptyMemory, type Memory } from "../agent/memory.ts";
import { pairWatch, type PairQuery } from "../agent/pairs.ts";
import type { Keyring } from "../agent/seal.ts";
import { setupOf } from "../agent/setup.ts";
import { pairChanger } from "../agent/signal.ts";
import { pauseBy, type Timers } from "../agent/timers.ts";
import type { World as AgentWorld } from "../agent/world.ts";
import { type Config, isLeased, ownHost } from "../core/base/config.ts";
import type { Devices } from "../core/base/devices.ts";
import type { CoreEvent } from "../core/base/event.ts";
import { begin } from "../core/step/begin.ts";
import { durableOf } from "../core/step/term.ts";
import { gateView } from "../core/step/gate.ts";
import type { Input, State } from "../core/step/state.ts";
import type { WatchdogOpened } from "../device/watchdog.ts";
import type { Endpoint } from "../network/endpoint.ts";
import type { OpenPair } from "../remotecopy/open-provider.ts";
import type { Asker } from "./arbiter.ts";
import { SimulatedIo } from "./block-io.ts";
import { crc32c, macOf } from "./checksum.ts";
import { Life, type Machine } from "./machine.ts";
import { type ArrayManner, simulatedProvider } from "./pair-provider.ts";
import type { End, Pair } from "./pair.ts";
import type { Random } from "./random.ts";
import { Service } from "./service.ts";
import type { VirtualTime } from "./virtual-time.ts";
import type { Watched } from "./observation.ts";

/** What a host asks of the world around it. */
export type Surroundings = {
  readonly time: VirtualTime;
  readonly random: Random;
  readonly watch: (watched: Watched) => void;
  readonly openEndpoint: (host: Host, life: Life) => Endpoint | null;
  /** The pair of that mirror or data group, and this host's end of it; null without an array. */
  readonly pairOf: (
    host: Host,
    name: string,
  ) => { readonly pair: Pair; readonly end: End; readonly manner: ArrayManner } | null;
  readonly arbiter: (asker: Asker) => AgentWorld["arbiter"];
};

/** The files of an agent. */
type Files = { memory: Memory; devices: Devices | null };

const keyId = 0x5eed0001;
const storeMs = 3;
/** systemd begins it again. */
const restartMs = 2000;
const bootMs = 20_000;
/** Between two questions to the gate. */
const gateMs = 100;
const queryLimitMs = 2000;
const changeLimitMs = 10_000;

export class Host {
  readonly name: string;
  readonly site: string;
  readonly machine: Machine;
  readonly service: Service;
  config: Config;
  agent: Agent | null = null;
  /** Faults of its local disk. */
  storeFault: "" | "fails" | "hangs" = "";
  /** How much later than promised its watchdog resets; beyond what the proof assumes. */
  watchdogLateMs = 0;
  /** It was switched off, or is to stay down. */
  isHeldDown = false;
  keyIds: readonly number[] = [keyId];
  private readonly files: Files = { memory: emptyMemory, devices: null };
  private readonly around: Surroundings;
  private life: Life;
  private fedMs: number | null = null;
  private lapses = 0;
  /** Whether the init system still is to start the service in this boot. */
  private isServiceWanted = true;
  private isGateAsked = false;

  constructor(config: Config, machine: Machine, around: Surroundings) {
    this.name = config.self.host;
    this.site = config.self.site;
    this.config = config;
    this.machine = machine;
    this.around = around;
    this.life = new Life(around.time);
    this.service = new Service(around.time, around.random.fork(`${this.name} service`), (runs) =>
      around.watch({ kind: "service", host: this.name, runs }),
    );
  }

  get isBeating(): boolean {
    return this.agent !== null && !this.life.isStopped;
  }

  get isAgentStopped(): boolean {
    return this.life.isStopped;
  }

  get state(): State | null {
    return this.agent?.state ?? null;
  }

  get memory(): Memory {
    return this.files.memory;
  }

  // ---- The machine

  boot(): void {
    this.machine.booted();
    this.isServiceWanted = true;
    this.around.watch({ kind: "machine", host: this.name, what: "boots", reason: "" });
    this.startAgent();
  }

  /** As by a cut of its power: nothing of before runs any more. `upAgain`: it boots by itself. */
  reset(reason: string, upAgain = true): void {
    const { machine, around } = this;
    if (!machine.isUp) return;
    machine.isUp = false;
    this.endLife();
    this.fedMs = null;
    this.service.lost();
    for (const port of machine.ports.values()) if (port.isHung) this.cutPort(port);
    around.watch({ kind: "machine", host: this.name, what: upAgain ? "resets" : "off", reason });
    if (upAgain) this.bootLater();
  }

  /** A request that had left the machine may land yet, within the time that is configured. */
  private cutPort(port: { release(isDone: boolean): void; hang(): void }): void {
    const { random, time } = this.around;
    if (!random.chance(0.5)) {
      port.release(false);
      return port.hang();
    }
    time.after(random.between(0, this.config.timing.lateWriteMs), () => {
      port.release(true);
      if (!this.machine.isUp) port.hang();
    });
  }

  bootLater(ms = bootMs): void {
    const { boots } = this.machine;
    this.around.time.after(ms, () => {
      if (!this.machine.isUp && this.machine.boots === boots && !this.isHeldDown) this.boot();
    });
  }

  suspend(): void {
    if (!this.machine.isUp) return;
    this.machine.suspend();
    this.life.stop();
    this.around.watch({ kind: "machine", host: this.name, what: "suspended", reason: "" });
  }

  resume(): void {
    if (!this.machine.isSuspended) return;
    this.machine.resume();
    this.life.continue();
    this.around.watch({ kind: "machine", host: this.name, what: "resumes", reason: "" });
  }

  // ---- The agent's process

  private tellAgent(what: Extract<Watched, { kind: "agent" }>["what"], reason = ""): void {
    this.around.watch({ kind: "agent", host: this.name, what, reason });
  }

  private endLife(): void {
    this.life.end();
    this.agent = null;
  }

  kill(reason = ""): void {
    if (this.agent === null) return;
    this.endLife();
    this.tellAgent("killed", reason);
  }

  stopAgent(): void {
    if (!this.machine.isUp || this.life.isStopped) return;
    this.life.stop();
    this.tellAgent("stopped");
  }

  continueAgent(): void {
    if (!this.life.isStopped || this.machine.isSuspended) return;
    this.life.continue();
    this.tellAgent("continues");
  }

  /** In order, as its unit's stop does. */
  leave(): void {
    const { agent, life } = this;
    if (!agent) return;
    life.take(() => {
      void agent.stop(this.config.timing.writeLimitMs + 1000).then(() => {
        if (this.agent !== agent) return;
        this.endLife();
        this.tellAgent("left");
      });
    });
  }

  startAgent(): void {
    if (this.agent !== null || !this.machine.isUp) return;
    this.life.end();
    const life = new Life(this.around.time);
    this.life = life;
    void this.begin(life).then((refused) => {
      if (refused === null || !life.isAlive) return;
      this.tellAgent("refused", refused);
      life.after(restartMs, () => {
        if (this.agent === null) this.startAgent();
      });
    });
  }

  /** Why it cannot begin; null where it runs. */
  private async begin(life: Life): Promise<string | null> {
    const { config, machine, files } = this;
    const io = new SimulatedIo(machine, life);
    const timers = this.timersOf(life);
    const keys = this.keyring();
    const tools = { io, keys, pause: pauseBy(timers), wallNs: machine.wallNs() };
    const started = await readyFrom(config, tools, files.memory, files.devices);
    if (!started.ok) return started.refusal.message;
    const { ready } = started;
    const clocks = isLeased(config.policy) ? leaseClocks(() => io.clocks()) : null;
    const nowMs = (): number => machine.monotonicMs();
    const times = { nowMs: nowMs(), clocks: clocks === null ? null : clocks() };
    const begun = begin(setupOf(config, ready, machine.bootId(), times));
    const { incarnation } = ready;
    const memory = { ...ready.memory, bootId: machine.bootId(), ...durableOf(begun), incarnation };
    await this.store(life, memory);
    if (!ready.devicesFiled) await this.storeDevices(life, ready.devices);
    if (!life.isAlive) return null;
    this.tellAgent("begins");
    const world = this.agentWorld(life, timers, ready, clocks);
    this.agent = new Agent(begun, ready, world, ready.memory.switches);
    return null;
  }

  private timersOf(life: Life): Timers {
    return {
      after: (ms, run) => life.after(ms / this.machine.rate, run),
      soon: (run) => void life.after(0, run),
    };
  }

  private keyring(): Keyring {
    const { keyIds } = this;
    const mac = macOf(keyIds);
    const [signing = keyId] = keyIds;
    return {
      mac,
      crc32c,
      sealing: () => ({ mac, crc32c, keyId: signing }),
      ids: () => keyIds,
      isRetiring: () => false,
      generation: 0,
      replace: () => undefined,
    };
  }

  // ---- Its ports

  private store(life: Life, memory: Memory): Promise<boolean> {
    return new Promise((resolve) => {
      if (this.storeFault === "hangs") return void life.after(2000, () => resolve(false));
      life.after(storeMs, () => {
        const ok = this.storeFault === "" && memory.incarnation >= this.files.memory.incarnation;
        if (ok) this.files.memory = memory;
        resolve(ok);
      });
    });
  }

  private storeDevices(life: Life, devices: Devices): Promise<string> {
    return new Promise((resolve) => {
      life.after(storeMs, () => {
        if (this.storeFault === "") this.files.devices = devices;
        resolve(this.storeFault === "" ? "" : "no space left on device");
      });
    });
  }

  private tell(event: CoreEvent): void {
    this.around.watch({ kind: "told", host: this.name, event });
  }

  private openPair(name: string, life: Life): OpenPair | null {
    const found = this.around.pairOf(this, name);
    if (!found) return null;
    const { pair, end, manner } = found;
    const provider = simulatedProvider({
      pair,
      end,
      manner,
      nowMs: () => this.machine.monotonicMs(),
      after: (ms, run) => void life.after(ms, run),
      inArray: (ms, run) => void this.around.time.after(ms, run),
    });
    return { provider, end, expected: pair.disks[end].wwid, queryLimitMs, changeLimitMs };
  }

  private agentWorld(
    life: Life,
    timers: Timers,
    ready: Ready,
    clocks: AgentWorld["clocks"],
  ): AgentWorld {
    const { machine, config, around } = this;
    const nowMs = (): number => machine.monotonicMs();
    const pause = pauseBy(timers);
    const endpoint = around.openEndpoint(this, life);
    const random = around.random.fork(`${this.name} ${ready.incarnation}`);
    const tell = (event: CoreEvent): void => this.tell(event);
    const bootNs = (): bigint => machine.clocks().boottimeNs;
    const opener = async (_site: string, group: { readonly name: string }) => {
      const pair = this.openPair(group.name, life);
      if (!pair) return { ok: false, reason: "it has no provider" } as const;
      const path = pair.end === "writer" ? this.dataOf(group.name).pvol : this.dataOf(group.name).svol;
      return { ok: true, pair: { name: group.name, device: path, pair } } as const;
    };
    const dataTools = { io: ready.io, bootNs, opener, history: dataHistory(), pause, running: null };
    return {
      clock: { nowMs, wallNs: () => machine.wallNs() },
      timers,
      nonce: () => random.bits64(),
      tell,
      store: (memory) => this.store(life, memory),
      storeDevices: (devices) => this.storeDevices(life, devices),
      endpoint: () => endpoint,
      pairs: (now, onInput) => {
        const clock = { nowMs, pause };
        const change = pairChanger((mirror) => Promise.resolve(this.openPair(mirror, life)), onInput, clock);
        return pairWatch(now, this.queries(now, life), onInput, change);
      },
      clocks,
      data: (now, onInput) => dataPairs(now, nowMs, onInput, dataTools),
      arbiter: around.arbiter({ nowMs, after: (ms, run) => void life.after(ms, run) }),
      fence: this.fence(life, timers, tell),
      runHook: hookRunner(config, tell, {
        wallNs: () => machine.wallNs(),
        run: (_command, env, limitMs, signal) => this.service.hook(env, limitMs, signal, life),
      }),
      onStep: (before, input, after, actions) => {
        around.watch({ kind: "step", host: this.name, before, input, after, actions });
        this.askGate(after);
      },
      onSlotLost: (reason) => {
        this.endLife();
        this.tellAgent("refused", reason);
      },
    };
  }

  private dataOf(name: string) {
    const group = this.config.dataGroups.find((each) => each.name === name);
    if (!group) throw new Error(`assertion failed: data group ${name} is configured`);
    return group;
  }

  private queries(config: Config, life: Life): Record<string, PairQuery> {
    const queries: Record<string, PairQuery> = {};
    const nowMs = (): number => this.machine.monotonicMs();
    for (const { name } of config.mirrors) {
      const pair = this.openPair(name, life);
      if (pair) queries[name] = pairAsker(pair, nowMs);
    }
    return queries;
  }

  // ---- Its watchdog

  private fence(life: Life, timers: Timers, tell: (event: CoreEvent) => void): Fence {
    const { fencing, timing } = this.config;
    return new Fence({
      config: fencing,
      timing,
      tell,
      nowMs: () => this.machine.monotonicMs(),
      timers,
      service: null,
      open: (path, limitMs) => this.openWatchdog(path, limitMs, life),
    });
  }

  private openWatchdog(path: string, limitMs: number, life: Life): WatchdogOpened {
    const feed = (): null => {
      this.fed(limitMs, life);
      return null;
    };
    feed();
    const disarm = (): null => {
      this.fedMs = null;
      return null;
    };
    const watchdog = { kind: "device", path, identity: "simulated", limitMs, canDisarm: true } as const;
    return { ok: true, watchdog: { ...watchdog, feed, disarm } };
  }

  /** A watchdog counts by a clock of its own; a suspended machine's goes on. */
  private fed(limitMs: number, life: Life): void {
    if (!life.isAlive) return;
    const { time } = this.around;
    this.fedMs = time.nowMs;
    const lapse = ++this.lapses;
    const dueMs = limitMs / this.machine.rate + this.watchdogLateMs;
    time.after(dueMs, () => {
      if (this.fedMs !== null && this.lapses === lapse) this.reset("watchdog");
    });
  }

  // ---- Its service

  /** The service's unit waits for the gate once a boot; hooks do the rest. */
  private askGate(state: State): void {
    if (!this.isServiceWanted || this.isGateAsked || state.role !== "active") return;
    this.isGateAsked = true;
    const { boots } = this.machine;
    this.around.time.after(gateMs, () => {
      this.isGateAsked = false;
      if (!this.machine.isUp || this.machine.boots !== boots || !this.isBeating) return;
      this.agent?.refresh();
      if (this.state === null || !gateView(this.state, "").open) return;
      this.isServiceWanted = false;
      this.service.start();
    });
  }

  /** As a command at its control socket does. */
  async ask(input: (id: number, nowMs: number) => Input): Promise<{ code: number; message: string }> {
    const { agent } = this;
    if (!agent) return { code: 69, message: "no agent answers" };
    return agent.asked(input);
  }

  get selfHost() {
    return ownHost(this.config);
  }
}

