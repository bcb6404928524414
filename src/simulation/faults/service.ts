/** Faults of the service on a host, and of the operator's programs that begin and end it. */
import type { FaultKind } from "../fault.ts";
import { setFor, wholeMs } from "./setting.ts";
import { serviceTouch } from "./touch.ts";

const base = {
  target: "host",
  lasts: true,
  weight: 2,
  touches: (_world: unknown, name: string) => serviceTouch(name),
} as const;

/** Longer than any hook may take. */
export const foreverMs = 3_600_000;

export const serviceFaults: readonly FaultKind[] = [
  {
    ...base,
    name: "start-fails",
    words: "a host's service cannot be started",
    begin: (world, name) => setFor(world.host(name).service, "startFails", true),
  },
  {
    ...base,
    name: "start-slow",
    words: "a host's service takes many seconds to start",
    begin: (world, name, random) =>
      setFor(world.host(name).service, "startMs", wholeMs(random, 2000, 40_000)),
  },
  {
    ...base,
    name: "stop-fails",
    words: "a host's service cannot be stopped, and its program says so",
    begin: (world, name) => setFor(world.host(name).service, "stopFails", true),
  },
  {
    ...base,
    name: "stop-hangs",
    words: "the program that stops a host's service never ends",
    begin: (world, name) => setFor(world.host(name).service, "stopMs", foreverMs),
  },
  {
    ...base,
    name: "stop-slow",
    words: "a host's service takes many seconds to stop",
    begin: (world, name, random) =>
      setFor(world.host(name).service, "stopMs", wholeMs(random, 1500, 20_000)),
  },
  {
    ...base,
    name: "service-stopped",
    words: "somebody stops a host's service by hand, and begins its unit again at the end",
    begin: (world, name) => {
      const { machine, service } = world.host(name);
      if (!service.runs) return null;
      service.stop();
      const { boots } = machine;
      return () => {
        // A boot has begun it anyway.
        if (machine.boots === boots && machine.isUp) world.host(name).startService();
      };
    },
  },
];
