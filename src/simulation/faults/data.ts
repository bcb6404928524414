/** Faults of a data group's pair: the same as a mirror's, but for the roles that it may exchange. */
import type { FaultKind } from "../fault.ts";
import { dataTouch } from "./touch.ts";
import { copying, flapping, lagging, linkDown, suspended } from "./links.ts";
import { setFor } from "./setting.ts";

const base = {
  target: "data",
  lasts: true,
  weight: 5,
  touches: (_world: unknown, group: string) => dataTouch(group),
} as const;

export const dataFaults: readonly FaultKind[] = [
  {
    ...base,
    name: "data-link-cut",
    words: "the link of a data group carries nothing, and its array knows",
    begin: linkDown,
  },
  {
    ...base,
    name: "data-link-flap",
    words: "the link of a data group goes down and up again all the time",
    begin: flapping,
  },
  {
    ...base,
    name: "data-lag",
    words: "what is written to a data group arrives up to six seconds later",
    begin: (world, group, random) => lagging(world.pair(group), random),
  },
  {
    ...base,
    name: "data-split",
    words: "somebody splits a data group's pair, and resynchronises it at the end",
    begin: (world, group) => suspended(world, world.pair(group), "split"),
  },
  {
    ...base,
    name: "data-copying",
    words: "a data group is copied anew, slowly, its blocks in any order",
    begin: (world, group, random) => copying(world.pair(group), random),
  },
  {
    ...base,
    name: "data-fails",
    words: "the array answers nothing but refusals where a data group is concerned",
    begin: (world, group) => setFor(world.pair(group), "isFailing", true),
  },
];
