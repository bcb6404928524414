// One cluster of a campaign, in a process of its own: rounds of faults, each followed by a wait until
// it has settled, until so many faults have struck. Told by the first message what to do; answers
// with messages of progress and one result.
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { execFileSync } from "node:child_process";
import { nowMs, sleep } from "./ask.mjs";
import { faults, linksOf } from "./faults.mjs";
import { mergedJournals } from "./journals.mjs";
import { Judge } from "./judge.mjs";
import { randomBy } from "./random.mjs";
import { Settling } from "./settle.mjs";
import { Takeovers } from "./takeovers.mjs";
import { traceOf } from "./traces.mjs";
import { World } from "./world.mjs";

/** Rounds of a single fault are those whose takeovers are held against the bound. */
const aloneShare = 0.4;
const overlappingMax = 4;
const spreadMs = 2500;
/** Shorter ones tell nothing of a takeover. */
const tracesLeast = 4;
const provoking = ["partition", "machine-off", "switch-over", "agent-hangs"];
const restMs = [100, 900];
/** A machine that was reset is back after so long. */
const bootMs = [100, 6000];
const toldMax = 400;
const lastLines = 40;
const journalLinesMax = 100_000;
const lookEveryMs = 200;
/** What happens so soon after two were active may tell why. */
const aftermathMs = 500;
const limits = { stuckMs: 45_000, patienceMs: 8_000 };

class Campaign {
  constructor(world, options) {
    this.world = world;
    this.options = options;
    this.random = randomBy(options.seed);
    this.judge = new Judge(world.serviceLog);
    this.toldLines = [];
    this.struck = {};
    this.count = 0;
    this.rounds = 0;
    this.past = []; // { name, beganMs, endedMs, isAlone }
    this.scene = {
      world,
      random: this.random,
      links: linksOf(world),
      told: (what, answer) => {
        const { code, message = "" } = answer.value ?? answer;
        this.tell(`${what}: ${code} ${message}`);
      },
    };
    this.settling = new Settling(this.scene, this.judge, limits);
    const boundMs = JSON.parse(
      execFileSync(options.program, ["timing", "--json", "--config", world.machines[0].configFile]),
    ).takeover.takeoverBoundMs;
    this.takeovers = new Takeovers(world, this.judge, boundMs);
    this.traces = [];
    this.rest = null; // who owns which term between two rounds
    this.lines = null;
    this.twoSeen = new Promise((resolve) => {
      this.watch = setInterval(() => {
        if (this.judge.look()) return;
        clearInterval(this.watch);
        setTimeout(() => {
          this.lines = this.journals();
          resolve();
        }, aftermathMs);
      }, lookEveryMs);
    });
  }

  journals() {
    return mergedJournals(this.world.machines, this.toldLines, journalLinesMax);
  }

  tell(text) {
    this.toldLines.push(`${new Date().toISOString()} campaign: ${text}`);
    if (this.toldLines.length > toldMax) this.toldLines.shift();
  }

  async strike(name, isAlone) {
    const entry = { name, beganMs: nowMs(), endedMs: Number.POSITIVE_INFINITY, isAlone };
    this.past.push(entry);
    this.tell(`${name} begins`);
    const hadEffect = await faults[name].run(this.scene);
    entry.endedMs = nowMs();
    this.tell(`${name} ends${hadEffect ? "" : ": it struck nothing"}`);
    if (!hadEffect) return;
    this.count += 1;
    this.struck[name] = (this.struck[name] ?? 0) + 1;
  }

  async round() {
    const { random, options } = this;
    this.rounds += 1;
    const isAlone = random.isTrue(aloneShare);
    const left = options.faults - this.count;
    const size = Math.min(left, isAlone ? 1 : random.whole(2, overlappingMax));
    const plan = Array.from({ length: size }, () => {
      return { name: random.weighted(options.only), delayMs: random.between(0, spreadMs) };
    });
    // Where a moment is waited for, something must bring it about.
    if (plan.some(({ name }) => name === "at-the-moment")) {
      plan.push({ name: random.one(provoking), delayMs: spreadMs / 4 });
    }
    await Promise.all(
      plan.map(async ({ name, delayMs }) => {
        await sleep(plan.length === 1 ? 0 : delayMs);
        await this.strike(name, plan.length === 1);
      }),
    );
  }

  /** The round as a trace for the model, where it is to be replayed. */
  async trace() {
    if (this.traces.length >= this.options.traces) return;
    const statuses = await Promise.all(this.world.machines.map((machine) => machine.status()));
    if (statuses.includes(null)) return;
    const { owner, terms } = this.rest ?? {};
    const lines = this.takeovers.lines.splice(0);
    const found = owner && lines.length > 0 ? traceOf(lines, owner, terms) : null;
    if (found !== null && found.length > tracesLeast) this.traces.push({ owner, events: found });
    const sites = this.world.machines.map(({ site }) => site);
    this.rest = {
      owner: sites[statuses.findIndex(({ role }) => role === "active")],
      terms: Object.fromEntries(sites.map((site, i) => [site, Number(statuses[i].term)])),
    };
  }

  /** Why the campaign ends before its time; null where it does not. */
  async wrong() {
    const stuck = await this.settling.wait();
    this.judge.look();
    this.takeovers.look(this.past);
    if (this.judge.overlaps.length > 0) return "two active";
    if (this.unfenced().length > 0) return "a service ran while its watchdog was not armed";
    return stuck === null ? null : `stuck: ${stuck}`;
  }

  unfenced() {
    return this.judge.unfenced((site) => this.world.machineOf(site).fencing);
  }

  async run() {
    for (const machine of this.world.machines) await machine.boot();
    let wrong = await this.wrong();
    this.takeovers.beginMs = nowMs();
    await this.trace();
    while (wrong === null && this.count < this.options.faults) {
      await sleep(this.random.between(...restMs));
      // Two active: what comes after tells nothing any more.
      await Promise.race([this.round(), this.twoSeen]);
      wrong = await this.wrong();
      this.progress();
      await this.trace();
      if (this.options.until !== undefined && Date.now() > this.options.until) break;
    }
    await sleep(aftermathMs);
    this.judge.look();
    clearInterval(this.watch);
    if (this.judge.overlaps.length > 0) wrong = "two active";
    this.takeovers.look(this.past);
    return this.result(wrong);
  }

  progress() {
    const { count, rounds } = this;
    process.send({ kind: "progress", faults: count, rounds, takeovers: this.takeovers.counts });
  }

  result(wrong) {
    const { count, rounds, struck, judge, settling, takeovers } = this;
    return {
      wrong,
      faults: count,
      rounds,
      struck,
      twoActive: judge.overlaps.length,
      overlaps: judge.overlaps.map(({ sites, overlapMs }) => ({ sites, overlapMs })),
      serviceRuns: judge.order.length,
      unfenced: this.unfenced(),
      traces: this.traces,
      operatorActs: settling.operatorActs,
      settledMs: settling.timesMs.map(Math.round),
      slow: settling.slow,
      ...takeovers.result(),
      kept: wrong === null ? null : this.keep(wrong),
    };
  }

  /** Journals, configurations and the services' log, in a folder that outlives the campaign. */
  keep(wrong) {
    const { folder } = this.options;
    mkdirSync(folder, { recursive: true });
    const lines = this.lines ?? this.journals();
    writeFileSync(path.join(folder, "journals.txt"), `${lines.join("\n")}\n${wrong}\n`);
    cpSync(this.world.serviceLog, path.join(folder, "service.log"));
    for (const { name, configFile } of this.world.machines) {
      cpSync(configFile, path.join(folder, `${name}.toml`));
    }
    return { folder, lines: lines.slice(-lastLines) };
  }
}

async function main(options) {
  let world = null;
  let result;
  try {
    // Machines do not take their turns in the faults' sequence of random numbers.
    const boots = randomBy(options.seed + 1);
    world = await World.open({ ...options, bootMs: () => boots.between(...bootMs) });
    result = await new Campaign(world, options).run();
  } catch (error) {
    result = { wrong: `the campaign itself failed: ${error.stack}` };
  }
  await world?.close();
  process.send({ kind: "result", result }, () => process.exit(0));
}

process.once("message", main);
process.on("disconnect", () => process.exit(1));
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => undefined);
