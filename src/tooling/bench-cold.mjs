// From exec to the first I/O, and to the first durable heartbeat, beside sbd, sanlock and empty Node.
import { closeSync, openSync, readSync } from "node:fs";
import { endAll, mark, must, tempFolder } from "./bench-start.mjs";
import { median } from "./bench-meter.mjs";
import {
  joinSoon,
  sanlockDevice,
  sanlockMissing,
  sbdDevice,
  sbdMissing,
  startSanlock,
  startSbd,
  transfersOf,
  waitClosely,
} from "./bench-peers.mjs";
import { openWorld } from "./bench-world.mjs";

const limitMs = 20_000;
const slotBytes = 2 * 4096;
const firstRecordBytes = 8 * 4096;

async function emptyNode() {
  const began = performance.now();
  await must(process.execPath, ["-e", "0"]);
  return performance.now() - began;
}

/** Watches host a1's slot in the file under its volume: what stands there was written. */
async function agent(world) {
  const { pvol } = world.volumes["a-b"];
  const file = openSync(pvol.file, "r");
  const slot = () => {
    const bytes = Buffer.alloc(slotBytes);
    readSync(file, bytes, 0, slotBytes, firstRecordBytes);
    return bytes;
  };
  const before = slot();
  const started = performance.now();
  const running = world.start("a1");
  const ms = await waitClosely(started, () => !slot().equals(before), limitMs);
  closeSync(file);
  await running.stop();
  return ms;
}

async function sanlock(folder, device, round) {
  const before = transfersOf(device);
  const started = performance.now();
  const host = startSanlock(folder, `cold${round}`);
  // An id of its own each time: the last one's lease still looks held.
  const joined = joinSoon(host, round + 1, device);
  const read = () => transfersOf(device).reads > before.reads;
  const firstIoMs = await waitClosely(started, read, limitMs);
  await joined;
  const joinedMs = performance.now() - started;
  await host.daemon.stop();
  return { firstIoMs, joinedMs };
}

export async function measureCold(program, rounds) {
  const folder = tempFolder();
  const world = await openWorld(program);
  const taken = { node: [], agent: [], sbd: [], sanlock: [], sanlockJoined: [] };
  const devices = {
    sbd: sbdMissing() ? null : await sbdDevice(folder),
    sanlock: sanlockMissing() ? null : await sanlockDevice(folder),
  };
  await agent(world); // the first start of all finds an empty volume
  for (let round = 0; round < rounds; round++) {
    taken.node.push(await emptyNode());
    taken.agent.push(await agent(world));
    const since = mark();
    if (devices.sbd) taken.sbd.push((await startSbd(devices.sbd)).firstIoMs);
    if (devices.sanlock && round < 3) {
      const { firstIoMs, joinedMs } = await sanlock(folder, devices.sanlock, round);
      taken.sanlock.push(firstIoMs);
      taken.sanlockJoined.push(joinedMs);
    }
    await endAll(since);
  }
  return Object.fromEntries(Object.entries(taken).map(([name, all]) => [`${name}Ms`, median(all)]));
}
