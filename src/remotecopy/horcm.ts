/**
 * The provider for Hitachi's CCI, which HPE sells as XP RAID Manager: TrueCopy, Universal
 * Replicator and global-active device, by the commands of a HORCM instance at this host.
 *
 * Rules that this file keeps:
 *   - A query of this end is `pairdisplay -l`: without -l it may wait for the other site for ever.
 *     The other end is asked by a second command, which gets what is left of the deadline.
 *   - States are read from pairdisplay alone, volume by volume. pairvolchk knows no SSWS and lets
 *     PAIR hide PSUS: it may contradict before a change, and never proves anything.
 *   - Exit codes explain; the state after a change decides (src/remotecopy/change.ts).
 *   - The commands' environment is empty but for PATH: HORCC_MRCF would show ShadowImage's pairs
 *     (SMPL, for a remote copy), and HORCMINST another instance than -IH names.
 *
 * Tested against layouts recorded or documented, never against an array.
 */
import path from "node:path";
import { type ProgramEnd, runProgram } from "../host/program.ts";
import { classOfExit, explainExit } from "./horcm/exit-codes.ts";
import { parsePairdisplay, type Row } from "./horcm/pairdisplay.ts";
import { compareOpinion, type Opinion } from "./horcm/pairvolchk.ts";
import { displayLine, type Line, opinionLine, partnerLine, planOf } from "./horcm/plan.ts";
import { readSettings } from "./horcm/settings.ts";
import * as views from "./horcm/view.ts";
import type { ProviderContext } from "./open-provider.ts";
import {
  type Capabilities,
  type Change,
  fault,
  type IdentityAnswer,
  type PairAnswer,
  type PairFault,
  type PairProvider,
  type PairState,
  type Performed,
} from "./provider.ts";

const capabilities: Capabilities = {
  verbs: ["create", "split", "resync", "swap", "takeover", "remove"],
  copying: "either",
  secondaryRead: "device",
  remoteQuery: true,
  atomicSwap: false,
};

const keepBytesMax = 256 * 1024;
/** For the second opinion, out of the time of a change. */
const opinionLimitMs = 5000;

/** As src/host/program.ts has it; tests put a stand-in here. */
export type Run = (
  command: readonly string[],
  options: { readonly limitMs: number; readonly keepBytesMax: number; readonly env: typeof plain },
) => Promise<ProgramEnd>;

/** Messages and numbers as documented, whatever language the host speaks. */
const plain = { LC_ALL: "C" } as const;

const firstLine = (text: string): string =>
  (text.split("\n").find((line) => line.trim() !== "") ?? "")
    .replaceAll(/[^\x20-\x7e]+/g, " ")
    .trim()
    .slice(0, 200);

const because = (stderr: string): string => (firstLine(stderr) ? ` (${firstLine(stderr)})` : "");

type Asked = { readonly ok: true; readonly rows: readonly Row[] } | PairFault;

export function horcmProvider(context: ProviderContext): PairProvider {
  return new HorcmProvider(context, runProgram);
}

export class HorcmProvider implements PairProvider {
  readonly capabilities = capabilities;
  private readonly context: ProviderContext;
  private readonly run: Run;
  private readonly settings: ReturnType<typeof readSettings>;

  constructor(context: ProviderContext, run: Run) {
    this.context = context;
    this.run = run;
    this.settings = readSettings(context.own);
  }

  async identify(deadlineMs: number): Promise<IdentityAnswer> {
    const endMs = this.context.nowMs() + deadlineMs;
    const asked = await this.display(displayLine(this.settings, "local"), "L", endMs);
    if (!asked.ok) return asked;
    const own = views.identityOf(asked.rows);
    const peer = await this.peerOf(asked.rows, endMs);
    return { ok: true, identity: { own, peer } };
  }

  async query(scope: "local" | "both", deadlineMs: number): Promise<PairAnswer> {
    const observedMs = this.context.nowMs();
    const endMs = observedMs + deadlineMs;
    const asked = await this.display(displayLine(this.settings, "local"), "L", endMs);
    if (!asked.ok) return asked;
    const foreign = this.foreignFault(asked.rows);
    if (foreign) return foreign;
    const local = views.viewOf(asked.rows);
    if ("class" in local) return local;
    if (scope === "local") return { ok: true, observedMs, local, remote: null, remoteFault: null };
    const both = await this.both(endMs);
    if ("class" in both) return { ok: true, observedMs, local, remote: null, remoteFault: both };
    return { ok: true, observedMs, ...both, remoteFault: null };
  }

  commands(change: Change): readonly string[] {
    const plan = planOf(change, this.settings, this.context.end);
    return plan.ok ? plan.lines.map((line) => this.command(line).join(" ")) : [];
  }

  async perform(change: Change, deadlineMs: number): Promise<Performed> {
    const endMs = this.context.nowMs() + deadlineMs;
    const plan = planOf(change, this.settings, this.context.end);
    if (!plan.ok) return { kind: "not-begun", fault: plan };
    const notes: string[] = [];
    if (plan.opinion !== "none") {
      const doubt = await this.verify(change, endMs, plan.opinion === "needed", notes);
      if (doubt) return { kind: "not-begun", fault: doubt };
    }
    for (const [at, line] of plan.lines.entries()) {
      const useless = at > 0 ? await this.notIn(plan.secondIn, endMs) : null;
      if (useless !== null) {
        return { kind: "ended", detail: [...notes, `${line[0]} not sent: ${useless}`].join("; ") };
      }
      const end = await this.send(line, endMs);
      if (end.kind === "not-begun" && at === 0) return end;
      notes.push(end.kind === "not-begun" ? end.fault.message : end.detail);
      if (end.kind !== "ended") {
        return { kind: at === 0 ? "cut-short" : "ended", detail: notes.join("; ") };
      }
    }
    return { kind: "ended", detail: notes.join("; ") };
  }

  private command([program, ...args]: Line): readonly string[] {
    return [path.join(this.settings.folder, program), ...args];
  }

  private async start(line: Line, endMs: number): Promise<ProgramEnd> {
    const limitMs = Math.max(0, endMs - this.context.nowMs());
    return this.run(this.command(line), { limitMs, keepBytesMax, env: plain });
  }

  /** Rows of one side, as one pairdisplay shows them. */
  private async display(line: Line, side: Row["side"], endMs: number): Promise<Asked> {
    const read = await this.read(line, endMs);
    return read.ok ? views.rowsOfSide(read.rows, side, this.settings) : read;
  }

  private async read(line: Line, endMs: number): Promise<Asked> {
    const { instance } = this.settings;
    const end = await this.start(line, endMs);
    switch (end.kind) {
      case "overdue":
        return fault(
          "timeout",
          line.includes("-l")
            ? `pairdisplay of HORCM instance ${instance} did not end in time`
            : "the other end did not answer in time",
        );
      case "not-started":
        return fault("daemon-down", `${end.reason}; see the setting folder`);
      case "killed":
        return fault("daemon-down", `pairdisplay died by ${end.signal}${because(end.stderr)}`);
      case "exited":
    }
    if (end.code !== 0) {
      const message = `pairdisplay: ${explainExit("pairdisplay", end.code)}${because(end.stderr)}`;
      return fault(classOfExit(end.code), message);
    }
    if (end.truncated) return fault("unparseable", "pairdisplay printed too much");
    const parsed = parsePairdisplay(end.stdout, 16);
    if (!parsed.ok) return fault("unparseable", `pairdisplay: ${parsed.reason}`);
    // This end was asked for alone: anything else is no answer to that.
    if (line.includes("-l") && parsed.rows.some(({ side }) => side === "R")) {
      return fault("unparseable", "pairdisplay -l told of the other end");
    }
    return parsed;
  }

  private foreignFault(rows: readonly Row[]): PairFault | null {
    const { identity } = this.settings;
    const own = views.identityOf(rows);
    if (identity === null || own === identity) return null;
    return fault("identity", `this is volume ${own}, but ${identity} is configured`);
  }

  /** Both ends from one command, so that they are of one moment. */
  private async both(endMs: number): Promise<views.Views | PairFault> {
    const read = await this.read(displayLine(this.settings, "both"), endMs);
    if (!read.ok) return read;
    const [near, far] = (["L", "R"] as const).map((side) =>
      views.rowsOfSide(read.rows, side, this.settings),
    ) as [views.SideRead, views.SideRead];
    if (!near.ok) return near;
    if (!far.ok) return far;
    const stranger = this.foreignFault(near.rows) ?? views.partnerFault(near.rows, far.rows);
    if (stranger) return stranger;
    const local = views.viewOf(near.rows);
    const remote = views.viewOf(far.rows);
    if ("class" in local) return local;
    if ("class" in remote) return remote;
    return views.reconciled({ local, remote });
  }

  /** What this end's own array knows of its partner; null where it tells only a part. */
  private async peerOf(rows: readonly Row[], endMs: number): Promise<string | null> {
    if (rows.some(({ role }) => role === "SMPL")) return null;
    const asked = await this.display(partnerLine(this.settings), "L", endMs);
    if (!asked.ok || views.identityOf(asked.rows) !== views.identityOf(rows)) return null;
    const peers = asked.rows.map(({ partnerSerial, partnerLdev }) =>
      partnerSerial === null ? null : { serial: partnerSerial, ldev: partnerLdev ?? "" },
    );
    if (peers.includes(null)) return null;
    return peers.map((peer) => `${peer?.serial}/${peer?.ldev}`).join(",");
  }

  /** Looks again just before a change, in two ways; null where nothing speaks against it. */
  private async verify(
    { before, force }: Change,
    endMs: number,
    needed: boolean,
    notes: string[],
  ): Promise<PairFault | null> {
    const asked = await this.display(displayLine(this.settings, "local"), "L", endMs);
    if (!asked.ok) return asked;
    const stranger = this.foreignFault(asked.rows);
    if (stranger) return stranger;
    const now = views.viewOf(asked.rows);
    if ("class" in now) return now;
    if (now.native !== before.local.native && now.state !== before.local.state) {
      return fault("wrong-state", `it became ${now.native} meanwhile; nothing was sent`);
    }
    const opinion = await this.opinion(asked.rows, endMs);
    if (opinion.kind === "agrees") return null;
    const words = opinion.kind === "none" ? "pairvolchk cannot tell the state" : opinion.words;
    // A swap needs both ends well: no consent makes up for a doubt.
    if (!needed && (force || opinion.kind === "none")) {
      notes.push(words);
      return null;
    }
    return fault("wrong-state", `${words}, pairdisplay ${now.native}; nothing was sent`);
  }

  private async opinion(rows: readonly Row[], endMs: number): Promise<Opinion> {
    const untilMs = Math.min(endMs, this.context.nowMs() + opinionLimitMs);
    const end = await this.start(opinionLine(this.settings), untilMs);
    if (end.kind !== "exited" || end.truncated) return { kind: "none" };
    const shown = rows.map(({ status }) => status ?? "SMPL");
    const [{ role }] = rows as [Row];
    return compareOpinion(role, shown, { code: end.code, text: end.stdout });
  }

  /** Why the second command must not follow; null where this end is in the state for it. */
  private async notIn(state: PairState | null, endMs: number): Promise<string | null> {
    const now = await this.query("local", Math.max(0, endMs - this.context.nowMs()));
    if (!now.ok) return now.message;
    return now.local.state === state ? null : `it is ${now.local.native}`;
  }

  private async send(line: Line, endMs: number): Promise<Performed> {
    const [program] = line;
    const text = `${program}${line.includes("-RS") ? " -RS" : ""}`;
    const end = await this.start(line, endMs);
    switch (end.kind) {
      case "not-started":
        return { kind: "not-begun", fault: fault("daemon-down", end.reason) };
      case "overdue":
        return { kind: "cut-short", detail: `${text} did not end in time${because(end.stderr)}` };
      case "killed":
        return { kind: "cut-short", detail: `${text} died by ${end.signal}${because(end.stderr)}` };
      case "exited": {
        const detail = `${text}: ${explainExit(program, end.code)}${because(end.stderr)}`;
        return { kind: "ended", detail };
      }
    }
  }
}
