/**
 * What the devices of one BlockIo share: the native library, its request slots, the memory of its
 * area, and the numbers by which the library knows devices.
 *
 * It outlives `close()` for as long as the kernel owns anything of it: memory that a hung request
 * may still write to is never used for something else.
 */
import { assert } from "../core/base/assert.ts";
import { Memory } from "./memory.ts";
import { deviceCount, type Native } from "./native.ts";
import { Requests } from "./requests.ts";

export class Core {
  readonly native: Native;
  readonly requests: Requests;
  readonly memory: Memory;
  closing = false;
  private ended = false;
  private readonly numbers: boolean[] = Array.from({ length: deviceCount }, () => false);
  private readonly closers = new Set<() => void>();

  constructor(native: Native) {
    this.native = native;
    this.requests = new Requests(native);
    this.memory = new Memory(native.dataStart, native.area.length - native.dataStart);
  }

  /** This core, if it may still be called. */
  inUse(): this {
    assert(!this.ended, "block I/O is not used after its end");
    return this;
  }

  /** Where bytes of a lane lie in the area. */
  offsetInArea(bytes: Buffer): number {
    assert(bytes.buffer === this.native.area.buffer, "bytes of a lane of this BlockIo");
    return bytes.byteOffset - this.native.area.byteOffset;
  }

  takeNumber(): number | null {
    const number = this.numbers.indexOf(false);
    if (number < 0) return null;
    this.numbers[number] = true;
    return number;
  }

  /** The last device to go, after close(), takes the library with it. */
  giveNumber(number: number): void {
    this.numbers[number] = false;
    this.endIfIdle();
  }

  /** What to call on close(); the answer takes it off the list. */
  onClose(closer: () => void): () => void {
    this.closers.add(closer);
    return () => this.closers.delete(closer);
  }

  close(): void {
    if (this.closing) return;
    this.closing = true;
    for (const closer of this.closers) closer();
    this.endIfIdle();
  }

  private endIfIdle(): void {
    if (!this.closing || this.ended || this.numbers.includes(true)) return;
    this.ended = true;
    this.requests.end();
    const result = this.native.call.destroy();
    assert(result === 0, "nothing is owned at the end");
  }
}
