/** What may happen to an agent: a closed set. */
import type { EchoSector, HeartbeatRecord } from "../sector/layout.ts";
import type { Read } from "../observation.ts";
import type { Rejection, SlotReading } from "../record.ts";
import type { PairEvidence } from "../verdict.ts";
import type { ArbiterQuestion } from "./action.ts";
import type { Durable, LeaseClocks } from "./right-state.ts";
import type { PairChangedInput, SignalInput } from "./signal-state.ts";
import type { PairFacts, Staged } from "./state.ts";

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

type InputKinds =
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
      /** The site that an operator attests to be powered off; absent where none is. */
      readonly peerIsOff?: string;
    }
  /** Planned: the service goes to that site; `repair` makes its data whole first. */
  | {
      readonly kind: "switchover";
      readonly nowMs: number;
      readonly id: number;
      readonly to: string;
      readonly repair: boolean;
    }
  /** Time has passed: leases and locks end by themselves. */
  | { readonly kind: "tick"; readonly nowMs: number }
  /** A good look at all slots of our own PVOL, begun after that serial of ours was durable. */
  | {
      readonly kind: "looked";
      readonly nowMs: number;
      readonly mirror: string;
      readonly afterSerial: bigint;
    }
  | {
      readonly kind: "arbiter";
      readonly nowMs: number;
      readonly term: bigint;
      readonly op: ArbiterQuestion;
      readonly answer: "granted" | "denied" | "unknown";
      readonly detail: string;
    }
  /** One data group's pair, as it was at `nowMs`. */
  | {
      readonly kind: "data";
      readonly nowMs: number;
      readonly bootNs: bigint;
      readonly group: string;
      readonly state: PairEvidence;
      readonly role: "primary" | "secondary" | "none" | "unknown";
      readonly inSync: boolean | null;
      readonly lastCopyAgoMs: number | null;
    }
  | {
      readonly kind: "data-taken" | "data-checked";
      readonly nowMs: number;
      readonly term: bigint;
      readonly ok: boolean;
      readonly detail: string;
    }
  /** Whether this host's watchdog can be fed; the fault where it cannot. */
  | { readonly kind: "watchdog"; readonly nowMs: number; readonly fault: string }
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
      readonly durable: Durable;
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

/** Without clocks of their own, both go by `nowMs`. */
export type Input = InputKinds & { readonly clocks?: LeaseClocks };
