/** Faults of an agent's process, and what its unit does with it. */
import { type End, type FaultKind, held } from "../fault.ts";
import type { Host } from "../host.ts";
import type { SimulatedWorld } from "../world.ts";
import { allOf, once, repeated, setFor, wholeMs } from "./setting.ts";
import { hostTouch, waysOf } from "./touch.ts";

/** Not begun again by its unit before it is ended. */
export function heldBack(world: SimulatedWorld, one: Host): End {
  const release = held(world, `held back ${one.name}`, (on) => {
    one.isHeldBack = on;
  });
  return () => {
    release();
    if (!one.isHeldBack) one.startAgent();
  };
}

function frozen(world: SimulatedWorld, name: string): End | null {
  const one = world.host(name);
  if (!one.isBeating) return null;
  one.stopAgent();
  return held(world, `frozen ${name}`, (on) => {
    if (!on) one.continueAgent();
  });
}

const base = {
  target: "host",
  lasts: true,
  touches: (_world: unknown, name: string) => hostTouch(name),
} as const;

/** Nobody else holds it. */
const wrongKeyId = 0x0badcafe;

/**
 * Its key file is another one; it is begun anew with that, and once more at the end. One that has both
 * keys and loses the one it signed with could not read its own slot: docs/tuning.md keeps both until
 * nothing is left under the old one.
 */
function wrongKey(world: SimulatedWorld, name: string): End | null {
  const one = world.host(name);
  if (!one.agent) return null;
  const begunAnew = (): void => {
    one.kill("another key");
    if (!one.isHeldBack) one.startAgent();
  };
  const unset = setFor(one, "keyIds", [wrongKeyId]);
  begunAnew();
  return once(() => {
    unset();
    begunAnew();
  });
}

export const agentFaults: readonly FaultKind[] = [
  {
    ...base,
    name: "agent-kill",
    words: "an agent is killed; its unit begins it again at the end",
    weight: 4,
    begin: (world, name) => {
      const one = world.host(name);
      if (!one.agent) return null;
      one.kill();
      return heldBack(world, one);
    },
  },
  {
    ...base,
    name: "agent-crash-loop",
    words: "an agent is killed again and again, each time shortly after its unit began it",
    weight: 2,
    begin: (world, name, random) => {
      const one = world.host(name);
      if (!one.agent) return null;
      const stop = repeated(world, () => {
        if (one.agent) one.kill("again");
        else if (!one.isHeldBack) one.startAgent();
        return wholeMs(random, 200, 6000);
      });
      return allOf([stop, () => one.isHeldBack || one.startAgent()]);
    },
  },
  {
    ...base,
    name: "agent-leave",
    words: "an agent is stopped in order, and begun again at the end",
    weight: 3,
    begin: (world, name) => {
      const one = world.host(name);
      if (!one.agent) return null;
      one.leave();
      return heldBack(world, one);
    },
  },
  {
    ...base,
    name: "agent-stop",
    words: "an agent's process is stopped, and continues",
    weight: 4,
    begin: frozen,
  },
  {
    ...base,
    name: "agent-stall",
    words: "an agent's event loop stands still for a moment",
    weight: 3,
    usualSeconds: [0.05, 1.5],
    begin: frozen,
  },
  {
    ...base,
    name: "agent-catch-up",
    words: "an agent's event loop stands still, and then works off what waited, turn by turn",
    weight: 3,
    usualSeconds: [0.2, 12],
    begin: (world, name, random) => {
      const one = world.host(name);
      const first = random.pick(["timers", "transfers"] as const);
      const unset = setFor(one, "catchUp", { first, turnMs: wholeMs(random, 1, 15) });
      const end = frozen(world, name);
      if (!end) unset();
      return end && allOf([end, unset]);
    },
  },
  {
    ...base,
    name: "wrong-key",
    words: "an agent is begun anew with another key, and with its own one at the end",
    weight: 1,
    // What it is sent it cannot believe, and what it sends nobody can.
    touches: (world, name) => [...hostTouch(name), ...waysOf(world, world.host(name).site)],
    begin: wrongKey,
  },
];
