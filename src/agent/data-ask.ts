/**
 * One question for a data group's pair, as often as it is polled. Where an identity is configured
 * the answer counts only for that volume: looked at with the first question, with each after
 * something failed, and now and then between. What cannot be had is knowledge too: `unknown`.
 */
import { identityMismatch } from "../remotecopy/change.ts";
import { evidenceOf } from "../remotecopy/evidence.ts";
import { identityEveryMs } from "./ask-pair.ts";
import type { DataHistory } from "./data-history.ts";
import type { DataInput } from "./data-inputs.ts";
import type { DataPair, DataPairFound } from "./data-providers.ts";

export type AskData = () => Promise<DataInput>;

export type AskClocks = {
  /** Monotonic, that of the provider's `observedMs`. */
  readonly nowMs: () => number;
  /** CLOCK_BOOTTIME. */
  readonly bootNs: () => bigint;
};

const nsPerMs = 1e6;

function nothingKnownOf(group: string, { nowMs, bootNs }: AskClocks): DataInput {
  const unknown = { state: "unknown", role: "unknown", inSync: null, lastCopyAgoMs: null } as const;
  return { kind: "data", nowMs: nowMs(), bootNs: bootNs(), group, ...unknown };
}

export function dataAsker(data: DataPair, history: DataHistory, clocks: AskClocks): AskData {
  const { nowMs, bootNs } = clocks;
  const { provider, expected, queryLimitMs } = data.pair;
  /** When the volume was last seen to be the configured one; null: not since the last fault. */
  let seenMs: number | null = null;
  return async () => {
    const [askedMs, askedNs] = [nowMs(), bootNs()];
    const isDue = seenMs === null || askedMs - seenMs >= identityEveryMs;
    const [answer, identified] = await Promise.all([
      provider.query("local", queryLimitMs),
      expected !== null && isDue ? provider.identify(queryLimitMs) : null,
    ]);
    const isForeign =
      identified !== null &&
      (!identified.ok ||
        (expected !== null && identityMismatch(identified.identity, expected) !== null));
    if (!answer.ok || isForeign) {
      seenMs = null;
      return nothingKnownOf(data.name, clocks);
    }
    if (identified) seenMs = askedMs;
    const { local, observedMs } = answer;
    history.saw(data.name, local);
    const { state, role, inSync, lastCopyAgoMs } = local;
    const worth = history.isCutOff(data.name, local) ? "copying" : evidenceOf(state);
    const told = { state: worth, role, inSync, lastCopyAgoMs };
    // What is known is older than the question where its source tells an age.
    const agoNs = BigInt(Math.ceil((askedMs - observedMs) * nsPerMs));
    const at = { nowMs: observedMs, bootNs: askedNs - agoNs };
    return { kind: "data", ...at, group: data.name, ...told };
  };
}

export type DataPolls = {
  /** Each group that is not being asked just now. */
  askAll(): void;
  stop(): void;
};

/** One input a group and question, also where its provider cannot be had. */
export function dataPolls(
  names: readonly string[],
  find: (name: string) => Promise<DataPairFound>,
  history: DataHistory,
  clocks: AskClocks,
  onInput: (input: DataInput) => void,
): DataPolls {
  const asking = new Set<string>();
  const askers = new Map<string, AskData>();
  let isStopped = false;
  const inputOf = async (name: string): Promise<DataInput> => {
    try {
      const found = askers.has(name) ? null : await find(name);
      if (found?.ok) askers.set(name, dataAsker(found.pair, history, clocks));
      return (await askers.get(name)?.()) ?? nothingKnownOf(name, clocks);
    } catch {
      // A fault of the program's own must not end the agent: nothing is known of the pair.
      return nothingKnownOf(name, clocks);
    }
  };
  const ask = async (name: string): Promise<void> => {
    if (isStopped || asking.has(name)) return;
    asking.add(name);
    const input = await inputOf(name);
    asking.delete(name);
    if (!isStopped) onInput(input);
  };
  return {
    askAll: () => {
      for (const name of names) void ask(name);
    },
    stop: () => {
      isStopped = true;
    },
  };
}
