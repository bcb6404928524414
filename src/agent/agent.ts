/**
 * The agent: the shell around step(). It turns reads, datagrams, clocks and commands into inputs,
 * and carries out the actions. It moves values and decides nothing.
 */
import { type Config, isLeased, ownHost, ownSite } from "../core/base/config.ts";
import { type Devices, takesPart } from "../core/base/devices.ts";
import type { Read } from "../core/observation.ts";
import type { HeartbeatRecord } from "../core/sector/layout.ts";
import { step } from "../core/step.ts";
import type { Switches } from "../core/step/begin.ts";
import { nextDeadlineMs } from "../core/step/judge.ts";
import { highWaterMarks } from "../core/step/marks.ts";
import { watchdogWish } from "../core/step/lease.ts";
import type { Durable } from "../core/step/right-state.ts";
import { durableOf } from "../core/step/term.ts";
import { isNewestWord } from "../core/step/see.ts";
import {
  type Action,
  type Input,
  type InstallWish,
  networkPath,
  type State,
  type SwitchTarget,
} from "../core/step/state.ts";
import { changedEnds, type Ends, type EndsContext, openedEnds } from "./ends.ts";
import { deviceEvent, openToInstall, probeUninstalled } from "./installing.ts";
import type { DataPairs } from "./data-pairs.ts";
import type { Feeding } from "./fence.ts";
import type { AskArbiter } from "./outside.ts";
import { drainLan } from "./lan.ts";
import { type Memory, switched } from "./memory.ts";
import type { PairWatch } from "./pairs.ts";
import { type Publish, publishRecord } from "./publisher.ts";
import { runSchedule, type Schedule } from "./schedule.ts";
import type { Writer } from "./seal.ts";
import type { Ready } from "./gather.ts";
import type { Poll } from "./svol.ts";
import { inTime, pauseBy, untilTrue } from "./timers.ts";
import type { Answer, World } from "./world.ts";

/** Marks and switches are kept now and then; terms and incarnations at once. */
const memoryPeriodMs = 30_000;
/** Looks at the volumes of mirrors that are not installed. */
const probeMs = 2000;
/** After a store that failed: an incarnation that is not kept could be used again. */
const memoryRetryMs = 1000;

export class Agent {
  private ends: Ends;
  private current: State;
  private kept: Switches;
  private readonly ready: Ready;
  private readonly world: World;
  private readonly writer: Writer;
  private pairs: PairWatch;
  private readonly data: DataPairs;
  private readonly askArbiter: (ask: AskArbiter) => void;
  private schedule: Schedule;
  private forgotten: Promise<unknown> = Promise.resolve();
  private readonly answers = new Map<number, (answer: Answer) => void>();
  private nextAnswer = 1;

  /** Begins at once: the first beat goes out in this turn of the event loop. */
  constructor(begun: State, ready: Ready, world: World, switches: Switches) {
    const { config } = begun;
    this.current = begun;
    this.kept = switches;
    this.ready = ready;
    this.world = world;
    this.writer = {
      clusterId: ready.clusterId,
      siteId: ownSite(config).id,
      slot: ownHost(config).slot,
    };
    this.pairs = world.pairs(config, (input) => this.apply(input));
    this.data = world.data(config, (input) => this.apply(input));
    this.askArbiter = world.arbiter(config, (input) => this.apply(input));
    this.ends = openedEnds(this.endsContext());
    this.schedule = this.startSchedule();
    if (isLeased(config.policy)) world.fence.start(() => this.feeding());
  }

  get readers(): Ends["readers"] {
    return this.ends.readers;
  }

  get writers(): Ends["writers"] {
    return this.ends.writers;
  }

  get state(): State {
    return this.current;
  }

  private get config(): Config {
    return this.current.config;
  }

  private nowMs(): number {
    return this.world.clock.nowMs();
  }

  private endsContext(): EndsContext {
    return {
      config: () => this.current.config,
      ready: this.ready,
      writer: this.writer,
      nowMs: this.world.clock.nowMs,
      mayStand: (record) => this.mayStand(record),
      isInstalled: (mirror) => this.isInstalled(mirror),
      isNews: (record) => isNewestWord(this.current, record),
      tellDevice: (mirror, device, fault) => this.tellDevice(mirror, device, fault),
      onSibling: (record) => this.apply({ kind: "sibling", nowMs: this.nowMs(), record }),
      onLook: (mirror, afterSerial) =>
        this.apply({ kind: "looked", nowMs: this.nowMs(), mirror, afterSerial }),
      onSlotLost: this.world.onSlotLost,
    };
  }

  private startSchedule(): Schedule {
    const { timing } = this.config;
    const tasks = [
      { periodMs: timing.intervalMs, run: () => this.beat() },
      { periodMs: timing.pollMs, run: () => this.poll() },
      { periodMs: timing.pairPollMs, run: () => this.pairs.queryAll() },
      { periodMs: timing.pairPollMs, run: () => this.data.queryAll() },
      { periodMs: probeMs, run: () => this.probe() },
      { periodMs: memoryPeriodMs, run: () => void this.keepMemory() },
    ];
    return runSchedule(this.world.clock.nowMs, tasks, this.world.timers);
  }

  /** The core goes by another configuration from now on; the first beat by it goes out at once. */
  private reconfigure(before: Config): void {
    this.schedule.stop();
    this.pairs.stop();
    this.ends = changedEnds(this.endsContext(), this.ends, before);
    this.pairs = this.world.pairs(this.config, (input) => this.apply(input));
    this.schedule = this.startSchedule();
  }

  /** A record in our own slot that we cannot have written tells of another agent that uses it. */
  private mayStand(record: HeartbeatRecord): boolean {
    const { incarnation, serial, bootId } = this.current;
    if (record.incarnation !== incarnation) return record.incarnation < incarnation;
    return record.serial <= serial && record.bootId === bootId;
  }

  private tellDevice(mirror: string, device: string, fault: string | null): void {
    // What is not installed may well be missing.
    if (this.isInstalled(mirror)) this.world.tell(deviceEvent(mirror, device, fault));
  }

  private memory(): Memory {
    const { incarnation, bootId } = this.current;
    const marks = highWaterMarks(this.current);
    return { incarnation, bootId, ...durableOf(this.current), marks, switches: this.kept };
  }

  private async keepMemory(): Promise<void> {
    if (await this.world.store(this.memory())) return;
    this.schedule.once("memory", this.nowMs() + memoryRetryMs, () => void this.keepMemory());
  }

  private take(told: Input): readonly Action[] {
    const { clocks } = this.world;
    // Read now: after what the input tells of, so that a wait never counts from too early.
    // Every input is made for this one step, so it is added to rather than copied.
    const input = clocks === null ? told : Object.assign(told, { clocks: clocks() });
    const before = this.current;
    const { state, actions, events } = step(before, input);
    this.current = state;
    this.world.onStep?.(before, input, state, actions);
    // Before the actions: a service that is started, or let in, is fenced from its first moment on.
    if (clocks !== null && watchdogWish(state) === "feed") this.world.fence.arm();
    for (const event of events) this.world.tell(event);
    return actions;
  }

  private apply(input: Input): void {
    for (const action of this.take(input)) this.perform(action);
  }

  private perform(action: Action): void {
    switch (action.kind) {
      case "publish":
        return void this.publish(action);
      case "store-term":
        return void this.storeTerm(action.durable);
      case "query-pair":
        return this.pairs.query(action.mirror);
      case "change-pair":
        return this.pairs.change(action);
      case "open-volume":
        return void this.openVolume(action.mirror);
      case "store-devices":
        return void this.storeDevices(action.devices);
      case "reconfigure":
        return this.reconfigure(action.before);
      case "forget-switch":
        return this.forgetSwitch(action.mirror);
      case "run-hook":
        return this.world.runHook(action, (ok, detail) => {
          this.apply({ kind: "hook-ended", nowMs: this.nowMs(), hook: action.hook, ok, detail });
        });
      case "ask-arbiter":
        return this.askArbiter(action);
      case "take-data":
        return this.data.take(action);
      case "check-data":
        return this.data.check(action);
      case "answer": {
        const answer = this.answers.get(action.id);
        this.answers.delete(action.id);
        return answer?.({ code: action.code, message: action.message });
      }
    }
  }

  private async openVolume(mirror: string): Promise<void> {
    const end = this.readers[mirror] ?? this.writers[mirror];
    const { config, incarnation } = this.current;
    const pause = pauseBy(this.world.timers);
    const found = await openToInstall(config, this.ready, pause, incarnation, mirror, end);
    this.apply({ kind: "volume-opened", ...this.times(), mirror, ...found });
  }

  private async storeDevices(devices: Devices): Promise<void> {
    // Off by a switch of before would be off again after a crash: that is forgotten first.
    await this.forgotten;
    const fault = await this.world.storeDevices(devices);
    this.apply({ kind: "devices-stored", ...this.times(), fault });
  }

  private forgetSwitch(mirror: string): void {
    if (this.kept.mirrors[mirror] === undefined) return;
    this.kept = switched(this.kept, { kind: "mirror", name: mirror }, true);
    this.forgotten = this.world.store(this.memory());
  }

  private async storeTerm(durable: Durable): Promise<void> {
    const ok = await this.world.store({ ...this.memory(), ...durable });
    this.apply({ kind: "term-stored", nowMs: this.nowMs(), durable, ok });
    // A term that was taken, or given away, goes out at once, not with the next beat.
    const { takeover, handover } = this.current;
    if (takeover?.phase === "publishing" || handover?.phase === "publishing") this.beat();
  }

  private publish(action: Publish): Promise<void> {
    const { current: state, writer, writers } = this;
    return publishRecord({ state, writer, writers, keys: this.ready.keys }, action, {
      endpoint: this.world.endpoint(),
      onDurable: (mirror, serial) => {
        this.world.fence.wrote();
        this.apply({ kind: "published", nowMs: this.nowMs(), mirror, serial });
      },
    });
  }

  private takePoll(mirror: string, poll: Poll): void {
    const nowMs = this.nowMs();
    const { read, seen } = poll;
    for (const reason of poll.rejected)
      this.apply({ kind: "rejected", nowMs, path: mirror, reason });
    this.apply({ kind: "mirror-read", mirror, nowMs: read.endedMs, read, seen });
    this.planExtraPoll(mirror, () => this.pollMirror(mirror));
  }

  private pollMirror(mirror: string): void {
    const reader = this.readers[mirror];
    if (!reader || !this.current.paths[mirror]?.enabled) return;
    void reader.poll().then((poll) => poll && this.takePoll(mirror, poll));
  }

  private drain(): void {
    const endpoint = this.world.endpoint();
    if (!this.current.paths[networkPath]?.enabled) return void endpoint?.drain();
    const nowMs = this.nowMs();
    if (!endpoint) {
      const read: Read = { kind: "failed", endedMs: nowMs, failure: "no socket" };
      return this.apply({ kind: "network-read", nowMs, read, records: [] });
    }
    const { records, rejected } = drainLan(endpoint, this.current, this.writer, this.ready.keys);
    for (const reason of rejected) {
      this.apply({ kind: "rejected", nowMs, path: networkPath, reason });
    }
    const read: Read = { kind: "good", beganMs: nowMs, endedMs: nowMs };
    this.apply({ kind: "network-read", nowMs, read, records });
    this.planExtraPoll(networkPath, () => this.drainSoon());
  }

  private drainSoon(): void {
    this.world.timers.soon(() => this.drain());
  }

  private planExtraPoll(path: string, run: () => void): void {
    const dueMs = nextDeadlineMs(this.current, path);
    if (dueMs === null || dueMs > this.nowMs() + this.config.timing.pollMs) return;
    this.schedule.once(path, dueMs, run);
  }

  private beatFacts() {
    const bootNs = this.ready.io.clocks().boottimeNs;
    return { ...this.times(), bootNs, nonce: this.world.nonce() };
  }

  private times() {
    return { nowMs: this.nowMs(), wallNs: this.world.clock.wallNs() };
  }

  private isInstalled(mirror: string): boolean {
    return takesPart(this.current.devices.registrations[mirror]);
  }

  private beat(): void {
    this.apply({ kind: "beat", ...this.beatFacts() });
    for (const [mirror, out] of Object.entries(this.writers)) {
      if (this.isInstalled(mirror)) void out.watchSiblings();
    }
  }

  private probe(): void {
    const isOut = (mirror: string): boolean => !this.isInstalled(mirror);
    probeUninstalled(this.readers, this.writers, isOut, (mirror, records) => {
      if (isOut(mirror)) this.apply({ kind: "probe", ...this.times(), mirror, records });
    });
  }

  private poll(): void {
    for (const mirror of Object.keys(this.readers)) this.pollMirror(mirror);
    this.drainSoon();
  }

  /** Steps and waits for the records that the step wants published. */
  private async applyAndWait(input: Input): Promise<void> {
    await Promise.all(
      this.take(input).map((action) =>
        action.kind === "publish" ? this.publish(action) : this.perform(action),
      ),
    );
  }

  /** The watchdog's question, with a fresh clock, right before it is fed. */
  private feeding(): Feeding {
    const fault = this.world.fence.fault ?? "";
    const nowMs = this.nowMs();
    if (fault !== this.current.watchdogFault) this.apply({ kind: "watchdog", nowMs, fault });
    this.apply({ kind: "tick", nowMs });
    return watchdogWish(this.current);
  }

  /** What is answered of the right holds at this moment. */
  refresh(): void {
    if (this.world.clocks !== null) this.feeding();
  }

  /** The step's answer to an input that asks for one. */
  asked(input: (id: number, nowMs: number) => Input): Promise<Answer> {
    return new Promise((resolve) => {
      const id = this.nextAnswer++;
      this.answers.set(id, resolve);
      this.apply(input(id, this.nowMs()));
    });
  }

  /** The answer says only that it has begun. */
  install(what: InstallWish, mirror: string, force: boolean): Promise<Answer> {
    return this.asked((id) => ({ kind: "install", ...this.times(), id, what, mirror, force }));
  }

  keysChanged(keyRing: number): void {
    this.apply({ kind: "keys", nowMs: this.nowMs(), keyRing });
  }

  /** Switches a path or host; switched off, its peers are told first that silence means nothing. */
  async switch(target: SwitchTarget, on: boolean): Promise<void> {
    const name = target.kind === "network" ? networkPath : target.name;
    const out = [networkPath, ...Object.keys(this.writers)];
    const pathsBefore = out.filter((path) => this.current.paths[path]?.enabled);
    this.apply({ kind: "switch", nowMs: this.nowMs(), target, on });
    this.kept = switched(this.kept, target, on);
    const stored = this.world.store(this.memory());
    const self = name === this.config.self.host;
    if (!on && target.kind === "host") {
      const paths = self ? pathsBefore : pathsBefore.filter((path) => path === networkPath);
      await this.farewell(paths, self ? null : name);
    } else if (!on && pathsBefore.includes(name)) {
      await this.farewell([name], null);
    }
    await stored;
  }

  private farewell(paths: readonly string[], onlyTo: string | null): Promise<void> {
    return this.applyAndWait({ kind: "farewell", ...this.beatFacts(), paths, onlyTo });
  }

  /** Writes LEAVING on every path, waits for it within the limit, and ends. */
  async stop(limitMs: number): Promise<void> {
    this.apply({ kind: "stop", nowMs: this.nowMs() });
    // Under a lease nothing may serve without an agent; beats go on until it is stopped.
    const isArmed = isLeased(this.config.policy);
    if (isArmed) {
      const isStopped = (): boolean => !this.current.serviceMayRun;
      await untilTrue(this.world.timers, isStopped, this.config.hooks.limitMs);
    }
    this.schedule.stop();
    this.pairs.stop();
    this.data.stop();
    this.world.fence.end(isArmed && this.current.serviceMayRun ? "starve" : "off");
    const last = this.applyAndWait({ kind: "beat", ...this.beatFacts() });
    const stored = this.world.store(this.memory());
    const done = Promise.all([last, stored]).then(() => true);
    await inTime(this.world.timers, done, limitMs);
  }
}
