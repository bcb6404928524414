/**
 * `./build.sh lab reservation`: a real SCSI target with persistent reservations in a virtual
 * machine, and the shipped arbiter of both sites at it. See docs/arbiters.md.
 */
import { mkdirSync } from "node:fs";
import path from "node:path";
import {
  atSite,
  boot,
  buildImage,
  bundleSite,
  deviceAt,
  end,
  inGuest,
} from "./lab-reservation/guest.mjs";

const usage = `usage: build.sh lab reservation [all | down]
  all     boots, lets both sites ask, write and lose, about a minute; a table
  down    ends what a lab that was killed left behind
`;
const folder = path.resolve(process.env.LAB_FOLDER ?? ".build/lab-reservation");
const dist = path.resolve(process.env.MIRRORBEAT_DIST ?? "dist");
const source = path.resolve("src/tooling/lab-reservation/site.ts");
const began = performance.now();
const sites = { tokyo: 1, osaka: 2 };

function say(text) {
  const seconds = ((performance.now() - began) / 1000).toFixed(1).padStart(6);
  console.log(`${seconds} s  ${text}`);
}

/** What Linux makes of a reservation conflict. */
const conflict = "EBADE";
/** Site, what it does, and what must begin the answer. */
const steps = [
  ["tokyo", "holds", "denied: "],
  ["tokyo", "ask", "granted: "],
  ["tokyo", "write", "done"],
  ["osaka", "write", conflict],
  ["osaka", "holds", "denied: "],
  ["osaka", "ask", "granted: "],
  ["tokyo", "write", conflict],
  ["osaka", "write", "done"],
  ["tokyo", "holds", "denied: "],
  ["tokyo", "write", conflict],
  ["tokyo", "release", "granted: "],
  ["osaka", "holds", "granted: "],
  ["tokyo", "ask", "granted: "],
  ["osaka", "write", conflict],
  ["tokyo", "ask", "granted: "],
  ["tokyo", "release", "granted: "],
  ["tokyo", "holds", "denied: "],
  ["osaka", "ask", "granted: "],
  ["osaka", "write", "done"],
];

async function trial(volume, type, rows) {
  for (const [site, verb, wanted] of steps) {
    const beganMs = performance.now();
    const said = await atSite(sites[site], verb, deviceAt(volume, sites[site]), type);
    const seconds = ((performance.now() - beganMs) / 1000).toFixed(1);
    rows.push({ type, site, verb, said, seconds, isGood: said.startsWith(wanted), wanted });
  }
  const kept = await inGuest(`cat /var/target/pr/aptpl_lab-volume-${volume}`);
  const isGood = /sa_res_key=\d+/.test(kept) && kept.includes("res_holder=1");
  const said = isGood ? "done" : `not kept: ${kept}`;
  rows.push({ type, site: "array", verb: "kept", said, seconds: "", isGood, wanted: "done" });
}

function table(rows) {
  const line = ({ type, site, verb, seconds, said, isGood, wanted }) => {
    const head = `${String(type).padEnd(6)}${site.padEnd(8)}${verb.padEnd(9)}${seconds.padEnd(6)}`;
    const verdict = isGood ? "ok   " : "FAIL ";
    return `${head}${verdict}${isGood ? said.slice(0, 46) : `${said} (wanted: ${wanted})`}`;
  };
  return ["TYPE  SITE    DOES     S     SEEN", ...rows.map(line)].join("\n");
}

async function runAll() {
  const image = buildImage(folder, say);
  await bundleSite(source, dist);
  say("booting");
  const rows = [];
  await boot(image, dist);
  say("one volume for each type, two paths to each");
  try {
    await trial(0, 5, rows);
    await trial(1, 7, rows);
  } finally {
    console.log(table(rows));
    if (process.env.LAB_SHOW === "1") for (const { site, verb, said } of rows) say(`${site} ${verb}: ${said}`); // biome-ignore format: one line
    if (rows.some(({ isGood }) => !isGood)) console.log(await inGuest("dmesg | tail -n 40"));
  }
  const good = rows.filter(({ isGood }) => isGood).length;
  say(`${good} of ${rows.length} as they must be`);
  process.exitCode = good === rows.length ? 0 : 1;
}

async function main([what = "all", ...rest]) {
  if (rest.length > 0 || !["all", "down"].includes(what)) {
    process.stderr.write(usage);
    process.exitCode = 64;
    return;
  }
  mkdirSync(folder, { recursive: true });
  const root = process.cwd();
  process.chdir(folder);
  await end();
  if (what === "down") return;
  for (const signal of ["SIGINT", "SIGTERM"]) {
    process.once(signal, () => end().finally(() => process.exit(130)));
  }
  try {
    await runAll();
  } finally {
    await end();
    process.chdir(root);
  }
}

main(process.argv.slice(2)).catch((error) => {
  console.error(`lab reservation: ${error.message}`);
  process.exitCode = 1;
});
