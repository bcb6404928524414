/** The ways by which one host hears another, and what would disturb them: facts of the set-up alone. */
import type { Touch } from "../fault.ts";
import type { FaultLog } from "../fault-log.ts";
import type { Host } from "../host.ts";
import type { Watched } from "../observation.ts";
import type { SimulatedWorld } from "../world.ts";

export type Way = {
  /** As states name it: a mirror, or the network. */
  readonly path: string;
  readonly mirror: string | null;
  readonly touches: readonly Touch[];
};

export const networkName = "network";

/** From `from` to `to`, where the configuration has them. */
export function waysBetween(world: SimulatedWorld, from: Host, to: Host): readonly Way[] {
  const { networkEnabled, mirrors } = world.config;
  const ways: Way[] = [];
  if (networkEnabled && from.selfHost.address && to.selfHost.address) {
    const touches: Touch[] = [{ kind: "way", from: from.site, to: to.site }];
    ways.push({ path: networkName, mirror: null, touches });
  }
  for (const { name, writer, reader, enabled } of mirrors) {
    if (!enabled || writer !== from.site || reader !== to.site) continue;
    const touches: Touch[] = [
      { kind: "mirror", mirror: name },
      { kind: "volume", host: from.name, mirror: name },
      { kind: "volume", host: to.name, mirror: name },
    ];
    ways.push({ path: name, mirror: name, touches });
  }
  return ways;
}

/**
 * What was left in peace: by the faults, and by what outlasts them, which is the state of a pair,
 * and what was switched off and on.
 */
export class Peace {
  private readonly world: SimulatedWorld;
  private readonly faults: FaultLog;
  private readonly pairChangedMs = new Map<string, number>();
  private readonly switchedMs = new Map<string, number>();

  constructor(world: SimulatedWorld, faults: FaultLog) {
    this.world = world;
    this.faults = faults;
  }

  watch(watched: Watched, nowMs: number): void {
    if (watched.kind === "pair") this.pairChangedMs.set(watched.pair, nowMs);
    else if (watched.kind === "step" && switching.has(watched.input.kind)) {
      this.switchedMs.set(watched.host, nowMs);
    }
  }

  /** In copy ever since; a witness volume is copied by nobody. */
  copiesSince(mirror: string, fromMs: number): boolean {
    const pair = this.world.pairs.get(mirror);
    if (!pair) return true;
    const isWell = pair.state === "paired" && pair.primary === "writer" && pair.linkUp;
    return isWell && (this.pairChangedMs.get(mirror) ?? Number.NEGATIVE_INFINITY) < fromMs;
  }

  /** Nothing was switched there since, and all that is meant is on. */
  private isOn(host: Host, path: string, peer: string, fromMs: number): boolean {
    const { state } = host;
    if (state === null) return true;
    const one = state.peers.find((each) => each.host.name === peer);
    return (
      (this.switchedMs.get(host.name) ?? Number.NEGATIVE_INFINITY) < fromMs &&
      state.selfEnabled &&
      (one?.enabled ?? false) &&
      (state.paths[path]?.enabled ?? false)
    );
  }

  /** Whether that way carried all it was given, and both ends used it, from then until now. */
  hasWay(from: Host, to: Host, way: Way, fromMs: number, nowMs: number): boolean {
    return this.faults.isQuiet(way.touches, fromMs, nowMs) && this.isWhole(from, to, way, fromMs);
  }

  /** The same, whatever befell the reader's own reads. */
  hasWayApart(from: Host, to: Host, way: Way, fromMs: number, nowMs: number): boolean {
    const apart = way.touches.filter((touch) => touch.kind !== "volume" || touch.host !== to.name);
    return this.faults.isQuiet(apart, fromMs, nowMs) && this.isWhole(from, to, way, fromMs);
  }

  private isWhole(from: Host, to: Host, { path, mirror }: Way, fromMs: number): boolean {
    return (
      (mirror === null || this.copiesSince(mirror, fromMs)) &&
      this.isOn(from, path, to.name, fromMs) &&
      this.isOn(to, path, from.name, fromMs)
    );
  }

  hasHost({ name }: Host, fromMs: number, nowMs: number): boolean {
    return this.faults.isQuiet([{ kind: "host", host: name }], fromMs, nowMs);
  }
}

/** By these a path or a host is switched on or off. */
const switching: ReadonlySet<string> = new Set([
  "switch",
  "devices-stored",
  "volume-opened",
  "farewell",
]);

/** Since when each agent beats without a break: it runs, is not stopped, and its machine is up. */
export class Beats {
  private readonly world: SimulatedWorld;
  private readonly beganMs = new Map<string, number>();

  constructor(world: SimulatedWorld) {
    this.world = world;
  }

  /** True where an agent goes on that stood still. */
  watch(watched: Watched, nowMs: number): boolean {
    if (watched.kind !== "agent" && watched.kind !== "machine") return false;
    const { host, what } = watched;
    const goesOn = what === "continues" || what === "resumes";
    if (what === "begins" || (goesOn && this.world.host(host).isBeating)) {
      this.beganMs.set(host, nowMs);
      return goesOn;
    }
    this.beganMs.delete(host);
    return false;
  }

  since({ name }: Host, fromMs: number): boolean {
    return (this.beganMs.get(name) ?? Number.POSITIVE_INFINITY) < fromMs;
  }
}

/** Pairs of hosts of two sites, in the order of the configuration. */
export function hostsApart(world: SimulatedWorld): readonly (readonly [Host, Host])[] {
  const hosts = [...world.hosts.values()];
  return hosts.flatMap((from) =>
    hosts.filter(({ site }) => site !== from.site).map((to) => [from, to] as const),
  );
}
