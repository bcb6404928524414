/**
 * A scenario file, run: its commands are done one after the other in a simulated world, and what was
 * told is put below them. The same file is documentation, a test, and a history of one's own
 * (`mirrorbeat simulate --scenario FILE`). The format stands in fixtures/simulation/scenarios/README.md.
 *
 * A file with a fault in it is not run. An expectation that is not met does not end the run.
 */
import type { Config } from "../../core/base/config.ts";
import type { Checker, CheckerKind, Violation } from "../checker.ts";
import { checkers as allCheckers } from "../checkers/all.ts";
import { FaultLog } from "../fault-log.ts";
import type { Watcher } from "../observation.ts";
import { settleMsOf, warmUpMsOf } from "../run.ts";
import { Trace } from "../trace.ts";
import { SimulatedWorld } from "../world.ts";
import { commandNamesFault, configOf } from "./check.ts";
import { isWrong, type Placed, type SetupWish, type Wrong, wrong } from "./command.ts";
import { commandOf } from "./grammar.ts";
import { type Part, partsOf, textOf } from "./lines.ts";
import { Player } from "./player.ts";
import { Transcript } from "./transcript.ts";

export type ScriptOptions = {
  /** What `setup config` stands for: the user's own configuration. */
  readonly config?: Config | null;
  /** Else all of them. */
  readonly checkers?: readonly CheckerKind[];
  /** Called once, before anything happens. */
  readonly watch?: (world: SimulatedWorld, faults: FaultLog) => Watcher;
};

/** What is wrong in the file, or did not come out as the file expects. */
export type ScriptFault = {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly field: string;
  readonly value: string;
  readonly remedy: string;
};

export type ScriptOutcome = {
  /** No fault in the file, every expectation met, no violation; its outputs need not be up to date. */
  readonly ok: boolean;
  /** The file with its outputs as they are now; as it was where it cannot be run. */
  readonly text: string;
  /** Whether the outputs in the file were those of this run. */
  readonly isUpToDate: boolean;
  readonly violations: readonly Violation[];
  readonly faults: readonly ScriptFault[];
  readonly virtualMs: number;
  readonly traceHash: string;
};

/** "file:line: field: value: remedy", one line. */
export function scriptFaultText({ file, line, field, value, remedy }: ScriptFault): string {
  return `${file}:${line}: ${field}: ${JSON.stringify(value)}: ${remedy}`;
}

type Parsed = {
  /** Commands of each part, in the order of the parts. */
  readonly blocks: readonly (readonly Placed[])[];
  readonly faults: readonly (Wrong & { readonly line: number })[];
};

function parse(parts: readonly Part[]): Parsed {
  const faults: (Wrong & { readonly line: number })[] = [];
  const blocks = parts.map((part) => {
    if (part.kind === "output") return [];
    return part.commands.flatMap(({ line, words }): Placed[] => {
      const command = commandOf(words);
      if (!isWrong(command)) return [{ line, command }];
      faults.push({ ...command, line });
      return [];
    });
  });
  return { blocks, faults };
}

function setupOf(
  blocks: Parsed["blocks"],
): { readonly line: number; readonly wish: SetupWish } | null {
  const [first] = blocks.flat();
  return first?.command.kind === "setup" ? { line: first.line, wish: first.command } : null;
}

/** Commands that the product asks for are given at the end, one after the other. */
const mendsMax = 4;

/** All that is there while a file is run. */
class Stage {
  readonly violations: Violation[] = [];
  readonly transcript: Transcript;
  readonly player: Player;
  readonly trace = new Trace();
  private readonly world: SimulatedWorld;
  private readonly checkers: readonly Checker[];

  constructor(world: SimulatedWorld, without: readonly string[], options: ScriptOptions) {
    this.world = world;
    const log = new FaultLog();
    this.transcript = new Transcript(world);
    this.player = new Player(world, log, this.transcript);
    const kinds = options.checkers ?? allCheckers;
    this.checkers = kinds
      .filter(({ name }) => !without.includes(name))
      .map((kind) =>
        kind.make(world, log, (text) =>
          this.violated({ checker: kind.name, atMs: world.nowMs, text }),
        ),
      );
    world.onWatched((watched, nowMs) => {
      this.trace.watch(watched, nowMs);
      this.transcript.watch(watched, nowMs);
      for (const checker of this.checkers) checker.watch(watched, nowMs);
    });
    if (options.watch) world.onWatched(options.watch(world, log));
  }

  private violated(violation: Violation): void {
    this.violations.push(violation);
    this.transcript.noteViolation(violation);
  }

  async begin({ isCold }: SetupWish): Promise<void> {
    const { world, transcript } = this;
    world.boot();
    if (isCold) return;
    await world.run(warmUpMsOf(world.config));
    transcript.startBlock();
  }

  /** All faults end, and the world has its time to become whole: nothing of that is printed. */
  async end(): Promise<void> {
    const { world, player } = this;
    this.transcript.isMuted = true;
    player.endAll();
    for (let mends = 0; mends <= mendsMax; mends++) {
      await world.run(settleMsOf(world.config));
      const given = this.checkers.filter((checker) => checker.mend?.(world.nowMs) ?? false);
      if (given.length === 0) break;
    }
    for (const checker of this.checkers) checker.end?.(world.nowMs);
  }
}

const inFile = (file: string, line: number, { field, value, remedy }: Wrong): ScriptFault => ({
  file,
  line,
  field,
  value,
  remedy,
});

function notRun(text: string, faults: readonly ScriptFault[]): ScriptOutcome {
  return {
    ok: false,
    text,
    isUpToDate: false,
    violations: [],
    faults,
    virtualMs: 0,
    traceHash: "",
  };
}

/** The world of the file's set-up, and what is wrong with the names in the file. */
function prepare(
  parsed: Parsed,
  fileName: string,
  own: Config | null,
): { readonly wish: SetupWish; readonly world: SimulatedWorld } | readonly ScriptFault[] {
  if (parsed.faults.length > 0)
    return parsed.faults.map((fault) => inFile(fileName, fault.line, fault));
  const setup = setupOf(parsed.blocks);
  const [first] = parsed.blocks.flat();
  if (!setup) {
    const value = first?.command.kind ?? "";
    return [
      inFile(fileName, first?.line ?? 1, wrong("setup", value, "the first command is setup NAME")),
    ];
  }
  const { line, wish } = setup;
  const config = configOf(wish, own);
  if (isWrong(config)) return [inFile(fileName, line, config)];
  const world = new SimulatedWorld(config, wish.seed);
  for (const [host, rate] of Object.entries(wish.rates)) world.host(host).machine.rate = rate;
  const faults = parsed.blocks
    .flat()
    .slice(1)
    .flatMap((placed) => {
      const fault = commandNamesFault(world, placed.command);
      return fault ? [inFile(fileName, placed.line, fault)] : [];
    });
  return faults.length > 0 ? faults : { wish, world };
}

export async function runScript(
  text: string,
  fileName: string,
  options: ScriptOptions = {},
): Promise<ScriptOutcome> {
  const parts = partsOf(text);
  const parsed = parse(parts);
  const prepared = prepare(parsed, fileName, options.config ?? null);
  if (!("world" in prepared)) return notRun(text, prepared);
  const { wish, world } = prepared;
  const stage = new Stage(world, wish.without, options);
  const source = text.split("\n");
  const faults: ScriptFault[] = [];
  const outputs: (readonly string[])[] = [];
  await stage.begin(wish);
  for (const [index, commands] of parsed.blocks.entries()) {
    if (parts[index]?.kind === "output") {
      outputs.push(stage.transcript.take());
      continue;
    }
    for (const { line, command } of commands) {
      const instead = await stage.player.play(command);
      if (instead === null) continue;
      const value = (source[line - 1] ?? "").trim();
      faults.push(inFile(fileName, line, wrong("not met", value, instead)));
    }
  }
  await stage.end();
  const { violations, trace } = stage;
  const now = textOf(parts, outputs);
  return {
    ok: faults.length === 0 && violations.length === 0,
    text: now,
    isUpToDate: now === text,
    violations,
    faults,
    virtualMs: world.nowMs,
    traceHash: trace.hash,
  };
}
