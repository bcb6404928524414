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
 */
import type { PairState } from "../provider.ts";

/** The states that this copy can be in. */
export const copyStates = [
  "simplex",
  "copying",
  "paired",
  "suspended-by-operator",
  "suspended-by-error",
] as const satisfies readonly PairState[];
export type CopyState = (typeof copyStates)[number];

export type PairEvent = "create" | "delete" | "split" | "resync" | "copied" | "failed";

export type Transition =
  | { readonly kind: "to"; readonly state: CopyState }
  /** It is so already. */
  | { readonly kind: "same" }
  | { readonly kind: "refused"; readonly message: string };

const to = (state: CopyState): Transition => ({ kind: "to", state });
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
      return state === "simplex" ? refused : to("copying");
    case "copied":
      return state === "copying" ? to("paired") : refused;
    case "failed":
      return state === "paired" || state === "copying" ? to("suspended-by-error") : refused;
  }
}
