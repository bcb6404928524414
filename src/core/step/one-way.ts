/**
 * One-way faults: a path on which beats arrive in one direction and are lost in the other. Each
 * side writes back what it last saw of the other, so that such a fault shows at both ends: as
 * silence at the one, and in the echo at the other.
 *
 * Invariants: nothing here is evidence; no verdict, role or takeover looks at it. A loss is stated
 * only after it looked so without a break for `oneWayHoldMs`, and taken back likewise; what cannot
 * be told resets the wait. Nothing is stated of a path that either side has switched off, nor of a
 * host that left, nor of one that does not echo this very run of ours.
 */
import type { CoreEvent } from "../base/event.ts";
import { echoHeardBeats, echoLostBeats, heardNowMs, oneWayHoldMs } from "../base/timing.ts";
import { isFit } from "../observation.ts";
import { lagFar, lagNever, lagOff, states } from "../sector/layout.ts";
import { pathsTo } from "./begin.ts";
import { only } from "./chain.ts";
import { changed } from "./change.ts";
import { pathInUse } from "./judge.ts";
import { networkPath, type OneWayWatch, type Peer, type State, type Step } from "./state.ts";

/** "to": our beats do not arrive there. "from": theirs do not arrive here. */
export type Direction = "to" | "from";

/** One look at one direction; "off" where no beats are to be expected there. */
type View = OneWayWatch["view"] | "off";

type Look = { readonly path: string; readonly direction: Direction; readonly view: View };

/** A loss that is stated now. */
export type OneWayFault = {
  readonly path: string;
  readonly direction: Direction;
  readonly forMs: number;
};

/** What an echo says of one path. */
export function echoView(state: State, lag: number | undefined): View {
  const { timing } = state.config;
  const lostBeats = echoLostBeats(timing);
  switch (lag) {
    case undefined:
      return "unknown";
    case lagOff:
      return "off";
    case lagNever:
      return "lost";
    case lagFar:
      return lostBeats < lagOff ? "lost" : "unknown";
    default:
      if (lag <= echoHeardBeats(timing)) return "ok";
      return lag > lostBeats ? "lost" : "unknown";
  }
}

function isHeardNow(state: State, peer: Peer, path: string): boolean {
  const sighting = peer.sightings[path];
  const lastMs = sighting?.arrivals.at(-1)?.atMs;
  if (sighting?.status !== "ok" || lastMs === undefined || !pathInUse(state, peer, path))
    return false;
  return state.nowMs - lastMs <= heardNowMs(state.config.timing);
}

/** What that host says now of each path by which we send to it; null where it says nothing fresh. */
function freshLags(state: State, peer: Peer): readonly number[] | null {
  const { word, echo } = peer;
  if (!word || echo?.incarnation !== state.incarnation) return null;
  const behind = word.serial - echo.writtenSerial;
  // Echo blocks of their own are read in turn, one host a poll.
  const behindMax = BigInt(echoHeardBeats(state.config.timing) + state.peers.length);
  if (behind < 0n || behind > behindMax) return null;
  const heard = Object.keys(peer.sightings).some((path) => isHeardNow(state, peer, path));
  return heard ? echo.lags : null;
}

/** A mirror whose PVOL does not take our beats is a fault of our own, told by other events. */
function isWritten(state: State, mirror: string): boolean {
  const { writeLimitMs, intervalMs } = state.config.timing;
  const lastMs = state.writtenMs[mirror];
  return lastMs !== undefined && state.nowMs - lastMs <= writeLimitMs + 2 * intervalMs;
}

function viewTo(state: State, peer: Peer, path: string, lag: number | undefined): View {
  const network = path === networkPath;
  const used = network ? pathInUse(state, peer, path) : (state.paths[path]?.enabled ?? false);
  if (!used) return "off";
  const view = lag === undefined ? "unknown" : echoView(state, lag);
  if (view !== "lost") return view;
  // Lost both ways is no one-way fault; and the echo's word may only be older than our own.
  const sent = network ? isHeardNow(state, peer, path) : isWritten(state, path);
  return sent ? "lost" : "unknown";
}

function viewFrom(state: State, peer: Peer, path: string, lags: readonly number[] | null): View {
  if (!pathInUse(state, peer, path)) return "off";
  const status = peer.sightings[path]?.status ?? "starting";
  const watch = state.paths[path]?.watch;
  if (status === "ok") return isHeardNow(state, peer, path) ? "ok" : "unknown";
  if (status === "starting" || !watch || !isFit(watch) || !lags) return "unknown";
  if (path !== networkPath) return "lost";
  const there = echoView(state, lags[0]);
  if (there === "off") return "off";
  return there === "ok" ? "lost" : "unknown";
}

/** Paths of ours on which that host says that it hears us. */
export function hearsUsOn(state: State, peer: Peer): readonly string[] {
  const lags = freshLags(state, peer) ?? [];
  return pathsTo(state.config, peer.host.site).filter(
    (_, index) => echoView(state, lags[index]) === "ok",
  );
}

function looksAt(state: State, peer: Peer): readonly Look[] {
  const gone = peer.word?.state === states.leaving || peer.word?.state === states.disabled;
  const judged = peer.enabled && state.selfEnabled && !gone;
  const lags = judged ? freshLags(state, peer) : null;
  const to = pathsTo(state.config, peer.host.site).map((path, index): Look => {
    const view = judged ? viewTo(state, peer, path, lags?.[index]) : "off";
    return { path, direction: "to", view };
  });
  const from = Object.keys(peer.sightings).map((path): Look => {
    const view = judged ? viewFrom(state, peer, path, lags) : "off";
    return { path, direction: "from", view };
  });
  return [...to, ...from];
}

type Moment = {
  readonly nowMs: number;
  /** The end of the last gap in our own looking. */
  readonly sinceMs: number;
  readonly holdMs: number;
};

function momentOf(state: State): Moment {
  const enabled = Object.values(state.paths).filter((path) => path.enabled);
  const sinceMs = Math.max(state.startedMs, ...enabled.map(({ watch }) => watch.windowMs));
  return { nowMs: state.nowMs, sinceMs, holdMs: oneWayHoldMs(state.config.timing) };
}

/** What is known after one more look; undefined where there is nothing to remember. */
function watched(
  was: OneWayWatch | undefined,
  view: View,
  incarnation: bigint,
  { nowMs, sinceMs, holdMs }: Moment,
): OneWayWatch | undefined {
  if (view === "off") return undefined;
  if (!was || was.lostMs === null) {
    if (view !== "lost") return undefined;
    // A host that began anew must first find its feet; and so must we, where we did not look.
    const unbroken = was?.incarnation === incarnation && was.sinceMs >= sinceMs;
    if (!unbroken) return { view, sinceMs: nowMs, incarnation, lostMs: null };
    return nowMs - was.sinceMs >= holdMs ? { ...was, lostMs: was.sinceMs } : was;
  }
  if (view !== was.view) return { ...was, view, sinceMs: nowMs };
  return view !== "lost" && nowMs - was.sinceMs >= holdMs ? undefined : was;
}

function lossEvent(state: State, peer: Peer, { path, direction }: Look): CoreEvent {
  const hears = hearsUsOn(state, peer).join(",") || "-";
  const seen = peer.sightings[path]?.status ?? "-";
  const more = direction === "from" ? { seen, hears } : {};
  const fields = { host: peer.host.name, path, direction, state: "lost", ...more };
  return { level: "warning", ev: "one-way", fields };
}

/** It is over, or no longer to be told: a state that is not known is not called well. */
function endEvent(peer: Peer, { path, direction, view }: Look): CoreEvent {
  const fields = { host: peer.host.name, path, direction, state: view === "ok" ? "ok" : "unknown" };
  return { level: "notice", ev: "one-way", fields };
}

const isStated = (watch: OneWayWatch | undefined): boolean =>
  watch !== undefined && watch.lostMs !== null;

/**
 * Cheap, for almost every look finds nothing: whether any direction could look lost at all. `out`:
 * by how many paths we send to that host.
 */
function mayBeLost(peer: Peer, out: number, heardBeats: number): boolean {
  const lags = peer.echo?.lags;
  if (!lags) return false;
  for (const { status } of Object.values(peer.sightings)) {
    if (status !== "ok" && status !== "starting") return true;
  }
  for (let index = 0; index < out; index++) {
    const lag = lags[index] ?? lagNever;
    if (lag > heardBeats || lag >= lagOff) return true;
  }
  return false;
}

/** Looks at every direction of every path; tells what was lost for long enough, and what is over. */
export function watchOneWay(state: State): Step {
  let moment: Moment | null = null;
  const events: CoreEvent[] = [];
  const oneWay: Record<string, OneWayWatch> = {};
  let news = false;
  const idle = Object.keys(state.oneWay).length === 0;
  const heardBeats = echoHeardBeats(state.config.timing);
  for (const peer of state.peers) {
    const out = pathsTo(state.config, peer.host.site).length;
    if (idle && !mayBeLost(peer, out, heardBeats)) continue;
    moment ??= momentOf(state);
    const incarnation = peer.word?.incarnation ?? 0n;
    for (const look of looksAt(state, peer)) {
      const key = `${peer.host.name} ${look.path} ${look.direction}`;
      const was = state.oneWay[key];
      const now = watched(was, look.view, incarnation, moment);
      if (now) oneWay[key] = now;
      if (now === was) continue;
      news = true;
      const wasStated = isStated(was);
      if (isStated(now) && !wasStated) events.push(lossEvent(state, peer, look));
      if (!isStated(now) && wasStated) events.push(endEvent(peer, look));
    }
  }
  return news ? { state: changed(state, { oneWay }), actions: [], events } : only(state);
}

/** A record of ours is durable on that mirror's PVOL. */
export function noteWritten(state: State, mirror: string): Step {
  return only(changed(state, { writtenMs: { ...state.writtenMs, [mirror]: state.nowMs } }));
}

/** Losses that are stated of that host now. */
export function oneWayFaults(state: State, peer: Peer): readonly OneWayFault[] {
  const paths = [
    ...new Set([...pathsTo(state.config, peer.host.site), ...Object.keys(peer.sightings)]),
  ];
  return paths.flatMap((path) =>
    (["to", "from"] as const).flatMap((direction) => {
      const lostMs = state.oneWay[`${peer.host.name} ${path} ${direction}`]?.lostMs ?? null;
      return lostMs === null ? [] : [{ path, direction, forMs: state.nowMs - lostMs }];
    }),
  );
}
