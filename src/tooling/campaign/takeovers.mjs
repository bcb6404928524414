// Takeovers and false alarms, for the report: who took over how, how long the service was away, and
// what was stopped though nothing had struck.
import { nowMs } from "./ask.mjs";
import { tailOf } from "./journals.mjs";

/** What struck so long ago has nothing to do with it any more. */
const calmMs = 5000;
/** Faults after which the standby hears nothing at all of the owner. */
const silencing = new Set([
  "partition", "agent-killed", "agent-hangs", "machine-reset", "machine-off",
]); // biome-ignore format: a list

/** How a role became active, by the words of its journal. */
const reasons = {
  agent: "takeover by the agent",
  operator: "takeover by the operator",
  handover: "the term was handed over",
};

const sorted = (values) => values.toSorted((a, b) => a - b);
const median = (values) => sorted(values)[Math.floor(values.length / 2)] ?? null;
const rounded = (value) => (value === null ? null : Math.round(value * 1000) / 1000);

export class Takeovers {
  constructor(world, judge, boundMs) {
    this.world = world;
    this.judge = judge;
    this.boundMs = boundMs;
    this.tails = new Map(world.machines.map((machine) => [machine, tailOf(machine.journalFile)]));
    // Journals tell wall time; one clock serves all.
    this.wallMs = Date.now() - nowMs();
    this.beginMs = Number.POSITIVE_INFINITY;
    this.counts = { agent: 0, operator: 0, handover: 0 };
    this.lines = []; // of this round
    this.moves = 0;
    this.ratios = [];
    this.gaps = [];
    this.unprovoked = [];
    this.resets = 0;
    this.resetsSeen = new Map(world.machines.map((machine) => [machine, 0]));
    this.latestMs = 0;
  }

  look(past) {
    const isCalm = (atMs) =>
      atMs > this.beginMs &&
      !past.some(({ beganMs, endedMs }) => beganMs <= atMs && atMs <= endedMs + calmMs);
    for (const [machine, tail] of this.tails) {
      const { site } = machine;
      for (const event of tail()) {
        this.heed(machine, event, past, isCalm);
        this.lines.push({ ...event, site });
      }
      for (const wallMs of machine.downs.splice(0)) this.lines.push({ ev: "down", wallMs, site });
      for (const reset of machine.resets.slice(this.resetsSeen.get(machine))) {
        if (reset.by !== "watchdog") continue;
        this.resets += 1;
        this.latestMs = Math.max(this.latestMs, reset.lateMs);
        if (isCalm(reset.atMs)) this.unprovoked.push(`${machine.name} reset by its watchdog`);
      }
      this.resetsSeen.set(machine, machine.resets.length);
    }
    for (; this.moves < this.judge.moves.length; this.moves++) {
      this.gaps.push(this.judge.moves[this.moves].gapMs);
    }
  }

  heed(machine, event, past, isCalm) {
    const atMs = event.wallMs - this.wallMs;
    if (event.ev === "takeover" && event.step === "begin" && event.by === "agent") {
      this.holdAgainstBound(atMs, past);
    }
    if (event.ev === "role" && event.role === "active") {
      const by = Object.keys(reasons).find((key) => event.reason.startsWith(reasons[key]));
      if (by) this.counts[by] += 1;
    }
    if (event.ev === "role" && event.role === "fenced" && isCalm(atMs)) {
      this.unprovoked.push(`${machine.name} fenced: ${event.reason}`);
    }
  }

  /** Only where one fault struck a cluster at rest, alone, and that is the reason. */
  holdAgainstBound(atMs, past) {
    const under = past.filter(({ beganMs }) => beganMs <= atMs);
    const last = under.at(-1);
    if (!last?.isAlone || !silencing.has(last.name)) return;
    this.ratios.push((atMs - last.beganMs) / this.boundMs.healthy);
  }

  result() {
    const { ratios, gaps, counts, boundMs } = this;
    return {
      takeovers: counts.agent,
      byOperator: counts.operator,
      switchOvers: counts.handover,
      watchdogResets: this.resets,
      watchdogLatestMs: rounded(this.latestMs),
      unprovoked: this.unprovoked,
      boundMs,
      ratios: ratios.map(rounded),
      medianRatio: rounded(median(ratios)),
      maxRatio: rounded(sorted(ratios).at(-1) ?? null),
      gapsMs: gaps.map(Math.round),
    };
  }
}
