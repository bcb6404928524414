/**
 * Each verdict is the one that the table gives (docs/safety.md 4): of every host that is judged, and
 * of every group, at the moment at which it is stated; and what was stated before does not outlive
 * its evidence for longer than a path may take to begin, or to follow another one into silence.
 *
 * The table stands here a second time, as people read it; the evidence is derived from what the
 * observer saw and was answered, not by the program's own functions.
 */
import { isLeased } from "../../core/base/config.ts";
import { detectionBoundMs, healthMax, unjudgedLimitMs } from "../../core/base/timing.ts";
import { recordFlags, states } from "../../core/sector/layout.ts";
import type { Peer, State } from "../../core/step/state.ts";
import type { CheckerKind } from "../checker.ts";
import type { Watched } from "../observation.ts";
import { Judge } from "./judge.ts";
import { networkName } from "./ways.ts";

/** A word each for network, mirror, pair, observer, link; and what the host says of itself. */
export type Told = {
  readonly network: string;
  readonly mirror: string;
  readonly pair: string;
  readonly observer: string;
  readonly link: string;
  readonly word: string;
};
type Rule = { readonly row: string; readonly action: string } & {
  readonly [column in keyof Told]: string;
};
type Found = { readonly row: string; readonly action: string };

/** row; network; mirror; pair; observer; link; action. As in docs/safety.md, in its order. */
export const table = [
  "11 | disabled | disabled | any | any | any | refuse",
  "1 | ok | ok, disabled | any | any | any | none",
  "2 | lost | ok | any | any | any | notify",
  "2b | disabled | ok | any | any | any | none",
  "3 | ok | stale | suspended | any | any | notify",
  "3b | ok | stale | split, copying | any | any | notify",
  "3c | ok | stale | paired, unknown | any | any | notify",
  "4 | ok | corrupt, io-error | any | any | any | notify",
  "5 | lost, disabled | stale, corrupt, io-error, disabled | any | unfit | any | hold",
  "6 | lost, disabled | corrupt, io-error | any | any | any | hold",
  "7 | lost, disabled | stale | split, copying | any | any | hold",
  "8 | lost, disabled | stale | paired | any | proven | eligible unless denied",
  "9 | lost, disabled | stale | any | any | any | eligible if granted",
  "10 | lost | disabled | any | any | any | hold",
] as const;

function ruleOf(line: string): Rule {
  const [row = "", network = "", mirror = "", pair = "", observer = "", link = "", action = ""] =
    line.split(" | ");
  return { row, network, mirror, pair, observer, link, action, word: "any" };
}

const any = { network: "any", mirror: "any", pair: "any", observer: "any", link: "any" } as const;
const [nothingWatched, ...ofPaths] = table.map(ruleOf) as [Rule, ...Rule[]];
/** Those that the host's own last word decides stand before all but "nothing is watched". */
const rules: readonly Rule[] = [
  nothingWatched,
  { ...any, row: "0", word: "given-away", action: "eligible unless denied" },
  { ...any, row: "0b", word: "failed", network: "ok", action: "notify" },
  { ...any, row: "0b", word: "failed", mirror: "ok", action: "notify" },
  { ...any, row: "0c", word: "leaving", action: "none" },
  ...ofPaths,
];

const columns = ["network", "mirror", "pair", "observer", "link", "word"] as const;
const isOf = (words: string, word: string): boolean =>
  words === "any" || words === word || words.split(", ").includes(word);

const actions: Readonly<Record<string, (arbiter: string) => string>> = {
  "eligible unless denied": (arbiter) => (arbiter === "deny" ? "hold" : "eligible"),
  "eligible if granted": (arbiter) => (arbiter === "grant" ? "eligible" : "hold"),
};

/** The first row that fits. */
export function lookedUp(told: Told, arbiter: string): Found {
  const rule = rules.find((one) => columns.every((column) => isOf(one[column], told[column])));
  if (!rule) throw new Error(`assertion failed: a row for ${JSON.stringify(told)}`);
  return { row: rule.row, action: actions[rule.action]?.(arbiter) ?? rule.action };
}

/** From "surely alive" to "surely gone". */
const living = ["1", "2b", "2", "3b", "3", "3c", "4", "0b"];
const doubt = [...living, "0c", "11", "5", "6", "7", "10", "9", "8", "0"];
const byDoubt = (a: Found, b: Found): number => doubt.indexOf(a.row) - doubt.indexOf(b.row);

// ---- What an observer knows

/** An observer that is sicker than this says so, and holds. */
const fitMax = 3;
/** Advances of a beacon within the silence. */
const beaconAdvances = 2;

/** Whether its sender said that it beats there no more, and nothing was seen since. */
function isOff({ config }: State, peer: Peer, path: string): boolean {
  if (peer.pathsOff.includes(path)) return true;
  const { word, host } = peer;
  if (!word || peer.sightings[path]?.status === "ok") return false;
  if (word.generation !== BigInt(config.generation)) return false;
  const sent = config.mirrors.filter(({ writer }) => writer === host.site).map(({ name }) => name);
  const bit = [networkName, ...sent].indexOf(path);
  return bit >= 0 && bit < 16 && (word.pathsOff & (1 << bit)) !== 0;
}

function isInUse(state: State, peer: Peer, path: string): boolean {
  if (!(state.paths[path]?.enabled ?? false) || isOff(state, peer, path)) return false;
  return path !== networkName || peer.host.address !== null;
}

function isFitOn({ paths }: State, { sightings }: Peer, path: string): boolean {
  const status = sightings[path]?.status ?? "starting";
  const health = paths[path]?.watch.health ?? Number.POSITIVE_INFINITY;
  if (status === "starting" || health > fitMax) return false;
  // A network may be silent from the beginning; a slot in which nobody ever beat says nothing.
  return status !== "unseen" || path === networkName;
}

/** null: that one says nothing of itself. */
function wordOf({ word }: Peer): string {
  if (!word) return "running";
  const { state, flags } = word;
  if (state === states.leaving || state === states.disabled) return "leaving";
  if (state === states.handover) return "given-away";
  if (state !== states.failed) return "running";
  return (flags & recordFlags.quiesced) === 0 ? "failed" : "given-away";
}

function pairOf({ pairs, nowMs, config }: State, mirror: string): string {
  const view = pairs[mirror];
  if (!view || nowMs - view.observedMs > config.timing.pairAgeLimitMs) return "unknown";
  return view.state;
}

function linkOf({ pairs }: State, { linkProvenMs }: Peer, mirror: string): string {
  const atMs = linkProvenMs[mirror];
  const askedMs = pairs[mirror]?.observedMs;
  return atMs !== undefined && askedMs !== undefined && askedMs >= atMs ? "proven" : "open";
}

/** What is known of the exclusive right to take over from that host's site. */
function arbiterOf(state: State, { siteId }: Peer): string {
  if (Number(state.term % 256n) !== siteId) return "none";
  if (isLeased(state.config.policy)) return state.waiting.ripe ? "grant" : "none";
  const { answer } = state.arbiter;
  return answer === "granted" ? "grant" : answer === "denied" ? "deny" : "none";
}

const silentFrom: ReadonlySet<string> = new Set(["starting", "unseen"]);

/** What the table says of that host, by all that this observer knows. */
export function verdictBy(state: State, peer: Peer): Found {
  const arbiter = arbiterOf(state, peer);
  const word = wordOf(peer);
  const hasNetwork = isInUse(state, peer, networkName);
  const isHeard = peer.sightings[networkName]?.status === "ok";
  const network = !hasNetwork ? "disabled" : isHeard ? "ok" : "lost";
  const isFit = !hasNetwork || isFitOn(state, peer, networkName);
  const mirrors = Object.keys(peer.sightings).filter(
    (path) => path !== networkName && isInUse(state, peer, path),
  );
  const found = mirrors.map((path) => {
    const status = peer.sightings[path]?.status ?? "starting";
    const told: Told = {
      network,
      mirror: silentFrom.has(status) ? "stale" : status,
      pair: pairOf(state, path),
      observer: isFit && isFitOn(state, peer, path) ? "fit" : "unfit",
      link: linkOf(state, peer, path),
      word,
    };
    return { isLive: status === "ok", found: lookedUp(told, arbiter) };
  });
  const live = found.find(({ isLive }) => isLive);
  if (live) return live.found;
  if (found.length === 0) {
    const observer = isFit ? "fit" : "unfit";
    const told = { network, mirror: "disabled", pair: "unknown", observer, link: "open", word };
    return lookedUp(told, arbiter);
  }
  // The gravest of those that call it alive; else the most cautious.
  const ordered = found.map((one) => one.found).sort(byDoubt);
  const alive = ordered.filter(({ row }) => living.includes(row));
  return alive.at(-1) ?? (ordered[0] as Found);
}

/** The k-th best of a group; eligible only where every one of its hosts is. */
export function groupBy(hosts: readonly Found[], quorum: number): Found {
  const ordered = [...hosts].sort(byDoubt);
  const found = ordered[Math.min(quorum, ordered.length) - 1] as Found;
  const isWhole = hosts.every(({ action }) => action === "eligible");
  return found.action === "eligible" && !isWhole ? { ...found, action: "hold" } : found;
}

// ---- The checker

const judging: ReadonlySet<string> = new Set(["mirror-read", "network-read", "pair"]);
type Step = Extract<Watched, { kind: "step" }>;

const isSame = (a: Found | null | undefined, b: Found): boolean =>
  a?.row === b.row && a.action === b.action;
const textOf = (found: Found | null | undefined): string =>
  found ? `row ${found.row} (${found.action})` : "nothing";

class Row extends Judge {
  /** Since when an observer's verdict is another one than its evidence; on its own clock. */
  private readonly differsMs = new Map<string, number>();

  /** Peers whose verdict was found right, and cannot change without them. */
  private readonly well = new WeakSet<Peer>();

  private readonly keepMs =
    unjudgedLimitMs(this.world.config.timing) +
    detectionBoundMs(this.world.config.timing, healthMax);

  /** Its paths beat within the silence, and the pair was asked after that. */
  private linkShown(host: string, state: State, peer: Peer): void {
    const mirrors = Object.entries(peer.sightings).filter(([, { status }]) => status === "stale");
    const isShown = mirrors.some(([mirror, silent]) => {
      const lastMs = silent.arrivals.at(-1)?.atMs;
      const askedMs = state.pairs[mirror]?.observedMs ?? Number.NEGATIVE_INFINITY;
      return state.peers.some(({ host: other, siteId, sightings }) => {
        const sighting = sightings[mirror];
        if (!other.beacon || siteId !== peer.siteId || sighting?.status !== "ok") return false;
        // It began anew meanwhile: what it showed before is forgotten.
        if (lastMs === undefined || sighting.arrivals.length < beaconAdvances) return true;
        const later = sighting.arrivals.filter(({ atMs }) => atMs > lastMs + silent.intervalMs);
        const second = later[beaconAdvances - 1];
        return second !== undefined && askedMs >= second.atMs;
      });
    });
    this.count("row 8 told");
    if (!isShown)
      this.report(`${host} says row 8 of ${peer.host.name}, and no beacon proved the link`);
  }

  private stated(host: string, after: State, peer: Peer): void {
    const { verdict } = peer;
    if (!verdict) return;
    this.count("verdict stated");
    this.differsMs.delete(`${host} ${peer.host.name}`);
    const found = verdictBy(after, peer);
    if (!isSame(verdict, found)) {
      this.report(
        `${host} says ${textOf(verdict)} of ${peer.host.name}, and the table ${textOf(found)}`,
      );
    } else if (verdict.row === "8") this.linkShown(host, after, peer);
  }

  private stands(host: string, after: State, peer: Peer): void {
    if (this.well.has(peer) || !peer.enabled) return;
    const key = `${host} ${peer.host.name}`;
    const found = verdictBy(after, peer);
    if (isSame(peer.verdict, found)) {
      this.differsMs.delete(key);
      // Alive on all paths: neither a pair's state nor a stall changes that.
      if (found.row === "1") this.well.add(peer);
      return;
    }
    const sinceMs = this.differsMs.get(key);
    if (sinceMs === undefined) return void this.differsMs.set(key, after.nowMs);
    if (after.nowMs - sinceMs <= this.keepMs) return;
    this.count("verdict outlives its evidence");
    this.report(
      `${host} keeps ${textOf(peer.verdict)} of ${peer.host.name} for ${Math.round(after.nowMs - sinceMs)} ms, and the table says ${textOf(found)}`,
    );
  }

  private grouped({ host, before, after }: Step): void {
    for (const [site, verdict] of Object.entries(after.groups)) {
      if (before.groups[site] === verdict) continue;
      const members = after.peers.filter(
        (peer) => peer.host.site === site && peer.enabled && !peer.host.beacon,
      );
      const quorum = after.config.sites.find(({ name }) => name === site)?.quorum ?? 1;
      this.count("group stated");
      const found = groupBy(
        members.map((peer) => peer.verdict ?? verdictBy(after, peer)),
        quorum,
      );
      if (!isSame(verdict, found))
        this.report(`${host} says ${textOf(verdict)} of ${site}, and the rule ${textOf(found)}`);
    }
  }

  watch(watched: Watched): void {
    if (watched.kind === "agent" && watched.what === "begins") {
      for (const key of [...this.differsMs.keys()])
        if (key.startsWith(`${watched.host} `)) this.differsMs.delete(key);
      return;
    }
    if (watched.kind !== "step") return;
    const { host, before, input, after } = watched;
    if (before.peers !== after.peers) {
      after.peers.forEach((peer, index) => {
        const was = before.peers[index];
        if (peer === was || peer.verdict === was?.verdict) return;
        this.stated(host, after, peer);
      });
    }
    if (judging.has(input.kind)) for (const peer of after.peers) this.stands(host, after, peer);
    if (before.groups !== after.groups) this.grouped(watched);
  }
}

export const row: CheckerKind = {
  name: "row",
  words: "a verdict that is not the table's",
  cases: ["verdict stated", "group stated", "row 8 told"],
  make: (world, faults, report) => new Row(world, faults, report),
};
