/** What the core wants of the data groups' pairs, and what it is told of them. */
import type { PairEvidence } from "../remotecopy/evidence.ts";
import type { PairRole } from "../remotecopy/provider.ts";

/**
 * Make this site's end of these groups the one that is written. "swap" is for a pair that is
 * whole, with both sites' arrays there; "takeover" for the failure of the other site.
 */
export type TakeData = {
  readonly kind: "take-data";
  readonly term: bigint;
  readonly verb: "takeover" | "swap";
  /** Names, in the order in which they are taken; left out: all, in the configuration's order. */
  readonly groups?: readonly string[];
};

/** Are all groups whole, in sync, and written at this end? */
export type CheckData = {
  readonly kind: "check-data";
  readonly term: bigint;
  /** Make them whole first: resynchronise, or copy back what this site took over. */
  readonly repair?: boolean;
};

export type DataInput = {
  readonly kind: "data";
  /** Monotonic: the knowledge is no older than this. */
  readonly nowMs: number;
  /** CLOCK_BOOTTIME at that moment. */
  readonly bootNs: bigint;
  readonly group: string;
  /** Without regard to the direction: that is the role's. A copy cut off half-way is "copying". */
  readonly state: PairEvidence;
  /** Of this site's end, as its array has it now. */
  readonly role: PairRole;
  readonly inSync: boolean | null;
  /** Before `nowMs`. */
  readonly lastCopyAgoMs: number | null;
};

type DataEnd = {
  readonly nowMs: number;
  readonly term: bigint;
  readonly ok: boolean;
  /** One line: what is true now, and what to do. */
  readonly detail: string;
};
export type DataTakenInput = { readonly kind: "data-taken" } & DataEnd;
export type DataCheckedInput = { readonly kind: "data-checked" } & DataEnd;

export type DataNews = DataInput | DataTakenInput | DataCheckedInput;
