/**
 * A volume with persistent reservations, in memory: it reads the bytes of the commands and answers
 * in bytes, as SPC-4 has it. Each host reaches it by a path of its own.
 */
import type { ScsiAnswer, ScsiCommand, SendScsi } from "../../device/scsi-command.ts";

type Path = { key: bigint; attentions: (readonly [number, number])[] };

/** Changes an answer to PERSISTENT RESERVE IN on its way. */
export type Damage = (action: number, data: Buffer) => Buffer;

export class SimulatedVolume {
  generation = 0;
  holder: { path: string; type: number } | null = null;
  readonly paths = new Map<string, Path>();
  hasFullStatus = true;
  /** Sent to it, as "A:PREEMPT"; for what must never be sent. */
  readonly changes: string[] = [];
  damage: Damage = (_, data) => data;
  /** Called before each change of a registration or reservation. */
  before: (path: string, action: number) => ScsiAnswer | null = () => null;

  private path(name: string): Path {
    let path = this.paths.get(name);
    if (!path) {
      path = { key: 0n, attentions: [[0x29, 0x00]] };
      this.paths.set(name, path);
    }
    return path;
  }

  /** What a host uses to reach it; any device name leads here. */
  from(name: string): SendScsi {
    return async (command) => this.answer(name, command);
  }

  write(name: string): "done" | "conflict" {
    const path = this.path(name);
    return this.holder === null || path.key !== 0n ? "done" : "conflict";
  }

  answer(name: string, { command, sends, readsBytes }: ScsiCommand): ScsiAnswer {
    const path = this.path(name);
    const attention = path.attentions.shift();
    if (attention) return { kind: "sense", key: 6, code: attention[0], qualifier: attention[1] };
    const action = (command[1] ?? 0) & 0x1f;
    if (command[0] === 0x5e) return this.read(action, readsBytes ?? 0);
    if (command[0] !== 0x5f || sends?.length !== 24) return invalid;
    if (command.readUInt32BE(5) !== 24) return invalid;
    const words = {
      key: sends.readBigUInt64BE(0),
      otherKey: sends.readBigUInt64BE(8),
      type: command[2] ?? 0,
    };
    this.changes.push(`${name}:${action}`);
    return this.before(name, action) ?? this.change(name, path, action, words);
  }

  private registered(): readonly [string, Path][] {
    return [...this.paths].filter(([, { key }]) => key !== 0n);
  }

  private isHeldByAll(): boolean {
    return this.holder !== null && this.holder.type >= 7;
  }

  private read(action: number, bytes: number): ScsiAnswer {
    if (action === 3 && !this.hasFullStatus) return invalid;
    const data = this.damage(action, this.reading(action));
    return { kind: "good", data: Buffer.from(data.subarray(0, bytes)) };
  }

  private reading(action: number): Buffer {
    if (action === 2) return Buffer.from("00080d8100000000", "hex");
    const lists = { 0: this.keyList(), 1: this.holderList(), 3: this.fullList() } as const;
    const list = Buffer.concat(lists[action as 0 | 1 | 3]);
    const header = Buffer.alloc(8);
    header.writeUInt32BE(this.generation, 0);
    header.writeUInt32BE(list.length, 4);
    return Buffer.concat([header, list]);
  }

  private keyList(): Buffer[] {
    return this.registered().map(([, { key }]) => bytesOf(key));
  }

  private holderList(): Buffer[] {
    if (this.holder === null) return [];
    const rest = Buffer.alloc(8);
    rest[5] = this.holder.type;
    return [bytesOf(this.isHeldByAll() ? 0n : this.path(this.holder.path).key), rest];
  }

  private fullList(): Buffer[] {
    return this.registered().map(([name, { key }], index) => {
      const transport = Buffer.alloc(24, index);
      const rest = Buffer.alloc(16);
      const isHolder = this.isHeldByAll() || this.holder?.path === name;
      if (isHolder) rest.set([1, this.holder?.type ?? 0], 4);
      rest.writeUInt16BE(index + 1, 10);
      rest.writeUInt32BE(transport.length, 12);
      return Buffer.concat([bytesOf(key), rest, transport]);
    });
  }

  private change(
    name: string,
    path: Path,
    action: number,
    { key, otherKey, type }: { key: bigint; otherKey: bigint; type: number },
  ): ScsiAnswer {
    if (action === 6 || (action === 0 && key === path.key))
      return this.register(name, path, otherKey);
    if (action === 0 || path.key === 0n || key !== path.key) return { kind: "conflict" };
    if (action === 1) return this.reserve(name, type);
    if (action === 2) return this.release(name, type);
    if (action === 4) return this.preempt(name, otherKey, type);
    return invalid;
  }

  private register(name: string, path: Path, key: bigint): ScsiAnswer {
    path.key = key;
    this.generation++;
    if (key === 0n && this.holder?.path === name && !this.isHeldByAll()) this.holder = null;
    if (this.isHeldByAll() && this.registered().length === 0) this.holder = null;
    return good;
  }

  private reserve(name: string, type: number): ScsiAnswer {
    const isMine = this.holder?.path === name || this.isHeldByAll();
    if (this.holder && !(isMine && this.holder.type === type)) return { kind: "conflict" };
    this.holder ??= { path: name, type };
    return good;
  }

  private release(name: string, type: number): ScsiAnswer {
    if (this.holder === null || (this.holder.path !== name && !this.isHeldByAll())) return good;
    if (this.holder.type !== type) return { kind: "sense", key: 5, code: 0x26, qualifier: 0x04 };
    this.holder = null;
    return good;
  }

  private preempt(name: string, victim: bigint, type: number): ScsiAnswer {
    const victims = this.registered().filter(([, { key }]) => key === victim);
    if (victims.length === 0) return { kind: "conflict" };
    const isHolder = victims.some(([each]) => each === this.holder?.path) && !this.isHeldByAll();
    for (const [each, path] of victims) {
      if (each === name) continue;
      path.key = 0n;
      path.attentions.push([0x2a, 0x05]);
    }
    if (isHolder) this.holder = { path: name, type };
    this.generation++;
    return good;
  }
}

const good: ScsiAnswer = { kind: "good", data: Buffer.alloc(0) };
const invalid: ScsiAnswer = { kind: "sense", key: 5, code: 0x24, qualifier: 0 };

function bytesOf(key: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(key);
  return bytes;
}
