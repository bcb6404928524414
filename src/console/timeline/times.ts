/** Times as people read them, and where the ticks of an axis stand. */
import type { Origin, Timeline } from "./model.ts";

const secondMs = 1000;
const minuteMs = 60 * secondMs;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

/** ISO text of a moment; a clock that is far off must not stop a report. */
function isoText(unixMs: number): string {
  const date = new Date(unixMs);
  return Number.isNaN(date.getTime()) ? "????-??-??T??:??:??.???Z" : date.toISOString();
}

const two = (value: number): string => String(Math.floor(value)).padStart(2, "0");

/** Hours, minutes and seconds with milliseconds; the greatest part without leading zeros. */
function partsText(ms: number, decimals: number): string {
  const days = Math.floor(ms / dayMs);
  const hours = Math.floor((ms % dayMs) / hourMs);
  const minutes = Math.floor((ms % hourMs) / minuteMs);
  const seconds = (ms % minuteMs) / secondMs;
  const tail = (Math.floor(seconds * 10 ** decimals + 1e-6) / 10 ** decimals).toFixed(decimals);
  const last = tail.padStart(decimals === 0 ? 2 : decimals + 3, "0");
  if (days > 0) return `${days}d ${two(hours)}:${two(minutes)}:${last}`;
  if (hours > 0) return `${hours}:${two(minutes)}:${last}`;
  return minutes > 0 ? `${minutes}:${last}` : tail;
}

/** Time since the beginning: +6.644, +12:06.644, +3:12:06.644, +2d 03:12:06. */
export function relativeText(ms: number): string {
  const whole = Math.round(ms);
  return `+${partsText(whole, whole >= dayMs ? 0 : 3)}`;
}

export function durationText(ms: number): string {
  const whole = Math.round(ms);
  if (whole < secondMs) return `${whole} ms`;
  if (whole < minuteMs) return `${partsText(whole, whole < 10 * secondMs ? 3 : 1)} s`;
  return partsText(whole, 0);
}

/** A moment, whole: the day and the time in UTC, or a simulator's own time. */
export function clockText(atMs: number, origin: Origin): string {
  if (origin === "virtual") return relativeText(atMs);
  return `${isoText(atMs).slice(0, 10)} ${isoText(atMs).slice(11, 23)}`;
}

/** The time of a moment in a list whose days are seen elsewhere. */
export function listTime(atMs: number, { origin, fromMs, toMs }: Timeline): string {
  if (origin === "virtual") return relativeText(atMs);
  const whole = clockText(atMs, origin);
  return toMs - fromMs < dayMs ? whole.slice(11) : whole;
}

const stepsMs = [
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500],
  ...[1, 2, 5, 10, 15, 30].map((n) => n * secondMs),
  ...[1, 2, 5, 10, 15, 30].map((n) => n * minuteMs),
  ...[1, 2, 3, 6, 12].map((n) => n * hourMs),
  ...[1, 2, 7, 14, 30, 90, 365].map((n) => n * dayMs),
];

export type Tick = { readonly atMs: number; readonly text: string };

const stepFor = (spanMs: number, ticksMax: number): number =>
  stepsMs.find((step) => spanMs / step <= ticksMax) ??
  365 * dayMs * Math.ceil(spanMs / ticksMax / (365 * dayMs));

function stepText(ms: number, stepMs: number): string {
  const decimals = stepMs >= secondMs ? 0 : stepMs >= 100 ? 1 : stepMs >= 10 ? 2 : 3;
  return `+${partsText(ms, decimals)}${ms < minuteMs ? "s" : ""}`;
}

/** Ticks counted from the beginning, at round times. */
export function relativeTicks({ fromMs, toMs }: Timeline, ticksMax: number): readonly Tick[] {
  const stepMs = stepFor(toMs - fromMs, ticksMax);
  const ticks: Tick[] = [];
  for (let ms = 0; ms <= toMs - fromMs && ticks.length <= ticksMax; ms += stepMs)
    ticks.push({ atMs: fromMs + ms, text: stepText(ms, stepMs) });
  return ticks;
}

/** Ticks at round times of the clock, in UTC. */
export function clockTicks({ fromMs, toMs }: Timeline, ticksMax: number): readonly Tick[] {
  const stepMs = stepFor(toMs - fromMs, ticksMax);
  const ticks: Tick[] = [];
  const firstMs = Math.ceil(fromMs / stepMs) * stepMs;
  for (let atMs = firstMs; atMs <= toMs && ticks.length <= ticksMax; atMs += stepMs) {
    const iso = isoText(atMs);
    const day = iso.slice(5, 10);
    const time = stepMs < secondMs ? iso.slice(11, 22) : iso.slice(11, stepMs < minuteMs ? 19 : 16);
    const isNewDay = ticks.length > 0 && atMs % dayMs === 0;
    ticks.push({ atMs, text: stepMs >= dayMs || isNewDay ? day : time });
  }
  return ticks;
}
