/**
 * Progress on standard error: how far, how fast, how much longer. One line that is rewritten on a
 * terminal; elsewhere a line now and then.
 */
export type Progress = {
  /** Told after each seed; the part that is done is from 0 to 1. */
  readonly told: (seeds: number, virtualMs: number, part: number) => void;
  /** A rewritten line is taken away. */
  readonly end: () => void;
};

const terminalEveryMs = 250;
const elsewhereEveryMs = 15_000;

const columns = 80;

export function clockText(ms: number): string {
  const seconds = Math.round(ms / 1000);
  const two = (value: number): string => String(value).padStart(2, "0");
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  return hours > 0
    ? `${hours}:${two(minutes)}:${two(seconds % 60)}`
    : `${minutes}:${two(seconds % 60)}`;
}

export function rateText(virtualMs: number, tookMs: number): string {
  return `${Math.round(virtualMs / Math.max(1, tookMs))} times real time`;
}

export function progressLine(
  seeds: number,
  virtualMs: number,
  part: number,
  tookMs: number,
): string {
  const leftMs = part > 0 ? (tookMs * (1 - part)) / part : 0;
  const done = `${seeds} seeds, ${Math.floor(100 * part)} %, ${(virtualMs / 3_600_000).toFixed(1)} h`;
  const line = `simulate: ${done}, ${rateText(virtualMs, tookMs)}, ${clockText(leftMs)} left`;
  return line.slice(0, columns);
}

export function progressOn(
  write: (text: string) => void,
  isTerminal: boolean,
  nowMs: () => number,
): Progress {
  const startMs = nowMs();
  const everyMs = isTerminal ? terminalEveryMs : elsewhereEveryMs;
  let lastMs = startMs;
  let widest = 0;
  return {
    told: (seeds, virtualMs, part) => {
      const atMs = nowMs();
      if (atMs - lastMs < everyMs) return;
      lastMs = atMs;
      const line = progressLine(seeds, virtualMs, part, atMs - startMs);
      if (!isTerminal) return write(`${line}\n`);
      write(`\r${line.padEnd(widest)}`);
      widest = Math.max(widest, line.length);
    },
    end: () => {
      if (widest > 0) write(`\r${" ".repeat(widest)}\r`);
      widest = 0;
    },
  };
}
