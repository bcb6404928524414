/**
 * A history in a file: what a seed became, not the seed, for the generation of histories may change.
 * One that found a fault is kept, with what it found, and run again for ever.
 */
import type { Config } from "../core/base/config.ts";
import { configOf, ownSetup } from "./campaign.ts";
import { type FaultKind, targetsOf } from "./fault.ts";
import { faultNamed } from "./faults/all.ts";
import type { Scenario, ScenarioStep } from "./scenario.ts";
import { setups } from "./setups.ts";
import { SimulatedWorld } from "./world.ts";

export type Kept = {
  /** What it found, for people. */
  readonly comment: string;
  readonly scenario: Scenario;
};

export type ParsedKept =
  | { readonly ok: true; readonly kept: Kept }
  /** One line: file, field, value, remedy. */
  | { readonly ok: false; readonly message: string };

/** With one step a line. */
export function keptText({ comment, scenario }: Kept): string {
  const { setup, seed, rates, steps, runMs } = scenario;
  const shown = steps.map((step) => `    ${JSON.stringify(step)}`).join(",\n");
  const lines = [
    `  "comment": ${JSON.stringify(comment)}`,
    `  "setup": ${JSON.stringify(setup)}`,
    `  "seed": ${seed}`,
    `  "rates": ${JSON.stringify(rates)}`,
    `  "steps": [${steps.length > 0 ? `\n${shown}\n  ` : ""}]`,
    `  "runMs": ${runMs}`,
  ];
  return `{\n${lines.join(",\n")}\n}\n`;
}

type Table = Readonly<Record<string, unknown>>;
const isTable = (value: unknown): value is Table =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** A day. */
const runMaxMs = 86_400_000;
const stepsMax = 10_000;

class Refused extends Error {}

function refuse(field: string, value: unknown, remedy: string): never {
  const shown = (JSON.stringify(value) ?? "nothing").slice(0, 60).replaceAll(/[^\x20-\x7e]/g, "?");
  throw new Refused(`${field}: ${shown}: ${remedy}`);
}

function timeOf(field: string, value: unknown): number {
  if (typeof value === "number" && value >= 0 && value <= runMaxMs) return value;
  return refuse(field, value, `give milliseconds, 0 to ${runMaxMs}`);
}

function textOf(field: string, value: unknown): string {
  return typeof value === "string" ? value : refuse(field, value, "give a text in quotes");
}

function ratesOf(value: unknown, world: SimulatedWorld): Record<string, number> {
  if (!isTable(value)) return refuse("rates", value, 'give {"HOST": 1.001}, or {}');
  const rates: Record<string, number> = {};
  for (const [host, rate] of Object.entries(value)) {
    if (!world.hosts.has(host)) {
      refuse("rates", host, `no such host; hosts: ${[...world.hosts.keys()].join(", ")}`);
    }
    if (typeof rate !== "number" || rate < 0.5 || rate > 2) {
      return refuse(`rates.${host}`, rate, "give a number of about 1");
    }
    rates[host] = rate;
  }
  return rates;
}

function stepOf(field: string, value: unknown, world: SimulatedWorld): ScenarioStep {
  if (!isTable(value)) return refuse(field, value, "give atMs, forMs, fault, target");
  const name = textOf(`${field}.fault`, value["fault"]);
  const kind: FaultKind | null = faultNamed(name);
  if (!kind)
    return refuse(`${field}.fault`, name, "no such fault; see: mirrorbeat simulate --list");
  const target = textOf(`${field}.target`, value["target"]);
  const targets = targetsOf(world, kind);
  if (!targets.includes(target)) {
    refuse(`${field}.target`, target, `no target of ${name}; targets: ${targets.join(", ")}`);
  }
  const forMs = value["forMs"];
  const draw = value["draw"];
  if (draw !== undefined && (typeof draw !== "number" || !Number.isSafeInteger(draw) || draw < 0)) {
    return refuse(`${field}.draw`, draw, "give a whole number, or leave it out");
  }
  return {
    atMs: timeOf(`${field}.atMs`, value["atMs"]),
    forMs: forMs === null ? null : timeOf(`${field}.forMs`, forMs),
    fault: name,
    target,
    ...(draw === undefined ? {} : { draw }),
  };
}

function keptOf(value: unknown, own: Config | null): Kept {
  if (!isTable(value)) return refuse("file", value, "give one JSON object");
  const setup = textOf("setup", value["setup"]);
  const seed = value["seed"];
  if (typeof seed !== "number" || !Number.isSafeInteger(seed) || seed < 0) {
    return refuse("seed", seed, "give a whole number");
  }
  const config = configOf({ setup, seed, rates: {}, steps: [], runMs: 0 }, own);
  if (!config) {
    const remedy = `no such set-up; set-ups: ${setups.map(({ name }) => name).join(", ")}`;
    return refuse("setup", setup, setup === ownSetup ? "it needs --config FILE" : remedy);
  }
  const world = new SimulatedWorld(config, seed);
  const steps = value["steps"];
  if (!Array.isArray(steps) || steps.length > stepsMax) {
    return refuse("steps", typeof steps, `give an array of up to ${stepsMax} steps`);
  }
  return {
    comment: textOf("comment", value["comment"] ?? ""),
    scenario: {
      setup,
      seed,
      rates: ratesOf(value["rates"] ?? {}, world),
      steps: steps.map((step, index) => stepOf(`steps[${index}]`, step, world)),
      runMs: timeOf("runMs", value["runMs"]),
    },
  };
}

export function parseKept(text: string, file: string, own: Config | null): ParsedKept {
  try {
    return { ok: true, kept: keptOf(JSON.parse(text), own) };
  } catch (error) {
    if (error instanceof Refused) return { ok: false, message: `${file}: ${error.message}` };
    const why = error instanceof Error ? error.message : String(error);
    const ascii = why.replaceAll(/[^\x20-\x7e]/g, "?");
    return { ok: false, message: `${file}: no JSON: ${ascii}` };
  }
}
