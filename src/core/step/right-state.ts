/** What a host holds of the right to be active: its lease, its site's lock, its wait as standby. */
import type { Position } from "../record.ts";

/**
 * Two clocks of one host, as the proof needs them (docs/safety.md, "Clocks"): `longMs` never runs
 * slower than time passes, suspension included; `shortMs` never faster. An owner counts its lease
 * on the first, a standby its wait on the second.
 */
export type LeaseClocks = { readonly longMs: number; readonly shortMs: number };

/** A beat of our own that an echo may grant. */
export type IssuedBeat = {
  readonly serial: bigint;
  readonly nonce: bigint;
  /** Long clock, just before it was submitted. */
  readonly atMs: number;
};

export type Lease = {
  /** Beats of the last `limitMs`, oldest first: an older one renews nothing. */
  readonly issued: readonly IssuedBeat[];
  /** Start of the newest beat granted in this term, long clock, by granting site. */
  readonly anchors: Readonly<Record<string, number>>;
  /** The lease in force; a longer one only once the other site is known to go by it too. */
  readonly limitMs: number;
  /** This host may be active without a lease: it took the term, or takeover was renounced. */
  readonly solo: boolean;
  /** Newest record of ours that is durable on a witness volume, and since when (monotonic). */
  readonly volumeWritten: { readonly serial: bigint; readonly atMs: number } | null;
  /** Highest lock epoch seen of each granting site: an older decider's word is void. */
  readonly epochs: Readonly<Record<string, number>>;
};

export type Waiting = {
  /** Short clock: the latest moment from which the takeover wait counts. */
  readonly sinceMs: number;
  /** Incarnation of each armed host in which its guard was seen on, in this term, by name. */
  readonly guards: Readonly<Record<string, bigint>>;
  /** An owner's record proves its guard only if it echoes a later serial of ours. */
  readonly floorSerial: bigint;
  /** Why takeover is renounced in this term now; null where it is not. */
  readonly renounced: string | null;
  /** The witness granted takeover in this term. */
  readonly witnessed: boolean;
  /** Our echoes were grants since this host decides in this term: an owner knows our epoch. */
  readonly granting: boolean;
  /** Every need is met: this site holds the exclusive right, if the verdict says eligible. */
  readonly ripe: boolean;
  /** Since when the witness is asked, as the serial of our first such record; null: it is not. */
  readonly claimSerial: bigint | null;
  /** Short clock: since when that claim is durable on a witness volume; null: it is not. */
  readonly claimDurableMs: number | null;
};

export type SiblingClaim = {
  readonly claims: boolean;
  readonly epoch: number;
  /** Short clock: when its newest record was first seen here. */
  readonly seenMs: number;
};

/** The lock of our site: see lock.ts. */
export type SiteLock = {
  readonly phase: "free" | "claiming" | "held";
  /** Of our own newest claim. */
  readonly epoch: number;
  /** Highest of any host of this site, ours before a restart included. */
  readonly seenEpoch: number;
  /** First serial that carried the claim. */
  readonly claimSerial: bigint;
  /** Serial of the newest record that a clean look confirmed. */
  readonly confirmedSerial: bigint;
  /** Long clock: start of the write of that record. */
  readonly anchorMs: number;
  /** Monotonic: no new claim before. */
  readonly backoffMs: number;
  readonly siblings: Readonly<Record<string, SiblingClaim>>;
  /** A good look at our own PVOL was had. */
  readonly looked: boolean;
};

/** What must survive a restart before it is acted upon. */
export type Durable = {
  readonly term: bigint;
  /** The term was taken, and the service not started yet. */
  readonly halfDone: boolean;
  /** The service may run here. */
  readonly serving: boolean;
  /** Of a witness: the term in which it granted takeover, and the id of the site. */
  readonly grantedTerm: bigint;
  readonly grantedSite: number;
  /** This host gave the term to the site of that id; 0 where it did not. */
  readonly givenSite: number;
  /** Of a witness: it does not know what it granted, and was not armed since. */
  readonly blank: boolean;
};

/** In this order. */
export type HandoverPhase =
  /** The data is made whole, or found so, while the service still runs. */
  | "preparing"
  | "stopping"
  /** The other hosts of our site stop too. */
  | "siblings"
  /** No more is written: all of it must be at the other site. */
  | "checking"
  | "storing"
  | "publishing"
  /** Until the other site is active. */
  | "following";

export type Handover = {
  readonly id: number;
  readonly to: string;
  readonly phase: HandoverPhase;
  readonly term: bigint;
  readonly serial: bigint;
  readonly repair: boolean;
  readonly deadlineMs: number;
};

/** A term that this site has given to another one. */
export type Given = { readonly term: bigint; readonly site: string };

/** One data group's pair as it was last asked for. */
export type DataView = {
  readonly state: "paired" | "copying" | "suspended" | "split" | "unknown";
  readonly role: "primary" | "secondary" | "none" | "unknown";
  readonly observedMs: number;
  /** Own boot clock when it was last in sync, as far as it is known; 0 where it is not. */
  readonly inSyncNs: bigint;
};

export type { Position };
