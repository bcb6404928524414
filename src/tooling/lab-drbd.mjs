/**
 * `./build.sh lab drbd ...`: two virtual machines with real DRBD between them, and this program in
 * both. See docs/lab.md.
 */
import { mkdirSync } from "node:fs";
import path from "node:path";
import { boot, command, end, nodes, processOf, setCable } from "./lab-drbd/guests.mjs";
import { buildImage } from "./lab-drbd/image.mjs";
import { formPairs } from "./lab-drbd/pairs.mjs";
import { tellStory } from "./lab-drbd/story.mjs";

const usage = `usage: build.sh lab drbd VERB
  up                    boots tokyo and osaka, and makes the pairs hba and hbb
  down                  ends both
  status                what DRBD says at both
  cut lan|link          pulls the cable of the network, or of the replication
  mend lan|link         plugs it in again
  run NODE COMMAND      a shell command at tokyo or osaka
  story [--captures]    the whole story, each step seen; --captures also keeps what
                        DRBD printed as fixtures
`;
const folder = path.resolve(process.env.LAB_FOLDER ?? ".build/lab-drbd");
const dist = path.resolve(process.env.MIRRORBEAT_DIST ?? "dist");
const fixtures = path.resolve("fixtures/remotecopy/drbd84");
const began = performance.now();

function say(text) {
  const seconds = ((performance.now() - began) / 1000).toFixed(1).padStart(6);
  console.log(`${seconds} s  ${text}`);
}

async function up() {
  const running = nodes.find((node) => processOf(node));
  if (running) throw new Error(`${running} runs already: lab drbd down`);
  const image = buildImage(folder, say);
  say("booting tokyo and osaka");
  try {
    await boot(image, dist);
    await formPairs(say);
  } catch (error) {
    await end();
    throw error;
  }
}

async function status() {
  for (const node of nodes) {
    if (!processOf(node)) {
      console.log(`${node}: not running`);
      continue;
    }
    const said = await command(node, "drbdsetup status --verbose --statistics");
    console.log(`${node}:\n${said.text}`);
  }
}

async function main([verb, what, ...rest]) {
  mkdirSync(folder, { recursive: true });
  process.chdir(folder);
  if (verb === "up") return up();
  if (verb === "down") return end();
  if (verb === "status") return status();
  if ((verb === "cut" || verb === "mend") && ["lan", "link"].includes(what)) {
    return setCable(what, verb === "mend");
  }
  if (verb === "run" && nodes.includes(what) && rest.length > 0) {
    const words = rest[0] === "--" ? rest.slice(1) : rest;
    const ended = await command(what, words.join(" "), 600_000);
    process.stdout.write(ended.text);
    process.exitCode = ended.code;
    return;
  }
  if (verb === "story") {
    for (const signal of ["SIGINT", "SIGTERM"]) {
      process.once(signal, () => end().finally(() => process.exit(130)));
    }
    try {
      await up();
      await tellStory({ say, fixtures: what === "--captures" ? fixtures : null });
    } finally {
      await end();
    }
    return;
  }
  process.stderr.write(usage);
  process.exitCode = 64;
}

main(process.argv.slice(2)).catch((error) => {
  console.error(`lab drbd: ${error.message}`);
  process.exitCode = 1;
});
