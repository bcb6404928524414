/** Faults of a site's array as its hosts meet it: what it tells of pairs, and what it does at a command. */
import { pairStates } from "../../remotecopy/provider.ts";
import type { FaultKind } from "../fault.ts";
import type { ArrayManner } from "../pair-provider.ts";
import type { SimulatedWorld } from "../world.ts";
import { arrayTouch } from "./touch.ts";
import { allOf, setFor, wholeMs } from "./setting.ts";

function mannerOf(world: SimulatedWorld, site: string): ArrayManner {
  const manner = world.manners.get(site);
  if (!manner) throw new Error(`assertion failed: site ${site} is configured`);
  return manner;
}

const base = {
  target: "site",
  lasts: true,
  weight: 2,
  touches: (_world: unknown, site: string) => arrayTouch(site),
} as const;

export const arrayFaults: readonly FaultKind[] = [
  {
    ...base,
    name: "pair-lies",
    words: "a site's array tells another state of all its pairs than is true, for ten minutes",
    weight: 3,
    usualSeconds: [20, 600],
    begin: (world, site, random) => setFor(mannerOf(world, site), "lie", random.pick(pairStates)),
  },
  {
    ...base,
    name: "array-silent",
    words: "a site's array answers no question",
    weight: 3,
    begin: (world, site) => setFor(mannerOf(world, site), "answers", "hangs"),
  },
  {
    ...base,
    name: "array-refuses",
    words: "a site's array refuses every question",
    begin: (world, site) => setFor(mannerOf(world, site), "answers", "refuses"),
  },
  {
    ...base,
    name: "array-slow",
    words: "a site's array takes seconds for each question and command",
    begin: (world, site, random) => {
      const manner = mannerOf(world, site);
      return allOf([
        setFor(manner, "queryMs", wholeMs(random, 300, 4000)),
        setFor(manner, "changeMs", wholeMs(random, 1000, 15_000)),
      ]);
    },
  },
  {
    ...base,
    name: "command-refused",
    words: "a site's array refuses every command",
    begin: (world, site) => setFor(mannerOf(world, site), "changes", "refused"),
  },
  {
    ...base,
    name: "command-lost",
    words: "a site's array obeys, and nobody is told: the outcome is indeterminate",
    begin: (world, site) => setFor(mannerOf(world, site), "changes", "lost"),
  },
  {
    ...base,
    name: "command-pretended",
    words: "a site's array says that it obeyed, and does nothing",
    begin: (world, site) => setFor(mannerOf(world, site), "changes", "pretended"),
  },
];
