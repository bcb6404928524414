/** What a pair's state is worth as evidence of the other site; the words of the verdict's table. */
import type { PairState, PairView } from "./provider.ts";

/** The same words as in src/core/verdict.ts, which this folder may not import. */
export type PairEvidence = "paired" | "copying" | "suspended" | "split" | "unknown";

export function evidenceOf(state: PairState): PairEvidence {
  switch (state) {
    case "paired":
    case "copying":
    case "unknown":
      return state;
    case "suspended-by-error":
      return "suspended";
    case "suspended-by-operator":
    case "simplex":
    case "takeover":
      return "split";
  }
}

/** Which end of the mirror this host stands at, as the configuration has it. */
export type MirrorEnd = "writer" | "reader";

/**
 * The evidence for the mirror's own direction: a pair that copies the other way round carries
 * none of its heartbeats, however well it is. One that copies in no direction that is known is
 * not understood.
 */
export function directedEvidence(view: PairView, end: MirrorEnd): PairEvidence {
  const evidence = evidenceOf(view.state);
  const [wanted, reversed] = end === "writer" ? ["primary", "secondary"] : ["secondary", "primary"];
  if (view.role === reversed) return "split";
  const isCopy = evidence === "paired" || evidence === "copying";
  return isCopy && view.role !== wanted ? "unknown" : evidence;
}
