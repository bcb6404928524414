/** What an agent waits by: the event loop's timers, or virtual time. No wait is made otherwise. */

export type Timers = {
  /** Runs once, that many milliseconds from now; the answer cancels it. */
  after(ms: number, run: () => void): () => void;
  /** Runs once, when all that has come by now was taken. */
  soon(run: () => void): void;
};

export const realTimers: Timers = {
  after(ms, run) {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
  // Sockets are read after timers and before immediates.
  soon: (run) => void setImmediate(run),
};

export function pauseBy(timers: Timers): (ms: number) => Promise<void> {
  return (ms) =>
    new Promise((resolve) => {
      timers.after(ms, resolve);
    });
}

/** False where the work is not done in time; it goes on all the same. */
export async function inTime(
  timers: Timers,
  work: Promise<boolean>,
  limitMs: number,
): Promise<boolean> {
  let cancel = (): void => undefined;
  const limit = new Promise<boolean>((resolve) => {
    cancel = timers.after(limitMs, () => resolve(false));
  });
  const done = await Promise.race([work, limit]);
  cancel();
  return done;
}

const lookMs = 20;

/** Ends when that is so, or the time is over. */
export async function untilTrue(
  timers: Timers,
  isTrue: () => boolean,
  limitMs: number,
): Promise<void> {
  let isOver = false;
  const cancel = timers.after(limitMs, () => {
    isOver = true;
  });
  while (!isTrue() && !isOver) await pauseBy(timers)(lookMs);
  cancel();
}
