/**
 * One agent from its start to its end: builds the real world around src/agent/agent.ts. Everything
 * that may block (standard error, journal, hooks, state file) is asynchronous and bounded.
 */
import path from "node:path";
import type { Devices } from "../core/base/devices.ts";
import { type Config, isLeased, type MirrorConfig } from "../core/base/config.ts";
import { type ExitCode, exitCodes, type Refusal } from "../core/base/exit-codes.ts";
import { takeoverPublishLimitMs } from "../core/base/timing.ts";
import { keyRingOf } from "../core/sector/key-ring.ts";
import { timingDigestOf } from "../core/sector/timing-digest.ts";
import { begin } from "../core/step/begin.ts";
import { durableOf } from "../core/step/term.ts";
import { sharedConfigBytes } from "../core/step/reconfigure.ts";
import type { Staged, State } from "../core/step/state.ts";
import { statusObject } from "../core/step/status.ts";
import { bootId, nonceSource, realClock } from "../host/clock.ts";
import { faultLine, loadConfig } from "../host/config-file.ts";
import { deviceFileStore } from "../host/device-file.ts";
import { keyIdText, loadKeys } from "../host/key-file.ts";
import { watchKeys } from "../host/key-watch.ts";
import { serveUnix } from "../host/unix-server.ts";
import type { Endpoint } from "../network/endpoint.ts";
import type { MirrorEnd } from "../remotecopy/evidence.ts";
import { type OpenPair, openProvider } from "../remotecopy/open-provider.ts";
import { Agent } from "./agent.ts";
import type { World } from "./world.ts";
import { nothingKnown, pairAsker } from "./ask-pair.ts";
import { dataPairs, dataTakeLimitMs, dataTools } from "./data-pairs.ts";
import { Fence } from "./fence.ts";
import { leaseClocks } from "./lease-clocks.ts";
import { arbiterAsker } from "./outside.ts";
import { answerRequest } from "./control.ts";
import { hookRunner } from "./hooks.ts";
import { type LanSocket, openLanSocket } from "./lan-socket.ts";
import { type Memory, memoryStore } from "./memory.ts";
import { type MultipathWatch, multipathWatch, type WatchedDevice } from "./multipath-watch.ts";
import { controlSocketName } from "./names.ts";
import { pairWatch, type PairQuery } from "./pairs.ts";
import { removePid, writePid } from "./pid-file.ts";
import { resignSuperblock } from "./resign.ts";
import { pairChanger } from "./signal.ts";
import type { Keyring } from "./seal.ts";
import { setupOf } from "./setup.ts";
import type { Ready } from "./gather.ts";
import { startUp } from "./startup.ts";
import { stateFile } from "./state-file.ts";
import { inTime, pauseBy, realTimers } from "./timers.ts";
import { type Voice, voiceOf } from "./voice.ts";

export type RunOptions = {
  readonly config: Config;
  /** Where it was read from; another file is not staged. */
  readonly configFile: string;
  readonly version: string;
  readonly engine: "io_uring" | "aio" | "any";
};

const keyWatchMs = 2000;
const multipathEveryMs = 60_000;
const flushMs = 1000;
const storeLimitMs = 2000;
const statusBytesMax = 16 << 20;

type Store = (memory: Memory) => Promise<boolean>;

/** At which end of a mirror this host stands; null at neither. */
function endOf(config: Config, { writer, reader }: MirrorConfig): MirrorEnd | null {
  const { site } = config.self;
  return writer === site ? "writer" : reader === site ? "reader" : null;
}

/** One provider a mirror for as long as the agent runs: some keep a process of their own. */
type Providers = Map<
  string,
  { readonly settings: string; readonly opened: Promise<OpenPair | null> }
>;

function pairQueries(config: Config, providers: Providers): Record<string, PairQuery> {
  const queries: Record<string, PairQuery> = {};
  for (const mirror of config.mirrors) {
    const end = endOf(config, mirror);
    if (!end || mirror.pair.provider === "none") continue;
    const settings = JSON.stringify([mirror.pair, mirror.pvol, mirror.svol]);
    const known = providers.get(mirror.name);
    const opened =
      known?.settings === settings ? known.opened : openProvider(mirror, end, realClock.nowMs);
    providers.set(mirror.name, { settings, opened });
    const asker = opened.then((pair) => pair && pairAsker(pair, realClock.nowMs));
    queries[mirror.name] = async () => {
      const ask = await asker;
      return ask ? ask() : nothingKnown("no provider", realClock.nowMs());
    };
  }
  return queries;
}

/** A configuration as it stands in its file now, or its first fault. */
function stagedFrom(file: string, options: RunOptions, io: Ready["io"]): Staged | Refusal {
  const own = path.resolve(options.configFile);
  if (file !== own) {
    // The next start would go by another one.
    const message = `${file}: this agent runs by ${own}; change that file`;
    return { code: exitCodes.usage, message };
  }
  const loaded = loadConfig({ file, host: options.config.self.host });
  if (!loaded.ok) {
    const [first] = loaded.faults;
    return { code: loaded.code, message: first ? faultLine(first) : `${file}: not read` };
  }
  const { config } = loaded;
  return {
    config,
    digest: io.crc32c(sharedConfigBytes(config)),
    timingDigest: timingDigestOf(config, (bytes) => io.crc32c(bytes)),
  };
}

type End = { readonly code: ExitCode; readonly refusal: Refusal | null };

/** The incarnation is durable before anything is written in it; a full disk must not stop the beat. */
async function beginDurably(
  options: RunOptions,
  ready: Ready,
  store: Store,
  storeDevices: (devices: Devices) => Promise<string>,
  voice: Voice,
  clocks: World["clocks"],
): Promise<State> {
  const { config } = options;
  const boot = bootId();
  const times = { nowMs: realClock.nowMs(), clocks: clocks === null ? null : clocks() };
  const state = begin(setupOf(config, ready, boot, times));
  const { incarnation } = ready;
  const memory = { ...ready.memory, bootId: boot, ...durableOf(state) };
  // A hung local disk must not keep the first beat for ever.
  const kept = await inTime(realTimers, store({ ...memory, incarnation }), storeLimitMs);
  const { host, site } = config.self;
  const { engine, engineRefusal } = ready.io;
  const who = { host, site, role: state.role, term: state.term, incarnation };
  voice.tell({
    level: "notice",
    ev: "start",
    fields: { ...who, engine, version: options.version },
  });
  const faults = ready.faults.map((reason) => ({ ok: false, reason }));
  const notes = engineRefusal === null ? [] : [{ engine, reason: engineRefusal }];
  for (const fields of faults) voice.tell({ level: "warning", ev: "device", fields });
  for (const fields of notes) voice.tell({ level: "notice", ev: "device", fields });
  if (!ready.devicesFiled) {
    // A full disk must not stop the beat; without the file the next start registers them again.
    void storeDevices(ready.devices).then((reason) => {
      if (reason === "") return;
      voice.tell({ level: "error", ev: "journal", fields: { ok: false, reason } });
    });
  }
  if (!kept) {
    const reason = "the memory file could not be written; it is tried again";
    voice.tell({ level: "error", ev: "journal", fields: { ok: false, reason } });
  }
  return state;
}

/** Runs an agent until a signal, or until it cannot go on; resolves to the exit code. */
export async function runAgent(options: RunOptions): Promise<End> {
  const { config } = options;
  const started = await startUp(config, options.engine);
  if (!started.ok) return { code: started.refusal.code, refusal: started.refusal };
  const { ready } = started;
  const voice = voiceOf(config);
  const lan = await openLanSocket(config, voice.tell);
  if ("code" in lan) return { code: lan.code, refusal: lan };
  const checksum = (bytes: Uint8Array): number => ready.io.crc32c(bytes);
  const { store } = memoryStore(config.stateFolder, checksum, ready.memory);
  const storeDevices = deviceFileStore(config.stateFolder);
  const clocks = isLeased(config.policy) ? leaseClocks(() => ready.io.clocks()) : null;
  const state = await beginDurably(options, ready, store, storeDevices, voice, clocks);

  const providers: Providers = new Map();
  let ended: (end: End) => void = () => undefined;
  const end = new Promise<End>((resolve) => {
    ended = resolve;
  });
  const tools = dataTools(ready.io, realClock.nowMs, () => ready.io.clocks().boottimeNs);
  const { fencing, timing } = config;
  const fence = new Fence({ config: fencing, timing, tell: voice.tell, nowMs: realClock.nowMs });
  const pause = pauseBy(realTimers);
  const world: World = {
    clock: realClock,
    timers: realTimers,
    nonce: nonceSource(),
    tell: voice.tell,
    store,
    storeDevices,
    endpoint: () => lan.current,
    pairs: (now, onInput) => {
      const clock = { nowMs: realClock.nowMs, pause };
      const change = pairChanger((mirror) => providers.get(mirror)?.opened, onInput, clock);
      return pairWatch(now, pairQueries(now, providers), onInput, change);
    },
    clocks,
    data: (now, onInput) => dataPairs(now, realClock.nowMs, onInput, tools),
    arbiter: (now, onInput) => arbiterAsker(now, realClock.nowMs, onInput),
    fence,
    runHook: hookRunner(config, voice.tell),
    onSlotLost: (message) => {
      voice.tell({ level: "error", ev: "slot", fields: { reason: message } });
      ended({ code: exitCodes.tryLater, refusal: { code: exitCodes.tryLater, message } });
    },
  };
  const agent = new Agent(state, ready, world, ready.memory.switches);
  fence.ready();
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
    process.on(signal, () => ended({ code: exitCodes.ok, refusal: null }));
  }
  return serveUntil(end, agent, options, ready, voice, lan);
}

/** The control socket, the state file and the key watch, for as long as the agent runs. */
async function serveUntil(
  end: Promise<End>,
  agent: Agent,
  options: RunOptions,
  ready: Ready,
  voice: Voice,
  lan: LanSocket,
): Promise<End> {
  const { config } = options;
  const multipath = multipathWatch(() => devicesInUse(agent), voice.tell);
  const status = () => statusOf(agent, options, ready.io.engine, voice, lan.current, multipath);
  const state = stateFile(config, status, (reason) =>
    voice.tell({ level: "error", ev: "journal", fields: { ok: false, reason } }),
  );
  voice.onEvent = state.soon;
  state.soon();
  const resign = () => {
    agent.keysChanged(keyRingOf(ready.keys.ids(), (bytes) => ready.io.crc32c(bytes)));
    resignAll(agent, config, ready.keys, voice.tell);
  };
  const stopKeys = watchKeyFile(config, ready.keys, voice.tell, resign);
  resign();
  const server = await serveUnix({
    path: path.join(config.runFolder, controlSocketName),
    handler: async (request) => ({
      ok: true,
      value: await answerRequest(request, agent, status, voice.recent, (file) =>
        stagedFrom(file, options, ready.io),
      ),
    }),
    answerBytesMax: statusBytesMax,
    handlerMs: answerLimitMs(config),
  });
  if (!server.ok) {
    const reason = server.message;
    voice.tell({ level: "error", ev: "network", fields: { ok: false, reason } });
  }
  writePid(config);
  void multipath.look();
  const multipathTimer = setInterval(() => void multipath.look(), multipathEveryMs);
  const result = await end;
  clearInterval(multipathTimer);
  stopKeys();
  if (server.ok) await server.server.close(flushMs);
  if (result.code === exitCodes.ok) await agent.stop(config.timing.writeLimitMs + flushMs);
  const { incarnation } = ready;
  voice.tell({ level: "notice", ev: "stop", fields: { host: config.self.host, incarnation } });
  await state.last();
  await voice.flushed();
  removePid(config);
  return result;
}

/** The superblocks of our own volumes follow the key that signs, before the old one is retired. */
function resignAll(agent: Agent, config: Config, keys: Keyring, tell: Voice["tell"]): void {
  for (const [mirror, { volume }] of Object.entries(agent.writers)) {
    if (!volume) continue;
    void resignSuperblock(volume, keys, config.timing.writeLimitMs).then((end) => {
      if (end === "not needed") return;
      const key = keyIdText(keys.sealing().keyId);
      const fields =
        end === "done"
          ? { mirror, ok: true, reason: `superblock signed with key ${key}` }
          : { mirror, ok: false, reason: `superblock not signed with key ${key}: ${end.fault}` };
      tell({ level: end === "done" ? "notice" : "warning", ev: "keys", fields });
    });
  }
}

function watchKeyFile(
  config: Config,
  keys: Keyring,
  tell: Voice["tell"],
  onNewKeys: () => void,
): () => void {
  const loaded = loadKeys(config.keyFile);
  if (!loaded.ok) return () => undefined;
  return watchKeys({
    file: config.keyFile,
    everyMs: keyWatchMs,
    current: loaded.keys,
    onChange: (next) => {
      keys.replace(next);
      const ids = [next.signing, ...next.accepted].map(({ id }) => keyIdText(id));
      tell({
        level: "notice",
        ev: "keys",
        fields: { ok: true, signing: ids[0] ?? "", accepted: ids.slice(1).join(",") || "-" },
      });
      onNewKeys();
    },
    onRefusal: (refusal) =>
      tell({ level: "error", ev: "keys", fields: { ok: false, reason: refusal.message } }),
  });
}

/** The volume of each mirror at this host's site, by the name that the configuration gives it. */
function devicesInUse(agent: Agent): readonly WatchedDevice[] {
  return agent.state.config.mirrors.flatMap(({ name, pvol, svol }) => {
    const writes = agent.writers[name];
    const end = writes ?? agent.readers[name];
    if (!end) return [];
    const geometry = end.volume?.device.geometry;
    const deviceNumber = geometry?.kind === "block" ? geometry.deviceNumber : null;
    return [{ mirror: name, device: writes ? pvol : svol, deviceNumber }];
  });
}

function statusOf(
  agent: Agent,
  options: RunOptions,
  engine: string,
  voice: Voice,
  endpoint: Endpoint | null,
  multipath: MultipathWatch,
) {
  const noteOf = (name: string) => {
    const note = multipath.noteOf(name);
    return note === null ? {} : { note };
  };
  const { mirrors } = agent.state.config;
  const devices = Object.fromEntries([
    ...Object.entries(agent.readers).map(([name, reader]) => [
      name,
      {
        device: mirrors.find((m) => m.name === name)?.svol ?? "",
        fault: reader.fault,
        ...noteOf(name),
      },
    ]),
    ...Object.entries(agent.writers).map(([name, out]) => [
      name,
      {
        device: mirrors.find((m) => m.name === name)?.pvol ?? "",
        fault: out.fault,
        ...noteOf(name),
        writesDone: out.counts.done,
        writesSkipped: out.counts.skipped,
        writesFailed: out.counts.failed,
        lastWriteMs: out.counts.lastMs === null ? null : Math.round(out.counts.lastMs * 10) / 10,
      },
    ]),
  ]);
  return statusObject(agent.state, {
    version: options.version,
    pid: process.pid,
    engine,
    wallNs: realClock.wallNs(),
    journalFault: voice.journalFault(),
    devices,
    droppedDatagrams: endpoint?.droppedDatagrams ?? 0,
  });
}

/** Longest that a takeover or a switch-over takes to be answered. */
function answerLimitMs(config: Config): number {
  const { timing, hooks, takeover } = config;
  const steps = 8 * takeoverPublishLimitMs(timing) + 2 * hooks.limitMs + takeover.arbiterLimitMs;
  return steps + timing.takeoverWaitMs + 2 * dataTakeLimitMs(config) + flushMs;
}
