/**
 * A machine that stalls between its agent's look at its right and the feeding of its watchdog, for
 * less than the watchdog's time; then the feeding lands, and nothing is fed again. For this the
 * watchdog's time counts twice (docs/safety.md 6.2).
 *
 * In its worst form that feeding is the last one under a lease, what the site wrote last was seen at
 * once and nothing after it, and its service cannot be stopped.
 */
import { fencePeriodMs } from "../../agent/fence.ts";
import { leaseLeftMs } from "../../core/step/lease.ts";
import { type End, type FaultKind, held } from "../fault.ts";
import type { Host } from "../host.ts";
import type { Random } from "../random.ts";
import type { Feeding } from "../watchdog.ts";
import type { SimulatedWorld } from "../world.ts";
import { linkDown } from "./links.ts";
import { wayCut } from "./network.ts";
import { foreverMs } from "./service.ts";
import { allOf, once, setFor, untilDone } from "./setting.ts";
import { machineTouch, mirrorTouch, type Touches, wayTouch } from "./touch.ts";

/** From that feeding on its agent stands still until its machine is reset, or somebody kills it. */
function stalledAt(
  world: SimulatedWorld,
  one: Host,
  random: Random,
  isIt: () => boolean,
): End | null {
  if (!one.isBeating || !one.watchdog.isArmed) return null;
  let landNow: End = () => undefined;
  let isStalled = false;
  const stall = ({ leftMs, land }: Feeding): boolean => {
    if (isStalled || !one.isBeating || !isIt()) return false;
    isStalled = true;
    landNow = once(land);
    world.time.after(leftMs * random.pick([random.next(), random.between(0.9, 0.999)]), landNow);
    one.stopAgent();
    const release = held(world, `frozen ${one.name}`, (on) => {
      if (!on) one.continueAgent();
    });
    const { agent, machine } = one;
    const { boots } = machine;
    untilDone(world, () => {
      if (one.agent === agent && machine.isUp && machine.boots === boots) return false;
      release();
      return true;
    });
    return true;
  };
  const unset = setFor(one.watchdog, "delays", stall);
  return () => {
    unset();
    landNow();
  };
}

/** Mirrors that are copied, and written by that site. */
const writtenBy = ({ config }: SimulatedWorld, site: string): readonly string[] =>
  config.mirrors.filter(({ writer, witness }) => writer === site && !witness).map((m) => m.name);

const otherSites = ({ config }: SimulatedWorld, site: string): readonly string[] =>
  config.sites.filter(({ name }) => name !== site).map(({ name }) => name);

/** Nothing of that site comes to any other; what they say still comes to it. */
const muted = (world: SimulatedWorld, site: string): End =>
  allOf([
    ...otherSites(world, site).map((other) => wayCut(world, site, other)),
    ...writtenBy(world, site).map((mirror) => linkDown(world, mirror)),
  ]);

const mutedTouch = (world: SimulatedWorld, site: string): Touches => [
  ...otherSites(world, site).flatMap((other) => wayTouch(site, other)),
  ...writtenBy(world, site).flatMap((mirror) => mirrorTouch(mirror)),
];

function stalledAtLast(world: SimulatedWorld, name: string, random: Random): End | null {
  const one = world.host(name);
  const { fencing, timing } = one.config;
  const periodMs = fencePeriodMs({ config: fencing, timing });
  const isLast = (): boolean =>
    one.state !== null && !one.state.lease.solo && leaseLeftMs(one.state) <= periodMs;
  const stalls = stalledAt(world, one, random, isLast);
  if (stalls === null) return null;
  return allOf([stalls, muted(world, one.site), setFor(one.service, "stopMs", foreverMs)]);
}

const base = { target: "host", lasts: true, weight: 2 } as const;

export const feedFaults: readonly FaultKind[] = [
  {
    ...base,
    name: "feed-stall",
    words: "a machine stalls before it feeds its watchdog, feeds it in time, and never again",
    touches: (_world, name) => machineTouch(name),
    begin: (world, name, random) => stalledAt(world, world.host(name), random, () => true),
  },
  {
    ...base,
    name: "feed-stall-last",
    words: "a site is heard no more, its stop hook hangs, and its last feeding comes late",
    usualSeconds: [15, 60],
    touches: (world, name) => [...machineTouch(name), ...mutedTouch(world, world.host(name).site)],
    begin: stalledAtLast,
  },
];
