/**
 * QMP, the JSON lines that a qemu-storage-daemon speaks on its monitor: one conversation is one
 * connection, a few commands in order, and the end of it. A monitor serves one client at a time,
 * so nobody holds it longer than that.
 *
 * Invariants: a conversation ends at its deadline; no line is longer than its limit; what is not
 * QMP is a value `unparseable`; nothing here throws.
 */
import net from "node:net";
import { isObject, type JsonObject, LineSplitter, parseLine } from "../../host/json-lines.ts";
import { fault, type FaultClass, type PairFault } from "../provider.ts";

export type QmpAddress =
  | { readonly kind: "path"; readonly path: string }
  | { readonly kind: "host"; readonly host: string; readonly port: number };

export type QmpCommand = { readonly execute: string; readonly arguments?: JsonObject };

export type QmpReply =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly message: string };

export type Conversation =
  | { readonly ok: true; readonly replies: readonly QmpReply[] }
  | {
      readonly ok: false;
      readonly fault: PairFault;
      /** Of the commands that were answered; one more may have been sent. */
      readonly replies: readonly QmpReply[];
      readonly sent: number;
    };

export const lineBytesMax = 1 << 20;
/** Events that may come between two answers. */
const eventsMax = 10_000;
const messageCharsMax = 300;

/** null where the text is neither HOST:PORT nor a path. */
export function parseAddress(text: string): QmpAddress | null {
  if (text.startsWith("/")) return { kind: "path", path: text };
  const match = /^\[?([0-9A-Za-z.:-]+?)\]?:(\d{1,5})$/.exec(text);
  if (!match) return null;
  const port = Number(match[2]);
  return port >= 1 && port <= 65_535 ? { kind: "host", host: match[1] ?? "", port } : null;
}

export const addressText = (address: QmpAddress): string =>
  address.kind === "path" ? address.path : `${address.host}:${address.port}`;

/** One line for people, whatever the daemon put into it. */
const plain = (text: string): string =>
  text.replace(/[^\x20-\x7e]+/g, " ").slice(0, messageCharsMax);

const connectClasses: Readonly<Record<string, FaultClass>> = {
  EACCES: "auth",
  EPERM: "auth",
  ETIMEDOUT: "timeout",
  EAGAIN: "timeout",
};

type Bad = { readonly ok: false; readonly class: FaultClass; readonly message: string };
type Line = { readonly ok: true; readonly value: JsonObject } | Bad;

const bad = (faultClass: FaultClass, message: string): Bad => ({
  ok: false,
  class: faultClass,
  message,
});

/** The lines of one connection, each awaited with the same deadline. */
class Lines {
  private readonly splitter = new LineSplitter(lineBytesMax);
  private readonly socket: net.Socket;
  private wake: (() => void) | null = null;
  private error: string | null = null;
  private ended = false;
  private late = false;
  private readonly timer: NodeJS.Timeout;

  constructor(address: QmpAddress, deadlineMs: number) {
    this.socket =
      address.kind === "path"
        ? net.connect({ path: address.path })
        : net.connect({ host: address.host, port: address.port });
    this.timer = setTimeout(() => this.stir(() => (this.late = true)), Math.max(0, deadlineMs));
    this.socket.on("data", (chunk: Buffer) =>
      this.stir(() => {
        this.splitter.push(chunk);
        this.socket.pause();
      }),
    );
    this.socket.on("error", (error: NodeJS.ErrnoException) =>
      this.stir(() => (this.error ??= error.code ?? "error")),
    );
    this.socket.on("close", () => this.stir(() => (this.ended = true)));
    this.socket.on("end", () => this.stir(() => (this.ended = true)));
  }

  private stir(change: () => void): void {
    change();
    this.wake?.();
  }

  get isBusy(): boolean {
    return this.error === "EAGAIN";
  }

  send(command: JsonObject): void {
    this.socket.write(`${JSON.stringify(command)}\n`);
  }

  close(): void {
    clearTimeout(this.timer);
    this.socket.destroy();
  }

  async next(): Promise<Line> {
    for (;;) {
      const line = this.splitter.next();
      if (line === "too-long") return bad("unparseable", "a line without end");
      if (line !== null) {
        if (line.length === 0) continue;
        const parsed = parseLine(line);
        return parsed.ok ? parsed : bad("unparseable", `an answer is ${parsed.message}`);
      }
      const end = this.over();
      if (end) return end;
      this.socket.resume();
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
      this.wake = null;
    }
  }

  private over(): Line | null {
    if (this.late) return bad("timeout", "no answer in time");
    const { heldBytes } = this.splitter;
    if ((this.error || this.ended) && heldBytes > 0) {
      return bad("unparseable", "an answer was cut off");
    }
    if (this.error) {
      const down = connectClasses[this.error] ?? "daemon-down";
      return bad(down, `nobody answers (${this.error}); is the daemon running?`);
    }
    return this.ended ? bad("daemon-down", "the connection ended without an answer") : null;
  }
}

const isGreeting = (value: JsonObject): boolean => isObject(value["QMP"]);

/** The answer to a command, events passed over; a fault where it is none. */
async function answerTo(lines: Lines, id: number): Promise<QmpReply | Bad> {
  for (let events = 0; events <= eventsMax; events++) {
    const line = await lines.next();
    if (!line.ok) return line;
    const { value } = line;
    if (typeof value["event"] === "string" && value["id"] === undefined) continue;
    if (value["id"] !== id) break;
    if ("return" in value && !("error" in value)) return { ok: true, value: value["return"] };
    const { error } = value;
    if (!isObject(error) || typeof error["desc"] !== "string" || "return" in value) break;
    return { ok: false, message: plain(error["desc"]) };
  }
  return bad("unparseable", "not the answer to what was asked");
}

const busyPauseMs = 20;

/** Commands in order on a connection of their own; stops at the first that is refused. */
export async function converse(
  address: QmpAddress,
  commands: readonly QmpCommand[],
  deadlineMs: number,
): Promise<Conversation> {
  const endMs = performance.now() + deadlineMs;
  for (;;) {
    const lines = new Lines(address, endMs - performance.now());
    const talk = await talkOn(lines, addressText(address), commands);
    lines.close();
    // Too many wait at this monitor already: nothing was connected, and nothing said.
    if (!lines.isBusy || performance.now() + busyPauseMs >= endMs) return talk;
    await new Promise((resolve) => setTimeout(resolve, busyPauseMs));
  }
}

async function talkOn(
  lines: Lines,
  where: string,
  commands: readonly QmpCommand[],
): Promise<Conversation> {
  const replies: QmpReply[] = [];
  let sent = 0;
  const stop = ({ class: faultClass, message }: Bad): Conversation => {
    return { ok: false, fault: fault(faultClass, `${where}: ${message}`), replies, sent };
  };
  const greeting = await lines.next();
  if (!greeting.ok) return stop(greeting);
  if (!isGreeting(greeting.value)) return stop(bad("unparseable", "this is not QMP"));
  const all: readonly QmpCommand[] = [{ execute: "qmp_capabilities" }, ...commands];
  for (const [id, command] of all.entries()) {
    lines.send({ ...command, id });
    if (id > 0) sent++;
    const reply = await answerTo(lines, id);
    if ("class" in reply) return stop(reply);
    if (id === 0 && !reply.ok) return stop(bad("unparseable", reply.message));
    if (id > 0) replies.push(reply);
    if (!reply.ok) break;
  }
  return { ok: true, replies };
}
