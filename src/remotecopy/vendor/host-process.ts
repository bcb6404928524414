/**
 * The agent's side of one process that holds a vendor's library: started, asked one call at a
 * time, killed with all that it started.
 *
 * Invariants: no request outlives its deadline; what it prints is bounded; a process that was told
 * to die is never asked again; the agent's own end is its end.
 */
import { type ChildProcess, spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import { LineSplitter } from "../../host/json-lines.ts";
import { plainText } from "../told-view.ts";
import type { VendorCall } from "./codec.ts";
import { answerFile, lineBytesMax, parseAnswer, requestLine, type WireAnswer } from "./wire.ts";

export type HostReply =
  | { readonly kind: "answered"; readonly result: number; readonly bytes: Buffer }
  /** The library has no such function. */
  | { readonly kind: "missing" }
  /** No answer by the deadline: the process was killed. */
  | { readonly kind: "overdue" }
  /** Its process ended; `message` says how. */
  | { readonly kind: "died"; readonly message: string }
  /** What came was no answer; the process was killed. */
  | { readonly kind: "garbage"; readonly message: string };

export type Loaded =
  | { readonly ok: true }
  | {
      readonly ok: false;
      /** "config": the library itself cannot be loaded. */
      readonly class: "config" | "daemon-down";
      readonly message: string;
    };

/** To start a run-time and load a library, on a machine that is busy. */
const loadLimitMs = 20_000;
/** Of what it printed, for the message that tells of its death. */
const printedBytesMax = 1024;
const drainLimitMs = 200;
const environmentPath = "/usr/sbin:/usr/bin:/sbin:/bin";

/** Those that run, so that the agent's end is theirs also while a call hangs. */
const running = new Set<HostProcess>();
let watchesExit = false;

function killAllAtExit(): void {
  if (watchesExit) return;
  watchesExit = true;
  process.on("exit", () => {
    for (const each of running) each.kill("the program ends");
  });
}

type Pending = { readonly id: number; readonly settle: (reply: HostReply) => void };

export class HostProcess {
  /** Settles once: loaded, or why not. */
  readonly loaded: Promise<Loaded>;
  private readonly child: ChildProcess;
  private readonly lines = new LineSplitter(lineBytesMax);
  private settleLoaded: (loaded: Loaded) => void = () => undefined;
  private pending: Pending | null = null;
  private lastId = 0;
  private printed = "";
  private dying: string | null = null;
  /** When the kernel told of its end. */
  private goneMs: number | null = null;

  constructor(command: readonly string[]) {
    const [program = "", ...args] = command;
    this.loaded = new Promise((resolve) => {
      this.settleLoaded = resolve;
    });
    this.child = spawn(program, args, {
      env: { PATH: environmentPath },
      stdio: ["pipe", "pipe", "pipe", "pipe"],
      detached: true,
    });
    killAllAtExit();
    running.add(this);
    const { child } = this;
    const limit = setTimeout(() => this.kill(`not loaded within ${loadLimitMs} ms`), loadLimitMs);
    limit.unref();
    void this.loaded.then(() => clearTimeout(limit));
    child.on("error", (error) => {
      this.exited();
      this.tellEnd(`cannot be started: ${error.message}`);
    });
    child.on("exit", (code, signal) => {
      this.exited();
      const how = signal ? `died of ${signal}` : `exit ${code}`;
      // What it said before is still in its pipes, which something it started may hold open.
      const drained = setTimeout(() => this.tellEnd(how), drainLimitMs);
      child.on("close", () => {
        clearTimeout(drained);
        this.tellEnd(how);
      });
    });
    child.stdin?.on("error", () => undefined); // its exit tells
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on("data", (data: Buffer) => this.keepPrinted(data));
      stream?.on("error", () => undefined);
    }
    const answers = child.stdio[answerFile] as Readable | null;
    answers?.on("data", (data: Buffer) => this.take(data));
    answers?.on("error", () => undefined);
    // Idle, it must not keep the program that asked it.
    child.unref();
    for (const stream of child.stdio) (stream as { unref?: () => void } | null)?.unref?.();
  }

  get pid(): number | null {
    return this.child.pid ?? null;
  }

  /** Neither dead nor about to be. */
  get usable(): boolean {
    return this.goneMs === null && this.dying === null;
  }

  /** null while the kernel still has it. */
  get endedMs(): number | null {
    return this.goneMs;
  }

  request(call: VendorCall, limitMs: number): Promise<HostReply> {
    return new Promise((resolve) => {
      if (!this.usable || this.pending) {
        return resolve({ kind: "died", message: this.dying ?? "it has ended" });
      }
      const id = ++this.lastId;
      const limit = setTimeout(() => {
        this.settle({ kind: "overdue" });
        this.kill("a call did not end");
      }, limitMs);
      const settle = (reply: HostReply): void => {
        clearTimeout(limit);
        this.pending = null;
        resolve(reply);
      };
      this.pending = { id, settle };
      const { name, bytes } = call;
      (this.child.stdin as Writable).write(requestLine({ id, call: name, bytes }));
    });
  }

  kill(reason: string): void {
    if (this.goneMs !== null || this.dying !== null) return;
    this.dying = reason;
    const { pid } = this.child;
    try {
      if (pid !== undefined) process.kill(-pid, "SIGKILL");
    } catch {
      // it ended meanwhile
    }
    this.settle({ kind: "died", message: reason });
    this.settleLoaded({ ok: false, class: "daemon-down", message: reason });
  }

  private settle(reply: HostReply): void {
    this.pending?.settle(reply);
  }

  private exited(): void {
    if (this.goneMs !== null) return;
    this.goneMs = performance.now();
    running.delete(this);
    const { pid } = this.child;
    try {
      // Whatever it started has no one left to answer to.
      if (pid !== undefined) process.kill(-pid, "SIGKILL");
    } catch {
      // nothing is left of its group
    }
  }

  private tellEnd(how: string): void {
    const said = this.printed.trim().split("\n").at(-1) ?? "";
    const message = plainText(said ? `${how}; it said: ${said}` : how, 200);
    this.settle({ kind: "died", message });
    this.settleLoaded({ ok: false, class: "daemon-down", message });
    for (const stream of this.child.stdio) stream?.destroy();
  }

  private keepPrinted(data: Buffer): void {
    this.printed = (this.printed + data.toString("latin1")).slice(-printedBytesMax);
  }

  private take(data: Buffer): void {
    if (this.dying !== null) return;
    this.lines.push(data);
    for (let line = this.lines.next(); line !== null; line = this.lines.next()) {
      const answer = line === "too-long" ? null : parseAnswer(line);
      if (!answer || !this.takeAnswer(answer)) return this.garbage("not an answer");
    }
  }

  /** false where it is no answer to what was asked. */
  private takeAnswer(answer: WireAnswer): boolean {
    if (answer.kind === "hello") {
      const { failure } = answer;
      if (failure === null) this.settleLoaded({ ok: true });
      else this.settleLoaded({ ok: false, class: "config", message: failure });
      return true;
    }
    if (this.pending?.id !== answer.id) return false;
    switch (answer.kind) {
      case "answer":
        this.settle({ kind: "answered", result: answer.result, bytes: answer.bytes });
        return true;
      case "missing":
        this.settle({ kind: "missing" });
        return true;
      case "overrun":
        this.garbage("the library wrote beyond its structure");
        return true;
    }
  }

  private garbage(message: string): void {
    this.settle({ kind: "garbage", message });
    this.kill(message);
  }
}
