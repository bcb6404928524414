/** Sightings into verdicts: paths, then hosts, then host groups. */
import type { CoreEvent } from "../base/event.ts";
import { isLeased, siteNamed } from "../base/config.ts";
import { adviceOn, ownerOf } from "../decision.ts";
import { beaconAdvancesMin, unchangedReadsMin, unjudgedLimitMs } from "../base/timing.ts";
import {
  deadlineMs,
  expectedArrivalMs,
  isFit,
  judge,
  type PathStatus,
  type Sighting,
} from "../observation.ts";
import { recordFlags, states } from "../sector/layout.ts";
import { joined } from "./chain.ts";
import { changed, changedPeer } from "./change.ts";
import { pathsOffOf } from "./paths.ts";
import {
  type ArbiterEvidence,
  type Evidence,
  isAlive,
  judgeEvidence,
  judgeGroup,
  type LastWord,
  type MirrorEvidence,
  type NetworkEvidence,
  type PairEvidence,
  type Verdict,
  worstOf,
} from "../verdict.ts";
import { type Action, networkPath, type Peer, type State } from "./state.ts";

export type Judged = {
  readonly state: State;
  readonly events: readonly CoreEvent[];
  readonly actions: readonly Action[];
};

/**
 * By its farewell on that path, or by the mask in its newest record, which hides silence and never
 * a beat.
 */
function isOffThere(state: State, peer: Peer, path: string): boolean {
  if (peer.pathsOff.includes(path)) return true;
  const { word } = peer;
  if (!word || word.pathsOff === 0 || peer.sightings[path]?.status === "ok") return false;
  return pathsOffOf(state.config, peer.host.site, word).includes(path);
}

/** Whether a path to that host takes part: ours is on, the host has it, and did not switch it off. */
export function pathInUse(state: State, peer: Peer, path: string): boolean {
  if (!state.paths[path]?.enabled || isOffThere(state, peer, path)) return false;
  return path !== networkPath || peer.host.address !== null;
}

/** Whether the last answer on that pair is too old to be evidence. */
export function isPairOld(state: State, mirror: string): boolean {
  const view = state.pairs[mirror];
  return view !== undefined && state.nowMs - view.observedMs > state.config.timing.pairAgeLimitMs;
}

/** What the pair of a mirror is known to be now; old knowledge is none. */
export function pairEvidence(state: State, mirror: string): PairEvidence {
  const view = state.pairs[mirror];
  return !view || isPairOld(state, mirror) ? "unknown" : view.state;
}

function lastWordOf(peer: Peer): LastWord {
  switch (peer.word?.state) {
    case states.leaving:
    case states.disabled:
      return "leaving";
    case states.failed:
      return (peer.word.flags & recordFlags.quiesced) !== 0 ? "given-away" : "failed";
    case states.handover:
      return "given-away";
    default:
      return "running";
  }
}

function networkEvidence(state: State, peer: Peer): NetworkEvidence {
  if (!pathInUse(state, peer, networkPath)) return "disabled";
  return peer.sightings[networkPath]?.status === "ok" ? "ok" : "lost";
}

function mirrorEvidence(status: PathStatus): MirrorEvidence {
  switch (status) {
    case "ok":
    case "stale":
    case "corrupt":
    case "io-error":
      return status;
    // No record yet: nothing to read, and (see `settled`) nothing that this observer may judge.
    case "starting":
    case "unseen":
      return "stale";
  }
}

/** Whether this path was watched long enough, by a healthy enough observer, to be judged. */
function settledOn(state: State, peer: Peer, path: string): boolean {
  const status = peer.sightings[path]?.status;
  const watch = state.paths[path]?.watch;
  if (!watch || !isFit(watch) || status === "starting") return false;
  // A slot in which nobody ever beat says nothing of anybody; a network may well be silent.
  return path === networkPath || status !== "unseen";
}

/** Whether every path in use allows this observer to judge the host. */
export function isSettled(state: State, peer: Peer): boolean {
  return Object.keys(peer.sightings)
    .filter((path) => pathInUse(state, peer, path))
    .every((path) => settledOn(state, peer, path));
}

function linkProven(state: State, peer: Peer, mirror: string): boolean {
  const provenMs = peer.linkProvenMs[mirror];
  const view = state.pairs[mirror];
  return provenMs !== undefined && view !== undefined && view.observedMs >= provenMs;
}

/** What an arbiter says of the right to take over from the site that owns the term. */
export function arbiterEvidence({ config, waiting, arbiter }: State): ArbiterEvidence {
  if (isLeased(config.policy)) return waiting.ripe ? "grant" : "none";
  if (arbiter.answer === "granted") return "grant";
  return arbiter.answer === "denied" ? "deny" : "none";
}

function verdictOf(state: State, peer: Peer): Verdict {
  const arbiter = ownerOf(state.term) === peer.siteId ? state.judgedArbiter : "none";
  const network = networkEvidence(state, peer);
  const lastWord = lastWordOf(peer);
  const networkFit = network === "disabled" || settledOn(state, peer, networkPath);
  const mirrors = Object.keys(peer.sightings).filter(
    (path) => path !== networkPath && pathInUse(state, peer, path),
  );
  const verdicts = mirrors.map((mirror) => {
    const evidence: Evidence = {
      network,
      mirror: mirrorEvidence(peer.sightings[mirror]?.status ?? "starting"),
      pair: pairEvidence(state, mirror),
      observer: networkFit && settledOn(state, peer, mirror) ? "fit" : "unfit",
      linkProven: linkProven(state, peer, mirror),
      arbiter,
      lastWord,
    };
    return { evidence, verdict: judgeEvidence(evidence) };
  });
  const live = verdicts.find(({ evidence }) => evidence.mirror === "ok");
  if (live) return live.verdict;
  if (verdicts.length > 0) return worstOf(verdicts.map(({ verdict }) => verdict));
  const observer = networkFit ? "fit" : "unfit";
  const none = { pair: "unknown", linkProven: false } as const;
  return judgeEvidence({ network, mirror: "disabled", observer, lastWord, arbiter, ...none });
}

function allWell(state: State, peer: Peer): boolean {
  if (peer.word?.state !== states.running || peer.pathsOff.length > 0) return false;
  if (peer.word.pathsOff !== 0) return false;
  for (const [path, sighting] of Object.entries(peer.sightings)) {
    if (sighting.status !== "ok" || !state.paths[path]?.enabled) return false;
  }
  return true;
}

/** The moment of a beacon's second advance within a silence; null where there was none. */
function secondAdvanceMs(state: State, silent: Peer, mirror: string): number | null {
  const silence = silent.sightings[mirror];
  const beganMs = silence && expectedArrivalMs(silence, state.config.timing);
  if (!beganMs) return null;
  for (const peer of state.peers) {
    if (!peer.host.beacon || !peer.enabled || peer.siteId !== silent.siteId) continue;
    const beacon = peer.sightings[mirror];
    if (beacon?.status !== "ok") continue;
    const later = beacon.arrivals.filter((arrival) => arrival.atMs > beganMs);
    const second = later[beaconAdvancesMin - 1];
    if (second) return second.atMs;
  }
  return null;
}

function beaconBeats(state: State, siteId: number, mirror: string): boolean {
  return state.peers.some(
    (peer) =>
      peer.host.beacon &&
      peer.enabled &&
      peer.siteId === siteId &&
      peer.sightings[mirror]?.status === "ok",
  );
}

function updateLink(state: State, peer: Peer, events: CoreEvent[], actions: Action[]): Peer {
  let { linkProvenMs } = peer;
  for (const [mirror, sighting] of Object.entries(peer.sightings)) {
    if (mirror === networkPath) continue;
    const known = linkProvenMs[mirror] !== undefined;
    // The proof stands only while a beacon beats there: the link may die after the host.
    const lost = known && !beaconBeats(state, peer.siteId, mirror);
    if ((sighting.status !== "stale" && known) || lost) {
      linkProvenMs = Object.fromEntries(
        Object.entries(linkProvenMs).filter(([name]) => name !== mirror),
      );
    } else if (sighting.status === "stale" && !known) {
      const provenMs = secondAdvanceMs(state, peer, mirror);
      if (provenMs === null) continue;
      linkProvenMs = { ...linkProvenMs, [mirror]: provenMs };
      const fields = { mirror, host: peer.host.name, by: "beacon" };
      events.push({ level: "notice", ev: "link", fields });
      actions.push({ kind: "query-pair", mirror });
    }
  }
  return linkProvenMs === peer.linkProvenMs ? peer : changedPeer(peer, { linkProvenMs });
}

function levelOf(verdict: Verdict): CoreEvent["level"] {
  return verdict.action === "none" ? "notice" : "warning";
}

/**
 * While a path in use is only beginning to be watched, half of the evidence is missing: the host
 * keeps the verdict that it had, or has none, rather than be called half dead.
 */
function isBeginning(state: State, peer: Peer): boolean {
  return Object.entries(peer.sightings).some(
    ([path, { status, startingMs }]) =>
      status === "starting" &&
      pathInUse(state, peer, path) &&
      state.nowMs - startingMs < unjudgedLimitMs(state.config.timing),
  );
}

/**
 * Paths do not fall silent in the same moment. A path that still counts as alive, but has shown
 * nothing since another one fell silent, may be about to fall silent too: until it shows a beat or
 * its silence is stated, a living host keeps its verdict, rather than be called half dead first.
 */
function isUndecided(state: State, peer: Peer): boolean {
  if (peer.verdict !== null && !isAlive(peer.verdict.row)) return false;
  const { timing } = state.config;
  const used = Object.entries(peer.sightings).filter(([path]) => pathInUse(state, peer, path));
  const silent = used.filter(([, { status }]) => status === "stale");
  const live = used.filter(([, { status }]) => status === "ok");
  if (silent.length === 0 || live.length === 0) return false;
  const silentMs = Math.max(
    ...silent.map(
      ([, sighting]) => expectedArrivalMs(sighting, timing) ?? Number.NEGATIVE_INFINITY,
    ),
  );
  return live.every(([, { arrivals }]) => (arrivals.at(-1)?.atMs ?? silentMs) <= silentMs);
}

function updateVerdict(state: State, peer: Peer, events: CoreEvent[]): Peer {
  if (peer.verdict?.row === "1" && allWell(state, peer)) return peer;
  if (lastWordOf(peer) === "running" && (isBeginning(state, peer) || isUndecided(state, peer))) {
    return peer;
  }
  const verdict = verdictOf(state, peer);
  const was = peer.verdict;
  if (was && was.row === verdict.row && was.action === verdict.action) return peer;
  const { row, action } = verdict;
  const fields = {
    host: peer.host.name, site: peer.host.site, row, action, verdict: verdict.verdict,
    was: was?.row ?? "-",
  }; // biome-ignore format: one list
  events.push({ level: levelOf(verdict), ev: "verdict", fields });
  return changedPeer(peer, { verdict });
}

function updatePath(state: State, peer: Peer, path: string, actions: Action[]): Peer {
  const sighting = peer.sightings[path];
  const watch = state.paths[path]?.watch;
  if (!sighting || !watch) return peer;
  const status = judge(sighting, watch, state.config.timing, state.nowMs);
  if (status === sighting.status) return peer;
  if (path !== networkPath) actions.push({ kind: "query-pair", mirror: path });
  const startingMs = status === "starting" ? state.nowMs : sighting.startingMs;
  const judged: Sighting = { ...sighting, status, startingMs };
  return changedPeer(peer, { sightings: { ...peer.sightings, [path]: judged } });
}

/** What a path may become without anything being wrong: watched anew, or silent as announced. */
function isCalm(peer: Peer, status: PathStatus): boolean {
  return status === "ok" || status === "starting" || lastWordOf(peer) === "leaving";
}

function pathEvents(state: State, before: State): CoreEvent[] {
  const events: CoreEvent[] = [];
  state.peers.forEach((peer, index) => {
    const was = before.peers[index];
    if (was === peer || !was || !peer.enabled) return;
    for (const [path, sighting] of Object.entries(peer.sightings)) {
      const old = was.sightings[path];
      if (!old || old.status === sighting.status || !pathInUse(state, peer, path)) continue;
      const level = isCalm(peer, sighting.status) ? "notice" : "warning";
      const because = sighting.invalid ?? state.paths[path]?.watch.failure ?? "";
      const reason =
        sighting.status === "corrupt" || sighting.status === "io-error" ? { reason: because } : {};
      const fields = {
        host: peer.host.name,
        path,
        state: sighting.status,
        was: old.status,
        ...reason,
      };
      events.push({ level, ev: "path", fields });
    }
  });
  return events;
}

function groupVerdicts(state: State, events: CoreEvent[], actions: Action[]): State["groups"] {
  let { groups } = state;
  for (const site of new Set(state.peers.map((peer) => peer.host.site))) {
    const members = state.peers.filter(
      (peer) => peer.host.site === site && peer.enabled && !peer.host.beacon,
    );
    const was = groups[site];
    if (members.length === 0) {
      // Nobody of that site is judged any more: an old verdict would speak of nobody.
      if (was)
        groups = Object.fromEntries(Object.entries(groups).filter(([name]) => name !== site));
      continue;
    }
    // A member that is not judged yet changes nothing, except that it takes eligibility back.
    const unjudged = members.some((peer) => peer.verdict === null);
    if (unjudged && was?.action !== "eligible") continue;
    const quorum = siteNamed(state.config, site)?.quorum ?? 1;
    const verdict = judgeGroup(
      members.map((peer) => peer.verdict ?? verdictOf(state, peer)),
      quorum,
    );
    if (was && was.row === verdict.row && was.action === verdict.action) continue;
    groups = { ...groups, [site]: verdict };
    const { row, action } = verdict;
    const advice = adviceOn(verdict, state.role, isLeased(state.config.policy));
    const fields = {
      site,
      row,
      action,
      verdict: verdict.verdict,
      was: was?.row ?? "-",
      ...(advice === null ? {} : { advice }),
    };
    events.push({ level: levelOf(verdict), ev: "group", fields });
    const facts = {
      event: "group", oldState: was?.row ?? "-", newState: row, peer: site, term: state.term,
      reason: verdict.verdict,
    }; // biome-ignore format: one list
    if (was) actions.push({ kind: "run-hook", hook: "verdict", facts });
  }
  return groups;
}

/**
 * Judges one path anew after a read on it (null: only what follows from other changes), then
 * every host and group. `before` is the state before the read, for telling what changed.
 */
export function judgeAll(before: State, state: State, path: string | null): Judged {
  const events: CoreEvent[] = [];
  const actions: Action[] = [];
  const verdicts: CoreEvent[] = [];
  let news = false;
  const peers = state.peers.map((peer) => {
    const sighted = path === null ? peer : updatePath(state, peer, path, actions);
    const linked = updateLink(state, sighted, events, actions);
    const judged = peer.enabled ? updateVerdict(state, linked, verdicts) : linked;
    if (judged !== peer) news = true;
    return judged;
  });
  const next = news ? changed(state, { peers }) : state;
  const groupEvents: CoreEvent[] = [];
  const groups = news || path === null ? groupVerdicts(next, groupEvents, actions) : next.groups;
  const told = pathEvents(next, before);
  return {
    state: groups === next.groups ? next : changed(next, { groups }),
    events: joined(joined(told, events), joined(verdicts, groupEvents)),
    actions: distinctPairQueries(actions),
  };
}

function distinctPairQueries(actions: readonly Action[]): readonly Action[] {
  if (actions.length < 2) return actions;
  const asked = new Set<string>();
  return actions.filter((action) => {
    if (action.kind !== "query-pair") return true;
    if (asked.has(action.mirror)) return false;
    asked.add(action.mirror);
    return true;
  });
}

/**
 * When the next silence on that path could be stated: the shell reads then, and does not wait for
 * its next regular poll. Only slots that two good reads found unchanged can be due that soon.
 */
export function nextDeadlineMs(state: State, path: string): number | null {
  const watch = state.paths[path]?.watch;
  if (!watch) return null;
  let earliestMs: number | null = null;
  for (const peer of state.peers) {
    const sighting = peer.sightings[path];
    if (!sighting || !peer.enabled || (sighting.status !== "ok" && sighting.status !== "starting"))
      continue;
    const unchanged =
      watch.goodReads - Math.max(sighting.goodReadsAtArrival, watch.goodReadsAtWindow);
    if (unchanged < unchangedReadsMin - 1) continue;
    const dueMs = deadlineMs(sighting, watch, state.config.timing);
    if (earliestMs === null || dueMs < earliestMs) earliestMs = dueMs;
  }
  return earliestMs;
}
