/**
 * What mirrorbeat asks of any remote copy. Each kind of remote copy is one file beside this one
 * that implements `PairProvider`; whatever an array calls its states, these are the common ones.
 *
 * A provider translates and reports. It never decides whether a change succeeded: src/remotecopy/
 * change.ts compares the states before and after, because the exit code of an array's command
 * does not say what became of the pair (`horctakeover` may fail, and the SVOL be taken over).
 *
 * Invariants of every provider: no call outlives its deadline by more than a little; none throws
 * on anything that an array, a program or a network may do; what cannot be understood is a fault
 * `unparseable` or the state `unknown`, never `paired`.
 */
import type { PairVerb } from "../core/base/pair-settings.ts";

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
  /** The SVOL was made writable without the other site's consent; the volumes may differ. */
  "takeover",
  /** The array does not know, contradicts itself, or mixes states in one group. */
  "unknown",
] as const;
export type PairState = (typeof pairStates)[number];

/** As the array has it now: after a swap the primary is at the other site. */
export type PairRole = "primary" | "secondary" | "none" | "unknown";

/** One end of a pair as its own array sees it. null: this array does not tell. */
export type PairView = {
  readonly state: PairState;
  readonly role: PairRole;
  readonly readable: boolean | null;
  readonly writable: boolean | null;
  /** Whether the SVOL holds all that the PVOL does, as far as this end can know. */
  readonly inSync: boolean | null;
  /** Of the copying; 100 when paired; null where it is not told. */
  readonly percent: number | null;
  /** Since the last block reached the SVOL; null if none did, or where it is not told. */
  readonly lastCopyAgoMs: number | null;
  /** The array's own words for the state, for people: "S-VOL SSWS", "Connecting UpToDate". */
  readonly native: string;
  /** Why it is suspended by an error or unknown; empty otherwise. */
  readonly cause: string;
};

/** Why something could not be had or done. */
export const faultClasses = [
  /** The array's daemon, socket or program does not answer here. */
  "daemon-down",
  /** The other site's array does not answer. */
  "peer-unreachable",
  /** Not in this state of the pair. */
  "wrong-state",
  /** The array refused it, or failed. */
  "array-rejected",
  /** Volumes of one group are in different states. */
  "mixed-group",
  "timeout",
  /** Not permitted. */
  "auth",
  /** The provider's settings are wrong, or the array does not know what they name. */
  "config",
  /** The answer is not what this array's interface is known to say. */
  "unparseable",
  /** The volume is not the one that is expected. */
  "identity",
  /** This remote copy has no such operation. */
  "unsupported",
] as const;
export type FaultClass = (typeof faultClasses)[number];
export type PairFault = {
  readonly ok: false;
  readonly class: FaultClass;
  /** One line: what, where, and the remedy if there is one. */
  readonly message: string;
};

export type PairAnswer =
  | {
      readonly ok: true;
      /**
       * Monotonic, from before the question was sent: the answer is never older than it says. A
       * source that tells the age of its knowledge makes this so much earlier.
       */
      readonly observedMs: number;
      readonly local: PairView;
      /** The other end as its own array sees it; null where it was not asked, or did not answer. */
      readonly remote: PairView | null;
      /** Why `remote` is null although it was asked for. */
      readonly remoteFault: PairFault | null;
    }
  | PairFault;

/** Which volume this is, as the array itself says; compared as text with what is configured. */
export type Identity = {
  /** Array serial and volume, as in "411001/1a01"; unique over all arrays of the provider. */
  readonly own: string;
  /** The other end, where this end knows it. */
  readonly peer: string | null;
};
export type IdentityAnswer = { readonly ok: true; readonly identity: Identity } | PairFault;

export type Capabilities = {
  /** Changes that this remote copy can make at all. */
  readonly verbs: readonly PairVerb[];
  /** Whether the PVOL's write waits for the SVOL's. */
  readonly copying: "synchronous" | "asynchronous" | "either";
  /** How a host reads the SVOL while it is paired. */
  readonly secondaryRead: "device" | "backing-device" | "none";
  /** Whether `query("both")` can show the other end. */
  readonly remoteQuery: boolean;
  /** One command exchanges the roles, or none does. */
  readonly atomicSwap: boolean;
};

export type Change = {
  readonly verb: PairVerb;
  /** The state just before, which was queried for this change. */
  readonly before: Extract<PairAnswer, { ok: true }>;
  /** The operator accepts what the verb says it risks. */
  readonly force: boolean;
};

/** What became of a provider's commands; not of the pair. */
export type Performed =
  /** They ran to their end, whatever exit code they gave; `detail` holds it for people. */
  | { readonly kind: "ended"; readonly detail: string }
  /** Killed at the deadline or cut off: they may yet take effect. */
  | { readonly kind: "cut-short"; readonly detail: string }
  /** Nothing was sent to the array. */
  | { readonly kind: "not-begun"; readonly fault: PairFault };

export type QueryScope = "local" | "both";

export type PairProvider = {
  readonly capabilities: Capabilities;
  identify(deadlineMs: number): Promise<IdentityAnswer>;
  /** "local" asks this site's array alone, and never waits for the other site. */
  query(scope: QueryScope, deadlineMs: number): Promise<PairAnswer>;
  /** The commands that `perform` would send now, each as a person would type it. */
  commands(change: Change): readonly string[];
  perform(change: Change, deadlineMs: number): Promise<Performed>;
};

export const fault = (faultClass: FaultClass, message: string): PairFault => ({
  ok: false,
  class: faultClass,
  message,
});
