/**
 * Lines to a file descriptor that may block: a console, a pipe nobody reads, a full disk.
 *
 * Node writes to terminals and pipes synchronously, which would stop every heartbeat while a
 * 9600-baud line drains. Here a line goes into a bounded ring; one asynchronous write is under
 * way at most; when the ring is full the oldest lines go, and their number is told.
 */
import { constants, openSync, write } from "node:fs";

/**
 * Standard error for writing without ever blocking a thread: the same pipe or terminal, opened
 * anew, so that the flag does not change what other processes share. A socket cannot be opened so;
 * it is written as it is.
 */
export function openStandardError(): number {
  const { O_WRONLY, O_NONBLOCK, O_APPEND, O_NOCTTY } = constants;
  try {
    return openSync("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_APPEND | O_NOCTTY);
  } catch {
    return 2;
  }
}

export type LineWriter = {
  line(text: string): void;
  /** Resolves when all is written, or at the deadline. */
  flushed(deadlineMs: number): Promise<void>;
  readonly droppedLines: number;
};

/** In the place of lines that were dropped: a warning, as sd-daemon(3) marks it. */
function lostLine(lines: number): string {
  return `<4>level=warning ev=journal ok=false reason="${lines} lines dropped here: nobody read them"\n`;
}

export function lineWriter(fd: number, linesMax: number): LineWriter {
  const ring: string[] = [];
  let dropped = 0;
  let droppedTold = 0;
  let writing = false;
  let waiters: (() => void)[] = [];
  const idle = (): void => {
    writing = false;
    for (const waiter of waiters) waiter();
    waiters = [];
  };
  const drain = (): void => {
    if (ring.length === 0) return idle();
    writing = true;
    const lost = dropped - droppedTold;
    droppedTold = dropped;
    const note = lost > 0 ? lostLine(lost) : "";
    const bytes = Buffer.from(note + ring.splice(0, ring.length).join(""));
    const rest = (from: number): void => {
      write(fd, bytes, from, bytes.length - from, null, (error, written) => {
        if (error && error.code !== "EAGAIN") return idle();
        const next = from + (error ? 0 : written);
        if (next >= bytes.length) return drain();
        setTimeout(() => rest(next), error ? 50 : 0).unref();
      });
    };
    rest(0);
  };
  return {
    line(text) {
      if (ring.length >= linesMax) {
        ring.shift();
        dropped += 1;
      }
      ring.push(`${text}\n`);
      if (!writing) drain();
    },
    flushed(deadlineMs) {
      if (!writing && ring.length === 0) return Promise.resolve();
      return new Promise((resolve) => {
        const timer = setTimeout(resolve, deadlineMs);
        waiters.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    },
    get droppedLines() {
      return dropped;
    },
  };
}
