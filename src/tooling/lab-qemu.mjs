/**
 * `./build.sh lab qemu ...`: two sites on this machine, each with an array of its own, a LAN and a
 * replication link that can be cut, and real block devices. See docs/lab.md.
 */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import {
  configOf,
  configure,
  journalOf,
  links,
  mirrors,
  startArrays,
  stateFileOf,
} from "./lab-qemu/arrays.mjs";
import {
  cut,
  daemonsOf,
  endAll,
  inside,
  isCut,
  loopsOf,
  makeNamespaces,
  may,
  mend,
  namespaceOf,
  processOf,
  runIn,
  sites,
} from "./lab-qemu/machine.mjs";
import { tellStory } from "./lab-qemu/story.mjs";

const usage = `usage: build.sh lab qemu VERB [OPTIONS]      as root
  up                       two sites, two mirrors, ready to be paired
  down                     ends all of it, also after a crash
  status                   processes, devices, cables
  cut lan|link             nothing passes any more, silently
  mend lan|link            it passes again
  pair VERB MIRROR [SITE]  \`mirrorbeat pair VERB\` of tokyo-osaka or osaka-tokyo, with
                           --yes and --force, at SITE (default: its writer)
  install|deinstall MIRROR  the program's verb at its writer, beside a running agent
  run SITE [--] COMMAND...  a command in the network of tokyo or osaka
  story                    each fault in turn, with two agents; then down
options
  --sectors 512|4096  logical sectors of the devices; default 512
  --size MIB          of each volume; default 8
  --async             writes do not wait for the other site
  --timing FILE       lines that go into each configuration, as [timing] ...
  --folder FOLDER     where the lab is; default LAB_FOLDER, else
                      ${path.join(os.tmpdir(), "mirrorbeat-lab-qemu")}
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    sectors: { type: "string", default: "512" },
    size: { type: "string", default: "8" },
    async: { type: "boolean", default: false },
    timing: { type: "string" },
    folder: { type: "string" },
    help: { type: "boolean", default: false },
  },
});
const folder = path.resolve(
  values.folder ?? process.env.LAB_FOLDER ?? path.join(os.tmpdir(), "mirrorbeat-lab-qemu"),
);
const program = path.resolve(process.env.MIRRORBEAT_DIST ?? "dist", "mirrorbeat");
/** Written first of all: only what has it is ever removed. */
const markFile = path.join(folder, "lab-qemu");
const folderCharsMax = 70;
const verbLimitMs = 120_000;

class Refusal extends Error {}

async function needs() {
  if (process.getuid?.() !== 0) throw new Refusal("needs root: namespaces, FUSE, loop devices");
  const packages = {
    "qemu-storage-daemon": "qemu-system-common",
    ip: "iproute2",
    nft: "nftables",
    nsenter: "util-linux",
    losetup: "mount",
  };
  for (const [name, bringer] of Object.entries(packages)) {
    const found = await may("sh", ["-c", `command -v ${name}`]);
    if (found === null) throw new Refusal(`needs ${name}: apt-get install ${bringer}`);
  }
  if (!existsSync("/dev/fuse")) throw new Refusal("needs /dev/fuse");
  if (!existsSync(program)) throw new Refusal(`needs ${program}: build it first`);
}

async function down({ quiet = false } = {}) {
  const isLab = existsSync(markFile);
  const left = await endAll(folder);
  for (const what of left) console.error(`left behind: ${what}`);
  if (left.length > 0) process.exitCode = 75;
  if (isLab && left.length === 0) rmSync(folder, { recursive: true, force: true });
  if (!quiet) console.log(left.length === 0 ? "the lab is down" : "the lab is down, but for these");
}

async function up() {
  await needs();
  const sectorBytes = Number(values.sectors);
  const volumeBytes = Number(values.size) * 2 ** 20;
  if (![512, 4096].includes(sectorBytes)) throw new Refusal("--sectors: 512 or 4096");
  if (!(volumeBytes >= 2 ** 20 && volumeBytes <= 2 ** 30)) throw new Refusal("--size: 1 to 1024");
  if (folder.length > folderCharsMax) throw new Refusal(`${folder}: too long for sockets in it`);
  if (existsSync(markFile)) throw new Refusal(`${folder}: there is a lab already; down ends it`);
  if (existsSync(folder) && values.folder === undefined) throw new Refusal(`${folder}: exists`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  writeFileSync(markFile, "");
  try {
    const namespaces = sites.map((site) => [site, namespaceOf(folder, site)]);
    const text = JSON.stringify(Object.fromEntries(namespaces));
    writeFileSync(path.join(folder, "namespaces.json"), text);
    await makeNamespaces(folder, links);
    const devices = await startArrays(folder, { sectorBytes, volumeBytes });
    const timing = values.timing ? `${readFileSync(values.timing, "utf8").trim()}\n` : "";
    const copying = values.async ? "asynchronous" : "synchronous";
    await configure(folder, program, devices, { copying, timing });
  } catch (error) {
    await down({ quiet: true });
    throw error;
  }
  console.log(`the lab is up in ${folder}; an agent:`);
  for (const site of sites) {
    const enter = `nsenter --net=/run/netns/${namespaceOf(folder, site)}`;
    console.log(`  ${enter} ${program} run --config ${configOf(folder, site)}`);
  }
}

function needLab() {
  if (!existsSync(markFile)) throw new Refusal(`${folder}: no lab; up makes one`);
}

async function status() {
  needLab();
  for (const name of daemonsOf(folder)) {
    const pid = processOf(folder, name);
    console.log(`${name.padEnd(18)} ${pid === null ? "DEAD" : `process ${pid}`}`);
  }
  for (const { device, file } of loopsOf(folder)) {
    console.log(`${path.basename(file, ".volume").padEnd(18)} ${device}`);
  }
  for (const link of Object.keys(links)) {
    console.log(`${link.padEnd(18)} ${(await isCut(folder, link)) ? "CUT" : "whole"}`);
  }
}

function mirrorNamed(name) {
  const mirror = mirrors.find((each) => each.name === name);
  if (!mirror) throw new Refusal(`no mirror "${name ?? ""}"`);
  return mirror;
}

/** The program's own verb, as it is called at a site. */
function pairCommand(verb, name, site) {
  const mirror = mirrorNamed(name);
  const at = site ?? mirror.writer;
  if (!sites.includes(at)) throw new Refusal(`no site "${at}"`);
  const more = verb === "query" ? ["--remote"] : ["--yes", "--force"];
  return { at, command: [program, "pair", verb, name, ...more, "--config", configOf(folder, at)] };
}

function installCommand(verb, name) {
  const { writer: at } = mirrorNamed(name);
  return { at, command: [program, verb, name, "--config", configOf(folder, at)] };
}

/** Its output goes where ours goes, and its exit code is ours. */
async function show(site, command) {
  needLab();
  const [name, ...args] = [...inside(folder, site), ...command];
  const child = spawn(name, args, { stdio: "inherit" });
  process.exitCode = await new Promise((resolve) => {
    child.on("error", () => resolve(70));
    child.on("exit", (code) => resolve(code ?? 70));
  });
}

async function story() {
  await up();
  const lab = {
    program,
    pair(verb, mirror, site) {
      const { at, command } = pairCommand(verb, mirror, site);
      return runIn(folder, at, [...command, "--json"], { timeout: verbLimitMs });
    },
    install(verb, mirror, ...more) {
      const { at, command } = installCommand(verb, mirror);
      return runIn(folder, at, [...command, ...more], { timeout: verbLimitMs });
    },
    withoutNetwork() {
      for (const file of sites.map((site) => configOf(folder, site))) {
        writeFileSync(file, `network = false\n${readFileSync(file, "utf8")}`);
      }
    },
    journalOf: (site) => journalOf(folder, site),
    stateFileOf: (site) => stateFileOf(folder, site),
    cut: (link) => cut(folder, link),
    mend: (link) => mend(folder, link),
    agent: (site) => [...inside(folder, site), program, "run", "--config", configOf(folder, site)],
  };
  try {
    await tellStory(lab);
  } finally {
    await down();
  }
}

async function main([verb, what, ...rest]) {
  if (values.help || verb === undefined) return console.log(usage);
  if (verb === "up") return up();
  if (verb === "down") return down();
  if (verb === "status") return status();
  if ((verb === "cut" || verb === "mend") && what in links) {
    needLab();
    return verb === "cut" ? cut(folder, what) : mend(folder, what);
  }
  if (verb === "pair" && rest.length > 0) {
    const { at, command } = pairCommand(what, ...rest);
    return show(at, command);
  }
  if (verb === "install" || verb === "deinstall") {
    const { at, command } = installCommand(verb, what);
    return show(at, [...command, ...rest]);
  }
  if (verb === "run" && sites.includes(what) && rest.length > 0) return show(what, rest);
  if (verb === "story") return story();
  console.error(usage);
  process.exitCode = 64;
}

try {
  await main(positionals);
} catch (error) {
  console.error(`lab qemu: ${error.message}`);
  process.exitCode = error instanceof Refusal ? 69 : 70;
}
