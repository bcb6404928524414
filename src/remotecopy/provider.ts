/**
 * What the agent needs of any remote copy: the state of one pair, and how old that knowledge is.
 * Each kind of remote copy is one file that implements this; the states are those that arrays have
 * in common, whatever they call them.
 */
export const pairStates = [
  /** No pair: nothing is copied, and nothing remembers what differs. */
  "simplex",
  /** Being made equal, for the first time or again; the SVOL is of no use until the end. */
  "copying",
  "paired",
  /** Split by command. */
  "suspended-by-operator",
  /** Split by a fault of the link or of a volume. */
  "suspended-by-error",
] as const;
export type PairState = (typeof pairStates)[number];

/** What a state is worth as evidence of the other site; the same words as the verdict's table. */
export type PairEvidence = "paired" | "copying" | "suspended" | "split" | "unknown";

export type PairAnswer =
  | {
      readonly ok: true;
      readonly state: PairState;
      readonly evidence: PairEvidence;
      /** Monotonic, from before the question was sent: the answer is never older than it says. */
      readonly observedMs: number;
      /** Of the copying; 100 when paired; null where the provider does not know. */
      readonly percent: number | null;
      /** Since the last block reached the SVOL; null if none did, or where it is not known. */
      readonly lastCopyAgoMs: number | null;
      /** Why it is suspended by an error; empty otherwise. */
      readonly cause: string;
    }
  /** Could not be asked: the agent takes the pair as unknown. */
  | { readonly ok: false; readonly reason: string };

export type PairProvider = {
  query(deadlineMs: number): Promise<PairAnswer>;
};

export function evidenceOf(state: PairState): PairEvidence {
  switch (state) {
    case "paired":
    case "copying":
      return state;
    case "suspended-by-error":
      return "suspended";
    case "suspended-by-operator":
    case "simplex":
      return "split";
  }
}
