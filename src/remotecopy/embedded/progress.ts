/** How far a copy has come, in blocks and in percent. */
import type { CopyState } from "./pair-state.ts";

export type Progress = {
  readonly state: CopyState;
  readonly blockCount: number;
  /** Where an initial copy or resync stands. */
  readonly cursor: number;
  /** Changes that wait for their lag or for the link. */
  readonly queuedBlocks: number;
  /** What the end of the copying left behind. */
  readonly leftBehind: number;
};

export function percentOf({ state, blockCount, cursor, leftBehind }: Progress): number {
  switch (state) {
    case "simplex":
      return 0;
    case "copying":
      return Math.min(99, Math.floor((100 * cursor) / blockCount));
    case "paired":
      return 100;
    case "suspended-by-operator":
    case "suspended-by-error":
    case "takeover":
      return Math.floor((100 * (blockCount - leftBehind)) / blockCount);
  }
}

/** Blocks known to differ. */
export function pendingOf(progress: Progress): number {
  const { state, blockCount, cursor, queuedBlocks, leftBehind } = progress;
  switch (state) {
    case "simplex":
      return 0;
    case "copying":
      return blockCount - cursor + queuedBlocks;
    case "paired":
      return queuedBlocks;
    case "suspended-by-operator":
    case "suspended-by-error":
    case "takeover":
      return leftBehind;
  }
}
