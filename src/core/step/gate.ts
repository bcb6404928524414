/** The boot gate: may this host start the service now, and if not, what would open it. */
import { exitCodes } from "../base/exit-codes.ts";
import { ownerHosts, ownsTerm, possibleHolders, siteOf } from "./holders.ts";
import { isArmed } from "./issued.ts";
import { hasRight, leaseLeftMs } from "./lease.ts";
import type { State } from "./state.ts";

export type GateView = {
  readonly schema: 1;
  readonly open: boolean;
  readonly code: 0 | 4 | 75;
  readonly reason: string;
  /** What would open it; empty where it is open. */
  readonly opens: string;
  readonly role: State["role"];
  readonly term: string;
  readonly owner: string;
};

type Closed = { readonly reason: string; readonly opens: string };

/** `volumesFault`: no volume of this host can be read or written; empty where one can. */
export function gateView(state: State, volumesFault: string): GateView {
  const owner = siteOf(state, state.term);
  const facts = { schema: 1, role: state.role, term: String(state.term), owner } as const;
  // The service hook of a takeover may well start what asks the gate.
  const serves = state.role === "active" || state.takeover?.phase === "hook";
  if (serves && !state.beacon && ownsTerm(state) && hasRight(state)) {
    return { ...facts, open: true, code: exitCodes.ok, reason: openReason(state), opens: "" };
  }
  if (volumesFault !== "") {
    const opens = "mend the volumes; mirrorbeat doctor names what is wrong";
    return { ...facts, open: false, code: exitCodes.statusUnknown, reason: volumesFault, opens };
  }
  return { ...facts, open: false, code: exitCodes.tryLater, ...closedWhy(state, owner) };
}

function openReason(state: State): string {
  const { site } = state.config.self;
  const right = !isArmed(state)
    ? ""
    : state.lease.solo
      ? " (alone: no lease binds it)"
      : ` (lease ends in ${(leaseLeftMs(state) / 1000).toFixed(1)} s unless renewed)`;
  return `site ${site} active in term ${state.term}${right}`;
}

function closedWhy(state: State, owner: string): Closed {
  const { role, roleReason, term } = state;
  if (state.beacon) {
    return { reason: "this host is a beacon or a witness: it never serves", opens: "nothing" };
  }
  switch (role) {
    case "standby": {
      const active = ownerHosts(state).some(({ word }) => word?.term === term);
      const seen = active ? "" : ", which was not heard in it yet";
      return {
        reason: `term ${term} belongs to ${owner}${seen}; this site joins as standby`,
        opens: "a takeover, or a switch-over to this site: mirrorbeat takeover",
      };
    }
    case "transitioning":
      return {
        reason: roleReason,
        opens: "its end; if it ended half-way: mirrorbeat takeover --yes",
      };
    case "fenced":
      return {
        reason: `${roleReason}; its service is not stopped yet`,
        opens: "the stop hook's success",
      };
    case "starting":
    case "stopped":
    case "active":
      return { reason: `term ${term} is ours; ${roleReason}`, opens: waitsFor(state) };
  }
}

/** What the owner of the term waits for. */
function waitsFor(state: State): string {
  if (!ownsTerm(state)) return "the role follows with the next beat";
  if (state.watchdogFault !== "") return `a watchdog that can be fed: ${state.watchdogFault}`;
  const others = possibleHolders(state).map(({ host }) => host.name);
  const sites = [...new Set(possibleHolders(state).map(({ host }) => host.site))].join(", ");
  const word = isArmed(state)
    ? `a beat of ${sites} that grants this start its lease`
    : `a fresh beat of ${others.join(", ")}`;
  return `${word}; or, if that site is powered off: mirrorbeat gate --peer-is-off ${sites} --yes`;
}
