/** The right to be active, as the status tells it: lease, guard, lock, wait, data, switch-over. */
import { asksArbiter } from "../base/config.ts";
import { dataState } from "./data.ts";
import { ownsTerm } from "./holders.ts";
import { isArmed } from "./issued.ts";
import { isGuarded, leaseLeftMs } from "./lease.ts";
import { lockHeld, needsLock } from "./lock.ts";
import { grants, needsOf, waitLeftMs } from "./standby.ts";
import type { State } from "./state.ts";

const rounded = (ms: number): number | null => (Number.isFinite(ms) ? Math.round(ms) : null);

function dataStatus(state: State) {
  return state.config.dataGroups.map(({ name, id }) => {
    const view = state.data[name];
    return {
      group: name,
      id,
      /** Unknown where the last answer is too old. */
      state: dataState(state, name),
      role: view?.role ?? null,
      ageMs: view ? rounded(state.nowMs - view.observedMs) : null,
    };
  });
}

export function rightStatus(state: State) {
  const armed = isArmed(state);
  const owner = ownsTerm(state);
  const stands = armed && !owner && !state.beacon;
  return {
    /** Leases are in force: this site is active only while another one grants it. */
    armed,
    guarded: isGuarded(state),
    /** Active without a lease, until the other site grants one. */
    alone: armed && owner && state.lease.solo,
    leaseLeftMs: armed && owner ? rounded(leaseLeftMs(state)) : null,
    /** The site that an operator attested to be off; null where none. */
    attested: state.attested === "" ? null : state.attested,
    serviceMayRun: state.serviceMayRun,
    /** Its echoes are grants. */
    grants: grants(state),
    lock: { needed: needsLock(state), held: lockHeld(state), epoch: state.lock.epoch },
    waitLeftMs: stands ? rounded(Math.max(0, waitLeftMs(state))) : null,
    renounced: state.waiting.renounced,
    needs: stands ? needsOf(state) : [],
    arbiter: asksArbiter(state.config.policy)
      ? { answer: state.arbiter.answer, detail: state.arbiter.detail }
      : null,
    switchover: state.handover ? { to: state.handover.to, phase: state.handover.phase } : null,
    given: state.given?.site ?? null,
    watchdogFault: state.watchdogFault === "" ? null : state.watchdogFault,
    data: dataStatus(state),
  };
}
