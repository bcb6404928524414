// campaign.mjs: partitions, kills, hangs and reboots on two sites of real processes and real volumes,
// and a judge that reads only what the services wrote (docs/campaign.md). Works on .build/native and
// the sources; needs root, for the machines' process namespaces.
import { execFile, fork } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { parseArgs, promisify } from "node:util";
import { build } from "esbuild";
import { commonOptions } from "./esbuild-options.mjs";
import { faults as faultTable } from "./campaign/faults.mjs";

const help = `build.sh campaign [OPTIONS]      docs/campaign.md
  --faults N        how many faults strike (default 1000)
  --jobs N          clusters side by side (default 2)
  --seed N          chooses the same faults again (default: of the clock)
  --only A,B        only these faults, of: ${Object.keys(faultTable).join(" ")}
  --limit-seconds N ends early, with what there is
  --break-wait MS   a program whose standby waits so long only: the judge must
                    find two active sites
  --replay N        has the model follow the first N rounds in which more happened
                    (needs spin); what it cannot follow is shown, no failure
  --dist FOLDER     the program under test (default dist)
  --keep FOLDER     for the journals of what went wrong (default .build/campaign)
  --on-files        volumes are plain files, no loop devices
  --json            one JSON object as the last line, no text
exit codes: 0 never two active, nothing stuck   1 something was wrong
  64 wrong command line   69 not possible on this machine
`;
const source = "src/tooling/campaign";
const kept = path.resolve(".build/campaign");
/** What this run compiles: others may run beside it. */
const work = mkdtempSync(path.join(os.tmpdir(), "mbc-run-"));
process.on("exit", () => rmSync(work, { recursive: true, force: true }));
for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", 129],
]) {
  process.on(signal, () => process.exit(code));
}

const { values } = parseArgs({
  options: {
    faults: { type: "string", default: "1000" },
    jobs: { type: "string", default: "2" },
    seed: { type: "string" },
    only: { type: "string" },
    "limit-seconds": { type: "string" },
    "break-wait": { type: "string" },
    replay: { type: "string", default: "0" },
    dist: { type: "string", default: "dist" },
    keep: { type: "string", default: kept },
    "on-files": { type: "boolean" },
    json: { type: "boolean" },
    help: { type: "boolean", short: "h" },
  },
});

function fail(code, message) {
  console.error(`campaign: ${message}`);
  process.exit(code);
}

function whole(name, least) {
  const value = Number(values[name]);
  if (Number.isInteger(value) && value >= least) return value;
  return fail(64, `--${name} ${values[name]}: a whole number from ${least} up`);
}

async function compile(name) {
  const flags = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror"];
  const program = path.join(work, name);
  await promisify(execFile)("cc", [...flags, "-o", program, path.join(source, `${name}.c`)]);
  return program;
}

/**
 * The program with one formula broken: the least takeover wait counts as 0, so a configuration may
 * name any. No option of the program itself does that.
 */
async function brokenProgram(dist) {
  const folder = path.join(work, "broken");
  const formula = /export function takeoverWaitMinMs\([^)]*\): number \{/;
  mkdirSync(folder, { recursive: true });
  const breakWait = {
    name: "break-wait",
    setup({ onLoad }) {
      onLoad({ filter: /base[\\/]lease-timing\.ts$/ }, ({ path: file }) => {
        const text = readFileSync(file, "utf8");
        if (!formula.test(text)) throw new Error(`${file}: takeoverWaitMinMs is not found`);
        return {
          contents: text.replace(formula, (head) => `${head} if (timing) return 0;`),
          loader: "ts",
        };
      });
    },
  };
  await build({
    ...commonOptions,
    plugins: [...commonOptions.plugins, breakWait],
    entryPoints: ["src/main.ts"],
    outfile: path.join(folder, "mirrorbeat.cjs"),
    define: { MIRRORBEAT_VERSION: JSON.stringify("broken") },
  });
  for (const file of ["libmirrorbeat.so", "mirrorbeat"]) {
    copyFileSync(path.join(dist, file), path.join(folder, file));
  }
  chmodSync(path.join(folder, "mirrorbeat"), 0o755);
  return path.join(folder, "mirrorbeat");
}

function runCluster(options, onProgress) {
  return new Promise((resolve) => {
    const child = fork(path.join(source, "cluster.mjs"), { stdio: ["ignore", 2, 2, "ipc"] });
    let result = null;
    child.on("message", (message) => {
      if (message.kind === "progress") onProgress(message);
      if (message.kind === "result") ({ result } = message);
    });
    child.on("exit", (code) => resolve(result ?? { wrong: `a cluster's process ended (${code})` }));
    child.send(options);
  });
}

/** How many rounds the model could follow, and what it could not. */
async function replayed(results, wanted) {
  const { replay } = await import("./model-replay.mjs");
  const limits = { scratch: work, memoryMib: 1000, limitSeconds: 60 };
  const found = { accepted: 0, rejected: [], unusable: [] };
  for (const { owner, events } of results.flatMap(({ traces = [] }) => traces).slice(0, wanted)) {
    const ownTerms = events.flatMap(({ term }) => term ?? []);
    const counter = Math.min(...ownTerms.map((term) => Math.floor(term / 256)));
    const end = await replay(events, { sites: ["east", "west"], owner, counter }, limits);
    if (end.accepted) found.accepted += 1;
    else if (end.fault) found.unusable.push(end.fault);
    else found.rejected.push({ after: end.after, events });
  }
  return found;
}

const sum = (results, key) => results.reduce((total, result) => total + (result[key] ?? 0), 0);

function merged(results, key) {
  const all = {};
  for (const result of results) {
    for (const [name, count] of Object.entries(result[key] ?? {}))
      all[name] = (all[name] ?? 0) + count;
  }
  return all;
}

function summaryOf(results, seed, elapsedMs) {
  const list = (key) => results.flatMap((result) => result[key] ?? []).sort((a, b) => a - b);
  const ratios = list("ratios");
  const gaps = list("gapsMs");
  const settled = list("settledMs");
  return {
    faults: sum(results, "faults"),
    takeovers: sum(results, "takeovers"),
    twoActive: sum(results, "twoActive"),
    stuck: results.filter(({ wrong }) => wrong?.startsWith("stuck")).length,
    byOperator: sum(results, "byOperator"),
    switchOvers: sum(results, "switchOvers"),
    watchdogResets: sum(results, "watchdogResets"),
    watchdogLatestMs: Math.max(0, ...results.map(({ watchdogLatestMs = 0 }) => watchdogLatestMs)),
    unfenced: list("unfenced").length,
    unprovoked: list("unprovoked"),
    boundMs: results.find(({ boundMs }) => boundMs)?.boundMs?.healthy ?? null,
    measured: ratios.length,
    medianRatio: ratios[Math.floor(ratios.length / 2)] ?? null,
    maxRatio: ratios.at(-1) ?? null,
    medianGapMs: gaps[Math.floor(gaps.length / 2)] ?? null,
    maxGapMs: gaps.at(-1) ?? null,
    medianSettledMs: settled[Math.floor(settled.length / 2)] ?? null,
    maxSettledMs: settled.at(-1) ?? null,
    rounds: sum(results, "rounds"),
    serviceRuns: sum(results, "serviceRuns"),
    struck: merged(results, "struck"),
    operatorActs: merged(results, "operatorActs"),
    slow: merged(results, "slow"),
    overlaps: results.flatMap(({ overlaps = [] }) => overlaps),
    wrong: results.flatMap(({ wrong }) => wrong ?? []),
    kept: results.flatMap(({ kept }) => kept?.folder ?? []),
    seed,
    seconds: Math.round(elapsedMs / 1000),
  };
}

const pad = (text, width) => String(text).padEnd(width);

function replayText({ accepted, rejected, unusable }) {
  const shown = rejected.map(({ after, events }) => {
    const list = events.map(({ site, event, term = "" }) => `${site} ${event} ${term}`.trim());
    return `  after ${after}: ${list.join(", ")}`;
  });
  const first = `the model follows ${accepted} rounds, not ${rejected.length}`;
  return [first, ...shown, ...unusable.map((why) => `  unusable: ${why}`)].join("\n");
}

function textOf(s) {
  const struck = Object.entries(s.struck).map(([name, count]) => `  ${pad(name, 20)}${count}`);
  const slow = Object.entries(s.slow).map(([what, count]) => `  ${count} x ${what}`);
  const acts = Object.entries(s.operatorActs).map(([what, count]) => `  ${count} x ${what}`);
  const verdict =
    s.wrong.length > 0 ? `WRONG: ${s.wrong.join("; ").split("\n")[0]}` : "NEVER TWO ACTIVE";
  return [
    `${verdict}  ${s.faults} faults, ${s.takeovers} takeovers, two active ${s.twoActive}`,
    `rounds ${s.rounds}, runs of the service ${s.serviceRuns}, ${s.seconds} s, seed ${s.seed}`,
    `switch-overs ${s.switchOvers}, takeovers by an operator ${s.byOperator}`,
    `resets by a watchdog ${s.watchdogResets}, the latest ${s.watchdogLatestMs} ms after its time`,
    `stopped though nothing had struck: ${s.unprovoked.length}`,
    ...s.unprovoked.map((what) => `  ${what}`),
    `takeover bound ${s.boundMs} ms; of ${s.measured} measured: median ${s.medianRatio}, max ${s.maxRatio} of it`,
    `the service was away: median ${s.medianGapMs} ms, at most ${s.maxGapMs} ms`,
    `at rest again after median ${s.medianSettledMs} ms, at most ${s.maxSettledMs} ms`,
    ...(s.replay ? [replayText(s.replay)] : []),
    "FAULTS",
    ...struck,
    ...(acts.length > 0 ? ["THE OPERATOR'S PART", ...acts] : []),
    ...(slow.length > 0 ? ["NOT AT REST AFTER 8 s", ...slow] : []),
    ...(s.kept.length > 0 ? [`journals: ${s.kept.join(" ")}`] : []),
    `next: ./build.sh campaign --seed ${s.seed}   the same faults again`,
  ].join("\n");
}

async function main() {
  if (values.help) return console.log(help);
  const faults = whole("faults", 1);
  const jobs = Math.min(whole("jobs", 1), faults);
  const seed = values.seed === undefined ? Date.now() % 1_000_000 : whole("seed", 0);
  const names = values.only?.split(",") ?? Object.keys(faultTable);
  const unknown = names.find((name) => !faultTable[name]);
  if (unknown) return fail(64, `--only ${unknown}: no such fault; see --help`);
  if (process.getuid?.() !== 0) return fail(69, "root is needed for process namespaces");
  const dist = path.resolve(values.dist);
  const breakMs = values["break-wait"] === undefined ? null : whole("break-wait", 0);
  const [machineProgram, serviceProgram] = await Promise.all([
    compile("machine"),
    compile("service"),
  ]);
  const program = breakMs === null ? path.join(dist, "mirrorbeat") : await brokenProgram(dist);
  const until = values["limit-seconds"] && Date.now() + 1000 * whole("limit-seconds", 1);
  const latest = new Array(jobs).fill({ faults: 0, takeovers: {} });
  const beganMs = performance.now();
  const results = await Promise.all(
    latest.map((_, job) => {
      const options = {
        program, machineProgram, serviceProgram, until,
        seed: seed * 16 + job,
        faults: Math.floor(faults / jobs) + (job < faults % jobs ? 1 : 0),
        only: Object.fromEntries(names.map((name) => [name, { weight: faultTable[name].weight }])),
        timing: breakMs === null ? {} : { takeover_wait_ms: breakMs },
        // Every other cluster has a data pair, whose state may forbid a takeover.
        withData: job % 2 === 1,
        onFiles: values["on-files"],
        traces: Math.ceil(whole("replay", 0) / jobs),
        folder: path.join(path.resolve(values.keep), `seed-${seed}-${job}`),
      }; // biome-ignore format: a list
      return runCluster(options, (message) => {
        latest[job] = message;
        const done = latest.reduce((total, one) => total + one.faults, 0);
        const taken = latest.reduce((total, one) => total + (one.takeovers.agent ?? 0), 0);
        const seconds = Math.round((performance.now() - beganMs) / 1000);
        console.error(`campaign: ${done} of ${faults} faults, ${taken} takeovers, ${seconds} s`);
      });
    }),
  );
  const summary = summaryOf(results, seed, performance.now() - beganMs);
  if (whole("replay", 0) > 0) summary.replay = await replayed(results, whole("replay", 0));
  for (const { wrong, kept } of results) {
    if (wrong) console.error([`campaign: ${wrong}`, ...(kept?.lines ?? [])].join("\n"));
  }
  console.log(values.json ? JSON.stringify(summary) : textOf(summary));
  process.exitCode = summary.wrong.length > 0 ? 1 : 0;
}

await main();
