/** Codes of the format: what the numbers in its fields, and the bits of its flags, stand for. */

/** What carries a sector; it is under the MAC, so that one cannot be passed off as the other. */
export const media = { volume: 1, datagram: 2 } as const;

/** The sender's own statement of its state. */
export const states = {
  running: 1,
  /** Orderly stop: planned, never a failure. */
  leaving: 2,
  /** Switched off by its operator: not to be judged. */
  disabled: 3,
  /** Alive but failed: it cannot give its service. */
  failed: 4,
  /** The term is given away, durably. */
  handover: 5,
} as const;

export const roles = {
  starting: 0,
  active: 1,
  standby: 2,
  transitioning: 3,
  fenced: 4,
  stopped: 5,
} as const;

export const recordFlags = {
  /** The sender may be active only under a lease. */
  guard: 1,
  /** Its service is stopped, verified, and it will not resume by itself. */
  quiesced: 2,
  /** It has decided to take over and echoes nothing any more. */
  closing: 4,
  /** It can never hold the service: an advance proves the link. */
  beacon: 8,
  /** It has renounced takeover in `renouncedTerm`. */
  renounced: 16,
  /** The sender switches this path off: silence on it means nothing. */
  pathOff: 32,
  /** Its echoes are grants: it decides for its site, and does not take over. */
  grants: 64,
  /** It claims the lock of its site, in `lockEpoch`. */
  lockClaim: 128,
  /** It is active on an operator's word that the other site is off. */
  attested: 256,
  /** It asks the witness for the right to take over in this term. */
  claims: 512,
} as const;

/** Codes of a pair state, as written in the data groups of a record. */
export const pairCodes = {
  none: 0,
  paired: 1,
  copying: 2,
  suspended: 3,
  split: 4,
  unknown: 5,
} as const;

/** What a host may command all others to do, by its records. */
export const commandKinds = { none: 0, activate: 1, deactivate: 2, reconfigure: 3 } as const;

/** Why a host could not carry out a command that it has seen. */
export const commandFaults = {
  none: 0,
  /** Its configuration has no such mirror, or no such configuration is staged. */
  unknown: 1,
  /** The volume could not be opened, or is not ours. */
  volume: 2,
  /** The device address file could not be written. */
  file: 3,
  /** Its configuration has the mirror switched off. */
  off: 4,
  /** The staged configuration does not fit what is installed there, or drops a host that beats. */
  config: 5,
} as const;

/** Codes by number, for what reads them. */
export function namesOf(codes: Readonly<Record<string, number>>): Readonly<Record<number, string>> {
  return Object.fromEntries(Object.entries(codes).map(([name, code]) => [code, name]));
}
