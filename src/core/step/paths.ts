/** Which paths a beat goes out on, and which the sender of a record has off. */
import type { Config } from "../base/config.ts";
import { onceFor } from "../base/once.ts";
import type { HeartbeatRecord } from "../sector/layout.ts";
import { networkPath, type State } from "./state.ts";

const pathsOffBits = 16;

/** The network, and the mirrors that a site writes, in the order of the configuration. */
function sentBy(config: Config, site: string): readonly string[] {
  const written = config.mirrors.filter((mirror) => mirror.writer === site);
  return [networkPath, ...written.map((mirror) => mirror.name)];
}

const ownSent = onceFor((config: Config) => sentBy(config, config.self.site));

/** A peer that begins anew must still learn what is off: so every record says it. */
export function pathsOffMask(state: State): number {
  return ownSent(state.config)
    .slice(0, pathsOffBits)
    .reduce((mask, name, bit) => (state.paths[name]?.enabled ? mask : mask | (1 << bit)), 0);
}

/**
 * Paths that a record of that site says are off. By the order of the mirrors, so it is understood
 * only between hosts of one configuration.
 */
export function pathsOffOf(
  config: Config,
  site: string,
  record: Pick<HeartbeatRecord, "pathsOff" | "generation">,
): readonly string[] {
  const { pathsOff, generation } = record;
  if (pathsOff === 0 || generation !== BigInt(config.generation)) return [];
  return sentBy(config, site)
    .slice(0, pathsOffBits)
    .filter((_, bit) => (pathsOff & (1 << bit)) !== 0);
}

/** Paths on which a beat goes out now: the network, and the mirrors that our site writes. */
export function pathsOut(state: State): readonly string[] {
  return ownSent(state.config).filter((path) => state.paths[path]?.enabled);
}
