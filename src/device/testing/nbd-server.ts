/**
 * A disk in memory, served by the NBD protocol on a Unix socket, that can be told to misbehave.
 *
 * It speaks as much of the protocol as QEMU's client asks for: fixed newstyle negotiation with
 * NBD_OPT_GO, then simple replies to read, write and flush. The mode is looked at for each request
 * as it arrives, and again by each hung one when the mode changes.
 */
import net from "node:net";

export type FaultMode =
  | "ok"
  /** Nothing is answered until the mode changes. */
  | "hang"
  /** Writes are not answered until the mode changes; reads are. */
  | "hang-write"
  /** Writes and flushes fail. */
  | "eio"
  | "eio-read"
  /** Half of each write reaches the medium; success is reported. */
  | "torn"
  /** Four bytes in each write are changed on their way. */
  | "corrupt"
  /** Writes are acknowledged and forgotten. */
  | "drop"
  /** Reads come from a copy taken when the mode was entered. */
  | "stale"
  | { readonly delayMs: number }
  | { readonly delayWriteMs: number };

export type RequestCounts = { reads: number; writes: number; flushes: number };

const magic = Buffer.from("NBDMAGICIHAVEOPT");
const optionReplyMagic = Buffer.from("0003e889045565a9", "hex");
const options = { exportName: 1, abort: 2, info: 6, go: 7 } as const;
const optionReplies = { ack: 1, info: 3, unsupported: 0x8000_0001 } as const;
const information = { size: 0, blockSizes: 3 } as const;
const commands = { read: 0, write: 1, disconnect: 2, flush: 3 } as const;
const simpleReplyMagic = 0x6744_6698;
const transmissionFlags = 1 | 4 | 8 | 256; // present, flush, forced unit access, many connections
const handshakeFlags = 1 | 2; // fixed newstyle, no zeroes
const withoutZeroes = 2;
const exportPaddingBytes = 124;
const errors = { io: 5, invalid: 22 } as const;
const preferredBlockBytes = 4096;
const blockBytesMax = 1 << 20;

function words(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  values.forEach((value, index) => bytes.writeUInt32BE(value >>> 0, 4 * index));
  return bytes;
}

function short(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

function long(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}

/** Reads exact lengths from a stream. */
class Reader {
  private held = Buffer.alloc(0);
  private wanted: { length: number; resolve: (bytes: Buffer) => void } | null = null;

  constructor(socket: net.Socket) {
    socket.on("data", (data) => {
      this.held = Buffer.concat([this.held, data]);
      this.serve();
    });
  }

  take(length: number): Promise<Buffer> {
    return new Promise((resolve) => {
      this.wanted = { length, resolve };
      this.serve();
    });
  }

  private serve(): void {
    const { wanted } = this;
    if (!wanted || this.held.length < wanted.length) return;
    this.wanted = null;
    const bytes = Buffer.from(this.held.subarray(0, wanted.length));
    this.held = this.held.subarray(wanted.length);
    wanted.resolve(bytes);
  }
}

export class FaultyDisk {
  readonly medium: Buffer;
  readonly counts: RequestCounts = { reads: 0, writes: 0, flushes: 0 };
  private current: FaultMode = "ok";
  private snapshot: Buffer | null = null;
  private released: () => void = () => {};
  private modeChange: Promise<void> = Promise.resolve();
  private readonly server: net.Server;
  private readonly sockets = new Set<net.Socket>();

  constructor(medium: Buffer) {
    this.medium = medium;
    this.server = net.createServer((socket) => this.accept(socket));
    this.expectModeChange();
  }

  listen(socketPath: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.server.once("error", reject);
      this.server.listen(socketPath, resolve);
    });
  }

  get mode(): FaultMode {
    return this.current;
  }

  set mode(mode: FaultMode) {
    this.snapshot = mode === "stale" ? (this.snapshot ?? Buffer.from(this.medium)) : null;
    this.current = mode;
    this.released();
    this.expectModeChange();
  }

  /** The storage is gone: every connection is cut. */
  close(): void {
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
  }

  private expectModeChange(): void {
    this.modeChange = new Promise((resolve) => {
      this.released = resolve;
    });
  }

  private accept(socket: net.Socket): void {
    this.sockets.add(socket);
    socket.on("error", () => {}); // the client went away: so do its requests
    socket.on("close", () => this.sockets.delete(socket));
    const reader = new Reader(socket);
    void this.negotiate(socket, reader).then((ready) => {
      if (ready) void this.transmit(socket, reader);
    });
  }

  private async negotiate(socket: net.Socket, reader: Reader): Promise<boolean> {
    socket.write(Buffer.concat([magic, short(handshakeFlags)]));
    const clientFlags = (await reader.take(4)).readUInt32BE(0);
    for (;;) {
      const header = await reader.take(16);
      const option = header.readUInt32BE(8);
      const length = header.readUInt32BE(12);
      if (length > 0) await reader.take(length);
      const reply = (type: number, data = Buffer.alloc(0)) =>
        socket.write(Buffer.concat([optionReplyMagic, words(option, type, data.length), data]));
      if (option === options.exportName) {
        const padding = (clientFlags & withoutZeroes) === 0 ? exportPaddingBytes : 0;
        const answer = [long(this.medium.length), short(transmissionFlags), Buffer.alloc(padding)];
        socket.write(Buffer.concat(answer));
        return true;
      }
      if (option === options.abort) {
        reply(optionReplies.ack);
        socket.end();
        return false;
      }
      if (option !== options.go && option !== options.info) {
        reply(optionReplies.unsupported);
        continue;
      }
      const size = [short(information.size), long(this.medium.length), short(transmissionFlags)];
      reply(optionReplies.info, Buffer.concat(size));
      const blocks = words(1, preferredBlockBytes, blockBytesMax);
      reply(optionReplies.info, Buffer.concat([short(information.blockSizes), blocks]));
      reply(optionReplies.ack);
      if (option === options.go) return true;
    }
  }

  private async transmit(socket: net.Socket, reader: Reader): Promise<void> {
    for (;;) {
      const header = await reader.take(28);
      const command = header.readUInt16BE(6);
      const cookie = header.subarray(8, 16);
      const offset = Number(header.readBigUInt64BE(16));
      const length = header.readUInt32BE(24);
      const body = command === commands.write ? await reader.take(length) : null;
      if (command === commands.disconnect) {
        socket.end();
        return;
      }
      void this.perform(command, offset, length, body).then(({ error, data }) => {
        const parts = [words(simpleReplyMagic, error), cookie];
        if (data && error === 0) parts.push(data);
        if (socket.writable) socket.write(Buffer.concat(parts));
      });
    }
  }

  private async waitAsTold(isWrite: boolean): Promise<void> {
    while (this.current === "hang" || (isWrite && this.current === "hang-write"))
      await this.modeChange;
    const mode = this.current;
    if (typeof mode === "string") return;
    const delayMs = "delayMs" in mode ? mode.delayMs : isWrite ? mode.delayWriteMs : 0;
    await new Promise((resolve) => setTimeout(resolve, delayMs));
  }

  private async perform(
    command: number,
    offset: number,
    length: number,
    body: Buffer | null,
  ): Promise<{ error: number; data?: Buffer }> {
    await this.waitAsTold(body !== null);
    const mode = this.current;
    switch (command) {
      case commands.read: {
        this.counts.reads++;
        if (mode === "eio-read") return { error: errors.io };
        const source = this.snapshot ?? this.medium;
        return { error: 0, data: Buffer.from(source.subarray(offset, offset + length)) };
      }
      case commands.write:
        this.counts.writes++;
        if (mode === "eio") return { error: errors.io };
        if (body) this.store(mode, offset, body);
        return { error: 0 };
      case commands.flush:
        this.counts.flushes++;
        return { error: mode === "eio" ? errors.io : 0 };
      default:
        return { error: errors.invalid };
    }
  }

  private store(mode: FaultMode, offset: number, body: Buffer): void {
    if (mode === "drop") return;
    const length = mode === "torn" ? body.length >> 1 : body.length;
    body.copy(this.medium, offset, 0, length);
    if (mode !== "corrupt") return;
    const at = offset + (body.length >> 2);
    for (let index = at; index < at + 4; index++) this.medium[index] = 0xde;
  }
}
