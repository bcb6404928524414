/**
 * The structures of native/include/mirrorbeat_vendor.h: sizes, offsets and numbers. The header's
 * own lines MBV_SIZE and MBV_AT are held against this table by a test.
 */
import type { PairVerb } from "../../core/base/pair-settings.ts";
import type { Capabilities, FaultClass, PairRole, PairState } from "../provider.ts";

export const abiVersion = 1;
export const notTold = -1;
export const nameBytes = 64;
export const causeBytes = 160;
export const textBytes = 256;
export const commandsBytes = 2048;

export const sizes = {
  mbv_head: 272,
  mbv_about_call: 360,
  mbv_open_call: 1048,
  mbv_close_call: 272,
  mbv_identify_call: 400,
  mbv_view: 256,
  mbv_query_call: 1056,
  mbv_commands_call: 2328,
  mbv_change_call: 288,
} as const;

export const headAt = { size: 0, deadline_ms: 4, pair: 8, message: 16 } as const;
export const aboutAt = {
  abi_version: 272,
  verbs: 276,
  copying: 280,
  secondary_read: 284,
  remote_query: 288,
  atomic_swap: 292,
  name: 296,
} as const;
export const openAt = {
  abi_version: 272,
  end: 276,
  settings: 280,
  device: 536,
  peer_device: 792,
} as const;
export const identifyAt = { own: 272, peer: 336 } as const;
export const viewAt = {
  state: 0,
  role: 4,
  readable: 8,
  writable: 12,
  in_sync: 16,
  percent: 20,
  last_copy_ago_ms: 24,
  native: 32,
  cause: 96,
} as const;
export const queryAt = {
  scope: 272,
  remote_fault: 276,
  age_ms: 280,
  local: 288,
  remote: 544,
  remote_message: 800,
} as const;
export const commandsAt = { verb: 272, force: 276, text: 280 } as const;
export const changeAt = { verb: 272, force: 276, begun: 280, reserved: 284 } as const;

/** The functions of a library, and the structure that each takes. */
export const calls = {
  about: { symbol: "mbv_about", bytes: sizes.mbv_about_call },
  open: { symbol: "mbv_open", bytes: sizes.mbv_open_call },
  identify: { symbol: "mbv_identify", bytes: sizes.mbv_identify_call },
  query: { symbol: "mbv_query", bytes: sizes.mbv_query_call },
  commands: { symbol: "mbv_commands", bytes: sizes.mbv_commands_call },
  change: { symbol: "mbv_change", bytes: sizes.mbv_change_call },
  close: { symbol: "mbv_close", bytes: sizes.mbv_close_call },
} as const;
export type CallName = keyof typeof calls;
export const isCallName = (name: unknown): name is CallName =>
  typeof name === "string" && Object.hasOwn(calls, name);

export const faultNumbers = {
  "daemon-down": 1,
  "peer-unreachable": 2,
  "wrong-state": 3,
  "array-rejected": 4,
  "mixed-group": 5,
  timeout: 6,
  auth: 7,
  config: 8,
  unparseable: 9,
  identity: 10,
  unsupported: 11,
} as const satisfies Record<FaultClass, number>;

export const stateNumbers = {
  simplex: 1,
  copying: 2,
  paired: 3,
  "suspended-by-operator": 4,
  "suspended-by-error": 5,
  takeover: 6,
  unknown: 7,
} as const satisfies Record<PairState, number>;

export const roleNumbers = {
  primary: 1,
  secondary: 2,
  none: 3,
  unknown: 4,
} as const satisfies Record<PairRole, number>;

export const verbNumbers = {
  create: 1,
  split: 2,
  resync: 3,
  swap: 4,
  takeover: 5,
  remove: 6,
} as const satisfies Record<PairVerb, number>;

export const copyingNumbers = {
  synchronous: 1,
  asynchronous: 2,
  either: 3,
} as const satisfies Record<Capabilities["copying"], number>;

export const readingNumbers = {
  device: 1,
  "backing-device": 2,
  none: 3,
} as const satisfies Record<Capabilities["secondaryRead"], number>;

export const endNumbers = { writer: 1, reader: 2 } as const;
export const scopeNumbers = { local: 1, both: 2 } as const;

/** The word of a number; null where it has none. */
export function wordOf<Word extends string>(
  numbers: Readonly<Record<Word, number>>,
  number: number,
): Word | null {
  for (const word of Object.keys(numbers) as Word[]) if (numbers[word] === number) return word;
  return null;
}
