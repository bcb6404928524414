/** What an agent needs of the world beside its volumes, and what it answers. */
import type { Config } from "../core/base/config.ts";
import type { Devices } from "../core/base/devices.ts";
import type { CoreEvent } from "../core/base/event.ts";
import type { ExitCode } from "../core/base/exit-codes.ts";
import type { LeaseClocks } from "../core/step/right-state.ts";
import type { Action, Input, State } from "../core/step/state.ts";
import type { Clock } from "../host/clock.ts";
import type { Endpoint } from "../network/endpoint.ts";
import type { DataPairs } from "./data-pairs.ts";
import type { Fence } from "./fence.ts";
import type { Memory } from "./memory.ts";
import type { AskArbiter } from "./outside.ts";
import type { PairWatch } from "./pairs.ts";
import type { Timers } from "./timers.ts";

/** What the agent needs of the world beside its volumes. */
export type World = {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly nonce: () => bigint;
  readonly tell: (event: CoreEvent) => void;
  readonly store: (memory: Memory) => Promise<boolean>;
  /** Empty when the device address file is durable, else why not; always ends in time. */
  readonly storeDevices: (devices: Devices) => Promise<string>;
  readonly endpoint: () => Endpoint | null;
  readonly pairs: (config: Config, onInput: (input: Input) => void) => PairWatch;
  /** The clocks of the lease; null where no lease is in force. */
  readonly clocks: (() => LeaseClocks) | null;
  readonly data: (config: Config, onInput: (input: Input) => void) => DataPairs;
  readonly arbiter: (config: Config, onInput: (input: Input) => void) => (ask: AskArbiter) => void;
  readonly fence: Fence;
  readonly runHook: (
    action: Extract<Action, { kind: "run-hook" }>,
    done: (ok: boolean, detail: string) => void,
  ) => void;
  /** Told of each step, before its actions are carried out; for a simulation. */
  readonly onStep?: (before: State, input: Input, after: State, actions: readonly Action[]) => void;
  /** Our slot is written by another: this agent must end. */
  readonly onSlotLost: (detail: string) => void;
};

export type Answer = { readonly code: ExitCode; readonly message: string };
