/**
 * The story of two sites over DRBD: each step causes something and then waits, with a deadline,
 * until both agents see what they should. A step is one entry of the list below.
 */
import { captureAll } from "./capture.mjs";
import { nodes, setCable, until } from "./guests.mjs";
import {
  alarmsAt,
  askPair,
  bring,
  changePair,
  formatVolumes,
  journalFile,
  mirrors,
  must,
  prepareSites,
  seenAt,
  startAgents,
  stepsAt,
  stopAgents,
} from "./site.mjs";

const seeLimitMs = 90_000;
const lookEveryMs = 500;

const describe = (seen) =>
  seen ? `row ${seen.row} (${seen.verdict}), ${seen.action}` : "nothing yet";

/** Waits until a node's agent sees the row; fails at once if it would ever act on it. */
async function expectRow(node, row, isWanted = () => true) {
  let last = null;
  await until(`${node} sees row ${row}`, seeLimitMs, async () => {
    last = await seenAt(node);
    if (last?.action === "eligible" || last?.takeover) {
      throw new Error(`${node} would take over: ${describe(last)}`);
    }
    return last && String(last.row) === row && isWanted(last);
  }, lookEveryMs).catch((error) => {
    throw new Error(`${error.message}; it sees ${describe(last)}`);
  }); // biome-ignore format: one condition
  return `${node}: ${describe(last)}`;
}

async function both(row, isWanted) {
  const seen = await Promise.all(nodes.map((node) => expectRow(node, row, isWanted)));
  return seen.join("; ");
}

const pairsAre = (state) => (seen) =>
  Object.values(seen.pairs).every((pair) => pair.state === state);

/** What each journal tells of a mirror, in this order, when all went well. */
const wanted = {
  install: {
    writer: ["pvol-registered", "enabled", "activation-sent", "acknowledged", "installed"],
    reader: ["activation-received", "svol-registered", "enabled", "receipt-sent"],
  },
  deinstall: {
    writer: ["draining", "deactivation-sent", "acknowledged", "deregistered"],
    reader: ["deactivation-received", "draining", "deregistered", "receipt-sent"],
  },
};

/** A mirror brought into use or out of it at its writer; what both journals tell of it. */
async function bringAndSee(verb, name) {
  const mirror = mirrors.find((each) => each.name === name);
  const before = {};
  for (const node of nodes) before[node] = (await stepsAt(node, name)).length;
  const said = [`${mirror.writer}: ${verb} ${name}: ${await bring(mirror.writer, verb, name)}`];
  for (const end of ["writer", "reader"]) {
    const node = mirror[end];
    const steps = wanted[verb][end].join(", ");
    let told = "";
    await until(`${node} does ${steps}`, seeLimitMs, async () => {
      told = (await stepsAt(node, name)).slice(before[node]).join(", ");
      return told === steps;
    }, lookEveryMs).catch((error) => {
      throw new Error(`${error.message}; it did ${told}; ${said[0]}`);
    }); // biome-ignore format: one condition
    said.push(`${node}: ${told}`);
  }
  return said.join("; ");
}

const isRegistered = (count) => (seen) => seen.registered.length === count;

/** A change by the program, which must come to one of `kinds`. */
async function change(node, mirror, verb, kinds) {
  const outcome = await changePair(node, mirror, verb);
  const text = `${node}: ${verb} ${mirror}: ${outcome.kind}, ${outcome.message}`;
  if (!kinds.includes(outcome.kind)) throw new Error(text);
  return text;
}

async function expectState(node, mirror, state) {
  let last = null;
  await until(`${mirror} is ${state} at ${node}`, seeLimitMs, async () => {
    last = await askPair(node, mirror);
    return last.ok && last.local.state === state;
  }, lookEveryMs).catch((error) => {
    throw new Error(`${error.message}; it says ${JSON.stringify(last)}`);
  }); // biome-ignore format: one condition
  return `${node}: ${mirror} ${state} (${last.local.native})`;
}

const steps = [
  ["heartbeat volumes are formatted at their writers", async () => {
    await prepareSites();
    await formatVolumes();
  }],
  ["both agents beat over the network alone, no mirror is installed: row 1", async () => {
    await startAgents();
    return both("1", isRegistered(0));
  }],
  ["t-o installed at tokyo", () => bringAndSee("install", "t-o")],
  ["o-t installed at osaka", () => bringAndSee("install", "o-t")],
  ["both beat over network and DRBD: row 1", () => {
    const beats = (seen) => mirrors.some(({ name }) => seen.beating.includes(name));
    return both("1", (seen) => beats(seen) && pairsAre("paired")(seen));
  }],
  ["network cut: both see each other over DRBD, nobody acts: row 2", async () => {
    await setCable("lan", false);
    return both("2");
  }],
  ["network mended: row 1", async () => {
    await setCable("lan", true);
    return both("1");
  }],
  ["replication cut: named, and nobody acts: row 3", async () => {
    await setCable("link", false);
    return both("3", pairsAre("suspended"));
  }],
  ["replication mended: DRBD copies what differs, row 1", async () => {
    await setCable("link", true);
    return both("1", pairsAre("paired"));
  }],
  ["t-o split at tokyo: osaka sees no more beats there, nobody acts: row 3", async () => {
    const split = await change("tokyo", "t-o", "split", ["done"]);
    return `${split}; ${await expectRow("osaka", "3")}; ${await expectRow("tokyo", "1")}`;
  }],
  ["t-o resynchronised: row 1", async () => {
    const resync = await change("tokyo", "t-o", "resync", ["done", "in-progress"]);
    return `${resync}; ${await both("1", pairsAre("paired"))}`;
  }],
  ["split by hand, without the mark: unknown, and nobody acts: row 3", async () => {
    await must("tokyo", "drbdadm disconnect hba");
    const state = await expectState("tokyo", "t-o", "unknown");
    return `${state}; ${await expectRow("osaka", "3")}`;
  }],
  ["connected by hand: row 1", async () => {
    await must("tokyo", "drbdadm connect hba");
    return both("1", pairsAre("paired"));
  }],
  ["both mirrors removed: drained, gone at both sites, and nobody is alarmed", async () => {
    const before = await Promise.all(nodes.map(alarmsAt));
    const said = [];
    for (const { name } of mirrors) said.push(await bringAndSee("deinstall", name));
    said.push(await both("1", isRegistered(0)));
    const after = await Promise.all(nodes.map(alarmsAt));
    if (String(before) !== String(after)) throw new Error(`alarms: ${before}, then ${after}`);
    return said.join("; ");
  }],
  ["no agent's journal tells of a takeover, not for a moment", async () => {
    for (const node of nodes) await must(node, `test -s ${journalFile} && ! grep -E 'action=eligible|ev=takeover' ${journalFile}`);
  }],
  ["agents stopped as planned", stopAgents],
  ["t-o taken over at osaka", async () => {
    const taken = await change("osaka", "t-o", "takeover", ["done"]);
    return `${taken}; ${await expectState("tokyo", "t-o", "suspended-by-error")}`;
  }],
  ["both wrote: they meet, DRBD finds a split brain, nothing is copied: unknown", async () => {
    for (const node of nodes) await must(node, "echo lab | dd of=/dev/drbd0 bs=4096 seek=300 conv=sync,fsync 2>&1"); // biome-ignore format: one line
    await must("osaka", "drbdadm connect hba");
    return expectState("tokyo", "t-o", "unknown");
  }],
  ["osaka's writing discarded by hand: paired", async () => {
    await must("osaka", "drbdadm disconnect hba; drbdadm secondary hba && drbdadm connect --discard-my-data hba"); // biome-ignore format: one line
    await must("tokyo", "drbdadm connect hba");
    return `${await expectState("osaka", "t-o", "paired")}; ${await expectState("tokyo", "t-o", "paired")}`;
  }],
  ["t-o removed at both, created again: paired", async () => {
    const said = [];
    for (const node of nodes) said.push(await change(node, "t-o", "remove", ["done"]));
    said.push(await change("osaka", "t-o", "create", ["indeterminate"]));
    said.push(await change("tokyo", "t-o", "create", ["done", "in-progress"]));
    return `${said.join("; ")}; ${await expectState("tokyo", "t-o", "paired")}`;
  }],
]; // biome-ignore format: a table

/** `fixtures` is where what DRBD prints is kept, or null. */
export async function tellStory({ say, fixtures }) {
  for (const [name, run] of steps) {
    const beganMs = performance.now();
    const detail = await run();
    const seconds = ((performance.now() - beganMs) / 1000).toFixed(1);
    say(`${name} [${seconds} s]`);
    for (const line of (detail ?? "").split("; ").filter(Boolean))
      console.log(`            ${line}`);
  }
  if (fixtures) await captureAll(fixtures, say);
  say(`story: ${steps.length} steps, all seen`);
}
