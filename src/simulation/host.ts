/**
 * One host of a simulated world: a machine with its volumes, watchdog and service, and the agent as
 * it is shipped, with ports that lead into the simulation. What survives what: a service and a
 * watchdog outlive the agent, files outlive the machine's boots.
 */
import { Agent } from "../agent/agent.ts";
import { dataHistory } from "../agent/data-history.ts";
import { dataPairs } from "../agent/data-pairs.ts";
import { readyFrom, type Ready } from "../agent/gather.ts";
import { hookRunner } from "../agent/hooks.ts";
import { leaseClocks } from "../agent/lease-clocks.ts";
import type { Memory } from "../agent/memory.ts";
import { pairWatch } from "../agent/pairs.ts";
import { setupOf } from "../agent/setup.ts";
import { pairChanger } from "../agent/signal.ts";
import { pauseBy, type Timers } from "../agent/timers.ts";
import type { Answer, World as AgentWorld } from "../agent/world.ts";
import { type Config, isLeased, ownHost } from "../core/base/config.ts";
import type { CoreEvent } from "../core/base/event.ts";
import { rho } from "../core/base/lease-timing.ts";
import { begin } from "../core/step/begin.ts";
import { durableOf } from "../core/step/term.ts";
import { gateView } from "../core/step/gate.ts";
import type { Input, State } from "../core/step/state.ts";
import type { Endpoint } from "../network/endpoint.ts";
import type { Asker } from "./arbiter.ts";
import { SimulatedIo } from "./block-io.ts";
import type { DiskPort } from "./disk-port.ts";
import { fenceOf, HostPairs, keyringOf, type PairAtHost } from "./host-ports.ts";
import { type DiskFault, LocalDisk, MemoryStore } from "./local-disk.ts";
import { type CatchUp, Life, type Machine } from "./machine.ts";
import type { Random } from "./random.ts";
import { Service } from "./service.ts";
import type { VirtualTime } from "./virtual-time.ts";
import type { Watched } from "./observation.ts";
import { SimulatedWatchdog } from "./watchdog.ts";

/** What a host asks of the world around it. */
export type Surroundings = {
  readonly time: VirtualTime;
  readonly random: Random;
  readonly watch: (watched: Watched) => void;
  readonly openEndpoint: (host: Host, life: Life) => Endpoint | null;
  /** The pair of that mirror or data group, and this host's end of it; null without an array. */
  readonly pairOf: (host: Host, name: string) => PairAtHost | null;
  readonly arbiter: (asker: Asker) => AgentWorld["arbiter"];
};

const keyId = 0x5eed0001;
/** systemd begins it again. */
const restartMs = 2000;
const bootMs = 20_000;
/** Between two questions to the gate. */
const gateMs = 100;

export class Host {
  readonly name: string;
  readonly site: string;
  readonly machine: Machine;
  readonly service: Service;
  readonly watchdog: SimulatedWatchdog;
  config: Config;
  agent: Agent | null = null;
  /** It was switched off, or is to stay down. */
  isHeldDown = false;
  /** Its agent was stopped, and is not begun again by its unit. */
  isHeldBack = false;
  keyIds: readonly number[] = [keyId];
  /** How its agent's event loop works off what has waited while it stood still. */
  catchUp: CatchUp | null = null;
  private readonly disk = new LocalDisk();
  private readonly around: Surroundings;
  private readonly pairs: HostPairs;
  private life: Life;
  /** On its way out in order; to be begun again once it has left. */
  private leaving: Agent | null = null;
  private startsAgain = false;
  private isBeginning = false;
  /** By a signal; a suspended machine's stand still besides. */
  private isProcessStopped = false;
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
    this.life.end();
    this.pairs = new HostPairs(machine, around.time, (name) => around.pairOf(this, name));
    this.watchdog = new SimulatedWatchdog(around.time, machine, () => this.reset("watchdog"));
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
    return this.disk.memory;
  }

  get storeFault(): DiskFault {
    return this.disk.fault;
  }

  set storeFault(fault: DiskFault) {
    this.disk.fault = fault;
  }

  get storeMs(): number {
    return this.disk.writeMs;
  }

  set storeMs(ms: number) {
    this.disk.writeMs = ms;
  }

  /** Its local disk is replaced while it is off. */
  loseFiles(): void {
    if (!this.machine.isUp) this.disk.empty();
  }

  /** What is left of a watchdog's whole time, which the proof counts on, beyond its time-out. */
  get watchdogRoomMs(): number {
    const { timing, fencing } = this.config;
    return Math.max(0, timing.watchdogMs - fencing.watchdogLimitMs / (1 - rho(timing)));
  }

  /** How much later than its whole time its watchdog resets; 0 in all that the proof covers. */
  get watchdogLateMs(): number {
    return Math.max(0, this.watchdog.lateMs - this.watchdogRoomMs);
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
    this.watchdog.off();
    this.service.lost();
    for (const port of machine.ports.values()) this.cutPort(port);
    around.watch({ kind: "machine", host: this.name, what: upAgain ? "resets" : "off", reason });
    if (upAgain) this.bootLater();
  }

  /** A request that had left the machine may land yet, within the time that is configured. */
  private cutPort(port: DiskPort): void {
    const { random, time } = this.around;
    const land = port.cut();
    if (random.chance(0.5)) time.after(random.between(0, this.config.timing.lateWriteMs), land);
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
    this.service.freeze();
    this.around.watch({ kind: "machine", host: this.name, what: "suspended", reason: "" });
  }

  resume(): void {
    if (!this.machine.isSuspended) return;
    this.machine.resume();
    this.service.thaw();
    if (!this.isProcessStopped) this.life.continue(this.catchUp);
    this.around.watch({ kind: "machine", host: this.name, what: "resumes", reason: "" });
  }

  // ---- The agent's process

  private tellAgent(what: Extract<Watched, { kind: "agent" }>["what"], reason = ""): void {
    this.around.watch({ kind: "agent", host: this.name, what, reason });
  }

  private endLife(): void {
    this.life.end();
    this.agent = null;
    this.leaving = null;
    this.startsAgain = false;
    this.isBeginning = false;
    this.isProcessStopped = false;
  }

  /** While it begins, too. */
  kill(reason = ""): void {
    if (!this.machine.isUp || !this.life.isAlive) return;
    this.endLife();
    this.tellAgent("killed", reason);
  }

  stopAgent(): void {
    if (!this.machine.isUp || !this.life.isAlive || this.isProcessStopped) return;
    this.isProcessStopped = true;
    this.life.stop();
    this.tellAgent("stopped");
  }

  continueAgent(): void {
    if (!this.isProcessStopped) return;
    this.isProcessStopped = false;
    if (!this.machine.isSuspended) this.life.continue(this.catchUp);
    this.tellAgent("continues");
  }

  /** In order, as its unit's stop does. */
  leave(): void {
    const { agent, life } = this;
    if (!agent) return this.kill("stopped while it began");
    if (this.leaving === agent) return;
    this.leaving = agent;
    life.take(() => {
      void agent.stop(this.config.timing.writeLimitMs + 1000).then(() => {
        if (this.agent !== agent) return;
        const { startsAgain } = this;
        this.endLife();
        this.tellAgent("left");
        if (startsAgain) this.startAgent();
      });
    });
  }

  /** As its unit's start does, which waits for a stop that is under way. */
  startAgent(): void {
    if (!this.machine.isUp || this.isBeginning) return;
    if (this.leaving !== null) this.startsAgain = true;
    if (this.agent !== null) return;
    const life = new Life(this.around.time);
    if (this.machine.isSuspended) life.stop();
    this.life = life;
    this.isBeginning = true;
    void this.begin(life).then((refused) => {
      if (!life.isAlive) return;
      this.isBeginning = false;
      if (refused !== null) this.ended(refused);
    });
  }

  /** By itself; its unit begins it again. */
  private ended(why: string): void {
    this.endLife();
    this.tellAgent("refused", why);
    const { life } = this;
    this.around.time.after(restartMs, () => {
      // Not where somebody began it, or keeps it from beginning, meanwhile.
      if (this.life === life && !this.isHeldBack) this.startAgent();
    });
  }

  /** Why it cannot begin; null where it runs. */
  private async begin(life: Life): Promise<string | null> {
    const { config, machine, disk } = this;
    const io = new SimulatedIo(machine, life);
    const timers = this.timersOf(life);
    const keys = keyringOf(this.keyIds);
    const tools = { io, keys, pause: pauseBy(timers), wallNs: machine.wallNs() };
    const started = await readyFrom(config, tools, disk.memory, disk.devices);
    if (!started.ok) return started.refusal.message;
    const { ready } = started;
    const clocks = isLeased(config.policy) ? leaseClocks(() => io.clocks()) : null;
    const nowMs = (): number => machine.monotonicMs();
    const times = { nowMs: nowMs(), clocks: clocks === null ? null : clocks() };
    const begun = begin(setupOf(config, ready, machine.bootId(), times));
    const { incarnation } = ready;
    const memory = { ...ready.memory, bootId: machine.bootId(), ...durableOf(begun), incarnation };
    const files = new MemoryStore(disk, life, ready.memory);
    await files.store(memory);
    if (!ready.devicesFiled) void disk.storeDevices(life, ready.devices);
    if (!life.isAlive) return null;
    this.tellAgent("begins");
    const { role, term } = begun;
    const who = { host: this.name, site: this.site, role, term, incarnation };
    this.tell({ level: "notice", ev: "start", fields: { ...who, engine: "simulated" } });
    const world = this.agentWorld(life, timers, ready, clocks, files);
    this.agent = new Agent(begun, ready, world, ready.memory.switches);
    return null;
  }

  private timersOf(life: Life): Timers {
    return {
      after: (ms, run) => life.after(ms / this.machine.rate, run),
      soon: (run) => void life.after(0, run),
    };
  }

  // ---- Its ports

  private tell(event: CoreEvent): void {
    this.around.watch({ kind: "told", host: this.name, event });
  }

  private agentWorld(
    life: Life,
    timers: Timers,
    ready: Ready,
    clocks: AgentWorld["clocks"],
    files: MemoryStore,
  ): AgentWorld {
    const { machine, config, around } = this;
    const nowMs = (): number => machine.monotonicMs();
    const pause = pauseBy(timers);
    const endpoint = around.openEndpoint(this, life);
    const random = around.random.fork(`${this.name} ${ready.incarnation}`);
    const tell = (event: CoreEvent): void => this.tell(event);
    const bootNs = (): bigint => machine.clocks().boottimeNs;
    const opener = this.pairs.dataOpener(config, life);
    const dataTools = {
      io: ready.io,
      bootNs,
      opener,
      history: dataHistory(),
      pause,
      running: null,
    };
    return {
      clock: { nowMs, wallNs: () => machine.wallNs() },
      timers,
      nonce: () => random.bits64(),
      tell,
      store: (memory) => files.store(memory),
      storeDevices: (devices) => this.disk.storeDevices(life, devices),
      endpoint: () => endpoint,
      pairs: (now, onInput) => {
        const clock = { nowMs, pause };
        const open = (mirror: string) => Promise.resolve(this.pairs.open(mirror, life));
        const change = pairChanger(open, onInput, clock);
        return pairWatch(now, this.pairs.queries(now, life), onInput, change);
      },
      clocks,
      data: (now, onInput) => dataPairs(now, nowMs, onInput, dataTools),
      arbiter: around.arbiter({ nowMs, after: (ms, run) => void life.after(ms, run) }),
      fence: fenceOf({ config, machine, watchdog: this.watchdog, life, timers, tell }),
      runHook: hookRunner(config, tell, {
        wallNs: () => machine.wallNs(),
        run: (_command, env, limitMs, signal) => this.service.hook(env, limitMs, signal, life),
      }),
      onStep: (before, input, after, actions) => {
        around.watch({ kind: "step", host: this.name, before, input, after, actions });
        this.askGate(after);
      },
      onSlotLost: (reason) => this.ended(reason),
    };
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

  /** By hand; it waits for the gate as at a boot. */
  startService(): void {
    this.isServiceWanted = true;
    if (this.state !== null) this.askGate(this.state);
  }

  /** As what is asked at its control socket: a stopped process answers once it goes on. */
  withAgent<T>(run: (agent: Agent) => Promise<T>): Promise<T | null> {
    const { agent, life } = this;
    if (!agent) return Promise.resolve(null);
    return new Promise((resolve) => {
      life.take(() => void run(agent).then((answer) => life.take(() => resolve(answer))));
    });
  }

  async ask(input: (id: number, nowMs: number) => Input): Promise<Answer> {
    const answer = await this.withAgent((agent) => agent.asked(input));
    return answer ?? { code: 69, message: "no agent answers" };
  }

  get selfHost() {
    return ownHost(this.config);
  }
}
