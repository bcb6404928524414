/** The first faults: what every list of them must have. */
import type { FaultKind, Touch } from "../fault.ts";
import { held } from "../fault.ts";

const host = (name: string): readonly Touch[] => [{ kind: "host", host: name }];

const wayTouch = (target: string): readonly Touch[] => {
  const [from = "", to = ""] = target.split(">");
  return [{ kind: "way", from, to }];
};

export const basicFaults: readonly FaultKind[] = [
  {
    name: "way-cut",
    words: "no datagram of one way comes through",
    target: "way",
    weight: 6,
    lasts: true,
    touches: (_world, target) => wayTouch(target),
    begin: (world, target) => {
      const [from = "", to = ""] = target.split(">");
      const manner = world.network.way(from, to);
      manner.cuts += 1;
      return () => {
        manner.cuts -= 1;
      };
    },
  },
  {
    name: "link-cut",
    words: "the link of one mirror carries nothing, and its array knows",
    target: "mirror",
    weight: 6,
    lasts: true,
    touches: (_world, mirror) => [{ kind: "mirror", mirror }],
    begin: (world, mirror) => held(world, `link ${mirror}`, (on) => world.pair(mirror).link(!on)),
  },
  {
    name: "agent-kill",
    words: "an agent is killed; its unit begins it again at the end",
    target: "host",
    weight: 4,
    lasts: true,
    touches: (_world, name) => host(name),
    begin: (world, name) => {
      const one = world.host(name);
      if (!one.agent) return null;
      one.kill();
      return () => one.startAgent();
    },
  },
  {
    name: "power-cut",
    words: "a machine loses its power, and boots when it is back",
    target: "host",
    weight: 4,
    lasts: true,
    touches: (_world, name) => [...host(name), { kind: "service", host: name }],
    begin: (world, name) => {
      const one = world.host(name);
      if (!one.machine.isUp) return null;
      const end = held(world, `power ${name}`, (on) => {
        one.isHeldDown = on;
      });
      one.reset("power cut", false);
      return () => {
        end();
        if (!one.isHeldDown) one.bootLater();
      };
    },
  },
];
