// The story that `lab qemu story` tells: both sites beat over real arrays, and each fault in turn
// is named for what it is. Every step is waited for; one that does not come ends the story.
import { spawn } from "node:child_process";
import { sites, until } from "./machine.mjs";

const stepLimitMs = 60_000;
const began = performance.now();

function say(text) {
  const seconds = ((performance.now() - began) / 1000).toFixed(1).padStart(6);
  console.log(`${seconds} s  ${text}`);
}

/** An agent, and the row of the last verdict that it told of the other site's host. */
function startAgent(lab, site) {
  const [program, ...args] = lab.agent(site);
  const child = spawn(program, args, { stdio: ["ignore", "ignore", "pipe"] });
  const agent = { row: null, eligible: false, end: () => child.kill("SIGTERM") };
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
    }
  });
  return agent;
}

async function change(lab, verb, mirror, site) {
  const outcome = JSON.parse(await lab.pair(verb, mirror, site));
  say(`  pair ${verb} ${mirror}${site ? ` at ${site}` : ""}: ${outcome.kind}, ${outcome.message}`);
  if (!["done", "in-progress"].includes(outcome.kind)) throw new Error(`${verb}: ${outcome.kind}`);
}

export async function tellStory(lab) {
  for (const mirror of ["tokyo-osaka", "osaka-tokyo"]) await change(lab, "create", mirror);
  const agents = Object.fromEntries(sites.map((site) => [site, startAgent(lab, site)]));
  const rows = async (row, what) => {
    const all = () => sites.every((site) => agents[site].row === row);
    await until(`row ${row} at both sites`, all, stepLimitMs);
    say(`row ${row} at both sites: ${what}`);
  };
  try {
    say("two agents beat");
    await rows("1", "alive on every path");
    say("the LAN is cut");
    await lab.cut("lan");
    await rows("2", "network partition; the mirrors still beat, so all stay calm");
    await lab.mend("lan");
    await rows("1", "the LAN is whole again");
    say("the replication link is cut; the arrays take some 3 s to notice");
    await lab.cut("link");
    await rows("3", "remote link failure, named as such");
    await lab.mend("link");
    for (const mirror of ["tokyo-osaka", "osaka-tokyo"]) await change(lab, "resync", mirror);
    await rows("1", "resynchronised");
    for (const mirror of ["tokyo-osaka", "osaka-tokyo"]) await change(lab, "split", mirror);
    await rows("3b", "split by an operator, and no alarm");
    for (const mirror of ["tokyo-osaka", "osaka-tokyo"]) await change(lab, "resync", mirror);
    await rows("1", "resynchronised");
    say("the pair tokyo-osaka is swapped: osaka's volume is copied to tokyo now");
    await change(lab, "swap", "tokyo-osaka", "osaka");
    await until("row 3b at osaka", () => agents.osaka.row === "3b", stepLimitMs);
    say("row 3b at osaka: tokyo's beats no longer come that way");
    await change(lab, "swap", "tokyo-osaka", "tokyo");
    await rows("1", "swapped back");
    if (sites.some((site) => agents[site].eligible)) throw new Error("a takeover was offered");
    say("no takeover was ever offered");
  } finally {
    for (const site of sites) agents[site].end();
    await Promise.all(sites.map((site) => agents[site].ended));
  }
}
