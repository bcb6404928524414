/**
 * The timeline of a run: what the hosts told, in lanes. Made alike from journals and from a
 * simulated run; the three pictures (text, SVG, HTML) are drawn from it.
 */
import { Fold } from "./fold.ts";
import { lookOf } from "./looks.ts";
import {
  type Beats,
  type FaultSpan,
  type Lane,
  type LaneKind,
  laneKinds,
  type Origin,
  plain,
  type ServiceRun,
  type Span,
  type Timeline,
  type Told,
} from "./model.ts";
import { clockText, durationText } from "./times.ts";

export type TimelineWish = {
  readonly told: readonly Told[];
  readonly origin?: Origin;
  /** Of what run this is; else the hosts are named. */
  readonly title?: string;
  readonly faults?: readonly FaultSpan[];
  readonly beats?: readonly Beats[];
  readonly services?: readonly ServiceRun[];
  /** When each agent ran, where that is known: a simulator need not guess from silence. */
  readonly agents?: readonly ServiceRun[];
  /** The part to show; states that began before it are shown from its beginning on. */
  readonly fromMs?: number | null;
  readonly toMs?: number | null;
  readonly notes?: readonly string[];
};

/** Faults of one target that overlap stand below one another, up to so many rows. */
const faultRowsMax = 4;

function faultLanes(faults: readonly FaultSpan[], endMs: number): Lane[] {
  const rows = new Map<string, Span[][]>();
  for (const fault of [...faults].sort((a, b) => a.fromMs - b.fromMs)) {
    const target = plain(fault.target, 60);
    const known = rows.get(target) ?? [];
    rows.set(target, known);
    const free = known.find((row) => (row.at(-1)?.toMs ?? 0) <= fault.fromMs);
    const row = free ?? (known.length < faultRowsMax ? [] : known[0]);
    if (!row) continue;
    if (!known.includes(row)) known.push(row);
    const toMs = Math.max(fault.fromMs, fault.toMs ?? endMs);
    const text = plain(fault.text);
    // In the last row there is room for what goes on only: it then ends where the next one begins.
    const last = row.at(-1);
    if (last && last.toMs > fault.fromMs) row[row.length - 1] = { ...last, toMs: fault.fromMs };
    row.push({
      ...lookOf("fault", "fault"), fromMs: fault.fromMs, toMs, state: "fault", label: text,
      detail: "", term: "", words: `${target}: ${text}`, sure: true, isChange: true,
    }); // biome-ignore format: one list
  }
  return [...rows].flatMap(([target, kept]) =>
    kept.map(
      (spans): Lane => ({
        group: "faults", host: "", site: "", kind: "fault", about: target, label: target,
        spans, marks: [], beatsMs: [],
      }), // biome-ignore format: one list
    ),
  );
}

const sameSpans = (one: Lane, other: Lane): boolean =>
  one.spans.length === other.spans.length &&
  one.spans.every((span, at) => {
    const its = other.spans[at];
    return its?.state === span.state && Math.abs(its.fromMs - span.fromMs) <= 1;
  });

/** A site with one host is judged as that host is: one lane says both. */
function withoutDoubles(lanes: readonly Lane[]): Lane[] {
  const doubles = new Set<Lane>();
  const told = lanes.map((lane) => {
    if (lane.kind !== "group") return lane;
    const same = lanes.filter(
      (each) => each.kind === "verdict" && each.host === lane.host && sameSpans(each, lane),
    );
    const [only] = same;
    if (same.length !== 1 || !only) return lane;
    doubles.add(only);
    return { ...lane, label: `verdict ${only.about}, ${lane.about}` };
  });
  return told.filter((lane) => !doubles.has(lane));
}

function clipped(lane: Lane, fromMs: number, toMs: number): Lane {
  const inside = (atMs: number): boolean => atMs >= fromMs && atMs <= toMs;
  const spans = lane.spans
    .filter((span) => span.toMs >= fromMs && span.fromMs <= toMs)
    // What ended as the part begins is no part of it; what is a moment within it is.
    .filter((span) => span.toMs > fromMs || span.fromMs === span.toMs)
    .map((span) => ({
      ...span,
      fromMs: Math.max(span.fromMs, fromMs),
      toMs: Math.min(span.toMs, toMs),
      isChange: span.isChange && inside(span.fromMs),
    }));
  const marks = lane.marks.filter(({ atMs }) => inside(atMs));
  return { ...lane, spans, marks, beatsMs: lane.beatsMs.filter(inside) };
}

const kindOrder = (kind: LaneKind): number => laneKinds.indexOf(kind);
/** Host 2 before host 10. */
const textOrder = new Intl.Collator("en", { numeric: true }).compare;

/** Faults first; then host by host, site by site: heartbeats, pairs, verdicts, roles, the rest. */
function ordered(lanes: readonly Lane[]): Lane[] {
  return [...lanes].sort(
    (a, b) =>
      Number(a.kind !== "fault") - Number(b.kind !== "fault") ||
      textOrder(a.site, b.site) ||
      textOrder(a.group, b.group) ||
      kindOrder(a.kind) - kindOrder(b.kind) ||
      textOrder(a.label, b.label),
  );
}

function rangeOf(wish: TimelineWish): readonly [number, number] {
  let fromMs = Number.POSITIVE_INFINITY;
  let toMs = Number.NEGATIVE_INFINITY;
  const see = (atMs: number | null): void => {
    if (atMs === null) return;
    fromMs = Math.min(fromMs, atMs);
    toMs = Math.max(toMs, atMs);
  };
  for (const { atMs } of wish.told) see(atMs);
  for (const { atMs } of wish.beats ?? []) for (const each of atMs) see(each);
  for (const each of [...(wish.faults ?? []), ...(wish.services ?? [])]) {
    see(each.fromMs);
    see(each.toMs);
  }
  if (wish.origin === "virtual") see(0);
  return fromMs > toMs ? [0, 0] : [fromMs, toMs];
}

const namedMax = 6;

/** The hosts by name, or how many they are. */
function whoText(lanes: readonly Lane[]): string {
  const bySite = new Map<string, Set<string>>();
  for (const { host, site } of lanes) {
    if (host !== "") bySite.set(site, (bySite.get(site) ?? new Set()).add(host));
  }
  const count = lanes.length > 0 ? new Set(lanes.map(({ host }) => host)).size : 0;
  if (count > namedMax) return `${count} hosts of ${bySite.size} sites`;
  const named = [...bySite].map(([site, hosts]) => {
    const names = [...hosts].sort(textOrder).join(", ");
    return site === "" ? names : `${names} of site ${site}`;
  });
  return named.length > 0 ? named.join("; ") : "nothing told";
}

function titleOf(who: string, fromMs: number, toMs: number, origin: Origin): string {
  const from = clockText(fromMs, origin);
  const to = clockText(toMs, origin);
  const until = origin === "wall" && to.startsWith(from.slice(0, 11)) ? to.slice(11) : to;
  const zone = origin === "wall" ? " UTC" : "";
  return `${who}: ${from} to ${until}${zone} (${durationText(toMs - fromMs)})`;
}

export function timelineOf(wish: TimelineWish): Timeline {
  const origin = wish.origin ?? "wall";
  const [firstMs, lastMs] = rangeOf(wish);
  const fromMs = wish.fromMs ?? firstMs;
  const toMs = Math.max(fromMs, wish.toMs ?? lastMs);
  const endMs = Math.max(lastMs, toMs);
  const fold = new Fold(wish.beats ?? [], wish.agents ?? []);
  for (const told of wish.told) fold.take(told);
  fold.finish(endMs);
  for (const beats of wish.beats ?? []) fold.withBeats(beats);
  for (const run of wish.services ?? []) fold.withService(run, endMs);
  const all = [...fold.lanes.values()].map(
    ({ open: _, ...lane }): Lane => ({ ...lane, site: fold.siteOf(lane.host) }),
  );
  const lanes = [...faultLanes(wish.faults ?? [], endMs), ...withoutDoubles(all)]
    .map((lane) => clipped(lane, fromMs, toMs))
    .filter(({ spans, marks, beatsMs }) => spans.length + marks.length + beatsMs.length > 0);
  const sorted = ordered(lanes);
  return {
    title: plain(titleOf(wish.title ?? whoText(sorted), fromMs, toMs, origin)),
    fromMs,
    toMs,
    origin,
    lanes: sorted,
    notes: (wish.notes ?? []).map((note) => plain(note)),
  };
}
