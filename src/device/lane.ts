/** One lane: a piece of aligned memory, one request slot, one transfer at a time. */
import { assert } from "../core/base/assert.ts";
import type { Access, IoOutcome, Lane } from "./block.ts";
import type { Core } from "./core.ts";
import { advice, blockBytes, type Ending, errorCode, hugePageBytes, operations } from "./native.ts";
import type { Outcome } from "./requests.ts";

/** Left for opening further devices, however many lanes there are. */
const slotsSpare = 16;

/** What a lane must know of its device. */
export type LaneOwner = {
  readonly number: number;
  readonly access: Access;
  readonly sizeBytes: number;
  readonly closing: boolean;
};

export class NativeLane implements Lane {
  readonly bytes: Buffer;
  private readonly core: Core;
  private readonly owner: LaneOwner;
  private readonly slot: number;
  private readonly start: number;
  /** Of the transfer in flight or last made. */
  private lengthBytes = 0;

  /** Null when there is no memory or no slot for it. */
  static create(core: Core, owner: LaneOwner, lengthBytes: number): NativeLane | null {
    assert(Number.isSafeInteger(lengthBytes) && lengthBytes > 0, "a lane has bytes");
    const length = Math.ceil(lengthBytes / blockBytes) * blockBytes;
    const isLarge = length >= hugePageBytes;
    const start = core.memory.take(length, isLarge ? hugePageBytes : blockBytes);
    if (start === null) return null;
    const slot = core.requests.take(slotsSpare);
    if (slot === null) {
      core.memory.give(start, length);
      return null;
    }
    // Advice only: without huge pages everything works, somewhat slower.
    if (isLarge) advise(core, start, length, advice.huge);
    return new NativeLane(core, owner, slot, start, length);
  }

  private constructor(core: Core, owner: LaneOwner, slot: number, start: number, length: number) {
    this.core = core;
    this.owner = owner;
    this.slot = slot;
    this.start = start;
    this.bytes = core.native.area.subarray(start, start + length);
  }

  get ownedByKernel(): boolean {
    return this.core.requests.isOwned(this.slot);
  }

  read(offsetBytes: number, lengthBytes: number, deadlineMs: number): Promise<IoOutcome> {
    return this.transfer(operations.read, offsetBytes, lengthBytes, deadlineMs);
  }

  write(offsetBytes: number, lengthBytes: number, deadlineMs: number): Promise<IoOutcome> {
    assert(this.owner.access === "write", "a device opened to read is not written");
    return this.transfer(operations.write, offsetBytes, lengthBytes, deadlineMs);
  }

  async settled(): Promise<IoOutcome | null> {
    const ending = await this.core.requests.late(this.slot);
    return ending === null ? null : endingOutcome(ending, this.lengthBytes);
  }

  /** When the kernel owns nothing of it; then its memory and slot go back. */
  async release(): Promise<void> {
    await this.core.requests.idle(this.slot);
    this.core.requests.give(this.slot);
    advise(this.core, this.start, this.bytes.length, advice.release);
    this.core.memory.give(this.start, this.bytes.length);
  }

  private transfer(
    operation: number,
    offsetBytes: number,
    lengthBytes: number,
    deadlineMs: number,
  ): Promise<IoOutcome> {
    assert(Number.isSafeInteger(offsetBytes) && offsetBytes >= 0, "an offset of whole bytes");
    assert(offsetBytes % blockBytes === 0, "offsets are multiples of a block");
    assert(lengthBytes % blockBytes === 0 && lengthBytes > 0, "lengths are multiples of a block");
    assert(lengthBytes <= this.bytes.length, "a transfer fits its lane");
    assert(deadlineMs > 0 && Number.isFinite(deadlineMs), "a transfer has a deadline");
    if (this.owner.closing) return Promise.resolve(this.failedNow("CLOSED"));
    if (this.ownedByKernel) return Promise.resolve({ kind: "busy" });
    if (offsetBytes + lengthBytes > this.owner.sizeBytes)
      return Promise.resolve(this.failedNow("RANGE"));
    this.lengthBytes = lengthBytes;
    const request = {
      operation,
      device: this.owner.number,
      offset: offsetBytes,
      memory: this.start,
      length: lengthBytes,
      flags: 0,
      deadlineMs,
    };
    return this.core.requests.run(this.slot, request).then((outcome) => this.outcome(outcome));
  }

  private outcome(outcome: Outcome): IoOutcome {
    switch (outcome.kind) {
      case "refused":
        return this.failedNow(errorCode(outcome.result));
      case "expired":
        return { kind: "expired", beganNs: outcome.beganNs, endedNs: outcome.endedNs };
      case "ended":
        return endingOutcome(outcome, this.lengthBytes);
    }
  }

  private failedNow(code: string): IoOutcome {
    const { native } = this.core;
    const now = native.call.clocks() === 0 ? native.result(0) : 0n;
    return { kind: "failed", code, beganNs: now, endedNs: now };
  }
}

function endingOutcome({ result, beganNs, endedNs }: Ending, lengthBytes: number): IoOutcome {
  if (result === lengthBytes) return { kind: "done", beganNs, endedNs };
  const code = result < 0 ? errorCode(result) : "SHORT";
  return { kind: "failed", code, beganNs, endedNs };
}

function advise(core: Core, start: number, length: number, what: number): void {
  core.native.argument(0, start);
  core.native.argument(1, length);
  core.native.argument(2, what);
  core.native.call.advise();
}
