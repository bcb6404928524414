/** What the core wants of the data groups' pairs, and what it is told of them: its own shapes. */
import type { Action, Input } from "../core/step/state.ts";

/**
 * Make this site's end of all groups the one that is written. "swap" is for pairs that are whole,
 * with both sites' arrays there; "takeover" for the failure of the other site.
 */
export type TakeData = Extract<Action, { kind: "take-data" }>;

/**
 * Are all groups whole, in sync, and written at this end? With `repair` they are made whole first:
 * resynchronised, or copied back where this site took them over.
 */
export type CheckData = Extract<Action, { kind: "check-data" }>;

/**
 * A group's state without regard to the direction: that is the role's, of this site's end. A copy
 * that was cut off half-way is "copying".
 */
export type DataInput = Extract<Input, { kind: "data" }>;

export type DataNews = DataInput | Extract<Input, { kind: "data-taken" | "data-checked" }>;
