/**
 * A campaign of deaths: hosts of one site are killed at random moments, again and again, and the
 * time to the observer's own event is held against the bound for the observer's health then.
 *
 * The bound presumes that the observer's own reads go well: a slow read, a failed one or a gap in
 * its polling begins the silence anew. On a busy machine that happens; then the bound counts from
 * the last such disturbance, which the observer itself tells by its status.
 */
import { detectionBoundMs } from "../core/base/timing.ts";
import { pause, type World } from "./agent-world.ts";

export type Kill = {
  readonly host: string;
  readonly tookMs: number;
  readonly boundMs: number;
  /** From the observer's last own disturbance, where there was one; else the same as tookMs. */
  readonly undisturbedMs: number;
};

const sampleMs = 50;
/** Rows that say of a host that it is not seen alive. */
const goneRows = new Set(["5", "6", "7", "8", "9", "10"]);

type Health = { readonly atMs: number; readonly illness: number; readonly disturbed: boolean };

/** Samples of the observer's own ill health, until stopped. */
function healthOf(world: World, observer: string) {
  const samples: Health[] = [];
  let stopped = false;
  let lastSum = 0;
  const sample = async (): Promise<void> => {
    while (!stopped) {
      const status = await world.status(observer).catch(() => null);
      const paths = status?.paths ?? [];
      const illness = Math.max(0, ...paths.map((path) => path.illness));
      const sum = paths.reduce((total, path) => total + path.illness, 0);
      const disturbed = sum > lastSum || paths.some((path) => path.failure !== null);
      lastSum = sum;
      samples.push({ atMs: performance.now(), illness, disturbed });
      await pause(sampleMs);
    }
  };
  const running = sample();
  return {
    worst(fromMs: number, toMs: number): number {
      const inside = samples.filter(({ atMs }) => atMs >= fromMs - 200 && atMs <= toMs + 200);
      return Math.max(0, ...inside.map(({ illness }) => illness));
    },
    /** When the observer was last disturbed within this time; its beginning if it was not. */
    calmSinceMs(fromMs: number, toMs: number): number {
      const inside = samples.filter(({ atMs }) => atMs >= fromMs && atMs <= toMs);
      return inside.findLast(({ disturbed }) => disturbed)?.atMs ?? fromMs;
    },
    async stop(): Promise<void> {
      stopped = true;
      await running;
    },
  };
}

async function killOnce(world: World, observer: string, host: string): Promise<[number, number]> {
  await pause(Math.random() * 2 * world.timing.intervalMs);
  const beganMs = performance.now();
  world.host(host).kill("SIGKILL");
  const found = () =>
    world
      .events(observer, "verdict", beganMs)
      .find((t) => t.fields["host"] === host && goneRows.has(t.fields["row"] ?? ""));
  await world.until(`${observer} finds ${host} gone`, () => found() !== undefined);
  const atMs = found()?.atMs ?? 0;
  await world.host(host).process?.ended;
  await world.start(host);
  await world.untilVerdict(observer, host, "1");
  return [beganMs, atMs];
}

/** Each of `victims` is killed in turn by a loop of its own until `kills` have been measured. */
export async function killCampaign(
  world: World,
  observer: string,
  victims: readonly string[],
  kills: number,
): Promise<readonly Kill[]> {
  const health = healthOf(world, observer);
  const found: Kill[] = [];
  let left = kills;
  try {
    await Promise.all(
      victims.map(async (host) => {
        while (left-- > 0) {
          const [beganMs, atMs] = await killOnce(world, observer, host);
          await pause(sampleMs);
          const boundMs = detectionBoundMs(world.timing, health.worst(beganMs, atMs));
          const undisturbedMs = atMs - health.calmSinceMs(beganMs, atMs);
          found.push({ host, tookMs: atMs - beganMs, boundMs, undisturbedMs });
        }
      }),
    );
  } finally {
    await health.stop();
  }
  return found;
}

export function distribution(kills: readonly Kill[]): string {
  const disturbed = kills.filter(({ tookMs, undisturbedMs }) => undisturbedMs < tookMs).length;
  const sorted = kills.map(({ tookMs }) => tookMs).sort((a, b) => a - b);
  const at = (share: number): string =>
    (sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0).toFixed(0);
  const closest = Math.max(...kills.map(({ undisturbedMs, boundMs }) => undisturbedMs / boundMs));
  const bounds = [...new Set(kills.map(({ boundMs }) => boundMs))].sort((a, b) => a - b);
  return (
    `${kills.length} kills: median ${at(0.5)} ms, p95 ${at(0.95)} ms, ` +
    `max ${sorted.at(-1)?.toFixed(0)} ms, bound ${bounds.join("/")} ms, ` +
    `closest to its bound ${(100 * closest).toFixed(0)} %, observer itself disturbed in ${disturbed}`
  );
}
