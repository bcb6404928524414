/** What a host remembers of signals by pair states, and what may happen to them: see signal.ts. */
import type { ExitCode } from "../base/exit-codes.ts";

export type SignalVerb = "split" | "resync";

/** An operator asks whether the reading site of a mirror answers. */
export type SignalInput = {
  readonly kind: "signal";
  readonly nowMs: number;
  readonly id: number;
  readonly mirror: string;
  /** How long to wait for the answer. */
  readonly waitMs: number;
  readonly force: boolean;
};

/** What became of a change that was asked for by `change-pair`; it always comes. */
export type PairChangedInput = {
  readonly kind: "pair-changed";
  readonly nowMs: number;
  readonly mirror: string;
  readonly verb: SignalVerb;
  /** The words of src/remotecopy/change.ts. */
  readonly outcome: "done" | "noop" | "in-progress" | "refused" | "indeterminate";
  /** There is no pair any more. */
  readonly gone: boolean;
  readonly message: string;
};

export type ChangePair = {
  readonly kind: "change-pair";
  readonly mirror: string;
  readonly verb: SignalVerb;
};

/** A pair that this host has split for a signal, or is about to. */
export type Split = {
  readonly why: "asked" | "answer" | "restart";
  /** Who reads the mirror. */
  readonly site: string;
  readonly phase: /** Until its note is durable: nothing is split before. */
  "noting" | "splitting" | "held" | "resyncing";
  /** The shell is at it. */
  readonly busy: boolean;
  readonly beganMs: number;
  readonly waitMs: number;
  readonly splitMs: number;
  /** The mirror whose pair was split there, once it was seen. */
  readonly answeredBy: string | null;
  readonly retryMs: number;
  readonly retries: number;
  /** A pair that is found paired before this may yet be split by what was sent. */
  readonly sureMs: number;
};

/** What the answers on one mirror's pair have said; those that knew nothing are left out. */
export type SeenPair = {
  readonly paired: boolean;
  /** Some host of the writing site beat on it then. */
  readonly beating: boolean;
  /** When it was last seen not paired. */
  readonly brokenMs: number | null;
};

/** How the last signal that was asked for here ended. */
export type SignalEnd = {
  readonly mirror: string;
  readonly code: ExitCode;
  readonly answeredBy: string | null;
  readonly afterMs: number | null;
  readonly message: string;
};

export type Signals = {
  /** By the mirror's name. */
  readonly splits: Readonly<Record<string, Split>>;
  /** Signals of other sites that may yet be answered: when each was given, by mirror. */
  readonly heard: Readonly<Record<string, number>>;
  readonly seen: Readonly<Record<string, SeenPair>>;
  /** When this host last had a mirror's pair split. */
  readonly splitMs: Readonly<Record<string, number>>;
  readonly last: SignalEnd | null;
};
