/**
 * A booth ticket as an arbiter, for sites whose clusters booth already arbitrates.
 *
 * `ask` is `booth grant -w TICKET` and then a fresh `booth list`; only the list decides, and it is
 * granted only if the ticket's leader is this site's address, it has not expired, and it is not
 * still being committed. `holds` is the list alone. crm_ticket is never used: it changes the local
 * cluster without asking the other site.
 */
import { type ProgramEnd, runProgram } from "../host/program.ts";
import { denied, granted, type Left, leftOf, oneAtATime, unknown } from "./answers.ts";
import type { Arbiter, ArbiterAnswer, BoothSettings } from "./arbiter.ts";
import { findTicket, ownAddress } from "./booth-list.ts";

const keepBytesMax = 65_536;
/** For the list after a grant that takes all the time there is. */
const listReserveMs = 3000;
const readLimitMs = 5000;
const clientDefault = ["booth"];

/** What a list is worth to the site of this address. */
export function judgeList(
  output: string,
  name: string,
  address: string,
  nowMs: number,
): ArbiterAnswer {
  const found = findTicket(output, name);
  if (!found.ok) return unknown(found.why);
  const { leader, expiresMs, isPending, isManual } = found.ticket;
  if (leader === null) return denied(`ticket ${name}: nobody has it`);
  if (leader !== address)
    return denied(`ticket ${name}: ${leader} has it, this site is ${address}`);
  if (expiresMs !== null && expiresMs <= nowMs) return denied(`ticket ${name}: expired`);
  if (isPending)
    return unknown(`ticket ${name}: granted to ${address}, but its commit is still pending`);
  // Booth hands a manual ticket to whom it is told to: an operator's word, not an arbitration.
  if (isManual) return unknown(`ticket ${name}: is in manual mode, where booth arbitrates nothing`);
  // Only a manual ticket has no end.
  if (expiresMs === null) return unknown(`ticket ${name}: granted to ${address} without an end`);
  const leftSeconds = Math.floor((expiresMs - nowMs) / 1000);
  return granted(`ticket ${name}: granted to ${address}, for ${leftSeconds} s more`);
}

/** Why a client program gave nothing that counts; null where it did. */
function clientFault(what: string, end: ProgramEnd): string | null {
  switch (end.kind) {
    case "not-started":
      return end.reason;
    case "overdue":
      return `${what}: no answer in time`;
    case "killed":
      return `${what}: was ended by ${end.signal}`;
    case "exited":
      if (end.code === 0 && !end.truncated) return null;
      return `${what}: exit code ${end.code}: ${end.stderr || end.stdout || "it said nothing"}`;
  }
}

type Listed =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly why: string };

class Booth {
  private readonly settings: BoothSettings;
  private readonly client: readonly string[];
  private readonly nowMs: () => number;

  constructor(settings: BoothSettings, nowMs: () => number) {
    this.settings = settings;
    this.client = settings.client.length > 0 ? settings.client : clientDefault;
    this.nowMs = nowMs;
  }

  /** Booth wants its verb first, then options, then the ticket: `booth grant -c FILE -w TICKET`. */
  private words(verb: string, words: readonly string[]): readonly string[] {
    const at = this.client.findIndex((word) => word.startsWith("-"));
    const programEnd = at < 0 ? this.client.length : at;
    const options = this.client.slice(programEnd);
    return [...this.client.slice(0, programEnd), verb, ...options, ...words];
  }

  private text(verb: string, ...words: readonly string[]): string {
    return this.words(verb, words).join(" ");
  }

  private run([verb, ...words]: readonly [string, ...string[]], limitMs: number) {
    const command = this.words(verb, words);
    return runProgram(command, { limitMs: Math.max(1, limitMs), keepBytesMax });
  }

  async ask(left: Left): Promise<ArbiterAnswer> {
    const address = await this.address(left);
    if (address === null) return this.nameless();
    const { ticket } = this.settings;
    const before = await this.list(address, left);
    if (before.kind === "granted") return before;
    const end = await this.run(["grant", "-w", ticket], left() - listReserveMs);
    const failed = clientFault(this.text("grant"), end);
    const after = await this.list(address, left);
    if (after.kind === "granted" || failed === null) return after;
    // A grant that nobody waited for may still come.
    const isSettled = end.kind === "exited" || end.kind === "not-started";
    const text = `${after.detail}; ${failed}`;
    return after.kind === "denied" && isSettled ? denied(text) : unknown(text);
  }

  async holds(left: Left): Promise<ArbiterAnswer> {
    const address = await this.address(left);
    return address === null ? this.nameless() : this.list(address, left);
  }

  /** Revokes only what this site has: booth hands a revocation on to whoever has the ticket. */
  async release(left: Left): Promise<ArbiterAnswer> {
    const address = await this.address(left);
    if (address === null) return this.nameless();
    const { ticket } = this.settings;
    const before = await this.listed(left);
    const found = before.ok ? findTicket(before.text, ticket) : before;
    if (!found.ok) return unknown(found.why);
    if (found.ticket.leader !== address) return this.away(await this.list(address, left));
    const end = await this.run(["revoke", "-w", ticket], left() - listReserveMs);
    const failed = clientFault(this.text("revoke"), end);
    const after = this.away(await this.list(address, left));
    return after.kind === "granted" || failed === null
      ? after
      : unknown(`${after.detail}; ${failed}`);
  }

  /** A list turned round: what this site has not is given away. */
  private away({ kind, detail }: ArbiterAnswer): ArbiterAnswer {
    return kind === "denied" ? granted(detail) : unknown(detail);
  }

  private nameless(): ArbiterAnswer {
    return unknown(`${this.text("status")}: does not tell this site's address; configure it`);
  }

  private async address(left: Left): Promise<string | null> {
    const { address } = this.settings;
    if (address) return address;
    const end = await this.run(["status"], Math.min(readLimitMs, left()));
    return end.kind === "exited" && end.code === 0 ? ownAddress(end.stdout) : null;
  }

  private async listed(left: Left): Promise<Listed> {
    const end = await this.run(["list"], Math.min(readLimitMs, left()));
    const why = clientFault(this.text("list"), end);
    if (end.kind === "exited" && why === null) return { ok: true, text: end.stdout };
    return { ok: false, why: why ?? this.text("list") };
  }

  private async list(address: string, left: Left): Promise<ArbiterAnswer> {
    const listed = await this.listed(left);
    if (!listed.ok) return unknown(listed.why);
    return judgeList(listed.text, this.settings.ticket, address, this.nowMs());
  }

  get describe(): readonly string[] {
    const { ticket, address } = this.settings;
    return [
      ...(address ? [] : [this.text("status")]),
      this.text("list"),
      this.text("grant", "-w", ticket),
      `${this.text("list")}  # granted only if it names this site${address ? `, ${address}` : ""}`,
    ];
  }
}

/** `nowMs` is wall time, as booth's own times are; another one in tests. */
export function openBooth(settings: BoothSettings, nowMs: () => number = Date.now): Arbiter {
  const booth = new Booth(settings, nowMs);
  const once = oneAtATime();
  return {
    ask: (request) => once(() => booth.ask(leftOf(settings.limitMs, request))),
    holds: (request) => once(() => booth.holds(leftOf(settings.limitMs, request))),
    release: (request) => once(() => booth.release(leftOf(settings.limitMs, request))),
    describe: booth.describe,
  };
}
