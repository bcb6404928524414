/**
 * The journal: event lines in two files of bounded size, the older one moved aside when the newer
 * is full. A disk that is full or hung costs lines of the journal, never a heartbeat: writes are
 * asynchronous, one at a time, from a bounded queue whose oldest lines go first.
 */
import { appendFile, mkdir, open, rename } from "node:fs/promises";
import path from "node:path";

export type Journal = {
  append(line: string): void;
  /** The last lines, newest last, without touching the disk. */
  recent(): readonly string[];
  readonly fault: string | null;
  flushed(deadlineMs: number): Promise<void>;
};

export const journalFile = "journal.log";
export const journalFileOld = "journal.log.1";
const queueLinesMax = 2000;
const recentLinesMax = 200;
const retryMs = 5000;

export type JournalOptions = {
  readonly folder: string;
  readonly bytesMax: number;
  /** Told once when writing begins to fail, and once when it works again (null). */
  readonly onFault: (fault: string | null) => void;
};

/** No line is longer. */
const tailBytes = 16 << 10;

/**
 * Cuts off what a full disk or a crash left of a line, so that the next one begins on its own.
 * Gives the size then; 0 where there is no file.
 */
async function wholeLines(file: string): Promise<number> {
  const handle = await open(file, "r+").catch(() => null);
  if (!handle) return 0;
  try {
    const { size } = await handle.stat();
    const tail = Buffer.alloc(Math.min(size, tailBytes));
    await handle.read(tail, 0, tail.length, size - tail.length);
    const whole = size - tail.length + tail.lastIndexOf(0x0a) + 1;
    if (tail.length > 0 && whole < size) await handle.truncate(whole);
    return whole;
  } finally {
    await handle.close();
  }
}

/** Appends to the newer file; when it is full, it becomes the older one. Throws what the disk says. */
function journalWriter(options: JournalOptions) {
  const file = path.join(options.folder, journalFile);
  let sizeBytes: number | null = null;
  return {
    async write(text: string): Promise<void> {
      sizeBytes ??= await wholeLines(file);
      if (sizeBytes + text.length > options.bytesMax / 2 && sizeBytes > 0) {
        await rename(file, path.join(options.folder, journalFileOld));
        sizeBytes = 0;
      }
      await appendFile(file, text, { mode: 0o600 });
      sizeBytes += text.length;
    },
    /** After a failure the size is not known any more. */
    forget(): void {
      sizeBytes = null;
    },
  };
}

export function openJournal(options: JournalOptions): Journal {
  const queue: string[] = [];
  const recent: string[] = [];
  let fault: string | null = null;
  let busy = false;
  let waiters: (() => void)[] = [];

  const setFault = (next: string | null): void => {
    if (next === fault) return;
    fault = next;
    options.onFault(next);
  };

  const file = journalWriter(options);

  const done = (): void => {
    busy = false;
    for (const waiter of waiters) waiter();
    waiters = [];
  };

  const drain = async (): Promise<void> => {
    busy = true;
    while (queue.length > 0) {
      const lines = queue.splice(0, queue.length);
      try {
        await file.write(lines.join(""));
        setFault(null);
      } catch (error) {
        queue.unshift(...lines);
        queue.splice(0, Math.max(0, queue.length - queueLinesMax));
        file.forget();
        setFault((error as NodeJS.ErrnoException).code ?? "unknown");
        if ((error as NodeJS.ErrnoException).code === "ENOENT") {
          await mkdir(options.folder, { recursive: true, mode: 0o700 }).catch(() => undefined);
        }
        done();
        setTimeout(start, retryMs).unref();
        return;
      }
    }
    done();
  };
  const start = (): void => {
    if (!busy && queue.length > 0) void drain();
  };

  return {
    append(line) {
      recent.push(line);
      if (recent.length > recentLinesMax) recent.shift();
      queue.push(`${line}\n`);
      if (queue.length > queueLinesMax) queue.shift();
      if (fault === null) start();
    },
    recent: () => recent,
    get fault() {
      return fault;
    },
    flushed(deadlineMs) {
      if (!busy && queue.length === 0) return Promise.resolve();
      return new Promise((resolve) => {
        const timer = setTimeout(resolve, deadlineMs);
        waiters.push(() => {
          clearTimeout(timer);
          resolve();
        });
        start();
      });
    },
  };
}
