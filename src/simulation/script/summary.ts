/** How a world stands, in a line or two; and one host, as its own status would say it. */
import { gateView } from "../../core/step/gate.ts";
import { rightStatus } from "../../core/step/right-status.ts";
import type { Host } from "../host.ts";
import type { SimulatedWorld } from "../world.ts";

/** By site where it has one host that may serve. */
export function serving(world: SimulatedWorld): readonly string[] {
  return [...world.hosts.values()]
    .filter(({ service }) => service.runs)
    .map(({ name, site }) => (world.hostsOf(site).length === 1 ? site : name));
}

function viewOf({ name, machine, state, isAgentStopped }: Host): string {
  if (!machine.isUp) return `${name}: off`;
  if (!state) return `${name}: no agent`;
  if (isAgentStopped) return `${name}: stopped`;
  const rows = Object.entries(state.groups).map(([site, { row }]) => `${site} row ${row}`);
  return `${name}: ${rows.length === 0 ? "nothing judged" : rows.join(", ")}`;
}

/** "tokyo serves; term 257; osaka-1: tokyo row 2; tokyo-1: osaka row 2" */
export function summaryOf(world: SimulatedWorld): string {
  const hosts = [...world.hosts.values()];
  const who = serving(world);
  const terms = hosts.flatMap(({ state }) => state?.term ?? []);
  const highest = terms.reduce((a, b) => (a > b ? a : b), 0n);
  const behind = hosts.flatMap(({ name, state }) =>
    state && state.term !== highest ? [`${name}: term ${state.term}`] : [],
  );
  return [
    who.length === 0
      ? "nobody serves"
      : `${who.join(" and ")} ${who.length === 1 ? "serves" : "serve"}`,
    `term ${highest}`,
    ...behind,
    ...hosts.map(viewOf),
  ].join("; ");
}

function leaseText({ armed, alone, leaseLeftMs, guarded }: ReturnType<typeof rightStatus>): string {
  if (!armed) return "no leases";
  if (alone) return "alone, without a lease";
  if (leaseLeftMs === null) return guarded ? "guarded" : "owns no term";
  return `lease ${leaseLeftMs > 0 ? `${(leaseLeftMs / 1000).toFixed(1)} s` : "run out"}`;
}

/** Lines as `mirrorbeat status` has them, in short. */
export function statusLines(host: Host): readonly string[] {
  const { name, state } = host;
  if (!state) return [`${name}: no agent answers`];
  const right = rightStatus(state);
  const gate = gateView(state, "").open ? "open" : "closed";
  const lines = [
    `${name}: ${state.role} (${state.roleReason}), term ${state.term}, ${leaseText(right)}, gate ${gate}`,
  ];
  for (const peer of state.peers) {
    const paths = Object.entries(peer.sightings).map(([path, { status }]) => `${path} ${status}`);
    const verdict = peer.verdict;
    const row = verdict ? `row ${verdict.row}, ${verdict.action}` : "not judged";
    lines.push(`${peer.host.name}: ${paths.join(", ")}: ${row}`);
  }
  for (const { met, text } of right.needs) if (!met) lines.push(`missing: ${text}`);
  return lines;
}
