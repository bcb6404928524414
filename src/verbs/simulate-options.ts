/** The command line of `simulate`: what it takes, and what is wrong with it in one line. */
import type { CampaignWish } from "../simulation/campaign.ts";
import { faultNamed } from "../simulation/faults/all.ts";
import { setupNamed } from "../simulation/setups.ts";

export const simulateHelp = `mirrorbeat simulate [--seeds N|FROM..TO] [--hours H] [--setup NAME]...
                    [--fault NAME[=WEIGHT]]... [--jobs N] [--json]
mirrorbeat simulate --config FILE [--latency-trace FILE] [...]
mirrorbeat simulate --seeds N..N | --scenario FILE
                    [--trace [--writes]] [--html FILE] [--shrink] [--keep FILE]

  Runs the agent as it is shipped in simulated worlds, far faster than time:
  volumes, pairs, links, clocks, hosts and services are simulated, everything
  from one seed, and watched by checkers that share no code with the agent.
  Ends with what was exercised, or with the first seed that breaks a promise.

  --seeds N|FROM..TO   seeds 1 to N, or FROM to TO (default 40)
  --hours H            as many seeds as make so many virtual hours
  --setup NAME         only these set-ups; may be given again
  --fault NAME[=WEIGHT]  only these faults, drawn so often beside one another
  --list               set-ups, faults and checkers
  --config FILE        your own configuration in place of the set-ups; tells
                       what to expect: detection, takeover, false alarms
  --host NAME          as which of its hosts the file is read
  --latency-trace FILE replication latencies in ms, one a line, for every pair
  --scenario FILE      one history: a transcript, or what --shrink printed
  --trace              every line of one history; --writes: with each block
  --html FILE          the timeline of one history as a page
  --shrink             the least history that fails alike
  --keep FILE          writes that history, shrunk where that was asked for
  --jobs N             processes (default: one for each processor)
  --json               one JSON object as the last line

exit codes
  0 no violation   64 command line   65 a file has faults   66 no such file
  70 a violation, or a long run left something untried   73 not written
  75 interrupted; no violation until then   78 configuration
`;

const text = { type: "string" } as const;
const several = { type: "string", multiple: true } as const;
const flag = { type: "boolean" } as const;
export const simulateOptions = {
  seeds: text,
  hours: text,
  setup: several,
  fault: several,
  list: flag,
  config: text,
  host: text,
  "latency-trace": text,
  scenario: text,
  trace: flag,
  writes: flag,
  html: text,
  shrink: flag,
  keep: text,
  jobs: text,
  json: flag,
  help: { type: "boolean", short: "h" },
} as const;

export type Given = {
  readonly seeds?: string | undefined;
  readonly hours?: string | undefined;
  readonly setup?: readonly string[] | undefined;
  readonly fault?: readonly string[] | undefined;
  readonly config?: string | undefined;
  readonly host?: string | undefined;
  readonly "latency-trace"?: string | undefined;
  readonly scenario?: string | undefined;
  readonly trace?: boolean | undefined;
  readonly writes?: boolean | undefined;
  readonly html?: string | undefined;
  readonly shrink?: boolean | undefined;
  readonly keep?: string | undefined;
  readonly jobs?: string | undefined;
};

export type Seeds = { readonly from: number; readonly to: number };

const seedsUsual: Seeds = { from: 1, to: 40 };
const seedMax = 4_294_967_295;
const jobsMax = 256;
/** A century is enough. */
const hoursMax = 876_600;

/** The seeds to run; where hours are asked for, as many as it takes. */
export function seedsOf({ seeds, hours }: Given): Seeds | string {
  if (seeds === undefined) return hours === undefined ? seedsUsual : { from: 1, to: seedMax };
  const range = /^(\d{1,10})(?:\.\.(\d{1,10}))?$/.exec(seeds);
  if (!range) return `--seeds ${seeds}: give a number, or FROM..TO`;
  const [first, last] = [Number(range[1]), range[2] === undefined ? null : Number(range[2])];
  const [from, to] = last === null ? [1, first] : [first, last];
  if (to > seedMax || from > to) return `--seeds ${seeds}: from 0 to ${seedMax}, and not backwards`;
  return { from, to };
}

export function hoursOf({ hours }: Given): number | null | string {
  if (hours === undefined) return null;
  const value = Number(hours);
  if (/^\d+(\.\d+)?$/.test(hours) && value > 0 && value <= hoursMax) return value;
  return `--hours ${hours}: a number above 0, up to ${hoursMax}`;
}

export function jobsOf({ jobs }: Given, processors: number): number | string {
  if (jobs === undefined) return processors;
  const value = Number(jobs);
  if (/^\d+$/.test(jobs) && value >= 1 && value <= jobsMax) return value;
  return `--jobs ${jobs}: a whole number from 1 to ${jobsMax}`;
}

const listed = "--list names them";

function weightsOf(faults: readonly string[]): CampaignWish["faults"] | string {
  const weights: [string, number][] = [];
  for (const wish of faults) {
    const [name = "", weight] = wish.split("=");
    const kind = faultNamed(name);
    if (!kind) return `--fault ${wish}: no such fault; ${listed}`;
    const value = weight === undefined ? kind.weight || 1 : Number(weight);
    if (!(value > 0 && value <= 1000)) return `--fault ${wish}: a weight above 0, up to 1000`;
    weights.push([name, value]);
  }
  return weights;
}

/** What is drawn from; without a configuration and latencies, which come from files. */
export function drawnOf({ setup = [], fault = [] }: Given): CampaignWish | string {
  const unknown = setup.find((name) => !setupNamed(name));
  if (unknown !== undefined) return `--setup ${unknown}: no such set-up; ${listed}`;
  const faults = weightsOf(fault);
  if (typeof faults === "string") return faults;
  return { setups: setup, faults, own: null, latenciesMs: null };
}

/** Options that contradict each other. */
export function contradictionOf(given: Given, seeds: Seeds): string | null {
  const { scenario, config } = given;
  const isOne = scenario !== undefined || seeds.from === seeds.to;
  if (scenario !== undefined && given.seeds !== undefined)
    return "--scenario is one history; leave --seeds out";
  if (scenario !== undefined && given.hours !== undefined)
    return "--scenario is one history; leave --hours out";
  if (config !== undefined && given.setup)
    return "--config takes the place of --setup; give one of them";
  if (given.host !== undefined && config === undefined) return "--host needs --config FILE";
  if (given.writes && !given.trace) return "--writes needs --trace";
  if (given.trace && !isOne) return "--trace is of one history: --seeds 7..7, or --scenario FILE";
  if (given.html !== undefined && !isOne)
    return "--html is of one history: --seeds 7..7, or --scenario FILE";
  if (given.keep !== undefined && !isOne && !given.shrink)
    return "--keep is of one history, or of one that is shrunk";
  return null;
}
