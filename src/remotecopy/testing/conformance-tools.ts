/**
 * What the checks of the conformance suite share: asking an end, changing a pair through the same
 * driver as the program does, and waiting for a state with a deadline.
 */
import * as assert from "uvu/assert";
import type { PairVerb } from "../../core/base/pair-settings.ts";
import { realClock } from "../../host/clock.ts";
import { changePair, type Outcome } from "../change.ts";
import type { MirrorEnd } from "../evidence.ts";
import type { OpenPair } from "../open-provider.ts";
import type { PairAnswer, PairProvider, PairState, PairView, QueryScope } from "../provider.ts";
import type { ConformanceBench } from "./conformance-bench.ts";

/** What one check is: it begins and ends with the pair simplex and no fault. */
export type Check = (bench: ConformanceBench) => Promise<void>;

/** Real engines on a busy machine; whatever is waited for comes far sooner. */
export const reachLimitMs = 45_000;
/** What a call may take beyond its deadline before it counts as hung. */
export const allowanceMs = 2500;
const lookEveryMs = 50;

export const pause = (ms: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, ms));

export type Known = Extract<PairAnswer, { ok: true }>;

/** Within its deadline and a little, whatever the array does. */
export async function timed<T>(what: string, limitMs: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const text = `${what}: no end ${allowanceMs} ms after its deadline of ${limitMs} ms`;
    timer = setTimeout(() => reject(new Error(text)), limitMs + allowanceMs);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

export function ask(
  { ends }: ConformanceBench,
  end: MirrorEnd,
  scope: QueryScope = "local",
): Promise<PairAnswer> {
  const { provider, queryLimitMs } = ends[end];
  return timed(`query ${scope} at the ${end}`, queryLimitMs, provider.query(scope, queryLimitMs));
}

const textOf = (answer: PairAnswer): string =>
  answer.ok
    ? `${answer.local.state}, ${answer.local.role} (${answer.local.native}) ${answer.local.cause}`
    : `${answer.class}: ${answer.message}`;

/** An answer that must be one. */
export async function known(
  bench: ConformanceBench,
  end: MirrorEnd,
  scope: QueryScope = "local",
): Promise<Known> {
  const answer = await ask(bench, end, scope);
  if (!answer.ok) throw new Error(`query ${scope} at the ${end}: ${textOf(answer)}`);
  return answer;
}

/** Asks an end until its own view is as wanted. */
export async function reach(
  bench: ConformanceBench,
  end: MirrorEnd,
  what: string,
  isThere: (view: PairView) => boolean,
  limitMs = reachLimitMs,
): Promise<PairView> {
  const endMs = performance.now() + limitMs;
  for (;;) {
    const answer = await ask(bench, end);
    if (answer.ok && isThere(answer.local)) return answer.local;
    if (performance.now() > endMs) {
      throw new Error(`${end} not ${what} within ${limitMs} ms, but ${textOf(answer)}`);
    }
    await pause(lookEveryMs);
  }
}

export const reachState = (bench: ConformanceBench, end: MirrorEnd, state: PairState) =>
  reach(bench, end, state, (view) => view.state === state);

export type Wish = {
  readonly force?: boolean;
  readonly dryRun?: boolean;
  readonly expected?: string | null;
  readonly changeLimitMs?: number;
  readonly provider?: PairProvider;
};

/** One change by the program's own driver. */
export function change(
  { ends }: ConformanceBench,
  end: MirrorEnd,
  verb: PairVerb,
  wish: Wish = {},
): Promise<Outcome> {
  const pair: OpenPair = ends[end];
  return changePair(wish.provider ?? pair.provider, verb, {
    expected: wish.expected === undefined ? pair.expected : wish.expected,
    force: wish.force ?? false,
    dryRun: wish.dryRun ?? false,
    queryLimitMs: pair.queryLimitMs,
    changeLimitMs: wish.changeLimitMs ?? pair.changeLimitMs,
    nowMs: realClock.nowMs,
    pause,
  });
}

export function expectKind(
  outcome: Outcome,
  kinds: readonly Outcome["kind"][],
  what: string,
): void {
  const text = `${what}: ${outcome.kind} ${outcome.class ?? ""} ${outcome.message}`;
  assert.ok(kinds.includes(outcome.kind), `${text}; wanted: ${kinds.join(" or ")}`);
}

/** From simplex to both ends paired. */
export async function makePaired(bench: ConformanceBench): Promise<void> {
  if (bench.makePair) {
    await bench.makePair();
  } else {
    const created = await change(bench, "writer", "create");
    expectKind(created, ["done", "in-progress"], "create");
  }
  await reachState(bench, "writer", "paired");
  await reachState(bench, "reader", "paired");
}

/** To simplex at both ends; which of them must be told so differs. */
export async function makeSimplex(bench: ConformanceBench): Promise<void> {
  for (const end of ["writer", "reader"] as const) {
    expectKind(await change(bench, end, "remove"), ["done", "noop"], `remove at the ${end}`);
    await reachState(bench, end, "simplex");
  }
}

/** The same provider with another way to perform. */
export function withPerform(
  provider: PairProvider,
  perform: PairProvider["perform"],
): PairProvider {
  return {
    capabilities: provider.capabilities,
    identify: (deadlineMs) => provider.identify(deadlineMs),
    query: (scope, deadlineMs) => provider.query(scope, deadlineMs),
    commands: (wanted) => provider.commands(wanted),
    perform,
  };
}

export const refusesToPerform = (provider: PairProvider): PairProvider =>
  withPerform(provider, () => Promise.reject(new Error("perform was called")));

const blockBytes = 4096;
let written = 0;

/** A block like no other. */
export function freshBlock(): Buffer {
  const block = Buffer.alloc(blockBytes, `conformance ${++written} `);
  return block;
}

/** Waits until a block has arrived. */
export async function reachData(
  bench: ConformanceBench,
  end: MirrorEnd,
  block: number,
  bytes: Buffer,
): Promise<void> {
  const endMs = performance.now() + reachLimitMs;
  while (!(await bench.data?.read(end, block))?.subarray(0, bytes.length).equals(bytes)) {
    if (performance.now() > endMs) throw new Error(`block ${block} is not at the ${end}`);
    await pause(lookEveryMs);
  }
}
