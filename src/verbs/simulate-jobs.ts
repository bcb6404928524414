/**
 * Seeds, run by several processes of this program, and told in the order of the seeds. One that
 * dies, or does not come back, is told with its seed.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { type CampaignWish, type Result, runSeed } from "../simulation/campaign.ts";
import type { Seeds } from "./simulate-options.ts";

export type Campaign = {
  readonly seeds: Seeds;
  readonly wish: CampaignWish;
  readonly jobs: number;
  /** In the order of the seeds; false: no more are wanted. */
  readonly take: (result: Result) => boolean;
  readonly isOver: () => boolean;
};

/** A process that failed, not a history: its seed, and what became of it. */
export type Lost = { readonly seed: number; readonly message: string };

/** A history takes seconds; one that never ends must not hold up the rest for ever. */
const seedLimitMs = 600_000;
/** Results that wait for an earlier one are kept in memory. */
const aheadMax = 256;
const errorBytesMax = 2000;

async function runHere({ seeds, wish, take, isOver }: Campaign): Promise<Lost | null> {
  for (let seed = seeds.from; seed <= seeds.to && !isOver(); seed++) {
    if (!take(await runSeed(seed, wish))) break;
  }
  return null;
}

/** The seeds that were handed out, and the results that wait for their turn. */
class Queue {
  private next: number;
  private due: number;
  private readonly results = new Map<number, Result>();
  private readonly campaign: Campaign;
  private isEnough = false;

  constructor(campaign: Campaign) {
    this.campaign = campaign;
    this.next = campaign.seeds.from;
    this.due = campaign.seeds.from;
  }

  /** null: there is none, now or ever. */
  draw(): number | null {
    const { seeds, isOver } = this.campaign;
    const isAhead = this.next - this.due >= aheadMax;
    if (this.isEnough || isAhead || isOver() || this.next > seeds.to) return null;
    return this.next++;
  }

  add(result: Result): void {
    this.results.set(result.seed, result);
    for (;;) {
      const first = this.results.get(this.due);
      if (!first || this.isEnough) return;
      this.results.delete(this.due);
      this.due += 1;
      this.isEnough = !this.campaign.take(first) || this.campaign.isOver();
    }
  }

  get isDone(): boolean {
    return this.isEnough || this.campaign.isOver() || this.due > this.campaign.seeds.to;
  }
}

/** One process: it has one seed at a time. */
class Worker {
  readonly child: ChildProcess;
  seed: number | null = null;
  private timer: NodeJS.Timeout | null = null;
  private errors = "";
  private isLate = false;

  constructor(
    wish: CampaignWish,
    onResult: (worker: Worker, result: Result) => void,
    onEnd: () => void,
  ) {
    const script = process.argv[1] ?? "";
    const args = [...process.execArgv, script, "simulate-part"];
    this.child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "pipe"] });
    const { stdin, stdout, stderr } = this.child;
    // A process that is gone is told by its end.
    stdin?.on("error", () => undefined);
    stderr?.on("data", (data) => {
      this.errors = `${this.errors}${String(data)}`.slice(-errorBytesMax);
    });
    if (stdout) {
      createInterface({ input: stdout }).on("line", (line) => {
        if (this.timer) clearTimeout(this.timer);
        this.seed = null;
        onResult(this, JSON.parse(line) as Result);
      });
    }
    this.child.on("error", onEnd);
    this.child.on("close", onEnd);
    stdin?.write(`${JSON.stringify(wish)}\n`);
  }

  give(seed: number): void {
    this.seed = seed;
    this.timer = setTimeout(() => {
      this.isLate = true;
      this.child.kill("SIGKILL");
    }, seedLimitMs);
    this.child.stdin?.write(`${seed}\n`);
  }

  end(): void {
    if (this.timer) clearTimeout(this.timer);
    this.child.kill("SIGKILL");
  }

  /** Why it ended, in one line. */
  get fate(): string {
    if (this.isLate) return `no result within ${seedLimitMs / 1000} s`;
    const { exitCode, signalCode } = this.child;
    const how = signalCode ?? `exit ${exitCode}`;
    const words = this.errors.split("\n").find((line) => line.trim() !== "") ?? "";
    return `its process ended: ${how} ${words}`.trimEnd().replaceAll(/[^\x20-\x7e]/g, "?");
  }
}

function runByProcesses(campaign: Campaign): Promise<Lost | null> {
  const queue = new Queue(campaign);
  const workers = new Set<Worker>();
  const wanted = Math.min(campaign.jobs, campaign.seeds.to - campaign.seeds.from + 1);
  return new Promise((resolve) => {
    const finish = (lost: Lost | null): void => {
      clearInterval(looking);
      for (const worker of workers) worker.end();
      workers.clear();
      resolve(lost);
    };
    const feed = (): void => {
      for (const worker of workers) {
        if (worker.seed !== null) continue;
        const seed = queue.draw();
        if (seed !== null) worker.give(seed);
      }
    };
    const take = (_worker: Worker, result: Result): void => {
      if (workers.size === 0) return;
      queue.add(result);
      if (queue.isDone) finish(null);
      else feed();
    };
    // An interruption is heeded even while no result comes.
    const looking = setInterval(() => {
      if (campaign.isOver()) finish(null);
    }, 200);
    for (let index = 0; index < wanted; index++) {
      const worker: Worker = new Worker(campaign.wish, take, () => {
        if (!workers.delete(worker)) return;
        finish({ seed: worker.seed ?? campaign.seeds.from, message: worker.fate });
      });
      workers.add(worker);
    }
    feed();
  });
}

/** Ends once all seeds were told, one was not taken, or it is over; null unless a process failed. */
export function runCampaign(campaign: Campaign): Promise<Lost | null> {
  const isSingle = campaign.jobs === 1 || campaign.seeds.from === campaign.seeds.to;
  return isSingle ? runHere(campaign) : runByProcesses(campaign);
}
