/**
 * SCSI-3 persistent reservations: the bytes of PERSISTENT RESERVE IN and OUT, and what a volume
 * answers. Field layouts are those of SPC-4 (6.15, 6.16).
 *
 * Everything a volume says may be cut short or damaged, so an answer is either whole and senseful
 * or null. There is no CLEAR here, which would take everybody's right at once, and no PREEMPT AND
 * ABORT: a target was seen to hang in it, and PREEMPT alone already refuses every later write.
 */

/** What only registered hosts may do, and who holds: one host (5, 6), or all of them (7, 8). */
export const reservationTypes = {
  5: "write exclusive, registrants only",
  6: "exclusive access, registrants only",
  7: "write exclusive, all registrants",
  8: "exclusive access, all registrants",
} as const;

const typeNames: Readonly<Record<number, string>> = {
  1: "write exclusive",
  3: "exclusive access",
  ...reservationTypes,
};

/** "type 5 (write exclusive, registrants only)" */
export const typeText = (type: number): string => `type ${type} (${typeNames[type] ?? "unknown"})`;

export const isAllRegistrants = (type: number): boolean => type === 7 || type === 8;

/** Service actions of PERSISTENT RESERVE IN. */
export const readings = {
  keys: { action: 0, name: "READ KEYS" },
  reservation: { action: 1, name: "READ RESERVATION" },
  capabilities: { action: 2, name: "REPORT CAPABILITIES" },
  fullStatus: { action: 3, name: "READ FULL STATUS" },
} as const;
export type Reading = (typeof readings)[keyof typeof readings];

/** Service actions of PERSISTENT RESERVE OUT. */
export const changes = {
  register: { action: 0, name: "REGISTER" },
  reserve: { action: 1, name: "RESERVE" },
  release: { action: 2, name: "RELEASE" },
  preempt: { action: 4, name: "PREEMPT" },
  registerIgnoring: { action: 6, name: "REGISTER AND IGNORE EXISTING KEY" },
} as const;
export type Change = (typeof changes)[keyof typeof changes];

const inCode = 0x5e;
const outCode = 0x5f;
const commandBytes = 10;
const parameterBytes = 24;
const persistsThroughPowerLoss = 1;

/** The command that reads up to `allocationBytes`. */
export function readCommand({ action }: Reading, allocationBytes: number): Buffer {
  const command = Buffer.alloc(commandBytes);
  command[0] = inCode;
  command[1] = action;
  command.writeUInt16BE(allocationBytes, 7);
  return command;
}

export type ChangeWords = {
  /** The key under which this path is registered; 0 where it is not. */
  readonly key: bigint;
  /** The new key of a registration (0 takes it back), or whose right a PREEMPT takes. */
  readonly otherKey: bigint;
  /** Of the reservation; 0 where none is meant. */
  readonly type: number;
  /** Registrations and reservation outlive a loss of power at the array. */
  readonly persists: boolean;
};

/** The command and its parameter list. */
export function changeCommand(
  { action }: Change,
  words: ChangeWords,
): { readonly command: Buffer; readonly parameters: Buffer } {
  const command = Buffer.alloc(commandBytes);
  command[0] = outCode;
  command[1] = action;
  command[2] = words.type; // scope 0, the whole volume, stands in the upper half
  command.writeUInt32BE(parameterBytes, 5);
  const parameters = Buffer.alloc(parameterBytes);
  parameters.writeBigUInt64BE(words.key, 0);
  parameters.writeBigUInt64BE(words.otherKey, 8);
  if (words.persists) parameters[20] = persistsThroughPowerLoss;
  return { command, parameters };
}

// ---- answers ---------------------------------------------------------------------------------

const headerBytes = 8;
const keyBytes = 8;
const holderBytes = 16;
const descriptorBytes = 24;

/** The list after the header of 8 bytes; null where the answer does not hold all of it. */
function listOf(answer: Buffer): { generation: number; list: Buffer } | null {
  if (answer.length < headerBytes) return null;
  const lengthBytes = answer.readUInt32BE(4);
  if (answer.length < headerBytes + lengthBytes) return null;
  const list = answer.subarray(headerBytes, headerBytes + lengthBytes);
  return { generation: answer.readUInt32BE(0), list };
}

/** Bytes of the whole answer, by its own header; null where there is no header. */
export function wholeBytes(answer: Buffer): number | null {
  return answer.length < headerBytes ? null : headerBytes + answer.readUInt32BE(4);
}

export type RegisteredKeys = { readonly generation: number; readonly keys: readonly bigint[] };

/** One entry for each registered path: a host of two paths stands there twice. */
export function parseKeys(answer: Buffer): RegisteredKeys | null {
  const found = listOf(answer);
  if (!found || found.list.length % keyBytes !== 0) return null;
  const keys: bigint[] = [];
  for (let at = 0; at < found.list.length; at += keyBytes)
    keys.push(found.list.readBigUInt64BE(at));
  return keys.includes(0n) ? null : { generation: found.generation, keys };
}

export type Holder = {
  /** 0 where all registrants hold. */
  readonly key: bigint;
  readonly type: number;
};
export type HeldReservation = { readonly generation: number; readonly holder: Holder | null };

export function parseReservation(answer: Buffer): HeldReservation | null {
  const found = listOf(answer);
  if (!found) return null;
  const { generation, list } = found;
  if (list.length === 0) return { generation, holder: null };
  if (list.length !== holderBytes) return null;
  const holder = holderOf(list.readBigUInt64BE(0), list[13] ?? 0);
  return holder && { generation, holder };
}

/** Null for a scope or type that does not exist, or a key that does not go with it. */
function holderOf(key: bigint, scopeAndType: number): Holder | null {
  const type = scopeAndType & 0x0f;
  if (scopeAndType >> 4 !== 0 || typeNames[type] === undefined) return null;
  if (key === 0n && !isAllRegistrants(type)) return null;
  return { key, type };
}

export type Registration = {
  readonly key: bigint;
  /** The type of the reservation that this path holds; null where it holds none. */
  readonly holds: number | null;
};
export type FullStatus = {
  readonly generation: number;
  readonly registrations: readonly Registration[];
};

export function parseFullStatus(answer: Buffer): FullStatus | null {
  const found = listOf(answer);
  if (!found) return null;
  const { generation, list } = found;
  const registrations: Registration[] = [];
  for (let at = 0; at < list.length; ) {
    if (at + descriptorBytes > list.length) return null;
    const key = list.readBigUInt64BE(at);
    const isHolder = ((list[at + 12] ?? 0) & 1) !== 0;
    const holder = isHolder ? holderOf(key, list[at + 13] ?? 0) : null;
    if (key === 0n || (isHolder && !holder)) return null;
    registrations.push({ key, holds: holder ? holder.type : null });
    at += descriptorBytes + list.readUInt32BE(at + 20);
    if (at > list.length) return null;
  }
  return { generation, registrations };
}

export type Capabilities = {
  /** Registrations can outlive a loss of power at the array. */
  readonly canPersist: boolean;
  /** Types of reservation; null where the array does not list them. */
  readonly types: readonly number[] | null;
};

const capabilityBytes = 8;
/** Bits of the type mask, read as one number of 16 bits. */
const typeBits: readonly (readonly [number, number])[] = [
  [1, 0x0200], [3, 0x0800], [5, 0x2000], [6, 0x4000], [7, 0x8000], [8, 0x0001],
]; // biome-ignore format: a table

export function parseCapabilities(answer: Buffer): Capabilities | null {
  if (answer.length < capabilityBytes || answer.readUInt16BE(0) < capabilityBytes) return null;
  const [, , options = 0, more = 0] = answer;
  const mask = answer.readUInt16BE(4);
  const isMaskValid = (more & 0x80) !== 0;
  return {
    canPersist: (options & 1) !== 0,
    types: isMaskValid ? typeBits.filter(([, bit]) => (mask & bit) !== 0).map(([t]) => t) : null,
  };
}
