/**
 * The local disk of a simulated host, and the files of its agent on it. Memory is stored by the
 * rules of the shipped store (src/agent/memory.ts), whose limit is a real timer and so cannot run
 * here: one write at a time, the newest wins, no term falls, and a caller waits so long only.
 */
import { emptyMemory, type Memory, type Right, rightOf } from "../agent/memory.ts";
import type { Devices } from "../core/base/devices.ts";
import type { Life } from "./machine.ts";

const limitMs = 5000;

export type DiskFault = "" | "fails" | "hangs";

export class LocalDisk {
  memory: Memory = emptyMemory;
  devices: Devices | null = null;
  /** How long one write takes. */
  writeMs = 3;
  private faultNow: DiskFault = "";
  private hanging: (() => void)[] = [];

  get fault(): DiskFault {
    return this.faultNow;
  }

  /** What hangs goes on once it answers again; a program that died meanwhile puts nothing in place. */
  set fault(fault: DiskFault) {
    this.faultNow = fault;
    if (fault === "hangs") return;
    for (const run of this.hanging.splice(0)) run();
  }

  /** As a new disk. */
  empty(): void {
    this.memory = emptyMemory;
    this.devices = null;
  }

  /** False where nothing was written. */
  write(life: Life, put: () => void): Promise<boolean> {
    return new Promise((resolve) => {
      const end = (): void =>
        life.take(() => {
          if (this.faultNow === "hangs") return void this.hanging.push(end);
          if (this.faultNow === "") put();
          resolve(this.faultNow === "");
        });
      life.after(this.writeMs, end);
    });
  }

  async storeDevices(life: Life, devices: Devices): Promise<string> {
    const ok = await this.write(life, () => {
      this.devices = devices;
    });
    return ok ? "" : "no space left on device";
  }
}

type Waiter = { readonly memory: Memory; readonly settle: (ok: boolean) => void };

const higher = (before: Right, after: Right): Right => ({
  ...((after.term ?? -1n) >= (before.term ?? -1n) ? after : before),
  serving: after.serving,
  blank: after.blank,
});

/** Of one program. */
export class MemoryStore {
  private readonly disk: LocalDisk;
  private readonly life: Life;
  private durable: Right;
  private waiting: Waiter[] = [];
  private isWriting = false;

  constructor(disk: LocalDisk, life: Life, loaded: Memory) {
    this.disk = disk;
    this.life = life;
    this.durable = rightOf(loaded);
  }

  store(memory: Memory): Promise<boolean> {
    return new Promise((resolve) => {
      const waiter: Waiter = {
        memory,
        settle: (ok) => {
          cancel();
          resolve(ok);
        },
      };
      const cancel = this.life.after(limitMs, () => {
        this.waiting = this.waiting.filter((other) => other !== waiter);
        resolve(false);
      });
      this.waiting.push(waiter);
      if (!this.isWriting) void this.drain();
    });
  }

  private async drain(): Promise<void> {
    this.isWriting = true;
    for (let newest = this.waiting.at(-1); newest; newest = this.waiting.at(-1)) {
      const batch = this.waiting;
      this.waiting = [];
      const told = batch.map(({ memory }) => rightOf(memory));
      const right = told.reduce(higher, this.durable);
      const text = { ...newest.memory, ...right };
      const ok = await this.disk.write(this.life, () => {
        this.disk.memory = text;
      });
      if (ok) this.durable = right;
      for (const { settle } of batch) settle(ok);
    }
    this.isWriting = false;
  }
}
