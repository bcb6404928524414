/** What a simulated world shows to those who watch it: facts in true time, not what agents believe. */
import type { CoreEvent } from "../core/base/event.ts";
import type { Action, Input, State } from "../core/step/state.ts";
import type { LandedWrite } from "./disk.ts";

export type Watched =
  /** One step of an agent, before its actions are carried out. */
  | {
      readonly kind: "step";
      readonly host: string;
      readonly before: State;
      readonly input: Input;
      readonly after: State;
      readonly actions: readonly Action[];
    }
  | { readonly kind: "told"; readonly host: string; readonly event: CoreEvent }
  /** The service on that host begins to write, or ends. */
  | { readonly kind: "service"; readonly host: string; readonly runs: boolean }
  /** A block that landed on a volume. */
  | { readonly kind: "write"; readonly write: LandedWrite }
  | {
      readonly kind: "agent";
      readonly host: string;
      readonly what: "begins" | "killed" | "left" | "refused" | "stopped" | "continues";
      readonly reason: string;
    }
  | {
      readonly kind: "machine";
      readonly host: string;
      readonly what: "boots" | "resets" | "off" | "suspended" | "resumes";
      readonly reason: string;
    }
  | { readonly kind: "pair"; readonly pair: string }
  | {
      readonly kind: "fault";
      readonly name: string;
      readonly target: string;
      readonly on: boolean;
    }
  /** An operator's command was answered; null where nobody answered. */
  | {
      readonly kind: "command";
      readonly host: string;
      readonly text: string;
      readonly code: number | null;
      readonly message: string;
    };

export type Watcher = (watched: Watched, nowMs: number) => void;
