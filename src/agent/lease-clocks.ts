/**
 * The two clocks of the lease (docs/safety.md, "Clocks"). The kernel's clock may be run faster or
 * slower than its crystal by a time service, up to 8 % by default, so neither is CLOCK_MONOTONIC:
 *   long   CLOCK_MONOTONIC_RAW and the time of suspension: an owner's lease never lasts longer
 *   short  in each stretch the smaller one of MONOTONIC and RAW: a standby never waits shorter
 */
import type { LeaseClocks } from "../core/step/right-state.ts";

export type KernelClocks = {
  readonly monotonicNs: bigint;
  readonly boottimeNs: bigint;
  readonly rawNs: bigint;
};

const nsPerMs = 1e6;

export function leaseClocks(read: () => KernelClocks): () => LeaseClocks {
  let last = read();
  let shortNs = 0n;
  return () => {
    const now = read();
    const monotonicNs = now.monotonicNs - last.monotonicNs;
    const rawNs = now.rawNs - last.rawNs;
    shortNs += monotonicNs < rawNs ? monotonicNs : rawNs;
    last = now;
    const longNs = now.rawNs + (now.boottimeNs - now.monotonicNs);
    return { longMs: Number(longNs) / nsPerMs, shortMs: Number(shortNs) / nsPerMs };
  };
}
