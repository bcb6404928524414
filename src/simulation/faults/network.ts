/** Faults of the lines between sites, and of what comes through them. */
import type { End, FaultKind } from "../fault.ts";
import type { Manner } from "../network.ts";
import type { SimulatedWorld } from "../world.ts";
import { bothWays, parted, waysFrom, waysInto, waysOf, wayTouch } from "./touch.ts";
import { floodOf, forgeriesFor, replaysFor } from "./datagrams.ts";
import { allOf, once, setFor, wholeMs } from "./setting.ts";

export function wayCut({ network }: SimulatedWorld, from: string, to: string): End {
  const manner = network.way(from, to);
  manner.cuts += 1;
  return once(() => {
    manner.cuts -= 1;
  });
}

export const lineCut = (world: SimulatedWorld, one: string, other: string): End =>
  allOf([wayCut(world, one, other), wayCut(world, other, one)]);

/** A site's whole LAN. */
export const siteCut = (world: SimulatedWorld, site: string): End =>
  allOf(
    world.config.sites
      .filter(({ name }) => name !== site)
      .map(({ name }) => lineCut(world, site, name)),
  );

function hostCut(world: SimulatedWorld, host: string): End {
  const others = [...world.hosts.keys()].filter((name) => name !== host);
  return allOf(others.map((other) => lineCut(world, host, other)));
}

const mannerOf = (world: SimulatedWorld, target: string): Manner =>
  world.network.way(...parted(target, ">"));

const base = {
  target: "way",
  lasts: true,
  weight: 2,
  touches: (_world: unknown, target: string) => wayTouch(...parted(target, ">")),
} as const;

const cuts: readonly FaultKind[] = [
  {
    ...base,
    name: "way-cut",
    words: "no datagram of one way comes through",
    weight: 6,
    begin: (world, target) => wayCut(world, ...parted(target, ">")),
  },
  {
    ...base,
    name: "line-cut",
    words: "no datagram comes through between two sites, either way",
    weight: 4,
    touches: (_world, target) => bothWays(...parted(target, ">")),
    begin: (world, target) => lineCut(world, ...parted(target, ">")),
  },
  {
    ...base,
    name: "lan-cut",
    words: "a site's LAN is cut from every other site",
    target: "site",
    weight: 3,
    touches: waysOf,
    begin: siteCut,
  },
  {
    ...base,
    name: "host-cut",
    words: "one host's network cable is out",
    target: "host",
    touches: (world, host) => waysOf(world, world.host(host).site),
    begin: hostCut,
  },
  {
    ...base,
    name: "host-way-cut",
    words: "no datagram of one host comes through to the first host of each other site",
    target: "host",
    touches: (world, host) => waysFrom(world, world.host(host).site),
    begin: (world, host) => {
      const far = world.config.sites.filter(({ name }) => name !== world.host(host).site);
      const firsts = far.flatMap(({ hosts }) => hosts.slice(0, 1));
      return allOf(firsts.map(({ name }) => wayCut(world, host, name)));
    },
  },
];

const manners: readonly FaultKind[] = [
  {
    ...base,
    name: "datagrams-lost",
    words: "many datagrams of one way are lost",
    begin: (world, target, random) =>
      setFor(mannerOf(world, target), "lost", random.pick([0.1, 0.3, 0.6, 0.9])),
  },
  {
    ...base,
    name: "datagrams-late",
    words: "each datagram of one way is late, by up to five seconds",
    begin: (world, target, random) => {
      const manner = mannerOf(world, target);
      return allOf([
        setFor(manner, "delayMs", wholeMs(random, 50, 5000)),
        setFor(manner, "jitterMs", random.pick([0, 20, 200])),
      ]);
    },
  },
  {
    ...base,
    name: "datagrams-twice",
    words: "most datagrams of one way arrive twice",
    weight: 1,
    begin: (world, target) => setFor(mannerOf(world, target), "twice", 0.8),
  },
  {
    ...base,
    name: "datagrams-overtaken",
    words: "datagrams of one way arrive out of their order",
    begin: (world, target) => setFor(mannerOf(world, target), "overtaken", 0.5),
  },
];

/** What is not believed disturbs nothing: such faults touch nothing at all. */
const forged: readonly FaultKind[] = [
  {
    ...base,
    name: "forgery",
    words: "a host is sent forged datagrams: another key's, changed ones, made-up ones",
    target: "host",
    touches: () => [],
    begin: forgeriesFor,
  },
  {
    ...base,
    name: "replay",
    words:
      "a host is sent old datagrams again: its own, and others', of this run and of former ones",
    target: "host",
    touches: () => [],
    begin: replaysFor,
  },
  {
    ...base,
    name: "flood",
    words: "a host is sent garbage, more than its queue holds",
    target: "host",
    weight: 1,
    usualSeconds: [2, 10],
    // What comes while the queue is full is dropped.
    touches: (world, host) => waysInto(world, world.host(host).site),
    begin: floodOf,
  },
];

export const networkFaults: readonly FaultKind[] = [...cuts, ...manners, ...forged];
