/**
 * The states of a pair and what leads from one to another; nothing else may change a state.
 *
 *   simplex --create--> copying --copied--> paired
 *                        |  ^  \              |  \
 *                   split|  |   failed   split|   failed
 *                        v  |resync  \        v    v
 *       suspended-by-operator         suspended-by-error
 *
 *   delete leads from anywhere to simplex; resync leads from both suspended states to copying.
 *   takeover leads from paired and both suspended states to takeover: the copy's target is its
 *   site's own from then on, and only a swap copies again, from it to what was the source.
 *   swap, while paired, exchanges source and target and leaves the pair paired.
 */
import type { PairState } from "../provider.ts";

/** The states that this copy can be in. */
export const copyStates = [
  "simplex",
  "copying",
  "paired",
  "suspended-by-operator",
  "suspended-by-error",
  "takeover",
] as const satisfies readonly PairState[];
export type CopyState = (typeof copyStates)[number];

export type PairEvent =
  | "create"
  | "delete"
  | "split"
  | "resync"
  | "swap"
  | "takeover"
  | "copied"
  | "failed";

export type Transition =
  | { readonly kind: "to"; readonly state: CopyState }
  /** It is so already. */
  | { readonly kind: "same" }
  | { readonly kind: "refused"; readonly message: string };

const to = (state: CopyState): Transition => ({ kind: "to", state });
const isSuspended = (state: CopyState): boolean =>
  state === "suspended-by-operator" || state === "suspended-by-error";
const same: Transition = { kind: "same" };

export function transition(state: CopyState, event: PairEvent): Transition {
  const refused: Transition = { kind: "refused", message: `not possible while ${state}` };
  switch (event) {
    case "create":
      return state === "simplex" ? to("copying") : refused;
    case "delete":
      return state === "simplex" ? same : to("simplex");
    case "split":
      if (state === "suspended-by-operator") return same;
      return state === "paired" || state === "copying" ? to("suspended-by-operator") : refused;
    case "resync":
      if (state === "paired" || state === "copying") return same;
      return isSuspended(state) ? to("copying") : refused;
    case "swap":
      if (state === "paired") return to("paired");
      return state === "takeover" ? to("copying") : refused;
    case "takeover":
      if (state === "takeover") return same;
      return state === "paired" || isSuspended(state) ? to("takeover") : refused;
    case "copied":
      return state === "copying" ? to("paired") : refused;
    case "failed":
      return state === "paired" || state === "copying" ? to("suspended-by-error") : refused;
  }
}
