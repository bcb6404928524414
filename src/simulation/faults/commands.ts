/**
 * What operators command, wisely or not: takeovers and switch-overs, at the right host and the wrong
 * one. An attestation is only given while it is true. Where no lease stands behind it, any takeover
 * rests on the operator's word that the other site is down (docs/safety.md, 5): there it is only
 * asked for when that site has no power, and gets none before the answer.
 */
import { ownerOf } from "../../core/decision.ts";
import { ownsTerm, possibleHolders } from "../../core/step/holders.ts";
import { isAlive } from "../../core/verdict.ts";
import type { End, FaultKind } from "../fault.ts";
import type { Random } from "../random.ts";
import type { SimulatedWorld } from "../world.ts";
import { ask, askTakeover, asksFreely, otherSite, servingHost, servingSites } from "./ask.ts";
import { isSiteUp, siteOff } from "./machine.ts";
import { repeated, wholeMs } from "./setting.ts";
import { commandTouch, hostsTouched, machineTouch } from "./touch.ts";

const done = (): void => undefined;

/** Powered off for certain; then the other site is told to take over, until it has. */
function takeoverOfLost(world: SimulatedWorld, site: string, random: Random): End | null {
  const taker = otherSite(world, site);
  if (taker === null || !servingSites(world).includes(site)) return null;
  if (!isSiteUp(world, site)) return null;
  const power = siteOff(world, site);
  const isAttested = random.chance(0.6);
  let isEnding = false;
  let waiting = 0;
  let isTaken = false;
  const mayEnd = (): void => {
    if (isEnding && waiting === 0) power();
  };
  const tell = (host: string): void => {
    waiting += 1;
    const wish = isAttested ? { peerIsOff: site } : { force: random.chance(0.3) };
    askTakeover(world, world.host(host), wish, ({ code }) => {
      waiting -= 1;
      isTaken ||= code === 0;
      mayEnd();
    });
  };
  const hosts = world.hostsOf(taker).map(({ name }) => name);
  const stop = repeated(world, () => {
    if (!isTaken && waiting === 0) tell(random.pick(hosts));
    return wholeMs(random, 2000, 15_000);
  });
  return () => {
    stop();
    isEnding = true;
    mayEnd();
  };
}

function takeoverTwice(world: SimulatedWorld, random: Random): End | null {
  if (!asksFreely(world)) return null;
  const force = random.chance(0.3);
  for (const site of servingSites(world)) {
    const one = random.pick(world.hostsOf(site));
    world.time.after(random.pick([0, random.between(0, 300)]), () =>
      askTakeover(world, one, { force }),
    );
  }
  return done;
}

function takeoverBySiblings(world: SimulatedWorld, site: string, random: Random): End | null {
  const hosts = world.hostsOf(site);
  if (!asksFreely(world) || hosts.length < 2) return null;
  for (const one of hosts) {
    world.time.after(random.pick([0, random.between(0, 300)]), () => askTakeover(world, one, {}));
  }
  return done;
}

/**
 * Where this host itself sees one of the site that serves beat, and that one does beat: then it is
 * refused, by whatever policy, and moves nothing. Without a lease it is never asked for otherwise,
 * nor by force: that would rest on an operator's word which is not true.
 */
function takeoverOfLiving(world: SimulatedWorld, host: string): End | null {
  const one = world.host(host);
  const { state } = one;
  if (!one.isBeating || state?.role !== "standby" || state.beacon || ownsTerm(state)) return null;
  const isSeen = possibleHolders(state).some(({ host: { name }, siteId, enabled, verdict }) => {
    const other = world.host(name);
    const owns = siteId === ownerOf(state.term) && other.state?.term === state.term;
    return owns && other.isBeating && enabled && verdict !== null && isAlive(verdict.row);
  });
  if (!isSeen) return null;
  askTakeover(world, one, {});
  return done;
}

/** At a host that serves already, or at one that never can. */
function takeoverInWrongRole(world: SimulatedWorld, random: Random): End | null {
  const able = servingSites(world);
  const beacons = [...world.hosts.values()].filter(({ site }) => !able.includes(site));
  const serving = servingHost(world);
  const wrong = [...(serving ? [serving] : []), ...beacons];
  if (wrong.length === 0) return null;
  askTakeover(world, random.pick(wrong), {});
  return done;
}

/** Mostly where it belongs, at the host that serves; at times at another. */
function switchover(world: SimulatedWorld, repair: boolean, random: Random): End | null {
  const wrong = random.pick([...world.hosts.values()]);
  const one = (random.chance(0.75) ? servingHost(world) : null) ?? wrong;
  const production = world.config.sites.find(({ role }) => role === "production")?.name ?? null;
  const to = repair ? production : otherSite(world, one.site);
  if (to === null) return null;
  const text = repair ? "failback --yes" : `switchover --to ${to} --yes`;
  ask(world, one, text, (id, nowMs) => ({ kind: "switchover", nowMs, id, to, repair }));
  return done;
}

const base = { target: "none", lasts: false, weight: 2, touches: () => commandTouch } as const;

export const commandFaults: readonly FaultKind[] = [
  {
    ...base,
    name: "takeover",
    words: "somebody tells a host to take over, whatever its role and the other site's state",
    target: "host",
    weight: 3,
    begin: (world, host) => {
      if (!asksFreely(world)) return null;
      askTakeover(world, world.host(host), {});
      return done;
    },
  },
  {
    ...base,
    name: "takeover-living",
    words: "a host is told to take over from a site that it sees beat, without force: refused",
    target: "host",
    weight: 3,
    // A refused command moves nothing.
    touches: () => [],
    begin: takeoverOfLiving,
  },
  {
    ...base,
    name: "takeover-force",
    words: "somebody tells a host to take over by force; no lease is shortened by that",
    target: "host",
    begin: (world, host) => {
      if (!asksFreely(world)) return null;
      askTakeover(world, world.host(host), { force: true });
      return done;
    },
  },
  {
    ...base,
    name: "takeover-lost",
    words: "a site is powered off for certain, and the other one told to take over",
    target: "site",
    weight: 3,
    lasts: true,
    usualSeconds: [15, 150],
    touches: (world, site) => [...hostsTouched(world, site, machineTouch), ...commandTouch],
    begin: takeoverOfLost,
  },
  {
    ...base,
    name: "takeover-twice",
    words: "both sites are told to take over in the same moment",
    weight: 3,
    begin: (world, _target, random) => takeoverTwice(world, random),
  },
  {
    ...base,
    name: "takeover-siblings",
    words: "all hosts of one site are told to take over in the same moment",
    target: "site",
    weight: 3,
    begin: takeoverBySiblings,
  },
  {
    ...base,
    name: "takeover-wrong",
    words: "a host is told to take over that serves already, or that never can",
    begin: (world, _target, random) => takeoverInWrongRole(world, random),
  },
  {
    ...base,
    name: "switchover",
    words: "somebody hands the service to the other site, at times at a host that has it not",
    weight: 4,
    begin: (world, _target, random) => switchover(world, false, random),
  },
  {
    ...base,
    name: "failback",
    words: "somebody gives the service back to production, with its data made whole first",
    weight: 3,
    begin: (world, _target, random) => switchover(world, true, random),
  },
];
