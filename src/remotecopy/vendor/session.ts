/**
 * One pair's library, kept running: a process started when it is first needed, and again after it
 * died, at growing distances; about and open before anything else; one call at a time, each within
 * its own deadline from the moment it was asked for, waiting included.
 */
import { fault, type PairFault } from "../provider.ts";
import { plainText } from "../told-view.ts";
import { type About, aboutCall, faultOf, readAbout, type VendorCall } from "./codec.ts";
import { HostProcess, type HostReply } from "./host-process.ts";
import { headAt } from "./layout.ts";

export type SessionOptions = {
  /** The process that holds the library. */
  readonly command: readonly string[];
  /** For messages. */
  readonly library: string;
  readonly open: VendorCall;
};

export type SessionReply =
  | { readonly kind: "answered"; readonly result: number; readonly bytes: Buffer }
  | { readonly kind: "missing" }
  /** `sent`: the library has got the call, so it may have taken effect. */
  | { readonly kind: "failed"; readonly sent: boolean; readonly fault: PairFault };

const waitingMax = 8;
const firstBackoffMs = 250;
const backoffMaxMs = 10_000;
/** So many answers in a row, and its earlier deaths are forgotten. */
const goodInARow = 20;
/** What the library gets of the time, so that it can still say itself that time is up. */
const librarysShare = 0.9;

const failed = (sent: boolean, why: PairFault): SessionReply => ({
  kind: "failed",
  sent,
  fault: why,
});

type Opened = { readonly host: HostProcess; readonly pair: bigint };

export class VendorSession {
  about: About | null = null;
  private readonly options: SessionOptions;
  private host: HostProcess | null = null;
  private opened: Opened | null = null;
  private turn: Promise<void> = Promise.resolve();
  private waiting = 0;
  private failures = 0;
  private answersInARow = 0;
  private notBeforeMs = 0;
  private lastFault: PairFault | null = null;

  constructor(options: SessionOptions) {
    this.options = options;
  }

  /** Of the process that runs now. */
  get pid(): number | null {
    return this.host?.usable ? this.host.pid : null;
  }

  call(call: VendorCall, limitMs: number): Promise<SessionReply> {
    const { library } = this.options;
    const late = () => failed(false, fault("timeout", `${library}: busy with another call`));
    if (this.waiting >= waitingMax) return Promise.resolve(late());
    const endMs = performance.now() + limitMs;
    this.waiting += 1;
    return new Promise((resolve) => {
      let givenUp = false;
      const limit = setTimeout(() => {
        givenUp = true;
        resolve(late());
      }, limitMs);
      this.turn = this.turn.then(async () => {
        this.waiting -= 1;
        clearTimeout(limit);
        if (!givenUp) resolve(await this.callNow(call, endMs));
      });
    });
  }

  private async callNow(call: VendorCall, endMs: number): Promise<SessionReply> {
    const opened = await this.open(endMs);
    if ("ok" in opened) return failed(false, opened);
    if (performance.now() >= endMs) return failed(false, this.fault("timeout", "no time left"));
    call.bytes.writeBigInt64LE(opened.pair, headAt.pair);
    const reply = await this.send(opened.host, call, endMs);
    if (reply.kind === "answered" || reply.kind === "missing") return reply;
    return failed(true, this.faultOf(reply));
  }

  private async send(host: HostProcess, call: VendorCall, endMs: number): Promise<HostReply> {
    const leftMs = Math.max(1, Math.ceil(endMs - performance.now()));
    call.bytes.writeInt32LE(Math.max(1, Math.floor(leftMs * librarysShare)), headAt.deadline_ms);
    const reply = await host.request(call, leftMs);
    if (reply.kind === "answered" && reply.bytes.length !== call.bytes.length) {
      host.kill("an answer of another size");
      return { kind: "garbage", message: "an answer of another size" };
    }
    if (reply.kind === "answered") {
      this.answersInARow += 1;
      if (this.answersInARow >= goodInARow) this.failures = 0;
    }
    return reply;
  }

  /** A process with the pair open, or why there is none. */
  private async open(endMs: number): Promise<Opened | PairFault> {
    const host = this.ready();
    if ("ok" in host) return host;
    if (this.opened?.host === host) return this.opened;
    const loaded = await this.loadedBy(host, endMs);
    if (loaded === null) return this.fault("timeout", "its process has not started yet");
    if (!loaded.ok) {
      host.kill("not loaded");
      return this.remember(this.fault(loaded.class, loaded.message));
    }
    const about = await this.ask(host, aboutCall(), endMs);
    if ("ok" in about) return about;
    const read = readAbout(about.bytes);
    if (!read.ok) return this.refused(host, this.fault(read.class, read.message));
    const { name, bytes } = this.options.open;
    const opened = await this.ask(host, { name, bytes: Buffer.from(bytes) }, endMs);
    if ("ok" in opened) return opened;
    this.about = read.value;
    this.opened = { host, pair: opened.bytes.readBigInt64LE(headAt.pair) };
    return this.opened;
  }

  /** A process that may be asked, if need be a new one. */
  private ready(): HostProcess | PairFault {
    const { host } = this;
    if (host?.usable) return host;
    if (host && this.opened?.host === host) this.opened = null;
    const nowMs = performance.now();
    const endedMs = host?.endedMs;
    if (endedMs === null) return this.fault("daemon-down", "its process is being ended");
    if (endedMs !== undefined) {
      this.host = null;
      this.answersInARow = 0;
      const backoffMs = Math.min(backoffMaxMs, firstBackoffMs * 2 ** Math.min(this.failures, 10));
      this.failures += 1;
      this.notBeforeMs = endedMs + backoffMs;
    }
    if (nowMs < this.notBeforeMs) {
      const last = this.lastFault;
      const why = last?.class === "config" || last?.class === "unparseable" ? last : null;
      const inMs = Math.ceil(this.notBeforeMs - nowMs);
      return (
        why ?? this.fault("daemon-down", `started again in ${inMs} ms; ${last?.message ?? ""}`)
      );
    }
    this.host = new HostProcess(this.options.command);
    return this.host;
  }

  /** null where the time of this call is over first: the process may go on loading. */
  private async loadedBy(host: HostProcess, endMs: number) {
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<null>((resolve) => {
      timer = setTimeout(() => resolve(null), Math.max(0, endMs - performance.now()));
    });
    const loaded = await Promise.race([host.loaded, limit]);
    clearTimeout(timer);
    return loaded;
  }

  /** One of the first two calls: the library must have it, and it must do. */
  private async ask(
    host: HostProcess,
    call: VendorCall,
    endMs: number,
  ): Promise<{ readonly bytes: Buffer } | PairFault> {
    const reply = await this.send(host, call, endMs);
    if (reply.kind === "missing") {
      return this.refused(host, this.fault("config", `it has no mbv_${call.name}`));
    }
    if (reply.kind !== "answered") return this.faultOf(reply);
    const told = faultOf(reply.result, reply.bytes);
    return told ? this.refused(host, this.fault(told.class, told.message)) : reply;
  }

  /** A library that cannot be used is not kept. */
  private refused(host: HostProcess, why: PairFault): PairFault {
    host.kill(why.message);
    return this.remember(why);
  }

  private faultOf(reply: Exclude<HostReply, { kind: "answered" | "missing" }>): PairFault {
    switch (reply.kind) {
      case "overdue":
        return this.remember(this.fault("timeout", "no answer in time"));
      case "died":
        return this.remember(this.fault("daemon-down", `its process ended: ${reply.message}`));
      case "garbage":
        return this.remember(this.fault("unparseable", reply.message));
    }
  }

  private fault(faultClass: PairFault["class"], message: string): PairFault {
    return fault(faultClass, plainText(`${this.options.library}: ${message}`, 300));
  }

  private remember(why: PairFault): PairFault {
    this.lastFault = why;
    return why;
  }
}
