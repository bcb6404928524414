/** Asks each mirror's provider for the state of its pair: now and then, and when the core wants it. */
import type { Config } from "../core/base/config.ts";
import type { Input } from "../core/step/state.ts";
import type { ChangePair } from "../core/step/signal-state.ts";
import type { PairFacts } from "../core/step/state.ts";
import type { PairEvidence } from "../core/verdict.ts";

export type PairWatch = {
  query(mirror: string): void;
  queryAll(): void;
  /** Its outcome comes as an input, also after a stop. */
  change(action: ChangePair): void;
  stop(): void;
};

export type PairKnowledge = {
  readonly state: PairEvidence;
  /** Monotonic; the knowledge is no older than this. */
  readonly observedMs: number;
  readonly facts: PairFacts;
};

/** Asks a provider; always ends in time, `unknown` where it could not be had. */
export type PairQuery = () => Promise<PairKnowledge>;

export function pairWatch(
  config: Config,
  queries: Readonly<Record<string, PairQuery>>,
  onInput: (input: Input) => void,
  change: (action: ChangePair) => void,
): PairWatch {
  const asking = new Set<string>();
  const again = new Set<string>();
  let stopped = false;

  const ask = async (mirror: string): Promise<void> => {
    const query = queries[mirror];
    if (!query || stopped) return;
    // A question that comes while one is under way wants a younger answer: it is asked after it.
    if (asking.has(mirror)) return void again.add(mirror);
    asking.add(mirror);
    const { state, observedMs, facts } = await query();
    asking.delete(mirror);
    if (stopped) return;
    onInput({ kind: "pair", nowMs: observedMs, mirror, state, facts });
    if (again.delete(mirror)) void ask(mirror);
  };

  const mirrors = config.mirrors
    .filter((mirror) => queries[mirror.name])
    .map((mirror) => mirror.name);
  return {
    query: (mirror) => void ask(mirror),
    queryAll: () => {
      for (const mirror of mirrors) void ask(mirror);
    },
    change,
    stop: () => {
      stopped = true;
    },
  };
}
