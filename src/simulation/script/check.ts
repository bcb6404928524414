/** The names in a scenario file against what there is, before anything is run. */
import type { Config } from "../../core/base/config.ts";
import { isLeased } from "../../core/base/config.ts";
import { completeTiming, timingFaults } from "../../core/base/timing.ts";
import { checkers } from "../checkers/all.ts";
import { targetsOf } from "../fault.ts";
import { faultNamed, faults } from "../faults/all.ts";
import { setupNamed, setups } from "../setups.ts";
import type { SimulatedWorld } from "../world.ts";
import { type Command, type Condition, type SetupWish, type Wrong, wrong } from "./command.ts";
import { commandFault } from "./operate.ts";

const listed = (names: Iterable<string>): string => [...names].join(", ");

export const ownName = "config";

function timingOf({ timing, policy }: Config, wish: SetupWish["timing"]): Config["timing"] {
  if (Object.keys(wish).length === 0) return timing;
  // What follows from the others follows anew.
  const { takeoverWaitMs: _wait, lockMs: _lock, ...given } = timing;
  return completeTiming({ ...given, ...wish }, isLeased(policy));
}

/** The device's share of the watchdog's time stays the same. */
function fencingOf(
  { fencing, timing }: Config,
  { watchdogMs }: Config["timing"],
): Config["fencing"] {
  if (watchdogMs === timing.watchdogMs || timing.watchdogMs === 0) return fencing;
  const { watchdogLimitMs } = fencing;
  return {
    ...fencing,
    watchdogLimitMs: Math.floor((watchdogLimitMs * watchdogMs) / timing.watchdogMs),
  };
}

/** The configuration that a set-up is, with the file's wishes. */
export function configOf(wish: SetupWish, own: Config | null): Config | Wrong {
  const base = wish.name === ownName ? own : (setupNamed(wish.name)?.config ?? null);
  if (!base) {
    const remedy =
      wish.name === ownName
        ? "give your configuration with --config FILE, or name a set-up"
        : `set-ups are ${listed(setups.map(({ name }) => name))}; or config, for your own`;
    return wrong("setup", wish.name, remedy);
  }
  const hosts = base.sites.flatMap((site) => site.hosts.map(({ name }) => name));
  const named = [...wish.beacons, ...Object.keys(wish.rates)];
  const unknown = named.find((name) => !hosts.includes(name));
  if (unknown !== undefined) return wrong("setup", unknown, `hosts are ${listed(hosts)}`);
  const checker = wish.without.find((name) => !checkers.some((each) => each.name === name));
  if (checker !== undefined) {
    return wrong("without", checker, `checkers are ${listed(checkers.map(({ name }) => name))}`);
  }
  const timing = timingOf(base, wish.timing);
  const [fault] = timingFaults(timing);
  if (fault) return wrong(`timing ${fault.field}`, String(timing[fault.field]), fault.message);
  const sites = base.sites.map((site) => ({
    ...site,
    hosts: site.hosts.map((host) => ({
      ...host,
      beacon: host.beacon || wish.beacons.includes(host.name),
    })),
  }));
  return { ...base, timing, sites, fencing: fencingOf(base, timing) };
}

function hostFault(world: SimulatedWorld, host: string): Wrong | null {
  return world.hosts.has(host)
    ? null
    : wrong("host", host, `hosts are ${listed(world.hosts.keys())}`);
}

const siteNames = ({ config }: SimulatedWorld): readonly string[] =>
  config.sites.map(({ name }) => name);

function nameFault(world: SimulatedWorld, name: string): Wrong | null {
  if (world.hosts.has(name) || siteNames(world).includes(name)) return null;
  const remedy = `sites are ${listed(siteNames(world))}; hosts are ${listed(world.hosts.keys())}`;
  return wrong("name", name, remedy);
}

function conditionFault(world: SimulatedWorld, condition: Condition): Wrong | null {
  switch (condition.kind) {
    case "row":
      return hostFault(world, condition.host) ?? nameFault(world, condition.of);
    case "role":
    case "answer":
      return hostFault(world, condition.host);
    case "serves":
      return condition.who === null ? null : nameFault(world, condition.who);
    case "pair":
      if (world.pairs.has(condition.pair)) return null;
      return wrong("pair", condition.pair, `pairs are ${listed(world.pairs.keys())}`);
    case "term":
    case "calm":
    case "no-alarm":
    case "within-bound":
    case "told":
      return null;
  }
}

function faultFault(world: SimulatedWorld, fault: string, target: string | null): Wrong | null {
  const kind = faultNamed(fault);
  if (!kind) return wrong("fault", fault, `faults are ${listed(faults.map(({ name }) => name))}`);
  const targets = targetsOf(world, kind);
  if (target === null || targets.includes(target)) return null;
  return wrong("target", target, `targets of ${fault} are ${listed(targets)}`);
}

/** Its words, and the names in them: a site's after takeover and switchover, a mirror's, a host's. */
function operatorFault(world: SimulatedWorld, words: readonly string[]): Wrong | null {
  const fault = commandFault(words);
  if (fault) return fault;
  const [verb = "", kind = "", target = ""] = words;
  if (verb === "switchover") return siteFault(world, kind);
  if (words.includes("--peer-is-off")) {
    return siteFault(world, words[words.indexOf("--peer-is-off") + 1] ?? "");
  }
  if (kind === "host") return hostFault(world, target);
  if (kind === "mirror") return mirrorFault(world, target);
  return verb.endsWith("install") ? mirrorFault(world, kind) : null;
}

function siteFault(world: SimulatedWorld, site: string): Wrong | null {
  if (siteNames(world).includes(site)) return null;
  return wrong("site", site, `sites are ${listed(siteNames(world))}`);
}

function mirrorFault({ config }: SimulatedWorld, mirror: string): Wrong | null {
  const names = config.mirrors.map(({ name }) => name);
  return names.includes(mirror) ? null : wrong("mirror", mirror, `mirrors are ${listed(names)}`);
}

/** null: all that the command names is there. */
export function commandNamesFault(world: SimulatedWorld, command: Command): Wrong | null {
  switch (command.kind) {
    case "setup":
      return wrong("setup", command.name, "one file has one set-up, in its first command");
    case "run":
      return null;
    case "until":
    case "expect":
      return conditionFault(world, command.condition);
    case "begin":
    case "end":
      return faultFault(world, command.fault, command.target);
    case "command":
      return hostFault(world, command.host) ?? operatorFault(world, command.words);
    case "status":
    case "say":
      return hostFault(world, command.host);
  }
}
