// From kill -9 of a host to its death being told: the agent at interval 1 s, and sanlock -o 1.
import { endAll, mark, must, sleep, tempFolder, until } from "./bench-start.mjs";
import { median } from "./bench-meter.mjs";
import { sanlockMissing, startSanlockPair } from "./bench-peers.mjs";
import { openWorld, startAll } from "./bench-world.mjs";

const limitMs = 40_000;
/** Rows of the verdict table in which no path brings news of the host. */
const deadRows = new Set(["5", "6", "7", "8", "9", "10"]);

/** The worst cases for a healthy and for the least healthy observer, as the program prints them. */
export async function printedBoundsMs(program) {
  const out = await must(program, ["timing", "--interval", "1000", "--json"]);
  return JSON.parse(out).detectionBoundMs;
}

/** A world in which hosts can be killed again and again; `kill(host)` tells the milliseconds. */
export async function openKilling(program) {
  const world = await openWorld(program);
  const told = [];
  await startAll(world, (observer, event) => {
    if (event.ev === "verdict") told.push({ observer, ...event, atMs: performance.now() });
  });
  const observersOf = (host) => (host.startsWith("a") ? ["b1", "b2"] : ["a1", "a2"]);
  const seen = (host, sinceMs, wanted) =>
    observersOf(host).map((observer) =>
      told.find(
        (one) =>
          one.observer === observer && one.host === host && one.atMs >= sinceMs && wanted(one.row),
      ),
    );
  return {
    world,
    async kill(host) {
      const killedMs = performance.now();
      process.kill(world.agents[host].pid, "SIGKILL");
      const isDead = (row) => deadRows.has(row);
      await until(() => seen(host, killedMs, isDead).every(Boolean), limitMs, `${host} told dead`);
      const times = seen(host, killedMs, isDead).map(({ atMs }) => atMs - killedMs);
      const againMs = performance.now();
      told.length = 0;
      const { tell } = world.agents[host];
      world.start(host, { onEvent: tell });
      const alive = () => seen(host, againMs, (row) => row === "1").every(Boolean);
      await until(alive, limitMs, `${host} told alive again`);
      return times;
    },
  };
}

async function killAgents(program, rounds) {
  const killing = await openKilling(program);
  const times = [];
  await sleep(20_000); // the detectors learn the arrivals
  for (let round = 0; round < rounds; round++) {
    times.push(...(await killing.kill(round % 2 ? "b2" : "a2")));
    await sleep(2000 + 1000 * Math.random());
  }
  return times;
}

async function killSanlock(rounds) {
  const times = [];
  for (let round = 0; round < rounds; round++) {
    const since = mark();
    const { hosts } = await startSanlockPair(tempFolder());
    const [observer, victim] = hosts;
    await until(async () => (await observer.stateOf(2)) === "LIVE", limitMs, "sanlock LIVE");
    await sleep(2000 + 2000 * Math.random());
    const killedMs = performance.now();
    process.kill(victim.daemon.pid, "SIGKILL");
    await until(async () => (await observer.stateOf(2)) === "FAIL", limitMs, "sanlock FAIL");
    times.push(performance.now() - killedMs);
    await endAll(since);
  }
  return times;
}

/** One after the other is undone by mark: sanlock's rounds first, beside nothing else. */
export async function measureDetection(program, rounds) {
  const sanlock = sanlockMissing() ? [] : await killSanlock(rounds);
  const times = await killAgents(program, 2 * rounds);
  const bounds = await printedBoundsMs(program);
  return {
    bounds,
    overBound: times.filter((ms) => ms > bounds.healthy).length,
    tellings: times.length,
    medianMs: median(times),
    longestMs: Math.max(...times),
    kills: times.length / 2,
    sanlockMs: median(sanlock),
    sanlockKills: sanlock.length,
  };
}
