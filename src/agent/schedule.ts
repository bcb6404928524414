/**
 * Absolute deadlines: a task with period p is due at start + n p, however late the last one ran;
 * periods that were missed are skipped, not made up for. One timer serves all tasks, so tasks that
 * are due together share one wake-up.
 */
export type Task = {
  readonly periodMs: number;
  readonly run: () => void;
};

export type Schedule = {
  /** Runs `run` once at that moment, unless an earlier moment is set under the same name already. */
  once(name: string, atMs: number, run: () => void): void;
  stop(): void;
};

/** Timers have a resolution of a millisecond and may fire a little early. */
const earlyMs = 0.8;

export function runSchedule(nowMs: () => number, tasks: readonly Task[]): Schedule {
  const startMs = nowMs();
  const due = tasks.map((task) => ({ ...task, atMs: startMs }));
  const single = new Map<string, { atMs: number; run: () => void }>();
  let timer: NodeJS.Timeout | null = null;
  let stopped = false;

  const runDue = (): void => {
    const now = nowMs() + earlyMs;
    for (const task of due) {
      if (task.atMs > now) continue;
      const missed = Math.floor((now - task.atMs) / task.periodMs);
      task.atMs += (missed + 1) * task.periodMs;
      task.run();
    }
    for (const [name, { atMs, run }] of [...single]) {
      if (atMs > now) continue;
      single.delete(name);
      run();
    }
  };

  const arm = (): void => {
    if (stopped) return;
    const next = Math.min(
      ...due.map((task) => task.atMs),
      ...[...single.values()].map((one) => one.atMs),
    );
    if (timer) clearTimeout(timer);
    timer = setTimeout(fire, Math.max(0, next - nowMs()));
  };
  const fire = (): void => {
    if (stopped) return;
    runDue();
    arm();
  };

  // The first round runs at once: a heartbeat should not wait for a timer.
  setImmediate(fire);
  return {
    once(name, atMs, run) {
      const known = single.get(name);
      if (known && known.atMs <= atMs) return;
      single.set(name, { atMs, run });
      arm();
    },
    stop() {
      stopped = true;
      if (timer) clearTimeout(timer);
    },
  };
}
