/**
 * External arbiters: something outside both sites' agents that gives one site at a time the
 * exclusive right to be active.
 *
 * Invariants: "unknown" is never a grant; nothing throws; each call ends by its limit, which is the
 * smaller one of the settings and the request. A call that ended as "unknown" may still take effect
 * later, so an arbiter is asked again, never remembered.
 */
import { openBooth } from "./booth.ts";
import { openCommand } from "./command.ts";
import { openReservation } from "./reservation.ts";

export type ArbiterRequest = {
  /** The site that wants the right, or has it: the own one. */
  readonly site: string;
  /** The site that must not have it. */
  readonly peer: string;
  readonly term: bigint;
  readonly limitMs: number;
};

export type ArbiterAnswer = {
  readonly kind: "granted" | "denied" | "unknown";
  /** One line of ASCII: what was found, and what is true now. */
  readonly detail: string;
};

export type Arbiter = {
  /** Asks for the right; may change the world (preempt, fence). Safe to repeat. */
  ask(request: ArbiterRequest): Promise<ArbiterAnswer>;
  /** Whether this site still has it. Changes nothing. */
  holds(request: ArbiterRequest): Promise<ArbiterAnswer>;
  /** Gives it away in order; "granted" means that this site has it no more. */
  release(request: ArbiterRequest): Promise<ArbiterAnswer>;
  /** What `ask` would do, as lines that a person could type. */
  readonly describe: readonly string[];
};

export type ReservationType = 5 | 6 | 7 | 8;

export type ReservationSettings = {
  readonly kind: "reservation";
  /** Every path of every volume, as disks; the same volumes in the same order at both sites. */
  readonly devices: readonly string[];
  /** This host's, from reservationKey(); never 0. */
  readonly key: bigint;
  /** 5 (write exclusive, registrants only) where not given; the same at both sites. */
  readonly type?: ReservationType;
  readonly limitMs: number;
};

export type BoothSettings = {
  readonly kind: "booth";
  readonly ticket: string;
  /** The client program, then options that go with each of its verbs: ["booth", "-c", "other"]. */
  readonly client: readonly string[];
  /** This site's address as booth's configuration has it; where not given, the local booth tells. */
  readonly address?: string;
  readonly limitMs: number;
};

export type CommandSettings = {
  readonly kind: "command";
  readonly command: readonly string[];
  readonly limitMs: number;
};

export type ArbiterSettings = ReservationSettings | BoothSettings | CommandSettings;

export function openArbiter(settings: ArbiterSettings): Arbiter {
  switch (settings.kind) {
    case "reservation":
      return openReservation(settings);
    case "booth":
      return openBooth(settings);
    case "command":
      return openCommand(settings);
  }
}
