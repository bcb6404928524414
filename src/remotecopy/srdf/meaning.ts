/**
 * From the pairs of one device group to the common pair state. The group is one volume to
 * mirrorbeat: pairs in different states or modes are not one state.
 *
 * Invariant: paired only if every pair says Synchronized in synchronous mode, or Consistent in
 * asynchronous mode; other modes acknowledge writes that are nowhere near the other array.
 */
import {
  fault,
  type PairFault,
  type PairRole,
  type PairState,
  type PairView,
} from "../provider.ts";
import type { GroupQuery } from "./parse.ts";

type Row = {
  readonly state: PairState;
  readonly cause: string;
  /** What hosts may do: at the R1, at the R2; null where the state does not tell. */
  readonly r1: Access;
  readonly r2: Access;
};
type Access = { readonly readable: boolean | null; readonly writable: boolean | null };

const free: Access = { readable: true, writable: true };
/** "WD": a host reads, and its writes are rejected. */
const readOnly: Access = { readable: true, writable: false };
const untold: Access = { readable: null, writable: null };
const notWritable: Access = { readable: null, writable: false };
const unknownRow = (cause: string): Row => ({ state: "unknown", cause, r1: untold, r2: untold });

const paired: Row = { state: "paired", cause: "", r1: free, r2: readOnly };
/** Whoever suspended it: after a link has failed for a while it says the same. */
const byOperator: Row = { state: "suspended-by-operator", cause: "", r1: free, r2: notWritable };

const rows: ReadonlyMap<string, Row> = new Map([
  ["Synchronous/Synchronized", paired],
  ["Asynchronous/Consistent", paired],
  ["*/SyncInProg", { state: "copying", cause: "", r1: free, r2: notWritable }],
  ["*/Suspended", byOperator],
  ["*/Split", { ...byOperator, r2: free }],
  [
    "*/Failed Over",
    { state: "takeover", cause: "failed over to the R2", r1: readOnly, r2: free },
  ],
  ["*/Partitioned", unknownRow("partitioned: the other array does not answer this one")],
  ["*/R1 Updated", unknownRow("the R1 was updated from the R2")],
  ["*/R1 UpdInProg", unknownRow("the R1 is being updated from the R2")],
  ["*/TransIdle", unknownRow("asynchronous, and its link is not ready")],
  ["*/Invalid", unknownRow("the array has no word for this state")],
]); // biome-ignore format: a table

function rowOf(mode: string, pairState: string): Row {
  const told = `${mode}, ${pairState}`;
  const row = rows.get(`${mode}/${pairState}`) ?? rows.get(`*/${pairState}`);
  return row ?? unknownRow(`not understood: ${told.slice(0, 100)}`);
}

const roleOf = (type: string): PairRole =>
  type === "RDF1" ? "primary" : type === "RDF2" ? "secondary" : "unknown";

export function meaningOf(query: GroupQuery): PairView | PairFault {
  const { type, pairs } = query;
  const words = [...new Set(pairs.map(({ mode, pairState }) => `${mode}, ${pairState}`))];
  const [first] = pairs;
  if (words.length > 1 || first === undefined || first.pairState === "Mixed") {
    const said = words.join("; ").slice(0, 200);
    return fault("mixed-group", `pairs of group ${query.name} are in different states: ${said}`);
  }
  const role = roleOf(type);
  const row = rowOf(first.mode, first.pairState);
  const native = `${type}, ${first.mode}, ${first.pairState}`.slice(0, 120);
  const told = role === "unknown" ? unknownRow(`a group of type ${type} is not supported`) : row;
  const access = role === "primary" ? told.r1 : told.r2;
  return {
    state: told.state,
    role,
    ...access,
    inSync: inSync(told.state, role, first.mode),
    percent: told.state === "paired" ? 100 : null,
    lastCopyAgoMs: null,
    native,
    cause: told.cause,
  };
}

/** The R2 does not know what it has not been sent; nor does anybody in asynchronous mode. */
function inSync(state: PairState, role: PairRole, mode: string): boolean | null {
  if (state === "paired") return role === "primary" && mode === "Synchronous" ? true : null;
  return state === "unknown" ? null : false;
}
