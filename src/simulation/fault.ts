/**
 * What a fault is: a named thing that can befall a simulated world, for a while or at a moment. What
 * operators do, wisely or not, is one of them too: a history is nothing but a list of faults.
 *
 * A fault says what it touches. Checkers ask that, never its name, to know whether a failure had to
 * be found, or an alarm was one for nothing.
 */
import type { MirrorConfig } from "../core/base/config.ts";
import type { Random } from "./random.ts";
import type { SimulatedWorld } from "./world.ts";

/** What can be disturbed. */
export type Touch =
  /** The host's own ability to see and to beat: its processor, agent, machine. */
  | { readonly kind: "host"; readonly host: string }
  /** Datagrams of one way between two sites. */
  | { readonly kind: "way"; readonly from: string; readonly to: string }
  /** What a mirror's reader sees of what its writer wrote. */
  | { readonly kind: "mirror"; readonly mirror: string }
  /** One host's own access to one volume. */
  | { readonly kind: "volume"; readonly host: string; readonly mirror: string }
  /** The array's answers and commands at a site. */
  | { readonly kind: "array"; readonly site: string }
  /** A data group's pair. */
  | { readonly kind: "data"; readonly group: string }
  /** The service and its hooks on a host. */
  | { readonly kind: "service"; readonly host: string }
  /** The local disk of a host. */
  | { readonly kind: "files"; readonly host: string }
  /** Somebody commanded something that moves roles. */
  | { readonly kind: "command" };

/** Ends the fault. */
export type End = () => void;

export type FaultKind = {
  /** As in a scenario file, and in the table of what was exercised: words with hyphens. */
  readonly name: string;
  /** One line: what happens. */
  readonly words: string;
  /**
   * What a target of it names: a host, a site, "from>to" of two sites, a mirror; a volume as
   * "host:mirror" of a host that may use it, that writes it (pvol) or reads it (svol); the witness
   * by its site, or "volumes".
   */
  readonly target:
    | "host" | "site" | "way" | "mirror" | "volume" | "pvol" | "svol" | "data" | "witness" | "none"; // biome-ignore format: one list
  /** How often a generated history draws it, beside others; 0: only where it is asked for. */
  readonly weight: number;
  /** False for a moment: it has no end. */
  readonly lasts: boolean;
  /** How long it usually lasts in a generated history, in seconds; else up to half a minute. */
  readonly usualSeconds?: readonly [number, number];
  touches(world: SimulatedWorld, target: string): readonly Touch[];
  /**
   * null: it does not apply here now, and nothing happened. What it changes it changes back at its
   * end, whatever other faults did meanwhile: see `held`.
   */
  begin(world: SimulatedWorld, target: string, random: Random): End | null;
};

const holds = new WeakMap<SimulatedWorld, Map<string, number>>();

/**
 * For what several faults may do at once: `change(true)` with the first that holds `key`,
 * `change(false)` with the end of the last.
 */
export function held(world: SimulatedWorld, key: string, change: (on: boolean) => void): End {
  const counts = holds.get(world) ?? new Map<string, number>();
  holds.set(world, counts);
  const before = counts.get(key) ?? 0;
  counts.set(key, before + 1);
  if (before === 0) change(true);
  let isOver = false;
  return () => {
    if (isOver) return;
    isOver = true;
    const now = (counts.get(key) ?? 1) - 1;
    counts.set(key, now);
    if (now === 0) change(false);
  };
}

function volumesOf(
  world: SimulatedWorld,
  sitesOf: (mirror: MirrorConfig) => readonly string[],
): readonly string[] {
  return world.config.mirrors.flatMap((mirror) =>
    [...world.hosts.values()]
      .filter(({ site }) => sitesOf(mirror).includes(site))
      .map((host) => `${host.name}:${mirror.name}`),
  );
}

export const isHeld = (world: SimulatedWorld, key: string): boolean =>
  (holds.get(world)?.get(key) ?? 0) > 0;

/** Every target that a kind of fault can have in that world. */
export function targetsOf(world: SimulatedWorld, kind: FaultKind): readonly string[] {
  const { sites, mirrors, dataGroups } = world.config;
  switch (kind.target) {
    case "none":
      return ["-"];
    case "host":
      return [...world.hosts.keys()];
    case "site":
      return sites.map(({ name }) => name);
    case "way":
      return sites.flatMap((from) =>
        sites.filter((to) => to !== from).map((to) => `${from.name}>${to.name}`),
      );
    case "mirror":
      return mirrors.filter(({ witness }) => !witness).map(({ name }) => name);
    case "volume":
      return volumesOf(world, ({ writer, reader }) => [writer, reader]);
    case "pvol":
      return volumesOf(world, ({ writer }) => [writer]);
    case "svol":
      return volumesOf(world, ({ reader }) => [reader]);
    case "witness": {
      const named = sites.filter(({ role }) => role === "witness").map(({ name }) => name);
      return mirrors.some(({ witness }) => witness) ? [...named, "volumes"] : named;
    }
    case "data":
      return dataGroups.map(({ name }) => name);
  }
}
