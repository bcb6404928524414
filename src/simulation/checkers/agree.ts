/**
 * Liveness: once all faults are over and the world had its time, every agent runs, judges every host
 * that it watches alive, goes by the same term as all, and exactly one site serves; where one host
 * of a site takes over from another, one host.
 *
 * Where a takeover stopped half-way, only an operator's next command makes its host active
 * (docs/safety.md 5); the gate names it (`mirrorbeat takeover --yes`), so it is given, once for each
 * time that the world has to become whole, there and then at the other hosts of that site; and data
 * that the other end took over is copied back first, as the refusal asks. Then all must be well.
 */
import { ownerOf } from "../../core/decision.ts";
import { gateView } from "../../core/step/gate.ts";
import type { State } from "../../core/step/state.ts";
import { type CheckerKind, type Counts, count } from "../checker.ts";
import type { Host } from "../host.ts";
import type { SimulatedWorld } from "../world.ts";

const servingHosts = (world: SimulatedWorld): readonly Host[] =>
  [...world.hosts.values()].filter(({ service }) => service.runs);

/** Hosts of the owner that say: run the takeover again. */
function asking(world: SimulatedWorld): readonly Host[] {
  return [...world.hosts.values()].filter(({ state }) => {
    if (state === null || ownerOf(state.term) !== state.ownSiteId) return false;
    return state.role === "transitioning" && gateView(state, "").opens.includes("takeover --yes");
  });
}

/** Data whose newer state is at the end that took it over: copied back from there, by the array. */
function repaired(world: SimulatedWorld): boolean {
  return world.config.dataGroups.some(({ name }) => {
    const pair = world.pair(name);
    return pair.state === "takeover" && pair.swap(pair.primary === "writer" ? "reader" : "writer");
  });
}

function stateText({ name, state, service, machine }: Host): string {
  if (state === null)
    return `${name}: ${machine.isUp ? "no agent" : "off"}, service ${service.runs}`;
  const { role, roleReason, term, lease, lock, serviceMayRun, halfDone } = state;
  return (
    `${name}: ${role} (${roleReason}) term ${term} solo ${lease.solo} lock ${lock.phase} ` +
    `halfDone ${halfDone} mayRun ${serviceMayRun} service ${service.runs}`
  );
}

const isHealthy = (row: string | undefined): boolean => row === "1" || row === "2b";

/** Enabled peers that this agent does not call alive. */
function doubted({ peers }: State): readonly string[] {
  return peers
    .filter(({ enabled, verdict }) => enabled && !isHealthy(verdict?.row))
    .map(({ host, verdict }) => `${host.name} (row ${verdict?.row ?? "-"})`);
}

export const agree: CheckerKind = {
  name: "agree",
  words: "no agreement, though all faults are over",
  cases: ["run looked at", "command asked for, and given", "data copied back as asked for"],
  make(world, _faults, report) {
    const applied: Counts = {};
    let given = 0;
    const text = (): string => [...world.hosts.values()].map(stateText).join("; ");
    return {
      applied,
      watch: () => undefined,
      mend() {
        if (servingHosts(world).length > 0) return false;
        const [first] = asking(world);
        if (!first) return false;
        if (repaired(world)) {
          count(applied, "data copied back as asked for");
          return true;
        }
        // Where another host of that site decides, the answer is: run it there.
        const hosts = [...asking(world), ...world.hostsOf(first.site)];
        const host = hosts[given++ % hosts.length] ?? first;
        count(applied, "command asked for, and given");
        void host
          .ask((id, nowMs) => ({ kind: "takeover", nowMs, id, force: false }))
          .then(({ code, message }) =>
            world.watch({
              kind: "command",
              host: host.name,
              text: "takeover --yes",
              code,
              message,
            }),
          );
        return true;
      },
      end() {
        count(applied, "run looked at");
        const serving = servingHosts(world);
        const sites = new Set(serving.map(({ site }) => site));
        const many = world.config.takeover.local && serving.length > 1;
        if (sites.size !== 1 || many)
          report(`${serving.length} hosts at ${sites.size} sites serve: ${text()}`);
        const running = [...world.hosts.values()].filter(({ isHeldDown }) => !isHeldDown);
        const terms = new Set(running.map(({ state }) => state?.term));
        if (terms.size !== 1) report(`not one term: ${text()}`);
        for (const { name, state } of running) {
          if (state === null) report(`${name} does not run: ${text()}`);
          const names = state ? doubted(state) : [];
          if (names.length > 0) report(`${name} does not call ${names.join(", ")} alive`);
        }
        for (const { name, state } of serving) {
          if (state !== null && state.role !== "active")
            report(`${name} serves and is ${state.role}`);
        }
      },
    };
  },
};
