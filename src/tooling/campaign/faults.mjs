// The faults of a campaign. Each strikes, lasts a random time and is healed; several overlap. What is
// cut twice is cut until both are healed. None says what must follow: that is the judge's affair.
import { nowMs, sleep } from "./ask.mjs";
import { tailOf } from "./journals.mjs";
import { watchdogLimitMs } from "./world.mjs";

/** Long enough for a takeover in half of all cases. */
const briefMs = [100, 1500];
const longMs = [1500, 9000];
const commandLimitMs = 20_000;
/** So long a moment is waited for. */
const momentLimitMs = 9000;

const lasting = (random) => random.between(...(random.isTrue(0.4) ? briefMs : longMs));

/** The machine whose agent is active, as it says itself; null where none is. */
export async function activeMachine({ world }) {
  for (const machine of world.machines) {
    const status = await machine.status();
    if (status?.role === "active") return machine;
  }
  return null;
}

const anyMachine = ({ world, random }) => random.one(world.machines);

/** Mostly the one that serves: a fault of it has more to tell. */
async function victim(scene) {
  const active = scene.random.isTrue(0.6) ? await activeMachine(scene) : null;
  return active ?? anyMachine(scene);
}

async function cutFor({ world, random, links }, { ways = [], mirrors = [] }) {
  for (const way of ways) world.lan.cut(way);
  await Promise.all(mirrors.map((mirror) => links.cut(mirror)));
  await sleep(lasting(random));
  for (const way of ways) world.lan.heal(way);
  await Promise.all(mirrors.map((mirror) => links.heal(mirror)));
  return true;
}

/** The machine is off for a while, whatever else is done to it meanwhile. */
async function offFor(machine, ms) {
  machine.powerHolds += 1;
  await machine.powerOff();
  await sleep(ms);
  machine.powerHolds -= 1;
  await machine.boot();
}

/** Keeps the agent's process stopped; one that is reset or ends meanwhile needs no waking. */
async function hangFor(machine, ms) {
  const pid = machine.agentPid();
  if (pid === null || !machine.signalAgent("SIGSTOP")) return false;
  await sleep(ms);
  if (machine.agentPid() === pid) machine.signalAgent("SIGCONT");
  return true;
}

async function stopInOrder(machine, ms) {
  if (machine.agentPid() === null) return false;
  machine.holds += 1;
  const isSent = machine.signalAgent("SIGTERM");
  await sleep(ms);
  machine.holds -= 1;
  machine.startAgent();
  return isSent;
}

async function switchOver(scene) {
  const active = await activeMachine(scene);
  if (!active) return false;
  const to = scene.world.other(active).site;
  const answer = await active.ask({ op: "switchover", to, repair: false }, commandLimitMs);
  scene.told("switchover", answer);
  return true;
}

/** A disaster at one site, and the operator's word of it: only while that machine is really off. */
async function attestedTakeover(scene) {
  const { world, random } = scene;
  const dead = await victim(scene);
  const alive = world.other(dead);
  if (dead.powerHolds > 0 || alive.powerHolds > 0) return false;
  dead.powerHolds += 1;
  await dead.powerOff();
  if (random.isTrue(0.3)) {
    await alive.powerOff();
    await sleep(random.between(...briefMs));
    await alive.boot();
  }
  await sleep(random.between(...longMs));
  // The word is given while it is off, and it stays off until it has been taken.
  if (!dead.isOn) {
    const question = { op: "takeover", force: false, peerIsOff: dead.site };
    scene.told("takeover --peer-is-off", await alive.ask(question, commandLimitMs));
  }
  dead.powerHolds -= 1;
  await dead.boot();
  return true;
}

async function pauseCopier({ world, random }) {
  const copier = world.copiers[random.one(world.pairs)];
  copier.kill("SIGSTOP");
  await sleep(lasting(random));
  copier.kill("SIGCONT");
  return true;
}

async function lagCopier({ world, random, links }) {
  const mirror = random.one(world.pairs);
  await links.insist(mirror, "lag", { ms: Math.round(random.between(50, 3000)) });
  await sleep(lasting(random));
  await links.insist(mirror, "lag", { ms: 0 });
  return true;
}

/** The array takes no writes at one site: heartbeats hang, and land later. */
async function hangWrites({ world, random }) {
  if (world.freezer.names.length === 0) return false;
  const name = random.one(world.freezer.names);
  await world.freezer.freeze(name);
  await sleep(lasting(random));
  await world.freezer.thaw(name);
  return true;
}

/** It is mended with the links, once all faults are over. */
async function splitPair({ world, random }) {
  const answer = await world.copier(random.one(world.pairs), "split");
  await sleep(lasting(random));
  return answer.ok;
}

/** Moments at which it matters what is done already, by what the journal tells then. */
const moments = [
  ({ ev, step }) => ev === "takeover" && step === "begin",
  ({ ev, step }) => ev === "takeover" && step === "term stored",
  ({ ev, step }) => ev === "takeover" && step === "service hook started",
  ({ ev, role }) => ev === "role" && role === "active",
  ({ ev, role }) => ev === "role" && role === "fenced",
  ({ ev, role }) => ev === "role" && role === "stopped",
  ({ ev }) => ev === "guard",
  ({ ev, step }) => ev === "switchover" && step === "service stop hook started",
  ({ ev, step }) => ev === "switchover" && step === "term given",
  ({ ev, step }) => ev === "takeover" && step === "term received",
  ({ ev, step }) => ev === "takeover" && step === "renounced",
];
const blows = {
  kill: { weight: 4, run: (machine) => machine.signalAgent("SIGKILL") },
  hang: { weight: 2, run: (machine, random) => hangFor(machine, random.between(200, 4000)) },
  reset: { weight: 3, run: (machine, random) => offFor(machine, random.between(100, 4000)) },
};

/** Strikes a machine in the very moment in which something happens there, or at the other one. */
async function strikeAtMoment({ world, random }) {
  const isMoment = random.one(moments);
  const blow = blows[random.weighted(blows)];
  const isOther = random.isTrue(0.3);
  const afterMs = random.isTrue(0.5) ? 0 : random.between(0, 120);
  const tails = world.machines.map((machine) => [machine, tailOf(machine.journalFile)]);
  for (const [, tail] of tails) tail();
  for (const endMs = nowMs() + momentLimitMs; nowMs() < endMs; await sleep(10)) {
    const found = tails.find(([, tail]) => tail().some(isMoment));
    if (!found) continue;
    await sleep(afterMs);
    await blow.run(isOther ? world.other(found[0]) : found[0], random);
    return true;
  }
  return false;
}

/** By name: how often it is chosen, and what it does; false where it had nothing to strike. */
export const faults = {
  "lan-cut": {
    weight: 8,
    run: (scene) => cutFor(scene, { ways: scene.world.lan.ways }),
  },
  "lan-one-way": {
    weight: 8,
    run: (scene) => cutFor(scene, { ways: [scene.random.one(scene.world.lan.ways)] }),
  },
  "mirror-cut": {
    weight: 8,
    run: (scene) => cutFor(scene, { mirrors: [scene.random.one(scene.world.pairs)] }),
  },
  "arrays-cut": { weight: 6, run: (scene) => cutFor(scene, { mirrors: scene.world.pairs }) },
  partition: {
    weight: 16,
    run: (scene) => cutFor(scene, { ways: scene.world.lan.ways, mirrors: scene.world.pairs }),
  },
  "one-way-partition": {
    weight: 6,
    run(scene) {
      const index = scene.random.whole(0, 1);
      const { world } = scene;
      return cutFor(scene, { ways: [world.lan.ways[index]], mirrors: [world.mirrors[index]] });
    },
  },
  "agent-killed": {
    weight: 12,
    run: async (scene) => (await victim(scene)).signalAgent("SIGKILL"),
  },
  "agent-hangs": {
    weight: 10,
    run: async (scene) =>
      hangFor(await victim(scene), scene.random.between(3 * watchdogLimitMs, 6000)),
  },
  "agent-stutters": {
    weight: 8,
    run: async (scene) =>
      hangFor(await victim(scene), scene.random.between(20, 0.9 * watchdogLimitMs)),
  },
  "agent-restarted": {
    weight: 6,
    run: async (scene) => stopInOrder(await victim(scene), scene.random.between(...longMs)),
  },
  "machine-reset": {
    weight: 12,
    async run(scene) {
      const machine = await victim(scene);
      if (!machine.isOn) return false;
      await offFor(machine, scene.random.between(100, 3000));
      return true;
    },
  },
  "machine-off": {
    weight: 6,
    async run(scene) {
      await offFor(await victim(scene), scene.random.between(...longMs));
      return true;
    },
  },
  "both-reset": {
    weight: 4,
    async run({ world, random }) {
      await Promise.all(world.machines.map((each) => offFor(each, random.between(100, 4000))));
      return true;
    },
  },
  "copier-paused": { weight: 6, run: pauseCopier },
  "copier-lags": { weight: 4, run: lagCopier },
  "pvol-hangs": { weight: 8, run: hangWrites },
  "pair-split": { weight: 4, run: splitPair },
  "switch-over": { weight: 8, run: switchOver },
  "disaster-attested": { weight: 4, run: attestedTakeover },
  "at-the-moment": { weight: 14, run: strikeAtMoment },
};

/** The copiers' links, each cut for as long as any fault wants it so. */
export function linksOf(world) {
  const cuts = Object.fromEntries(world.pairs.map((mirror) => [mirror, 0]));
  const insist = async (mirror, command, more) => {
    for (const endMs = nowMs() + commandLimitMs; nowMs() < endMs; await sleep(50)) {
      if ((await world.copier(mirror, command, more)).ok) return;
    }
    throw new Error(`copier ${mirror} did not ${command}`);
  };
  const settle = (mirror) => insist(mirror, cuts[mirror] > 0 ? "cut" : "heal");
  return {
    insist,
    cut(mirror) {
      cuts[mirror] += 1;
      return settle(mirror);
    },
    heal(mirror) {
      cuts[mirror] -= 1;
      return settle(mirror);
    },
    /**
     * What an operator does about pairs that do not come back by themselves. A data pair that was
     * taken over goes on from the site that serves, once that is sure. Gives those not whole.
     */
    async mend(activeSite) {
      const torn = [];
      for (const pair of world.pairs) {
        const { ok, value } = await world.copier(pair, "query");
        if (ok && value.state === "paired") continue;
        torn.push(pair);
        if (!ok) continue;
        if (value.state.startsWith("suspended")) await world.copier(pair, "resync");
        const isTaken = value.state === "takeover" && activeSite === world.takenBy(value.direction);
        if (isTaken) await world.copier(pair, "swap", { force: true });
      }
      return torn;
    },
  };
}
