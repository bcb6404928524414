// The story that `lab qemu story` tells: two mirrors are brought into use over real arrays, each fault
// in turn is named for what it is, and they are taken out of use again. Every step is waited for;
// one that does not come ends the story.
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { sites, until } from "./machine.mjs";

const stepLimitMs = 60_000;
const began = performance.now();
const mirrors = ["tokyo-osaka", "osaka-tokyo"];
const writerOf = (mirror) => mirror.split("-")[0];
const readerOf = (mirror) => mirror.split("-")[1];
/** What each journal tells of a mirror, in this order, when all went well. */
const installed = {
  writer: ["pvol-registered", "enabled", "activation-sent", "acknowledged", "installed"],
  reader: ["activation-received", "svol-registered", "enabled", "receipt-sent"],
};
const removed = {
  writer: ["draining", "deactivation-sent", "acknowledged", "deregistered"],
  reader: ["deactivation-received", "draining", "deregistered", "receipt-sent"],
};

function say(text) {
  const seconds = ((performance.now() - began) / 1000).toFixed(1).padStart(6);
  console.log(`${seconds} s  ${text}`);
}

/** An agent, and the row of the last verdict that it told of the other site's host. */
function startAgent(lab, site) {
  const [program, ...args] = lab.agent(site);
  const child = spawn(program, args, { stdio: ["ignore", "ignore", "pipe"] });
  const agent = { row: null, eligible: false, alarms: 0, end: () => child.kill("SIGTERM") };
  agent.ended = new Promise((resolve) => {
    child.on("exit", resolve);
    child.on("error", resolve);
  });
  let held = "";
  child.stderr.on("data", (data) => {
    const lines = (held + data).split("\n");
    held = lines.pop() ?? "";
    for (const line of lines) {
      const row = /ev=verdict .*\brow=(\S+)/.exec(line)?.[1];
      if (row !== undefined) agent.row = row;
      if (line.includes("action=eligible")) agent.eligible = true;
      if (/level=(warning|error) ev=(path|verdict|group) /.test(line)) agent.alarms++;
    }
  });
  return agent;
}

/** What the agent of a site knows of itself; null where it has told nothing yet. */
function stateAt(lab, site) {
  const file = lab.stateFileOf(site);
  return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : null;
}

/** Mirrors that are in the device address file of a site. */
const registeredAt = (lab, site) =>
  stateAt(lab, site)?.installation.registrations.map(({ mirror }) => mirror);

function isOk(lab, mirror) {
  const others = stateAt(lab, readerOf(mirror))?.sites ?? [];
  const paths = others.flatMap(({ hosts }) => hosts.flatMap((host) => host.paths));
  return paths.some((each) => each.path === mirror && each.inUse && each.status === "ok");
}

function stepsIn(lab, site, mirror) {
  const lines = readFileSync(lab.journalOf(site), "utf8").split("\n");
  const own = lines.filter((line) => line.includes(" ev=mirror ") && line.includes(`=${mirror} `));
  return own.map((line) => /\bstep=(\S+)/.exec(line)?.[1]);
}

async function change(lab, verb, mirror, site) {
  const outcome = JSON.parse(await lab.pair(verb, mirror, site));
  say(`  pair ${verb} ${mirror}${site ? ` at ${site}` : ""}: ${outcome.kind}, ${outcome.message}`);
  if (!["done", "in-progress"].includes(outcome.kind)) throw new Error(`${verb}: ${outcome.kind}`);
}

async function changeAll(lab, verb) {
  for (const mirror of mirrors) await change(lab, verb, mirror);
}

/** Asked again while it is refused for the moment: commands are given one after the other. */
async function ask(lab, verb, mirror, ...more) {
  let said = "";
  await until(`${verb} ${mirror} begins`, async () => {
    said = await lab.install(verb, mirror, ...more).catch((error) => error.message);
    return !/try again|wait, or drop/.test(said);
  }, stepLimitMs).catch((error) => {
    throw new Error(`${error.message}: ${said}`);
  }); // biome-ignore format: one condition
  return said.trim();
}

/** `install` or `deinstall` at the writer, and what both journals tell of it. */
async function bring(lab, verb, mirror, wanted) {
  const ends = { writer: writerOf(mirror), reader: readerOf(mirror) };
  const before = Object.values(ends).map((site) => stepsIn(lab, site, mirror).length);
  const said = await ask(lab, verb, mirror);
  say(`  ${verb} ${mirror} at ${ends.writer}: ${said}`);
  if (!/ is (installed|removed)/.test(said)) throw new Error(`${verb} ${mirror}: not done`);
  for (const [index, [end, site]] of Object.entries(ends).entries()) {
    const told = () => stepsIn(lab, site, mirror).slice(before[index]).join(", ");
    const isWhole = () => told() === wanted[end].join(", ");
    await until(`steps at ${site}: ${wanted[end]}`, isWhole, stepLimitMs).catch((error) => {
      throw new Error(`${error.message}; there were: ${told()}`);
    });
    say(`    ${site}: ${told()}`);
  }
}

async function brought(lab, rows) {
  await rows("1", "the network alone: no mirror is installed");
  await changeAll(lab, "create");
  for (const mirror of mirrors) await bring(lab, "install", mirror, installed);
  const beat = () => mirrors.every((mirror) => isOk(lab, mirror));
  await until("beats on both mirrors", beat, stepLimitMs);
  await rows("1", "alive on every path");
}

async function faults(lab, rows) {
  say("the LAN is cut");
  await lab.cut("lan");
  await rows("2", "network partition; the mirrors still beat, so all stay calm");
  await lab.mend("lan");
  await rows("1", "the LAN is whole again");
  say("the replication link is cut; the arrays take some 3 s to notice");
  await lab.cut("link");
  await rows("3", "remote link failure, named as such");
  await lab.mend("link");
  await changeAll(lab, "resync");
  await rows("1", "resynchronised");
  await changeAll(lab, "split");
  await rows("3b", "split by an operator, and no alarm");
  await changeAll(lab, "resync");
  await rows("1", "resynchronised");
}

async function swapped(lab, rows, agents) {
  say("the pair tokyo-osaka is swapped: osaka's volume is copied to tokyo now");
  await change(lab, "swap", "tokyo-osaka", "osaka");
  await until("row 3b at osaka", () => agents.osaka.row === "3b", stepLimitMs);
  say("row 3b at osaka: tokyo's beats no longer come that way");
  await change(lab, "swap", "tokyo-osaka", "tokyo");
  await rows("1", "swapped back");
}

async function taken(lab, rows, agents) {
  const alarms = () => sites.map((site) => agents[site].alarms).join(" ");
  const before = alarms();
  for (const mirror of mirrors) await bring(lab, "deinstall", mirror, removed);
  for (const site of sites) {
    const isEmpty = () => registeredAt(lab, site)?.length === 0;
    await until(`nothing is registered at ${site}`, isEmpty, stepLimitMs);
  }
  say("nothing is registered at either site");
  await changeAll(lab, "remove");
  await rows("1", "the network alone again");
  if (alarms() !== before) throw new Error("removing the mirrors alarmed somebody");
  say("and nobody was alarmed");
}

/** No network is configured: a mirror that is not installed carries its own activation. */
async function alone(lab, rows) {
  const [first, second] = mirrors;
  await rows("11", "no path at all yet");
  const before = Object.fromEntries(sites.map((site) => [site, stepsIn(lab, site, first).length]));
  const late = await ask(lab, "install", first, "--wait", "2");
  if (!late.includes("not done yet")) throw new Error(`a receipt came by no path: ${late}`);
  say(`  install ${first} at tokyo: no way back for a receipt yet, and it goes on`);
  const has = (site, step) => () => stepsIn(lab, site, first).slice(before[site]).includes(step);
  await until("osaka has it by the mirror itself", has("osaka", "receipt-sent"), stepLimitMs);
  say("    osaka: enabled, on the word that the mirror itself brought");
  say(`  install ${second} at osaka: ${await ask(lab, "install", second)}`);
  await until("tokyo has the receipt", has("tokyo", "installed"), stepLimitMs);
  say(`    tokyo: the receipt for ${first} came back by ${second}`);
  await rows("2b", "alive by the mirrors alone");
}

async function withAgents(lab, run) {
  const agents = Object.fromEntries(sites.map((site) => [site, startAgent(lab, site)]));
  const rows = async (row, what) => {
    const all = () => sites.every((site) => agents[site].row === row);
    await until(`row ${row} at both sites`, all, stepLimitMs);
    say(`row ${row} at both sites: ${what}`);
  };
  try {
    await run(lab, rows, agents);
    if (sites.some((site) => agents[site].eligible)) throw new Error("a takeover was offered");
  } finally {
    for (const site of sites) agents[site].end();
    await Promise.all(sites.map((site) => agents[site].ended));
  }
}

export async function tellStory(lab) {
  say("two agents beat");
  await withAgents(lab, async (...world) => {
    for (const part of [brought, faults, swapped, taken]) await part(...world);
  });
  say("the agents have ended; the network is configured away, and the pairs are made again");
  lab.withoutNetwork();
  await changeAll(lab, "create");
  await withAgents(lab, alone);
  await changeAll(lab, "remove");
  say("no takeover was ever offered");
}
