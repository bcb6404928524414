/**
 * What the conformance suite needs of each kind of remote copy: two ends that can be driven, and
 * as many of its faults as can be caused. Real engines where they run, else a stand-in that
 * answers as the recorded or documented array does.
 */
import type { MirrorEnd } from "../evidence.ts";
import type { OpenPair } from "../open-provider.ts";

/** Causes a fault; what it gives undoes it. */
export type Fault = () => Promise<() => Promise<void>>;

export type ConformanceBench = {
  /** For the report: "qemu-storage-daemon 7.2, synchronous". */
  readonly title: string;
  /**
   * Both ends of one pair, by the program's own clock; the suite begins and ends each check with
   * the pair simplex.
   */
  readonly ends: Readonly<Record<MirrorEnd, OpenPair>>;
  /** The volumes themselves, where something is really copied; null for a stand-in. */
  readonly data: {
    readonly write: (end: MirrorEnd, block: number, bytes: Buffer) => Promise<void>;
    readonly read: (end: MirrorEnd, block: number) => Promise<Buffer>;
  } | null;
  /** null where this kind cannot meet that fault. All are of the writer's array, unless told. */
  readonly faults: {
    /** The link between the arrays is dead; both arrays live. */
    readonly cutLink: Fault | null;
    /** It takes questions and commands, and never answers. */
    readonly hang: Fault | null;
    /** Its daemon or program is gone. */
    readonly dead: Fault | null;
    /** It answers with bytes that are no answer. */
    readonly garbage: Fault | null;
    /** It answers with the first half of an answer. */
    readonly truncated: Fault | null;
    /** The next changing command takes effect, but is cut off before it says so. */
    readonly killedInMidCommand: Fault | null;
    /** The next changing command fails with its exit code although it took effect. */
    readonly failsAfterEffect: Fault | null;
    /** The next changing command claims success and does nothing. */
    readonly liesOfSuccess: Fault | null;
    /** One volume of the group is in another state than the others. */
    readonly mixedGroup: Fault | null;
    /** Another volume answers under the name that is configured. */
    readonly otherVolume: Fault | null;
  };
  /** For a kind without `create`: what somebody else does at the array. */
  readonly makePair?: () => Promise<void>;
  /** Whatever state it is in: no pair, no fault, roles as configured. */
  readonly reset: () => Promise<void>;
  readonly end: () => Promise<void>;
};

/** A bench, or why this machine cannot have one. */
export type BenchMade =
  | { readonly ok: true; readonly bench: ConformanceBench }
  | { readonly ok: false; readonly reason: string };
