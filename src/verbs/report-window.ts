/** Which part of a journal is shown: `--since` and `--until`, each a moment or a duration. */
import { clockText } from "../console/timeline/times.ts";

const units: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

type Edge =
  | { readonly kind: "at"; readonly atMs: number }
  | { readonly kind: "for"; readonly ms: number };

/** A moment in UTC, cut anywhere after the day; or a duration: 90s, 15m, 2h, 1d. */
export function edgeOf(text: string): Edge | null {
  const duration = /^(\d{1,9})(ms|s|m|h|d)$/.exec(text);
  if (duration) return { kind: "for", ms: Number(duration[1]) * (units[duration[2] ?? ""] ?? 0) };
  const moment = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?)Z?)?$/.exec(text);
  if (!moment) return null;
  const atMs = Date.parse(`${moment[1]}T${moment[2] ?? "00:00"}Z`);
  return Number.isNaN(atMs) ? null : { kind: "at", atMs };
}

export type Window =
  | { readonly ok: true; readonly fromMs: number; readonly toMs: number }
  | { readonly ok: false; readonly message: string };

const bad = (message: string): Window => ({ ok: false, message });

/**
 * A duration since counts back from the end of what is shown, one until counts on from its
 * beginning: a journal that was collected long ago is read as one of today.
 */
export function windowOf(
  since: string | undefined,
  until: string | undefined,
  firstMs: number,
  lastMs: number,
): Window {
  const wanted = "a time in UTC (2026-11-22T07:31) or a duration (90s, 15m, 2h, 1d)";
  const from = since === undefined ? null : edgeOf(since);
  const to = until === undefined ? null : edgeOf(until);
  if (since !== undefined && !from) return bad(`--since ${since}: must be ${wanted}`);
  if (until !== undefined && !to) return bad(`--until ${until}: must be ${wanted}`);
  let fromMs = from?.kind === "at" ? from.atMs : firstMs;
  let toMs = to?.kind === "at" ? to.atMs : lastMs;
  if (from?.kind === "for") fromMs = Math.max(firstMs, Math.min(toMs, lastMs) - from.ms);
  if (to?.kind === "for") toMs = fromMs + to.ms;
  fromMs = Math.max(fromMs, firstMs);
  toMs = Math.min(toMs, lastMs);
  if (fromMs <= toMs) return { ok: true, fromMs, toMs };
  const have = `${clockText(firstMs, "wall")} to ${clockText(lastMs, "wall")}`;
  const which = since === undefined ? `--until ${until}` : `--since ${since}`;
  return bad(`${which}: nothing is left to show; the journals tell of ${have}`);
}
