/**
 * Sends the phases of a change to the arrays, and looks after each whether it has come about: an
 * answer alone, good or bad, proves nothing. Ends at its deadline.
 */
import { factsOf, type FactsRead, questions } from "./facts.ts";
import type { Names } from "./names.ts";
import type { Phase, Station, Until } from "./plan.ts";
import { type Conversation, converse, type QmpAddress, type QmpCommand } from "./qmp.ts";

/** null: this array's QMP cannot be had from here. */
export type Access = Readonly<Record<Station["side"], QmpAddress | null>>;

export type Trouble = {
  /** A command was sent, and what it did was not seen. */
  readonly cut: boolean;
  readonly detail: string;
};

const lookEveryMs = 50;
/** The other array's answer comes over the link: it is not waited for much longer than this. */
const peerLimitMs = 3000;
/** For what a refused command may have done all the same. */
const refusedLimitMs = 1000;
/** A node or export that is just going away is still there for so long. */
const busyLimitMs = 2000;
const busyCommands: readonly string[] = ["blockdev-del", "block-export-add"];
/** Kept back of the deadline to put things right again. */
const undoLimitMs = 1000;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export async function lookAt(
  address: QmpAddress,
  where: string,
  names: Names,
  limitMs: number,
): Promise<FactsRead> {
  const talk = await converse(address, questions, limitMs);
  return talk.ok ? factsOf(where, talk.replies, names) : talk.fault;
}

export class Carrier {
  private readonly access: Access;
  private readonly names: Readonly<Record<Station["side"], Names>>;
  private readonly endMs: number;
  private readonly stopMs: number;

  constructor(access: Access, names: Carrier["names"], limitMs: number) {
    this.access = access;
    this.names = names;
    this.endMs = performance.now() + limitMs;
    this.stopMs = this.endMs - Math.min(undoLimitMs, limitMs / 4);
  }

  private limit(side: Station["side"], endMs = this.stopMs): number {
    const leftMs = Math.max(0, endMs - performance.now());
    return side === "peer" ? Math.min(leftMs, peerLimitMs) : leftMs;
  }

  async look(side: Station["side"], where: string): Promise<FactsRead | null> {
    const address = this.access[side];
    return address && lookAt(address, where, this.names[side], this.limit(side));
  }

  /** null when all of them have come about. */
  async run(phases: readonly Phase[]): Promise<Trouble | null> {
    for (const phase of phases) {
      const trouble = await this.carry(phase, this.stopMs);
      if (!trouble || phase.optional) continue;
      await this.undo(phase);
      return trouble;
    }
    return null;
  }

  private async undo({ at, until, undo, undoIfReady }: Phase): Promise<void> {
    const ready = until && (await this.jobIs(at, { ...until, is: "ready" }, this.endMs));
    const phases = ready === true ? [...undo, ...undoIfReady] : undo;
    for (const phase of phases) await this.carry(phase, this.endMs);
  }

  private async carry(phase: Phase, endMs: number): Promise<Trouble | null> {
    const { at, commands, until } = phase;
    const trouble = commands.length > 0 ? await this.send(at, commands, endMs) : null;
    if (!until) return trouble;
    const untilMs = trouble ? Math.min(endMs, performance.now() + refusedLimitMs) : endMs;
    for (;;) {
      const seen = await this.jobIs(at, until, endMs);
      if (seen === true) return null;
      if (seen !== false) return { cut: trouble?.cut ?? false, detail: trouble?.detail ?? seen };
      if (performance.now() >= untilMs) break;
      await pause(lookEveryMs);
    }
    return trouble ?? { cut: true, detail: `the job "${until.job}" is not yet ${until.is}` };
  }

  /** Whether it is so; a text where it cannot become so any more. */
  private async jobIs(at: Station, until: Until, endMs: number): Promise<boolean | string> {
    const address = this.access[at.side];
    if (!address) return "that array cannot be asked";
    const read = await lookAt(address, at.side, at.names, this.limit(at.side, endMs));
    if (!read.ok) return false;
    const job = read.facts.jobs.get(until.job);
    if (!job) return until.is === "concluded" ? true : `the job "${until.job}" is gone`;
    if (job.status !== "concluded") return until.is === "ready" && job.ready;
    if (until.is === "concluded") return true;
    if (until.is === "completed" && job.error === null) return true;
    return `the copying ended: ${job.error ?? "by command"}`;
  }

  /** Repeats what a busy node or export refuses; every other refusal stands. */
  private async send(
    at: Station,
    commands: readonly QmpCommand[],
    endMs: number,
  ): Promise<Trouble | null> {
    const address = this.access[at.side];
    if (!address) return { cut: false, detail: "that array cannot be asked" };
    const busyMs = performance.now() + busyLimitMs;
    let rest = commands;
    for (;;) {
      const talk = await converse(address, rest, this.limit(at.side, endMs));
      if (!talk.ok) return { cut: talk.sent > 0, detail: talk.fault.message };
      const refused = refusal(talk);
      if (refused === null) return null;
      rest = rest.slice(talk.replies.length - 1);
      const [first] = rest;
      const name = first?.execute ?? "";
      const isBusy = busyCommands.includes(name) && performance.now() < busyMs;
      if (!isBusy) return { cut: false, detail: `${name}: ${refused}` };
      await pause(lookEveryMs);
    }
  }
}

function refusal({ replies }: Conversation): string | null {
  const last = replies.at(-1);
  return last && !last.ok ? last.message : null;
}
