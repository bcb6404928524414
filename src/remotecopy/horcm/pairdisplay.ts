/**
 * Reads what `pairdisplay` prints, in both of its layouts:
 *
 *   -CLI     cells apart by blanks, named by the header
 *   fused    `hb_a(L) (CL1-A-1, 0,   7)411001  6657.P-VOL PSUS NEVER ,  100 11009 -`
 *
 * Which columns there are depends on -fc, -fx, -fd, -fe and the version; the header tells. Nothing
 * is taken from a place in the line, and no part of an answer is believed alone: one line that is
 * not understood, a missing line end, a column too few or too many makes all of it unparseable.
 * Words that may change with versions (status, fence, I/O mode) are handed on as they stand.
 */

export type Row = {
  readonly group: string;
  readonly device: string;
  readonly side: "L" | "R";
  readonly serial: string;
  /** Hexadecimal, lower case, without leading zeros, whatever the layout's base. */
  readonly ldev: string;
  readonly role: "P-VOL" | "S-VOL" | "SMPL";
  /** null where the cell holds dashes. */
  readonly status: string | null;
  /** Upper case. */
  readonly fence: string | null;
  readonly percent: number | null;
  /** Serial of the partner's array: only told without -fc. */
  readonly partnerSerial: string | null;
  readonly partnerLdev: string | null;
  /** "W": the S-VOL was opened for writing; "N": it may not be read. */
  readonly mark: string | null;
  /** GAD's I/O mode, as in "L/M". */
  readonly mode: string | null;
};

export type RowsRead =
  | { readonly ok: true; readonly rows: readonly Row[] }
  | { readonly ok: false; readonly reason: string };

/** -x makes LDEV numbers hexadecimal; the text itself does not tell. */
export type LdevBase = 10 | 16;

const no = (reason: string): RowsRead => ({ ok: false, reason });

/** Columns in the order in which every version prints them; all may be missing but the last line. */
const columnsInOrder = [
  "Group", "PairVol", "L/R", "Device_File", "Port#", "TID", "LU", "M:unit", "Seq#", "LDEV#", "P/S",
  "Status", "Fence", "%", "Seq#:partner", "P-LDEV#", "M", "CTG", "JID", "AP", "EM", "E-Seq#",
  "E-LDEV#", "R/W",
] as const; // biome-ignore format: a table
const required = [
  "Group", "PairVol", "L/R", "Seq#", "LDEV#", "P/S", "Status", "Fence", "P-LDEV#", "M",
]; // biome-ignore format: a table

type Cells = ReadonlyMap<string, string>;
const isDashes = (cell: string): boolean => /^-+$/.test(cell);

/**
 * Names the columns of a header, or says what is wrong with it. Columns of newer versions may
 * follow the last known one; among the known ones nothing unknown is accepted.
 */
function nameColumns(header: readonly string[]): readonly string[] | string {
  const names: string[] = [];
  for (const cell of header) {
    const past = names.includes("LDEV#");
    const name = cell === "Seq#" && past ? "Seq#:partner" : cell === "M" && !past ? "M:unit" : cell;
    if (names.includes(name)) return `column ${cell} is there twice`;
    names.push(name);
  }
  for (const name of required) if (!names.includes(name)) return `column ${name} is missing`;
  let last = -1;
  let ended = false;
  for (const name of names) {
    const place = (columnsInOrder as readonly string[]).indexOf(name);
    if (place < 0) {
      if (!names.slice(0, names.indexOf(name)).includes("M")) return `column ${name} is unknown`;
      ended = true;
    } else if (ended || place < last) return `column ${name} is out of its order`;
    else last = place;
  }
  return names;
}

function ldevOf(cell: string, base: LdevBase): string | null {
  const good = base === 16 ? /^[0-9a-f]{1,6}$/i : /^[0-9]{1,8}$/;
  return good.test(cell) ? Number.parseInt(cell, base).toString(16) : null;
}

function roleOf(cell: string | undefined): Row["role"] | null {
  return cell === "P-VOL" || cell === "S-VOL" || cell === "SMPL" ? cell : null;
}

/** Of cells that have their names, whatever layout they came from. */
function rowOf(cells: Cells, base: LdevBase): Row | string {
  const text = (name: string): string => cells.get(name) ?? "-";
  const told = (name: string): string | null => (isDashes(text(name)) ? null : text(name));
  const side = text("L/R");
  if (side !== "L" && side !== "R") return `neither L nor R: ${side}`;
  const serial = text("Seq#");
  if (!/^[0-9]{1,12}$/.test(serial)) return `no serial: ${serial}`;
  const ldev = ldevOf(text("LDEV#"), base);
  if (ldev === null) return `no LDEV: ${text("LDEV#")}`;
  const role = roleOf(cells.get("P/S"));
  if (role === null) return `neither P-VOL nor S-VOL nor SMPL: ${text("P/S")}`;
  const partner = told("P-LDEV#");
  const partnerLdev = partner === null ? null : ldevOf(partner, base);
  if (partner !== null && partnerLdev === null) return `no LDEV: ${partner}`;
  const partnerSerial = told("Seq#:partner");
  if (partnerSerial !== null && !/^[0-9]{1,12}$/.test(partnerSerial)) {
    return `no serial: ${partnerSerial}`;
  }
  const percent = told("%");
  if (percent !== null && !/^[0-9]{1,3}$/.test(percent)) return `no percentage: ${percent}`;
  const mark = told("M");
  if (mark !== null && !/^[A-Z0-9]$/.test(mark)) return `no mark: ${mark}`;
  const status = told("Status");
  const fence = told("Fence")?.toUpperCase() ?? null;
  if (role !== "SMPL" && (status === null || fence === null || partnerLdev === null)) {
    return `a ${role} without status, fence or partner`;
  }
  if (role === "SMPL" && (status !== null || partnerLdev !== null)) {
    return "SMPL, and yet a pair";
  }
  return {
    group: text("Group"),
    device: text("PairVol"),
    side,
    serial,
    ldev,
    role,
    status,
    fence,
    percent: percent === null ? null : Number(percent),
    partnerSerial,
    partnerLdev,
    mark,
    mode: told("R/W"),
  };
}

/** Names have at most 31 characters; a device file may have more. */
const cellLengthMax = 128;

const words = (line: string): readonly string[] => line.trim().split(/\s+/);

function zip(names: readonly string[], cells: readonly string[]): Cells | string {
  if (names.length !== cells.length) return `${cells.length} cells for ${names.length} columns`;
  if (cells.some((cell) => cell.length > cellLengthMax)) return "a cell is too long";
  return new Map(names.map((name, at) => [name, cells[at] as string]));
}

type LineReader = (line: string) => Cells | string;

function cliReader(header: string): LineReader | string {
  const names = nameColumns(words(header));
  return typeof names === "string" ? names : (line) => zip(names, words(line));
}

/** Takes one piece after the other off the front of a line; the first that is not there ends it. */
class Scanner {
  private at = 0;
  private readonly line: string;

  constructor(line: string) {
    this.line = line;
  }

  take(pattern: RegExp): string | null {
    const sticky = new RegExp(pattern.source, "y");
    sticky.lastIndex = this.at;
    const found = sticky.exec(this.line);
    if (!found) return null;
    this.at = sticky.lastIndex;
    return found[1] ?? found[0];
  }

  rest(): string {
    return this.line.slice(this.at);
  }
}

const fusedHeader =
  /^Group PairVol\(L\/R\) (\(Port#,TID,LU(?:-M)?\)|Device_File),Seq#,LDEV#\.{1,2}P\/S,Status,Fence,(.+)$/;

/** The fused layout: the first ten cells have separators of their own, then blanks count. */
function fusedReader(header: string): LineReader | string {
  const plain = header
    .trim()
    .replaceAll(/\s*,\s*/g, ",")
    .replaceAll(/\s+/g, " ");
  const found = fusedHeader.exec(plain);
  if (!found) return "the header is of no known layout";
  const place = found[1]?.startsWith("(") ? /\s+\([^()]{1,40}\)\s*/ : /\s+[^\s()]+\s+/;
  const tail = (found[2] ?? "").split(/[ ,]/);
  const head = ["Group", "PairVol", "L/R", "Seq#", "LDEV#", "P/S", "Status", "Fence"];
  const names = nameColumns([...head, ...tail]);
  if (typeof names === "string") return names;
  return (line) => {
    const scan = new Scanner(line.trimEnd());
    const pieces = [
      scan.take(/([^\s()]+)\s+/),
      scan.take(/[^\s()]+/),
      scan.take(/\(([LR])\)/),
      scan.take(place),
      scan.take(/([0-9]+)\s+/),
      scan.take(/([0-9A-Fa-f]+)\.{1,2}/),
      scan.take(/(P-VOL|S-VOL|SMPL)\s+/),
      scan.take(/(\S+)\s+/),
      scan.take(/([^\s,]+)\s*,\s*/),
    ];
    const missing = pieces.indexOf(null);
    if (missing >= 0) return `piece ${missing + 1} of the line is not understood`;
    const first = pieces.filter((_, at) => at !== 3) as string[];
    return zip(names, [...first, ...words(scan.rest())]);
  };
}

/** One name for two volumes, or two names for one. */
const isSame = (a: Row, b: Row): boolean =>
  a.side === b.side && (a.device === b.device || (a.serial === b.serial && a.ldev === b.ldev));

/** Longer answers are not of one heartbeat group. */
const linesMax = 2000;

export function parsePairdisplay(text: string, base: LdevBase): RowsRead {
  // A text without its last line end was cut off: the last cell may be half of itself.
  if (!text.endsWith("\n")) return no(text === "" ? "nothing was printed" : "it breaks off");
  if (/[^\n\r\t\x20-\x7e]/.test(text)) return no("it is no plain text");
  const lines = text.split(/\r?\n/).slice(0, -1);
  if (lines.length > linesMax) return no("it is too long");
  const header = lines[0] ?? "";
  const reader = header.includes("PairVol(L/R)") ? fusedReader(header) : cliReader(header);
  if (typeof reader === "string") return no(reader);
  const rows: Row[] = [];
  for (const [at, line] of lines.slice(1).entries()) {
    const cells = reader(line);
    const row = typeof cells === "string" ? cells : rowOf(cells, base);
    if (typeof row === "string") return no(`line ${at + 2}: ${row}`);
    if (rows.some((other) => isSame(other, row))) {
      return no(`line ${at + 2}: ${row.device} or its volume is there twice`);
    }
    rows.push(row);
  }
  return rows.length === 0 ? no("it names no volume") : { ok: true, rows };
}
