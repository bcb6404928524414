/**
 * Paths and hosts that somebody switches off, mirrors that somebody removes, each put right again at
 * the end: tried until the agents have it so, and have it durable.
 */
import { takesPart } from "../../core/base/devices.ts";
import { switchFault } from "../../core/step/switch.ts";
import type { SwitchTarget } from "../../core/step/state.ts";
import { type End, type FaultKind, held, isHeld } from "../fault.ts";
import type { Host } from "../host.ts";
import type { SimulatedWorld } from "../world.ts";
import { untilDone } from "./setting.ts";
import {
  commandTouch,
  hostTouch,
  mirrorOf,
  mirrorTouch,
  parted,
  volumeTouch,
  waysOf,
} from "./touch.ts";

function isFiledOff({ memory: { switches } }: Host, target: SwitchTarget): boolean {
  switch (target.kind) {
    case "network":
      return !switches.network;
    case "mirror":
      return switches.mirrors[target.name] === false;
    case "host":
      return switches.hosts[target.name] === false;
  }
}

function isOff({ name, state }: Host, target: SwitchTarget): boolean {
  switch (target.kind) {
    case "network":
      return state?.paths["network"]?.enabled === false;
    case "mirror":
      // What is not installed has no switch.
      return (
        state?.paths[target.name]?.enabled === false &&
        state.devices.registrations[target.name]?.state === "enabled"
      );
    case "host":
      if (target.name === name) return state?.selfEnabled === false;
      return (
        state?.peers.some(({ host, enabled }) => host.name === target.name && !enabled) ?? false
      );
  }
}

function wordsOf(target: SwitchTarget): string {
  return target.kind === "network" ? "network" : `${target.kind} ${target.name}`;
}

function throwSwitch(world: SimulatedWorld, one: Host, target: SwitchTarget, on: boolean): void {
  const text = `${on ? "enable" : "disable"} ${wordsOf(target)}`;
  void one
    .withAgent((agent) => agent.switch(target, on).then(() => true))
    .then((isDone) => {
      const code = isDone ? 0 : 69;
      world.watch({ kind: "command", host: one.name, text, code, message: "" });
    });
}

function switchedOff(world: SimulatedWorld, one: Host, target: SwitchTarget): End | null {
  if (!one.isBeating || one.state === null || switchFault(one.state, target) !== null) return null;
  throwSwitch(world, one, target, false);
  const key = `switch ${one.name} ${wordsOf(target)}`;
  return held(world, key, (on) => {
    if (on) return;
    untilDone(world, () => {
      if (isHeld(world, key)) return true;
      if (!one.isBeating || one.state === null) return false;
      if (!isOff(one, target) && !isFiledOff(one, target)) return true;
      if (switchFault(one.state, target) === null) throwSwitch(world, one, target, true);
      return false;
    });
  });
}

/** Hosts of both ends that have not got it installed. */
function lacking(world: SimulatedWorld, mirror: string): readonly Host[] {
  const { writer, reader } = mirrorOf(world, mirror);
  return [...world.hosts.values()].filter(
    ({ site, state }) =>
      (site === writer || site === reader) &&
      !(state && takesPart(state.devices.registrations[mirror])),
  );
}

const isBusy = ({ isBeating, state }: Host): boolean =>
  !isBeating || state === null || state.installation !== null;

function askInstall(
  world: SimulatedWorld,
  one: Host,
  what: "install" | "deinstall" | "deinstall-local",
  mirror: string,
  force = false,
): void {
  void one
    .withAgent((agent) => agent.install(what, mirror, force))
    .then((answer) => {
      const { code, message } = answer ?? { code: 69, message: "no agent answers" };
      const text = `${what} ${mirror}${force ? " --force" : ""}`;
      world.watch({ kind: "command", host: one.name, text, code, message });
    });
}

const installAgainMs = 5000;

function deinstalled(world: SimulatedWorld, mirror: string, force: boolean): End | null {
  const writers = world.hostsOf(mirrorOf(world, mirror).writer);
  const one = writers.find((host) => !isBusy(host));
  if (!one || lacking(world, mirror).length > 0) return null;
  askInstall(world, one, "deinstall", mirror, force);
  return installedAgain(world, mirror);
}

/** By force: at one host alone, of whichever end. */
function deinstalledHere(world: SimulatedWorld, target: string): End | null {
  const [host, mirror] = parted(target, ":");
  const one = world.host(host);
  if (isBusy(one) || lacking(world, mirror).length > 0 || isLockOf(world, one, mirror)) return null;
  askInstall(world, one, "deinstall-local", mirror, true);
  return installedAgain(world, mirror);
}

/**
 * Hosts of one site know of one another by what they write on the last mirror of theirs; that it is
 * refused without --force is all that the product says of it.
 */
function isLockOf({ config }: SimulatedWorld, { site }: Host, mirror: string): boolean {
  const hosts = config.sites.find(({ name }) => name === site)?.hosts ?? [];
  return mirrorsOf(config, site).includes(mirror) && hosts.length > 1;
}

const mirrorsOf = ({ mirrors }: SimulatedWorld["config"], site: string): readonly string[] =>
  mirrors.filter(({ writer }) => writer === site).map(({ name }) => name);

/** At the end; tried until all hosts of both ends have it. */
function installedAgain(world: SimulatedWorld, mirror: string): End {
  const writers = world.hostsOf(mirrorOf(world, mirror).writer);
  const key = `installed ${mirror}`;
  return held(world, key, (on) => {
    if (on) return;
    let askedMs = Number.NEGATIVE_INFINITY;
    untilDone(world, () => {
      if (isHeld(world, key)) return true;
      const free = writers.find((host) => !isBusy(host));
      if (!free || world.nowMs < askedMs + installAgainMs) return false;
      if (lacking(world, mirror).length === 0) return true;
      askedMs = world.nowMs;
      askInstall(world, free, "install", mirror);
      return false;
    });
  });
}

export const switchFaults: readonly FaultKind[] = [
  {
    name: "network-off",
    words: "somebody switches the network path of a host off",
    target: "host",
    weight: 2,
    lasts: true,
    touches: (world, host) => [...waysOf(world, world.host(host).site), ...commandTouch],
    begin: (world, host) => switchedOff(world, world.host(host), { kind: "network" }),
  },
  {
    name: "mirror-off",
    words: "somebody switches a mirror off at one host",
    target: "volume",
    weight: 2,
    lasts: true,
    touches: (world, target) => [
      ...volumeTouch(world, target),
      ...mirrorTouch(parted(target, ":")[1]),
      ...commandTouch,
    ],
    begin: (world, target) => {
      const [host, name] = parted(target, ":");
      return switchedOff(world, world.host(host), { kind: "mirror", name });
    },
  },
  {
    name: "host-off",
    words: "somebody switches a host off at itself, or at one that watches it",
    target: "host",
    weight: 2,
    lasts: true,
    touches: (_world, host) => [...hostTouch(host), ...commandTouch],
    begin: (world, name, random) => {
      const at = random.chance(0.5) ? name : random.pick([...world.hosts.keys()]);
      return switchedOff(world, world.host(at), { kind: "host", name });
    },
  },
  {
    name: "mirror-removed",
    words: "somebody deinstalls a mirror at both sites, and installs it again at the end",
    target: "mirror",
    weight: 2,
    lasts: true,
    usualSeconds: [5, 60],
    touches: (_world, mirror) => [...mirrorTouch(mirror), ...commandTouch],
    begin: (world, mirror) => deinstalled(world, mirror, false),
  },
  {
    name: "mirror-removed-force",
    words: "somebody deinstalls a mirror by force, and installs it again at the end",
    target: "mirror",
    weight: 2,
    lasts: true,
    usualSeconds: [5, 60],
    touches: (_world, mirror) => [...mirrorTouch(mirror), ...commandTouch],
    begin: (world, mirror) => {
      const [writer] = world.hostsOf(mirrorOf(world, mirror).writer);
      if (!writer || isLockOf(world, writer, mirror)) return null;
      return deinstalled(world, mirror, true);
    },
  },
  {
    name: "mirror-removed-here",
    words: "somebody deinstalls a mirror at one host alone, and installs it again at the end",
    target: "volume",
    weight: 2,
    lasts: true,
    usualSeconds: [5, 60],
    touches: (world, target) => [
      ...volumeTouch(world, target),
      ...mirrorTouch(parted(target, ":")[1]),
      ...commandTouch,
    ],
    begin: deinstalledHere,
  },
];
