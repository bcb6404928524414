/** Answers, and how they are put together. */
import type { ArbiterAnswer, ArbiterRequest } from "./arbiter.ts";

const detailLettersMax = 400;

/** One line of printable ASCII, whatever a program or a device said. */
export function oneLine(text: string): string {
  const line = text
    .replaceAll(/\s+/g, " ")
    .replaceAll(/[^\x20-\x7e]/g, "?")
    .trim();
  return line.length <= detailLettersMax ? line : `${line.slice(0, detailLettersMax - 3)}...`;
}

const answer = (kind: ArbiterAnswer["kind"], detail: string): ArbiterAnswer => ({
  kind,
  detail: oneLine(detail),
});

export const granted = (detail: string): ArbiterAnswer => answer("granted", detail);
export const denied = (detail: string): ArbiterAnswer => answer("denied", detail);
export const unknown = (detail: string): ArbiterAnswer => answer("unknown", detail);

/** Milliseconds that are left until the end of a call. */
export type Left = () => number;

export function leftOf(settingsMs: number, request: ArbiterRequest): Left {
  const limitMs = Math.min(settingsMs, request.limitMs);
  const endMs = performance.now() + (Number.isFinite(limitMs) ? Math.max(1, limitMs) : 1);
  return () => Math.max(0, endMs - performance.now());
}

/** One call at a time: a second one does not wait, it is told so. */
export function oneAtATime(): (work: () => Promise<ArbiterAnswer>) => Promise<ArbiterAnswer> {
  let isBusy = false;
  return async (work) => {
    if (isBusy) return unknown("an earlier question to this arbiter is not answered yet");
    isBusy = true;
    try {
      return await work();
    } catch (error) {
      // A defect must not look like a grant, nor end the agent.
      return unknown(`fault of the program: ${error instanceof Error ? error.message : error}`);
    } finally {
      isBusy = false;
    }
  };
}
