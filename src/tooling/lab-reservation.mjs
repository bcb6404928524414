/**
 * `./build.sh lab reservation`: a real SCSI target with persistent reservations in a virtual
 * machine, and the shipped arbiter of both sites at it. See docs/arbiters.md.
 */
import { mkdirSync } from "node:fs";
import path from "node:path";
import { atSites, boot, buildImage, bundleSites, end, inGuest } from "./lab-reservation/guest.mjs";

const usage = `usage: build.sh lab reservation [all | down]
  all     boots, lets both sites ask, write and lose, about a minute; a table
  down    ends what a lab that was killed left behind
`;
const folder = path.resolve(process.env.LAB_FOLDER ?? ".build/lab-reservation");
const dist = path.resolve(process.env.MIRRORBEAT_DIST ?? "dist");
const source = path.resolve("src/tooling/lab-reservation/sites.ts");
const began = performance.now();

function say(text) {
  const seconds = ((performance.now() - began) / 1000).toFixed(1).padStart(6);
  console.log(`${seconds} s  ${text}`);
}

/** What Linux makes of a reservation conflict: EBADE. */
const conflict = /^EBADE$/;
/** Site, what it does, and what the answer must be. */
const steps = [
  ["tokyo", "holds", /^denied: /],
  ["tokyo", "ask", /^granted: /],
  ["tokyo", "write", /^done$/],
  ["osaka", "write", conflict],
  ["osaka", "holds", /^denied: /],
  ["osaka", "ask", /^granted: /],
  ["tokyo", "write", conflict],
  ["osaka", "write", /^done$/],
  ["tokyo", "holds", /^denied: /],
  ["tokyo", "write", conflict],
  ["tokyo", "release", /^granted: /],
  ["osaka", "holds", /^granted: /],
  ["tokyo", "ask", /^granted: /],
  ["osaka", "write", conflict],
  ["tokyo", "ask", /^granted: /],
  ["tokyo", "release", /^granted: /],
  ["tokyo", "holds", /^denied: /],
  ["osaka", "ask", /^granted: /],
  ["osaka", "write", /^done$/],
];

async function trial(volume, type, rows) {
  const seen = await atSites(volume, type, steps);
  for (const row of seen) rows.push({ ...row, isGood: row.wanted.test(row.said) });
  // Another process sees what the array holds, not what the first one remembers.
  const [again] = await atSites(volume, type, [["osaka", "holds", /^granted: /]]);
  rows.push({ ...again, verb: "anew", isGood: again.wanted.test(again.said) });
  const kept = await inGuest(`cat /var/target/pr/aptpl_lab-volume-${volume}`);
  const isGood = /sa_res_key=\d+/.test(kept) && kept.includes("res_holder=1");
  const said = isGood ? "kept for a loss of power" : kept;
  rows.push({ type, site: "array", verb: "keeps", said, ms: "", isGood, wanted: "a holder" });
}

function table(rows) {
  const line = ({ type, site, verb, ms, said, isGood, wanted }) => {
    const head = `${String(type).padEnd(6)}${site.padEnd(8)}${verb.padEnd(9)}${ms.padStart(6)}  `;
    const verdict = isGood ? "ok   " : "FAIL ";
    return `${head}${verdict}${isGood ? said.slice(0, 44) : `${said} (wanted: ${wanted})`}`;
  };
  return ["TYPE  SITE    DOES         MS       SEEN", ...rows.map(line)].join("\n");
}

async function runAll() {
  const image = buildImage(folder, say);
  await bundleSites(source, dist);
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
