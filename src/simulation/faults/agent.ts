/** Faults of an agent's process, and what its unit does with it. */
import { type End, type FaultKind, held } from "../fault.ts";
import type { Host } from "../host.ts";
import type { SimulatedWorld } from "../world.ts";
import { allOf, repeated, wholeMs } from "./setting.ts";
import { hostTouch } from "./touch.ts";

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
];
