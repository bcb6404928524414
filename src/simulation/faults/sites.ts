/** Disasters: a site or a witness lost, or every way between two sites. */
import type { End, FaultKind } from "../fault.ts";
import type { SimulatedWorld } from "../world.ts";
import { linkDown, linkStalled } from "./links.ts";
import { siteOff } from "./machine.ts";
import { lineCut, siteCut } from "./network.ts";
import { allOf, setFor } from "./setting.ts";
import {
  bothWays,
  dataTouch,
  hostsTouched,
  machineTouch,
  mirrorTouch,
  parted,
  type Touches,
  waysOf,
} from "./touch.ts";
import { hung, portAt } from "./volume.ts";

/** Names of the copied mirrors and data groups between two sites, or of one with any other. */
const linksOf = (world: SimulatedWorld, one: string, other: string | null): readonly string[] =>
  [...world.pairs.values()]
    .filter(({ sites: { writer, reader } }) => {
      const ends = [writer, reader];
      return ends.includes(one) && (other === null || ends.includes(other));
    })
    .map(({ name }) => name);

function linkTouches(world: SimulatedWorld, names: readonly string[]): Touches {
  const isData = (name: string): boolean =>
    world.config.dataGroups.some((group) => group.name === name);
  return names.flatMap((name) => (isData(name) ? dataTouch(name) : mirrorTouch(name)));
}

const sitesCut = (world: SimulatedWorld, target: string): End => {
  const [one, other] = parted(target, ">");
  const links = linksOf(world, one, other).map((name) => linkDown(world, name));
  return allOf([lineCut(world, one, other), ...links]);
};

/** "volumes": those at the third site; every host's paths to them. */
function witnessPaths(world: SimulatedWorld): readonly (readonly [string, string])[] {
  return world.config.mirrors
    .filter(({ witness }) => witness)
    .flatMap(({ name, writer, reader }) =>
      [...world.hosts.values()]
        .filter(({ site }) => site === writer || site === reader)
        .map((host) => [host.name, name] as const),
    );
}

const witnessTouch = (world: SimulatedWorld, touches: Touches): Touches => [
  ...touches,
  ...witnessPaths(world).map(([host, mirror]) => ({ kind: "volume", host, mirror }) as const),
];

/** A site that is lost takes its third volumes' answers with it: they hang. */
const volumesHung = (world: SimulatedWorld): End =>
  allOf(witnessPaths(world).map(([host, mirror]) => hung(world, host, mirror, ["read", "write"])));

const volumesFail = (world: SimulatedWorld): End =>
  allOf(
    witnessPaths(world).flatMap(([host, mirror]) => {
      const port = portAt(world, host, mirror);
      return [setFor(port, "readError", "EIO"), setFor(port, "writeError", "EIO")];
    }),
  );

const isVolumes = (target: string): boolean => target === "volumes";

export const siteFaults: readonly FaultKind[] = [
  {
    name: "sites-cut",
    words: "every line and every link between two sites is cut",
    target: "way",
    weight: 4,
    lasts: true,
    touches: (world, target) => [
      ...bothWays(...parted(target, ">")),
      ...linkTouches(world, linksOf(world, ...parted(target, ">"))),
    ],
    begin: sitesCut,
  },
  {
    name: "site-isolated",
    words: "a site is cut from every other one: lines and links, some of which only stall",
    target: "site",
    weight: 3,
    lasts: true,
    touches: (world, site) => [
      ...waysOf(world, site),
      ...linkTouches(world, linksOf(world, site, null)),
    ],
    begin: (world, site, random) => {
      const links = linksOf(world, site, null).map((name) =>
        random.chance(0.5) ? linkDown(world, name) : linkStalled(world, name),
      );
      return allOf([siteCut(world, site), ...links]);
    },
  },
  {
    name: "site-gone",
    words: "a site loses its power and its arrays: machines, lines and links at once",
    target: "site",
    weight: 3,
    lasts: true,
    usualSeconds: [10, 120],
    touches: (world, site) => [
      ...hostsTouched(world, site, machineTouch),
      ...waysOf(world, site),
      ...linkTouches(world, linksOf(world, site, null)),
    ],
    begin: (world, site) => {
      const links = linksOf(world, site, null).map((name) => linkDown(world, name));
      return allOf([siteCut(world, site), siteOff(world, site), ...links]);
    },
  },
  {
    name: "witness-lost",
    words: "the witness is lost: its hosts have no power, or its volumes hang",
    target: "witness",
    weight: 4,
    lasts: true,
    usualSeconds: [2, 90],
    touches: (world, target) =>
      isVolumes(target) ? witnessTouch(world, []) : hostsTouched(world, target, machineTouch),
    begin: (world, target) => (isVolumes(target) ? volumesHung(world) : siteOff(world, target)),
  },
  {
    name: "witness-cut",
    words: "nobody reaches the witness: its lines are cut, or its volumes fail",
    target: "witness",
    weight: 3,
    lasts: true,
    usualSeconds: [2, 90],
    touches: (world, target) =>
      isVolumes(target) ? witnessTouch(world, []) : waysOf(world, target),
    begin: (world, target) => (isVolumes(target) ? volumesFail(world) : siteCut(world, target)),
  },
];
