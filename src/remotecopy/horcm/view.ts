/**
 * From the rows of `pairdisplay` to the common view of an end.
 *
 * Every volume is judged by itself, and all must be alike: the status that CCI computes for a group
 * lets PAIR hide PSUS. A status, or a status at a role, that is not in the table is `unknown`.
 *
 * An S-VOL in PAIR says nothing of what the P-VOL wrote since: it stays PAIR while the P-VOL is
 * PSUE, and while nothing was written since the link died. The P-VOL's status is the pair's.
 */
import { fault, type PairFault, type PairState, type PairView } from "../provider.ts";
import type { Row } from "./pairdisplay.ts";
import type { HorcmSettings } from "./settings.ts";

const primaryStates: Readonly<Record<string, PairState>> = {
  COPY: "copying",
  RCPY: "copying",
  PAIR: "paired",
  PFUL: "paired",
  PSUS: "suspended-by-operator",
  PSUE: "suspended-by-error",
  PDUB: "suspended-by-error",
  PFUS: "suspended-by-error",
};
const secondaryStates: Readonly<Record<string, PairState>> = {
  COPY: "copying",
  RCPY: "copying",
  PAIR: "paired",
  PFUL: "paired",
  SSUS: "suspended-by-operator",
  PSUS: "suspended-by-operator",
  PSUE: "suspended-by-error",
  PDUB: "suspended-by-error",
  PFUS: "suspended-by-error",
  SSWS: "takeover",
};
const causes: Readonly<Record<string, string>> = {
  PSUE: "the link or a volume failed",
  PDUB: "parts of the volume are in different states",
  PFUS: "the side file or journal is full",
};

const stateOf = ({ role, status }: Row): PairState => {
  if (role === "SMPL") return "simplex";
  const table = role === "P-VOL" ? primaryStates : secondaryStates;
  return (Object.hasOwn(table, status ?? "") ? table[status ?? ""] : undefined) ?? "unknown";
};

/** As pairdisplay has it: "S-VOL SSWS", "SMPL". */
export const statusText = ({ role, status }: Row): string =>
  role === "SMPL" ? role : `${role} ${status}`;

type Access = { readonly readable: boolean | null; readonly writable: boolean | null };

/** GAD's I/O mode, where it is shown: local, mirrored or blocked, for reads and for writes. */
function accessOfMode(mode: string): Access {
  const found = /^([LMB])\/([LMB])$/.exec(mode);
  if (!found) return { readable: null, writable: null };
  return { readable: found[1] !== "B", writable: found[2] !== "B" };
}

function accessOf(row: Row): Access {
  const { role, status, fence, mark, mode } = row;
  const state = stateOf(row);
  if (state === "unknown") return { readable: null, writable: null };
  if (role !== "SMPL" && mode !== null) return accessOfMode(mode);
  if (role === "SMPL" || state === "takeover") return { readable: true, writable: true };
  if (role === "S-VOL") {
    // Split with -rw it may be written; the mark shows it only once it was.
    const split = status === "SSUS" || status === "PSUS";
    const writable = split ? (mark === "W" ? true : null) : false;
    return { readable: mark !== "N", writable };
  }
  // With fence DATA the array fails the P-VOL's writes; with STATUS it depends on the S-VOL.
  const writable = state !== "suspended-by-error" || fence === "NEVER" || fence === "ASYNC";
  return { readable: true, writable: writable ? true : fence === "DATA" ? false : null };
}

/** Whether the volume lags behind by design; its fence is shown in `native`. */
export const isAsynchronous = ({ native }: PairView): boolean => / ASYNC\b/.test(native);

/** With ASYNC, or a word that is not known, PAIR does not mean that all has arrived. */
const synchronousFences = ["NEVER", "DATA", "STATUS"];

function inSyncOf(row: Row, state: PairState): boolean | null {
  if (state === "unknown" || state === "simplex") return null;
  if (state !== "paired") return false;
  if (row.status === "PFUL") return false;
  if (row.role === "S-VOL" || !synchronousFences.includes(row.fence ?? "")) return null;
  return row.percent === null || row.percent === 100 ? true : null;
}

function percentOf(rows: readonly Row[], state: PairState): number | null {
  if (state === "paired") return 100;
  if (state === "simplex" || state === "unknown") return null;
  const told = rows.map(({ percent }) => percent);
  if (told.includes(null)) return null;
  return Math.min(100, ...(told as number[]));
}

/** true where all are, false where one is not, else null. */
const every = (values: readonly (boolean | null)[]): boolean | null =>
  values.includes(false) ? false : values.includes(null) ? null : true;

const unique = (values: readonly string[]): readonly string[] => [...new Set(values)];

function causeOf(rows: readonly Row[], state: PairState): string {
  const native = unique(rows.map(statusText)).join(", ");
  if (state === "unknown") return `${native} is no status that is known`;
  if (state === "suspended-by-error") {
    return unique(rows.map(({ status }) => causes[status ?? ""] ?? "")).join(", ");
  }
  const blocked = rows.some(({ mode }) => mode !== null && accessOfMode(mode).readable === false);
  if (state === "suspended-by-operator" && blocked && rows[0]?.role === "P-VOL") {
    return "the array blocks this volume: the other end may have been taken over";
  }
  return "";
}

/** The view of one end, of rows that were checked to be of its group. */
export function viewOf(rows: readonly Row[]): PairView | PairFault {
  const [first] = rows;
  if (!first) return fault("unparseable", "no volume");
  const state = stateOf(first);
  if (rows.some((row) => stateOf(row) !== state || row.role !== first.role)) {
    const list = rows.map((row) => `${row.device} ${statusText(row)}`).join(", ");
    return fault("mixed-group", `volumes of ${first.group} differ: ${list.slice(0, 300)}`);
  }
  const role = first.role === "SMPL" ? "none" : first.role === "P-VOL" ? "primary" : "secondary";
  const fences = unique(rows.flatMap(({ fence }) => fence ?? []));
  const access = rows.map(accessOf);
  return {
    state,
    role,
    readable: every(access.map(({ readable }) => readable)),
    writable: every(access.map(({ writable }) => writable)),
    inSync: every(rows.map((row) => inSyncOf(row, state))),
    percent: percentOf(rows, state),
    lastCopyAgoMs: null,
    native: [unique(rows.map(statusText)).join(", "), ...fences].join(" "),
    cause: causeOf(rows, state),
  };
}

export type SideRead = { readonly ok: true; readonly rows: readonly Row[] } | PairFault;

/** Rows of one side; all that the settings name, and none besides. */
export function rowsOfSide(
  rows: readonly Row[],
  side: Row["side"],
  settings: HorcmSettings,
): SideRead {
  const { group, device, volumes } = settings;
  const foreign = rows.find(
    (row) => row.group !== group || (device !== null && row.device !== device),
  );
  if (foreign) {
    return fault("unparseable", `asked for ${group}, told of ${foreign.group} ${foreign.device}`);
  }
  const mine = rows.filter((row) => row.side === side);
  if (mine.length !== volumes) {
    const message = `${mine.length} volumes of ${group} are shown, but ${volumes} configured`;
    return fault(mine.length < volumes ? "unparseable" : "config", `${message} (volumes = N)`);
  }
  return { ok: true, rows: [...mine].sort((a, b) => (a.device < b.device ? -1 : 1)) };
}

/** "411001/1a01"; several volumes of a group with a comma between. */
export const identityOf = (rows: readonly Row[]): string =>
  rows.map(({ serial, ldev }) => `${serial}/${ldev}`).join(",");

/** Where the other end's rows are not of this pair's other volumes. */
export function partnerFault(local: readonly Row[], remote: readonly Row[]): PairFault | null {
  for (const row of local) {
    const partner = remote.find(({ device }) => device === row.device);
    const own = partner?.role === "SMPL" ? null : (partner?.partnerLdev ?? null);
    const expected = row.role === "SMPL" ? null : row.partnerLdev;
    if (
      !partner ||
      (expected !== null && partner.ldev !== expected) ||
      (own !== null && own !== row.ldev)
    ) {
      const message = `${row.device}: the other end's horcm.conf names a volume of another pair`;
      return fault("identity", message);
    }
  }
  return null;
}

export type Views = { readonly local: PairView; readonly remote: PairView };

const isSuspended = ({ state }: PairView): boolean => state.startsWith("suspended");

/** What one end's view is worth beside the other's. */
function reconsider(view: PairView, other: PairView): PairView {
  if (view.role === "primary" && isSuspended(view) && other.state === "takeover") {
    return { ...view, cause: `the other end took over (${other.native})` };
  }
  if (view.state !== "paired") return view;
  const roles = [view.role, other.role].sort().join();
  if (other.state === "paired" && roles === "primary,secondary") {
    const primary = view.role === "primary" ? view : other;
    return { ...view, inSync: view.inSync === false ? false : primary.inSync };
  }
  if (roles === "primary,secondary" && other.state === "copying") {
    return { ...view, state: "copying", inSync: false, percent: other.percent };
  }
  if (view.role === "secondary" && other.role === "primary" && isSuspended(other)) {
    const cause = `the primary is ${other.native}: what it wrote since is not here`;
    return { ...view, state: other.state, inSync: false, percent: null, cause };
  }
  const cause = `the ends contradict each other: here ${view.native}, there ${other.native}`;
  return { ...view, state: "unknown", inSync: null, percent: null, writable: null, cause };
}

/** Both ends of one answer, each in the light of the other. */
export const reconciled = ({ local, remote }: Views): Views => ({
  local: reconsider(local, remote),
  remote: reconsider(remote, local),
});
