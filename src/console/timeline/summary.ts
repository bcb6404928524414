/**
 * What came of it, first: who served at the end, what was taken over, how grave it became, and the
 * few moments that a reader looks for. All of it is by the hosts' own word and clock.
 */
import { type Lane, type Mark, type Span, type Timeline, type Tone, tones } from "./model.ts";
import { durationText, relativeText } from "./times.ts";

/** One of the numbered moments that all pictures show. */
export type Moment = {
  readonly atMs: number;
  readonly host: string;
  readonly words: string;
  readonly tone: Tone;
};
export type Summary = {
  /** Lines, the verdict first; each begins with a word in capitals. */
  readonly lines: readonly string[];
  readonly moments: readonly Moment[];
};

const momentsMax = 9;

const lanesOf = ({ lanes }: Timeline, ...kinds: readonly Lane["kind"][]): readonly Lane[] =>
  lanes.filter(({ kind }) => kinds.includes(kind));
const isGrave = ({ tone }: { readonly tone: Tone }): boolean =>
  tones.indexOf(tone) >= tones.indexOf("change");

type At<T> = T & { readonly lane: Lane };
const spansOf = (lanes: readonly Lane[]): readonly At<Span>[] =>
  lanes.flatMap((lane) => lane.spans.map((span) => ({ ...span, lane })));

/** Steps that begin and end a takeover or a switch-over. */
const stepWeights: Readonly<Record<string, number>> = {
  begin: 2,
  // The receiving end of a switch-over begins so.
  "term received": 2,
  done: 3,
  "term given": 1,
};
const failed = new Set([
  "refused", "ended", "no lease", "no right", "not stored", "not alone", "overtaken", "hook failed",
  "not published",
]); // biome-ignore format: one list

/** A standby that has no right yet says so calmly; that is no takeover that failed. */
const isFailure = ({ step, tone }: Mark): boolean => failed.has(step) && tone !== "idle";

type Weighed = Moment & { readonly weight: number };

function momentsOf(timeline: Timeline): readonly Moment[] {
  const steps = lanesOf(timeline, "role").flatMap(({ marks, host }) =>
    marks
      .filter(({ kind }) => kind === "takeover" || kind === "switchover")
      .map(
        (mark): Weighed => ({
          atMs: mark.atMs,
          host,
          words: mark.words,
          tone: mark.tone,
          weight: stepWeights[mark.step] ?? (isFailure(mark) ? 2 : 0),
        }),
      )
      .filter(({ weight }) => weight > 0),
  );
  const verdicts = [...firstGrave(timeline).values()].map(
    ({ fromMs, lane, words, tone }): Weighed => ({
      atMs: fromMs,
      host: lane.host,
      words,
      tone,
      weight: 2,
    }),
  );
  const isStep = ({ lane, fromMs }: At<Span>): boolean =>
    steps.some(({ host, atMs }) => host === lane.host && atMs === fromMs);
  const roles = spansOf(lanesOf(timeline, "role"))
    .filter(({ isChange, state }) => isChange && (state === "active" || state === "fenced"))
    // The end of a takeover says so already.
    .filter((span) => !isStep(span))
    .map(
      ({ fromMs, lane, words, tone }): Weighed => ({
        atMs: fromMs,
        host: lane.host,
        words,
        tone,
        weight: 1,
      }),
    );
  return [...steps, ...verdicts, ...roles]
    .sort((a, b) => b.weight - a.weight || a.atMs - b.atMs)
    .slice(0, momentsMax)
    .map(({ weight: _, ...moment }) => moment)
    .sort((a, b) => a.atMs - b.atMs);
}

/** Of each observer and site, the first verdict that holds or is eligible. */
function firstGrave(timeline: Timeline): ReadonlyMap<string, At<Span>> {
  const first = new Map<string, At<Span>>();
  for (const span of spansOf(lanesOf(timeline, "group"))) {
    const key = `${span.lane.site}/${span.lane.about}`;
    const known = first.get(key);
    if (span.isChange && isGrave(span) && (!known || span.fromMs < known.fromMs))
      first.set(key, span);
  }
  return first;
}

/** How long the verdict stood, at that host, on which a takeover was begun. */
function sinceVerdict(timeline: Timeline, host: string, atMs: number): string {
  const stood = lanesOf(timeline, "group", "verdict")
    .filter((lane) => lane.host === host)
    .flatMap(({ spans }) => {
      const at = spans.findLastIndex((span) => span.fromMs <= atMs && span.toMs >= atMs);
      let from = at;
      while (from > 0 && isGrave(spans[from - 1] as Span)) from -= 1;
      const span = spans[from];
      return span && isGrave(span) && isGrave(spans[at] as Span) ? [span.fromMs] : [];
    });
  if (stood.length === 0) return "";
  return `, ${durationText(atMs - Math.max(...stood))} after the verdict`;
}

function takeoverLines(timeline: Timeline): string[] {
  const lines: string[] = [];
  for (const { host, marks } of lanesOf(timeline, "role")) {
    let begun: { atMs: number; what: string } | null = null;
    for (const mark of marks) {
      const { kind, step, atMs, words } = mark;
      if (kind !== "takeover" && kind !== "switchover") continue;
      const what = kind === "takeover" ? "TAKEOVER" : "SWITCH-OVER";
      const at = relativeText(atMs - timeline.fromMs);
      if (step === "begin" || step === "term received") begun = { atMs, what };
      if (step === "done") {
        const after = begun ? sinceVerdict(timeline, host, begun.atMs) : "";
        const began = begun
          ? `begun at ${relativeText(begun.atMs - timeline.fromMs)}${after}, `
          : "";
        const took = begun ? ` in ${durationText(atMs - begun.atMs)}` : "";
        lines.push(`${what}  at ${host}: ${began}done at ${at}${took}`);
        begun = null;
      } else if (isFailure(mark)) {
        lines.push(`${what}  at ${host}: not done, at ${at}: ${words}`);
        begun = null;
      }
    }
    if (begun) {
      const at = relativeText(begun.atMs - timeline.fromMs);
      lines.push(`${begun.what}  at ${host}: begun at ${at}, and no end told`);
    }
  }
  return lines.length > 0 ? lines : ["TAKEOVER  none"];
}

const hostText = ({ host, site }: Lane): string => (site === "" ? host : `${host} of site ${site}`);

const termOf = ({ term }: Span): bigint => (/^\d+$/.test(term) ? BigInt(term) : 0n);

/**
 * Who is active at the end; where nobody is, who was it last, and until when. One that has told
 * nothing since is named apart if another one went on to a higher term.
 */
function activeLine(timeline: Timeline): string {
  const active = lanesOf(timeline, "role").flatMap((lane) =>
    lane.spans
      .filter(({ state }) => state === "active")
      .map((span) => ({ ...span, lane, isLast: span === lane.spans.at(-1) })),
  );
  const highest = active.reduce((most, span) => (termOf(span) > most ? termOf(span) : most), 0n);
  const text = ({ lane, sure, term }: At<Span>): string =>
    `${hostText(lane)}${term === "" ? "" : ` in term ${term}`}${sure ? "" : " (as last told)"}`;
  const atEnd = active
    .filter(({ isLast, toMs }) => isLast && toMs === timeline.toMs)
    .filter((span) => span.sure || termOf(span) === highest);
  if (atEnd.length > 0) return `ACTIVE  at the end: ${atEnd.map(text).join(", ")}`;
  // An older term's owner that fell silent is not the last one, however late its next start is.
  const last = active
    .filter((span) => termOf(span) === highest)
    .reduce<At<Span> | null>(
      (latest, span) => (latest === null || span.toMs >= latest.toMs ? span : latest),
      null,
    );
  if (last === null) return "ACTIVE  no host, as far as told";
  return `ACTIVE  last ${text(last)}, until ${relativeText(last.toMs - timeline.fromMs)}`;
}

type Overlap = { readonly one: At<Span>; readonly other: At<Span>; readonly ms: number };

/** The longest time in which two sites had such a span at once. */
function longestOverlap(spans: readonly At<Span>[]): Overlap | null {
  const siteOf = ({ lane }: At<Span>): string => lane.site || lane.host;
  const open: At<Span>[] = [];
  let longest: Overlap | null = null;
  for (const span of [...spans].sort((a, b) => a.fromMs - b.fromMs)) {
    for (const one of open) {
      const ms = Math.min(one.toMs, span.toMs) - span.fromMs;
      if (siteOf(one) !== siteOf(span) && ms > (longest?.ms ?? 0))
        longest = { one, other: span, ms };
    }
    // Of a site only the one that lasts longest matters to those that begin later.
    const same = open.findIndex((each) => siteOf(each) === siteOf(span));
    if (same < 0) open.push(span);
    else if ((open[same]?.toMs ?? 0) < span.toMs) open[same] = span;
  }
  return longest;
}

/** Two active sites, as told; or what nobody told, and has to be looked at. */
function twoActiveLine(timeline: Timeline): string {
  const at = (ms: number): string => relativeText(ms - timeline.fromMs);
  const text = ({ one, other, ms }: Overlap): string =>
    `${one.lane.host} and ${other.lane.host} for ${durationText(ms)} from ${at(other.fromMs)}`;
  const runs = spansOf(lanesOf(timeline, "service"));
  const services = longestOverlap(runs);
  if (services) return `TWO ACTIVE  the service ran at ${text(services)}`;
  // Where it is known when the service ran, nothing need be taken from what was told.
  if (runs.length > 0) return "TWO ACTIVE  never: at no time did the service run at two sites";
  const active = spansOf(lanesOf(timeline, "role")).filter(({ state }) => state === "active");
  const told = longestOverlap(active.filter(({ sure }) => sure));
  if (told) return `TWO ACTIVE  ${text(told)}, by their own word: compare their clocks`;
  const untold = longestOverlap(active);
  if (!untold) return "TWO ACTIVE  never, by the hosts' own word";
  const { one, other } = untold;
  const [silent, next] = one.sure ? [other, one] : [one, other];
  return (
    `TWO ACTIVE  not told; but ${silent.lane.host} was active and told nothing from ` +
    `${at(silent.fromMs)} to ${at(silent.toMs)}, and ${next.lane.host} was active from ` +
    `${at(next.fromMs)}: make sure that ${silent.lane.host} was down`
  );
}

function gravestLines(timeline: Timeline): string[] {
  return [...firstGrave(timeline).values()].map(
    ({ lane, fromMs, words }) =>
      `GRAVE  ${words}; first told by ${lane.host} at ${relativeText(fromMs - timeline.fromMs)}`,
  );
}

/** Hosts whose journal ends before the picture does, with no stop. */
function silentLine(timeline: Timeline): string[] {
  const silent = lanesOf(timeline, "role").flatMap(({ host, spans }) => {
    const last = spans.at(-1);
    return last && !last.sure && last.toMs === timeline.toMs
      ? [`${host} since ${relativeText(last.fromMs - timeline.fromMs)}`]
      : [];
  });
  return silent.length > 0 ? [`SILENT  nothing told to the end: ${silent.join(", ")}`] : [];
}

export function summaryOf(timeline: Timeline): Summary {
  return {
    lines: [
      activeLine(timeline),
      ...takeoverLines(timeline).slice(0, 12),
      twoActiveLine(timeline),
      ...gravestLines(timeline).slice(0, 8),
      ...silentLine(timeline),
      ...timeline.notes.map((note) => `NOTE  ${note}`),
    ],
    moments: momentsOf(timeline),
  };
}
