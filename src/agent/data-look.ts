/** Looking at a data group's pair while something is done with it: fresh answers, with deadlines. */
import { identityFault } from "../remotecopy/change.ts";
import type { PairView, QueryScope } from "../remotecopy/provider.ts";
import type { DataPair } from "./data-providers.ts";

export type Clock = {
  /** Monotonic, that of the provider's `observedMs`. */
  readonly nowMs: () => number;
  readonly pause: (ms: number) => Promise<void>;
};

export type Look =
  | { readonly ok: true; readonly local: PairView; readonly remote: PairView | null }
  | { readonly ok: false; readonly reason: string };

export const lookEveryMs = 200;
/** How long a source that tells the age of its knowledge, or a new state, may take to show. */
export const settleMs = 3000;

export const viewText = ({ state, role, native, cause }: PairView): string =>
  `${state}, ${role}${native ? ` (${native})` : ""}${cause ? `: ${cause}` : ""}`;

/**
 * Why this is not the configured volume, or cannot be told to be; null where it is. An array that
 * does not answer is asked again for a moment; one that names another volume is not.
 */
export async function foreignness({ pair }: DataPair, clock: Clock): Promise<string | null> {
  const { provider, expected, queryLimitMs } = pair;
  const endMs = clock.nowMs() + settleMs;
  for (;;) {
    const identified = await provider.identify(queryLimitMs);
    const fault = identityFault(identified, expected);
    if (identified.ok || clock.nowMs() >= endMs) return fault;
    await clock.pause(lookEveryMs);
  }
}

/**
 * A view from `sinceMs` or later that `isWanted`, looked for until `limitMs` from now; else the
 * last one that was fresh, or why there is none.
 */
export async function freshLook(
  { pair }: DataPair,
  clock: Clock,
  sinceMs: number,
  limitMs: number,
  isWanted: (view: PairView) => boolean,
  wish: QueryScope = "local",
): Promise<Look> {
  const { provider, queryLimitMs } = pair;
  const endMs = clock.nowMs() + limitMs;
  for (;;) {
    const scope = provider.capabilities.remoteQuery ? wish : "local";
    const answer = await provider.query(scope, queryLimitMs);
    const isOld = answer.ok && answer.observedMs < sinceMs;
    const last: Look = !answer.ok
      ? { ok: false, reason: `its state cannot be told: ${answer.message}` }
      : isOld
        ? { ok: false, reason: "no answer is young enough: its array tells only older states" }
        : { ok: true, local: answer.local, remote: answer.remote };
    if ((last.ok && isWanted(last.local)) || clock.nowMs() >= endMs) return last;
    await clock.pause(lookEveryMs);
  }
}
