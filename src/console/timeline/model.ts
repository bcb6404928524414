/**
 * What a picture of a run is made of: lanes (one a thing that was watched), each with spans (its
 * state over time) and marks (what happened at one moment). Plain data: it is what `--json` prints.
 *
 * Invariants: every text in it is printable ASCII of bounded length, whatever a journal held; the
 * spans of a lane do not overlap and stand in order of time; nothing lies outside fromMs..toMs.
 */
import type { EventKind } from "../../core/base/event.ts";

/** Wall: unix time. Virtual: a simulator's own time, from nought. */
export type Origin = "wall" | "virtual";

/** An event as one host told it. */
export type Told = {
  readonly host: string;
  readonly site: string;
  readonly atMs: number;
  readonly fields: Readonly<Record<string, string>>;
};

export type FaultSpan = {
  readonly fromMs: number;
  readonly toMs: number | null;
  readonly text: string;
  readonly target: string;
};
/** Heartbeats of one host as another one got them on a path. */
export type Beats = {
  readonly path: string;
  readonly from: string;
  readonly to: string;
  readonly atMs: readonly number[];
};
/** A time in which a service, or an agent, ran; null: to the end. */
export type ServiceRun = {
  readonly host: string;
  readonly fromMs: number;
  readonly toMs: number | null;
};

export const laneKinds = [
  "fault", "path", "one-way", "health", "pair", "verdict", "group", "role", "service", "events",
] as const; // biome-ignore format: the order in which the lanes of a host are drawn
export type LaneKind = (typeof laneKinds)[number];

/** How much a state asks for the eye; from the least to the most. */
export const tones = ["quiet", "idle", "active", "notice", "change", "grave", "fault"] as const;
export type Tone = (typeof tones)[number];

export type Span = {
  readonly fromMs: number;
  readonly toMs: number;
  readonly state: string;
  readonly tone: Tone;
  /** One to three characters: what the text strip and a narrow bar show. */
  readonly letter: string;
  /** What fills the strip after the letter. */
  readonly fill: string;
  /** A word or two, for inside a bar. */
  readonly label: string;
  /** More of it, for a bar with room: a verdict in words, a reason. */
  readonly detail: string;
  /** The whole story of the change to this state. */
  readonly words: string;
  /** The term that a role was in; else empty. */
  readonly term: string;
  /** False: as it was last told; the host has told nothing since, and may not have run. */
  readonly sure: boolean;
  /** It began at fromMs; false where it began before, or only its sureness changed. */
  readonly isChange: boolean;
};

export type Mark = {
  readonly atMs: number;
  readonly kind: EventKind;
  readonly letter: string;
  readonly tone: Tone;
  readonly step: string;
  readonly words: string;
};

export type Lane = {
  /** The heading under which it stands: a host, or the injected faults. */
  readonly group: string;
  readonly host: string;
  readonly site: string;
  readonly kind: LaneKind;
  /** Of whom or what, without the kind. */
  readonly about: string;
  readonly label: string;
  readonly spans: readonly Span[];
  readonly marks: readonly Mark[];
  /** Arrivals of heartbeats, where they are known. */
  readonly beatsMs: readonly number[];
};

export type Timeline = {
  readonly title: string;
  readonly fromMs: number;
  readonly toMs: number;
  readonly origin: Origin;
  readonly lanes: readonly Lane[];
  /** What the reader has to know of where this comes from. */
  readonly notes: readonly string[];
};

/** Printable ASCII of bounded length. */
export function plain(text: string, lengthMax = 300): string {
  const ascii = text.replaceAll(/[^\x20-\x7e]/g, "?");
  return ascii.length <= lengthMax ? ascii : `${ascii.slice(0, lengthMax - 2)}..`;
}
