/**
 * How long it takes to notice a death, with its worst case.
 *
 * A heartbeat's way, and where its time goes (mirror path):
 *
 *   writer   |--interval--|--interval--|X                      X the writer dies just after a write
 *   array                               |--latency--|          the write becomes visible at the SVOL
 *   reader                               |-poll-| read |       the first read that shows it: arrival
 *   detector                                    |--interval--|--margin x (1 + h)--|
 *                                               expected arrival              deadline
 *   verdict                                                                    read | silent
 *
 * The deadline is met by a read scheduled for it. Where a read is under way just then it is
 * awaited first, hence the second `readLimit`; the verdict comes when the read after it ends,
 * hence the third. At least three unchanged reads must lie in the silence, so a very long poll
 * replaces interval + margin by 3 polls. h is the observer's own ill health, 0 to 7.
 *
 *   bound(h) = latency + poll + readLimit + max(interval + margin (1+h), 3 poll)
 *            + 2 readLimit + scheduling
 *
 * It holds while writes become visible within `latency` and reads end within `readLimit`. A read
 * that is slower, or fails, proves nothing; and a gap in the observer's own polling begins the wait
 * anew at its end, interval + margin (1+h), because a stall of the observer earns no silence
 * (docs/safety.md). The network path is judged alike with a read time of zero.
 */
import type { Timing } from "./config.ts";

export const healthMax = 7;
/** Unchanged good reads that a silence must contain. */
export const unchangedReadsMin = 3;

/** Margin for an observer of the given ill health (Lifeguard's way of doubting oneself first). */
export function marginMs(timing: Timing, health: number): number {
  return timing.marginMs * (1 + health);
}

/** Longest that a path is watched without an arrival before it is called silent. */
export function silenceWaitMs(timing: Timing, health: number): number {
  return Math.max(timing.intervalMs + marginMs(timing, health), unchangedReadsMin * timing.pollMs);
}

/** Longest time from a host's death to its silence being stated on a mirror path. */
export function mirrorDetectionBoundMs(timing: Timing, health: number): number {
  const { latencyMs, pollMs, readLimitMs, schedulingMs } = timing;
  return (
    latencyMs +
    pollMs +
    readLimitMs +
    silenceWaitMs(timing, health) +
    2 * readLimitMs +
    schedulingMs
  );
}

/** The same for the network path, whose reads take no time. */
export function networkDetectionBoundMs(timing: Timing, health: number): number {
  return timing.latencyMs + timing.pollMs + silenceWaitMs(timing, health) + timing.schedulingMs;
}

/** A verdict on a host needs every enabled path: the slowest decides. */
export function detectionBoundMs(timing: Timing, health: number): number {
  return Math.max(mirrorDetectionBoundMs(timing, health), networkDetectionBoundMs(timing, health));
}
