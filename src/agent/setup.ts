/** What the core begins with, from all that was found at the start of an agent. */
import { type Config, ownSite } from "../core/base/config.ts";
import { ownerOf } from "../core/decision.ts";
import { keyRingOf } from "../core/sector/key-ring.ts";
import { timingDigestOf } from "../core/sector/timing-digest.ts";
import type { Setup } from "../core/step/begin.ts";
import { sharedConfigBytes } from "../core/step/reconfigure.ts";
import type { LeaseClocks } from "../core/step/right-state.ts";
import type { Memory } from "./memory.ts";
import type { Ready } from "./gather.ts";

function remembersOwning(config: Config, term: bigint | null): boolean {
  return term !== null && ownerOf(term) === ownSite(config).id;
}

/** Left out at a first start: what a host without a memory did before is not known to be stopped. */
function servingBefore({ bootId: boot, serving, halfDone }: Memory): { serving?: boolean } {
  // A start hook that was under way may have started it.
  return boot === "" ? {} : { serving: serving || halfDone };
}

export type SetupTimes = {
  readonly nowMs: number;
  /** null where no lease is in force. */
  readonly clocks: LeaseClocks | null;
};

export function setupOf(config: Config, ready: Ready, bootId: string, times: SetupTimes): Setup {
  const { io, memory } = ready;
  const crc32c = (bytes: Uint8Array): number => io.crc32c(bytes);
  return {
    config,
    timingDigest: timingDigestOf(config, crc32c),
    keyRing: keyRingOf(ready.keys.ids(), crc32c),
    configDigest: crc32c(sharedConfigBytes(config)),
    incarnation: ready.incarnation,
    bootId,
    term: ready.term,
    halfDone: memory.halfDone && ready.term === memory.term,
    ...servingBefore(memory),
    blank: memory.blank,
    sameBoot: memory.bootId === "" || memory.bootId === bootId,
    granted: { term: memory.grantedTerm, site: memory.grantedSite },
    givenSite: ready.term === memory.term ? memory.givenSite : 0,
    ...(times.clocks === null ? {} : { clocks: times.clocks }),
    wasOwner: remembersOwning(config, memory.term),
    nowMs: times.nowMs,
    marks: memory.marks,
    switches: memory.switches,
    devices: ready.devices,
  };
}
