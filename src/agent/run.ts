/**
 * One agent from its start to its end: builds the real world around src/agent/agent.ts. Everything
 * that may block (standard error, journal, hooks, state file) is asynchronous and bounded.
 */
import { unlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { type Config, ownHost } from "../core/base/config.ts";
import { type CoreEvent, eventLine, eventText, levels } from "../core/base/event.ts";
import { type ExitCode, exitCodes, type Refusal } from "../core/base/exit-codes.ts";
import { takeoverPublishLimitMs } from "../core/base/timing.ts";
import { timingDigestOf } from "../core/sector/timing-digest.ts";
import { begin } from "../core/step/begin.ts";
import type { Action } from "../core/step/state.ts";
import { statusObject } from "../console/status-object.ts";
import { bootId, nonceSource, realClock, wallText } from "../host/clock.ts";
import { writeFileAtomically } from "../host/atomic-file.ts";
import { runHook } from "../host/hook.ts";
import { openJournal } from "../host/journal.ts";
import { watchKeys } from "../host/key-watch.ts";
import { keyIdText, loadKeys } from "../host/key-file.ts";
import { lineWriter } from "../host/line-writer.ts";
import { serveUnix } from "../host/unix-server.ts";
import { type Endpoint, openEndpoint } from "../network/endpoint.ts";
import { embeddedProvider } from "../remotecopy/embedded.ts";
import { type Agent, startAgent, type World } from "./agent.ts";
import { answerRequest } from "./control.ts";
import { memoryStore } from "./memory.ts";
import { controlSocketName, pidFileName, stateFileName } from "./names.ts";
import { pairWatch, type PairQuery } from "./pairs.ts";
import type { Keyring } from "./seal.ts";
import { startUp } from "./startup.ts";

export type RunOptions = {
  readonly config: Config;
  readonly version: string;
  readonly engine: "io_uring" | "aio" | "any";
};

const stderrLinesMax = 500;
const keyWatchMs = 2000;
const endpointRetryMs = 5000;
const hooksWaitingMax = 16;
const flushMs = 1000;

type Voice = {
  readonly tell: (event: CoreEvent) => void;
  readonly recent: () => readonly string[];
  readonly journalFault: () => string | null;
  readonly flushed: () => Promise<unknown>;
  /** Called for each event: to write the state file. */
  onEvent: (() => void) | null;
};

function voiceOf(config: Config): Voice {
  const stderr = lineWriter(2, stderrLinesMax);
  const journal = openJournal({
    folder: config.stateFolder,
    bytesMax: config.journalBytesMax,
    onFault: (fault) => {
      const fields = { ok: fault === null, reason: fault ?? "written again" };
      say({ level: fault === null ? "notice" : "error", ev: "journal", fields });
    },
  });
  const say = (event: CoreEvent): void =>
    stderr.line(`<${levels[event.level]}>${eventText(event)}`);
  const voice: Voice = {
    tell(event) {
      say(event);
      journal.append(eventLine(wallText(realClock.wallNs()), event));
      voice.onEvent?.();
    },
    recent: () => journal.recent(),
    journalFault: () => journal.fault,
    flushed: () => Promise.all([stderr.flushed(flushMs), journal.flushed(flushMs)]),
    onEvent: null,
  };
  return voice;
}

/** Opens the socket; an address that this machine does not have yet is tried again. */
async function networkOf(
  config: Config,
  tell: Voice["tell"],
): Promise<{ current: Endpoint | null } | Refusal> {
  const address = ownHost(config).address;
  const holder: { current: Endpoint | null } = { current: null };
  if (!address) return holder;
  const attempt = async (): Promise<Refusal | null> => {
    const opened = await openEndpoint(address);
    if (opened.ok) {
      holder.current = opened.endpoint;
      return null;
    }
    return { code: exitCodes.unavailable, message: opened.message };
  };
  const first = await openEndpoint(address);
  if (first.ok) return { current: first.endpoint };
  if (first.code === "EADDRINUSE" || first.code === "EACCES") {
    return { code: exitCodes.unavailable, message: first.message };
  }
  tell({ level: "warning", ev: "network", fields: { ok: false, reason: first.message } });
  const retry = (): void => {
    setTimeout(() => {
      void attempt().then((fault) => {
        if (fault) return retry();
        tell({ level: "notice", ev: "network", fields: { ok: true, reason: "socket opened" } });
      });
    }, endpointRetryMs).unref();
  };
  retry();
  return holder;
}

function pairQueries(config: Config): Record<string, PairQuery> {
  const queries: Record<string, PairQuery> = {};
  for (const mirror of config.mirrors) {
    if (mirror.pair.provider !== "embedded") continue;
    if (mirror.writer !== config.self.site && mirror.reader !== config.self.site) continue;
    const provider = embeddedProvider(mirror.pair.control);
    queries[mirror.name] = async (deadlineMs) => {
      const answer = await provider.query(deadlineMs);
      return answer.ok ? answer.evidence : null;
    };
  }
  return queries;
}

/** Hooks run one after another; when too many wait, the oldest is dropped and said so. */
function hookRunner(config: Config, tell: Voice["tell"]) {
  type Job = {
    action: Extract<Action, { kind: "run-hook" }>;
    done: (ok: boolean, detail: string) => void;
  };
  const waiting: Job[] = [];
  let running = false;
  const next = async (): Promise<void> => {
    const job = waiting.shift();
    if (!job) {
      running = false;
      return;
    }
    running = true;
    const { action, done } = job;
    const command = config.hooks[action.hook];
    if (command) {
      const { facts } = action;
      const site = config.self.site;
      const env = {
        MIRRORBEAT_EVENT: facts.event,
        MIRRORBEAT_OLD_STATE: facts.oldState,
        MIRRORBEAT_NEW_STATE: facts.newState,
        MIRRORBEAT_PEER: facts.peer,
        MIRRORBEAT_SITE: site,
        MIRRORBEAT_HOST: config.self.host,
        MIRRORBEAT_TERM: String(facts.term),
        MIRRORBEAT_REASON: facts.reason,
        MIRRORBEAT_TIMESTAMP_EPOCH: String(realClock.wallNs() / 1_000_000_000n),
      };
      const args = [
        "GROUP",
        facts.event === "group" ? facts.peer : site,
        facts.newState.toUpperCase(),
        "0",
      ];
      const result = await runHook([...command, ...args], env, config.hooks.limitMs);
      done(result.ok, result.detail);
    }
    void next();
  };
  return (action: Job["action"], done: Job["done"]): void => {
    if (!config.hooks[action.hook]) return;
    if (waiting.length >= hooksWaitingMax) {
      const dropped = waiting.shift();
      tell({
        level: "error",
        ev: "hook",
        fields: { hook: dropped?.action.hook ?? "", ok: false, detail: "dropped: too many wait" },
      });
    }
    waiting.push({ action, done });
    if (!running) void next();
  };
}

/** Runs an agent until a signal, or until it cannot go on; resolves to the exit code. */
export async function runAgent(
  options: RunOptions,
): Promise<{ code: ExitCode; refusal: Refusal | null }> {
  const { config } = options;
  const started = await startUp(config, options.engine);
  if (!started.ok) return { code: started.refusal.code, refusal: started.refusal };
  const { ready } = started;
  const voice = voiceOf(config);
  const network = await networkOf(config, voice.tell);
  if ("code" in network) return { code: network.code, refusal: network };

  const store = memoryStore(config.stateFolder, (bytes) => ready.io.crc32c(bytes));
  const state = begin({
    config,
    timingDigest: timingDigestOf(config.timing, (bytes) => ready.io.crc32c(bytes)),
    incarnation: ready.incarnation,
    bootId: bootId(),
    term: ready.term,
    nowMs: realClock.nowMs(),
    marks: ready.memory.marks,
    switches: ready.memory.switches,
  });
  // The incarnation is durable before anything is written in it; a full disk must not stop the beat.
  const kept = await store.store({
    ...ready.memory,
    incarnation: ready.incarnation,
    term: state.term,
  });

  let ended: (end: { code: ExitCode; refusal: Refusal | null }) => void = () => undefined;
  const end = new Promise<{ code: ExitCode; refusal: Refusal | null }>((resolve) => {
    ended = resolve;
  });
  const world: World = {
    clock: realClock,
    nonce: nonceSource(),
    tell: voice.tell,
    store: (memory) => store.store(memory),
    endpoint: () => network.current,
    pairs: (onInput) => pairWatch(config, pairQueries(config), realClock.nowMs, onInput),
    runHook: hookRunner(config, voice.tell),
    onSlotLost: (detail) => {
      voice.tell({ level: "error", ev: "slot", fields: { reason: detail } });
      ended({ code: exitCodes.tryLater, refusal: { code: exitCodes.tryLater, message: detail } });
    },
  };

  const begun: CoreEvent = {
    level: "notice",
    ev: "start",
    fields: {
      host: config.self.host,
      site: config.self.site,
      role: state.role,
      term: state.term,
      incarnation: ready.incarnation,
      engine: ready.io.engine,
      version: options.version,
    },
  };
  voice.tell(begun);
  for (const reason of ready.faults)
    voice.tell({ level: "warning", ev: "device", fields: { ok: false, reason } });
  if (!kept)
    voice.tell({
      level: "error",
      ev: "journal",
      fields: { ok: false, reason: "the memory file could not be written" },
    });
  if (ready.io.engineRefusal)
    voice.tell({
      level: "notice",
      ev: "device",
      fields: { engine: ready.io.engine, reason: ready.io.engineRefusal },
    });

  const agent = startAgent(state, ready, world, ready.memory.switches);
  const status = () => statusOf(agent, options, ready.io.engine, voice, network.current);
  const writeState = stateFile(config, status);
  voice.onEvent = writeState.soon;
  const stopKeys = watchKeyFile(config, ready.keys, voice.tell);
  const server = await serveUnix({
    path: path.join(config.runFolder, controlSocketName),
    handler: async (request) => ({
      ok: true,
      value: await answerRequest(request, agent, status, voice.recent),
    }),
    answerBytesMax: 16 << 20,
    handlerMs: takeoverPublishLimitMs(config.timing) + config.hooks.limitMs + flushMs,
  });
  if (!server.ok) {
    voice.tell({ level: "error", ev: "network", fields: { ok: false, reason: server.message } });
  }
  writePid(config);
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
    process.on(signal, () => ended({ code: exitCodes.ok, refusal: null }));
  }

  const result = await end;
  stopKeys();
  if (server.ok) await server.server.close(flushMs);
  if (result.code === exitCodes.ok) await agent.stop(config.timing.writeLimitMs + flushMs);
  voice.tell({
    level: "notice",
    ev: "stop",
    fields: { host: config.self.host, incarnation: ready.incarnation },
  });
  await writeState.last();
  await voice.flushed();
  removePid(config);
  return result;
}

function statusOf(
  agent: Agent,
  options: RunOptions,
  engine: string,
  voice: Voice,
  endpoint: Endpoint | null,
) {
  const devices = Object.fromEntries([
    ...Object.entries(agent.readers).map(([name, reader]) => [
      name,
      {
        device: options.config.mirrors.find((m) => m.name === name)?.svol ?? "",
        fault: reader.fault,
      },
    ]),
    ...Object.entries(agent.writers).map(([name, out]) => [
      name,
      {
        device: options.config.mirrors.find((m) => m.name === name)?.pvol ?? "",
        fault: out.fault,
        writesDone: out.writesDone,
        writesSkipped: out.writesSkipped,
        writesFailed: out.writesFailed,
        lastWriteMs: out.lastWriteMs === null ? null : Math.round(out.lastWriteMs * 10) / 10,
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

/** The state for other processes to read when this one is gone: after events, one write at a time. */
function stateFile(config: Config, status: () => unknown) {
  const file = path.join(config.runFolder, stateFileName);
  const settleMs = 200;
  let planned = false;
  let writing: Promise<unknown> = Promise.resolve();
  const write = (): Promise<unknown> => {
    planned = false;
    writing = writing.then(() =>
      writeFileAtomically(file, Buffer.from(`${JSON.stringify(status())}\n`), 0o600),
    );
    return writing;
  };
  return {
    soon: (): void => {
      if (planned) return;
      planned = true;
      setTimeout(() => void write(), settleMs).unref();
    },
    last: () =>
      Promise.race([write(), new Promise((resolve) => setTimeout(resolve, flushMs).unref())]),
  };
}

function watchKeyFile(config: Config, keys: Keyring, tell: Voice["tell"]): () => void {
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
    },
    onRefusal: (refusal) =>
      tell({ level: "error", ev: "keys", fields: { ok: false, reason: refusal.message } }),
  });
}

function writePid(config: Config): void {
  try {
    writeFileSync(path.join(config.runFolder, pidFileName), `${process.pid}\n`, { mode: 0o644 });
  } catch {
    // The lock tells that an agent runs; the pid is a convenience for init scripts.
  }
}

function removePid(config: Config): void {
  try {
    unlinkSync(path.join(config.runFolder, pidFileName));
  } catch {
    // it was not written, or is gone
  }
}
