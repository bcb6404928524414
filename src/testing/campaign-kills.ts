/**
 * A campaign of deaths: hosts of one site are killed at random moments, again and again, and the
 * time to the observer's own event is held against the bound for the observer's health then.
 */
import { detectionBoundMs } from "../core/base/timing.ts";
import { pause, type World } from "./agent-world.ts";

export type Kill = { readonly host: string; readonly tookMs: number; readonly boundMs: number };

const sampleMs = 50;
/** Rows that say of a host that it is not seen alive. */
const goneRows = new Set(["5", "6", "7", "8", "9", "10"]);

type Health = { readonly atMs: number; readonly illness: number };

/** Samples of the observer's own ill health, until stopped. */
function healthOf(world: World, observer: string) {
  const samples: Health[] = [];
  let stopped = false;
  const sample = async (): Promise<void> => {
    while (!stopped) {
      const status = await world.status(observer).catch(() => null);
      const illness = Math.max(0, ...(status?.paths ?? []).map((path) => path.illness));
      samples.push({ atMs: performance.now(), illness });
      await pause(sampleMs);
    }
  };
  const running = sample();
  return {
    worst(fromMs: number, toMs: number): number {
      const inside = samples.filter(({ atMs }) => atMs >= fromMs - 200 && atMs <= toMs + 200);
      return Math.max(0, ...inside.map(({ illness }) => illness));
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
          found.push({ host, tookMs: atMs - beganMs, boundMs });
        }
      }),
    );
  } finally {
    await health.stop();
  }
  return found;
}

export function distribution(kills: readonly Kill[]): string {
  const sorted = kills.map(({ tookMs }) => tookMs).sort((a, b) => a - b);
  const at = (share: number): string =>
    (sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0).toFixed(0);
  const closest = Math.max(...kills.map(({ tookMs, boundMs }) => tookMs / boundMs));
  const bounds = [...new Set(kills.map(({ boundMs }) => boundMs))].sort((a, b) => a - b);
  return (
    `${kills.length} kills: median ${at(0.5)} ms, p95 ${at(0.95)} ms, ` +
    `max ${sorted.at(-1)?.toFixed(0)} ms, bound ${bounds.join("/")} ms, ` +
    `closest to its bound ${(100 * closest).toFixed(0)} %`
  );
}
