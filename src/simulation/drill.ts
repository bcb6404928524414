/**
 * Drills: histories from which figures are taken, of one configuration. A long quiet, in which any
 * alarm is a false one; then one host fails; then, all being well again, the whole production site.
 * Nothing else happens meanwhile, so that each failure is found under the conditions of the bounds.
 */
import type { Config, SiteConfig } from "../core/base/config.ts";
import { takeoverBoundMs } from "../core/base/lease-timing.ts";
import { detectionBoundMs, healthMax } from "../core/base/timing.ts";
import { randomOf } from "./random.ts";
import { settleMsOf } from "./run.ts";
import type { Scenario, ScenarioStep } from "./scenario.ts";

/** How a host fails: it is there in every list of faults. */
const failure = "power-cut";
const quietMs = 1_800_000;
/** Of a boot, and of hooks. */
const allowanceMs = 60_000;

/** Long enough that it must have been found, and taken over where that is automatic. */
function outageMsOf({ timing, policy }: Config): number {
  const foundMs = detectionBoundMs(timing, healthMax);
  return allowanceMs + Math.max(foundMs, takeoverBoundMs(timing, policy === "witness", healthMax));
}

const hostsIn = ({ hosts }: SiteConfig): readonly string[] =>
  hosts.filter(({ enabled }) => enabled).map(({ name }) => name);

export function drillOf(config: Config, setup: string, seed: number): Scenario {
  const random = randomOf(seed).fork("drill");
  const forMs = Math.round(outageMsOf(config));
  const restMs = forMs + allowanceMs + settleMsOf(config);
  const jitterMs = (): number => random.between(0, 2 * config.timing.intervalMs);
  const steps: ScenarioStep[] = [];
  const fail = (atMs: number, hosts: readonly string[]): void => {
    for (const target of hosts)
      steps.push({ atMs: Math.round(atMs), forMs, fault: failure, target });
  };
  const firstMs = quietMs + jitterMs();
  fail(firstMs, [random.pick(config.sites.flatMap(hostsIn))]);
  const secondMs = firstMs + restMs + jitterMs();
  const production = config.sites.find(({ role }) => role === "production");
  fail(secondMs, production ? hostsIn(production) : []);
  const drift = config.timing.driftPpm / 1_000_000;
  const rates: Record<string, number> = {};
  for (const host of config.sites.flatMap(hostsIn)) {
    rates[host] = 1 + random.between(-1, 1) * drift * 0.999;
  }
  return { setup, seed, rates, steps, runMs: Math.round(secondMs + restMs) };
}
