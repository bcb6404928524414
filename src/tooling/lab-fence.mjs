/**
 * `./build.sh lab fence`: virtual machines with a watchdog each, whose fenced service dies, stops
 * and hangs. Nothing of it happens to the host. See docs/fencing.md.
 */
import { mkdirSync } from "node:fs";
import path from "node:path";
import { boot, buildImage, bundleService, end, guests } from "./lab-fence/guests.mjs";
import { Trials } from "./lab-fence/trials.mjs";

const usage = `usage: build.sh lab fence [all | softdog | i6300esb | agents | down]
  all         both guests, about 3 minutes; the table of promised and measured times
  softdog     one of them
  i6300esb    the other
  agents      the second, with two agents of the program under a lease in it
  down        ends what a lab that was killed left behind
`;
const folder = path.resolve(process.env.LAB_FOLDER ?? ".build/lab-fence");
const dist = path.resolve(process.env.MIRRORBEAT_DIST ?? "dist");
const service = path.resolve("src/tooling/lab-fence/service.ts");
const began = performance.now();

function say(text) {
  const seconds = ((performance.now() - began) / 1000).toFixed(1).padStart(6);
  console.log(`${seconds} s  ${text}`);
}

function table(rows) {
  const head = { watchdog: "WATCHDOG", trial: "TRIAL", promised: "PROMISED", measured: "MEASURED" };
  const widths = { watchdog: 10, trial: 20, promised: 17, measured: 16 };
  const line = (row, verdict) => {
    const cells = Object.entries(widths).map(([key, width]) => row[key].padEnd(width));
    return `${cells.join("")}${verdict}`.trimEnd();
  };
  return [line(head, ""), ...rows.map((row) => line(row, row.isGood ? "ok" : "FAIL"))].join("\n");
}

async function runTrials(chosen, isOfAgents) {
  const image = buildImage(folder, say);
  await bundleService(service, dist);
  say(`booting ${chosen.map(({ name }) => name).join(" and ")}`);
  const all = await Promise.allSettled(
    chosen.map(async (guest) => {
      await boot(guest, image, dist);
      const trials = new Trials(guest, say);
      try {
        await (isOfAgents ? trials.runAgents() : trials.run());
      } catch (error) {
        say(error.message);
        throw error;
      } finally {
        trials.end();
        for (const row of trials.rows) rows.push(row);
      }
    }),
  );
  console.log(table(rows));
  for (const { reason } of all) if (reason) console.error(`lab fence: ${reason.message}`);
  const isGood = rows.every((row) => row.isGood) && all.every(({ reason }) => !reason);
  process.exitCode = isGood ? 0 : 1;
}
const rows = [];

async function main([what = "all", ...rest]) {
  const wanted = what === "agents" ? "i6300esb" : what;
  const chosen = guests.filter(({ name }) => wanted === "all" || wanted === name);
  if (rest.length > 0 || (chosen.length === 0 && what !== "down")) {
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
    await runTrials(chosen, what === "agents");
  } finally {
    process.chdir(folder);
    await end();
    process.chdir(root);
  }
}

main(process.argv.slice(2)).catch((error) => {
  console.error(`lab fence: ${error.message}`);
  process.exitCode = 1;
});
