/** What a step wants done: carried out by the shell, which decides nothing. */
import type { Config } from "../base/config.ts";
import type { Devices } from "../base/devices.ts";
import type { CoreEvent } from "../base/event.ts";
import type { ExitCode } from "../base/exit-codes.ts";
import type { HeartbeatRecord } from "../sector/layout.ts";
import type { Durable } from "./right-state.ts";
import type { ChangePair } from "./signal-state.ts";
import type { State } from "./state.ts";

/** May it be ours; is it still ours; we give it up. */
export type ArbiterQuestion = "ask" | "holds" | "release";

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
  | { readonly kind: "store-term"; readonly durable: Durable }
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
  /** Asks an arbiter outside: see src/arbiter. */
  | {
      readonly kind: "ask-arbiter";
      readonly op: ArbiterQuestion;
      readonly term: bigint;
      readonly peer: string;
    }
  /** Makes the data volumes of this site the primary and writable ones. */
  | { readonly kind: "take-data"; readonly term: bigint; readonly verb: "takeover" | "swap" }
  /** Whether all data groups are whole, and this end is their primary. */
  | { readonly kind: "check-data"; readonly term: bigint; readonly repair: boolean }
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
