/**
 * Whether slots advance: their records are read again until each that promises to go on has, or
 * the time is over. Time is the reader's own; the sender's clocks are shown, never used.
 */
import { comparePositions } from "../core/record.ts";
import { type HeartbeatRecord, states } from "../core/sector/layout.ts";
import type { Refused } from "./device-io.ts";
import type { SlotSurvey, SlotsSurveyed } from "./survey.ts";

/** Unless the caller says otherwise: a person waits. */
const watchMsMax = 2000;
/** Room for the writer's phase and the copy's delay. */
const intervalsWatched = 2;

export type Movement =
  | { readonly kind: "advanced"; readonly serials: bigint; readonly bootClockMs: number | null }
  | { readonly kind: "still" }
  /** It said before that it would not go on. */
  | { readonly kind: "left" }
  | { readonly kind: "backward" }
  /** Nothing believable at one of the two reads. */
  | { readonly kind: "unknown" };

export type Watched = {
  readonly slots: readonly SlotSurvey[];
  readonly afterMs: number;
  readonly movements: ReadonlyMap<number, Movement>;
};

function recordOf(survey: SlotSurvey | undefined): HeartbeatRecord | null {
  return survey?.reading.kind === "record" ? survey.reading.record : null;
}

const goneStates: ReadonlySet<number> = new Set([states.leaving, states.disabled]);

export function movementOf(before: SlotSurvey, after: SlotSurvey | undefined): Movement {
  const first = recordOf(before);
  const second = recordOf(after);
  if (!second) return { kind: "unknown" };
  // Nothing believable before, but now: it must have been written in between.
  if (!first) return { kind: "advanced", serials: 0n, bootClockMs: null };
  const order = comparePositions(second, first);
  if (order < 0) return { kind: "backward" };
  if (order === 0) return { kind: goneStates.has(first.state) ? "left" : "still" };
  const continued = first.incarnation === second.incarnation;
  return {
    kind: "advanced",
    serials: continued ? second.serial - first.serial : second.serial,
    bootClockMs: continued ? Number(second.bootClockNs - first.bootClockNs) / 1e6 : null,
  };
}

function isAwaited(before: SlotSurvey, after: SlotSurvey | undefined): boolean {
  const first = recordOf(before);
  if (!first || goneStates.has(first.state)) return false;
  return movementOf(before, after).kind !== "advanced";
}

/** How long to watch: so long that every healthy writer must have written meanwhile, if short. */
export function watchMsFor(slots: readonly SlotSurvey[]): number {
  const intervals = slots.flatMap((slot) => recordOf(slot)?.intervalMs ?? []);
  return Math.min(watchMsMax, intervalsWatched * Math.max(0, ...intervals));
}

export type WatchRequest = {
  readonly first: readonly SlotSurvey[];
  readonly limitMs: number;
  readonly nowMs: () => number;
  readonly sleepMs: (ms: number) => Promise<void>;
  readonly read: () => Promise<SlotsSurveyed>;
};

const stepsPerWatch = 8;
const stepMsMin = 50;

/** Reads at least once more, even where nothing is awaited: damage must stand twice to count. */
export async function watchSlots(
  request: WatchRequest,
): Promise<{ readonly ok: true; readonly watched: Watched } | Refused> {
  const { first, limitMs, nowMs, sleepMs, read } = request;
  const beganMs = nowMs();
  const stepMs = Math.max(stepMsMin, limitMs / stepsPerWatch);
  for (;;) {
    const remainingMs = limitMs - (nowMs() - beganMs);
    await sleepMs(Math.max(0, Math.min(stepMs, remainingMs)));
    const again = await read();
    if (!again.ok) return again;
    const afterMs = nowMs() - beganMs;
    const bySlot = new Map(again.slots.map((slot) => [slot.slot, slot]));
    const isAwaiting = first.some((slot) => isAwaited(slot, bySlot.get(slot.slot)));
    if (isAwaiting && afterMs < limitMs) continue;
    const movements = new Map(
      first.map((slot) => [slot.slot, movementOf(slot, bySlot.get(slot.slot))]),
    );
    return { ok: true, watched: { slots: again.slots, afterMs, movements } };
  }
}
