/** What can stand in a scenario file: its commands and the conditions that they name. */
import type { Timing } from "../../core/base/config.ts";
import type { Role } from "../../core/decision.ts";
import type { Action, Row } from "../../core/verdict.ts";
import type { SaidWord } from "./say.ts";

export type Condition =
  /** How a host judges another one, or a site's group. */
  | {
      readonly kind: "row";
      readonly host: string;
      readonly of: string;
      readonly row: Row;
      readonly action: Action | null;
    }
  /** By the services themselves; null: nobody. */
  | { readonly kind: "serves"; readonly who: string | null }
  | { readonly kind: "role"; readonly host: string; readonly role: Role }
  | { readonly kind: "pair"; readonly pair: string; readonly state: string }
  | { readonly kind: "term"; readonly term: bigint }
  | { readonly kind: "calm" }
  | { readonly kind: "no-alarm" }
  | { readonly kind: "within-bound"; readonly what: "takeover" | "detection" }
  | { readonly kind: "answer"; readonly host: string; readonly code: number }
  | { readonly kind: "told"; readonly text: string; readonly isTold: boolean };

export type SetupWish = {
  readonly name: string;
  /** Begins with the boot of all machines, else when all is well. */
  readonly isCold: boolean;
  readonly seed: number;
  readonly timing: Partial<Timing>;
  /** Hosts that write and can never hold the service. */
  readonly beacons: readonly string[];
  /** Checkers that are left out: a file says why. */
  readonly without: readonly string[];
  /** Rates of hosts' clocks. */
  readonly rates: Readonly<Record<string, number>>;
};

export type Command =
  | ({ readonly kind: "setup" } & SetupWish)
  | { readonly kind: "run"; readonly forMs: number }
  | { readonly kind: "until"; readonly condition: Condition; readonly withinMs: number }
  | {
      readonly kind: "begin";
      readonly fault: string;
      readonly target: string;
      readonly forMs: number | null;
    }
  /** null: whatever its target is. */
  | { readonly kind: "end"; readonly fault: string; readonly target: string | null }
  | { readonly kind: "command"; readonly host: string; readonly words: readonly string[] }
  | { readonly kind: "expect"; readonly condition: Condition }
  | { readonly kind: "status"; readonly host: string }
  | { readonly kind: "say"; readonly host: string; readonly word: SaidWord };

export type Placed = { readonly line: number; readonly command: Command };

/** What is wrong with a line: the word in question, what it says, and what to do. */
export type Wrong = { readonly field: string; readonly value: string; readonly remedy: string };
export const isWrong = <T extends object>(value: T | Wrong): value is Wrong => "remedy" in value;
export const wrong = (field: string, value: string, remedy: string): Wrong => ({
  field,
  value,
  remedy,
});
