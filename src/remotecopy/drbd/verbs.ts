/**
 * Changes of a pair by drbdadm. Whether they succeeded is told by the states after them, not here;
 * exit codes go into the detail, for people.
 *
 * - `create` brings up what is configured and down, and makes the writer's end Primary as soon as
 *   it sees a Secondary at the other end: never before, as the other end may have been taken over.
 *   Metadata is never created: it would forget what the disk holds.
 * - `split` disconnects, and then marks it as ours (see view.ts).
 * - `resync` clears the mark and connects. Which way it copies, DRBD knows; a split brain ends in
 *   StandAlone again, and is for people.
 * - `takeover` disconnects and makes this end Primary; an end that is not up to date only by force.
 * - There is no `swap`: one end can only give its role up or take it, and between the two commands
 *   at two hosts nobody can write. `drbdadm secondary` there, then `drbdadm primary` here.
 */
import type { ProgramEnd } from "../../host/program.ts";
import type { MirrorEnd } from "../evidence.ts";
import { type Change, fault, type PairFault, type Performed } from "../provider.ts";
import { type Asker, Deadline, type DrbdSettings, noAnswer, run, said } from "./ask.ts";
import type { Resource } from "./facts.ts";

/** For the other end to answer after `up`. */
const meetLimitMs = 10_000;
const settleLimitMs = 2000;
const lookEveryMs = 100;
/** Of a change's deadline, for the first command; the rest is for looking and for the mark. */
const firstShare = 0.7;
const lookLimitMs = 2000;

const marked = ({ before }: Change): boolean =>
  /resync-suspended:\S*\buser/.test(before.local.native);
const standsAlone = ({ before }: Change): boolean => before.local.native.includes("StandAlone");

const isUpToDate = ({ before }: Change): boolean => / UpToDate\//.test(before.local.native);

/** Arguments of drbdadm, in order. */
export function stepsOf(
  change: Change,
  end: MirrorEnd,
  resource: string,
): readonly (readonly string[])[] {
  switch (change.verb) {
    case "create":
      return [["up", resource], ...(end === "writer" ? [["primary", resource]] : [])];
    case "split":
      return [["disconnect", resource], ["pause-sync", resource]]; // biome-ignore format: short
    case "resync":
      return [
        ...(marked(change) ? [["resume-sync", resource]] : []),
        ...(standsAlone(change) ? [["connect", resource]] : []),
      ];
    case "takeover":
      return [
        ...(standsAlone(change) ? [] : [["disconnect", resource]]),
        ["primary", ...(change.force && !isUpToDate(change) ? ["--force"] : []), resource],
      ];
    case "remove":
      return [["down", resource]];
    case "swap":
      return [];
  }
}

/** What the steps of one change came to. */
class Steps {
  private readonly details: string[] = [];
  private fault: PairFault | null = null;
  private isCut = false;
  readonly settings: DrbdSettings;
  readonly asker: Asker;
  readonly deadline: Deadline;

  constructor(settings: DrbdSettings, asker: Asker, deadline: Deadline) {
    this.settings = settings;
    this.asker = asker;
    this.deadline = deadline;
  }

  async run(args: readonly string[], share = 1): Promise<void> {
    const { drbdadm } = this.settings;
    const end = await run(drbdadm, args, share * this.deadline.leftMs());
    this.note(`drbdadm ${args.join(" ")}`, end);
  }

  private note(what: string, end: ProgramEnd): void {
    if (end.kind === "exited") {
      this.details.push(
        end.code === 0 ? `${what}: done` : `${what}: exit ${end.code}, ${said(end)}`,
      );
      return;
    }
    if (end.kind === "not-started" && this.details.length === 0) this.fault = noAnswer(what, end);
    if (end.kind !== "not-started") this.isCut = true;
    this.details.push(noAnswer(what, end).message);
  }

  tell(detail: string): void {
    this.details.push(detail);
  }

  get begun(): boolean {
    return this.fault === null;
  }

  /** Looks until what is seen is wanted; null where it is not by the limit, or cannot be told. */
  async look(limitMs: number, isWanted: (resource: Resource) => boolean): Promise<Resource | null> {
    const limit = new Deadline(Math.min(limitMs, this.deadline.leftMs()));
    while (limit.leftMs() > 0) {
      const askMs = Math.min(lookLimitMs, Math.max(1, this.deadline.leftMs()));
      const answer = await this.asker.ask(askMs);
      if (answer.ok && answer.resource && isWanted(answer.resource)) return answer.resource;
      await new Promise((resolve) => setTimeout(resolve, lookEveryMs));
    }
    return null;
  }

  performed(): Performed {
    if (this.fault) return { kind: "not-begun", fault: this.fault };
    return { kind: this.isCut ? "cut-short" : "ended", detail: this.details.join("; ") };
  }
}

const isAlone = ({ connections }: Resource): boolean =>
  connections.every(({ state }) => state === "StandAlone");
const settled = (resource: Resource): boolean =>
  resource.connections.every(({ state }) => state !== "Disconnecting");
const connected = ({ connections }: Resource): boolean =>
  connections[0]?.state === "Connected" && connections[0].peerRole !== "Unknown";

export async function performChange(
  change: Change,
  end: MirrorEnd,
  settings: DrbdSettings,
  asker: Asker,
  limitMs: number,
): Promise<Performed> {
  const steps = new Steps(settings, asker, new Deadline(limitMs));
  const wanted = stepsOf(change, end, settings.resource);
  const [first, second] = wanted;
  if (!first) return { kind: "not-begun", fault: nothingToSend(change) };
  await steps.run(first, wanted.length > 1 ? firstShare : 1);
  if (!steps.begun || !second) return steps.performed();
  switch (change.verb) {
    case "create":
      await promoteWhenMet(steps, second);
      break;
    case "split": {
      // However the command ended: the mark belongs to what it brought about.
      const now = await steps.look(settleLimitMs, settled);
      if (now && isAlone(now)) await steps.run(second);
      break;
    }
    default:
      await steps.run(second);
  }
  return steps.performed();
}

async function promoteWhenMet(steps: Steps, primary: readonly string[]): Promise<void> {
  const met = await steps.look(meetLimitMs, connected);
  const peerRole = met?.connections[0]?.peerRole;
  if (peerRole === "Secondary") return steps.run(primary);
  const why = met ? `the other end is ${peerRole}` : "the other end was not seen";
  steps.tell(`not made Primary: ${why}; once it is right: drbdadm ${primary.join(" ")}`);
}

function nothingToSend({ verb }: Change): PairFault {
  return verb === "resync"
    ? fault("peer-unreachable", "it connects, and catches up, by itself once the other end answers")
    : fault("unsupported", `DRBD has no ${verb} from one end`);
}
