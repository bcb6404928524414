/** Which paths a beat goes out on, and which the sender of a record has off. */
import type { HeartbeatRecord } from "../sector/layout.ts";
import { networkPath, type State } from "./state.ts";

const pathsOffBits = 16;

/** Mirrors written by a site, in the order of the configuration: bits 1 and up of `pathsOff`. */
function writtenBy(config: State["config"], site: string): readonly string[] {
  const written = config.mirrors.filter((mirror) => mirror.writer === site);
  return written.map((mirror) => mirror.name).slice(0, pathsOffBits - 1);
}

/** A peer that begins anew must still learn what is off: so every record says it. */
export function pathsOffMask(state: State): number {
  const names = [networkPath, ...writtenBy(state.config, state.config.self.site)];
  return names.reduce(
    (mask, name, bit) => (state.paths[name]?.enabled ? mask : mask | (1 << bit)),
    0,
  );
}

/**
 * Paths that a record of that site says are off. By the order of the mirrors, so it is understood
 * only between hosts of one configuration.
 */
export function pathsOffOf(
  config: State["config"],
  site: string,
  record: Pick<HeartbeatRecord, "pathsOff" | "generation">,
): readonly string[] {
  const { pathsOff, generation } = record;
  if (pathsOff === 0 || generation !== BigInt(config.generation)) return [];
  return [networkPath, ...writtenBy(config, site)].filter(
    (_, bit) => (pathsOff & (1 << bit)) !== 0,
  );
}

/** Paths on which a beat goes out now: the network, and the mirrors that our site writes. */
export function pathsOut(state: State): readonly string[] {
  const written = state.config.mirrors.filter((mirror) => mirror.writer === state.config.self.site);
  return [networkPath, ...written.map((mirror) => mirror.name)].filter(
    (path) => state.paths[path]?.enabled,
  );
}
