/**
 * Structures of a vendor's library, filled in and read. Nothing is believed: a number out of its
 * range, a text without an end or a missing word makes the whole answer unparseable.
 */
import type { PairVerb } from "../../core/base/pair-settings.ts";
import type { MirrorEnd } from "../evidence.ts";
import {
  type Capabilities,
  fault,
  type FaultClass,
  type Identity,
  type PairFault,
  type PairView,
  type QueryScope,
} from "../provider.ts";
import { isIdentity, plainText } from "../told-view.ts";
import {
  abiVersion,
  aboutAt,
  type CallName,
  calls,
  causeBytes,
  changeAt,
  commandsAt,
  commandsBytes,
  copyingNumbers,
  endNumbers,
  faultNumbers,
  headAt,
  identifyAt,
  nameBytes,
  notTold,
  openAt,
  queryAt,
  readingNumbers,
  roleNumbers,
  scopeNumbers,
  stateNumbers,
  textBytes,
  verbNumbers,
  viewAt,
  wordOf,
} from "./layout.ts";

/** A call to be sent: `bytes` is its structure, filled in but for deadline and pair. */
export type VendorCall = { readonly name: CallName; readonly bytes: Buffer };

function begin(name: CallName): Buffer {
  const bytes = Buffer.alloc(calls[name].bytes);
  bytes.writeUInt32LE(bytes.length, headAt.size);
  return bytes;
}

/** A number that the library must fill in. */
const leaveOpen = (bytes: Buffer, ...offsets: readonly number[]): void => {
  for (const offset of offsets) bytes.writeInt32LE(notTold, offset);
};

/** false where it does not fit with its zero byte. */
function putText(bytes: Buffer, at: number, text: string): boolean {
  const encoded = Buffer.from(text);
  if (encoded.length >= textBytes || encoded.includes(0)) return false;
  encoded.copy(bytes, at);
  return true;
}

export function aboutCall(): VendorCall {
  const bytes = begin("about");
  const { name: _, ...numbers } = aboutAt;
  leaveOpen(bytes, ...Object.values(numbers));
  return { name: "about", bytes };
}

export type OpenWish = {
  readonly end: MirrorEnd;
  readonly settings: string;
  readonly device: string;
  readonly peerDevice: string;
};

/** null where a text is too long. */
export function openCall({ end, settings, device, peerDevice }: OpenWish): VendorCall | null {
  const bytes = begin("open");
  bytes.writeBigInt64LE(BigInt(notTold), headAt.pair);
  bytes.writeInt32LE(abiVersion, openAt.abi_version);
  bytes.writeInt32LE(endNumbers[end], openAt.end);
  const fits =
    putText(bytes, openAt.settings, settings) &&
    putText(bytes, openAt.device, device) &&
    putText(bytes, openAt.peer_device, peerDevice);
  return fits ? { name: "open", bytes } : null;
}

export const identifyCall = (): VendorCall => ({ name: "identify", bytes: begin("identify") });

export function queryCall(scope: QueryScope): VendorCall {
  const bytes = begin("query");
  bytes.writeInt32LE(scopeNumbers[scope], queryAt.scope);
  leaveOpen(bytes, queryAt.remote_fault);
  bytes.writeBigInt64LE(BigInt(notTold), queryAt.age_ms);
  const { last_copy_ago_ms: lastCopy, native: _, cause: __, ...numbers } = viewAt;
  for (const view of [queryAt.local, queryAt.remote]) {
    leaveOpen(bytes, ...Object.values(numbers).map((at) => view + at));
    bytes.writeBigInt64LE(BigInt(notTold), view + lastCopy);
  }
  return { name: "query", bytes };
}

export function commandsCall(verb: PairVerb, force: boolean): VendorCall {
  const bytes = begin("commands");
  bytes.writeInt32LE(verbNumbers[verb], commandsAt.verb);
  bytes.writeInt32LE(Number(force), commandsAt.force);
  return { name: "commands", bytes };
}

export function changeCall(verb: PairVerb, force: boolean): VendorCall {
  const bytes = begin("change");
  bytes.writeInt32LE(verbNumbers[verb], changeAt.verb);
  bytes.writeInt32LE(Number(force), changeAt.force);
  leaveOpen(bytes, changeAt.begun);
  return { name: "change", bytes };
}

/** null without its zero byte; what is not printable is shown as "?". */
function text(bytes: Buffer, at: number, lengthBytes: number): string | null {
  const field = bytes.subarray(at, at + lengthBytes);
  const end = field.indexOf(0);
  return end < 0 ? null : plainText(field.toString("latin1", 0, end), lengthBytes);
}

type Read<T> = { readonly ok: true; readonly value: T } | PairFault;
const read = <T>(value: T): Read<T> => ({ ok: true, value });
const unparseable = (what: string): PairFault => fault("unparseable", `the library's ${what}`);

/** undefined where the number is none of no, yes, not told. */
function flag(bytes: Buffer, at: number): boolean | null | undefined {
  const number = bytes.readInt32LE(at);
  if (number === notTold) return null;
  return number === 0 ? false : number === 1 ? true : undefined;
}

/** undefined where it is negative, or beyond what a number can hold. */
function longOrNull(bytes: Buffer, at: number): number | null | undefined {
  const number = bytes.readBigInt64LE(at);
  if (number === BigInt(notTold)) return null;
  return number < 0n || number > BigInt(Number.MAX_SAFE_INTEGER) ? undefined : Number(number);
}

/** What the library returned, if that is a fault. */
export function faultOf(result: number, bytes: Buffer): PairFault | null {
  if (result === 0) return null;
  const word = wordOf<FaultClass>(faultNumbers, result);
  if (word === null) return unparseable(`return value ${result} means nothing`);
  const message = text(bytes, headAt.message, textBytes);
  if (message === null) return unparseable("message has no end");
  return fault(word, message || "the library gives no reason");
}

export function messageOf(bytes: Buffer): string {
  return text(bytes, headAt.message, textBytes) ?? "";
}

export type About = { readonly capabilities: Capabilities; readonly name: string };

export function readAbout(bytes: Buffer): Read<About> {
  const version = bytes.readInt32LE(aboutAt.abi_version);
  if (version !== abiVersion) {
    return fault(
      "config",
      `the library has interface version ${version}, this program has ${abiVersion}`,
    );
  }
  const set = bytes.readInt32LE(aboutAt.verbs);
  const all = Object.entries(verbNumbers) as [PairVerb, number][];
  if (set < 0 || (set & ~all.reduce((sum, [, number]) => sum | (1 << number), 0)) !== 0) {
    return unparseable("set of verbs has unknown ones");
  }
  const copying = wordOf(copyingNumbers, bytes.readInt32LE(aboutAt.copying));
  const secondaryRead = wordOf(readingNumbers, bytes.readInt32LE(aboutAt.secondary_read));
  const remoteQuery = flag(bytes, aboutAt.remote_query) ?? null;
  const atomicSwap = flag(bytes, aboutAt.atomic_swap) ?? null;
  const name = text(bytes, aboutAt.name, nameBytes);
  if (!copying || !secondaryRead || remoteQuery === null || atomicSwap === null || name === null) {
    return unparseable("capabilities are out of their range");
  }
  const verbs = all.filter(([, number]) => (set & (1 << number)) !== 0).map(([verb]) => verb);
  return read({ capabilities: { verbs, copying, secondaryRead, remoteQuery, atomicSwap }, name });
}

export function readIdentity(bytes: Buffer): Read<Identity> {
  const [own, peer] = [identifyAt.own, identifyAt.peer].map((at) => {
    const field = bytes.subarray(at, at + nameBytes);
    const end = field.indexOf(0);
    return end < 0 ? null : field.toString("latin1", 0, end);
  });
  if (!own || !isIdentity(own)) return unparseable("identity is no printable text");
  if (peer === null || peer === undefined || (peer !== "" && !isIdentity(peer))) {
    return unparseable("identity of the other end is no printable text");
  }
  return read({ own, peer: peer || null });
}

function readView(bytes: Buffer): Read<PairView> {
  const state = wordOf(stateNumbers, bytes.readInt32LE(viewAt.state));
  if (!state) return unparseable(`state ${bytes.readInt32LE(viewAt.state)} means nothing`);
  const role = wordOf(roleNumbers, bytes.readInt32LE(viewAt.role));
  if (!role) return unparseable(`role ${bytes.readInt32LE(viewAt.role)} means nothing`);
  const readable = flag(bytes, viewAt.readable);
  const writable = flag(bytes, viewAt.writable);
  const inSync = flag(bytes, viewAt.in_sync);
  if (readable === undefined || writable === undefined || inSync === undefined) {
    return unparseable("flags are neither no, yes nor not told");
  }
  const percent = bytes.readInt32LE(viewAt.percent);
  if (percent < notTold || percent > 100) return unparseable(`percent is ${percent}`);
  const lastCopyAgoMs = longOrNull(bytes, viewAt.last_copy_ago_ms);
  if (lastCopyAgoMs === undefined) return unparseable("time of the last copy is negative");
  const native = text(bytes, viewAt.native, nameBytes);
  const cause = text(bytes, viewAt.cause, causeBytes);
  if (native === null || cause === null) return unparseable("text has no end");
  const told = percent === notTold ? null : percent;
  return read({
    state, role, readable, writable, inSync, percent: told, lastCopyAgoMs, native, cause,
  }); // biome-ignore format: fields
}

export type Queried = {
  readonly ageMs: number;
  readonly local: PairView;
  readonly remote: PairView | null;
  readonly remoteFault: PairFault | null;
};

/** `scope` is what was asked for. */
export function readQuery(bytes: Buffer, scope: QueryScope): Read<Queried> {
  const ageMs = longOrNull(bytes, queryAt.age_ms);
  if (ageMs === undefined || ageMs === null) return unparseable("age is missing");
  const local = readView(bytes.subarray(queryAt.local, queryAt.remote));
  if (!local.ok) return local;
  const only = { ageMs, local: local.value, remote: null };
  if (scope === "local") return read({ ...only, remoteFault: null });
  const number = bytes.readInt32LE(queryAt.remote_fault);
  if (number !== 0) {
    const word = wordOf<FaultClass>(faultNumbers, number);
    const message = text(bytes, queryAt.remote_message, textBytes);
    if (!word || message === null) return unparseable("fault of the other end means nothing");
    return read({ ...only, remoteFault: fault(word, message || "the library gives no reason") });
  }
  const remote = readView(bytes.subarray(queryAt.remote, queryAt.remote_message));
  if (!remote.ok) return remote;
  return read({ ...only, remote: remote.value, remoteFault: null });
}

/** Printable lines; null where there is none. */
export function readCommands(bytes: Buffer): readonly string[] | null {
  const field = bytes.subarray(commandsAt.text, commandsAt.text + commandsBytes);
  const end = field.indexOf(0);
  if (end < 0) return null;
  const lines = field
    .toString("latin1", 0, end)
    .split("\n")
    .map((line) => plainText(line, commandsBytes))
    .filter((line) => line !== "");
  return lines.length > 0 ? lines : null;
}

/** null where the library does not tell. */
export function readBegun(bytes: Buffer): boolean | null {
  return flag(bytes, changeAt.begun) ?? null;
}
