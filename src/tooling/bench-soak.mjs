// What takes hours: growth of memory, and detection over many kills. `bench --soak` runs it and
// writes fixtures/bench/soak.json; the ordinary bench shows the last run.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { endAll, mark, sleep } from "./bench-start.mjs";
import { median, memoryOf } from "./bench-meter.mjs";
import { openKilling, printedBoundsMs } from "./bench-detect.mjs";
import { hosts, openWorld, startAll } from "./bench-world.mjs";

const file = "fixtures/bench/soak.json";
const warmMinutes = 5;

export function lastSoak() {
  return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : null;
}

function keep(part) {
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify({ ...lastSoak(), ...part }, null, 2)}\n`);
}

/** Kilobytes an hour by which RSS rises after the warm-up: medians of its first and last fifth. */
async function growth(program, minutes) {
  const world = await openWorld(program);
  await startAll(world);
  await sleep(warmMinutes * 60_000);
  const samples = [];
  for (let minute = 0; minute <= minutes; minute++) {
    samples.push(median(hosts.map(({ name }) => memoryOf(world.agents[name].pid).rssMb)));
    if (minute < minutes) await sleep(60_000);
  }
  const fifth = Math.max(1, Math.floor(samples.length / 5));
  const risenMb = median(samples.slice(-fifth)) - median(samples.slice(0, fifth));
  const hours = (minutes * (samples.length - fifth)) / samples.length / 60;
  return { minutes, rssMb: median(samples), kilobytesAnHour: (risenMb * 1024) / hours };
}

async function kills(program, count) {
  const killing = await openKilling(program);
  const times = [];
  await sleep(20_000);
  for (let n = 0; n < count; n++) {
    times.push(...(await killing.kill(hosts[n % hosts.length].name)));
    await sleep(1000 + 1000 * Math.random());
    if ((n + 1) % 50 === 0) console.error(`bench: ${n + 1} of ${count} kills`);
  }
  const sorted = times.sort((a, b) => a - b);
  const { healthy: boundMs } = await printedBoundsMs(program);
  return {
    kills: count,
    boundMs,
    medianMs: median(sorted),
    longestMs: sorted.at(-1),
    at99Ms: sorted[Math.floor(0.99 * (sorted.length - 1))],
    overBound: sorted.filter((ms) => ms > boundMs).length,
  };
}

export async function runSoak(program, { minutes, killCount }) {
  const date = () => new Date().toISOString().slice(0, 10);
  const since = mark();
  if (minutes > 0) {
    console.error(`bench: memory over ${minutes} minutes`);
    keep({ growth: { date: date(), ...(await growth(program, minutes)) } });
    await endAll(since);
  }
  if (killCount > 0) {
    console.error(`bench: ${killCount} kills, some ten seconds each`);
    keep({ detection: { date: date(), ...(await kills(program, killCount)) } });
    await endAll(since);
  }
}
