/**
 * What a program answers, read strictly: a field that is missing or of another kind makes it
 * unparseable, a view with an unknown word for its state or role is `unknown`, fields that nobody
 * asked for are passed over. The protocol stands in docs/arrays.md.
 */
import { pairVerbs } from "../../core/base/pair-settings.ts";
import { isObject, type JsonObject } from "../../host/json-lines.ts";
import {
  type Capabilities,
  fault,
  type FaultClass,
  faultClasses,
  type Identity,
  type PairFault,
  type PairRole,
  pairStates,
  type PairView,
  type QueryScope,
} from "../provider.ts";
import { isIdentity, plainText } from "../told-view.ts";
import { parseObject } from "../json-object.ts";

export const protocolVersion = 1;

const messageLengthMax = 256;
const nativeLengthMax = 64;
const causeLengthMax = 160;
const roles: readonly PairRole[] = ["primary", "secondary", "none", "unknown"];
const copyings = ["synchronous", "asynchronous", "either"] as const;
const readings = ["device", "backing-device", "none"] as const;

type Read<T> = { readonly ok: true; readonly value: T } | PairFault;
const read = <T>(value: T): Read<T> => ({ ok: true, value });
const unparseable = (what: string): PairFault => fault("unparseable", `its answer: ${what}`);

function has<Word extends string>(words: readonly Word[], value: unknown): value is Word {
  return typeof value === "string" && (words as readonly string[]).includes(value);
}

export type Body =
  | { readonly kind: "good"; readonly value: JsonObject }
  /** It says itself that it could not; `begun` only of a change. */
  | { readonly kind: "fault"; readonly fault: PairFault; readonly begun: boolean };

/** null where the text is no answer. */
export function readBody(text: string): Body | null {
  const value = parseObject(text);
  if (value?.["version"] !== protocolVersion) return null;
  if (value["ok"] === true) return { kind: "good", value };
  if (value["ok"] !== false) return null;
  const told = readFault(value);
  const { begun } = value;
  if (!told || (begun !== undefined && typeof begun !== "boolean")) return null;
  return { kind: "fault", fault: told, begun: begun !== false };
}

function readFault(value: JsonObject): PairFault | null {
  const { class: word, message } = value;
  if (!has<FaultClass>(faultClasses, word) || typeof message !== "string") return null;
  return fault(word, plainText(message, messageLengthMax) || "the program gives no reason");
}

export function readCapabilities(value: JsonObject): Read<Capabilities> {
  const { verbs, copying, secondaryRead, remoteQuery, atomicSwap } = value;
  if (!Array.isArray(verbs) || !verbs.every((verb) => has(pairVerbs, verb))) {
    return unparseable("verbs");
  }
  if (!has(copyings, copying)) return unparseable("copying");
  if (!has(readings, secondaryRead)) return unparseable("secondaryRead");
  if (typeof remoteQuery !== "boolean" || typeof atomicSwap !== "boolean") {
    return unparseable("remoteQuery or atomicSwap");
  }
  return read({ verbs, copying, secondaryRead, remoteQuery, atomicSwap });
}

export function readIdentity(value: JsonObject): Read<Identity> {
  const { own, peer } = value;
  if (typeof own !== "string" || !isIdentity(own)) return unparseable("own");
  if (peer !== null && (typeof peer !== "string" || !isIdentity(peer))) return unparseable("peer");
  return read({ own, peer });
}

const isFlag = (value: unknown): value is boolean | null =>
  value === null || typeof value === "boolean";
const isNumber = (value: unknown, max: number): value is number =>
  typeof value === "number" && value >= 0 && value <= max;

function readView(value: unknown, which: string): Read<PairView> {
  if (!isObject(value)) return unparseable(which);
  const { state, role, readable, writable, inSync, percent, lastCopyAgoMs } = value;
  const { native, cause } = value;
  if (typeof state !== "string" || typeof role !== "string") return unparseable(`${which}.state`);
  if (!isFlag(readable) || !isFlag(writable) || !isFlag(inSync)) {
    return unparseable(`${which}: readable, writable or inSync`);
  }
  if (percent !== null && !isNumber(percent, 100)) return unparseable(`${which}.percent`);
  if (lastCopyAgoMs !== null && !isNumber(lastCopyAgoMs, Number.MAX_SAFE_INTEGER)) {
    return unparseable(`${which}.lastCopyAgoMs`);
  }
  if (typeof native !== "string" || typeof cause !== "string") {
    return unparseable(`${which}: native or cause`);
  }
  const word = !has(pairStates, state) ? state : has(roles, role) ? null : role;
  return read({
    state: has(pairStates, state) && word === null ? state : "unknown",
    role: has(roles, role) ? role : "unknown",
    readable,
    writable,
    inSync,
    percent,
    lastCopyAgoMs,
    native: plainText(native, nativeLengthMax),
    cause: plainText(word === null ? cause : `unknown word: ${word}`, causeLengthMax),
  });
}

export type Queried = {
  readonly ageMs: number;
  readonly local: PairView;
  readonly remote: PairView | null;
  readonly remoteFault: PairFault | null;
};

export function readQuery(value: JsonObject, scope: QueryScope): Read<Queried> {
  const { ageMs } = value;
  if (!isNumber(ageMs, Number.MAX_SAFE_INTEGER)) return unparseable("ageMs");
  const local = readView(value["local"], "local");
  if (!local.ok) return local;
  const only = { ageMs, local: local.value };
  if (scope === "local") return read({ ...only, remote: null, remoteFault: null });
  const { remote, remoteFault } = value;
  if (remote === null) {
    const told = isObject(remoteFault) ? readFault(remoteFault) : null;
    return told ? read({ ...only, remote, remoteFault: told }) : unparseable("remoteFault");
  }
  if (remoteFault !== null) return unparseable("remote and remoteFault");
  const other = readView(remote, "remote");
  return other.ok ? read({ ...only, remote: other.value, remoteFault }) : other;
}

export function readDetail(value: JsonObject): string {
  const { detail } = value;
  return typeof detail === "string" ? plainText(detail, messageLengthMax) : "";
}
