// CPU, memory and wake-ups of a process, from /proc. CPU by schedstat: clock ticks are too coarse.
import { readdirSync, readFileSync } from "node:fs";

function text(file) {
  try {
    return readFileSync(file, "latin1");
  } catch {
    return "";
  }
}

const number = (from, key) => Number(new RegExp(`^${key}:\\s+(\\d+)`, "m").exec(from)?.[1] ?? 0);

function look(pid) {
  let cpuNs = 0;
  let switches = 0;
  let threads = [];
  try {
    threads = readdirSync(`/proc/${pid}/task`);
  } catch {
    throw new Error(`process ${pid} is gone`);
  }
  for (const thread of threads) {
    cpuNs += Number(text(`/proc/${pid}/task/${thread}/schedstat`).split(" ")[0] || 0);
    switches += number(text(`/proc/${pid}/task/${thread}/status`), "voluntary_ctxt_switches");
  }
  return { atMs: performance.now(), cpuNs, switches };
}

export function memoryOf(pid) {
  const status = text(`/proc/${pid}/status`);
  const rollup = text(`/proc/${pid}/smaps_rollup`);
  return {
    rssMb: number(status, "VmRSS") / 1024,
    pssMb: number(rollup, "Pss") / 1024,
    privateDirtyMb: number(rollup, "Private_Dirty") / 1024,
    threads: number(status, "Threads"),
  };
}

/** Begins a window over these processes; the function returned ends it and tells each. */
export function beginWindow(pids) {
  const before = pids.map(look);
  return () =>
    pids.map((pid, index) => {
      const was = before[index];
      const now = look(pid);
      const seconds = (now.atMs - was.atMs) / 1000;
      return {
        pid,
        cpuMsPerMinute: ((now.cpuNs - was.cpuNs) / 1e6 / seconds) * 60,
        switchesPerSecond: (now.switches - was.switches) / seconds,
        ...memoryOf(pid),
      };
    });
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length === 0) return Number.NaN;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
