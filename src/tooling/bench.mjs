// bench.mjs [--soak] [--json]: figures of the shipped program beside sbd, sanlock, a bare Node timer
// and the limits that nothing can beat. One run, medians; trust the ratios, not the machine.
//
//   --soak [--minutes N] [--kills N]   what takes hours, kept in fixtures/bench/soak.json
//   --json                             one object instead of the table
//   --only PART                        parts, idle, cold or detection
//
// Root and the packages sbd and sanlock are needed for the peers; without, their rows say so.
import { cpSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { measureCold } from "./bench-cold.mjs";
import { measureDetection } from "./bench-detect.mjs";
import { measureIdle } from "./bench-idle.mjs";
import { measureParts } from "./bench-parts.mjs";
import { sanlockMissing, sbdMissing } from "./bench-peers.mjs";
import { lastSoak, runSoak } from "./bench-soak.mjs";
import { endAll, isRoot, mark, tempFolder } from "./bench-start.mjs";
import { row, tableText } from "./bench-table.mjs";

const { values } = parseArgs({
  options: {
    soak: { type: "boolean", default: false },
    minutes: { type: "string", default: "60" },
    kills: { type: "string", default: "1000" },
    json: { type: "boolean", default: false },
    only: { type: "string" },
  },
});
const built = path.resolve("dist");
/** A copy of its own: what is built anew meanwhile is not measured half-way. */
const program = path.join(tempFolder(), "dist", "mirrorbeat");
const noRoot = isRoot ? null : "needs root";
const idleWindow = { warmSeconds: 90, windowSeconds: 60, rounds: 3 };
const coldRounds = 7;
const detectionRounds = 4;

async function partsRows() {
  const { codec, poll, engine, renewalMs } = await measureParts(program);
  const us = (ns) => ns / 1000;
  const hmac = (what, ns) => row(what, "us", us(ns), "HMAC alone", us(codec.hmacNs));
  const rows = [
    hmac("encode a record", codec.encodeNs),
    hmac("decode a record", codec.decodeNs),
    hmac("encode a datagram", codec.datagramNs),
  ];
  const polled = (count) => poll?.pollMs[count] ?? null;
  const bareRow = (count) =>
    row(`poll, ${count} changed`, "ms", polled(count), "bare pread", poll?.bareMs ?? null, noRoot);
  const polls = [
    ...[0, 20, 200, 2000].map(bareRow),
    row("poll, 20 changed", "ms", polled(20), "sanlock, 8 MB", renewalMs, sanlockMissing()),
  ];
  return [
    { title: `One slot (${codecNote})`, rows },
    { title: `Poll of 2,000 slots on a loop device (${engine}, 16 MB)`, rows: polls },
  ];
}
const codecNote = "fields, HMAC-SHA256, CRC32C";

async function idleRows() {
  const { agent, sbd, sanlock, timer } = await measureIdle(program, idleWindow);
  const beside = (what, unit, key) => [
    row(what, unit, agent[key], "sbd, 2 processes", sbd?.[key] ?? null, sbdMissing()),
    row(what, unit, agent[key], "sanlock -o 1", sanlock?.[key] ?? null, sanlockMissing()),
    row(what, unit, agent[key], "Node timer of 1 s", timer[key]),
  ];
  return [
    {
      title: "An idle agent, interval 1 s, 2 + 2 hosts",
      rows: [
        ...beside("CPU a minute", "ms", "cpuMsPerMinute"),
        ...beside("RSS", "MB", "rssMb"),
        ...beside("PSS", "MB", "pssMb"),
        ...beside("waits a second", "", "switchesPerSecond"),
      ],
    },
  ];
}

async function coldRows() {
  const cold = await measureCold(program, coldRounds);
  const from = (who, ms, skipped) =>
    row("first durable heartbeat", "ms", cold.agentMs, who, ms, skipped);
  return [
    {
      title: "From exec",
      rows: [
        from("sbd, first read", cold.sbdMs, sbdMissing()),
        from("sanlock, first read", cold.sanlockMs, sanlockMissing()),
        from("sanlock, joined", cold.sanlockJoinedMs, sanlockMissing()),
        from("empty Node, to end", cold.nodeMs, null),
      ],
    },
  ];
}

async function detectionRows() {
  const found = await measureDetection(program, detectionRounds);
  const { medianMs, longestMs, bounds, overBound, tellings, sanlockMs } = found;
  return [
    {
      title: `From kill -9 to the verdict, interval 1 s (${found.kills} kills)`,
      rows: [
        row("median", "ms", medianMs, "bound, healthy", bounds.healthy),
        row("longest", "ms", longestMs, "bound, healthy", bounds.healthy),
        row("longest", "ms", longestMs, "bound, least healthy", bounds.leastHealthy),
        row("over the healthy bound", "", overBound, "of tellings", tellings),
        row("median", "ms", medianMs, "sanlock FAIL", sanlockMs, sanlockMissing()),
      ],
    },
  ];
}

function soakText(soak) {
  const growth = soak?.growth;
  const detection = soak?.detection;
  const never = "never run (./build.sh bench --soak)";
  return [
    "",
    "Soak, last run",
    `RSS growth          ${growth ? `${growth.date}: ${growth.kilobytesAnHour.toFixed(0)} kB an hour, over ${growth.minutes} min` : never}`,
    `detection           ${detection ? `${detection.date}: ${detection.kills} kills, 99 % within ${detection.at99Ms.toFixed(0)} ms, ${detection.overBound} over ${detection.boundMs} ms` : never}`,
    "",
  ].join("\n");
}

const parts = { parts: partsRows, idle: idleRows, cold: coldRows, detection: detectionRows };

async function run() {
  cpSync(built, path.dirname(program), { recursive: true });
  const since = mark();
  if (values.soak) {
    await runSoak(program, { minutes: Number(values.minutes), killCount: Number(values.kills) });
  }
  const sections = [];
  if (!values.soak) {
    for (const [name, measure] of Object.entries(parts)) {
      if (values.only !== undefined && values.only !== name) continue;
      console.error(`bench: ${name}`);
      sections.push(...(await measure()));
      await endAll(since);
    }
  }
  const where = {
    date: new Date().toISOString(),
    kernel: os.release(),
    node: process.version,
    cpus: os.availableParallelism(),
    load: os.loadavg()[0],
  };
  if (values.json) {
    console.log(JSON.stringify({ schema: 1, ...where, sections, soak: lastSoak() }));
    return;
  }
  console.log(
    `${where.date.slice(0, 10)}, kernel ${where.kernel}, Node ${where.node}, ` +
      `${where.cpus} CPUs, load ${where.load.toFixed(1)}\n`,
  );
  if (sections.length > 0) process.stdout.write(tableText(sections));
  process.stdout.write(soakText(lastSoak()));
}

try {
  await run();
} catch (error) {
  console.error(`bench: ${error.stack ?? error}`);
  process.exitCode = 70;
} finally {
  await endAll();
}
