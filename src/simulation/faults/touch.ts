/** What faults touch, in the words that checkers ask for. */
import type { Touch } from "../fault.ts";
import type { SimulatedWorld } from "../world.ts";

export type Touches = readonly Touch[];

export const nothing = (): Touches => [];

export const hostTouch = (host: string): Touches => [{ kind: "host", host }];
export const serviceTouch = (host: string): Touches => [{ kind: "service", host }];
export const mirrorTouch = (mirror: string): Touches => [{ kind: "mirror", mirror }];
export const dataTouch = (group: string): Touches => [{ kind: "data", group }];
export const arrayTouch = (site: string): Touches => [{ kind: "array", site }];
export const wayTouch = (from: string, to: string): Touches => [{ kind: "way", from, to }];
export const commandTouch: Touches = [{ kind: "command" }];

/** A machine: all that runs on it. */
export const machineTouch = (host: string): Touches => [...hostTouch(host), ...serviceTouch(host)];

export const bothWays = (one: string, other: string): Touches => [
  ...wayTouch(one, other),
  ...wayTouch(other, one),
];

/** Every way from and to a site. */
export const waysOf = ({ config }: SimulatedWorld, site: string): Touches =>
  config.sites.filter(({ name }) => name !== site).flatMap(({ name }) => bothWays(site, name));

export const waysInto = ({ config }: SimulatedWorld, site: string): Touches =>
  config.sites.filter(({ name }) => name !== site).flatMap(({ name }) => wayTouch(name, site));

export const waysFrom = ({ config }: SimulatedWorld, site: string): Touches =>
  config.sites.filter(({ name }) => name !== site).flatMap(({ name }) => wayTouch(site, name));

export const hostsTouched = (
  world: SimulatedWorld,
  site: string,
  touch: (host: string) => Touches,
): Touches => world.hostsOf(site).flatMap(({ name }) => touch(name));

export function parted(target: string, by: ">" | ":"): readonly [string, string] {
  const at = target.indexOf(by);
  return [target.slice(0, at), target.slice(at + 1)];
}

/** A host's own access; where the host writes there, also what its reader sees. */
export function volumeTouch(world: SimulatedWorld, target: string): Touches {
  const [host, mirror] = parted(target, ":");
  const { writer } = mirrorOf(world, mirror);
  const own: Touches = [{ kind: "volume", host, mirror }];
  return world.host(host).site === writer ? [...own, ...mirrorTouch(mirror)] : own;
}

export function mirrorOf({ config }: SimulatedWorld, name: string) {
  const mirror = config.mirrors.find((each) => each.name === name);
  if (!mirror) throw new Error(`assertion failed: mirror ${name} is configured`);
  return mirror;
}
