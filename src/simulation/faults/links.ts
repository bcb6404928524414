/** Faults between the two volumes of a mirror or of a data group: the link, the pair, the copying. */
import type { End, FaultKind, Touch } from "../fault.ts";
import { held, isHeld } from "../fault.ts";
import type { Pair } from "../pair.ts";
import type { Random } from "../random.ts";
import type { SimulatedWorld } from "../world.ts";
import { mirrorOf, mirrorTouch, type Touches, volumeTouch } from "./touch.ts";
import { allOf, repeated, setFor, untilDone, wholeMs } from "./setting.ts";

export const linkDown = (world: SimulatedWorld, name: string): End =>
  held(world, `link ${name}`, (on) => world.pair(name).link(!on));

export const linkStalled = (world: SimulatedWorld, name: string): End =>
  held(world, `stall ${name}`, (on) => world.pair(name).stall(on));

export function lagging(pair: Pair, random: Random): End {
  const lagMs = wholeMs(random, 100, 6000);
  return allOf([
    setFor(pair.times, "lagMs", lagMs),
    setFor(pair.times, "jitterMs", random.chance(0.5) ? lagMs / 4 : 0),
  ]);
}

/** Resynchronised at the end, as soon as the array can. */
export function suspended(world: SimulatedWorld, pair: Pair, how: "split" | "fail"): End | null {
  if (!pair[how]()) return null;
  return held(world, `suspended ${pair.name}`, (on) => {
    if (on) return;
    const isAgain = (): boolean => isHeld(world, `suspended ${pair.name}`);
    untilDone(world, () => isAgain() || !pair.state.startsWith("suspended") || pair.resync());
  });
}

/** In any order, block by block, while new records are written over those that wait. */
export function copying(pair: Pair, random: Random): End | null {
  if (!pair.copyAnew()) return null;
  return setFor(pair.times, "copyMs", wholeMs(random, 20, 600));
}

/** Down and up again, mostly too short for the array to suspend anything. */
export function flapping(world: SimulatedWorld, name: string, random: Random): End {
  let down: End | null = null;
  const stop = repeated(world, () => {
    down?.();
    down = down ? null : linkDown(world, name);
    return wholeMs(random, 100, 3000);
  });
  return () => {
    stop();
    down?.();
  };
}

/**
 * A write to the primary hangs while its array waits for the link, no longer than the timings say
 * that arrays do; the pair is told to be whole meanwhile.
 */
function hangingWrites(world: SimulatedWorld, mirror: string, random: Random): End {
  const { writer, pvol } = mirrorOf(world, mirror);
  const stalled = linkStalled(world, mirror);
  const hung = world.hostsOf(writer).flatMap(({ name, machine }) => {
    const port = machine.ports.get(pvol);
    return port
      ? [
          held(world, `write ${name} ${pvol}`, (on) =>
            on ? port.hang("write") : port.release("write"),
          ),
        ]
      : [];
  });
  const release = allOf(hung);
  world.time.after(random.between(0.3, 1) * world.config.timing.hangMs, release);
  return allOf([release, stalled]);
}

const mirrors = (_world: SimulatedWorld, mirror: string): readonly Touch[] => mirrorTouch(mirror);

function hangTouch(world: SimulatedWorld, mirror: string): Touches {
  const { writer } = mirrorOf(world, mirror);
  const volumes = world
    .hostsOf(writer)
    .flatMap(({ name }) => volumeTouch(world, `${name}:${mirror}`));
  return [...volumes, ...mirrorTouch(mirror)];
}

const base = { target: "mirror", lasts: true, touches: mirrors } as const;

export const linkFaults: readonly FaultKind[] = [
  {
    ...base,
    name: "link-cut",
    words: "the link of one mirror carries nothing, and its array knows",
    weight: 6,
    begin: linkDown,
  },
  {
    ...base,
    name: "link-stall",
    words: "the link of one mirror carries nothing, and its array calls the pair whole for a while",
    weight: 3,
    begin: linkStalled,
  },
  {
    ...base,
    name: "link-flap",
    words: "the link of one mirror goes down and up again all the time",
    weight: 2,
    begin: flapping,
  },
  {
    ...base,
    name: "link-hang",
    words: "a mirror's link stalls, and writes to its PVOL hang until the array gives up waiting",
    weight: 2,
    touches: hangTouch,
    begin: hangingWrites,
  },
  {
    ...base,
    name: "lag-long",
    words: "what is written to one mirror arrives up to six seconds later",
    weight: 3,
    begin: (world, mirror, random) => lagging(world.pair(mirror), random),
  },
  {
    ...base,
    name: "coalescing",
    words: "the link of one mirror sends only the newest of several writes to a block, and lags",
    weight: 2,
    begin: (world, mirror, random) => {
      const pair = world.pair(mirror);
      return allOf([setFor(pair, "coalesces", true), lagging(pair, random)]);
    },
  },
  {
    ...base,
    name: "pair-split",
    words: "somebody splits one mirror's pair, and resynchronises it at the end",
    weight: 3,
    begin: (world, mirror) => suspended(world, world.pair(mirror), "split"),
  },
  {
    ...base,
    name: "pair-suspend",
    words: "the array suspends one mirror's pair for a fault of its own; resynchronised at the end",
    weight: 3,
    begin: (world, mirror) => suspended(world, world.pair(mirror), "fail"),
  },
  {
    ...base,
    name: "pair-copying",
    words: "one mirror is copied anew, slowly, its blocks in any order",
    weight: 2,
    begin: (world, mirror, random) => copying(world.pair(mirror), random),
  },
];
