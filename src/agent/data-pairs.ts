/**
 * The data groups' pairs for the agent: asked now and then, taken over, and checked before this
 * site hands over. Every action is answered by one input, within `dataTakeLimitMs`, also after a
 * stop. One action at a time: an array is never told two things at once by this host.
 *
 * Nothing throws: whatever a provider does, an action ends with an answer.
 */
import type { Config, DataGroupConfig } from "../core/base/config.ts";
import { plainText } from "../remotecopy/told-view.ts";
import type { WritableIo } from "../volume/writable.ts";
import { dataPolls } from "./data-ask.ts";
import { checkGroup } from "./data-check.ts";
import { type DataHistory, dataHistory } from "./data-history.ts";
import type { CheckData, DataNews, TakeData } from "./data-inputs.ts";
import { type Clock, settleMs } from "./data-look.ts";
import {
  type DataPair,
  type DataPairFound,
  type DataPairOpener,
  dataPairOpener,
} from "./data-providers.ts";
import { repairGroup } from "./data-repair.ts";
import { type GroupEnd, takeGroup } from "./data-take.ts";

export type { CheckData, DataInput, DataNews, TakeData } from "./data-inputs.ts";

export type DataPairs = {
  /** Asks each group, unless it is being asked; one input a group. */
  queryAll(): void;
  take(action: TakeData): void;
  check(action: CheckData): void;
  /** No more questions; an action that runs is ended and answered all the same. */
  stop(): void;
};

/** What outlives a change of the configuration; made once for an agent. */
export type DataTools = {
  readonly io: WritableIo;
  readonly bootNs: () => bigint;
  readonly opener: DataPairOpener;
  readonly history: DataHistory;
  readonly pause: Clock["pause"];
  /** What is done now; null for nothing. */
  running: string | null;
};

const pauseReally = (ms: number): Promise<void> => new Promise((end) => setTimeout(end, ms));

export function dataTools(
  io: WritableIo,
  nowMs: () => number,
  bootNs: () => bigint,
  opener: DataPairOpener = dataPairOpener(nowMs),
): DataTools {
  return { io, bootNs, opener, history: dataHistory(), pause: pauseReally, running: null };
}

/** Provider calls beside the change itself, each with the deadline of a query. */
const queriesMax = 16;
const settlesMax = 8;
/** A check may change a pair, and then wait as long again for its copying. */
const changesMax = 2;

function limitsOf({ pair }: DataGroupConfig, site: string, writer: string) {
  if (pair.provider === "none") return { queryMs: 0, changeMs: 0 };
  const own = pair[site === writer ? "writer" : "reader"];
  return { queryMs: Number(own["query_limit_ms"]), changeMs: Number(own["change_limit_ms"]) };
}

/** Longest that taking or checking all data groups takes. */
export function dataTakeLimitMs(config: Config): number {
  return config.dataGroups.reduce((sum, group) => {
    const { queryMs, changeMs } = limitsOf(group, config.self.site, group.writer);
    return sum + queriesMax * queryMs + settlesMax * settleMs + changesMax * changeMs;
  }, 0);
}

const detailMax = 900;

const thrown = (error: unknown): GroupEnd => {
  const reason = error instanceof Error ? error.message : String(error);
  return { ok: false, text: `fault of the program: ${reason}; look at its pair first` };
};

/** One line: what failed first, what is so and what is not. */
function takenText(ends: ReadonlyMap<string, GroupEnd>, names: readonly string[]): string {
  const entries = [...ends];
  const failure = entries.find(([, { ok }]) => !ok);
  const taken = entries.filter(([, { ok }]) => ok);
  if (!failure) return taken.map(([name, { text }]) => `data group ${name} ${text}`).join("; ");
  const isLeft = (name: string): boolean => !taken.some(([done]) => done === name);
  const list = (some: readonly string[]): string => some.join(", ") || "none";
  const sum = `taken: ${list(taken.map(([name]) => name))}; not taken: ${list(names.filter(isLeft))}`;
  return `${sum}; data group ${failure[0]}: ${failure[1].text}`;
}

type Find = (name: string) => Promise<DataPairFound>;

/** What is done with one group; whatever happens, it has an end. */
async function each(
  find: Find,
  name: string,
  work: (pair: DataPair) => Promise<GroupEnd>,
): Promise<GroupEnd> {
  try {
    const found = await find(name);
    return found.ok ? await work(found.pair) : { ok: false, text: found.reason };
  } catch (error) {
    return thrown(error);
  }
}

async function takeAll(
  find: Find,
  verb: TakeData["verb"],
  names: readonly string[],
  clock: Clock,
  { io, history }: DataTools,
): Promise<GroupEnd> {
  const ends = new Map<string, GroupEnd>();
  for (const name of names) {
    const end = await each(find, name, (pair) => takeGroup(pair, verb, { ...clock, io, history }));
    ends.set(name, end);
    if (!end.ok) break;
  }
  const ok = [...ends.values()].every((end) => end.ok);
  return { ok, text: ends.size === 0 ? "no data group to take" : takenText(ends, names) };
}

async function checkAll(
  find: Find,
  names: readonly string[],
  clock: Clock,
  repairs: boolean,
): Promise<GroupEnd> {
  const work = async (pair: DataPair): Promise<GroupEnd> => {
    const fault = repairs ? await repairGroup(pair, clock) : null;
    return fault === null ? checkGroup(pair, clock) : { ok: false, text: fault };
  };
  const ends = await Promise.all(
    names.map(async (name) => {
      const { ok, text } = await each(find, name, work);
      return { ok, text: `data group ${name}: ${text}` };
    }),
  );
  const bad = ends.filter(({ ok }) => !ok);
  const shown = bad.length > 0 ? bad : ends;
  const text = shown.map((end) => end.text).join("; ") || "no data group to check";
  return { ok: bad.length === 0, text };
}

/** One action at a time; its end, or why it was not begun. null: the same one runs, and answers. */
async function alone(
  tools: DataTools,
  what: string,
  work: () => Promise<GroupEnd>,
): Promise<GroupEnd | null> {
  const { running } = tools;
  if (running === what) return null;
  if (running !== null) {
    const remedy = "wait for its end, then give the command again";
    return { ok: false, text: `not begun: ${running} is under way; ${remedy}` };
  }
  tools.running = what;
  const end = await work().catch(thrown);
  tools.running = null;
  return end;
}

export function dataPairs(
  config: Config,
  nowMs: () => number,
  onInput: (input: DataNews) => void,
  tools: DataTools,
): DataPairs {
  const { dataGroups, self } = config;
  const names = dataGroups.map(({ name }) => name);
  const clock: Clock = { nowMs, pause: tools.pause };
  const find: Find = async (name) => {
    const group = dataGroups.find((one) => one.name === name);
    if (group) return tools.opener(self.site, group);
    return { ok: false, reason: "it is not configured; add it to [[data]]" };
  };
  const polls = dataPolls(names, find, tools.history, { nowMs, bootNs: tools.bootNs }, onInput);
  const answer = (kind: "data-taken" | "data-checked", term: bigint) => {
    return (end: GroupEnd | null): void => {
      if (!end) return;
      const detail = plainText(end.text, detailMax);
      onInput({ kind, nowMs: nowMs(), term, ok: end.ok, detail });
    };
  };
  return {
    queryAll: () => polls.askAll(),
    take: ({ term, verb }) => {
      const what = `${verb} of ${names.join(", ")} in term ${term}`;
      const work = () => takeAll(find, verb, names, clock, tools);
      void alone(tools, what, work).then(answer("data-taken", term));
    },
    check: ({ term, repair }) => {
      const work = () => checkAll(find, names, clock, repair);
      void alone(tools, `the check of term ${term}`, work).then(answer("data-checked", term));
    },
    stop: () => polls.stop(),
  };
}
