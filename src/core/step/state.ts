/**
 * What one agent knows. `State` is a value: step() never changes one, it returns the next. What
 * may happen to it stands in input.ts, what it wants done in action.ts.
 */
import type { Config, HostConfig } from "../base/config.ts";
import type { Command, Devices } from "../base/devices.ts";
import type { ExitCode } from "../base/exit-codes.ts";
import type { Role } from "../decision.ts";
import type { Sighting, Watch } from "../observation.ts";
import type { Position } from "../record.ts";
import type { HeartbeatRecord } from "../sector/layout.ts";
import type { ArbiterEvidence, PairEvidence, Verdict } from "../verdict.ts";
import type {
  DataView,
  Given,
  Handover,
  Lease,
  LeaseClocks,
  SiteLock,
  Waiting,
} from "./right-state.ts";
import type { Signals } from "./signal-state.ts";

export type * from "./action.ts";
export type * from "./input.ts";

/** The name of the network path; mirrors go by their own names. */
export const networkPath = "network";

/** Our own observing on one path, and whether it is switched on. */
export type PathState = {
  readonly name: string;
  readonly kind: "network" | "mirror";
  readonly enabled: boolean;
  readonly watch: Watch;
};

/** What the newest record of a host says, whichever path brought it. */
export type Word = Pick<
  HeartbeatRecord,
  | "incarnation" | "serial" | "nonce" | "term" | "state" | "role" | "flags" | "bootId"
  | "intervalMs" | "timingDigest" | "wallClockNs" | "generation" | "pathsOff" | "stagedDigest"
  | "keyRing" | "keyId"
  | "command" | "commandKind" | "commandMirror" | "commandSeen" | "commandDone" | "commandFault"
  | "commandDoneBefore" | "handoverTerm" | "handoverSite" | "lockEpoch" | "groups" | "bootClockNs"
>; // biome-ignore format: one list

/** What a host says that it last saw of us; lags in beats by path index. */
export type EchoOfUs = Position & {
  readonly nonce: bigint;
  /** The term in which it was written, and grants. */
  readonly term: bigint;
  readonly lags: readonly number[];
  readonly writtenSerial: bigint;
};

export type Peer = {
  readonly host: HostConfig;
  readonly siteId: number;
  readonly enabled: boolean;
  /** By path name; a host is seen only on the paths that lead from its site to ours. */
  readonly sightings: Readonly<Record<string, Sighting>>;
  /** Oldest position that may still be believed, by path name: durable across our restarts. */
  readonly marks: Readonly<Record<string, Position>>;
  /** Paths that the host itself switched off. */
  readonly pathsOff: readonly string[];
  /** When a beacon's second advance within this host's silence was seen, by mirror name. */
  readonly linkProvenMs: Readonly<Record<string, number>>;
  readonly word: Word | null;
  readonly echo: EchoOfUs | null;
  readonly verdict: Verdict | null;
};

/** What is known of a mirror's pair: its worth as evidence, and the array's words for people. */
export type PairView = {
  readonly state: PairEvidence;
  readonly observedMs: number;
  readonly facts: PairFacts | null;
  /** The cause that was last told of, and when. */
  readonly toldCause: string;
  readonly toldMs: number;
};
export type PairFacts = {
  readonly role: string;
  readonly native: string;
  readonly percent: number | null;
  /** Why it is not as it should be, or could not be asked; empty otherwise. */
  readonly cause: string;
  /** Split by command, and by nothing else: it may be a signal. */
  readonly byCommand?: boolean;
};

/** One direction of a path to one host: see one-way.ts. */
export type OneWayWatch = {
  readonly view: "lost" | "ok" | "unknown";
  /** Since when it looks like that, without a break. */
  readonly sinceMs: number;
  /** The host's run in which it began to. */
  readonly incarnation: bigint;
  /** Since when it is lost, where that is stated; null while it is not. */
  readonly lostMs: number | null;
};

/** In this order; what is not needed is passed over. */
export type TakeoverPhase =
  /** The term was given to us: until its giver is known to have stopped. */
  | "receiving"
  /** An arbiter outside is asked for the exclusive right. */
  | "arbiter"
  | "storing"
  | "publishing"
  /** A look at our PVOL must show that no sibling took the lock meanwhile. */
  | "locking"
  /** Until the other site's lease has run out for certain. */
  | "waiting"
  | "data"
  | "hook";

export type Takeover = {
  readonly id: number;
  /** The term that is being taken: ours only when it is stored. */
  readonly term: bigint;
  readonly phase: TakeoverPhase;
  /** Begun by this agent itself, by an operator's word, or because the term was given to us. */
  readonly by: "agent" | "operator" | "handover";
  /** The site that an operator attested to be off; empty where none. */
  readonly attested: string;
  /** Short clock: until then the other site may be active under our last grant; null: it is not. */
  readonly waitUntilMs: number | null;
  /** A record with this serial or a later one must be durable on a volume of ours. */
  readonly serial: bigint;
  readonly deadlineMs: number;
};

/** What this host does now to install or remove a mirror; one at a time. */
export type Installation = {
  /** Its number is 0 where nobody else is told (`deinstall --local`). */
  readonly command: Command;
  /** Commanded here, not by another host. */
  readonly issuer: boolean;
  readonly phase: InstallationPhase;
  /** What it waits for, from the shell. */
  readonly waiting: "volume" | "file" | null;
  /** Why the phase is not done yet, for the issuer's record and for people. */
  readonly fault: CommandFault | null;
  readonly retryMs: number;
  /** Hosts that carried the command out. */
  readonly acknowledged: readonly string[];
  /** Found when the volume was opened. */
  readonly volumeId: string | null;
};
export type InstallationPhase =
  | "opening"
  | "registering"
  | "enabling"
  | "switching"
  | "announcing"
  | "draining"
  | "deregistering";
export type CommandFault = { readonly code: number; readonly text: string };

/** A configuration that is held ready. */
export type Staged = {
  readonly config: Config;
  /** CRC32C over what all hosts must have alike. */
  readonly digest: number;
  readonly timingDigest: number;
};

/** How the last one that was commanded here ended. */
export type InstallationEnd = {
  readonly command: Command;
  readonly code: ExitCode;
  readonly message: string;
};

export type State = {
  readonly config: Config;
  readonly timingDigest: number;
  /** Of the configuration in use; 0 where it was not computed. */
  readonly configDigest: number;
  readonly staged: Staged | null;
  /** CRC32C of the ids of the keys that this host accepts; 0 where it was not computed. */
  readonly keyRing: number;
  readonly ownSiteId: number;
  readonly beacon: boolean;
  readonly incarnation: bigint;
  readonly bootId: string;
  readonly serial: bigint;
  readonly startedMs: number;
  /** Latest moment that any input told. */
  readonly nowMs: number;
  readonly term: bigint;
  readonly role: Role;
  readonly roleReason: string;
  /** A host of our own site that is active under this site's term. */
  readonly siblingActive: boolean;
  /** Active by our own doing, not because a sibling is. */
  readonly servesHere: boolean;
  /** The term in which this host was active last since its start; 0 where it was not. */
  readonly activeIn: bigint;
  /** The service was started here, or may have been, and no stop of it is verified. */
  readonly serviceMayRun: boolean;
  /** Monotonic: when a stop hook that failed is run again; null while it runs, or need not. */
  readonly stopRetryMs: number | null;
  readonly clocks: LeaseClocks;
  readonly lease: Lease;
  readonly waiting: Waiting;
  readonly lock: SiteLock;
  readonly handover: Handover | null;
  readonly given: Given | null;
  /** An external arbiter's last answer in this term; asked again after a while. */
  readonly arbiter: ArbiterView;
  /** What the verdicts were last judged with. */
  readonly judgedArbiter: ArbiterEvidence;
  /** The other site that an operator attested to be off when this term was taken; else empty. */
  readonly attested: string;
  /** It is durable that the service may run here. */
  readonly servingStored: boolean;
  /** That is on its way to the local disk. */
  readonly storingServing: boolean;
  /** When the local disk last refused to store; null where the last time went well. */
  readonly storeFailedMs: number | null;
  /** Of a witness: what it granted last. */
  readonly granted: { readonly term: bigint; readonly site: number };
  /** Of a witness without its memory: nothing is granted before both sites were seen. */
  readonly isBlank: boolean;
  /** Of a witness: the term of the grant that is durable; 0 without. */
  readonly grantStored: bigint;
  /** Why the watchdog cannot be fed; empty where it can, or none is needed. */
  readonly watchdogFault: string;
  readonly data: Readonly<Record<string, DataView>>;
  /** What was seen of each other host of our own site, by its name. */
  readonly siblings: Readonly<Record<string, Sibling>>;
  readonly stopping: boolean;
  /** Switched off by its own operator: it beats no more, and is not judged by others. */
  readonly selfEnabled: boolean;
  readonly paths: Readonly<Record<string, PathState>>;
  readonly peers: readonly Peer[];
  readonly groups: Readonly<Record<string, Verdict>>;
  readonly pairs: Readonly<Record<string, PairView>>;
  /** Directions of paths that look lost, or are stated to be, by "host path direction". */
  readonly oneWay: Readonly<Record<string, OneWayWatch>>;
  /** When a record of ours was last durable on a mirror's PVOL, by its name. */
  readonly writtenMs: Readonly<Record<string, number>>;
  readonly takeover: Takeover | null;
  /** As it stands in the device address file. */
  readonly devices: Devices;
  /** On its way to that file. */
  readonly storing: Devices | null;
  readonly installation: Installation | null;
  readonly lastInstallation: InstallationEnd | null;
  readonly signals: Signals;
  /** A command that this host cannot carry out at all. */
  readonly refusedCommand: { readonly number: bigint; readonly code: number } | null;
  /** Newest positions found on volumes that are not installed, by "mirror slot". */
  readonly probes: Readonly<Record<string, Position>>;
  /** Our term was taken, and the service not started yet: kept over a restart. */
  readonly halfDone: boolean;
  /** Sectors and datagrams that were not believed, by "path reason". */
  readonly rejected: Readonly<Record<string, RejectionCount>>;
};

/** What the records of our own PVOLs tell of another host of our site. */
export type Sibling = {
  readonly at: Position;
  readonly advances: number;
  readonly seenMs: number;
  readonly role: number;
  readonly state: number;
  readonly term: bigint;
  readonly told: CommandsTold;
  /** Digest of the configuration that it has staged. */
  readonly staged: number;
  readonly flags: number;
  /** To which site it hands the term over; 0 where it does not. */
  readonly handoverSite: number;
  readonly keys: Pick<HeartbeatRecord, "keyRing" | "keyId">;
};

/** What a record tells of commands. */
export type CommandsTold = Pick<
  HeartbeatRecord,
  | "command"
  | "commandKind"
  | "commandMirror"
  | "commandSeen"
  | "commandDone"
  | "commandDoneBefore"
  | "commandFault"
>;

export type ArbiterView = {
  readonly answer: "none" | "granted" | "denied" | "unknown";
  readonly detail: string;
  readonly askedMs: number;
  readonly asking: boolean;
};

export type RejectionCount = { readonly count: number; readonly toldMs: number };
