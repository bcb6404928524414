/**
 * Requests and answers on a Unix socket, one JSON object a line: how commands reach a process that
 * runs. A connection is served one request at a time, in order:
 *
 *   {"command":"query"}          ->  {"ok":true,"value":{...}}
 *   garbage                      ->  {"ok":false,"code":"malformed","message":"..."}
 *
 * Who may ask: the same user, and root. The kernel enforces it: connecting needs the right to write
 * to the socket's file, whose mode is 0600 from its birth (the umask is set for the one synchronous
 * call that creates it), in a folder that is created 0700. (Node cannot ask the kernel for the
 * peer's identity, so nothing here depends on it.) A folder in which others could put a socket of
 * their own in its place is refused, save a sticky one such as /tmp.
 *
 * A socket file that nobody answers is removed and made anew; one that is answered never is. Two
 * servers that start at the same instant over one abandoned file must be kept apart by a lock that
 * the caller takes first.
 *
 * Invariants: nothing a client sends can stop the server or make it hold more than a request's and
 * an answer's limit for each of a limited number of connections; every wait has a deadline.
 */
import { lstat, mkdir, realpath, unlink } from "node:fs/promises";
import net from "node:net";
import path from "node:path";
import { encodeLine, isObject, type JsonObject, LineSplitter, parseLine } from "./json-lines.ts";

export type Answer =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly code: string; readonly message: string };

export type Handler = (request: JsonObject) => Answer | Promise<Answer>;

export type ServerOptions = {
  readonly path: string;
  readonly handler: Handler;
  readonly connectionsMax?: number;
  readonly requestBytesMax?: number;
  readonly answerBytesMax?: number;
  /** A connection that neither asks nor takes its answer for so long is closed. */
  readonly idleMs?: number;
  /** After this an answer is "timeout"; what the handler does then goes nowhere. */
  readonly handlerMs?: number;
  /** A handler that threw: a fault of the program. The client is told "internal". */
  readonly onFault?: (error: unknown) => void;
};

export type UnixServer = {
  readonly path: string;
  /** Lets requests that have begun be answered within the deadline; removes the socket. */
  close(deadlineMs: number): Promise<void>;
};

export type Served =
  | { readonly ok: true; readonly server: UnixServer }
  | { readonly ok: false; readonly code: string; readonly message: string };

/** What sun_path takes, its zero byte aside. */
export const socketPathBytesMax = 107;
export const answerBytesMaxDefault = 1 << 20;
const requestBytesMaxDefault = 64 << 10;
const connectionsMaxDefault = 16;
const idleMsDefault = 30_000;
const handlerMsDefault = 30_000;
const probeMs = 1000;
const socketUmask = 0o177;

type Limits = Required<Omit<ServerOptions, "path" | "handler" | "onFault">>;

const refuse = (code: string, message: string) => ({ ok: false, code, message }) as const;

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : String(error);
}

export function socketPathFault(file: string): string | null {
  const bytes = Buffer.byteLength(file);
  if (file.length === 0 || file.includes("\0")) return "a socket needs a path";
  if (bytes <= socketPathBytesMax) return null;
  return `${file}: ${bytes} bytes are too long for a socket's path (at most ${socketPathBytesMax}); choose a shorter one`;
}

export async function serveUnix(options: ServerOptions): Promise<Served> {
  const { path: file } = options;
  const pathFault = socketPathFault(file);
  if (pathFault) return refuse("path", pathFault);
  const fault = (await prepareFolder(path.dirname(file))) ?? (await clearPath(file));
  if (fault) return fault;
  const sockets = new Connections(options);
  const server = net.createServer({ allowHalfOpen: true }, (socket) => sockets.add(socket));
  const listening = await listen(server, file);
  if (listening !== null) return refuse("listen", `${file}: no socket can be made (${listening})`);
  return {
    ok: true,
    server: { path: file, close: (deadlineMs) => close(server, sockets, deadlineMs) },
  };
}

async function prepareFolder(folder: string): Promise<Extract<Served, { ok: false }> | null> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const { mode, uid } = await lstat(await realpath(folder));
    const isOthers = uid !== process.getuid?.() && uid !== 0;
    const isOpen = (mode & 0o022) !== 0 && (mode & 0o1000) === 0;
    if (!isOthers && !isOpen) return null;
    return refuse(
      "folder",
      `${folder}: other users may change what is in it; use a folder of your own with mode 0700`,
    );
  } catch (error) {
    return refuse(
      "folder",
      `${folder}: cannot be used as a folder for a socket (${codeOf(error)})`,
    );
  }
}

/** Removes what a killed server left behind, and nothing else. */
async function clearPath(file: string): Promise<Extract<Served, { ok: false }> | null> {
  try {
    const found = await lstat(file);
    if (!found.isSocket()) {
      return refuse("in-use", `${file}: is there and is no socket; it is left as it is`);
    }
    const probe = await connectTo(file, probeMs);
    if (probe.ok) probe.socket.destroy();
    // Only a refused connection proves that nobody listens: a full queue or silence does not.
    if (probe.ok || probe.code !== "ECONNREFUSED") {
      return refuse("in-use", `${file}: another process answers there; stop it first`);
    }
    await unlink(file);
    return null;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return null;
    return refuse("in-use", `${file}: cannot be looked at or removed (${codeOf(error)})`);
  }
}

/** Null, or the code of what is wrong. */
function listen(server: net.Server, file: string): Promise<string | null> {
  return new Promise((resolve) => {
    server.once("error", (error) => resolve(codeOf(error)));
    // The socket's file appears inside this call; no other code runs under this umask.
    const umask = process.umask(socketUmask);
    server.listen(file, () => {
      server.removeAllListeners("error");
      server.on("error", () => {}); // a failed accept costs that client its connection, no more
      resolve(null);
    });
    process.umask(umask);
  });
}

async function close(server: net.Server, sockets: Connections, deadlineMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  const timer = setTimeout(() => sockets.destroyAll(), deadlineMs);
  sockets.endAll();
  await closed;
  clearTimeout(timer);
}

class Connections {
  private readonly options: ServerOptions;
  private readonly limits: Limits;
  private readonly open = new Set<Connection>();
  private closing = false;

  constructor(options: ServerOptions) {
    this.options = options;
    this.limits = {
      connectionsMax: options.connectionsMax ?? connectionsMaxDefault,
      requestBytesMax: options.requestBytesMax ?? requestBytesMaxDefault,
      answerBytesMax: options.answerBytesMax ?? answerBytesMaxDefault,
      idleMs: options.idleMs ?? idleMsDefault,
      handlerMs: options.handlerMs ?? handlerMsDefault,
    };
  }

  add(socket: net.Socket): void {
    if (this.closing || this.open.size >= this.limits.connectionsMax) {
      socket.on("error", () => {}); // gone before it was told: nothing to do
      const full = refuse("busy", `at most ${this.limits.connectionsMax} connections; try again`);
      socket.write(encodeLine(full, this.limits.answerBytesMax) ?? "");
      socket.destroySoon();
      return;
    }
    const connection = new Connection(socket, this.options, this.limits);
    this.open.add(connection);
    socket.once("close", () => this.open.delete(connection));
  }

  endAll(): void {
    this.closing = true;
    for (const connection of this.open) connection.endWhenIdle();
  }

  destroyAll(): void {
    for (const connection of this.open) connection.destroy();
  }
}

/** One client. While a request is answered nothing more is read, so the client's queue is its own. */
class Connection {
  private readonly socket: net.Socket;
  private readonly options: ServerOptions;
  private readonly limits: Limits;
  private readonly lines: LineSplitter;
  private idleTimer: NodeJS.Timeout | undefined;
  private busy = false;
  private ended = false;

  constructor(socket: net.Socket, options: ServerOptions, limits: Limits) {
    this.socket = socket;
    this.options = options;
    this.limits = limits;
    this.lines = new LineSplitter(limits.requestBytesMax);
    socket.on("error", () => {}); // "close" follows and is what counts
    socket.on("close", () => clearTimeout(this.idleTimer));
    socket.on("data", (chunk) => {
      this.lines.push(chunk);
      void this.serve();
    });
    socket.on("end", () => this.endWhenIdle());
    this.expectActivity();
  }

  endWhenIdle(): void {
    this.ended = true;
    if (!this.busy) this.socket.destroySoon();
  }

  destroy(): void {
    this.socket.destroy();
  }

  /** Each wait for the client begins anew; a trickle of bytes that completes no line does not help. */
  private expectActivity(): void {
    clearTimeout(this.idleTimer);
    this.idleTimer = setTimeout(() => this.socket.destroy(), this.limits.idleMs);
  }

  private async serve(): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    this.socket.pause();
    for (let line = this.lines.next(); line !== null; line = this.lines.next()) {
      if (line === "too-long") {
        await this.send(
          refuse("too-large", `a request has at most ${this.limits.requestBytesMax} bytes`),
        );
        this.ended = true;
        break;
      }
      if (line.length > 0) await this.send(await this.answer(line));
      if (this.socket.destroyed) return;
    }
    this.busy = false;
    if (this.ended) this.socket.destroySoon();
    else this.socket.resume();
  }

  private async answer(line: Buffer): Promise<Answer> {
    const parsed = parseLine(line);
    if (!parsed.ok) return refuse("malformed", parsed.message);
    clearTimeout(this.idleTimer);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<Answer>((resolve) => {
      const answer = refuse("timeout", `no answer within ${this.limits.handlerMs} ms`);
      timer = setTimeout(() => resolve(answer), this.limits.handlerMs);
      timer.unref(); // the connection keeps the process; once that is gone nobody waits
    });
    const handled = this.handle(parsed.value);
    const answer = await Promise.race([handled, late]);
    clearTimeout(timer);
    return answer;
  }

  private async handle(request: JsonObject): Promise<Answer> {
    try {
      return await this.options.handler(request);
    } catch (error) {
      this.options.onFault?.(error);
      return refuse("internal", "the request met a fault of the program; see its log");
    }
  }

  /** Resolves when the client has taken it (or is gone), which the idle limit bounds. */
  private send(answer: Answer): Promise<void> {
    const { answerBytesMax } = this.limits;
    const tooLarge = refuse("too-large", `the answer would have more than ${answerBytesMax} bytes`);
    const line = encodeLine(answer, answerBytesMax) ?? encodeLine(tooLarge, Infinity);
    if (this.socket.destroyed) return Promise.resolve();
    this.expectActivity();
    return new Promise((resolve) => {
      const done = () => {
        this.socket.off("close", done);
        resolve();
      };
      this.socket.once("close", done);
      this.socket.write(line ?? "", done);
    });
  }
}

type Connected =
  | { readonly ok: true; readonly socket: net.Socket }
  | { readonly ok: false; readonly code: string };

function connectTo(file: string, deadlineMs: number): Promise<Connected> {
  return new Promise((resolve) => {
    const socket = net.connect(file);
    const timer = setTimeout(() => fail("ETIMEDOUT"), deadlineMs);
    const fail = (code: string) => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ ok: false, code });
    };
    socket.once("error", (error) => fail(codeOf(error)));
    socket.once("connect", () => {
      clearTimeout(timer);
      socket.removeAllListeners("error");
      socket.on("error", () => {}); // "close" follows and is what counts
      resolve({ ok: true, socket });
    });
  });
}

function connectFault(file: string, code: string): Answer {
  switch (code) {
    case "ENOENT":
    case "ECONNREFUSED":
      return refuse("unreachable", `${file}: nobody answers; is the process running?`);
    case "EACCES":
    case "EPERM":
      return refuse("denied", `${file}: belongs to another user; ask as that user or as root`);
    case "ETIMEDOUT":
    case "EAGAIN":
      return refuse("timeout", `${file}: no connection in time`);
    default:
      return refuse("unreachable", `${file}: no connection (${code})`);
  }
}

/** One request on a connection of its own. The answer's own refusals come back as they are. */
export async function request(
  file: string,
  object: JsonObject,
  deadlineMs: number,
  answerBytesMax = answerBytesMaxDefault,
): Promise<Answer> {
  const pathFault = socketPathFault(file);
  if (pathFault) return refuse("path", pathFault);
  const line = encodeLine(object, Infinity);
  if (line === null) return refuse("malformed", "the request cannot be written as JSON");
  const deadline = performance.now() + deadlineMs;
  const connected = await connectTo(file, deadlineMs);
  if (!connected.ok) return connectFault(file, connected.code);
  const { socket } = connected;
  const answer = await exchange(socket, line, deadline - performance.now(), answerBytesMax);
  socket.destroy();
  return answer.ok ? answer.value : refuse(answer.code, `${file}: ${answer.message}`);
}

type Exchanged =
  | { readonly ok: true; readonly value: Answer }
  | { readonly ok: false; readonly code: string; readonly message: string };

function exchange(
  socket: net.Socket,
  line: Buffer,
  deadlineMs: number,
  answerBytesMax: number,
): Promise<Exchanged> {
  const lines = new LineSplitter(answerBytesMax);
  return new Promise((resolve) => {
    const timer = setTimeout(() => end(refuse("timeout", "no answer in time")), deadlineMs);
    const end = (exchanged: Exchanged) => {
      clearTimeout(timer);
      resolve(exchanged);
    };
    socket.once("close", () => end(refuse("closed", "the connection ended without an answer")));
    socket.once("end", () => end(refuse("closed", "the connection ended without an answer")));
    socket.on("data", (chunk) => {
      lines.push(chunk);
      const answer = lines.next();
      if (answer === null) return;
      const parsed = answer === "too-long" ? null : asAnswer(answer);
      end(parsed ? { ok: true, value: parsed } : refuse("malformed", "not an answer"));
    });
    socket.write(line);
  });
}

function asAnswer(line: Buffer): Answer | null {
  const parsed = parseLine(line);
  if (!parsed.ok || !isObject(parsed.value)) return null;
  const { ok, value, code, message } = parsed.value as Record<string, unknown>;
  if (ok === true) return { ok, value };
  if (ok !== false || typeof code !== "string" || typeof message !== "string") return null;
  return { ok, code, message };
}
