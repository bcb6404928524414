/**
 * Requests as promises. Each record of the native library is a slot here; a slot belongs to a lane
 * for the lane's life, or to one control call (open, attributes, close).
 *
 * The library announces news through a pipe. Its bytes mean nothing: each wake-up reaps everything.
 * The pipe keeps the process alive only while a request is within its deadline, so never for ever:
 * a device that hangs cannot keep the process from ending, and an idle one does not either.
 *
 * Invariant: the promise of a request settles exactly once, by its end or by its deadline.
 */
import net from "node:net";
import { assert } from "../core/base/assert.ts";
import { type Ending, events, type Native, type Request, requestCount } from "./native.ts";

export type Outcome =
  | ({ readonly kind: "ended" } & Ending)
  | ({ readonly kind: "expired" } & Ending)
  | { readonly kind: "refused"; readonly result: number };

type Late = { readonly promise: Promise<Ending>; readonly settle: (ending: Ending) => void };

type Slot = {
  taken: boolean;
  /** The newest request, in flight or ended. */
  outcome: Promise<Outcome> | null;
  /** In flight, within its deadline. */
  settle: ((outcome: Outcome) => void) | null;
  /** Expired and with the kernel. */
  late: Late | null;
};

function newLate(): Late {
  let settle: (ending: Ending) => void = () => {};
  const promise = new Promise<Ending>((resolve) => {
    settle = resolve;
  });
  return { promise, settle };
}

export class Requests {
  private readonly native: Native;
  private readonly slots: Slot[];
  private readonly socket: net.Socket;
  private pending = 0;

  constructor(native: Native) {
    this.native = native;
    this.slots = Array.from({ length: requestCount }, () => ({
      taken: false,
      outcome: null,
      settle: null,
      late: null,
    }));
    const options: net.SocketConstructorOpts & { onread: net.OnReadOpts } = {
      fd: native.pipe,
      readable: true,
      writable: false,
      onread: {
        buffer: Buffer.alloc(256),
        callback: () => {
          native.reap((index, event) => this.happened(index, event));
          return true;
        },
      },
    };
    this.socket = new net.Socket(options);
    // The library holds the other end for as long as this one: an error has nobody to tell.
    this.socket.on("error", () => {});
    this.socket.resume();
    this.socket.unref();
  }

  /** A free slot, leaving `spare` others; null if there is none. */
  take(spare: number): number | null {
    if (this.slots.filter((slot) => !slot.taken).length <= spare) return null;
    const index = this.slots.findIndex((slot) => !slot.taken);
    this.slot(index).taken = true;
    return index;
  }

  give(index: number): void {
    const slot = this.slot(index);
    assert(
      slot.taken && !this.isOwned(index),
      "a slot is given back when the kernel has done with it",
    );
    slot.taken = false;
  }

  isOwned(index: number): boolean {
    const { settle, late } = this.slot(index);
    return settle !== null || late !== null;
  }

  run(index: number, request: Request): Promise<Outcome> {
    const slot = this.slot(index);
    assert(slot.taken && !this.isOwned(index), "one request at a time in a slot");
    const result = this.native.submit(index, request);
    if (result < 0) return Promise.resolve({ kind: "refused", result });
    if (this.pending++ === 0) this.socket.ref();
    slot.outcome = new Promise((resolve) => {
      slot.settle = resolve;
    });
    return slot.outcome;
  }

  /** When the kernel owns nothing of the slot, however long that takes; keeps nothing alive. */
  async idle(index: number): Promise<void> {
    await this.slot(index).outcome;
    await this.late(index);
  }

  /** After an expiry: the real end, when the kernel gives the slot back. */
  late(index: number): Promise<Ending> | null {
    return this.slot(index).late?.promise ?? null;
  }

  /** To be called when no slot is owned any more. */
  end(): void {
    this.socket.destroy();
  }

  private slot(index: number): Slot {
    const slot = this.slots[index];
    assert(slot !== undefined, "a slot that exists");
    return slot;
  }

  private happened(index: number, event: number): void {
    const slot = this.slot(index);
    const ending = this.native.ending(index);
    if (event === events.late) {
      const { late } = slot;
      assert(late !== null, "late only after an expiry");
      slot.late = null;
      late.settle(ending);
      return;
    }
    const { settle } = slot;
    assert(settle !== null, "an end only of what was begun");
    slot.settle = null;
    if (--this.pending === 0) this.socket.unref();
    if (event === events.expired) {
      slot.late = newLate();
      settle({ kind: "expired", ...ending });
    } else {
      settle({ kind: "ended", ...ending });
    }
  }
}
