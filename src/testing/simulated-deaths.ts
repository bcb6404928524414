/** The same deaths as in campaign-kills.ts, in a simulated world of the same configuration. */
import type { Config } from "../core/base/config.ts";
import { SimulatedWorld } from "../simulation/world.ts";

/** Rows that say of a host that it is not seen alive. */
const goneRows = new Set<unknown>(["5", "6", "7", "8", "9", "10"]);

/** From each death to the observer's verdict, in virtual milliseconds. */
export async function simulatedDeaths(
  config: Config,
  observer: string,
  victims: readonly string[],
  deaths: number,
): Promise<readonly number[]> {
  const world = new SimulatedWorld(config, 1);
  const random = world.random.fork("deaths");
  const { intervalMs, marginMs } = config.timing;
  const settleMs = 20 * (intervalMs + marginMs);
  const tookMs: number[] = [];
  let dead: { readonly host: string; readonly sinceMs: number } | null = null;
  world.onWatched((watched, nowMs) => {
    if (watched.kind !== "told" || watched.host !== observer || dead === null) return;
    const { ev, fields } = watched.event;
    if (ev !== "verdict" || fields["host"] !== dead.host || !goneRows.has(fields["row"])) return;
    tookMs.push(nowMs - dead.sinceMs);
    dead = null;
  });
  world.boot();
  await world.run(settleMs + 10_000);
  for (let death = 0; death < deaths; death++) {
    const host = victims[death % victims.length] ?? observer;
    await world.run(random.between(0, 2 * intervalMs));
    dead = { host, sinceMs: world.nowMs };
    world.host(host).kill();
    await world.run(settleMs);
    world.host(host).startAgent();
    await world.run(settleMs);
  }
  return tookMs;
}
