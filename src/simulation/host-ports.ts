/** What a simulated host gives its agent of the world: keys, the pairs of its array, a fence. */
import { pairAsker } from "../agent/ask-pair.ts";
import type { DataPairOpener } from "../agent/data-providers.ts";
import { Fence } from "../agent/fence.ts";
import type { PairQuery } from "../agent/pairs.ts";
import type { Keyring } from "../agent/seal.ts";
import type { Timers } from "../agent/timers.ts";
import type { Config } from "../core/base/config.ts";
import type { CoreEvent } from "../core/base/event.ts";
import type { OpenPair } from "../remotecopy/open-provider.ts";
import { crc32c, macOf } from "./checksum.ts";
import type { Life, Machine } from "./machine.ts";
import { type ArrayManner, simulatedProvider } from "./pair-provider.ts";
import type { End, Pair } from "./pair.ts";
import type { VirtualTime } from "./virtual-time.ts";
import type { SimulatedWatchdog } from "./watchdog.ts";

const queryLimitMs = 2000;
const changeLimitMs = 10_000;

export type PairAtHost = { readonly pair: Pair; readonly end: End; readonly manner: ArrayManner };

/** Signs with the first of them. */
export function keyringOf(keyIds: readonly number[]): Keyring {
  const mac = macOf(keyIds);
  const [signing = 0] = keyIds;
  return {
    mac,
    crc32c,
    sealing: () => ({ mac, crc32c, keyId: signing }),
    ids: () => keyIds,
    isRetiring: () => false,
    generation: 0,
    replace: () => undefined,
  };
}

export class HostPairs {
  private readonly machine: Machine;
  private readonly time: VirtualTime;
  private readonly find: (name: string) => PairAtHost | null;

  constructor(machine: Machine, time: VirtualTime, find: (name: string) => PairAtHost | null) {
    this.machine = machine;
    this.time = time;
    this.find = find;
  }

  private get nowMs(): () => number {
    return () => this.machine.monotonicMs();
  }

  /** By that program. */
  open(name: string, life: Life): OpenPair | null {
    const found = this.find(name);
    if (!found) return null;
    const { pair, end } = found;
    const provider = simulatedProvider({
      ...found,
      nowMs: this.nowMs,
      after: (ms, run) => void life.after(ms, run),
      inArray: (ms, run) => void this.time.after(ms, run),
    });
    return { provider, end, expected: pair.disks[end].wwid, queryLimitMs, changeLimitMs };
  }

  queries({ mirrors }: Config, life: Life): Record<string, PairQuery> {
    const queries: Record<string, PairQuery> = {};
    for (const { name } of mirrors) {
      const pair = this.open(name, life);
      if (pair) queries[name] = pairAsker(pair, this.nowMs);
    }
    return queries;
  }

  dataOpener({ dataGroups }: Config, life: Life): DataPairOpener {
    return async (_site, { name }) => {
      const pair = this.open(name, life);
      const group = dataGroups.find((each) => each.name === name);
      if (!pair || !group) return { ok: false, reason: "it has no provider" };
      const device = pair.end === "writer" ? group.pvol : group.svol;
      return { ok: true, pair: { name, device, pair } };
    };
  }
}

export type FenceTools = {
  readonly config: Config;
  readonly machine: Machine;
  readonly watchdog: SimulatedWatchdog;
  readonly life: Life;
  readonly timers: Timers;
  readonly tell: (event: CoreEvent) => void;
};

export function fenceOf({ config, machine, watchdog, life, timers, tell }: FenceTools): Fence {
  return new Fence({
    config: config.fencing,
    timing: config.timing,
    tell,
    nowMs: () => machine.monotonicMs(),
    timers,
    service: null,
    open: (path, limitMs) => watchdog.open(path, limitMs, life),
  });
}
