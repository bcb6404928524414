/**
 * The interface of a simulated array, as one host asks it: the same port as every provider of
 * src/remotecopy, with what an array's interface does on a bad day.
 */
import type { PairVerb } from "../core/base/pair-settings.ts";
import {
  type Capabilities,
  fault,
  type PairAnswer,
  type PairProvider,
  type PairState,
  type PairView,
  type Performed,
} from "../remotecopy/provider.ts";
import { type End, otherEnd, type Pair } from "./pair.ts";

/** How the array at one site answers; a fault changes it. */
export type ArrayManner = {
  queryMs: number;
  changeMs: number;
  /** Questions: answered, refused, or not answered at all. */
  answers: "yes" | "refuses" | "hangs";
  /** Commands: obeyed; refused; obeyed though nobody is told; not obeyed though it says so. */
  changes: "obeyed" | "refused" | "lost" | "pretended";
  /** What it tells instead of the truth. */
  lie: PairState | null;
};

export const goodManner = (): ArrayManner => ({
  queryMs: 15,
  changeMs: 60,
  answers: "yes",
  changes: "obeyed",
  lie: null,
});

const capabilities: Capabilities = {
  verbs: ["create", "split", "resync", "swap", "takeover", "remove"],
  copying: "asynchronous",
  secondaryRead: "device",
  remoteQuery: true,
  atomicSwap: true,
};

export type ProviderParts = {
  readonly pair: Pair;
  readonly end: End;
  readonly manner: ArrayManner;
  /** Monotonic, of the host that asks. */
  readonly nowMs: () => number;
  readonly after: (ms: number, run: () => void) => void;
  /** In the array itself: goes on whatever becomes of who asked. */
  readonly inArray: (ms: number, run: () => void) => void;
};

function viewOf(pair: Pair, end: End, lie: PairState | null): PairView {
  const isPrimary = pair.primary === end;
  const isTaken = pair.state === "takeover";
  const told: PairState = isTaken && isPrimary ? "suspended-by-error" : pair.state;
  const state = lie ?? told;
  return {
    state,
    role: pair.state === "simplex" ? "none" : isPrimary ? "primary" : "secondary",
    readable: true,
    writable: pair.isWritable(end),
    inSync: state === "paired",
    percent: state === "paired" ? 100 : null,
    lastCopyAgoMs: state === "paired" ? 0 : null,
    native: state.toUpperCase(),
    cause: state === "suspended-by-error" ? "the link" : "",
  };
}

function obey(pair: Pair, end: End, verb: PairVerb): boolean {
  switch (verb) {
    case "create":
      return pair.create();
    case "split":
      return pair.split();
    case "resync":
      return pair.resync();
    case "swap":
      return pair.swap(end);
    case "takeover":
      return pair.takeOver(end);
    case "remove":
      return pair.remove();
  }
}

export function simulatedProvider(parts: ProviderParts): PairProvider {
  const { pair, end, manner, nowMs, after, inArray } = parts;

  /** Ends with `answer` in time, or as the array's manner is. */
  const asked = <T>(deadlineMs: number, answer: () => T): Promise<T | ReturnType<typeof fault>> =>
    new Promise((resolve) => {
      const { queryMs, answers } = manner;
      if (answers === "hangs" || queryMs > deadlineMs) {
        return after(deadlineMs, () => resolve(fault("timeout", `${pair.name}: no answer`)));
      }
      const refused = (): ReturnType<typeof fault> =>
        fault("array-rejected", `${pair.name}: the array refuses to answer`);
      const refuses = (): boolean => answers === "refuses" || pair.isFailing;
      after(queryMs, () => resolve(refuses() ? refused() : answer()));
    });

  return {
    capabilities,
    identify: (deadlineMs) =>
      asked(deadlineMs, () => ({
        ok: true,
        identity: { own: pair.disks[end].wwid, peer: pair.disks[otherEnd(end)].wwid },
      })),
    query: (scope, deadlineMs) => {
      const observedMs = nowMs();
      return asked<PairAnswer>(deadlineMs, () => {
        const local = viewOf(pair, end, manner.lie);
        const isAsked = scope === "both";
        const answers = isAsked && pair.linkUp;
        return {
          ok: true,
          observedMs,
          local,
          remote: answers ? viewOf(pair, otherEnd(end), null) : null,
          remoteFault:
            isAsked && !answers
              ? fault("peer-unreachable", `${pair.name}: the link is down`)
              : null,
        };
      });
    },
    commands: ({ verb }) => [`array ${verb} ${pair.name}`],
    perform: ({ verb }, deadlineMs) =>
      new Promise<Performed>((resolve) => {
        const { changeMs } = manner;
        const changes = pair.isFailing ? "refused" : manner.changes;
        inArray(changeMs, () => {
          if (changes === "obeyed" || changes === "lost") obey(pair, end, verb);
        });
        if (changes === "lost" || changeMs > deadlineMs) {
          const detail = "the connection broke";
          return after(Math.min(changeMs, deadlineMs), () =>
            resolve({ kind: "cut-short", detail }),
          );
        }
        const detail = changes === "refused" ? "refused" : "exit 0";
        after(changeMs + 1, () => resolve({ kind: "ended", detail }));
      }),
  };
}
