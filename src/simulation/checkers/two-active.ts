/**
 * Never two sites whose services write at once; where one host of a site takes over from another,
 * never two hosts (docs/safety.md 6, 8). Judged by the services themselves, in true time.
 *
 * Two things excuse it, each an operator's word that was not so: without a lease, a takeover
 * commanded while the other site's service runs ("what rests on the operator alone"); under any
 * policy, an attestation that a site is off while a machine of it is on. The excuse lasts until one
 * site at most serves and all agents that run are in one term again.
 */
import { isLeased } from "../../core/base/config.ts";
import { type CheckerKind, type Counts, count } from "../checker.ts";
import type { Watched } from "../observation.ts";
import type { SimulatedWorld } from "../world.ts";

const sitesOf = (world: SimulatedWorld, hosts: ReadonlySet<string>): ReadonlySet<string> =>
  new Set([...hosts].map((name) => world.host(name).site));

/** Whether an operator's command says what is not so. */
function isFalseWord(
  world: SimulatedWorld,
  { host, input }: Extract<Watched, { kind: "step" }>,
): boolean {
  if (input.kind !== "takeover") return false;
  const own = world.host(host).site;
  const attested = input.peerIsOff ?? "";
  const others = [...world.hosts.values()].filter(({ site }) => site !== own);
  if (attested !== "") {
    return others.some(
      ({ site, machine, service }) => site === attested && (machine.isUp || service.runs),
    );
  }
  return !isLeased(world.config.policy) && others.some(({ service }) => service.runs);
}

/** Nobody takes over, and all agents that run go by the same term. */
function isCalm(world: SimulatedWorld): boolean {
  const states = [...world.hosts.values()].flatMap(({ state }) => (state === null ? [] : [state]));
  return (
    states.every(({ takeover }) => takeover === null) &&
    new Set(states.map(({ term }) => term)).size <= 1
  );
}

export const twoActive: CheckerKind = {
  name: "two-active",
  words: "two sites write the same data",
  cases: ["service begins", "service begins elsewhere than before"],
  make(world, _faults, report) {
    const applied: Counts = {};
    const writing = new Set<string>();
    const isLocal = world.config.takeover.local;
    let last = "";
    let isExcused = false;
    const isOne = (): boolean => sitesOf(world, writing).size <= 1;
    return {
      applied,
      watch(watched) {
        if (watched.kind === "step") {
          if (isFalseWord(world, watched)) isExcused = true;
          else if (isExcused && isOne() && isCalm(world)) isExcused = false;
          return;
        }
        if (watched.kind !== "service") return;
        const { host, runs } = watched;
        if (!runs) return void writing.delete(host);
        writing.add(host);
        count(applied, "service begins");
        const { site } = world.host(host);
        if (last !== "" && last !== site) count(applied, "service begins elsewhere than before");
        last = site;
        if (isOne() && !(isLocal && writing.size > 1)) return;
        if (isExcused) return count(applied, "excused: a false word");
        report(`${[...writing].sort().join(" and ")} write at once`);
      },
    };
  },
};
