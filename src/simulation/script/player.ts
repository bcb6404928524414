/** Does the commands of a scenario file in a simulated world, one after the other. */
import type { End } from "../fault.ts";
import type { FaultLog, Happened } from "../fault-log.ts";
import { faultNamed } from "../faults/all.ts";
import type { SimulatedWorld } from "../world.ts";
import type { Command, Condition } from "./command.ts";
import { unmet } from "./conditions.ts";
import { operate, touchesOf, undoneBy } from "./operate.ts";
import { say } from "./say.ts";
import type { Transcript } from "./transcript.ts";

type Active = { readonly fault: string; readonly target: string; readonly end: End };
type Did = Promise<string | null> | string | null;

export class Player {
  private readonly world: SimulatedWorld;
  private readonly log: FaultLog;
  private readonly transcript: Transcript;
  private readonly active: Active[] = [];
  /** By the command that undoes them. */
  private readonly standing = new Map<string, Happened>();
  private begun = 0;

  constructor(world: SimulatedWorld, log: FaultLog, transcript: Transcript) {
    this.world = world;
    this.log = log;
    this.transcript = transcript;
  }

  /** What did not come out as the file expects; null where all did. */
  play(command: Command): Did {
    switch (command.kind) {
      case "setup":
        return null;
      case "run":
        return this.world.run(command.forMs).then(() => null);
      case "until":
        return this.until(command.condition, command.withinMs);
      case "begin":
        return this.begin(command.fault, command.target, command.forMs);
      case "end":
        return this.end(command.fault, command.target);
      case "command":
        return this.operate(command.host, command.words);
      case "expect":
        return this.unmet(command.condition);
      case "say":
        return say(this.world, command.host, command.word) ? null : "it has sent nothing lately";
      case "status":
        this.transcript.noteStatus(command.host);
        return null;
    }
  }

  endAll(): void {
    for (const one of [...this.active]) this.over(one);
  }

  private unmet(condition: Condition): string | null {
    return unmet(condition, this.world, this.transcript);
  }

  private async until(condition: Condition, withinMs: number): Promise<string | null> {
    await this.world.run(withinMs, () => this.unmet(condition) === null);
    const instead = this.unmet(condition);
    return instead === null ? null : `it did not come in time: ${instead}`;
  }

  private begin(fault: string, target: string, forMs: number | null): string | null {
    const { world, log } = this;
    const kind = faultNamed(fault);
    if (!kind) throw new Error(`assertion failed: fault ${fault} is known`);
    if (forMs !== null && !kind.lasts) return "this one is over at once: leave out its duration";
    const touches = kind.touches(world, target);
    const happened = log.begin(fault, target, touches, world.nowMs);
    world.watch({ kind: "fault", name: fault, target, on: true });
    const end = kind.begin(world, target, world.random.fork(`fault ${this.begun++}`));
    this.transcript.faultMs = world.nowMs;
    if (!end || !kind.lasts) {
      this.tellOver(happened);
      if (end) return null;
      log.forget(happened);
      return "it does not apply here now";
    }
    const one: Active = {
      fault,
      target,
      end: () => {
        end();
        this.tellOver(happened);
      },
    };
    this.active.push(one);
    if (forMs !== null) world.time.after(forMs, () => this.overByItself(one));
    return null;
  }

  /** What stays until it is undone is there all the while, as a fault is. */
  private operate(host: string, words: readonly string[]): null {
    const { world, log, standing } = this;
    const text = words.join(" ");
    const undone = standing.get(`${host} ${text}`);
    if (undone) this.tellOver(undone);
    standing.delete(`${host} ${text}`);
    const [name = ""] = words;
    const happened = log.begin(name, host, touchesOf(world, host, words), world.nowMs);
    world.watch({ kind: "fault", name, target: host, on: true });
    const until = undoneBy(words);
    if (until === null) this.tellOver(happened);
    else standing.set(`${host} ${until}`, happened);
    operate(world, host, words);
    return null;
  }

  private tellOver(happened: Happened): void {
    const { name, target } = happened;
    happened.toMs = this.world.nowMs;
    this.world.watch({ kind: "fault", name, target, on: false });
  }

  private over(one: Active): void {
    this.active.splice(this.active.indexOf(one), 1);
    one.end();
  }

  private overByItself(one: Active): void {
    if (!this.active.includes(one)) return;
    this.transcript.note("fault", `${one.fault} ${one.target} ends`);
    this.over(one);
  }

  private end(fault: string, target: string | null): string | null {
    const those = this.active.filter(
      (one) => one.fault === fault && (target === null || one.target === target),
    );
    if (those.length === 0) return "no such fault is there now: it never began, or ended by itself";
    for (const one of those) this.over(one);
    return null;
  }
}
