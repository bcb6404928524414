/**
 * One question of the agent to a provider, and what it is worth as evidence. Where an identity is
 * configured, the state of the pair counts only for the volume that has it: looked at with the
 * first question, with each after something failed, and now and then between.
 *
 * Both are asked at once: an answer comes within the deadline of a query, whatever is looked at.
 */
import { identityMismatch } from "../remotecopy/change.ts";
import { directedEvidence } from "../remotecopy/evidence.ts";
import type { OpenPair } from "../remotecopy/open-provider.ts";
import type { IdentityAnswer } from "../remotecopy/provider.ts";
import type { PairKnowledge, PairQuery } from "./pairs.ts";

/** An array may be set up anew meanwhile, and answer for another volume by the same name. */
export const identityEveryMs = 60_000;

export function nothingKnown(cause: string, nowMs: number): PairKnowledge {
  const facts = { role: "unknown", native: "", percent: null, cause };
  return { state: "unknown", observedMs: nowMs, facts };
}

/** Why an answer says nothing of the configured volume; null where it is that one. */
function doubtOf(answer: IdentityAnswer, expected: string): string | null {
  if (!answer.ok) return `${answer.class}: ${answer.message}`;
  const mismatch = identityMismatch(answer.identity, expected);
  return mismatch === null ? null : `identity: ${mismatch}`;
}

/** An expected failure is knowledge too: that nothing is known now. */
export function pairAsker(pair: OpenPair, nowMs: () => number): PairQuery {
  const { provider, expected, queryLimitMs, end } = pair;
  /** When the volume was last seen to be the configured one; null: not since the last fault. */
  let seenMs: number | null = null;
  return async () => {
    const askedMs = nowMs();
    const isDue = seenMs === null || askedMs - seenMs >= identityEveryMs;
    const [answer, identity] = await Promise.all([
      provider.query("local", queryLimitMs),
      expected !== null && isDue ? provider.identify(queryLimitMs) : null,
    ]);
    const doubt = identity && expected !== null ? doubtOf(identity, expected) : null;
    if (!answer.ok || doubt !== null) {
      seenMs = null;
      const fault = answer.ok ? null : `${answer.class}: ${answer.message}`;
      // Of two reasons the foreign volume is the one to act upon.
      return nothingKnown((identity?.ok ? doubt : null) ?? fault ?? doubt ?? "", nowMs());
    }
    if (identity) seenMs = askedMs;
    const { role, native, percent, cause } = answer.local;
    const state = directedEvidence(answer.local, end);
    const reversed = end === "writer" ? "secondary" : "primary";
    const byCommand = answer.local.state === "suspended-by-operator" && role !== reversed;
    const facts = { role, native, percent, cause, byCommand };
    return { state, observedMs: answer.observedMs, facts };
  };
}
