/**
 * Absolute deadlines: a task with period p is due at start + n p, however late the last one ran;
 * periods that were missed are skipped, not made up for. One timer serves all tasks, so tasks that
 * are due together share one wake-up.
 */
import { realTimers, type Timers } from "./timers.ts";

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

export function runSchedule(
  nowMs: () => number,
  tasks: readonly Task[],
  timers: Timers = realTimers,
): Schedule {
  const startMs = nowMs();
  const due = tasks.map((task) => ({ ...task, atMs: startMs }));
  const single = new Map<string, { atMs: number; run: () => void }>();
  let cancel = (): void => undefined;
  let stopped = false;

  let armedMs = Number.POSITIVE_INFINITY;

  /** Takes what is due; its next time is set before it runs. */
  const takeDue = (): readonly (() => void)[] => {
    const now = nowMs() + earlyMs;
    const runs: (() => void)[] = [];
    for (const task of due) {
      if (task.atMs > now) continue;
      const missed = Math.floor((now - task.atMs) / task.periodMs);
      task.atMs += (missed + 1) * task.periodMs;
      runs.push(task.run);
    }
    for (const [name, { atMs, run }] of single) {
      if (atMs > now) continue;
      single.delete(name);
      runs.push(run);
    }
    return runs;
  };

  const arm = (): void => {
    if (stopped) return;
    let next = Number.POSITIVE_INFINITY;
    for (const { atMs } of due) if (atMs < next) next = atMs;
    for (const { atMs } of single.values()) if (atMs < next) next = atMs;
    cancel();
    armedMs = next;
    // Rounded up: a timer that fires a little early is a wake-up for nothing.
    cancel = timers.after(Math.max(0, Math.ceil(next - nowMs())), fire);
  };
  /** Armed before anything runs: the run-time counts from when this round began. */
  const fire = (): void => {
    if (stopped) return;
    const runs = takeDue();
    arm();
    for (const run of runs) if (!stopped) run();
  };

  // The first round runs at once: a heartbeat should not wait for a timer.
  timers.soon(fire);
  return {
    once(name, atMs, run) {
      const known = single.get(name);
      if (known && known.atMs <= atMs) return;
      single.set(name, { atMs, run });
      if (atMs < armedMs) arm();
    },
    stop() {
      stopped = true;
      cancel();
    },
  };
}
