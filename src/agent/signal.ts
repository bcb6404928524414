/**
 * Splits and resynchronises pairs when the core wants it, for a signal: through the mirror's own
 * provider, each change by src/remotecopy/change.ts, so with the identity checked and what became of
 * it told by the pair's state. Every change is reported, within the deadlines of the provider.
 */
import type { ChangePair, PairChangedInput } from "../core/step/signal-state.ts";
import { realClock } from "../host/clock.ts";
import { changePair, type Outcome } from "../remotecopy/change.ts";
import type { OpenPair } from "../remotecopy/open-provider.ts";

/** undefined where the mirror has no provider here. */
export type PairOf = (mirror: string) => Promise<OpenPair | null> | undefined;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

function isGone({ after }: Outcome): boolean {
  return after?.ok === true && after.local.state === "simplex";
}

async function changed(pairOf: PairOf, action: ChangePair): Promise<PairChangedInput> {
  const { mirror, verb } = action;
  const input = (
    rest: Pick<PairChangedInput, "outcome" | "gone" | "message">,
  ): PairChangedInput => {
    return { kind: "pair-changed", nowMs: realClock.nowMs(), mirror, verb, ...rest };
  };
  const pair = await pairOf(mirror);
  if (!pair) return input({ outcome: "refused", gone: false, message: "no provider" });
  const { provider, expected, queryLimitMs, changeLimitMs } = pair;
  const outcome = await changePair(provider, verb, {
    expected, force: false, dryRun: false, queryLimitMs, changeLimitMs,
    nowMs: realClock.nowMs, pause,
  }); // biome-ignore format: a list
  return input({ outcome: outcome.kind, gone: isGone(outcome), message: outcome.message });
}

export function pairChanger(
  pairOf: PairOf,
  onInput: (input: PairChangedInput) => void,
): (action: ChangePair) => void {
  return (action) => void changed(pairOf, action).then(onInput);
}
