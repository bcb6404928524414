/**
 * Splits and resynchronises pairs when the core wants it, for a signal: through the mirror's own
 * provider, each change by src/remotecopy/change.ts, so with the identity checked and what became of
 * it told by the pair's state. Every change is reported, within the deadlines of the provider.
 */
import type { ChangePair, PairChangedInput } from "../core/step/signal-state.ts";
import { changePair, type Outcome } from "../remotecopy/change.ts";
import type { Clock } from "./data-look.ts";
import type { OpenPair } from "../remotecopy/open-provider.ts";

/** undefined where the mirror has no provider here. */
export type PairOf = (mirror: string) => Promise<OpenPair | null> | undefined;

function isGone({ after }: Outcome): boolean {
  return after?.ok === true && after.local.state === "simplex";
}

async function changed(
  pairOf: PairOf,
  { nowMs, pause }: Clock,
  action: ChangePair,
): Promise<PairChangedInput> {
  const { mirror, verb } = action;
  const input = (
    rest: Pick<PairChangedInput, "outcome" | "gone" | "message">,
  ): PairChangedInput => {
    return { kind: "pair-changed", nowMs: nowMs(), mirror, verb, ...rest };
  };
  const pair = await pairOf(mirror);
  if (!pair) return input({ outcome: "refused", gone: false, message: "no provider" });
  const { provider, expected, queryLimitMs, changeLimitMs } = pair;
  const outcome = await changePair(provider, verb, {
    expected, force: false, dryRun: false, queryLimitMs, changeLimitMs,
    nowMs, pause,
  }); // biome-ignore format: a list
  return input({ outcome: outcome.kind, gone: isGone(outcome), message: outcome.message });
}

export function pairChanger(
  pairOf: PairOf,
  onInput: (input: PairChangedInput) => void,
  clock: Clock,
): (action: ChangePair) => void {
  return (action) => void changed(pairOf, clock, action).then(onInput);
}
