/**
 * What happened, in order: every change of a state and every mark. Where that is too much to list,
 * the least telling kinds go first, and how many went is said.
 */
import { type Lane, type LaneKind, type Mark, type Timeline, type Tone, tones } from "./model.ts";

export type Change = {
  readonly atMs: number;
  readonly host: string;
  readonly tone: Tone;
  readonly words: string;
  /** How much it tells: what a short list keeps. */
  readonly weight: number;
};

export type ChangeList = { readonly changes: readonly Change[]; readonly leftOut: number };

const laneWeights: Readonly<Record<LaneKind, number>> = {
  role: 6,
  fault: 5,
  group: 4,
  service: 4,
  verdict: 3,
  pair: 2,
  "one-way": 2,
  events: 2,
  health: 1,
  path: 0,
};

/** Steps of a takeover and a host's start or stop are what a reader looks for first. */
const markWeight = ({ kind, tone }: Mark): number => {
  if (kind === "takeover" || kind === "switchover" || kind === "term") return 7;
  if (kind === "start" || kind === "stop" || kind === "hook") return 6;
  return tone === "grave" ? 5 : 2;
};

function changesOfLane({ kind, host, spans, marks }: Lane): readonly Change[] {
  const ofSpans = spans
    .filter(({ isChange }) => isChange)
    .map(({ fromMs, tone, words }) => ({
      atMs: fromMs,
      host: host || "-",
      tone,
      words,
      weight: 2 * laneWeights[kind] + (tones.indexOf(tone) >= tones.indexOf("notice") ? 1 : 0),
    }));
  const ofMarks = marks.map((mark) => ({
    atMs: mark.atMs,
    host,
    tone: mark.tone,
    words: mark.words,
    weight: 2 * markWeight(mark),
  }));
  return [...ofSpans, ...ofMarks];
}

export function changesOf(timeline: Timeline, countMax: number): ChangeList {
  const all = timeline.lanes.flatMap(changesOfLane).sort((a, b) => a.atMs - b.atMs);
  if (all.length <= countMax) return { changes: all, leftOut: 0 };
  const kept = new Set(
    all
      .map((change, at) => ({ at, weight: change.weight }))
      .sort((a, b) => b.weight - a.weight || a.at - b.at)
      .slice(0, countMax)
      .map(({ at }) => at),
  );
  return { changes: all.filter((_, at) => kept.has(at)), leftOut: all.length - countMax };
}

const lanesMax = 160;

export type ShownLanes = { readonly lanes: readonly Lane[]; readonly leftOut: number };

const gravestOf = ({ spans, marks }: Lane): number =>
  [...spans, ...marks].reduce((most, { tone }) => Math.max(most, tones.indexOf(tone)), 0);

/** A site of many hosts has many calm paths: the lanes where least happened are left out first. */
export function shownLanes({ lanes }: Timeline): ShownLanes {
  if (lanes.length <= lanesMax) return { lanes, leftOut: 0 };
  const kept = new Set(
    lanes
      .map((lane, at) => {
        const marks = Math.min(lane.marks.length, 9);
        return { at, weight: 100 * laneWeights[lane.kind] + 10 * gravestOf(lane) + marks };
      })
      .sort((a, b) => b.weight - a.weight || a.at - b.at)
      .slice(0, lanesMax)
      .map(({ at }) => at),
  );
  return { lanes: lanes.filter((_, at) => kept.has(at)), leftOut: lanes.length - lanesMax };
}
