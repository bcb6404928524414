/**
 * Asks DRBD's programs. DRBD 9 answers as JSON; 8.4 has no such option, and answers as events or
 * text. The form that was understood last is asked for first the next time; where it is not
 * understood any more, the others are tried. The whole question has one deadline.
 */
import os from "node:os";
import { type ProgramEnd, runProgram } from "../../host/program.ts";
import { fault, type IdentityAnswer, type PairFault } from "../provider.ts";
import { parseEvents2 } from "./events2.ts";
import type { Parsed, Resource } from "./facts.ts";
import { backingDisk } from "./show.ts";
import { parseStatusJson } from "./status-json.ts";
import { parseStatusText } from "./status-text.ts";

export type DrbdSettings = {
  readonly resource: string;
  readonly volume: number;
  readonly drbdsetup: readonly string[];
  readonly drbdadm: readonly string[];
};

export type Known = { readonly ok: true; readonly resource: Resource | null };
type Exited = Extract<ProgramEnd, { kind: "exited" }>;
type Form = {
  readonly name: string;
  readonly args: (resource: string) => readonly string[];
  readonly parse: (text: string, resource: string) => Parsed;
};

const keepBytesMax = 1 << 18;

const forms: readonly Form[] = [
  { name: "JSON", args: (name) => ["status", name, "--json"], parse: parseStatusJson },
  {
    name: "events2",
    args: (name) => ["events2", "--now", "--statistics", name],
    parse: parseEvents2,
  },
  {
    name: "status",
    args: (name) => ["status", name, "--verbose", "--statistics"],
    parse: parseStatusText,
  },
];

/** What is left of a deadline. */
export class Deadline {
  private readonly endMs: number;

  constructor(limitMs: number) {
    this.endMs = performance.now() + limitMs;
  }

  leftMs(): number {
    return Math.max(0, this.endMs - performance.now());
  }
}

export const run = (
  command: readonly string[],
  args: readonly string[],
  limitMs: number,
): Promise<ProgramEnd> => runProgram([...command, ...args], { limitMs, keepBytesMax });

/** One line of what a program said, for people. */
export function said({ stdout, stderr }: Pick<Exited, "stdout" | "stderr">): string {
  const line = [...stderr.split("\n"), ...stdout.split("\n")].find((each) => each.trim() !== "");
  return (line ?? "it said nothing")
    .replaceAll(/[^\x20-\x7e]/g, "?")
    .trim()
    .slice(0, 160);
}

/** Why a program gave no answer at all. */
export function noAnswer(program: string, end: Exclude<ProgramEnd, Exited>): PairFault {
  if (end.kind === "overdue") return fault("timeout", `${program} did not end in time`);
  if (end.kind === "killed") return fault("daemon-down", `${program} was killed: ${end.signal}`);
  return fault("daemon-down", end.reason);
}

function classify(program: string, ended: Exited, reason: string): PairFault {
  const line = said(ended);
  if (/permission denied|not permitted|root privileges/i.test(ended.stderr)) {
    return fault("auth", `${program}: ${line}`);
  }
  if (/netlink family|modprobe|module not loaded/i.test(ended.stderr)) {
    return fault("daemon-down", `${program}: ${line}; is the drbd module loaded?`);
  }
  return fault("unparseable", `${program}: ${reason}; ${line}`);
}

export class Asker {
  private readonly settings: DrbdSettings;
  private preferred = 0;

  constructor(settings: DrbdSettings) {
    this.settings = settings;
  }

  async ask(limitMs: number): Promise<Known | PairFault> {
    const deadline = new Deadline(limitMs);
    const order = [this.preferred, ...forms.keys()].filter(
      (each, at, all) => all.indexOf(each) === at,
    );
    let last: PairFault = fault("unparseable", "drbdsetup was not asked");
    for (const index of order) {
      const form = forms[index] as Form;
      const answer = await this.askIn(form, deadline.leftMs());
      if (answer.ok) {
        this.preferred = index;
        return answer;
      }
      // A program that hangs or is not there is no better at another form.
      if (answer.class !== "unparseable") return answer;
      last = answer;
    }
    this.preferred = 0;
    return last;
  }

  private async askIn(form: Form, limitMs: number): Promise<Known | PairFault> {
    const { drbdsetup, resource } = this.settings;
    const program = `${drbdsetup[0]} (${form.name})`;
    const end = await run(drbdsetup, form.args(resource), limitMs);
    if (end.kind !== "exited") return noAnswer(program, end);
    if (end.truncated) return fault("unparseable", `${program}: more than can be read`);
    if (end.code !== 0) {
      const absent =
        /^\[?\s*\]?\s*$/.test(end.stdout) && end.stderr.trim() === absentText(resource);
      return absent ? { ok: true, resource: null } : classify(program, end, `exit ${end.code}`);
    }
    const parsed = form.parse(end.stdout, resource);
    return parsed.ok ? parsed : classify(program, end, parsed.reason);
  }

  /** What the kernel has; where the resource is down, what the configuration says. */
  async identify(limitMs: number): Promise<IdentityAnswer> {
    const { drbdsetup, resource, volume } = this.settings;
    const deadline = new Deadline(limitMs);
    const end = await run(drbdsetup, ["show", resource], deadline.leftMs());
    if (end.kind !== "exited") return noAnswer(`${drbdsetup[0]} show`, end);
    const shown = backingDisk(end.stdout, resource, volume);
    if (end.truncated || shown.kind === "not-understood") {
      return fault("unparseable", `${drbdsetup[0]} show: ${said(end)}`);
    }
    if (shown.kind === "volume") return this.identity(shown.disk ?? "none");
    if (shown.kind === "no-volume") {
      return fault("config", `${resource} has no volume ${volume}: ${said(end)}`);
    }
    const configured = await this.configuredDisk(deadline.leftMs());
    return configured.ok ? this.identity(configured.disk) : configured;
  }

  /** From DRBD's configuration; a fault where it does not know the volume. */
  async configuredDisk(
    limitMs: number,
  ): Promise<{ readonly ok: true; readonly disk: string } | PairFault> {
    const { drbdadm, resource, volume } = this.settings;
    const end = await run(drbdadm, ["sh-ll-dev", `${resource}/${volume}`], limitMs);
    if (end.kind !== "exited") return noAnswer(`${drbdadm[0]} sh-ll-dev`, end);
    const disk = end.stdout.trim();
    if (end.code === 0 && /^\/[\x21-\x7e]+$/.test(disk)) return { ok: true, disk };
    const name = `${resource}/${volume}`;
    return fault("config", `DRBD's configuration has no ${name} here: ${said(end)}`);
  }

  private identity(disk: string): IdentityAnswer {
    const { resource, volume } = this.settings;
    const own = `${os.hostname()}/${resource}/${volume}:${disk}`;
    return { ok: true, identity: { own, peer: null } };
  }
}

const absentText = (resource: string): string => `${resource}: No such resource`;
