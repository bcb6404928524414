/**
 * A right that runs out in the midst of a takeover or a switch-over, while the service may run:
 * what was begun ends there, so that the service is stopped by its hook while there is time.
 */
import { exitCodes } from "../base/exit-codes.ts";
import { only } from "./chain.ts";
import { abort } from "./handover.ts";
import { ownsTerm } from "./holders.ts";
import { isArmed } from "./issued.ts";
import { isStopDue } from "./lease.ts";
import { endTakeover, halted } from "./takeover-end.ts";
import type { State, Step } from "./state.ts";

export function settleLapse(state: State): Step {
  const nothing = only(state);
  const { handover, takeover, serviceMayRun } = state;
  if (!isArmed(state) || !ownsTerm(state) || !serviceMayRun || !isStopDue(state)) return nothing;
  if (handover) return abort(state, exitCodes.unsafe, "the lease runs out");
  if (takeover?.phase !== "hook") return nothing;
  const message =
    `the term ${state.term} is ours, but the lease ran out before the service hook ended: ` +
    "run `mirrorbeat takeover --yes` again when the other site is heard";
  return halted(endTakeover(state, exitCodes.indeterminate, message, "no lease"), message);
}
