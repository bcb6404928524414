/**
 * What this agent has seen of each data group's copying. A copy that was cut off half-way leaves a
 * volume that is of no use, though its pair says no more than "suspended": only who saw it copying
 * knows. A group that was not seen while it was connected has no history.
 */
import type { PairView } from "../remotecopy/provider.ts";

export type DataHistory = {
  saw(group: string, view: PairView): void;
  /** This end's volume was being made equal when its pair was last connected. */
  isCutOff(group: string, view: PairView): boolean;
};

const isSuspended = ({ state }: PairView): boolean =>
  state === "suspended-by-error" || state === "suspended-by-operator";

export function dataHistory(): DataHistory {
  const copying = new Set<string>();
  return {
    saw(group, { state, role }) {
      if (state === "copying" && role === "secondary") copying.add(group);
      // Of what is unknown or suspended nothing new is learnt.
      else if (state !== "unknown" && !state.startsWith("suspended")) copying.delete(group);
      else if (role === "primary") copying.delete(group);
    },
    isCutOff: (group, view) => isSuspended(view) && copying.has(group),
  };
}
