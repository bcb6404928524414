/**
 * The block I/O of a simulated machine: the same port as src/device/block.ts, with the same rules.
 * A lane has one transfer at a time; one whose deadline passed stays with the kernel until it comes
 * back; a write that hangs may land whenever the port is mended.
 *
 * A lane that reads an area again copies only the blocks that were replaced since, and `scan` looks
 * at no others: what stands in memory is the same as if all of it were copied and compared.
 */
import type {
  Access,
  BlockDevice,
  BlockIo,
  ChangedBlock,
  Clocks,
  Geometry,
  IoOutcome,
  Lane,
  Opened,
  OpenOptions,
  AreaShape,
} from "../device/block.ts";
import { blockBytes } from "../core/sector/layout.ts";
import { openFault } from "../device/faults.ts";
import { crc32c } from "./checksum.ts";
import type { Block } from "./disk.ts";
import type { DiskPort } from "./disk-port.ts";
import type { Life, Machine } from "./machine.ts";

const openMs = 2;

/** What a lane's memory was filled from. */
class LaneMemory {
  readonly blocks: (Block | undefined)[] = [];
  /** Indices of blocks that were copied since the last scan. */
  changed: number[] = [];

  take(bytes: Buffer, blocks: readonly Block[]): void {
    for (let index = 0; index < blocks.length; index++) {
      const block = blocks[index] as Block;
      if (this.blocks[index] === block) continue;
      this.blocks[index] = block;
      block.copy(bytes, index * blockBytes);
      if (!this.changed.includes(index)) this.changed.push(index);
    }
  }

  /** Whoever writes from a lane has put other bytes there. */
  forget(): void {
    this.blocks.length = 0;
  }
}

const memories = new WeakMap<Buffer, LaneMemory>();

class SimulatedLane implements Lane {
  readonly bytes: Buffer;
  private readonly memory = new LaneMemory();
  private readonly port: DiskPort;
  /** Of the port, when its device was opened. */
  private readonly connection: number;
  private readonly io: SimulatedIo;
  private owned = false;
  private owed: Promise<IoOutcome> | null = null;

  constructor(io: SimulatedIo, port: DiskPort, connection: number, lengthBytes: number) {
    this.io = io;
    this.port = port;
    this.connection = connection;
    this.bytes = Buffer.alloc(Math.ceil(lengthBytes / blockBytes) * blockBytes);
    memories.set(this.bytes, this.memory);
  }

  get ownedByKernel(): boolean {
    return this.owned;
  }

  settled(): Promise<IoOutcome | null> {
    return this.owed ?? Promise.resolve(null);
  }

  read(offsetBytes: number, lengthBytes: number, deadlineMs: number): Promise<IoOutcome> {
    const count = lengthBytes / blockBytes;
    return this.transfer(deadlineMs, (end) =>
      this.port.read(offsetBytes / blockBytes, count, (blocks, error) => {
        if (error === null) this.memory.take(this.bytes, blocks);
        end(error);
      }),
    );
  }

  write(offsetBytes: number, lengthBytes: number, deadlineMs: number): Promise<IoOutcome> {
    this.memory.forget();
    const bytes = Buffer.from(this.bytes.subarray(0, lengthBytes));
    return this.transfer(deadlineMs, (end) =>
      this.port.write(offsetBytes / blockBytes, bytes, end),
    );
  }

  private transfer(
    deadlineMs: number,
    submit: (end: (error: string | null) => void) => void,
  ): Promise<IoOutcome> {
    if (this.owned) return Promise.resolve({ kind: "busy" });
    this.owned = true;
    const { life } = this.io;
    const beganNs = this.io.clocks().monotonicNs;
    return new Promise((resolve) => {
      let settle: ((outcome: IoOutcome) => void) | null = null;
      const cancel = life.after(deadlineMs, () => {
        this.owed = new Promise((later) => {
          settle = later;
        });
        resolve({ kind: "expired", beganNs, endedNs: this.io.clocks().monotonicNs });
      });
      const isGone = this.connection !== this.port.connection;
      const begin = isGone ? (end: (error: string) => void) => end("ENODEV") : submit;
      begin((error) =>
        life.take(() => {
          cancel();
          this.owned = false;
          this.owed = null;
          const endedNs = this.io.clocks().monotonicNs;
          const outcome: IoOutcome =
            error === null
              ? { kind: "done", beganNs, endedNs }
              : { kind: "failed", code: error, beganNs, endedNs };
          (settle ?? resolve)(outcome);
        }),
      );
    });
  }
}

class SimulatedDevice implements BlockDevice {
  readonly path: string;
  readonly access: Access;
  readonly geometry: Geometry;
  private readonly io: SimulatedIo;
  private readonly port: DiskPort;
  private readonly connection: number;
  private readonly lanes: SimulatedLane[] = [];

  constructor(io: SimulatedIo, path: string, access: Access, port: DiskPort) {
    this.io = io;
    this.path = path;
    this.access = access;
    this.port = port;
    this.connection = port.connection;
    const { sizeBytes, wwid } = port.disk;
    this.geometry = {
      kind: "block", sizeBytes, logicalBytes: 512, physicalBytes: 4096,
      readOnly: !port.isWritable, diskSequence: 1n, deviceNumber: `8:${wwid.length}`, wwid,
      partition: null, direct: true,
    }; // biome-ignore format: one list
  }

  lane(lengthBytes: number): Lane {
    const lane = new SimulatedLane(this.io, this.port, this.connection, lengthBytes);
    this.lanes.push(lane);
    return lane;
  }

  memory(lengthBytes: number): Buffer {
    return Buffer.alloc(lengthBytes);
  }

  async close(): Promise<void> {
    await Promise.all(this.lanes.map((lane) => lane.settled()));
  }
}

export class SimulatedIo implements BlockIo {
  readonly engine = "io_uring";
  readonly engineRefusal = null;
  readonly life: Life;
  private readonly machine: Machine;

  constructor(machine: Machine, life: Life) {
    this.machine = machine;
    this.life = life;
  }

  open(
    path: string,
    access: Access,
    deadlineMs: number,
    options: OpenOptions = {},
  ): Promise<Opened> {
    const port = this.machine.ports.get(path);
    return new Promise((resolve) => {
      const answer = (ms: number, code: string): void => {
        this.life.after(ms, () => resolve(openFault(path, code)));
      };
      if (!port) return answer(openMs, "ENOENT");
      if (port.isHung("read")) return answer(deadlineMs, "TIMEDOUT");
      if (port.openError !== null) return answer(openMs, port.openError);
      if (access === "write" && !port.isWritable) return answer(openMs, "EROFS");
      if (port.disk.sizeBytes < (options.sizeBytesMin ?? 0)) return answer(openMs, "TOOSMALL");
      const device = new SimulatedDevice(this, path, access, port);
      this.life.after(openMs, () => resolve({ ok: true, device }));
    });
  }

  scan(
    area: Buffer,
    remembered: Buffer,
    shape: AreaShape,
    isFirst: boolean,
  ): readonly ChangedBlock[] {
    const { blockCount, strideBytes, liveBytes, checksumOffset } = shape;
    const memory = memories.get(area);
    const all = isFirst || !memory;
    const candidates = all
      ? Array.from({ length: blockCount }, (_, index) => index)
      : memory.changed;
    if (memory) memory.changed = [];
    const changed: ChangedBlock[] = [];
    for (const index of [...candidates].sort((a, b) => a - b)) {
      const at = index * strideBytes;
      const kept = index * liveBytes;
      const isSame = area.compare(remembered, kept, kept + liveBytes, at, at + liveBytes) === 0;
      if (isSame && !isFirst) continue;
      area.copy(remembered, kept, at, at + liveBytes);
      changed.push({
        index,
        get checksumAgrees() {
          const sector = remembered.subarray(kept, kept + checksumOffset);
          return crc32c(sector) === remembered.readUInt32LE(kept + checksumOffset);
        },
      });
    }
    return changed;
  }

  crc32c(bytes: Uint8Array): number {
    return crc32c(bytes);
  }

  clocks(): Clocks {
    return this.machine.clocks();
  }

  lockFile() {
    return { ok: true } as const;
  }

  close(): void {
    this.life.end();
  }
}
