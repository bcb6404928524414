// What an idle agent costs beside sbd, sanlock and a bare timer: all alive at once, one window.
import { sleep, startChild, tempFolder } from "./bench-start.mjs";
import { beginWindow, median } from "./bench-meter.mjs";
import {
  sanlockMissing,
  sbdDevice,
  sbdMissing,
  startSanlockPair,
  startSbd,
} from "./bench-peers.mjs";
import { hosts, openWorld, startAll } from "./bench-world.mjs";

const keys = ["cpuMsPerMinute", "rssMb", "pssMb", "switchesPerSecond"];
const medianOf = (many) =>
  Object.fromEntries(keys.map((key) => [key, median(many.map((one) => one[key]))]));
const sumOf = (many) =>
  Object.fromEntries(keys.map((key) => [key, many.reduce((sum, one) => sum + one[key], 0)]));

/** `warmSeconds` after the last start, `rounds` windows of equal length; medians of them. */
export async function measureIdle(program, { warmSeconds, windowSeconds, rounds }) {
  const folder = tempFolder();
  const groups = {};
  if (!sbdMissing()) {
    const { watcher, inquisitor } = await startSbd(await sbdDevice(folder));
    groups.sbd = { pids: [watcher, inquisitor], join: sumOf };
  }
  if (!sanlockMissing()) {
    const { hosts: pair } = await startSanlockPair(folder);
    groups.sanlock = { pids: pair.map(({ daemon }) => daemon.pid), join: medianOf };
  }
  const timer = startChild(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
  groups.timer = { pids: [timer.pid], join: medianOf };
  const world = await openWorld(program);
  await startAll(world);
  groups.agent = { pids: hosts.map(({ name }) => world.agents[name].pid), join: medianOf };
  await sleep(warmSeconds * 1000);
  const taken = Object.fromEntries(Object.keys(groups).map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    const ends = Object.entries(groups).map(([name, { pids }]) => [name, beginWindow(pids)]);
    await sleep((windowSeconds * 1000) / rounds);
    for (const [name, end] of ends) taken[name].push(groups[name].join(end()));
  }
  return Object.fromEntries(Object.entries(taken).map(([name, all]) => [name, medianOf(all)]));
}
