/** What was told since the last output of a scenario file, as its lines. */
import type { CoreEvent } from "../../core/base/event.ts";
import type { Violation } from "../checker.ts";
import type { Watched } from "../observation.ts";
import type { SimulatedWorld } from "../world.ts";
import { statusLines, summaryOf } from "./summary.ts";
import { toldOf, wrapped } from "./told.ts";

export type ToldEvent = { readonly atMs: number; readonly host: string; readonly event: CoreEvent };
export type Answer = { readonly host: string; readonly code: number | null };

/** "+12.3s " */
const timeColumns = 8;

export class Transcript {
  /** Without times and names: what conditions look for. */
  readonly texts: string[] = [];
  readonly events: ToldEvent[] = [];
  readonly answers: Answer[] = [];
  /** When the last fault began. */
  faultMs: number | null = null;
  /** Nothing is noted while it is true. */
  isMuted = false;
  private readonly world: SimulatedWorld;
  private readonly nameColumns: number;
  private readonly lines: string[] = [];
  private sinceMs = 0;

  constructor(world: SimulatedWorld) {
    this.world = world;
    this.nameColumns = 1 + Math.max(5, ...[...world.hosts.keys()].map((name) => name.length));
  }

  watch(watched: Watched, nowMs: number): void {
    if (watched.kind === "step" || watched.kind === "write" || this.isMuted) return;
    if (watched.kind === "told") {
      this.events.push({ atMs: nowMs, host: watched.host, event: watched.event });
    }
    if (watched.kind === "command") this.answers.push(watched);
    const told = toldOf(this.world, watched);
    if (told) this.note(told.who, told.text);
  }

  note(who: string, text: string): void {
    this.texts.push(`${who} ${text}`);
    const time = `+${((this.world.nowMs - this.sinceMs) / 1000).toFixed(1)}s`;
    const head = `${time.padEnd(timeColumns)}${who.padEnd(this.nameColumns)}`;
    this.lines.push(...wrapped(`${head}${text}`, timeColumns + this.nameColumns + 2));
  }

  noteStatus(host: string): void {
    for (const line of statusLines(this.world.host(host))) this.note("status", line);
  }

  noteViolation({ checker, text }: Violation): void {
    this.note("!!", `${checker}: ${text}`);
  }

  /** The output of a block, and the next block begins. */
  take(): readonly string[] {
    const lines = [...this.lines, ...wrapped(summaryOf(this.world), 2)];
    this.startBlock();
    return lines;
  }

  startBlock(): void {
    this.lines.length = 0;
    this.texts.length = 0;
    this.events.length = 0;
    this.answers.length = 0;
    this.sinceMs = this.world.nowMs;
  }
}
