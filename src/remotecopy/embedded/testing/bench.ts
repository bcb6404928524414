/** A pair on real volumes with a running engine, and eyes and hands of its own on both volumes. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import {
  type BlockDevice,
  blockBytes,
  type BlockIo,
  type Lane,
  openBlockIo,
} from "../../../device/block.ts";
import { watchChanges } from "../change-news.ts";
import type { CommandName } from "../command.ts";
import { Engine, type EngineOptions, type Obeyed } from "../engine.ts";
import { openPair } from "../open-pair.ts";
import type { CopyState } from "../pair-state.ts";

export const limitMs = 10_000;
const ioMs = 5000;

export const nowMs = () => performance.now();
export const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
): Promise<void> {
  const endMs = nowMs() + limitMs;
  while (!(await condition())) {
    if (nowMs() > endMs) throw new Error(`${what}: not within ${limitMs} ms`);
    await pause(2);
  }
}

export function block(fill: number): Buffer {
  return Buffer.alloc(blockBytes, fill);
}

export class Folder {
  readonly path = mkdtempSync(path.join(os.tmpdir(), "mirrorbeat-copy-"));
  private readonly loops: string[] = [];
  private files = 0;

  file(blocks: number, content: Uint8Array = new Uint8Array()): string {
    const file = path.join(this.path, `volume${++this.files}`);
    const bytes = Buffer.alloc(blocks * blockBytes);
    bytes.set(content);
    writeFileSync(file, bytes);
    return file;
  }

  loop(logicalBytes: 512 | 4096, blocks: number): string {
    const args = ["-f", "--show", "-b", String(logicalBytes), "--direct-io=on", this.file(blocks)];
    const device = execFileSync("losetup", args, { encoding: "utf8" }).trim();
    this.loops.push(device);
    return device;
  }

  remove(): void {
    for (const device of this.loops) execFileSync("losetup", ["-d", device]);
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** Direct reads and writes by the test itself. */
export class Hand {
  private readonly device: BlockDevice;
  private readonly lane: Lane;

  static async open(io: BlockIo, file: string, access: "read" | "write"): Promise<Hand> {
    const opened = await io.open(file, access, ioMs);
    if (!opened.ok) throw new Error(opened.message);
    const lane = opened.device.lane(opened.device.geometry.sizeBytes);
    if (!lane) throw new Error("no lane");
    return new Hand(opened.device, lane);
  }

  private constructor(device: BlockDevice, lane: Lane) {
    this.device = device;
    this.lane = lane;
  }

  async write(number: number, content: Buffer): Promise<void> {
    content.copy(this.lane.bytes);
    const outcome = await this.lane.write(number * blockBytes, blockBytes, ioMs);
    if (outcome.kind !== "done") throw new Error(`write: ${outcome.kind}`);
  }

  async read(): Promise<Buffer> {
    const lengthBytes = Math.floor(this.device.geometry.sizeBytes / blockBytes) * blockBytes;
    const outcome = await this.lane.read(0, lengthBytes, ioMs);
    if (outcome.kind !== "done") throw new Error(`read: ${outcome.kind}`);
    return Buffer.from(this.lane.bytes.subarray(0, lengthBytes));
  }

  async readBlock(number: number): Promise<Buffer> {
    const outcome = await this.lane.read(number * blockBytes, blockBytes, ioMs);
    if (outcome.kind !== "done") throw new Error(`read: ${outcome.kind}`);
    return Buffer.from(this.lane.bytes.subarray(0, blockBytes));
  }
}

export type BenchOptions = Partial<EngineOptions> & {
  readonly limitMs?: number;
  readonly force?: boolean;
  /** Leave the kernel's news of writes out. */
  readonly deaf?: boolean;
};

export type Bench = {
  readonly io: BlockIo;
  readonly engine: Engine;
  readonly pvol: Hand;
  readonly svol: Hand;
  readonly states: CopyState[];
  readonly order: (name: CommandName, ms?: number) => Promise<Obeyed>;
  /** An order that must not be refused. */
  readonly obey: (name: CommandName, ms?: number) => Promise<void>;
  readonly reach: (state: CopyState) => Promise<void>;
  /** Paired, and nothing is on its way. */
  readonly settle: () => Promise<void>;
  readonly equal: () => Promise<boolean>;
  readonly end: () => Promise<void>;
};

export async function startBench(
  pvol: string,
  svol: string,
  options: BenchOptions = {},
): Promise<Bench> {
  const opened = openBlockIo();
  if (!opened.ok) throw new Error(opened.message);
  const { io } = opened;
  const force = options.force ?? false;
  const pairOptions = { limitMs: options.limitMs ?? ioMs, force, lock: false };
  const pair = await openPair(io, { pvol, svol }, pairOptions);
  if (!pair.ok) throw new Error(pair.refusal.message);
  const states: CopyState[] = [];
  const engine = new Engine(pair.pvol, pair.svol, {
    scanMs: 5,
    lagMs: 0,
    linkTimeoutMs: 100,
    autoResync: false,
    tearMs: 0,
    nowMs,
    claimPvol: pair.claimPvol,
    onState: (_from, to) => states.push(to),
    ...options,
  });
  const watched = options.deaf
    ? []
    : ([
        ["PVOL", pvol],
        ["SVOL", svol],
      ] as const);
  const stops = watched.map(([part, file]) => watchChanges(file, () => engine.news(part)));
  const order: Bench["order"] = (name, ms = 0) => engine.command({ name, ms });
  const obey: Bench["obey"] = async (name, ms = 0) => {
    const obeyed = await order(name, ms);
    if (!obeyed.ok) throw new Error(`${name}: ${obeyed.message}`);
  };
  const hands = [await Hand.open(io, pvol, "write"), await Hand.open(io, svol, "write")] as const;
  const running = engine.run();
  return {
    io,
    engine,
    pvol: hands[0],
    svol: hands[1],
    states,
    order,
    obey,
    reach: (state) => until(`state ${state}`, () => engine.view().state === state),
    async settle() {
      await until("nothing pending", async () => {
        const [one, other] = [await hands[0].read(), await hands[1].read()];
        const { state, pending } = engine.view();
        return state === "paired" && pending === 0 && one.equals(other.subarray(0, one.length));
      });
    },
    async equal() {
      const [one, other] = [await hands[0].read(), await hands[1].read()];
      return one.equals(other.subarray(0, one.length));
    },
    async end() {
      void engine.command({ name: "stop", ms: 0 });
      await running;
      for (const stopNews of stops) stopNews();
      io.close();
    },
  };
}
