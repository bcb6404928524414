/**
 * Whether a signal is answered, and by splitting which pair. Only one host of a site answers, only
 * by a mirror whose configuration allows it, and never by a pair that was not whole lately: what
 * looks like a signal may be the answer to one of ours.
 */
import type { MirrorConfig } from "../base/config.ts";
import { ownHost, ownSite } from "../base/config.ts";
import { signalRestMs } from "../base/timing.ts";
import { tellingHosts } from "./commands.ts";
import { pairEvidence } from "./judge.ts";
import type { State } from "./state.ts";

export type AnswerWith =
  | { readonly kind: "with"; readonly mirror: string }
  /** Our own pair must be asked first. */
  | { readonly kind: "wait" }
  | { readonly kind: "none"; readonly reason: string };

/** The deadline of a change of that pair, as its writing site has it configured. */
function changeLimitMs({ pair }: MirrorConfig): number {
  return pair.provider === "none" ? 0 : Number(pair.writer["change_limit_ms"] ?? 0);
}

/** Whether a mirror is in use here, and has a pair that this host can ask for. */
export function isUsable(state: State, { name, pair }: MirrorConfig): boolean {
  const isOn = state.devices.registrations[name]?.state === "enabled" && state.paths[name]?.enabled;
  return isOn === true && pair.provider !== "none";
}

/** A host of our site that stands before us, and beats. */
function elder(state: State): string | null {
  const slots = new Map(ownSite(state.config).hosts.map(({ name, slot }) => [name, slot]));
  const own = ownHost(state.config).slot;
  const telling = [...tellingHosts(state).values()].filter(
    ({ site }) => site === state.config.self.site,
  );
  return telling.find(({ host }) => (slots.get(host) ?? own) < own)?.host ?? null;
}

/** Why this host changes no pair of its own accord now. */
export function busyReason(state: State): string | null {
  if (!state.selfEnabled) return "this host is switched off";
  if (state.takeover !== null || state.role === "transitioning") return "a takeover is under way";
  if (state.installation !== null) return "a mirror or configuration is being brought in or out";
  return null;
}

function isRested(state: State, mirror: MirrorConfig): boolean {
  const restMs = signalRestMs(state.config.timing, changeLimitMs(mirror));
  const { seen, splitMs } = state.signals;
  const lastMs = Math.max(
    seen[mirror.name]?.brokenMs ?? Number.NEGATIVE_INFINITY,
    splitMs[mirror.name] ?? Number.NEGATIVE_INFINITY,
  );
  return state.nowMs - lastMs >= restMs;
}

/** What answers a signal of that site, which was seen then. */
export function answerFor(state: State, site: string, heardMs: number): AnswerWith {
  const none = (reason: string): AnswerWith => ({ kind: "none", reason });
  const allowed = state.config.mirrors.filter(
    (mirror) =>
      mirror.answerSignals &&
      mirror.writer === state.config.self.site &&
      mirror.reader === site &&
      isUsable(state, mirror),
  );
  if (allowed.length === 0) return none("answering is off");
  const first = elder(state);
  if (first !== null) return none(`left to ${first}`);
  const busy = busyReason(state);
  if (busy !== null) return none(busy);
  const rested = allowed
    .filter(({ name }) => !(name in state.signals.splits))
    .filter((mirror) => isRested(state, mirror));
  if (rested.length === 0) return none("our own pair was split itself not long ago");
  const asked = rested.filter(({ name }) => (state.pairs[name]?.observedMs ?? 0) > heardMs);
  const whole = asked.find(({ name }) => pairEvidence(state, name) === "paired");
  if (whole) return { kind: "with", mirror: whole.name };
  return asked.length < rested.length ? { kind: "wait" } : none("our own pair is not paired");
}
