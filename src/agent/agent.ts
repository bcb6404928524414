/**
 * The agent: the shell around step(). It turns reads, datagrams, clocks and commands into inputs,
 * and carries out the actions. It moves values and decides nothing.
 */
import { ownHost, ownSite, siteNamed } from "../core/base/config.ts";
import type { CoreEvent } from "../core/base/event.ts";
import type { ExitCode } from "../core/base/exit-codes.ts";
import type { Read } from "../core/observation.ts";
import type { Position } from "../core/record.ts";
import { step } from "../core/step.ts";
import type { Switches } from "../core/step/begin.ts";
import { nextDeadlineMs } from "../core/step/judge.ts";
import { echoesFor, highWaterMarks } from "../core/step/publish.ts";
import {
  type Action,
  type Input,
  networkPath,
  type State,
  type SwitchTarget,
} from "../core/step/state.ts";
import type { Clock } from "../host/clock.ts";
import type { Endpoint } from "../network/endpoint.ts";
import { drainLan, peersToSend, sendLan } from "./lan.ts";
import type { Memory } from "./memory.ts";
import { type MirrorOut, mirrorOut } from "./mirror-out.ts";
import type { PairWatch } from "./pairs.ts";
import { runSchedule, type Schedule } from "./schedule.ts";
import type { EchoSet, Writer } from "./seal.ts";
import type { Ready } from "./startup.ts";
import { type Poll, type Reader, volumeReader } from "./svol.ts";

/** What the agent needs of the world beside its volumes. */
export type World = {
  readonly clock: Clock;
  readonly nonce: () => bigint;
  readonly tell: (event: CoreEvent) => void;
  readonly store: (memory: Memory) => Promise<boolean>;
  readonly endpoint: () => Endpoint | null;
  readonly pairs: (onInput: (input: Input) => void) => PairWatch;
  readonly runHook: (
    action: Extract<Action, { kind: "run-hook" }>,
    done: (ok: boolean, detail: string) => void,
  ) => void;
  /** Our slot is written by another: this agent must end. */
  readonly onSlotLost: (detail: string) => void;
};

export type Answer = { readonly code: ExitCode; readonly message: string };

export type Agent = {
  readonly state: State;
  readonly readers: Readonly<Record<string, Reader>>;
  readonly writers: Readonly<Record<string, MirrorOut>>;
  takeover(force: boolean): Promise<Answer>;
  switch(target: SwitchTarget, on: boolean): Promise<void>;
  /** Writes LEAVING on every path, waits for it within the limit, and stops. */
  stop(limitMs: number): Promise<void>;
};

/** Marks and switches are kept now and then; terms and incarnations at once. */
const memoryPeriodMs = 30_000;
const farewellDatagrams = 3;

export function startAgent(begun: State, ready: Ready, world: World, switches: Switches): Agent {
  let state = begun;
  let kept: Switches = switches;
  const { config } = begun;
  const { clock } = world;
  const host = ownHost(config);
  const site = ownSite(config);
  const writer: Writer = { clusterId: ready.clusterId, siteId: site.id, slot: host.slot };
  const answers = new Map<number, (answer: Answer) => void>();
  let nextAnswer = 1;

  const memory = (): Memory => ({
    incarnation: state.incarnation,
    term: state.term,
    marks: highWaterMarks(state) as Readonly<Record<string, Position>>,
    switches: kept,
  });

  const apply = (input: Input): void => {
    const result = step(state, input);
    state = result.state;
    for (const event of result.events) world.tell(event);
    for (const action of result.actions) perform(action);
  };

  const perform = (action: Action): void => {
    switch (action.kind) {
      case "publish":
        return void publish(action);
      case "store-term":
        return void world.store(memory()).then((ok) => {
          apply({ kind: "term-stored", nowMs: clock.nowMs(), term: action.term, ok });
        });
      case "query-pair":
        return pairs.query(action.mirror);
      case "run-hook":
        return world.runHook(action, (ok, detail) => {
          apply({ kind: "hook-ended", nowMs: clock.nowMs(), hook: action.hook, ok, detail });
        });
      case "answer": {
        const answer = answers.get(action.id);
        answers.delete(action.id);
        return answer?.({ code: action.code, message: action.message });
      }
    }
  };

  const echoSets = (): ((of: string) => EchoSet) => {
    const made = new Map<string, EchoSet>();
    return (of) => {
      const known = made.get(of);
      if (known) return known;
      const set = { peerSiteId: siteNamed(config, of)?.id ?? 0, echoes: echoesFor(state, of) };
      made.set(of, set);
      return set;
    };
  };

  const publish = async (action: Extract<Action, { kind: "publish" }>): Promise<void> => {
    const sets = echoSets();
    const endpoint = world.endpoint();
    if (endpoint && action.paths.includes(networkPath)) {
      const to = peersToSend(config, state).filter(
        (peer) => !action.onlyTo || peer.name === action.onlyTo,
      );
      const named = action.onlyTo
        ? state.peers.filter((peer) => peer.host.name === action.onlyTo)
        : [];
      const extra = named
        .filter((peer) => !peer.enabled && peer.host.address)
        .map((peer) => ({
          ...peer.host,
          address: peer.host.address as NonNullable<typeof peer.host.address>,
          siteId: peer.siteId,
        }));
      for (let n = action.final ? farewellDatagrams : 1; n > 0; n--) {
        sendLan(endpoint, [...to, ...extra], writer, action.body, sets, ready.keys);
      }
    }
    const mirrors = action.paths.filter((path) => path !== networkPath);
    await Promise.all(
      mirrors.map(async (mirror) => {
        const out = writers[mirror];
        if (!out) return;
        const set = sets(out.readerSite);
        const end = action.final
          ? await out.writeFinal(action.body, set)
          : await out.write(action.body, set);
        if (end.kind !== "durable") return;
        apply({ kind: "published", nowMs: clock.nowMs(), mirror, serial: end.serial });
      }),
    );
  };

  const pairs = world.pairs(apply);

  const writers: Record<string, MirrorOut> = {};
  for (const own of ready.written) {
    writers[own.mirror.name] = mirrorOut({
      io: ready.io,
      own,
      writer,
      keys: ready.keys,
      writeLimitMs: config.timing.writeLimitMs,
      siblingSlots:
        site.hosts.length > 1
          ? Math.max(...site.hosts.map((each) => each.slot)) + 1
          : host.slot + 1,
      incarnation: state.incarnation,
      nowMs: clock.nowMs,
      onFault: (fault) => tellDevice(own.mirror.name, own.mirror.pvol, fault),
      onSibling: (record) => apply({ kind: "sibling", nowMs: clock.nowMs(), record }),
      onSlotLost: world.onSlotLost,
    });
  }

  const tellDevice = (mirror: string, device: string, fault: string | null): void => {
    const fields = {
      mirror,
      device,
      ok: fault === null,
      ...(fault === null ? {} : { reason: fault }),
    };
    world.tell({ level: fault === null ? "notice" : "warning", ev: "device", fields });
  };

  const readers: Record<string, Reader> = {};
  for (const peer of ready.read) {
    const from = siteNamed(config, peer.mirror.writer);
    readers[peer.mirror.name] = volumeReader({
      io: ready.io,
      open: peer.open,
      first: peer.volume,
      slots: Math.max(...(from?.hosts ?? []).map((each) => each.slot)) + 1,
      siteId: from?.id ?? 0,
      echoSlot: host.slot,
      keys: ready.keys,
      nowMs: clock.nowMs,
      readDeadlineMs: Math.max(2000, 4 * config.timing.readLimitMs),
      onFault: (fault) => tellDevice(peer.mirror.name, peer.mirror.svol, fault),
    });
  }

  const takePoll = (mirror: string, poll: Poll): void => {
    const nowMs = clock.nowMs();
    for (const reason of poll.rejected) apply({ kind: "rejected", nowMs, path: mirror, reason });
    apply({
      kind: "mirror-read",
      mirror,
      nowMs: poll.read.endedMs,
      read: poll.read,
      seen: poll.seen,
    });
    planExtraPoll(mirror, () => pollMirror(mirror));
  };

  const pollMirror = (mirror: string): void => {
    const reader = readers[mirror];
    if (!reader || !state.paths[mirror]?.enabled) return;
    void reader.poll().then((poll) => takePoll(mirror, poll));
  };

  const drain = (): void => {
    const endpoint = world.endpoint();
    if (!state.paths[networkPath]?.enabled) return void endpoint?.drain();
    const nowMs = clock.nowMs();
    if (!endpoint) {
      const read: Read = { kind: "failed", endedMs: nowMs, failure: "no socket" };
      return apply({ kind: "network-read", nowMs, read, records: [] });
    }
    const { records, rejected } = drainLan(endpoint, state, writer, ready.keys);
    for (const reason of rejected) apply({ kind: "rejected", nowMs, path: networkPath, reason });
    apply({
      kind: "network-read",
      nowMs,
      read: { kind: "good", beganMs: nowMs, endedMs: nowMs },
      records,
    });
    planExtraPoll(networkPath, drainSoon);
  };
  // Sockets are read after timers and before immediates: an immediate finds all that has come.
  const drainSoon = (): void => void setImmediate(drain);

  const planExtraPoll = (path: string, run: () => void): void => {
    const dueMs = nextDeadlineMs(state, path);
    if (dueMs === null || dueMs > clock.nowMs() + config.timing.pollMs) return;
    schedule.once(path, dueMs, run);
  };

  const times = () => ({
    nowMs: clock.nowMs(),
    wallNs: clock.wallNs(),
    bootNs: ready.io.clocks().boottimeNs,
    nonce: world.nonce(),
  });

  const beat = (): void => {
    apply({ kind: "beat", ...times() });
    for (const out of Object.values(writers)) void out.watchSiblings();
  };

  const poll = (): void => {
    for (const mirror of Object.keys(readers)) pollMirror(mirror);
    drainSoon();
  };

  const schedule: Schedule = runSchedule(clock.nowMs, [
    { periodMs: config.timing.intervalMs, run: beat },
    { periodMs: config.timing.pollMs, run: poll },
    { periodMs: config.timing.pairPollMs, run: () => pairs.queryAll() },
    { periodMs: memoryPeriodMs, run: () => void world.store(memory()) },
  ]);

  const farewell = async (paths: readonly string[], onlyTo: string | null): Promise<void> => {
    const before = state;
    const result = step(before, { kind: "farewell", ...times(), paths, onlyTo });
    state = result.state;
    await Promise.all(
      result.actions.map((action) =>
        action.kind === "publish" ? publish(action) : perform(action),
      ),
    );
  };

  const switchOne = async (target: SwitchTarget, on: boolean): Promise<void> => {
    const name = target.kind === "network" ? networkPath : target.name;
    const pathsBefore = [networkPath, ...Object.keys(writers)].filter(
      (path) => state.paths[path]?.enabled,
    );
    apply({ kind: "switch", nowMs: clock.nowMs(), target, on });
    kept =
      target.kind === "network"
        ? { ...kept, network: on }
        : target.kind === "mirror"
          ? { ...kept, mirrors: { ...kept.mirrors, [name]: on } }
          : { ...kept, hosts: { ...kept.hosts, [name]: on } };
    const stored = world.store(memory());
    if (!on && target.kind === "host") {
      const self = name === host.name;
      await farewell(
        self ? pathsBefore : pathsBefore.filter((path) => path === networkPath),
        self ? null : name,
      );
    } else if (!on && pathsBefore.includes(name)) await farewell([name], null);
    await stored;
  };

  return {
    get state() {
      return state;
    },
    readers,
    writers,
    takeover(force) {
      return new Promise((resolve) => {
        const id = nextAnswer++;
        answers.set(id, resolve);
        apply({ kind: "takeover", nowMs: clock.nowMs(), id, force });
        // The new term goes out at once, not with the next beat.
        if (state.takeover) beat();
      });
    },
    switch: switchOne,
    async stop(limitMs) {
      schedule.stop();
      pairs.stop();
      apply({ kind: "stop", nowMs: clock.nowMs() });
      const result = step(state, { kind: "beat", ...times() });
      state = result.state;
      const last = result.actions.map((action) =>
        action.kind === "publish" ? publish(action) : undefined,
      );
      let timer: NodeJS.Timeout | undefined;
      const limit = new Promise((resolve) => {
        timer = setTimeout(resolve, limitMs);
      });
      await Promise.race([Promise.all([...last, world.store(memory())]), limit]);
      clearTimeout(timer);
    },
  };
}
