/**
 * What `booth list` prints (booth 1.0 to 1.2), a line a ticket:
 *
 *   ticket: db, leader: 10.1.1.1, expires: 2026-03-01 10:28:57
 *   ticket: db, leader: 10.1.1.1, expires: 2026-03-01 10:28:57 (commit pending until 2026-...)
 *   ticket: db, leader: 10.1.1.1, expires: INF [manual mode]
 *   ticket: db, leader: NONE
 *   WARNING: The ticket db is granted to multiple sites: ...
 *
 * Early builds of 1.0 put ", commit: N" behind the time. Times are local ones of booth's host, which
 * is this host. A line that is not understood is not guessed at.
 */
import { isIP } from "node:net";

export type Ticket = {
  readonly name: string;
  /** The site's address; null where nobody has it. */
  readonly leader: string | null;
  /** Milliseconds since 1970; null where it does not expire by itself. */
  readonly expiresMs: number | null;
  /** Granted, but not yet handed to Pacemaker: another site may still have it. */
  readonly isPending: boolean;
  readonly isManual: boolean;
};

export type TicketFound =
  | { readonly ok: true; readonly ticket: Ticket }
  | { readonly ok: false; readonly why: string };

const time = "\\d{4}-\\d{2}-\\d{2} \\d{2}:\\d{2}:\\d{2}";
const line = new RegExp(
  `^ticket: (\\S+), leader: (\\S+)(?:, expires: (INF|${time}))?(?:, commit: \\d+)?` +
    `( \\((?:commit )?pending until ${time}\\))?( \\[manual mode\\])?$`,
);

const missing = (why: string): TicketFound => ({ ok: false, why });

/** Null for a time that does not exist. */
function localTime(text: string): number | null {
  const ms = new Date(text.replace(" ", "T")).getTime();
  return Number.isNaN(ms) ? null : ms;
}

export function findTicket(output: string, name: string): TicketFound {
  const lines = output.split("\n").map((each) => each.trim());
  if (lines.some((each) => each.startsWith(`WARNING: The ticket ${name} is granted to multiple`)))
    return missing(`booth says that ticket ${name} is granted to more than one site`);
  const mine = lines.filter((each) => each.startsWith(`ticket: ${name},`));
  if (mine.length === 0) return missing(`booth lists no ticket ${name}; check its name`);
  const match = mine.length === 1 ? line.exec(mine[0] ?? "") : null;
  if (!match) return missing(`booth's line is not understood: ${mine.join(" / ")}`);
  const [, , leader = "", expires, pending, manual] = match;
  const isNobody = leader.toUpperCase() === "NONE";
  // A leader without a time is not one that booth stands for.
  if (!isNobody && (isIP(leader) === 0 || expires === undefined))
    return missing(`booth's line is not understood: ${mine[0]}`);
  const expiresMs = expires === undefined || expires === "INF" ? null : localTime(expires);
  if (expires !== undefined && expires !== "INF" && expiresMs === null)
    return missing(`booth's time is not understood: ${expires}`);
  const ticket = {
    name,
    leader: isNobody ? null : leader,
    expiresMs,
    isPending: pending !== undefined,
    isManual: manual !== undefined,
  };
  return { ok: true, ticket };
}

/** This site's address in what `booth status` prints; null where it does not stand there. */
export function ownAddress(status: string): string | null {
  const found = /\bbooth_addr_string='([^']*)'/.exec(status)?.[1] ?? "";
  const isSite = /\bbooth_type=['"]?site\b/.test(status);
  return isSite && isIP(found) !== 0 ? found : null;
}
