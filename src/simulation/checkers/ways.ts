/** The ways by which one host hears another, and what would disturb them: facts of the set-up alone. */
import type { Touch } from "../fault.ts";
import type { FaultLog } from "../fault-log.ts";
import type { Host } from "../host.ts";
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

/** Whether a host's own ability to see and to beat was left in peace. */
export const hostTouches = ({ name }: Host): readonly Touch[] => [{ kind: "host", host: name }];

/** When each pair last changed; and whether it copies now as it was set up. */
export class PairHistory {
  private readonly world: SimulatedWorld;
  private readonly changedMs = new Map<string, number>();

  constructor(world: SimulatedWorld) {
    this.world = world;
  }

  changed(pair: string, nowMs: number): void {
    this.changedMs.set(pair, nowMs);
  }

  /** In copy ever since; a witness volume is copied by nobody. */
  copiesSince(mirror: string, fromMs: number): boolean {
    const pair = this.world.pairs.get(mirror);
    if (!pair) return true;
    const isWell = pair.state === "paired" && pair.primary === "writer" && pair.linkUp;
    return isWell && (this.changedMs.get(mirror) ?? Number.NEGATIVE_INFINITY) < fromMs;
  }
}

/** Whether a way was in peace, and carried what it was given, from then until now. */
export function isPeaceful(
  way: Way,
  faults: FaultLog,
  pairs: PairHistory,
  fromMs: number,
  nowMs: number,
): boolean {
  if (way.mirror !== null && !pairs.copiesSince(way.mirror, fromMs)) return false;
  return faults.isQuiet(way.touches, fromMs, nowMs);
}

/** Pairs of hosts of two sites, in the order of the configuration. */
export function hostsApart(world: SimulatedWorld): readonly (readonly [Host, Host])[] {
  const hosts = [...world.hosts.values()];
  return hosts.flatMap((from) =>
    hosts.filter(({ site }) => site !== from.site).map((to) => [from, to] as const),
  );
}
