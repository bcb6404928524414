/**
 * What one agent knows, and what may happen to it. `State` is a value: step() never changes one,
 * it returns the next. Inputs are a closed set; so are the actions that the shell carries out.
 */
import type { Config, HostConfig } from "../base/config.ts";
import type { Command, Devices } from "../base/devices.ts";
import type { CoreEvent } from "../base/event.ts";
import type { ExitCode } from "../base/exit-codes.ts";
import type { Role } from "../decision.ts";
import type { Read, Sighting, Watch } from "../observation.ts";
import type { Position, Rejection, SlotReading } from "../record.ts";
import type { EchoSector, HeartbeatRecord } from "../sector/layout.ts";
import type { PairEvidence, Verdict } from "../verdict.ts";
import type { ChangePair, PairChangedInput, SignalInput, Signals } from "./signal-state.ts";

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
  | "commandDoneBefore"
>; // biome-ignore format: one list

/** What a host says that it last saw of us; lags in beats by path index. */
export type EchoOfUs = Position & {
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

export type Takeover = {
  readonly id: number;
  /** The term that is being taken: ours only when it is stored. */
  readonly term: bigint;
  readonly phase: "storing" | "publishing" | "hook";
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

export type RejectionCount = { readonly count: number; readonly toldMs: number };

export type Seen = {
  readonly slot: number;
  readonly reading: SlotReading;
  readonly echoes: readonly EchoSector[];
};

export type InstallWish = "install" | "deinstall" | "deinstall-local" | "reconfigure";

export type SwitchTarget =
  | { readonly kind: "network" }
  | { readonly kind: "mirror"; readonly name: string }
  | { readonly kind: "host"; readonly name: string };

export type Input =
  | {
      readonly kind: "beat";
      readonly nowMs: number;
      readonly wallNs: bigint;
      readonly bootNs: bigint;
      readonly nonce: bigint;
    }
  /**
   * The last records on paths that are being switched off, so that silence there means nothing;
   * `onlyTo` names the one host that is being switched off here.
   */
  | {
      readonly kind: "farewell";
      readonly nowMs: number;
      readonly wallNs: bigint;
      readonly bootNs: bigint;
      readonly nonce: bigint;
      readonly paths: readonly string[];
      readonly onlyTo: string | null;
    }
  /** A poll of a mirror's SVOL: the slots whose bytes changed, or the failure. */
  | {
      readonly kind: "mirror-read";
      readonly mirror: string;
      readonly nowMs: number;
      readonly read: Read;
      readonly seen: readonly Seen[];
    }
  /** The socket was drained: believable datagrams, in the order of their arrival. */
  | {
      readonly kind: "network-read";
      readonly nowMs: number;
      readonly read: Read;
      readonly records: readonly {
        readonly record: HeartbeatRecord;
        readonly echoes: readonly EchoSector[];
      }[];
    }
  | {
      readonly kind: "rejected";
      readonly nowMs: number;
      readonly path: string;
      readonly reason: Rejection;
    }
  | {
      readonly kind: "pair";
      readonly nowMs: number;
      readonly mirror: string;
      readonly state: PairEvidence;
      readonly facts: PairFacts | null;
    }
  /** A record of our own site, read from our own PVOL. */
  | { readonly kind: "sibling"; readonly nowMs: number; readonly record: HeartbeatRecord }
  | {
      readonly kind: "switch";
      readonly nowMs: number;
      readonly target: SwitchTarget;
      readonly on: boolean;
    }
  | {
      readonly kind: "takeover";
      readonly nowMs: number;
      readonly id: number;
      readonly force: boolean;
    }
  /** Records found on the volume of a mirror that is not installed: they may hold a command. */
  | {
      readonly kind: "probe";
      readonly nowMs: number;
      readonly wallNs: bigint;
      readonly mirror: string;
      readonly records: readonly HeartbeatRecord[];
    }
  | {
      readonly kind: "install";
      readonly nowMs: number;
      readonly wallNs: bigint;
      readonly id: number;
      readonly what: InstallWish;
      readonly mirror: string;
      readonly force: boolean;
    }
  /** Other keys are held from now on. */
  | { readonly kind: "keys"; readonly nowMs: number; readonly keyRing: number }
  /** A configuration to hold ready; null to drop it. */
  | {
      readonly kind: "stage";
      readonly nowMs: number;
      readonly id: number;
      readonly staged: Staged | null;
    }
  | {
      readonly kind: "volume-opened";
      readonly nowMs: number;
      readonly wallNs: bigint;
      readonly mirror: string;
      readonly volumeId: string | null;
      /** Empty where it is open. */
      readonly fault: string;
    }
  | {
      readonly kind: "devices-stored";
      readonly nowMs: number;
      readonly wallNs: bigint;
      /** Empty where the file is durable. */
      readonly fault: string;
    }
  | {
      readonly kind: "term-stored";
      readonly nowMs: number;
      readonly term: bigint;
      readonly ok: boolean;
    }
  /** A record of ours is durable on a PVOL. */
  | {
      readonly kind: "published";
      readonly nowMs: number;
      readonly mirror: string;
      readonly serial: bigint;
    }
  | {
      readonly kind: "hook-ended";
      readonly nowMs: number;
      readonly hook: string;
      readonly ok: boolean;
      readonly detail: string;
    }
  | SignalInput
  | PairChangedInput
  | { readonly kind: "stop"; readonly nowMs: number };

/** The fields of a record that the state decides; place and seal are added by who writes it. */
export type RecordBody = Omit<
  HeartbeatRecord,
  | "magic" | "version" | "medium" | "copy" | "features" | "clusterId" | "volumeId" | "block"
  | "slot" | "site" | "echoSectors" | "echoPeers" | "keyId" | "mac" | "crc"
>; // biome-ignore format: one list

export type Action =
  /** Write a record on these paths; `final` ones go to both copies, and are awaited. */
  | {
      readonly kind: "publish";
      readonly body: RecordBody;
      readonly paths: readonly string[];
      readonly final: boolean;
      /** null: to every enabled peer host. */
      readonly onlyTo: string | null;
    }
  | { readonly kind: "store-term"; readonly term: bigint; readonly halfDone: boolean }
  | { readonly kind: "query-pair"; readonly mirror: string }
  | ChangePair
  | { readonly kind: "open-volume"; readonly mirror: string }
  | { readonly kind: "store-devices"; readonly devices: Devices }
  /** The configuration in use has changed: timings, members, mirrors. */
  | { readonly kind: "reconfigure"; readonly before: Config }
  /** An installed mirror is on, whatever was switched before. */
  | { readonly kind: "forget-switch"; readonly mirror: string }
  | {
      readonly kind: "run-hook";
      readonly hook: "takeover" | "superseded" | "verdict";
      readonly facts: HookFacts;
    }
  | {
      readonly kind: "answer";
      readonly id: number;
      readonly code: ExitCode;
      readonly message: string;
    };

export type HookFacts = {
  readonly event: string;
  readonly oldState: string;
  readonly newState: string;
  readonly peer: string;
  readonly term: bigint;
  readonly reason: string;
};

export type Step = {
  readonly state: State;
  readonly actions: readonly Action[];
  readonly events: readonly CoreEvent[];
};
