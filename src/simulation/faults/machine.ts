/** Faults of machines: their power, their processor, their clocks, their local disk, their watchdog. */
import { rho } from "../../core/base/lease-timing.ts";
import { type End, type FaultKind, held } from "../fault.ts";
import type { Host } from "../host.ts";
import type { SimulatedWorld } from "../world.ts";
import { heldBack } from "./agent.ts";
import { allOf, once, setFor, untilDone, wholeMs } from "./setting.ts";
import { hostsTouched, machineTouch, nothing } from "./touch.ts";

/** Down until it is ended; what a watchdog or a crash would boot stays down too. */
export function powerOff(world: SimulatedWorld, one: Host, reason: string): End {
  const release = held(world, `power ${one.name}`, (on) => {
    one.isHeldDown = on;
  });
  one.reset(reason, false);
  return () => {
    release();
    if (!one.isHeldDown) one.bootLater();
  };
}

export const siteOff = (world: SimulatedWorld, site: string): End =>
  allOf(world.hostsOf(site).map((one) => powerOff(world, one, "power cut")));

export const isSiteUp = (world: SimulatedWorld, site: string): boolean =>
  world.hostsOf(site).some(({ machine }) => machine.isUp);

const suspend = (world: SimulatedWorld, name: string): End | null => {
  const one = world.host(name);
  if (!one.machine.isUp || one.machine.isSuspended) return null;
  // Its watchdog counts on: one that pauses with its machine is beyond what the proof covers.
  one.suspend();
  return held(world, `suspended ${name}`, (on) => {
    if (!on) one.resume();
  });
};

/** Its agent leaves, then all else is stopped; a stop that takes until the end is cut short. */
function reboot(world: SimulatedWorld, name: string): End | null {
  const one = world.host(name);
  const { machine } = one;
  if (!machine.isUp || machine.isSuspended) return null;
  const { boots } = machine;
  const release = heldBack(world, one);
  let isOver = false;
  one.leave();
  untilDone(world, () => {
    if (machine.isUp && machine.boots === boots) {
      if (one.agent !== null && !isOver) return false;
      one.service.stop();
      one.reset("reboot");
    }
    release();
    return true;
  });
  return () => {
    isOver = true;
  };
}

const base = { target: "host", lasts: true } as const;

const power: readonly FaultKind[] = [
  {
    ...base,
    name: "power-cut",
    words: "a machine loses its power, and boots when it is back",
    weight: 4,
    touches: (_world, name) => machineTouch(name),
    begin: (world, name) => {
      const one = world.host(name);
      return one.machine.isUp ? powerOff(world, one, "power cut") : null;
    },
  },
  {
    ...base,
    name: "site-power-cut",
    words: "every machine of a site loses its power, and boots when it is back",
    target: "site",
    weight: 3,
    usualSeconds: [5, 120],
    touches: (world, site) => hostsTouched(world, site, machineTouch),
    begin: (world, site) => (isSiteUp(world, site) ? siteOff(world, site) : null),
  },
  {
    ...base,
    name: "machine-crash",
    words: "a machine crashes and boots by itself",
    weight: 3,
    lasts: false,
    touches: (_world, name) => machineTouch(name),
    begin: (world, name) => {
      const one = world.host(name);
      if (!one.machine.isUp) return null;
      one.reset("crash");
      return () => undefined;
    },
  },
  {
    ...base,
    name: "machine-reboot",
    words: "a machine is rebooted in order: its agent leaves first",
    weight: 2,
    usualSeconds: [5, 40],
    touches: (_world, name) => machineTouch(name),
    begin: reboot,
  },
  {
    ...base,
    name: "machine-suspend",
    words: "a machine is suspended: its clocks stand, its watchdog counts on",
    weight: 3,
    touches: (_world, name) => machineTouch(name),
    begin: suspend,
  },
];

/**
 * Its local disk is replaced while it is off. docs/safety.md counts on that disk (section 8), with
 * one exception: a witness may come back without its memory (6.9). Of another host the term is found
 * again on volumes, and the refusal of a damaged memory asks for one thing: that no other site is
 * active. Where one is, as the power comes back, the host has what it had.
 */
function filesLost(world: SimulatedWorld, name: string): End | null {
  const one = world.host(name);
  if (!one.machine.isUp) return null;
  const isWitness = (): boolean =>
    world.config.sites.some(({ name: site, role }) => site === one.site && role === "witness");
  const isOtherActive = (): boolean =>
    [...world.hosts.values()].some(({ site, service }) => site !== one.site && service.runs);
  const power = powerOff(world, one, "disk replaced");
  return once(() => {
    if (isWitness() || !isOtherActive()) one.loseFiles();
    power();
  });
}

const hourMs = 3_600_000;

const clocks: readonly FaultKind[] = [
  {
    ...base,
    name: "clock-drift",
    words: "a machine's clock goes at another rate, within the bound that the timings state",
    weight: 2,
    usualSeconds: [5, 120],
    touches: nothing,
    begin: (world, name, random) => {
      // Within `drift_ppm`, which the lease counts on.
      const most = rho(world.config.timing) * 0.999;
      const rate = 1 + most * random.pick([-1, 1, random.between(-1, 1)]);
      return setFor(world.host(name).machine, "rate", rate);
    },
  },
  {
    ...base,
    name: "wall-step",
    words: "a machine's wall clock is set hours wrong, and right again",
    weight: 2,
    touches: nothing,
    begin: (world, name, random) => {
      const { machine } = world.host(name);
      const hours = random.pick([-1, 1]) * (1 + random.below(48));
      machine.wallSkewMs += hours * hourMs;
      return once(() => {
        machine.wallSkewMs -= hours * hourMs;
      });
    },
  },
  {
    ...base,
    name: "watchdog-late",
    words: "a machine's watchdog resets late, within its whole time",
    weight: 2,
    touches: nothing,
    begin: (world, name, random) => {
      const one = world.host(name);
      // Its whole time is what the lease counts on; a host that is fed by none has none.
      const mostMs = one.watchdogRoomMs;
      if (mostMs <= 0) return null;
      return setFor(one.watchdog, "lateMs", mostMs * random.between(0.5, 1));
    },
  },
];

const files: readonly FaultKind[] = [
  {
    ...base,
    name: "disk-full",
    words: "a host's local disk stores nothing, and says so",
    weight: 2,
    touches: (_world, host) => [{ kind: "files", host }],
    begin: (world, host) => setFor(world.host(host), "storeFault", "fails"),
  },
  {
    ...base,
    name: "disk-hung",
    words: "a host's local disk does not answer",
    weight: 2,
    touches: (_world, host) => [{ kind: "files", host }],
    begin: (world, host) => setFor(world.host(host), "storeFault", "hangs"),
  },
  {
    ...base,
    name: "disk-slow",
    words: "a host's local disk takes up to a second and a half for each file, and stores it",
    weight: 4,
    touches: (_world, host) => [{ kind: "files", host }],
    begin: (world, host, random) => setFor(world.host(host), "storeMs", wholeMs(random, 20, 1500)),
  },
  {
    ...base,
    name: "memory-lost",
    words: "a machine loses its power, and comes back with an empty local disk",
    weight: 2,
    touches: (_world, host) => [...machineTouch(host), { kind: "files", host }],
    begin: filesLost,
  },
];

export const machineFaults: readonly FaultKind[] = [...power, ...clocks, ...files];
